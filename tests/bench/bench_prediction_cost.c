/*
 * What predicting costs, in CPU time of one core: nanoseconds per simulation
 * of one migration by policy and situation; one VM's whole grid, as an agent
 * makes it from a day of bursts; and the grids of a whole fleet, as a planner
 * makes them from what agents published. Exits 1 where a grid costs more than twice
 * what is promised of it (machines differ).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/prediction.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    N_WINDOWS = 22,
    N_GRID = 16,
    N_DAY_BURSTS = 96, /* one every 15 minutes */
    N_SHORT_BURSTS = 8,
    N_VMS = 10000,
    N_SIMULATIONS = 20000,
    N_TRIES = 7, /* of which the fastest counts: whatever else ran on the machine was not us */
};

static const double VM_GRID_S = 1e-3;  /* promised: one VM's grid from a day of bursts */
static const double FLEET_GRIDS_S = 5; /* promised: the grids of N_VMS */
static const double TOLERANCE = 2;
static const double MEMORY_PAGES = 2097152; /* 8 GiB */
static const double WORKING_SET_PAGES = 200000;

static bool is_slow;

static double cpu_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void must(enum dc_status rc, const struct dc_error *err) {
    if (rc == DC_OK)
        return;
    (void)fprintf(stderr, "%s\n", error_text(err));
    exit(1);
}

/* Prints what was measured beside what is promised. */
static void judge(const char *what, double measured_s, double promised_s) {
    const bool missed = measured_s > TOLERANCE * promised_s;
    (void)printf("%-66s %10.3f ms, promised %g ms%s\n", what, 1e3 * measured_s, 1e3 * promised_s,
                 missed ? ": TOO SLOW" : "");
    is_slow = is_slow || missed;
}

/* --- what is predicted from --- */

/* Random writes over a working set, seen through 22 windows. */
static struct dirty_curve curve_in(struct dirty_point points[N_WINDOWS], double pages_per_s) {
    for (size_t i = 0; i < N_WINDOWS; i++) {
        points[i].window_s = 0.125 * pow(60 / 0.125, (double)i / (N_WINDOWS - 1));
        points[i].pages = WORKING_SET_PAGES * (1 - exp(-pages_per_s * points[i].window_s / WORKING_SET_PAGES));
    }
    return (struct dirty_curve){.n_points = N_WINDOWS, .points = points};
}

/* `n` bursts of 0.5 to 1.5 times `pages_per_s`. */
static struct dirty_profile history_of(size_t n, double pages_per_s) {
    struct dirty_profile profile = {.kind = DIRTY_PROFILE_NONE};
    struct dc_error err = DC_ERROR_NONE;
    for (size_t i = 0; i < n; i++) {
        struct dirty_point points[N_WINDOWS];
        const struct dirty_curve curve = curve_in(points, pages_per_s * (0.5 + (double)(i * 37 % n) / (double)n));
        must(dirty_profile_add(&profile, 0, &curve, &err), &err);
    }
    return profile;
}

/* The same as published: two curves. */
static struct dirty_profile published_of(double pages_per_s) {
    struct dirty_profile profile = {.kind = DIRTY_PROFILE_QUANTILES};
    struct dirty_point points[N_WINDOWS];
    struct dc_error err = DC_ERROR_NONE;
    const struct dirty_curve p50 = curve_in(points, pages_per_s);
    must(dirty_curve_copy(&p50, &profile.p50, &err), &err);
    const struct dirty_curve p95 = curve_in(points, 1.5 * pages_per_s);
    must(dirty_curve_copy(&p95, &profile.p95, &err), &err);
    return profile;
}

/* A guest of 8 GiB. */
static struct prediction_input input_of(const struct dirty_profile *profile, const char *policy) {
    struct prediction_input input = {
        .memory_pages = MEMORY_PAGES,
        .profile = profile,
        .overhead = {.pre_ms = 100, .post_ms = 100, .in_flight_bytes = 1e6, .suspend_pages = 200},
    };
    struct dc_error err = DC_ERROR_NONE;
    must(stop_policy_init(&input.policy, policy, &err), &err);
    return input;
}

/* --- one simulation --- */

