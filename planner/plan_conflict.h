/*
 * What makes an answer impossible, in words: one object of the plan's
 * "conflicts" per conflict of the solver.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/question.h"
#include "solver/solution.h"

/* {"what": sentence with VM, host, limit and how much is lacking, "needs": {...},
 * "relax": [{"change", "to"}]}; a new reference, NULL when out of memory. */
json_t *plan_conflict_json(const struct question *question, const struct solution_conflict *conflict);
