/*
 * The live rounds of libxenguest's stream version 2 (Xen 4.6 to today), which
 * two policies share: Xen's own toolstack and XAPI's.
 *
 *   sent[1] = every guest frame; sent[i + 1] = W(duration of round i)
 *   rest = W(duration of the last live round) + suspend pages
 *
 * A batch of at most 1024 frames costs 16 bytes and 8 a frame, a page 4096
 * more. Frames without memory (holes) travel in round 1 only.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/precopy_state.h"

/* Runs them: the last live round is number `max_rounds` of the policy, or one
 * from number `first_tested` on of fewer than `target_dirty_pages`. */
void policy_xen_stream_run(struct precopy *precopy, unsigned first_tested);
