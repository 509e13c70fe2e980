/*
 * Answers to the goals that leave open which VMs move. Each chooses, asks the
 * plain questions that the choice comes down to, and puts the answers together (planner/stage.h).
 *
 * In:  fleet and goal. Out: the plan without its id.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/stage.h"

/* For any goal of goal_is_choice(). Fails as answer() does. */
DC_WARN_UNUSED enum dc_status choose(const struct fleet *fleet, const struct goal *goal,
                                     const struct solve_options *options, struct plan *plan_out, struct dc_error *err);

/* Each goal's own, given a staging that is new. */
DC_WARN_UNUSED enum dc_status choose_consolidate(struct staging *staging, struct dc_error *err);
DC_WARN_UNUSED enum dc_status choose_rebalance(struct staging *staging, struct dc_error *err);
DC_WARN_UNUSED enum dc_status choose_rolling(struct staging *staging, struct dc_error *err);
