/*
 * Admission inside the decoder: which waiting movers start now. Slots, memory
 * on both hosts, rules that bind in time, and a share of the bandwidth.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/decode_state.h"

/* Starts, in order, every waiting mover that can start now; sets the
 * decoder's `wake_s` to when one more could, if nothing else happens before. */
void admit_waiting(struct decoder *decoder);

/* The rule that keeps the mover from starting, as things stand; PROBLEM_ANY: none. */
long admit_rule_against(const struct decoder *decoder, size_t mover);

/* Whether its destination has room for it, as things stand. */
bool admit_memory_fits(const struct decoder *decoder, size_t mover);
