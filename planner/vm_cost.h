/*
 * What migrating one VM of a fleet costs, for the frozen problem.
 *
 * In:  a VM as the fleet knows it and the bandwidths it can get.
 * Out: the prediction it is planned with (published, computed from its
 *      profile, or the worst its stop policy allows; each with the local disks that move), and from that the cost
 * points of solver/problem.h: live + stop seconds per bandwidth, monotone.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"
#include "solver/problem.h"

enum vm_cost_source {
    VM_COST_NOTHING,    /* shut off: no page to send */
    VM_COST_PREDICTION, /* what its agent published, its disks computed here */
    VM_COST_PROFILE,    /* computed here */
    VM_COST_WORST_CASE, /* nothing known: all memory in every round */
    VM_COST_UNKNOWN,    /* nothing known, and its policy sets no limit */
};

/* The prediction `vm` is planned with; for a profile (and the worst case) on a geometric
 * grid that ends at `high_bytes_per_s` and some points above it, which say what
 * bandwidth would be needed where the network's is not enough. `*prediction_out`
 * is the caller's; it has no points for NOTHING and UNKNOWN. */
DC_WARN_UNUSED enum dc_status vm_cost_predict(const struct fleet_vm *vm, double high_bytes_per_s,
                                              struct prediction *prediction_out, enum vm_cost_source *source_out,
                                              struct dc_error *err);

/* The prediction from the VM's profile alone at `n` ascending bandwidths; DC_ENOTFOUND
 * where it has no profile or no stop policy. */
DC_WARN_UNUSED enum dc_status vm_cost_from_profile(const struct fleet_vm *vm, const double *bandwidths_bytes_per_s,
                                                   size_t n, struct prediction *prediction_out, struct dc_error *err);

/* The cost points of one quantile; only bandwidths at which it converges, made
 * monotone by the running maximum from the highest bandwidth down (never
 * optimistic). `*cost_out` is overwritten, its points are the caller's. */
DC_WARN_UNUSED enum dc_status vm_cost_points(const struct fleet_vm *vm, const struct prediction *prediction,
                                             enum problem_quantile quantile, struct problem_cost *cost_out,
                                             struct dc_error *err);

/* Moves a cost at p95 to the quantile 1 - risk_frac, along the line through it and the median
 * (solver/cost_spread.h). Both are of one prediction. */
void vm_cost_at_risk(const struct problem_cost *median, double risk_frac, struct problem_cost *cost);

/* The VM's own cap on the bandwidth of its migration; INFINITY where it has none. */
double vm_cost_cap(const struct fleet_vm *vm);
