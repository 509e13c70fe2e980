/*
 * Bitmaps of pages in 64-bit words: count, union and difference at the speed
 * of memory.
 *
 * Bit `i` is bit `i % 64` of word `i / 64`, as hypervisors hand out their
 * dirty bitmaps on little-endian machines. Bits past the last page are the
 * caller's to keep clear: the kernels work on whole words.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BITMAP_WORD_BITS = 64 };

/* Words that hold `n_bits`. */
static inline size_t bitmap_words(size_t n_bits) {
    return n_bits / BITMAP_WORD_BITS + (n_bits % BITMAP_WORD_BITS != 0);
}

static inline bool bitmap_has(const uint64_t *words, size_t bit) {
    return (words[bit / BITMAP_WORD_BITS] >> (bit % BITMAP_WORD_BITS) & 1) != 0;
}

static inline void bitmap_set(uint64_t *words, size_t bit) {
    words[bit / BITMAP_WORD_BITS] |= (uint64_t)1 << (bit % BITMAP_WORD_BITS);
}

/* Sets the bits [0, n_bits) and no others of their words. */
void bitmap_fill(uint64_t *words, size_t n_bits);

/* How many bits are set in `n_words`. */
size_t bitmap_count(const uint64_t *words, size_t n_words);

/* into |= from. The two must not overlap. */
void bitmap_or(uint64_t *into, const uint64_t *from, size_t n_words);

/* out = a & ~b; returns how many bits are set in it. `out` may be `a` or `b`, but
 * must not overlap them otherwise. */
size_t bitmap_and_not(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n_words);
