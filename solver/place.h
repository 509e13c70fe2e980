/*
 * Placement: which host each moving VM goes to, before any time is looked at.
 *
 * In:  a frozen problem. Out: a destination per VM that fits memory, CPU and
 *      rules at the end, and spreads the bytes over the receiving links so that the
 *      makespan can be short; or conflicts that say why there is none.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/milp.h"
#include "solver/solution.h"

#include <stdint.h>

/* `to[n_vms]` (the caller's) gets each moving VM's destination, and its present
 * host for the others. VMs that cannot be placed get PROBLEM_ANY and a conflict
 * is added to `solution`; they are taken to stay where they are. VMs that `solution` holds a conflict of already
 * are not placed and get no second one. Destinations that the problem gives are checked (end state) and kept.
 * `limits` cuts the solver off earlier than place() itself would. By GLPK (assignment MILP where small, LP and rounding
 * with repair where not), by greedy where that fails. Solver failures are
 * survived (greedy), not reported. */
DC_WARN_UNUSED enum dc_status place(const struct problem *problem, const struct milp_limits *limits, uint64_t seed,
                                    long *to, struct solution *solution, struct dc_error *err);
