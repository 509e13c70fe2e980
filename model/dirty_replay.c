/* PEEK and CLEAN over a recorded burst. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/dirty_replay.h"

#include "base/bitmap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Beyond, a double does not count intervals one by one; no migration lasts so long. */
static const double MOST_INTERVALS = 1e15;

enum dc_status dirty_replay_init(struct dirty_replay *replay_out, const struct dirty_trace *trace, double speed,
                                 struct dc_error *err) {
    *replay_out = (struct dirty_replay){.trace = trace, .speed = speed};
    replay_out->since = calloc(trace->n_words, sizeof(replay_out->since[0]));
    return replay_out->since != NULL ? DC_OK : error_set_nomem(err);
}

void dirty_replay_dispose(struct dirty_replay *replay) {
    free(replay->since);
    *replay = (struct dirty_replay){0};
}

/* Of the bits of word `i` of interval `k`, those whose moment lies in [from, to). */
static uint64_t between(const struct dirty_replay *replay, uint64_t k, size_t i, double from, double to) {
    uint64_t bits = dirty_trace_interval(replay->trace, k)[i] & ~replay->since[i];
    uint64_t found = 0;
    while (bits != 0) {
        const unsigned bit = (unsigned)__builtin_ctzll(bits);
        const double moment = dirty_trace_moment(i * BITMAP_WORD_BITS + bit, k);
        found |= (uint64_t)(from <= moment && moment < to) << bit;
        bits &= bits - 1;
    }
    return found;
}

/* The interval under way is over. */
static void finish_interval(struct dirty_replay *replay) {
    const struct dirty_trace *trace = replay->trace;
    const uint64_t k = replay->now_interval;
    if (k == replay->clean_interval && replay->clean_frac > 0) {
        for (size_t i = 0; i < trace->n_words; i++)
            replay->since[i] |= between(replay, k, i, replay->clean_frac, 1);
    } else {
        bitmap_or(replay->since, dirty_trace_interval(trace, k), trace->n_words);
    }
    replay->now_interval++;
}

void dirty_replay_advance(struct dirty_replay *replay, double time_s) {
    const double intervals = fmin(time_s * replay->speed / replay->trace->interval_s, MOST_INTERVALS);
    const uint64_t now = (uint64_t)intervals;
    /* Once round the whole burst adds all there is. */
    const uint64_t news_end = replay->clean_interval + 1 + replay->trace->n_intervals;
    while (replay->now_interval < now && replay->now_interval < news_end)
        finish_interval(replay);
    if (replay->now_interval < now)
        replay->now_interval = now;
    replay->now_frac = intervals - (double)now;
}

uint64_t dirty_replay_peek(const struct dirty_replay *replay, size_t i) {
    const uint64_t k = replay->now_interval;
    const double from = k == replay->clean_interval ? replay->clean_frac : 0;
    return replay->since[i] | between(replay, k, i, from, replay->now_frac);
}

size_t dirty_replay_clean(struct dirty_replay *replay, uint64_t *words_out) {
    const size_t n_words = replay->trace->n_words;
    for (size_t i = 0; i < n_words; i++)
        words_out[i] = dirty_replay_peek(replay, i);
    memset(replay->since, 0, n_words * sizeof(replay->since[0]));
    replay->clean_interval = replay->now_interval;
    replay->clean_frac = replay->now_frac;
    return bitmap_count(words_out, n_words);
}
