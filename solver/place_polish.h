/*
 * Placement's second local search, for where taking load off the one busiest
 * arc gets stuck: it lowers the sum over arcs of (busy / peak)^8, so that arcs
 * below the peak give way first.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/place_state.h"

/* Moves and swaps items while that sum falls. The peak itself may end a little higher: compare. */
void place_polish(struct place_state *state);
