/*
 * Bandwidth shares inside the decoder: what each mover gets now, and what one
 * that starts now would get once its setup is over.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/decode_state.h"

/* Enters a mover that has just started into its arcs' lists, or takes it out. */
void share_enter(struct decoder *decoder, size_t mover);
void share_leave(struct decoder *decoder, size_t mover);

/* Divides every arc anew: floors first, then by priority (stop-and-copy before
 * all, then the order), each up to its best. Movers whose rate changes get
 * their progress booked and their next event moved. */
void share_fill(struct decoder *decoder);

/* Whether a mover could start now: its floor will be there at its first page,
 * and its threshold is met (`any_share`: floor alone). Migrations that will be gone
 * by then are pinned where that makes room: share_unpin() takes that back.
 * Where it could not, what holds it up is noted in the mover and watched. */
bool share_offers(struct decoder *decoder, size_t mover, bool any_share);

/* For a mover held up by an arc: the first in line answers for waking the
 * decoder when the next migration on the arc is about to be gone. */
void share_watch(struct decoder *decoder, size_t mover);

/* Whether the arc that held it up is known, from this scan, to have too little
 * still. Cheap; false means nothing. */
bool share_lacks(struct decoder *decoder, size_t mover);

/* Takes back the pins of the last share_offers(), or lets them stand. */
void share_unpin(struct decoder *decoder);
void share_keep_pins(struct decoder *decoder);
