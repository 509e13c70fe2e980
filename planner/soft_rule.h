/*
 * Soft rules: kept wherever hard rules, budgets and the number of VMs that move
 * allow it; those that are not are named in the plan.
 *
 * In:  a question's answer with every soft rule kept. Out: the rules to let go, and what the plan then breaks.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/question.h"
#include "solver/solve.h"

struct soft_rule_set {
    size_t n;
    size_t *rules; /* numbers of the fleet's rules, ascending */
};
void soft_rule_set_dispose(struct soft_rule_set *set);

/* The fewest soft rules to let go so that as many VMs move as with none of them: of few rules by trying all sets, of
 * many one after the other. Empty where letting all go would move no more than the `n_moved` that move with all kept.
 * Each try is a quick answer; past `end_s` (monotonic clock) what is not decided yet is let go. */
DC_WARN_UNUSED enum dc_status soft_rule_choose(const struct fleet *fleet, const struct goal *goal,
                                               const struct solve_options *options, size_t n_moved, double end_s,
                                               struct soft_rule_set *set_out, struct dc_error *err);

/* Which of the question's rules that were let go the solution breaks: [{"rule", "type", "what"}], a new reference. */
DC_WARN_UNUSED enum dc_status soft_rule_broken(const struct question *question, const struct solution *solution,
                                               json_t **broken_out, struct dc_error *err);

/* How many VMs reach their destinations. */
size_t soft_rule_n_moved(const struct solution *solution);
