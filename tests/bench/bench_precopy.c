/*
 * How long predicting takes: nanoseconds per simulation of one migration, by
 * policy and situation, and per prediction of an agent (20 bandwidths over a
 * history of 300 bursts).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/prediction.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { N_WINDOWS = 22, N_GRID = 20, N_BURSTS = 300, N_REPEATS = 20000 };

static double now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static void must(enum dc_status rc, const struct dc_error *err) {
    if (rc == DC_OK)
        return;
    (void)fprintf(stderr, "%s\n", error_text(err));
    exit(1);
}

/* Random writes over a working set, seen through 22 windows. */
static void add_burst(struct dirty_profile *profile, double pages_per_s, double working_set_pages) {
    struct dirty_point points[N_WINDOWS];
    for (size_t i = 0; i < N_WINDOWS; i++) {
        points[i].window_s = 0.125 * pow(60 / 0.125, (double)i / (N_WINDOWS - 1));
        points[i].pages = working_set_pages * (1 - exp(-pages_per_s * points[i].window_s / working_set_pages));
    }
    const struct dirty_curve curve = {.n_points = N_WINDOWS, .points = points};
    struct dc_error err = DC_ERROR_NONE;
    must(dirty_profile_add(profile, 0, &curve, &err), &err);
}

/* A guest of 8 GiB. */
static struct prediction_input input_of(const struct dirty_profile *profile, const char *policy) {
    struct prediction_input input = {
        .memory_pages = 2097152,
        .profile = profile,
        .overhead = {.pre_ms = 100, .post_ms = 100, .in_flight_bytes = 1e6, .suspend_pages = 200},
    };
    struct dc_error err = DC_ERROR_NONE;
    must(stop_policy_init(&input.policy, policy, &err), &err);
    return input;
}

static void time_simulation(const char *policy, double pages_per_s, double bytes_per_s) {
    struct dirty_profile profile = {0};
    add_burst(&profile, pages_per_s, 200000);
    const struct prediction_input input = input_of(&profile, policy);
    const struct precopy_vm vm = {
        .memory_pages = input.memory_pages,
        .curve = &profile.bursts[0].curve,
        .policy = input.policy,
        .overhead = input.overhead,
    };
    const struct bandwidth_step step = {.bytes_per_s = bytes_per_s};
    struct precopy_result result;
    struct dc_error err = DC_ERROR_NONE;
    const double from_ns = now_ns();
    for (int i = 0; i < N_REPEATS; i++)
        must(precopy_simulate(&vm, &step, 1, &result, &err), &err);
    (void)printf("precopy_simulate %-7s %6.0f pages/s at %4.0f MB/s: %8.0f ns (%u rounds, %.1f s, %s)\n", policy,
                 pages_per_s, bytes_per_s / 1e6, (now_ns() - from_ns) / N_REPEATS, result.n_rounds, result.migration_s,
                 result.converges ? "converges" : "does not converge");
    dirty_profile_dispose(&profile);
}

static void time_prediction(const char *policy) {
    struct dirty_profile profile = {0};
    for (int i = 0; i < N_BURSTS; i++)
        add_burst(&profile, 100 * (1 + i), 200000);
    const struct prediction_input input = input_of(&profile, policy);
    double grid[N_GRID];
    prediction_grid(10e6, 1250e6, N_GRID, grid);
    struct prediction prediction;
    struct dc_error err = DC_ERROR_NONE;
    const double from_ns = now_ns();
    must(prediction_make(&input, grid, N_GRID, 0, &prediction, &err), &err);
    (void)printf("prediction_make  %-7s %d bandwidths x %d bursts: %.0f ns\n", policy, N_GRID, N_BURSTS,
                 now_ns() - from_ns);
    prediction_dispose(&prediction);
    dirty_profile_dispose(&profile);
}

int main(void) {
    const double rates[] = {1000, 20000, 28000, 40000};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        time_simulation("xen-v2", rates[i], 117e6);
        time_simulation("qemu", rates[i], 117e6);
    }
    time_prediction("xen-v2");
    time_prediction("qemu");
    return 0;
}