static void time_simulation(const char *policy, double pages_per_s, double bytes_per_s) {
    struct dirty_profile profile = history_of(1, 2 * pages_per_s);
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
    const double from_s = cpu_s();
    for (int i = 0; i < N_SIMULATIONS; i++)
        must(precopy_simulate(&vm, &step, 1, &result, &err), &err);
    (void)printf("%-7s %6.0f pages/s at %4.0f MB/s: %6.0f ns a simulation (%u rounds, %.1f s, %s)\n", policy,
                 pages_per_s, bytes_per_s / 1e6, 1e9 * (cpu_s() - from_s) / N_SIMULATIONS, result.n_rounds,
                 result.migration_s, result.converges ? "converges" : "does not converge");
    dirty_profile_dispose(&profile);
}

/* --- grids --- */

/* CPU seconds of one grid; the prediction's own figures keep the compiler honest. */
static double grid_s(const struct prediction_input *input, unsigned *n_rounds_out) {
    double grid[N_GRID];
    prediction_grid(10e6, 1250e6, N_GRID, grid);
    double best_s = INFINITY;
    for (int i = 0; i < N_TRIES; i++) {
        struct prediction prediction;
        struct dc_error err = DC_ERROR_NONE;
        const double from_s = cpu_s();
        must(prediction_make(input, grid, N_GRID, 0, &prediction, &err), &err);
        best_s = fmin(best_s, cpu_s() - from_s);
        *n_rounds_out = prediction.points[0].n_rounds;
        prediction_dispose(&prediction);
    }
    return best_s;
}

static double time_grid(const char *policy, double pages_per_s, double promised_s) {
    char what[128];
    unsigned n_rounds = 0;
    struct dirty_profile profile = history_of(N_DAY_BURSTS, pages_per_s);
    const struct prediction_input input = input_of(&profile, policy);
    const double measured_s = grid_s(&input, &n_rounds);
    (void)snprintf(what, sizeof(what), "%s, %g pages/s (%u rounds at 10 MB/s): %d bandwidths x %d bursts", policy,
                   pages_per_s, n_rounds, N_GRID, N_DAY_BURSTS);
    if (promised_s > 0)
        judge(what, measured_s, promised_s);
    else
        (void)printf("%-66s %10.3f ms\n", what, 1e3 * measured_s);
    dirty_profile_dispose(&profile);
    return measured_s;
}

/* A fleet of VMs from idle to far too busy, every other on QEMU. */
static void time_fleet(const char *what, bool published) {
    double grid[N_GRID];
    prediction_grid(10e6, 1250e6, N_GRID, grid);
    double measured_s = 0;
    for (int i = 0; i < N_VMS; i++) {
        const double pages_per_s = 10 * pow(4000, (double)(i % 100) / 99); /* 10 to 40,000 */
        struct dirty_profile profile = published ? published_of(pages_per_s) : history_of(N_SHORT_BURSTS, pages_per_s);
        const struct prediction_input input = input_of(&profile, i % 2 == 0 ? "xen-v2" : "qemu");
        struct prediction prediction;
        struct dc_error err = DC_ERROR_NONE;
        const double from_s = cpu_s();
        must(prediction_make(&input, grid, N_GRID, 0, &prediction, &err), &err);
        measured_s += cpu_s() - from_s;
        prediction_dispose(&prediction);
        dirty_profile_dispose(&profile);
    }
    judge(what, measured_s, FLEET_GRIDS_S);
}

int main(void) {
    const double rates[] = {1000, 20000, 28000, 40000};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        time_simulation("xen-v2", rates[i], 117e6);
        time_simulation("qemu", rates[i], 117e6);
    }
    (void)printf("\none VM's grid, p50, p90 and p95:\n");
    (void)time_grid("xen-v2", 10000, VM_GRID_S);
    (void)time_grid("xapi", 10000, VM_GRID_S);
    (void)time_grid("qemu", 1000, VM_GRID_S);
    (void)time_grid("qemu", 10000, 0);
    (void)time_grid("xen-legacy", 10000, 0);
    (void)printf("\nthe grids of 10,000 VMs, %d bandwidths each:\n", N_GRID);
    time_fleet("from the p50 and p95 curves that agents published", true);
    time_fleet("from 8 bursts each", false);
    return is_slow ? 1 : 0;
}
