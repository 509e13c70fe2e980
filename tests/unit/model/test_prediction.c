/* Predictions: quantiles over bursts, monotony, and reading between the points. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/prediction.h"

#include "random_trace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "assert_near.h"

enum { N_GRID = 12 };

static struct prediction_input input_of(const struct dirty_profile *profile, const char *policy) {
    struct prediction_input input = {
        .memory_pages = 262144,
        .profile = profile,
        .overhead = {.pre_ms = 100, .post_ms = 200, .in_flight_bytes = 1e6, .suspend_pages = 200},
    };
    assert_int_equal(stop_policy_init(&input.policy, policy, NULL), DC_OK);
    return input;
}

/* `n` bursts of constant rates 1000, 2000, ... pages/s over 30000 pages. */
static void rising_bursts(struct dirty_profile *profile, int n) {
    *profile = (struct dirty_profile){0};
    for (int i = 1; i <= n; i++) {
        const double filled_s = 30.0 / i;
        struct dirty_point points[] = {{filled_s, 30000}, {2 * filled_s, 30000}};
        const struct dirty_curve curve = {.n_points = 2, .points = points};
        assert_int_equal(dirty_profile_add(profile, i, &curve, NULL), DC_OK);
    }
}

static void test_hist_takes_quantiles_over_the_bursts(void **state) {
    (void)state;
    struct dirty_profile profile;
    rising_bursts(&profile, 5);
    const struct prediction_input input = input_of(&profile, "xen-v2");
    const double bandwidth = 50e6;
    struct prediction prediction;
    assert_int_equal(prediction_make(&input, &bandwidth, 1, 99, &prediction, NULL), DC_OK);
    double migration_ms[5];
    for (size_t i = 0; i < 5; i++) {
        const struct precopy_vm vm = {.memory_pages = input.memory_pages,
                                      .curve = &profile.bursts[i].curve,
                                      .policy = input.policy,
                                      .overhead = input.overhead};
        const struct bandwidth_step step = {0, bandwidth};
        struct precopy_result result;
        assert_int_equal(precopy_simulate(&vm, &step, 1, &result, NULL), DC_OK);
        migration_ms[i] = result.migration_s * 1000;
    }
    assert_int_equal(prediction.made_unix_ms, 99);
    assert_near(prediction.points[0].migration_ms.p50, migration_ms[2], 1e-6);
    assert_near(prediction.points[0].migration_ms.p90, migration_ms[3] + 0.6 * (migration_ms[4] - migration_ms[3]),
                1e-6);
    assert_near(prediction.points[0].migration_ms.p95, migration_ms[3] + 0.8 * (migration_ms[4] - migration_ms[3]),
                1e-6);
    assert_true(prediction.points[0].converges);
    assert_int_equal(prediction.points[0].n_rounds, 6);
    prediction_dispose(&prediction);
    prediction_dispose(&prediction);
    dirty_profile_dispose(&profile);
}

static void test_avg_is_the_mean_over_one_second(void **state) {
    (void)state;
    struct dirty_profile profile;
    rising_bursts(&profile, 5);
    struct prediction_input input = input_of(&profile, "xen-v2");
    const double bandwidth = 50e6;
    struct prediction average, constant;
    input.model = PREDICTION_AVG;
    assert_int_equal(prediction_make(&input, &bandwidth, 1, 0, &average, NULL), DC_OK);
    const struct dirty_profile rate = {.kind = DIRTY_PROFILE_RATE, .pages_per_s = 3000};
    input.profile = &rate;
    input.model = PREDICTION_HIST;
    assert_int_equal(prediction_make(&input, &bandwidth, 1, 0, &constant, NULL), DC_OK);
    assert_near(average.points[0].migration_ms.p50, constant.points[0].migration_ms.p50, 1e-6);
    assert_near(average.points[0].migration_ms.p95, average.points[0].migration_ms.p50, 0);
    prediction_dispose(&average);
    prediction_dispose(&constant);
    dirty_profile_dispose(&profile);
}

static void test_quantiles_profile_replays_both_curves(void **state) {
    (void)state;
    struct dirty_profile bursts;
    rising_bursts(&bursts, 9);
    const struct dirty_profile profile = {
        .kind = DIRTY_PROFILE_QUANTILES,
        .p50 = bursts.bursts[1].curve,
        .p95 = bursts.bursts[8].curve,
    };
    const struct prediction_input input = input_of(&profile, "qemu");
    const double bandwidths[] = {20e6, 30e6, 60e6};
    struct prediction prediction;
    assert_int_equal(prediction_make(&input, bandwidths, 3, 0, &prediction, NULL), DC_OK);
    assert_false(prediction.points[0].converges); /* 9000 pages/s at 20e6 do not */
    assert_true(prediction.points[2].converges);
    assert_true(prediction.points[2].migration_ms.p95 > prediction.points[2].migration_ms.p50);
    prediction_dispose(&prediction);
    dirty_profile_dispose(&bursts);
}

