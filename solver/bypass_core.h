/*
 * The core of a deadlock, in memory alone: moves that are to be made in waves, and
 * where their VMs may be parked. Shared by solver/bypass*.c only.
 *
 * In a wave a VM that moves counts on both hosts; what leaves frees its memory
 * when the wave is over.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/milp.h"
#include "solver/problem.h"

enum { CORE_MAX_PARKS = 4 };

struct core_move {
    size_t vm, from, to;
    double bytes;
    size_t n_parks;
    size_t parks[CORE_MAX_PARKS]; /* most memory free first */
    /* What a method decides; waves count from 1, 0: not at all. */
    long park; /* PROBLEM_ANY: straight on */
    unsigned parked_in_wave, arrives_in_wave;
};

struct core {
    size_t n_hosts;
    double *free_bytes; /* per host, before the first wave */
    size_t n_moves;
    struct core_move *moves;
};

/* Lets move what fits; where nothing does, parks the smallest VM that lets others go. What does not arrive goes
 * straight on in a last wave that cannot be. `mixed`: chance has its say from the first try on, for other answers. */
DC_WARN_UNUSED enum dc_status core_solve_greedily(struct core *core, uint64_t seed, bool mixed, struct dc_error *err);

/* Fewest waves, then fewest bytes parked. True if all arrive; false also where a limit was hit first. */
DC_WARN_UNUSED enum dc_status core_solve_exactly(struct core *core, const struct milp_limits *limits, bool *solved_out,
                                                 struct dc_error *err);
