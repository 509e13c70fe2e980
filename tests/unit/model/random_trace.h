/*
 * Random recorded bursts for the tests of what replays them: pages written at
 * random moments, some regions hotter than others.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/bitmap.h"
#include "model/dirty_trace.h"

#include "random_vm.h"

/* Pages [from, to) are each written `writes_per_s` times a second. */
struct random_region {
    size_t from, to;
    double writes_per_s;
};

/* The caller disposes it. */
static inline struct dirty_trace random_trace(uint64_t *state, double interval_s, size_t n_pages, size_t n_intervals,
                                              const struct random_region *regions, size_t n_regions) {
    const size_t n_words = bitmap_words(n_pages);
    uint64_t *words = calloc(n_words * n_intervals, sizeof(words[0]));
    struct dirty_trace trace;
    if (words == NULL)
        abort();
    for (size_t r = 0; r < n_regions; r++) {
        const double dirty_frac = -expm1(-regions[r].writes_per_s * interval_s);
        for (size_t k = 0; k < n_intervals; k++) {
            for (size_t page = regions[r].from; page < regions[r].to && page < n_pages; page++) {
                if (random_between(state, 0, 1) < dirty_frac)
                    bitmap_set(words + k * n_words, page);
            }
        }
    }
    if (dirty_trace_init(&trace, interval_s, n_pages, words, n_intervals, NULL) != DC_OK)
        abort();
    return trace;
}