/* One burst of 30 that never converges is beyond the p95, two are not. */
static void test_convergence_is_that_of_the_p95(void **state) {
    (void)state;
    for (int n_wild = 1; n_wild <= 2; n_wild++) {
        struct dirty_profile profile = {0};
        for (int i = 0; i < 30; i++) {
            struct dirty_point points[] = {{1, i < n_wild ? 90000 : 100}, {100, i < n_wild ? 90000 : 100}};
            const struct dirty_curve curve = {.n_points = 2, .points = points};
            assert_int_equal(dirty_profile_add(&profile, 0, &curve, NULL), DC_OK);
        }
        const struct prediction_input input = input_of(&profile, "qemu");
        const double bandwidth = 50e6;
        struct prediction prediction;
        assert_int_equal(prediction_make(&input, &bandwidth, 1, 0, &prediction, NULL), DC_OK);
        assert_int_equal(prediction.points[0].converges, n_wild == 1);
        prediction_dispose(&prediction);
        dirty_profile_dispose(&profile);
    }
}

static void test_refusals(void **state) {
    (void)state;
    const struct dirty_profile none = {0};
    const struct dirty_profile rate = {.kind = DIRTY_PROFILE_RATE, .pages_per_s = 1};
    struct prediction_input input = input_of(&none, "qemu");
    const double good = 1e6, falling[] = {2, 1}, zero = 0;
    struct prediction prediction;
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(prediction_make(&input, &good, 1, 0, &prediction, &err), DC_EINVAL);
    assert_non_null(strstr(err.text, "no profile"));
    assert_null(prediction.points);
    input.profile = &rate;
    assert_int_equal(prediction_make(&input, falling, 2, 0, &prediction, NULL), DC_EINVAL);
    assert_int_equal(prediction_make(&input, &zero, 1, 0, &prediction, NULL), DC_EINVAL);
    input.memory_pages = 0;
    assert_int_equal(prediction_make(&input, &good, 1, 0, &prediction, NULL), DC_EINVAL);
    assert_null(prediction.points);
}

static void test_grid_is_geometric(void **state) {
    (void)state;
    double grid[5];
    prediction_grid(1e6, 16e6, 5, grid);
    for (size_t i = 0; i < 5; i++)
        assert_near(grid[i], 1e6 * pow(2, (double)i), 1);
    assert_near(grid[4], 16e6, 0);
    prediction_grid(1e6, 16e6, 1, grid);
    assert_near(grid[0], 1e6, 0);
}

static struct prediction_point three_points[] = {
    {1e6, {1000, 1800, 2000}, {100, 350, 400}, 900e3, 4, false},
    {2e6, {600, 1000, 1100}, {80, 250, 300}, 850e3, 4, true},
    {4e6, {400, 650, 700}, {60, 90, 100}, 800e3, 3, true},
};
static const struct prediction THREE = {.n_points = 3, .points = three_points};

static void test_at_interpolates_bytes_and_products(void **state) {
    (void)state;
    struct prediction_point point;
    assert_true(prediction_at(&THREE, 2e6, &point));
    assert_memory_equal(&point, &three_points[1], sizeof(point));
    assert_true(prediction_at(&THREE, 3e6, &point));
    assert_near(point.migration_ms.p50, (2 * 600 + 4 * 400) / 2.0 / 3, 1e-9);
    assert_near(point.downtime_ms.p90, (2 * 250 + 4 * 90) / 2.0 / 3, 1e-9);
    assert_near(point.downtime_ms.p95, (2 * 300 + 4 * 100) / 2.0 / 3, 1e-9);
    assert_near(point.bytes, 825e3, 1e-6);
    assert_true(point.converges);
    assert_true(prediction_at(&THREE, 1.5e6, &point));
    assert_false(point.converges);
    const struct prediction empty = {0};
    assert_false(prediction_at(&empty, 1e6, &point));
}

