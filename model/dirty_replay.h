/*
 * The dirty bitmap of a hypervisor, replayed from a recorded burst: what PEEK
 * and CLEAN would find at any moment of a migration.
 *
 * Time starts with 0 at the burst's begin and only moves forward. In an
 * interval that is partly over, a page is dirty once its moment has passed
 * (dirty_trace_moment()).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/dirty_trace.h"

struct dirty_replay {
    const struct dirty_trace *trace; /* lent */
    double speed;                    /* intervals of the burst pass so many times as fast as recorded */
    uint64_t *since;                 /* dirtied since the last CLEAN, in the intervals that are over; heap */
    uint64_t now_interval;           /* under way */
    double now_frac;                 /* of it over */
    uint64_t clean_interval;         /* the last CLEAN fell into it ... */
    double clean_frac;               /* ... when this much of it was over */
};

/* At time 0, right after a CLEAN. */
DC_WARN_UNUSED enum dc_status dirty_replay_init(struct dirty_replay *replay_out, const struct dirty_trace *trace,
                                                double speed, struct dc_error *err);

void dirty_replay_dispose(struct dirty_replay *replay); /* idempotent */

/* Moves on to `time_s`. */
void dirty_replay_advance(struct dirty_replay *replay, double time_s);

/* PEEK: word `i` of the bitmap at this moment. */
uint64_t dirty_replay_peek(const struct dirty_replay *replay, size_t i);

/* CLEAN: the whole bitmap into `words_out` (the trace's n_words), which then
 * starts empty. Returns the pages in it. */
size_t dirty_replay_clean(struct dirty_replay *replay, uint64_t *words_out);
