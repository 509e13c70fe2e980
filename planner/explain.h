/*
 * Explaining plans, and what can be given up where there is none. Every
 * change that is offered was tried: the question was asked again with it.
 *
 * In:  fleet, goal and the plain answer to it. Out: in the plan, conflicts whose "relax" works, with the
 *      makespan each leads to, and "explanation".
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/goal.h"
#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"
#include "solver/solve.h"

/* One question asked several times in other ways, within limits. */
struct explainer {
    const struct fleet *fleet;           /* lent */
    const struct goal *goal;             /* lent */
    const struct solve_options *options; /* lent, or NULL */
    json_t *goal_json;
    size_t n_left; /* further answers: a limit that repeats, unlike the time */
    double end_s;  /* on the monotonic clock */
};

/* `begin_s` on the monotonic clock: the goal's time limit counts from there. */
DC_WARN_UNUSED enum dc_status explain_init(struct explainer *explainer, const struct fleet *fleet,
                                           const struct goal *goal, const struct solve_options *options, double begin_s,
                                           struct dc_error *err);
void explain_dispose(struct explainer *explainer);

/* The answer with `changes` (a "relax" item, or an array of them) made, `*plan_out` the caller's. `*tried_out` is
 * false where the limits are used up or a change cannot be made; then there is no plan. `is_quick`: any plan will do.
 */
DC_WARN_UNUSED enum dc_status explain_try(struct explainer *explainer, const json_t *changes, bool is_quick,
                                          struct plan *plan_out, bool *tried_out, struct dc_error *err);

/* Conflicts of a partial or infeasible plan: offers that were tried and work, in the place of those that might; and in
 * `explanation` a least set of limits that contradict each other ("core"), and changes that together lead to a whole
 * plan where no single one does ("together"). */
DC_WARN_UNUSED enum dc_status explain_conflicts(struct explainer *explainer, struct plan *plan, struct dc_error *err);

/* A smallest set of VMs, as far as trying found one, without which the deadline can be kept: an "exclude" item, or
 * NULL. */
DC_WARN_UNUSED enum dc_status explain_drops(struct explainer *explainer, json_t **item_out, struct dc_error *err);

/* The least set: an array of {"what": sentence}, empty where none was found. */
DC_WARN_UNUSED enum dc_status explain_core(struct explainer *explainer, const struct plan *plan, json_t **core_out,
                                           struct dc_error *err);

/* A good plan, in `explanation`: what is the bottleneck and what more room there brings ("more"), and for each step
 * what it waits for ("order"). */
DC_WARN_UNUSED enum dc_status explain_plan(struct explainer *explainer, struct plan *plan, struct dc_error *err);

/* What each step waits for: an array of {"step", "why"}. */
DC_WARN_UNUSED enum dc_status explain_order(const struct fleet *fleet, const struct goal *goal, const struct plan *plan,
                                            json_t **order_out, struct dc_error *err);
