/* The curve W(t), its quantiles over a history, and what a profile refuses. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/dirty_profile.h"

#include "random_vm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "assert_near.h"

static struct dirty_point small_points[] = {{1, 100}, {2, 150}, {4, 170}};
static const struct dirty_curve SMALL = {.n_points = 3, .points = small_points};

static void test_curve_is_linear_between_points(void **state) {
    (void)state;
    assert_near(dirty_curve_pages(&SMALL, 0, 1e9), 0, 0);
    assert_near(dirty_curve_pages(&SMALL, 0.5, 1e9), 50, 1e-9);
    assert_near(dirty_curve_pages(&SMALL, 1, 1e9), 100, 1e-9);
    assert_near(dirty_curve_pages(&SMALL, 3, 1e9), 160, 1e-9);
    assert_near(dirty_curve_pages(&SMALL, 6, 1e9), 190, 1e-9);
    assert_near(dirty_curve_pages(&SMALL, 1e9, 500), 500, 0);
    assert_near(dirty_curve_pages(&SMALL, INFINITY, 500), 500, 0);
    const struct dirty_curve empty = {0};
    assert_near(dirty_curve_pages(&empty, 10, 500), 0, 0);
}

static void test_pages_dirtied_at_once_are_a_point_at_zero(void **state) {
    (void)state;
    struct dirty_point points[] = {{0, 50}, {1, 60}};
    const struct dirty_curve curve = {.n_points = 2, .points = points};
    assert_near(dirty_curve_pages(&curve, 0, 1e9), 0, 0);
    assert_near(dirty_curve_pages(&curve, 0.5, 1e9), 55, 1e-9);
    assert_near(dirty_curve_window_s(&curve, 20), 0, 0);
    assert_near(dirty_curve_window_s(&curve, 55), 0.5, 1e-9);
}

static void test_finely_recorded_burst_bends_before_its_first_point(void **state) {
    (void)state;
    struct dirty_point points[] = {{0.125, 55}, {0.16, 55}, {1, 60}};
    struct dirty_curve curve = {.n_points = 3, .points = points};
    assert_near(dirty_curve_pages(&curve, 0.01, 1e9), 55, 1e-9); /* touched at every tick */
    assert_near(dirty_curve_pages(&curve, 0.01, 20), 20, 0);
    assert_near(dirty_curve_pages(&curve, 0, 1e9), 0, 0);
    assert_near(dirty_curve_window_s(&curve, 54), 0, 0);
    points[1].pages = 55 * 0.16 / 0.125; /* a steady writer's: a line */
    assert_near(dirty_curve_pages(&curve, 0.01, 1e9), 4.4, 1e-9);
    assert_near(dirty_curve_window_s(&curve, 4.4), 0.01, 1e-12);
    points[1].pages = 60; /* between the two, and never below the line */
    const double pages = dirty_curve_pages(&curve, 0.01, 1e9);
    assert_near(pages, 55 * pow(0.08, log(60.0 / 55) / log(1.28)), 1e-9);
    assert_near(dirty_curve_window_s(&curve, pages), 0.01, 1e-12);
    points[1].pages = 500; /* steeper than a line is noise */
    assert_near(dirty_curve_pages(&curve, 0.01, 1e9), 4.4, 1e-9);
    points[1] = (struct dirty_point){0.5, 60}; /* too coarse to tell */
    assert_near(dirty_curve_pages(&curve, 0.01, 1e9), 4.4, 1e-9);
}

static void test_window_is_the_inverse(void **state) {
    (void)state;
    uint64_t random = random_seed();
    struct dirty_point points[RANDOM_POINTS];
    struct dirty_curve curve;
    for (int i = 0; i < 500; i++) {
        random_curve(&random, 1e6, points, &curve);
        const double window_s = random_between(&random, 0, 300);
        const double pages = dirty_curve_pages(&curve, window_s, INFINITY);
        const double inverse_s = dirty_curve_window_s(&curve, pages);
        assert_true(inverse_s <= window_s * (1 + 1e-9));
        assert_near(dirty_curve_pages(&curve, inverse_s, INFINITY), pages, 1e-6 * pages + 1e-9);
    }
}

static void test_window_of_what_is_never_reached(void **state) {
    (void)state;
    struct dirty_point points[] = {{1, 100}, {2, 100}};
    const struct dirty_curve curve = {.n_points = 2, .points = points};
    const struct dirty_curve empty = {0};
    assert_true(isinf(dirty_curve_window_s(&curve, 101)));
    assert_near(dirty_curve_window_s(&curve, 100), 1, 1e-12);
    assert_true(isinf(dirty_curve_window_s(&empty, 1)));
    assert_near(dirty_curve_window_s(&empty, 0), 0, 0);
}

