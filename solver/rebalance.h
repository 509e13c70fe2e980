/*
 * Which VMs to move where so that no host is loaded beyond given shares of its
 * memory and cores: with the fewest moves, of those the fewest bytes.
 *
 * In:  the problem of the choice (planner/question.h): `moves` says which VMs may. Out: a host for each.
 *
 * A greedy with a check of each move for being needed; on small fleets, also the assignment program
 *   minimise  sum (1 + e bytes) x_vh + W sum excess_h,  rows as of placement,
 * whose optimum proves that fewer moves do not do.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/milp.h"
#include "solver/problem.h"

struct rebalance_options {
    double max_memory_frac, max_cpu_frac; /* 0..1, of hosts[].memory_bytes and cpu_cores */
    struct milp_limits limits;
};

struct rebalance_result {
    size_t *to; /* [n_vms]: where it is, or where it goes */
    size_t n_moves;
    size_t least_moves; /* no choice that brings all hosts within makes do with fewer */
    double excess_frac; /* what hosts are still over, summed over hosts and resources; 0: all within */
    bool proved;        /* nothing does better */
};

DC_WARN_UNUSED enum dc_status rebalance(const struct problem *problem, const struct rebalance_options *options,
                                        struct rebalance_result *result_out, struct dc_error *err);
void rebalance_result_dispose(struct rebalance_result *result);

/* How far a host is over with so much in use: shares of its memory and cores beyond the limits, summed. */
double rebalance_excess_frac(const struct problem_host *host, const struct rebalance_options *options,
                             double used_bytes, double used_cores);
