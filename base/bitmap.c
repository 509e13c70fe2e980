/*
 * Kernels over bitmaps, fast enough to wait for memory.
 *
 * Counting follows Harley and Seal (Warren, Hacker's Delight, 2nd ed., 5-1):
 * a tree of carry-save adders sums 16 vectors bit by bit, so that the bits of
 * a vector need to be counted only once in 16. The vectors are the compiler's
 * (GCC's vector extension): SSE2 on any x86-64, AVX2 where the machine has it,
 * NEON on ARM. Blocks are prefetched: the arithmetic between two loads leaves
 * too few of them in flight to keep memory busy.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/bitmap.h"

#include <string.h>

/* Vectors are passed between functions that are always inlined, so how a machine would pass them does not matter. */
#pragma GCC diagnostic ignored "-Wpsabi"
#define INLINED static inline __attribute__((always_inline))

enum {
    LANES = 4,
    BLOCK = 16,
    BLOCK_WORDS = BLOCK * LANES,
    AHEAD_BLOCKS = 2,
    AHEAD = AHEAD_BLOCKS * BLOCK,
    LINE_LANES = 2
};

typedef uint64_t lanes __attribute__((vector_size(LANES * 8), aligned(8), may_alias));

/* Counts of bits by their place: a set bit of `eights` stands for 8 set bits. */
struct tally {
    lanes ones, twos, fours, eights;
    lanes sixteens; /* their number, by lane */
};

/* Full adder, bit by bit: low + a + b = low' + 2 * the result. */
INLINED lanes add_bits(lanes *low, lanes a, lanes b) {
    const lanes half = *low ^ a;
    const lanes high = (*low & a) | (half & b);
    *low = half ^ b;
    return high;
}

/* The number of bits set in each lane. */
INLINED lanes count_lanes(lanes x) {
    x -= x >> 1 & 0x5555555555555555;
    x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
    x += x >> 8;
    x += x >> 16;
    x += x >> 32;
    return x & 0xff;
}

INLINED lanes add_four(struct tally *tally, const lanes *x) {
    const lanes first = add_bits(&tally->ones, x[0], x[1]);
    const lanes second = add_bits(&tally->ones, x[2], x[3]);
    return add_bits(&tally->twos, first, second);
}

INLINED void add_block(struct tally *tally, const lanes x[BLOCK]) {
    lanes first = add_four(tally, x);
    lanes second = add_four(tally, x + 4);
    const lanes low_eights = add_bits(&tally->fours, first, second);
    first = add_four(tally, x + 8);
    second = add_four(tally, x + 12);
    const lanes high_eights = add_bits(&tally->fours, first, second);
    tally->sixteens += count_lanes(add_bits(&tally->eights, low_eights, high_eights));
}

INLINED size_t total(const struct tally *tally) {
    const lanes sum = 16 * tally->sixteens + 8 * count_lanes(tally->eights) + 4 * count_lanes(tally->fours) +
                      2 * count_lanes(tally->twos) + count_lanes(tally->ones);
    return sum[0] + sum[1] + sum[2] + sum[3];
}

INLINED size_t count_word(uint64_t word) {
    return (size_t)__builtin_popcountll(word);
}

/* Fetches `block`, which is read or written soon. */
INLINED void fetch(const lanes *block, bool to_write) {
    for (size_t i = 0; i < BLOCK; i += LINE_LANES) {
        if (to_write)
            __builtin_prefetch(block + i, 1);
        else
            __builtin_prefetch(block + i, 0);
    }
}

INLINED size_t count(const uint64_t *words, size_t n_words) {
    const size_t n_blocks = n_words / BLOCK_WORDS;
    const lanes *block = (const lanes *)words;
    struct tally tally = {0};
    for (size_t i = 0; i < n_blocks; i++, block += BLOCK) {
        if (i + AHEAD_BLOCKS < n_blocks)
            fetch(block + AHEAD, false);
        add_block(&tally, block);
    }
    size_t n = total(&tally);
    for (size_t i = n_blocks * BLOCK_WORDS; i < n_words; i++)
        n += count_word(words[i]);
    return n;
}

INLINED void unite(uint64_t *into, const uint64_t *from, size_t n_words) {
    const size_t n_lanes = n_words / LANES;
    for (size_t i = 0; i < n_lanes; i++)
        ((lanes *)into)[i] |= ((const lanes *)from)[i];
    for (size_t i = n_lanes * LANES; i < n_words; i++)
        into[i] |= from[i];
}

INLINED size_t and_not(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n_words) {
    const size_t n_blocks = n_words / BLOCK_WORDS;
    struct tally tally = {0};
    for (size_t i = 0; i < n_blocks; i++) {
        const lanes *from_a = (const lanes *)a + i * BLOCK;
        const lanes *from_b = (const lanes *)b + i * BLOCK;
        lanes *to = (lanes *)out + i * BLOCK;
        lanes block[BLOCK];
        if (i + AHEAD_BLOCKS < n_blocks) {
            fetch(from_a + AHEAD, false);
            fetch(from_b + AHEAD, false);
            fetch(to + AHEAD, true);
        }
        for (size_t j = 0; j < BLOCK; j++) {
            block[j] = from_a[j] & ~from_b[j];
            to[j] = block[j];
        }
        add_block(&tally, block);
    }
    size_t n = total(&tally);
    for (size_t i = n_blocks * BLOCK_WORDS; i < n_words; i++) {
        out[i] = a[i] & ~b[i];
        n += count_word(out[i]);
    }
    return n;
}

#ifdef __x86_64__

/* The same, compiled for machines that have AVX2. */
#define WITH_AVX2 __attribute__((target("avx2")))

WITH_AVX2 static size_t count_avx2(const uint64_t *words, size_t n_words) {
    return count(words, n_words);
}

WITH_AVX2 static void unite_avx2(uint64_t *into, const uint64_t *from, size_t n_words) {
    unite(into, from, n_words);
}

WITH_AVX2 static size_t and_not_avx2(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n_words) {
    return and_not(out, a, b, n_words);
}

static bool has_avx2(void) {
    return __builtin_cpu_supports("avx2") != 0;
}

#else

#define count_avx2 count
#define unite_avx2 unite
#define and_not_avx2 and_not

static bool has_avx2(void) {
    return false;
}

#endif

size_t bitmap_count(const uint64_t *words, size_t n_words) {
    return has_avx2() ? count_avx2(words, n_words) : count(words, n_words);
}

void bitmap_or(uint64_t *into, const uint64_t *from, size_t n_words) {
    if (has_avx2())
        unite_avx2(into, from, n_words);
    else
        unite(into, from, n_words);
}

size_t bitmap_and_not(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n_words) {
    return has_avx2() ? and_not_avx2(out, a, b, n_words) : and_not(out, a, b, n_words);
}

void bitmap_fill(uint64_t *words, size_t n_bits) {
    const size_t n_full = n_bits / BITMAP_WORD_BITS;
    memset(words, 0xff, n_full * sizeof(words[0]));
    if (n_bits % BITMAP_WORD_BITS != 0)
        words[n_full] = ((uint64_t)1 << (n_bits % BITMAP_WORD_BITS)) - 1;
}
