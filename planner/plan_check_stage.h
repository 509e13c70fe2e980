/*
 * Checking a plan in stages: each stage as the plain plan it is, of the fleet as
 * the stages before left it; then what holds them together, hosts that go off and on, and
 * what the goal asked for.
 *
 * In:  plan and fleet. Out: sentences, as of planner/plan_check.h.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/goal.h"
#include "planner/plan_check.h"

/* What the parts share. */
struct plan_stage {
    const json_t *goal;         /* lent by the plan */
    const json_t *json;         /* the stage itself */
    size_t first_step, n_steps; /* indices into the plan's steps */
    double start_ms, end_ms;    /* the end of its last step */
    double lower_bound_ms;
};

/* A VM's time on one host. */
struct plan_stay {
    size_t vm, host;
    double from_ms, to_ms; /* -INFINITY: since before the plan; INFINITY: at its end */
};

struct plan_staged {
    const struct plan *plan;
    const struct fleet *fleet;
    const struct goal *goal;
    size_t n_stages;
    struct plan_stage *stages;
    size_t n_stays;
    struct plan_stay *stays; /* the first n_vms are those before the plan */
    json_t *violations;
};

/* For plans whose goal leaves a choice. */
DC_WARN_UNUSED enum dc_status plan_check_stages(const struct plan *plan, const struct fleet *fleet,
                                                const struct goal *goal, struct plan_check *check,
                                                struct dc_error *err);

/* Boots and shutdowns: their hosts' states, times and VMs; hosts_off. */
DC_WARN_UNUSED enum dc_status plan_check_hosts(const struct plan_staged *staged, struct dc_error *err);

/* What the goal asked for, and the figures that the plan gives for it. */
DC_WARN_UNUSED enum dc_status plan_check_goal(const struct plan_staged *staged, struct dc_error *err);

/* What rolling promises: which hosts went, in which groups, and what it says of that. */
DC_WARN_UNUSED enum dc_status plan_check_rolling(const struct plan_staged *staged, struct dc_error *err);
