/*
 * Lower bounds on the makespan, each with the terms that prove it.
 *
 * They hold for ANY bandwidth that varies in time: a migration's bytes and
 * time never grow with bandwidth, so what it costs at its highest possible bandwidth
 * bounds it from below.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/milp.h"
#include "solver/solution.h"

/* LB1 over arcs, VMs and hosts with concurrency limits, at `quantile`, for any destination that
 * is allowed (not only the one chosen): only arcs that every path of a VM takes count.
 * VMs with skip[vm] true (NULL: none), and those without a host they can go to,
 * are left out. Kind HOST with index SIZE_MAX is the plan's own max_parallel. Hop-free plans only. */
DC_WARN_UNUSED enum dc_status bound_closed_form(const struct problem *problem, enum problem_quantile quantile,
                                                const bool *skip, struct solution_bound *bound_out,
                                                struct dc_error *err);

/* LB2: the LP over destinations still free (receiving links bind, see
 * solver/placement_lp.h): LB1 itself where that is no lower, or kind NONE where the LP could not be solved.
 * Of kind PLACEMENT the value is what the LP's duals prove (solver/certificate.h), and `*prices_out`, the
 * caller's in any case, holds them. */
DC_WARN_UNUSED enum dc_status bound_placement(const struct problem *problem, enum problem_quantile quantile,
                                              const struct milp_limits *limits, struct solution_bound *bound_out,
                                              struct solution_prices *prices_out, struct dc_error *err);
