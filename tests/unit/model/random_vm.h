/*
 * Random virtual machines for the property tests of the model: seeded, so
 * that a failure can be repeated with DECAMP_TEST_SEED.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/precopy.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { RANDOM_POINTS = 12 };

/* The seed of this run, printed; the environment's where it gives one. */
static inline uint64_t random_seed(void) {
    const char *given = getenv("DECAMP_TEST_SEED");
    const uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 20260718;
    (void)printf("DECAMP_TEST_SEED=%llu\n", (unsigned long long)seed);
    return seed * 2 + 1;
}

/* xorshift64*: a number in [low, high). */
static inline double random_between(uint64_t *state, double low, double high) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return low + (high - low) * (double)((*state * 2685821657736338717ULL) >> 11) / 9007199254740992.0;
}

/* A curve that never falls, with points from 0.1 s on. */
static inline void random_curve(uint64_t *state, double memory_pages, struct dirty_point *points,
                                struct dirty_curve *curve_out) {
    double window_s = 0.1;
    double pages = 0;
    double pages_per_s = random_between(state, 0, memory_pages / 20);
    for (size_t i = 0; i < RANDOM_POINTS; i++) {
        const double next_s = window_s * random_between(state, 1.1, 2.5);
        pages += pages_per_s * (next_s - (i == 0 ? 0 : window_s));
        pages_per_s *= random_between(state, 0.2, 1);
        window_s = next_s;
        points[i] = (struct dirty_point){window_s, pages};
    }
    *curve_out = (struct dirty_curve){.n_points = RANDOM_POINTS, .points = points};
}

/* `points` and `curve` back the VM's curve. */
static inline struct precopy_vm random_vm(uint64_t *state, const char *policy, struct dirty_point *points,
                                          struct dirty_curve *curve) {
    struct precopy_vm vm = {.memory_pages = floor(random_between(state, 100, 4e6)), .curve = curve};
    if (stop_policy_init(&vm.policy, policy, NULL) != DC_OK)
        abort();
    vm.zero_pages = floor(vm.memory_pages * random_between(state, 0, 0.6));
    vm.policy.gfn_count = floor(vm.memory_pages * random_between(state, 0, 3));
    vm.overhead = (struct migration_overhead){
        .pre_ms = random_between(state, 0, 300),
        .post_ms = random_between(state, 0, 300),
        .in_flight_bytes = random_between(state, 0, 4e6),
        .suspend_pages = floor(random_between(state, 0, 300)),
    };
    random_curve(state, vm.memory_pages, points, curve);
    return vm;
}
