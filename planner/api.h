/*
 * The planner's HTTP API: which path does what.
 *
 *   GET  /v1/fleet     the fleet document
 *   GET  /v1/status    counters and hosts
 *   POST /v1/plans     a goal; the plan document
 *   POST /v1/interrupts  {"token": that of a goal}: its plan now, the best so far
 *   GET  /v1/plans     the plans made before
 *   GET  /v1/plans/ID  one of them
 *   POST /v1/plans/ID/events  {"first": n, "events": [...]}: what happens while it is run, for the feed
 *   POST /v1/holds     {"vms": [...], "for_ms": n}: agents stop sampling, and what is
 *                      predicted of the migrations is kept to be compared. Optional: "to" (host) and
 *                      "bandwidth_bytes_per_s" of all; a VM may be an object with "vm" and these two
 *   POST /v1/releases  {"vms": [...]}: and begin again
 *
 *   GET  /metrics      for Prometheus
 *   GET  /healthz, /readyz  {"healthy": true}; {"ready": ...}, 503 while no host is fresh
 *
 * Errors are {"error": text, "status": name of the dc_status}.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/api_server.h"
#include "planner/collector.h"
#include "planner/fleet_state.h"
#include "planner/metrics.h"
#include "planner/observation_log.h"
#include "planner/run_table.h"
#include "planner/store.h"
#include "planner/work_queue.h"

#include <jansson.h>

struct plan_job;

/* What the handlers work on; all lent, but where it says otherwise. */
struct api {
    struct fleet_state *state;
    struct store *store;
    struct observation_log *observations;
    struct collector *collector;
    struct work_queue *plans;     /* solving */
    struct work_queue *documents; /* writing large JSON */
    struct plan_job *jobs;        /* plans that are asked for and not answered yet (api_plan.c) */
    struct metrics_plans made;    /* of those that were */
    struct run_table runs;        /* plans that are being applied; owned */
};

/* An api_handler_fn; `context` is the struct api. */
void api_handle(void *context, struct api_request *request);

/* The fleet as the API tells it: with what was observed and learned. */
DC_WARN_UNUSED enum dc_status api_export_fleet(const struct api *api, struct fleet *fleet_out, struct dc_error *err);

/* Replies with `json` (a reference, taken over). */
void api_reply_json(struct api_request *request, unsigned status, json_t *json);

/* Replies with the error; the HTTP status follows from its own. */
void api_reply_error(struct api_request *request, enum dc_status rc, const struct dc_error *err);

/* The request's body as a JSON object; DC_EINVAL otherwise. The caller's reference. */
DC_WARN_UNUSED enum dc_status api_read_body(const struct api_request *request, json_t **json_out, struct dc_error *err);
