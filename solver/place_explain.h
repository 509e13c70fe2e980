/*
 * Why a VM cannot be placed, as conflicts that name the real reason.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/place_state.h"
#include "solver/solution.h"

/* Has `solution` a conflict of this VM already? */
bool place_explain_is_known(const struct solution *solution, size_t vm);

/* A mover without candidates: banned by a rule, no host receives, no path, or
 * paths too narrow. Adds nothing where no bandwidth at all would do (the precheck's conflict). */
DC_WARN_UNUSED enum dc_status place_explain_no_candidate(const struct problem *problem, size_t vm,
                                                         struct solution *solution, struct dc_error *err);

/* Items of the final state that found no room: one conflict a VM, and one for
 * all together where the memory of all allowed hosts does not do. */
DC_WARN_UNUSED enum dc_status place_explain_unplaced(const struct place_state *state, struct solution *solution,
                                                     struct dc_error *err);