static void test_at_beyond_the_ends(void **state) {
    (void)state;
    struct prediction_point point;
    assert_true(prediction_at(&THREE, 8e6, &point));
    assert_near(point.bytes, 800e3, 0);
    assert_near(point.migration_ms.p50, 400 - 100, 1e-9); /* 800e3 bytes in 100 ms less */
    assert_near(point.downtime_ms.p50, 60, 0);
    assert_true(point.converges);
    assert_true(prediction_at(&THREE, 0.5e6, &point));
    assert_near(point.migration_ms.p50, 1000 + 900, 1e-9);
    assert_near(point.downtime_ms.p50, 200, 1e-9);
    assert_false(point.converges);
}

static void test_lowest_bandwidth(void **state) {
    (void)state;
    assert_near(prediction_lowest_bandwidth(&THREE, 0), 2e6, 0);
    assert_near(prediction_lowest_bandwidth(&THREE, 350), 2e6, 0);
    assert_near(prediction_lowest_bandwidth(&THREE, 99), 0, 0);
    assert_near(prediction_lowest_bandwidth(&THREE, 100), 4e6, 1e-3);
    const double lowest = prediction_lowest_bandwidth(&THREE, 200);
    struct prediction_point point;
    assert_true(prediction_at(&THREE, lowest, &point));
    assert_true(lowest > 2e6 && lowest < 4e6);
    assert_near(point.downtime_ms.p95, 200, 1e-6);
}

static void test_copy_is_deep(void **state) {
    (void)state;
    struct prediction copy;
    assert_int_equal(prediction_copy(&THREE, &copy, NULL), DC_OK);
    assert_ptr_not_equal(copy.points, THREE.points);
    assert_memory_equal(copy.points, THREE.points, sizeof(three_points));
    prediction_dispose(&copy);
}

static void assert_not_dearer(const struct prediction_point *point, const struct prediction_point *slower) {
    const double slack = 1 + 1e-9;
    assert_true(point->migration_ms.p50 <= slower->migration_ms.p50 * slack);
    assert_true(point->migration_ms.p95 <= slower->migration_ms.p95 * slack);
    assert_true(point->downtime_ms.p50 <= slower->downtime_ms.p50 * slack);
    assert_true(point->downtime_ms.p95 <= slower->downtime_ms.p95 * slack);
    assert_true(point->bytes <= slower->bytes * slack);
    assert_true(point->converges || !slower->converges);
    assert_true(point->migration_ms.p50 <= point->migration_ms.p90 * slack);
    assert_true(point->migration_ms.p90 <= point->migration_ms.p95 * slack);
    assert_true(point->downtime_ms.p50 <= point->downtime_ms.p90 * slack);
    assert_true(point->downtime_ms.p90 <= point->downtime_ms.p95 * slack);
}

/* On the grid, between its points and beyond: nothing grows with bandwidth. */
static void test_property_nothing_grows_with_bandwidth(void **state) {
    (void)state;
    uint64_t random = random_seed();
    for (int i = 0; i < 150; i++) {
        struct dirty_point points[RANDOM_POINTS];
        struct dirty_curve curve;
        const struct precopy_vm vm = random_vm(&random, i % 2 == 0 ? "qemu" : "xen-v2", points, &curve);
        struct dirty_profile profile = {.zero_pages = vm.zero_pages};
        for (int n = (int)random_between(&random, 1, 6); n > 0; n--) {
            random_curve(&random, vm.memory_pages, points, &curve);
            assert_int_equal(dirty_profile_add(&profile, 0, &curve, NULL), DC_OK);
        }
        const struct prediction_input input = {
            .memory_pages = vm.memory_pages, .profile = &profile, .policy = vm.policy, .overhead = vm.overhead};
        double grid[N_GRID];
        prediction_grid(random_between(&random, 1e5, 1e7), 2e9, N_GRID, grid);
        struct prediction prediction;
        assert_int_equal(prediction_make(&input, grid, N_GRID, 0, &prediction, NULL), DC_OK);
        struct prediction_point slower, point;
        assert_true(prediction_at(&prediction, 5e4, &slower));
        double bandwidth = 5e4;
        for (int step = 0; step < 60; step++) {
            bandwidth *= random_between(&random, 1, 1.5);
            assert_true(prediction_at(&prediction, bandwidth, &point));
            assert_not_dearer(&point, &slower);
            slower = point;
        }
        prediction_dispose(&prediction);
        dirty_profile_dispose(&profile);
    }
}

