/*
 * The rules of a question.
 *
 * In:  the fleet's rules. Out: problem.rules for the hard ones the solver knows, ban and fence
 *      folded into problem.allowed; a warning for every other rule.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/question.h"

DC_WARN_UNUSED enum dc_status question_rule_build(struct question *question, struct dc_error *err);
