/*
 * The answer to a goal: fleet -> frozen problem -> solver -> plan document.
 * The same function serves `decamp --fleet FILE` and the daemon; it is pure
 * but for the time limit, so a plan made twice is the same to the byte: its
 * time is the fleet's, its id a digest of fleet, goal and seed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/goal.h"
#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"
#include "solver/solve.h"

/* DC_ENOTFOUND for hosts or VMs that the fleet does not have. An infeasible
 * question is a plan with that status. `options` may be NULL (no progress, no
 * cancelling); seed and time limit are the goal's. */
DC_WARN_UNUSED enum dc_status answer(const struct fleet *fleet, const struct goal *goal,
                                     const struct solve_options *options, struct plan *plan_out, struct dc_error *err);

/* The same for goals that name what moves, without the explanation: conflicts offer what might help, untried
 * (planner/explain.h tries). planner/choose.h asks it for the other goals. */
DC_WARN_UNUSED enum dc_status answer_plain(const struct fleet *fleet, const struct goal *goal,
                                           const struct solve_options *options, struct plan *plan_out,
                                           struct dc_error *err);
