/*
 * Destinations that the question gives: do they hold at the end?
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/candidates.h"
#include "solver/solution.h"

/* Looks at the movers with fixed[mover] in the end state: memory, CPU, spread and gather. One that does not hold
 * gets fixed false, pinned true (it stays) and a conflict; the others are looked at again without it. */
DC_WARN_UNUSED enum dc_status place_given_check(const struct problem *problem, const struct candidates *candidates,
                                                bool *fixed, bool *pinned, struct solution *solution,
                                                struct dc_error *err);