static void test_curve_never_falls(void **state) {
    (void)state;
    uint64_t random = random_seed();
    struct dirty_point points[RANDOM_POINTS];
    struct dirty_curve curve;
    for (int i = 0; i < 200; i++) {
        random_curve(&random, 1e6, points, &curve);
        double window_s = 0;
        double last = 0;
        for (int step = 0; step < 60; step++) {
            window_s += random_between(&random, 0, 3);
            const double pages = dirty_curve_pages(&curve, window_s, 3e5);
            assert_true(pages >= last && pages <= 3e5);
            last = pages;
        }
    }
}

static void test_add_copies_and_raises_falling_counts(void **state) {
    (void)state;
    struct dirty_point points[] = {{1, 100}, {2, 90}, {3, 120}};
    const struct dirty_curve curve = {.n_points = 3, .points = points};
    struct dirty_profile profile = {0};
    assert_int_equal(dirty_profile_add(&profile, 42, &curve, NULL), DC_OK);
    points[0].pages = 0;
    assert_int_equal(profile.kind, DIRTY_PROFILE_CURVE);
    assert_int_equal(profile.bursts[0].at_unix_ms, 42);
    assert_near(profile.bursts[0].curve.points[0].pages, 100, 0);
    assert_near(profile.bursts[0].curve.points[1].pages, 100, 0);
    dirty_profile_dispose(&profile);
    dirty_profile_dispose(&profile);
}

static void test_add_refuses_and_names_the_point(void **state) {
    (void)state;
    const struct dirty_point bad[] = {{1, 5}, {2, NAN}, {NAN, 5}, {2, -1}, {-1, 5}, {INFINITY, 5}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct dirty_point points[] = {{1, 3}, bad[i]};
        const struct dirty_curve curve = {.n_points = 2, .points = points};
        struct dirty_profile profile = {0};
        struct dc_error err = DC_ERROR_NONE;
        assert_int_equal(dirty_profile_add(&profile, 0, &curve, &err), DC_EINVAL);
        assert_non_null(strstr(error_text(&err), "points[1]"));
        assert_int_equal(profile.n_bursts, 0);
        dirty_profile_dispose(&profile);
    }
}

/* Three bursts of constant rates 10, 20 and 60. */
static void three_bursts(struct dirty_profile *profile) {
    const double rates[] = {20, 60, 10};
    *profile = (struct dirty_profile){0};
    for (int i = 0; i < 3; i++) {
        struct dirty_point points[] = {{1 + i, rates[i] * (1 + i)}, {10, rates[i] * 10}};
        const struct dirty_curve curve = {.n_points = 2, .points = points};
        assert_int_equal(dirty_profile_add(profile, i, &curve, NULL), DC_OK);
    }
}

static void test_quantile_over_bursts(void **state) {
    (void)state;
    struct dirty_profile profile;
    three_bursts(&profile);
    struct dirty_curve curve;
    assert_int_equal(dirty_profile_quantile(&profile, 0.5, &curve, NULL), DC_OK);
    assert_int_equal(curve.n_points, 4); /* windows 1, 2, 3 and 10 */
    for (size_t i = 0; i < curve.n_points; i++)
        assert_near(curve.points[i].pages, 20 * curve.points[i].window_s, 1e-9);
    dirty_curve_dispose(&curve);
    assert_int_equal(dirty_profile_quantile(&profile, 0.95, &curve, NULL), DC_OK);
    assert_near(dirty_curve_pages(&curve, 5, INFINITY), 5 * (20 + 0.9 * 40), 1e-9);
    dirty_curve_dispose(&curve);
    assert_near(dirty_profile_average_rate(&profile, 1), 30, 1e-9);
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(dirty_profile_quantile(&profile, 1.5, &curve, &err), DC_EINVAL);
    dirty_profile_dispose(&profile);
}

/* Readers refuse a curve that falls, be it by its last bit. */
static void test_quantile_never_falls_by_rounding(void **state) {
    (void)state;
    unsigned random = 20261122;
    for (int round = 0; round < 200; round++) {
        struct dirty_profile profile = {0};
        for (int b = 0; b < 6; b++) {
            struct dirty_point points[22];
            for (int i = 0; i < 22; i++) { /* nearly the same windows in every burst, and soon no new pages */
                random = random * 1664525 + 1013904223;
                points[i] = (struct dirty_point){0.125 * (i + 1) + 1e-9 * (random >> 8), 100.1 * (b + 1) + i / 7};
            }
            const struct dirty_curve curve = {.n_points = 22, .points = points};
            assert_int_equal(dirty_profile_add(&profile, b, &curve, NULL), DC_OK);
        }
        struct dirty_curve curve;
        assert_int_equal(dirty_profile_quantile(&profile, 0.95, &curve, NULL), DC_OK);
        for (size_t i = 1; i < curve.n_points; i++)
            assert_true(curve.points[i].pages >= curve.points[i - 1].pages);
        dirty_curve_dispose(&curve);
        dirty_profile_dispose(&profile);
    }
}

