/* Numbers are taken at the moment of the question. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/api_watch.h"

enum { HTTP_OK = 200, HTTP_UNAVAILABLE = 503 };

static struct metrics_runs count_runs(struct run_table *table, int64_t now_unix_ms) {
    struct metrics_runs runs = {.n_plans = 0};
    run_table_expire(table, now_unix_ms);
    runs.n_plans = table->n_runs;
    for (size_t i = 0; i < table->n_runs; i++) {
        runs.n_running += table->runs[i].n_running;
        runs.n_pending += table->runs[i].n_pending;
    }
    return runs;
}

void api_metrics(struct api *api, struct api_request *request, const char *rest) {
    struct dc_error err = DC_ERROR_NONE;
    struct fleet fleet;
    const int64_t now_unix_ms = fleet_clock_now().unix_ms;
    (void)rest;
    const enum dc_status rc = api_export_fleet(api, &fleet, &err);
    if (rc != DC_OK) {
        api_reply_error(request, rc, &err);
        return;
    }
    const struct metrics metrics = {.fleet = &fleet,
                                    .counters = collector_count(api->collector),
                                    .plans = api->made,
                                    .runs = count_runs(&api->runs, now_unix_ms),
                                    .now_unix_ms = now_unix_ms};
    api_request_reply_as(request, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", metrics_write(&metrics));
    fleet_doc_dispose(&fleet);
}

void api_healthz(struct api *api, struct api_request *request, const char *rest) {
    (void)api;
    (void)rest;
    api_reply_json(request, HTTP_OK, json_pack("{s:b}", "healthy", 1));
}

void api_readyz(struct api *api, struct api_request *request, const char *rest) {
    struct dc_error err = DC_ERROR_NONE;
    struct fleet fleet;
    bool is_ready = false;
    (void)rest;
    const enum dc_status rc = fleet_state_export(api->state, fleet_clock_now(), &fleet, &err);
    if (rc != DC_OK) {
        api_reply_error(request, rc, &err);
        return;
    }
    for (size_t i = 0; i < fleet.n_hosts; i++)
        is_ready = is_ready || fleet.hosts[i].freshness == FLEET_FRESH;
    fleet_doc_dispose(&fleet);
    if (is_ready)
        api_reply_json(request, HTTP_OK, json_pack("{s:b}", "ready", 1));
    else
        api_reply_json(request, HTTP_UNAVAILABLE,
                       json_pack("{s:b, s:s}", "ready", 0, "error", "no host's agent was heard of lately"));
}
