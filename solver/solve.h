/*
 * The solver's front door: one frozen problem in, one solution out. Pure: no
 * clock but for the time limit, no log, no global.
 *
 * precheck (closed forms per VM) -> place -> bound -> search over the decoder
 * -> step model for small sets -> verify -> report.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/solution.h"

#include <stdatomic.h>

struct solve_progress {
    double elapsed_s;
    double makespan_s; /* best so far */
    double bound_s;
    double gap_frac;
};

typedef void (*solve_progress_fn)(void *context, const struct solve_progress *progress);

struct solve_options {
    uint64_t seed;
    double time_limit_s;           /* a cut-off; the search's own budget is counted in decodes, so results repeat */
    const atomic_bool *cancel;     /* NULL, or set to true by another thread or a signal handler */
    solve_progress_fn on_progress; /* NULL, or called from the solving thread */
    void *context;
    bool is_quick; /* is there a plan at all? a short search, no exact model, no forecast */
};

/* Fails only for what is no answer (out of memory, our own bug); infeasible is a result. `problem` must be frozen. */
DC_WARN_UNUSED enum dc_status solve(const struct problem *problem, const struct solve_options *options,
                                    struct solution *solution_out, struct dc_error *err);
