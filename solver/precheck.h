/*
 * Precheck: what can be told of each VM alone, in closed form, before anything
 * is placed or ordered.
 *
 * In:  a frozen problem. Out: conflicts for the VMs that cannot migrate
 *      whatever the others do: no convergence, a budget or a bandwidth out of
 *      reach, a deadline shorter than the migration. Where a VM has no host or no path
 *      at all, placement says so.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/solution.h"

/* Sets skip[vm] (the caller's, n_vms) for each such VM and appends its conflict. */
DC_WARN_UNUSED enum dc_status precheck(const struct problem *problem, enum problem_quantile quantile, bool *skip,
                                       struct solution *solution, struct dc_error *err);
