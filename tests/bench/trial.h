/*
 * One instance, planned in a process of its own: what the plan is worth, what it cost to make, and
 * what the rivals make of the same.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/solution.h"
#include "tests/bench/family.h"
#include "tests/bench/rival.h"

/* Plain data: it comes through a pipe. */
struct trial {
    char failure[256]; /* empty: none. Else why there is no answer, or what the plan breaks */
    enum solution_status status;
    enum solution_bound_kind bound_kind;
    size_t n_movers, n_steps, n_left_out, n_hops, n_with_budget;
    double makespan_s, bound_s, gap_frac;
    double wall_s, cpu_s; /* of choosing and planning, not of making the instance */
    double peak_bytes;    /* of the process until the plan stood, with the instance */
    double choose_s;      /* part of wall_s: which hosts to empty */
    bool has_rivals;      /* below: */
    struct rival_result rivals[RIVALS];
};

/* Never fails but by what it says in `failure`. */
void trial_run(const struct family *family, uint64_t seed, bool with_rivals, struct trial *trial_out);
