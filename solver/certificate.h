/*
 * Certificates: what proves a lower bound on the makespan, and the proof
 * recomputed from the frozen problem alone. Shares no code with what finds bounds or plans.
 *
 * In:  a problem, the VMs the bound is about, its kind and subject; for PLACEMENT the prices.
 * Out: the bound in seconds that follows, with its terms.
 *
 *   arc:       min pre + sum of least volumes over it / capacity + min post; VMs all of whose paths take it
 *   VM:        its least duration;   host: sum of least durations / slots
 *   placement: weak duality. With prices l, s, m >= 0 of arcs, slots and memory, for every placement
 *     T (sum l C + sum s k) >= sum l C (pre + post) - sum m free
 *                              + sum over VMs of min over hosts [sum l vol + sum s duration + m memory]
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/solution.h"

struct certificate {
    enum solution_bound_kind kind;
    size_t index; /* arc, VM or host (SIZE_MAX: the plan's max_parallel) */
    size_t n_vms; /* those that move; all others are taken to stay */
    const size_t *vms;
    const struct solution_prices *prices; /* kind PLACEMENT */
    double small_bytes;                   /* kind MEMORY: as of struct solution_bound */
};

/* Recomputes the bound into `*proved_out`: value_s and the terms of its kind. Kind NONE comes back where nothing is
 * proved: an index or price out of range, a VM that does not move or stands twice, a kind without a proof. */
DC_WARN_UNUSED enum dc_status certificate_prove(const struct problem *problem, enum problem_quantile quantile,
                                                const struct certificate *certificate,
                                                struct solution_bound *proved_out, struct dc_error *err);
