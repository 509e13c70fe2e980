/*
 * A plan in stages: plain questions (evacuate, schedule) asked one after the
 * other of the fleet as the stages before leave it, with boots and shutdowns of
 * hosts in between, put together as one plan.
 *
 * In:  a fleet and a goal that leaves a choice open. Out: struct plan; its "stages" say for each
 *      question what it was, when it begins (ms), its steps and what bounds it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/goal.h"
#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"
#include "solver/solve.h"

struct staging {
    const struct fleet *fleet;           /* lent */
    const struct goal *goal;             /* lent: the one that leaves a choice open */
    const struct solve_options *options; /* lent, or NULL */
    struct fleet now;                    /* as the stages so far leave it; lends all but the arrays of VMs and hosts */
    json_t *goal_json;
    struct plan *plan; /* lent */
    size_t capacity;   /* of its steps */
    double now_ms[2];  /* p50, p95: when all stages so far are done */
    double bound_ms;   /* they cannot be done before */
    size_t n_barrier, barrier_capacity;
    unsigned *barrier; /* ids of the steps that the next stage waits for: those that no other step waits for */
    bool all_optimal;
};

/* `*plan_out` becomes an empty plan with the goal in it. */
DC_WARN_UNUSED enum dc_status staging_init(struct staging *staging, const struct fleet *fleet, const struct goal *goal,
                                           const struct solve_options *options, struct plan *plan_out,
                                           struct dc_error *err);
void staging_dispose(struct staging *staging);

/* The goal's limits with another verb: {"verb": "evacuate", "hosts": []} or {"verb": "schedule", "moves": []}; lists
 * to be filled by the caller. Without the deadline, which is the whole plan's. A new reference, NULL when out of
 * memory. */
json_t *staging_question(const struct staging *staging, enum goal_kind kind, double time_limit_ms);

/* Appends a name to one of the question's lists, which is made where there is none; a move for each VM that `to` (a
 * host for each of the fleet's VMs) puts elsewhere than it is by now. False when out of memory. */
DC_WARN_UNUSED bool staging_add_name(json_t *question, const char *list, const char *name);
DC_WARN_UNUSED bool staging_add_moves(const struct staging *staging, json_t *question, const size_t *to);

/* The answer to a question about the fleet as it is now; nothing is taken over. */
DC_WARN_UNUSED enum dc_status staging_ask(struct staging *staging, const json_t *question, struct plan *plan_out,
                                          struct dc_error *err);

/* VMs that were to go where `to` says and that the answer leaves where they are may not be chosen again: `moves` of the
 * problem is false from now on. Their number. */
size_t staging_pin_left(const struct staging *staging, const struct plan *answer, const size_t *to,
                        struct problem *problem);

/* Makes an answer the next stage: its steps begin once those of the barrier have ended, its VMs are then elsewhere.
 * The answer's steps are taken over. */
DC_WARN_UNUSED enum dc_status staging_take(struct staging *staging, const json_t *question, struct plan *answer,
                                           struct dc_error *err);

/* Appends a boot or a shutdown of the host, after the steps named; `*step_out` is lent until the next one. */
DC_WARN_UNUSED enum dc_status staging_add_host_step(struct staging *staging, enum plan_action action, size_t host,
                                                    double start_ms, struct plan_step **step_out, struct dc_error *err);

/* A shutdown once the VMs are gone that steps from index `first_step` on take away from the host; at `idle_ms`, and
 * waiting for nothing, where there are none. */
DC_WARN_UNUSED enum dc_status staging_add_shutdown(struct staging *staging, size_t host, size_t first_step,
                                                   double idle_ms, struct plan_step **step_out, struct dc_error *err);

/* The step waits for another. */
DC_WARN_UNUSED enum dc_status staging_wait(struct plan_step *step, unsigned id, struct dc_error *err);

/* The next stage waits for the step, too. */
DC_WARN_UNUSED enum dc_status staging_block(struct staging *staging, unsigned id, struct dc_error *err);

/* Totals, bound, gap and status of what was put together. */
DC_WARN_UNUSED enum dc_status staging_finish(struct staging *staging, bool is_whole, bool is_best,
                                             struct dc_error *err);

/* Appends a conflict {"what", "needs": {}, "relax": []}; a warning. printf sentences. */
DC_WARN_UNUSED enum dc_status staging_conflict(struct staging *staging, struct dc_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
DC_WARN_UNUSED enum dc_status staging_warn(struct staging *staging, struct dc_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