static void test_trim_drops_the_oldest(void **state) {
    (void)state;
    struct dirty_profile profile;
    three_bursts(&profile);
    dirty_profile_trim(&profile, 5);
    assert_int_equal(profile.n_bursts, 3);
    dirty_profile_trim(&profile, 1);
    assert_int_equal(profile.n_bursts, 1);
    assert_int_equal(profile.bursts[0].at_unix_ms, 2);
    dirty_profile_trim(&profile, 0);
    assert_int_equal(profile.n_bursts, 0);
    dirty_profile_dispose(&profile);
}

static void test_rate_profile(void **state) {
    (void)state;
    const struct dirty_profile profile = {.kind = DIRTY_PROFILE_RATE, .pages_per_s = 100, .working_set_pages = 250};
    struct dirty_curve curve;
    assert_int_equal(dirty_profile_quantile(&profile, 0.95, &curve, NULL), DC_OK);
    assert_near(dirty_curve_pages(&curve, 2, INFINITY), 200, 1e-9);
    assert_near(dirty_curve_pages(&curve, 1e6, INFINITY), 250, 1e-9);
    dirty_curve_dispose(&curve);
    assert_near(dirty_profile_average_rate(&profile, 1), 100, 1e-9);
    assert_near(dirty_profile_average_rate(&profile, 5), 50, 1e-9);

    const struct dirty_profile boundless = {.kind = DIRTY_PROFILE_RATE, .pages_per_s = 100};
    assert_int_equal(dirty_profile_quantile(&boundless, 0.5, &curve, NULL), DC_OK);
    assert_near(dirty_curve_pages(&curve, 1000, INFINITY), 1e5, 1e-6);
    dirty_curve_dispose(&curve);
}

static void test_quantiles_profile_blends_its_curves(void **state) {
    (void)state;
    struct dirty_point low[] = {{1, 100}, {2, 200}};
    struct dirty_point high[] = {{2, 400}, {4, 600}};
    const struct dirty_profile profile = {
        .kind = DIRTY_PROFILE_QUANTILES,
        .p50 = {.n_points = 2, .points = low},
        .p95 = {.n_points = 2, .points = high},
    };
    const struct { double q_frac, at_2_s; } cases[] = {{0.1, 200}, {0.5, 200}, {0.725, 300}, {0.95, 400}, {1, 400}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dirty_curve curve;
        assert_int_equal(dirty_profile_quantile(&profile, cases[i].q_frac, &curve, NULL), DC_OK);
        assert_near(dirty_curve_pages(&curve, 2, INFINITY), cases[i].at_2_s, 1e-9);
        dirty_curve_dispose(&curve);
    }
    assert_near(dirty_profile_average_rate(&profile, 1), 100, 1e-9);
}

static void test_copy_is_deep(void **state) {
    (void)state;
    struct dirty_profile profile, copy;
    three_bursts(&profile);
    profile.zero_pages = 7;
    assert_int_equal(dirty_curve_copy(&SMALL, &profile.p50, NULL), DC_OK);
    assert_int_equal(dirty_profile_copy(&profile, &copy, NULL), DC_OK);
    assert_ptr_not_equal(copy.bursts[1].curve.points, profile.bursts[1].curve.points);
    dirty_profile_dispose(&profile);
    assert_int_equal(copy.n_bursts, 3);
    assert_near(copy.zero_pages, 7, 0);
    assert_near(copy.bursts[1].curve.points[1].pages, 600, 0);
    assert_near(copy.p50.points[2].pages, 170, 0);
    dirty_profile_dispose(&copy);
}

static void test_nothing_known_is_an_empty_curve(void **state) {
    (void)state;
    const struct dirty_profile none = {0};
    struct dirty_curve curve;
    assert_int_equal(dirty_profile_quantile(&none, 0.5, &curve, NULL), DC_OK);
    assert_int_equal(curve.n_points, 0);
    assert_near(dirty_profile_average_rate(&none, 1), 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curve_is_linear_between_points),
        cmocka_unit_test(test_pages_dirtied_at_once_are_a_point_at_zero),
        cmocka_unit_test(test_finely_recorded_burst_bends_before_its_first_point),
        cmocka_unit_test(test_window_is_the_inverse),
        cmocka_unit_test(test_window_of_what_is_never_reached),
        cmocka_unit_test(test_curve_never_falls),
        cmocka_unit_test(test_add_copies_and_raises_falling_counts),
        cmocka_unit_test(test_add_refuses_and_names_the_point),
        cmocka_unit_test(test_quantile_over_bursts),
        cmocka_unit_test(test_quantile_never_falls_by_rounding),
        cmocka_unit_test(test_trim_drops_the_oldest),
        cmocka_unit_test(test_rate_profile),
        cmocka_unit_test(test_quantiles_profile_blends_its_curves),
        cmocka_unit_test(test_copy_is_deep),
        cmocka_unit_test(test_nothing_known_is_an_empty_curve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
