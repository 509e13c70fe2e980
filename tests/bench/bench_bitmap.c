/*
 * The bitmap kernels beside plain memory: GB/s of each, and its ratio to a
 * plain loop that touches memory the same way (a sum for counting, a copy for
 * the kernels that write). Exits 1 where a kernel reaches less than 80% of it
 * out of the caches.
 *
 * Every byte read or written counts once. Of several interleaved passes the
 * best one counts: whatever else the machine does only ever slows them down.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/bitmap.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double LEAST_RATIO = 0.8;

enum { N_PASSES = 15, OUT_OF_CACHE_BYTES = 128 << 20, A_PASS_BYTES = 64 << 20 };

struct buffers {
    uint64_t *a, *b, *out;
    size_t n_words;
};

static volatile uint64_t sink; /* what is computed is used */

static void read_sum(const struct buffers *x) {
    uint64_t sum[4] = {0};
    for (size_t i = 0; i + 4 <= x->n_words; i += 4) {
        for (size_t j = 0; j < 4; j++)
            sum[j] += x->a[i + j];
    }
    sink = sum[0] + sum[1] + sum[2] + sum[3];
}

static void copy(const struct buffers *x) {
    memcpy(x->out, x->a, x->n_words * sizeof(x->a[0]));
    sink = x->out[x->n_words / 2];
}

static void count(const struct buffers *x) {
    sink = bitmap_count(x->a, x->n_words);
}

static void unite(const struct buffers *x) {
    bitmap_or(x->out, x->a, x->n_words);
    sink = x->out[x->n_words / 2];
}

static void and_not(const struct buffers *x) {
    sink = bitmap_and_not(x->out, x->a, x->b, x->n_words);
}

struct kernel {
    const char *name;
    void (*run)(const struct buffers *buffers);
    double streams; /* arrays that it reads and writes */
    size_t beside;  /* the row it is compared with; its own for none */
};

enum { READ_SUM, COPY, COUNT, UNITE, AND_NOT, N_KERNELS };

static const struct kernel kernels[N_KERNELS] = {
    [READ_SUM] = {"read and sum", read_sum, 1, READ_SUM}, [COPY] = {"memcpy", copy, 2, COPY},
    [COUNT] = {"bitmap_count", count, 1, READ_SUM},       [UNITE] = {"bitmap_or", unite, 3, COPY},
    [AND_NOT] = {"bitmap_and_not", and_not, 3, COPY},
};

static double now_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint64_t *words_new(size_t n_words, uint64_t seed) {
    uint64_t *words = calloc(n_words, sizeof(words[0]));
    if (words == NULL) {
        (void)fprintf(stderr, "out of memory\n");
        exit(2);
    }
    for (size_t i = 0; i < n_words; i++)
        words[i] = (i + seed) * 0x9e3779b97f4a7c15u;
    return words;
}

/* Prints all rows of one size; true when all kernels are fast enough. */
static bool measure(size_t n_bytes, bool judged) {
    const size_t n_words = n_bytes / sizeof(uint64_t);
    struct buffers x = {words_new(n_words, 1), words_new(n_words, 7), words_new(n_words, 0), n_words};
    const size_t n_repeats = n_bytes < A_PASS_BYTES ? A_PASS_BYTES / n_bytes : 1;
    double best_s[N_KERNELS];
    for (size_t k = 0; k < N_KERNELS; k++)
        best_s[k] = INFINITY;
    for (size_t pass = 0; pass < N_PASSES; pass++) {
        for (size_t k = 0; k < N_KERNELS; k++) {
            const double from_s = now_s();
            for (size_t i = 0; i < n_repeats; i++)
                kernels[k].run(&x);
            best_s[k] = fmin(best_s[k], (now_s() - from_s) / (double)n_repeats);
        }
    }
    bool good = true;
    for (size_t k = 0; k < N_KERNELS; k++) {
        const double speed = kernels[k].streams * (double)n_bytes / best_s[k];
        const size_t beside = kernels[k].beside;
        const double ratio = speed / (kernels[beside].streams * (double)n_bytes / best_s[beside]);
        const bool slow = judged && ratio < LEAST_RATIO;
        good = good && !slow;
        (void)printf("%7zu KiB  %-15s %7.1f GB/s", n_bytes >> 10, kernels[k].name, speed / 1e9);
        if (beside != k)
            (void)printf("  %4.2f of %s%s", ratio, kernels[beside].name, slow ? "  MISSED" : "");
        (void)printf("\n");
    }
    free(x.a);
    free(x.b);
    free(x.out);
    return good;
}

int main(void) {
    (void)measure(32 << 10, false);
    (void)measure(1 << 20, false);
    const bool good = measure(OUT_OF_CACHE_BYTES, true);
    (void)printf("%s: at least %.0f%% of plain memory out of the caches\n", good ? "holds" : "MISSED",
                 100 * LEAST_RATIO);
    return good ? 0 : 1;
}
