/*
 * What an operator watches, as Prometheus reads it (text format 0.0.4).
 *
 * In:  the fleet with what was observed, counters of the daemon. Out: one text; times in seconds, shares from 0 to 1.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/collector.h"
#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"

enum { METRICS_N_PLAN_STATUSES = PLAN_INFEASIBLE + 1 };

/* Of the plans that this daemon made since it began. */
struct metrics_plans {
    uint64_t n_by_status[METRICS_N_PLAN_STATUSES]; /* by enum plan_status */
    uint64_t n_failed;                             /* questions without a plan */
    double solve_s;                                /* all together */
    double last_gap_frac;                          /* negative: none yet; infinite: not proved */
};

/* Of the plans that are being applied. */
struct metrics_runs {
    size_t n_plans;
    size_t n_running, n_pending; /* migrations */
};

struct metrics {
    const struct fleet *fleet;
    struct collector_counters counters;
    struct metrics_plans plans;
    struct metrics_runs runs;
    int64_t now_unix_ms;
};

/* Heap, the caller's; NULL when out of memory. */
char *metrics_write(const struct metrics *metrics);
