/*
 * Running a plan from its first step to its last: checked, journalled, held, planned anew where a part fails.
 *
 * In:  a plan, how to reach the fleet and the hypervisors. Out: what became of every step of every revision of the
 * plan.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/apply_view.h"
#include "planner/apply/executor.h"
#include "proto/fleet_doc.h"

struct apply_config {
    const struct driver_ops *driver;
    const char *driver_path; /* its settings; NULL: defaults */
    const char *state_dir;   /* where journals are kept */
    bool is_resumed;         /* go on with a plan that was begun */
    bool may_replan;
    double max_age_ms;        /* of a plan that is begun */
    double watch_interval_ms; /* how often the fleet is looked at while the plan runs */
    const char *socket_path;  /* of the daemon, for HOLD and RELEASE; NULL: there is none */
    struct executor_options options;
    struct apply_view *view; /* lent */
    void *context;
    enum dc_status (*load_fleet)(void *context, struct fleet *fleet_out, struct dc_error *err);
};

/* One revision of the plan, as far as it was run. */
struct apply_part {
    struct plan plan;
    struct executor_step *steps; /* [plan.n_steps] */
};

struct apply_result {
    size_t n_parts;
    struct apply_part *parts;
    double elapsed_ms;
    bool is_whole; /* the last revision has done all its steps, and answers its question */
};

void apply_result_dispose(struct apply_result *result);

/* `plan` is taken over. Without an error something may have failed: see `result_out`. DC_ESTALE: the plan is too old,
 * or does not fit any more (the text names the differences); nothing was begun. DC_EBUSY: it is being applied by
 * another process. */
DC_WARN_UNUSED enum dc_status apply_run(const struct apply_config *config, struct plan *plan,
                                        struct apply_result *result_out, struct dc_error *err);
