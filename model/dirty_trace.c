/* A recorded burst's bitmaps, what they add up to, and their speed. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/dirty_trace.h"

#include "base/bitmap.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void dirty_trace_dispose(struct dirty_trace *trace) {
    free(trace->words);
    free(trace->ever);
    dirty_curve_dispose(&trace->curve);
    *trace = (struct dirty_trace){0};
}

const uint64_t *dirty_trace_interval(const struct dirty_trace *trace, uint64_t k) {
    return trace->words + (size_t)(k % trace->n_intervals) * trace->n_words;
}

static bool is_within(double value, double low, double high) {
    return low <= value && value <= high;
}

static enum dc_status check(const struct dirty_trace *trace, struct dc_error *err) {
    if (!is_within(trace->interval_s, DIRTY_TRACE_MIN_INTERVAL_S, DIRTY_TRACE_MAX_INTERVAL_S))
        return error_set(err, DC_EINVAL, "bitmaps of %g s; expected %g to %g s", trace->interval_s,
                         DIRTY_TRACE_MIN_INTERVAL_S, DIRTY_TRACE_MAX_INTERVAL_S);
    if (trace->n_pages == 0 || trace->n_pages > DIRTY_TRACE_MAX_PAGES)
        return error_set(err, DC_EINVAL, "bitmaps of %zu pages; expected 1 to %zu", trace->n_pages,
                         DIRTY_TRACE_MAX_PAGES);
    if (trace->n_intervals == 0)
        return error_set(err, DC_EINVAL, "no bitmap; expected at least one");
    const size_t n_used = trace->n_pages % BITMAP_WORD_BITS;
    for (size_t k = 0; n_used > 0 && k < trace->n_intervals; k++) {
        const uint64_t *bitmap = dirty_trace_interval(trace, k);
        if (bitmap[trace->n_words - 1] >> n_used != 0)
            return error_set(err, DC_EINVAL, "bitmap %zu has bits past its %zu pages", k, trace->n_pages);
    }
    return DC_OK;
}

enum dc_status dirty_trace_init(struct dirty_trace *trace_out, double interval_s, size_t n_pages,
                                uint64_t *words, // NOLINT(readability-non-const-parameter): the trace's from now on
                                size_t n_intervals, struct dc_error *err) {
    *trace_out = (struct dirty_trace){
        .interval_s = interval_s,
        .n_pages = n_pages,
        .n_words = bitmap_words(n_pages),
        .n_intervals = n_intervals,
        .words = words,
    };
    enum dc_status rc = check(trace_out, err);
    if (rc != DC_OK)
        goto out;
    trace_out->ever = calloc(trace_out->n_words, sizeof(trace_out->ever[0]));
    trace_out->curve.points = calloc(n_intervals, sizeof(trace_out->curve.points[0]));
    if (trace_out->ever == NULL || trace_out->curve.points == NULL) {
        rc = error_set_nomem(err);
        goto out;
    }
    for (size_t k = 0; k < n_intervals; k++) {
        bitmap_or(trace_out->ever, dirty_trace_interval(trace_out, k), trace_out->n_words);
        trace_out->n_ever = bitmap_count(trace_out->ever, trace_out->n_words);
        trace_out->curve.points[k] = (struct dirty_point){(double)(k + 1) * interval_s, (double)trace_out->n_ever};
    }
    trace_out->curve.n_points = n_intervals;
out:
    if (rc != DC_OK)
        dirty_trace_dispose(trace_out);
    return rc;
}

void dirty_trace_free(struct dirty_trace **trace) {
    if (*trace != NULL)
        dirty_trace_dispose(*trace);
    free(*trace);
    *trace = NULL;
}

enum dc_status dirty_trace_clone(const struct dirty_trace *trace, struct dirty_trace **clone_out,
                                 struct dc_error *err) {
    const size_t n_words = trace->n_intervals * trace->n_words;
    uint64_t *words = calloc(n_words + 1, sizeof(words[0]));
    *clone_out = calloc(1, sizeof(**clone_out));
    if (words == NULL || *clone_out == NULL) {
        free(words);
        dirty_trace_free(clone_out);
        return error_set_nomem(err);
    }
    memcpy(words, trace->words, n_words * sizeof(words[0]));
    const enum dc_status rc =
        dirty_trace_init(*clone_out, trace->interval_s, trace->n_pages, words, trace->n_intervals, err);
    if (rc != DC_OK)
        dirty_trace_free(clone_out);
    return rc;
}

double dirty_trace_moment(size_t page, uint64_t k) {
    /* The finaliser of splitmix64 (Steele, Lea, Flood 2014). */
    uint64_t x = (uint64_t)page * 0x9e3779b97f4a7c15u + k * 0xd1b54a32d192ed03u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return (double)(x >> 11) / 9007199254740992.0;
}

static double last_pages(const struct dirty_curve *curve) {
    return curve->n_points > 0 ? curve->points[curve->n_points - 1].pages : 0;
}

double dirty_trace_speed(const struct dirty_trace *trace, const struct dirty_curve *curve) {
    const double pages = fmin(last_pages(&trace->curve), last_pages(curve)) / 2;
    const double window_s = dirty_curve_window_s(curve, pages);
    return window_s > 0 ? dirty_curve_window_s(&trace->curve, pages) / window_s : 1;
}
