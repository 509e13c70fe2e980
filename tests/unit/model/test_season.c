/* Cycles that are there are found, others are not, and the best hour is the quiet one. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/season.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <string.h>

static const int64_t HOUR_MS = 3600 * 1000;
static const int64_t MONDAY_MS = 1767571200000; /* 2026-01-05, a Monday, 00:00 UTC */

/* Pages a second at a local hour since that Monday. */
typedef double (*load_fn)(int64_t hour);

static double steady(int64_t hour) {
    (void)hour;
    return 1000;
}

static double quiet_at_night(int64_t hour) {
    return hour % 24 < 6 ? 200 : 1000;
}

static double quiet_on_sundays(int64_t hour) {
    return hour / 24 % 7 == 6 ? 100 : quiet_at_night(hour);
}

static void fill(struct dirty_profile *profile, load_fn load, int64_t n_hours, int n_an_hour, unsigned long seed) {
    gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);
    gsl_rng_set(rng, seed);
    *profile = (struct dirty_profile){.kind = DIRTY_PROFILE_NONE};
    for (int64_t hour = 0; hour < n_hours; hour++) {
        for (int i = 0; i < n_an_hour; i++) {
            const double rate = load(hour) * gsl_ran_lognormal(rng, 0, 0.2);
            struct dirty_point points[] = {{1, rate}, {8, 8 * rate}, {60, 20 * rate}};
            const struct dirty_curve curve = {.n_points = 3, .points = points};
            assert_int_equal(
                dirty_profile_add(profile, MONDAY_MS + hour * HOUR_MS + i * HOUR_MS / n_an_hour, &curve, NULL), DC_OK);
        }
    }
    gsl_rng_free(rng);
}

static struct season_cycle cycle_of(load_fn load, int64_t n_hours, int n_an_hour, unsigned long seed) {
    struct dirty_profile profile;
    struct season_cycle cycle;
    fill(&profile, load, n_hours, n_an_hour, seed);
    assert_int_equal(season_find_cycle(&profile, 0, &cycle, NULL), DC_OK);
    dirty_profile_dispose(&profile);
    return cycle;
}

static void test_finds_a_daily_cycle(void **state) {
    (void)state;
    const struct season_cycle days = cycle_of(quiet_at_night, 3 * 24, 6, 1);
    assert_true(days.is_cyclic);
    assert_int_equal(days.n_days, 3);
    assert_true(cycle_of(quiet_at_night, 24, 6, 2).is_cyclic);  /* one day, from the bursts within its hours */
    assert_false(cycle_of(quiet_at_night, 24, 1, 3).is_cyclic); /* one burst an hour of one day proves nothing */
}

/* At 1%, of 200 histories without a cycle about 2 are taken for cyclic; 9 or more have a chance below 1 in 2000. */
static void test_sees_none_where_there_is_none(void **state) {
    (void)state;
    int n_wrong = 0;
    for (unsigned long seed = 1; seed <= 200; seed++)
        n_wrong += cycle_of(steady, 2 * 24, 2, seed).is_cyclic;
    assert_true(n_wrong < 9);
    struct dirty_profile still = {.kind = DIRTY_PROFILE_NONE};
    struct dirty_point point = {1, 0};
    const struct dirty_curve curve = {.n_points = 1, .points = &point};
    for (int64_t hour = 0; hour < 72; hour++)
        assert_int_equal(dirty_profile_add(&still, MONDAY_MS + hour * HOUR_MS, &curve, NULL), DC_OK);
    struct season_cycle cycle;
    assert_int_equal(season_find_cycle(&still, 0, &cycle, NULL), DC_OK);
    assert_false(cycle.is_cyclic); /* 0 against 0 */
    dirty_profile_dispose(&still);
}

static struct prediction_input input_of(const struct dirty_profile *profile) {
    struct prediction_input input = {.memory_pages = 262144, .profile = profile};
    assert_int_equal(stop_policy_init(&input.policy, "xen-v2", NULL), DC_OK);
    return input;
}

static void test_the_best_hour_is_a_quiet_one(void **state) {
    (void)state;
    struct dirty_profile profile;
    struct season_hour hours[SEASON_HOURS];
    size_t n = 0;
    fill(&profile, quiet_at_night, 3 * 24, 6, 4);
    const struct prediction_input input = input_of(&profile);
    /* Half past noon on Thursday: the present hour comes first. */
    const struct season_clock clock = {.now_unix_ms = MONDAY_MS + (3 * 24 + 12) * HOUR_MS + HOUR_MS / 2};
    assert_int_equal(season_forecast(&input, 117e6, clock, hours, &n, NULL), DC_OK);
    assert_int_equal(n, SEASON_HOURS);
    assert_int_equal(hours[0].start_unix_ms, MONDAY_MS + (3 * 24 + 12) * HOUR_MS);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(hours[i].basis, DIRTY_BASIS_HOUR_OF_DAY);
        assert_int_equal(hours[i].n_bursts, 18);
    }
    const size_t best = season_best(hours, n, 0);
    assert_in_range(best, 12, 17); /* 00:00 to 05:00 */
    assert_true(hours[best].point.migration_ms.p95 < hours[0].point.migration_ms.p50);
    assert_int_equal(season_best(hours, n, 1e-6), n); /* no hour keeps a downtime of a nanosecond */
    /* Four hours east the same bursts were taken four hours later in the day. */
    const struct season_clock east = {.now_unix_ms = clock.now_unix_ms, .utc_offset_s = 4 * 3600 + 1800};
    assert_int_equal(season_forecast(&input, 117e6, east, hours, &n, NULL), DC_OK);
    assert_int_equal(hours[0].start_unix_ms, clock.now_unix_ms);
    dirty_profile_dispose(&profile);
}

