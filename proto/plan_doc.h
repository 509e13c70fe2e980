/*
 * The plan document: the answer to one question about a set of VMs.
 *
 * In and out: JSON text (format "decamp/plan", version 1.x) <-> struct plan.
 * Times are milliseconds from the plan's start. Self-contained: names, not
 * indices, so that it can be shown and verified without what made it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/prediction.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum plan_status { PLAN_OPTIMAL, PLAN_FEASIBLE, PLAN_PARTIAL, PLAN_INFEASIBLE };

enum plan_action { PLAN_MIGRATE, PLAN_BOOT, PLAN_SHUTDOWN, PLAN_COLD_MIGRATE };

struct plan_rate {
    double from_ms;
    double bytes_per_s;
};

struct plan_step {
    unsigned id; /* 1.. */
    enum plan_action action;
    char *vm; /* uuid; a text that does not apply (the VM of a boot) is empty */
    char *vm_name;
    char *from; /* host names */
    char *to;
    bool hop;
    size_t n_after;
    unsigned *after; /* ids of the steps that must have ended */
    double not_before_ms;
    double delay_ms; /* it starts no sooner than so long after the last of `after` has ended */
    double start_ms;
    double end_ms;
    double bandwidth_bytes_per_s; /* the cap at its start */
    size_t n_rates;
    struct plan_rate *rates; /* where its share changes; the last entry is rate 0 once the last page is sent */
    size_t n_path;
    char **path; /* link names */
    struct prediction_quantiles migration_ms;
    struct prediction_quantiles downtime_ms;
    double bytes;
    unsigned n_rounds;
};

struct plan {
    char *id;
    json_t *goal; /* the question asked, as an object; owned */
    char *fleet_digest;
    int64_t made_unix_ms;
    uint64_t seed;
    enum plan_status status;
    struct prediction_quantiles makespan_ms;
    double lower_bound_ms;
    double gap_frac;
    json_t *bound;    /* {"kind": ..., ...}; owned */
    json_t *forecast; /* {"n_runs", "makespan_ms", ...}; owned, empty without a plan */
    double bytes;
    double downtime_total_ms;
    double downtime_worst_ms;
    size_t n_steps;
    struct plan_step *steps;
    size_t n_hosts_off;
    char **hosts_off;
    json_t *energy;       /* {"watts_before", ...}, NULL where it is no matter; owned */
    json_t *choice;       /* what was chosen of what the goal leaves open, NULL without a choice; owned */
    json_t *stages;       /* array of plain questions answered one after the other, NULL without a choice; owned */
    json_t *broken_rules; /* array of {"rule", "type", "what"}: soft rules the plan breaks, NULL without; owned */
    json_t *conflicts;    /* array of {"what", "needs", "relax"}; owned */
    json_t *warnings;     /* array of strings; owned */
    json_t *explanation;  /* object, NULL where none was asked for or needed; owned */
};

void plan_doc_dispose(struct plan *plan);

/* Does it do all that was asked for? */
bool plan_doc_is_whole(const struct plan *plan);

/* Errors as of fleet_doc_read. Keys it does not know are ignored. */
DC_WARN_UNUSED enum dc_status plan_doc_read(const char *text, size_t n_bytes, struct plan *plan_out,
                                            struct dc_error *err);
DC_WARN_UNUSED enum dc_status plan_doc_read_file(const char *path, struct plan *plan_out, struct dc_error *err);

/* JSON text (heap, the caller frees it), keys in fixed order. */
DC_WARN_UNUSED enum dc_status plan_doc_write(const struct plan *plan, char **text_out, struct dc_error *err);

const char *plan_doc_status_text(enum plan_status status);
const char *plan_doc_action_text(enum plan_action action);
