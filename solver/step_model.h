/*
 * The malleable step model: the exact scheduling model (sequence, concurrency
 * and bandwidth) as a MILP over time slots, for sets of up to
 * STEP_MODEL_MAX_VMS VMs with destinations given.
 *
 * Slots k of length D. S_vk, E_vk binary and monotone (started, ended), F_vk in
 * [0,1] (fraction sent). E_k <= S_{k - floor(mt_v/D)}; E <= F <= S;
 * vol_v dF_vk <= bmax_v D; for each arc sum vol_v dF_vk <= C D; for each host
 * sum_in mem S - sum_out mem E <= free; concurrency caps on S - E; precedence
 * E_u,k >= S_v,k. Bisected on the makespan. Floors keep it a valid relaxation,
 * so what it proves infeasible bounds every schedule of that placement.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/decode.h"
#include "solver/milp.h"

enum { STEP_MODEL_MAX_VMS = 15 };

struct step_model_result {
    double bound_s; /* proved for this placement; 0 when nothing was proved */
    bool has_order; /* `order` holds the VMs by their start in the model's best solution */
};

/* `incumbent` is the best schedule so far: its makespan is the upper end of the
 * bisection and its starts are the warm start. `order` is the caller's, with
 * room for all moving VMs. */
DC_WARN_UNUSED enum dc_status step_model_solve(const struct problem *problem, const long *to,
                                               enum problem_quantile quantile, const struct solution *incumbent,
                                               const struct milp_limits *limits, struct decode_order *order,
                                               struct step_model_result *result_out, struct dc_error *err);