static void test_two_weeks_show_the_day_of_the_week(void **state) {
    (void)state;
    struct dirty_profile profile;
    struct dirty_hour hours[SEASON_HOURS];
    fill(&profile, quiet_on_sundays, 21 * 24, 1, 5);
    const struct season_clock sunday = {.now_unix_ms = MONDAY_MS + (21 + 6) * 24 * HOUR_MS};
    assert_int_equal(season_curves(&profile, sunday, hours, NULL), DC_OK);
    for (size_t i = 0; i < SEASON_HOURS; i++) {
        assert_int_equal(hours[i].basis, DIRTY_BASIS_HOUR_OF_WEEK);
        assert_int_equal(hours[i].n_bursts, 3);
        assert_true(dirty_curve_pages(&hours[i].p95, 1, INFINITY) < 200);
        dirty_hour_dispose(&hours[i]);
    }
    dirty_profile_dispose(&profile);
}

static void test_without_a_cycle_all_bursts_serve(void **state) {
    (void)state;
    struct dirty_profile profile;
    struct season_hour hours[SEASON_HOURS];
    size_t n = 0;
    fill(&profile, steady, 48, 2, 6);
    const struct prediction_input input = input_of(&profile);
    const struct season_clock clock = {.now_unix_ms = MONDAY_MS + 48 * HOUR_MS};
    assert_int_equal(season_forecast(&input, 117e6, clock, hours, &n, NULL), DC_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(hours[i].basis, DIRTY_BASIS_ALL);
        assert_int_equal(hours[i].n_bursts, 96);
    }
    assert_int_equal(season_best(hours, n, 0), 0); /* now is as good as later */
    dirty_profile_dispose(&profile);
}

/* What an agent published: hours that have passed are gone. */
static void test_hours_of_an_agent(void **state) {
    (void)state;
    struct dirty_profile profile;
    struct dirty_hour hours[SEASON_HOURS];
    struct season_hour of_history[SEASON_HOURS], of_hours[SEASON_HOURS];
    size_t n = 0;
    fill(&profile, quiet_at_night, 72, 2, 7);
    const struct season_clock clock = {.now_unix_ms = MONDAY_MS + 72 * HOUR_MS};
    assert_int_equal(season_curves(&profile, clock, hours, NULL), DC_OK);
    struct prediction_input input = input_of(&profile);
    assert_int_equal(season_forecast(&input, 117e6, clock, of_history, &n, NULL), DC_OK);
    struct dirty_profile published = {.kind = DIRTY_PROFILE_QUANTILES, .n_hours = SEASON_HOURS, .hours = hours};
    input.profile = &published;
    const struct season_clock later = {.now_unix_ms = MONDAY_MS + 75 * HOUR_MS + 1};
    assert_int_equal(season_forecast(&input, 117e6, later, of_hours, &n, NULL), DC_OK);
    assert_int_equal(n, SEASON_HOURS - 3);
    assert_int_equal(of_hours[0].start_unix_ms, MONDAY_MS + 75 * HOUR_MS);
    for (size_t i = 0; i < n; i++) {
        const double direct_ms = of_history[i + 3].point.migration_ms.p50;
        assert_true(fabs(of_hours[i].point.migration_ms.p50 - direct_ms) < 0.05 * direct_ms);
    }
    const struct season_clock too_late = {.now_unix_ms = MONDAY_MS + 96 * HOUR_MS};
    assert_int_equal(season_forecast(&input, 117e6, too_late, of_hours, &n, NULL), DC_ENOTFOUND);
    for (size_t i = 0; i < SEASON_HOURS; i++)
        dirty_hour_dispose(&hours[i]);
    dirty_profile_dispose(&profile);
}

static void test_bursts_without_a_time_say_nothing(void **state) {
    (void)state;
    struct dirty_profile profile = {.kind = DIRTY_PROFILE_NONE};
    struct dirty_point point = {1, 100};
    const struct dirty_curve curve = {.n_points = 1, .points = &point};
    assert_int_equal(dirty_profile_add(&profile, 0, &curve, NULL), DC_OK);
    struct season_hour hours[SEASON_HOURS];
    size_t n = 0;
    struct dc_error err = DC_ERROR_NONE;
    const struct prediction_input input = input_of(&profile);
    assert_int_equal(season_forecast(&input, 1e6, (struct season_clock){0}, hours, &n, &err), DC_ENOTFOUND);
    assert_non_null(strstr(error_text(&err), "no burst"));
    dirty_profile_dispose(&profile);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_a_daily_cycle),
        cmocka_unit_test(test_sees_none_where_there_is_none),
        cmocka_unit_test(test_the_best_hour_is_a_quiet_one),
        cmocka_unit_test(test_two_weeks_show_the_day_of_the_week),
        cmocka_unit_test(test_without_a_cycle_all_bursts_serve),
        cmocka_unit_test(test_hours_of_an_agent),
        cmocka_unit_test(test_bursts_without_a_time_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
