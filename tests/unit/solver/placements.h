/*
 * All placements of a small problem, tried one by one: what a bound on the question must stay below.
 *
 * In:  a frozen problem whose first VMs move, and the memory free on each host. Out: the least LB1 of all
 *      placements with room at the end.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/bound.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* From VM `vm` on; those before it have a place. */
static inline double placements_best(struct problem *problem, size_t n_movers, size_t vm, double *free_bytes) {
    if (vm == n_movers) {
        struct solution_bound bound;
        assert_int_equal(bound_closed_form(problem, PROBLEM_P95, NULL, &bound, NULL), DC_OK);
        return bound.value_s;
    }
    double best = INFINITY;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        if (host == problem->vms[vm].host || problem->allowed[vm * problem->n_hosts + host] == 0 ||
            problem->vms[vm].memory_bytes > free_bytes[host])
            continue;
        free_bytes[host] -= problem->vms[vm].memory_bytes;
        problem->vms[vm].to = (long)host;
        best = fmin(best, placements_best(problem, n_movers, vm + 1, free_bytes));
        problem->vms[vm].to = PROBLEM_ANY;
        free_bytes[host] += problem->vms[vm].memory_bytes;
    }
    return best;
}
