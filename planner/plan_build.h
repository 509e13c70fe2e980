/*
 * Solution to plan document.
 *
 * In:  a question and what the solver answered (indices, seconds).
 * Out: struct plan: names, milliseconds, the bound with its terms, conflicts
 *      as sentences. The plan's id and time are the caller's to set.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/question.h"
#include "proto/plan_doc.h"
#include "solver/solution.h"

/* Everything but id. On failure `*plan_out` is empty. */
DC_WARN_UNUSED enum dc_status plan_build(const struct question *question, const struct solution *solution,
                                         struct plan *plan_out, struct dc_error *err);
