/*
 * The rules of a question.
 *
 * In:  the fleet's rules, and which soft ones may be let go. Out: problem.rules for those the solver knows and that
 *      are to be kept, ban and fence folded into problem.allowed; let_go for the others; a warning for every other
 * rule.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/question.h"

/* Where a choice is open: takes from what may be booted the hosts that a max_online rule leaves no room for. */
void question_rule_limit_boots(struct question *question);

DC_WARN_UNUSED enum dc_status question_rule_build(struct question *question, struct dc_error *err);
