/* From bursts to what is published: a grid in order, short curves, errors for nothing. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/predictor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char uuid[] = "11111111-1111-1111-1111-111111111111";

static struct source_vm some_vm(void) {
    struct source_vm vm = {.zero_pages = 1000};
    vm.facts.uuid = uuid;
    vm.facts.memory_bytes = 1 << 30;
    vm.facts.overhead = (struct migration_overhead){.pre_ms = 100, .post_ms = 50};
    assert_int_equal(stop_policy_init(&vm.facts.policy, "qemu", NULL), DC_OK);
    return vm;
}

/* Bursts of `n_points` windows each, none of which they share. */
static struct dirty_profile some_profile(size_t n_bursts, size_t n_points) {
    struct dirty_profile profile = {.kind = DIRTY_PROFILE_NONE};
    struct dirty_point points[256];
    for (size_t i = 0; i < n_bursts; i++) {
        for (size_t j = 0; j < n_points; j++) {
            points[j].window_s = 0.1 * pow(1.3, (double)j) * (1 + 0.01 * (double)i);
            points[j].pages = 20000 * (1 - exp(-points[j].window_s / (double)(5 + i)));
        }
        const struct dirty_curve curve = {.n_points = n_points, .points = points};
        assert_int_equal(dirty_profile_add(&profile, (int64_t)i + 1, &curve, NULL), DC_OK);
    }
    return profile;
}

static void test_makes_a_grid_and_short_curves(void **state) {
    (void)state;
    struct predictor predictor;
    predictor_init(&predictor, 5e6, 3.2e9, 20);
    assert_true(fabs(predictor.grid_bytes_per_s[0] - 5e6) < 1);
    assert_true(fabs(predictor.grid_bytes_per_s[19] - 3.2e9) < 100);
    const struct source_vm vm = some_vm();
    struct dirty_profile profile = some_profile(12, 20);
    struct msg_prediction made;
    struct dc_error err = DC_ERROR_NONE;
    if (predictor_make(&predictor, &vm, &profile, 77, (struct season_clock){.now_unix_ms = 123456}, &made, &err) !=
        DC_OK)
        fail_msg("%s", error_text(&err));
    assert_string_equal(made.vm, uuid);
    assert_int_equal(made.sample_number, 77);
    assert_int_equal(made.n_bursts, 12);
    assert_true(made.zero_pages == 1000);
    assert_int_equal(made.prediction.made_unix_ms, 123456);
    assert_int_equal(made.prediction.n_points, 20);
    for (size_t i = 0; i < 20; i++) {
        const struct prediction_point *point = &made.prediction.points[i];
        assert_true(point->migration_ms.p95 >= point->migration_ms.p50);
        assert_true(i == 0 || point->migration_ms.p50 <= point[-1].migration_ms.p50);
    }
    assert_true(made.p50.n_points <= PREDICTOR_CURVE_POINTS && made.p50.n_points > 2);
    assert_true(made.p95.n_points <= PREDICTOR_CURVE_POINTS);
    assert_true(dirty_curve_pages(&made.p95, 10, 1e9) >= dirty_curve_pages(&made.p50, 10, 1e9));
    msg_prediction_dispose(&made);
    msg_prediction_dispose(&made);
    dirty_profile_dispose(&profile);
}

static void test_without_bursts_there_is_no_prediction(void **state) {
    (void)state;
    struct predictor predictor;
    predictor_init(&predictor, 5e6, 3.2e9, 20);
    const struct source_vm vm = some_vm();
    const struct dirty_profile none = {.kind = DIRTY_PROFILE_NONE};
    struct msg_prediction made;
    assert_int_equal(predictor_make(&predictor, &vm, &none, 1, (struct season_clock){.now_unix_ms = 1}, &made, NULL),
                     DC_ENOTFOUND);
    assert_int_equal(made.prediction.n_points, 0);
}

static void test_simplifying_keeps_ends_and_shape(void **state) {
    (void)state;
    struct dirty_point points[200], before[200];
    for (size_t i = 0; i < 200; i++) {
        points[i].window_s = 0.3 * (double)(i + 1);
        points[i].pages = 50000 * (1 - exp(-points[i].window_s / 8));
    }
    memcpy(before, points, sizeof(points));
    const struct dirty_curve full = {.n_points = 200, .points = before};
    struct dirty_curve curve = {.n_points = 200, .points = points};
    predictor_simplify(&curve, PREDICTOR_CURVE_POINTS);
    assert_int_equal(curve.n_points, PREDICTOR_CURVE_POINTS);
    assert_true(curve.points[0].window_s == before[0].window_s);
    assert_true(curve.points[PREDICTOR_CURVE_POINTS - 1].window_s == before[199].window_s);
    for (double window_s = 0.3; window_s < 60; window_s += 0.17) {
        const double exact = dirty_curve_pages(&full, window_s, 1e9);
        assert_true(fabs(dirty_curve_pages(&curve, window_s, 1e9) - exact) <= 0.03 * exact);
    }
    predictor_simplify(&curve, 1);
    assert_int_equal(curve.n_points, 2);
}

/* Ten days that are quiet at night: the hours to come are told, from all bursts, the grid from the newest alone. */
static void test_tells_the_hours_of_a_daily_cycle(void **state) {
    (void)state;
    const int64_t hour_ms = 3600000, monday_ms = 1767571200000;
    struct dirty_profile profile = {.kind = DIRTY_PROFILE_NONE};
    for (int64_t i = 0; i < 480; i++) {
        const int64_t at_ms = monday_ms + i * hour_ms / 2;
        const double rate = (i / 2 % 24 < 6 ? 100 : 1000) + (double)(i % 7);
        struct dirty_point points[] = {{1, rate}, {8, 4 * rate}};
        const struct dirty_curve curve = {.n_points = 2, .points = points};
        assert_int_equal(dirty_profile_add(&profile, at_ms, &curve, NULL), DC_OK);
    }
    struct predictor predictor;
    predictor_init(&predictor, 5e6, 3.2e9, 4);
    predictor.n_bursts = 12;
    const struct source_vm vm = some_vm();
    const struct season_clock now = {.now_unix_ms = monday_ms + 240 * hour_ms};
    struct msg_prediction made;
    assert_int_equal(predictor_make(&predictor, &vm, &profile, 1, now, &made, NULL), DC_OK);
    assert_int_equal(made.n_bursts, 12);
    assert_int_equal(made.n_hours, SEASON_HOURS);
    for (size_t i = 0; i < made.n_hours; i++) {
        const double pages = dirty_curve_pages(&made.hours[i].p50, 1, 1e9);
        assert_int_equal(made.hours[i].n_bursts, 20);
        assert_true(i < 6 ? pages < 110 : pages >= 1000);
    }
    msg_prediction_dispose(&made);
    assert_null(made.hours);
    dirty_profile_dispose(&profile);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_makes_a_grid_and_short_curves),
        cmocka_unit_test(test_tells_the_hours_of_a_daily_cycle),
        cmocka_unit_test(test_without_bursts_there_is_no_prediction),
        cmocka_unit_test(test_simplifying_keeps_ends_and_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
