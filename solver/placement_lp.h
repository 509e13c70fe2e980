/*
 * The rack LP: how much of the volume should go to which kind of host so that
 * the busiest link is done first. Fractional, and small: hosts that look alike from every
 * source are one class, movers of one source with the same choices one group.
 *
 *   minimise T
 *   sum_c V_gc = volume of g;  sum_c M_gc = memory of g
 *   low_g V_gc <= M_gc <= high_g V_gc          (memory per byte sent, its range in g)
 *   each arc:  sum V_gc over paths on it <= C (T - setup - tail)
 *   each class: sum_g M_gc <= memory free at the end; sum work of V_gc <= slots T
 *
 * In-arcs of a class are one row, the sum of theirs. Summing rows, leaving rows out and taking least
 * volumes only relax, so T bounds every placement and every schedule.
 *
 * Where sources are many, those that differ in their own first arcs only are joined, M_gc is V_gc times the group's
 * memory per byte sent (groups are then of VMs that are close in it), and T is an estimate; its prices still
 * prove a bound (solver/certificate.h), a little below.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/candidates.h"
#include "solver/milp.h"
#include "solver/solution.h"

struct placement_lp {
    bool solved;    /* false: too large, infeasible or out of time; the rest is then not filled */
    double value_s; /* T; with joint groups an estimate */
    size_t n_classes;
    size_t *host_class; /* per host; SIZE_MAX: nobody's candidate */
    size_t n_groups;
    size_t *mover_group;           /* per mover; SIZE_MAX: nothing to send or no candidate */
    double *share_bytes;           /* [group * n_classes + class]: V */
    struct solution_prices prices; /* the optimum's duals */
};

/* `least_s` is a bound that is known already: T is not below it. */
DC_WARN_UNUSED enum dc_status placement_lp_solve(const struct problem *problem, enum problem_quantile quantile,
                                                 const struct candidates *candidates, double least_s,
                                                 const struct milp_limits *limits, struct placement_lp *lp_out,
                                                 struct dc_error *err);
void placement_lp_dispose(struct placement_lp *lp);