/* Random writes over 30000 pages, recorded as 22 points. */
static void add_random_burst(struct dirty_profile *profile, double pages_per_s) {
    struct dirty_point points[22];
    for (size_t i = 0; i < 22; i++) {
        const double window_s = 0.125 * pow(480, (double)i / 21);
        points[i] = (struct dirty_point){window_s, 30000 * (1 - exp(-pages_per_s * window_s / 30000))};
    }
    const struct dirty_curve curve = {.n_points = 22, .points = points};
    assert_int_equal(dirty_profile_add(profile, 0, &curve, NULL), DC_OK);
}

static void test_skipping_policy_says_where_from(void **state) {
    (void)state;
    struct dirty_profile profile = {0};
    struct prediction prediction, copy;
    const double bandwidth = 50e6;
    add_random_burst(&profile, 3000);
    struct prediction_input input = input_of(&profile, "xen-legacy");
    assert_int_equal(prediction_make(&input, &bandwidth, 1, 0, &prediction, NULL), DC_OK);
    assert_int_equal(prediction.redirty_basis, REDIRTY_FITTED);
    assert_int_equal(prediction_copy(&prediction, &copy, NULL), DC_OK);
    assert_int_equal(copy.redirty_basis, REDIRTY_FITTED);
    prediction_dispose(&prediction);
    prediction_dispose(&copy);

    dirty_profile_dispose(&profile);
    rising_bursts(&profile, 1); /* two points draw no classes */
    assert_int_equal(prediction_make(&input, &bandwidth, 1, 0, &prediction, NULL), DC_OK);
    assert_int_equal(prediction.redirty_basis, REDIRTY_CURVE);
    prediction_dispose(&prediction);
    input = input_of(&profile, "xen-v2");
    assert_int_equal(prediction_make(&input, &bandwidth, 1, 0, &prediction, NULL), DC_OK);
    assert_int_equal(prediction.redirty_basis, REDIRTY_NONE);
    prediction_dispose(&prediction);
    dirty_profile_dispose(&profile);
}

static void test_recorded_pages_are_replayed(void **state) {
    (void)state;
    uint64_t random = random_seed();
    struct dirty_profile profile = {0};
    const struct random_region region = {200000, 230000, 0.1};
    const double bandwidth = 50e6;
    struct prediction by_fit, by_trace, avg;
    for (int i = 1; i <= 5; i++)
        add_random_burst(&profile, 1000 * i);
    struct prediction_input input = input_of(&profile, "xen-legacy");
    assert_int_equal(prediction_make(&input, &bandwidth, 1, 0, &by_fit, NULL), DC_OK);
    struct dirty_trace trace = random_trace(&random, 0.25, 262144, 100, &region, 1);
    assert_int_equal(dirty_trace_clone(&trace, &profile.trace, NULL), DC_OK);
    assert_int_equal(prediction_make(&input, &bandwidth, 1, 0, &by_trace, NULL), DC_OK);
    assert_int_equal(by_trace.redirty_basis, REDIRTY_BITMAPS);
    /* All in the last quarter of memory: there round 1 skips more than where they are anywhere. */
    assert_true(by_trace.points[0].bytes < by_fit.points[0].bytes);
    assert_near(by_trace.points[0].migration_ms.p50, by_fit.points[0].migration_ms.p50,
                0.1 * by_fit.points[0].migration_ms.p50);
    assert_true(by_trace.points[0].downtime_ms.p95 >= by_trace.points[0].downtime_ms.p50);
    input.model = PREDICTION_AVG; /* knows of no pages */
    assert_int_equal(prediction_make(&input, &bandwidth, 1, 0, &avg, NULL), DC_OK);
    assert_int_not_equal(avg.redirty_basis, REDIRTY_BITMAPS);
    prediction_dispose(&by_fit);
    prediction_dispose(&by_trace);
    prediction_dispose(&avg);
    dirty_trace_dispose(&trace);
    dirty_profile_dispose(&profile);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hist_takes_quantiles_over_the_bursts),
        cmocka_unit_test(test_avg_is_the_mean_over_one_second),
        cmocka_unit_test(test_quantiles_profile_replays_both_curves),
        cmocka_unit_test(test_convergence_is_that_of_the_p95),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_grid_is_geometric),
        cmocka_unit_test(test_at_interpolates_bytes_and_products),
        cmocka_unit_test(test_at_beyond_the_ends),
        cmocka_unit_test(test_lowest_bandwidth),
        cmocka_unit_test(test_copy_is_deep),
        cmocka_unit_test(test_property_nothing_grows_with_bandwidth),
        cmocka_unit_test(test_skipping_policy_says_where_from),
        cmocka_unit_test(test_recorded_pages_are_replayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
