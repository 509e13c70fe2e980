/*
 * One burst recorded page by page: for each of a row of equal intervals, a
 * bitmap of the pages dirtied in it.
 *
 * In:  the bitmaps, one bit a guest frame, ascending.
 * Out: which pages are dirtied between any two moments (model/dirty_replay.h).
 *
 * The burst is replayed cyclically: after its last interval comes its first
 * again. So a migration that outlasts the burst sees the burst's pages and no
 * others.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/dirty_profile.h"

#include <stddef.h>
#include <stdint.h>

/* Bounds of what is accepted: a guest of 1 TiB, intervals of 1 ms to an hour. */
#define DIRTY_TRACE_MAX_PAGES ((size_t)1 << 28)
#define DIRTY_TRACE_MIN_INTERVAL_S 0.001
#define DIRTY_TRACE_MAX_INTERVAL_S 3600.0

struct dirty_trace {
    double interval_s;
    size_t n_pages;
    size_t n_words;     /* of one bitmap */
    size_t n_intervals; /* 0 while empty */
    uint64_t *words;    /* n_intervals * n_words, heap */
    uint64_t *ever;     /* pages dirtied in any interval: n_words, heap */
    size_t n_ever;
    struct dirty_curve curve; /* W(t) from the burst's begin */
};

/* Takes over `words` (heap, n_intervals bitmaps of bitmap_words(n_pages) each,
 * freed on failure too). DC_EINVAL for an interval or a size out of bounds, or
 * for a bit past the last page. */
DC_WARN_UNUSED enum dc_status dirty_trace_init(struct dirty_trace *trace_out, double interval_s, size_t n_pages,
                                               uint64_t *words, size_t n_intervals, struct dc_error *err);

void dirty_trace_dispose(struct dirty_trace *trace); /* idempotent */

/* The same for one on the heap, which a profile owns; sets it to NULL. */
void dirty_trace_free(struct dirty_trace **trace);

/* A deep copy on the heap; NULL on failure. */
DC_WARN_UNUSED enum dc_status dirty_trace_clone(const struct dirty_trace *trace, struct dirty_trace **clone_out,
                                                struct dc_error *err);

/* The bitmap of interval `k` since the burst's begin, past its end from the start again. */
const uint64_t *dirty_trace_interval(const struct dirty_trace *trace, uint64_t k);

/* When in interval `k` page `page` is dirtied, if it is, as a share (0..1) of the
 * interval. A bitmap does not tell: the moments are spread evenly, the same at
 * each call. */
double dirty_trace_moment(size_t page, uint64_t k);

/* How many times as fast as recorded the burst must be replayed to dirty pages as
 * `curve` does: compared at half the pages that both reach. 1 where either
 * dirties nothing. */
double dirty_trace_speed(const struct dirty_trace *trace, const struct dirty_curve *curve);
