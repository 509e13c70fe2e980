/*
 * What people have today, on the same instance: migrations are started by a rule that knows only
 * a number of slots, all to the destinations of our placement, and share links as TCP does.
 *
 * In:  a frozen problem, destinations, a rule. Out: makespan, and who broke its downtime budget.
 *
 * The cost model is the plans' own (solver/problem.h, PROBLEM_P95): a transfer advances by
 * dt / (live + stop) at its present rate, which is its max-min fair share of its path, divided
 * anew at each event; the guest stops once what is left is its share, and what its rate does then is its
 * downtime. Below the lowest bandwidth at which it converges a transfer does not advance while the guest runs; where
 * that is only the lowest that was predicted, and once the guest stands, the bytes there are sent at whatever rate it
 * gets. A migration starts only where its memory fits; slots also keep
 * the hosts' limits of concurrent migrations, all at once does not.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

struct rival {
    const char *name;
    unsigned n_slots;   /* 0: all at once */
    bool per_host;      /* slots of each source; else of the whole set */
    bool longest_first; /* by the time at the best bandwidth; else in the VMs' order */
};

struct rival_result {
    double makespan_s; /* INFINITY where some never end */
    size_t n_broken;   /* downtime budgets; a VM that never ends has broken its own */
    size_t n_unfinished;
};

/* All but "all at once" are rules of fixed slots. */
enum { RIVALS = 17, RIVAL_AT_ONCE = 1 };
extern const struct rival rivals[RIVALS];

/* `to[n_vms]`: where each VM ends; those with moves and another host than their own migrate. */
DC_WARN_UNUSED enum dc_status rival_run(const struct problem *problem, const size_t *to, const struct rival *rival,
                                        struct rival_result *result_out, struct dc_error *err);
