/*
 * Placement without a solver: largest first, then repair of what found no
 * room, then moves and swaps off the busiest arc.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/place_state.h"
#include "solver/placement_lp.h"

/* Places as many items of an empty state as it can. Several passes; the best
 * is kept: most memory placed, then the least busy arc. */
DC_WARN_UNUSED enum dc_status place_greedy(struct place_state *state, uint64_t seed, struct dc_error *err);

/* Places again, this time filling classes of hosts as the rack LP shares the
 * volume out; keeps what the state holds where that is no better. */
DC_WARN_UNUSED enum dc_status place_greedy_guided(struct place_state *state, const struct placement_lp *lp,
                                                  struct dc_error *err);

/* Moves and swaps items while the busiest arc gets less busy. */
DC_WARN_UNUSED enum dc_status place_greedy_improve(struct place_state *state, struct dc_error *err);
