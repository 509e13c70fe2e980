/* Auto-converge: when it steps, by how much, and where it ends. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/qemu_throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_near.h"

/* A period of 1.1 s in which `dirtied_frac` of what was sent was dirtied. */
static void period(struct qemu_throttle *throttle, double *now_s, double dirtied_frac) {
    *now_s += 1.1;
    qemu_throttle_sync(throttle, *now_s, dirtied_frac * 1e6, 1e6);
}

static void test_off_by_default(void **state) {
    (void)state;
    const struct stop_policy policy = {.auto_converge = false};
    struct qemu_throttle throttle;
    double now_s = 0;
    qemu_throttle_init(&throttle, &policy, now_s);
    assert_true(qemu_throttle_is_settled(&throttle));
    for (int i = 0; i < 5; i++)
        period(&throttle, &now_s, 2);
    assert_near(throttle.frac, 0, 0);
}

static void test_steps_as_qemu(void **state) {
    (void)state;
    const struct stop_policy policy = {.auto_converge = true};
    struct qemu_throttle throttle;
    double now_s = 3;
    qemu_throttle_init(&throttle, &policy, now_s);
    period(&throttle, &now_s, 0.51);
    assert_near(throttle.frac, 0, 0);
    period(&throttle, &now_s, 0.51);
    assert_near(throttle.frac, 0.2, 1e-12);
    for (int i = 0; i < 2; i++)
        period(&throttle, &now_s, 0.51);
    assert_near(throttle.frac, 0.3, 1e-12);
    assert_false(qemu_throttle_is_settled(&throttle));
    for (int i = 0; i < 14; i++)
        period(&throttle, &now_s, 0.51);
    assert_near(throttle.frac, 0.99, 1e-12);
    assert_true(qemu_throttle_is_settled(&throttle));
    period(&throttle, &now_s, 5);
    period(&throttle, &now_s, 5);
    assert_near(throttle.frac, 0.99, 1e-12);
}

/* The two periods need not follow one another, and half is not too much. */
static void test_calm_periods_do_not_reset(void **state) {
    (void)state;
    const struct stop_policy policy = {.auto_converge = true};
    struct qemu_throttle throttle;
    double now_s = 0;
    qemu_throttle_init(&throttle, &policy, now_s);
    period(&throttle, &now_s, 0.6);
    period(&throttle, &now_s, 0.5);
    period(&throttle, &now_s, 0.1);
    assert_near(throttle.frac, 0, 0);
    assert_true(qemu_throttle_is_settled(&throttle));
    period(&throttle, &now_s, 0.6);
    assert_near(throttle.frac, 0.2, 1e-12);
    assert_false(qemu_throttle_is_settled(&throttle));
}

/* Syncs within one second are one period together. */
static void test_short_rounds_add_up(void **state) {
    (void)state;
    const struct stop_policy policy = {.auto_converge = true};
    struct qemu_throttle throttle;
    qemu_throttle_init(&throttle, &policy, 0);
    for (int i = 1; i <= 10; i++) /* up to 1.0 s: not more than one second */
        qemu_throttle_sync(&throttle, 0.1 * i, 1e6, 1e6);
    assert_int_equal(throttle.n_high, 0);
    qemu_throttle_sync(&throttle, 1.1, 0, 1e6); /* 10 of 11 */
    assert_int_equal(throttle.n_high, 1);
    qemu_throttle_sync(&throttle, 2.2, 0, 1e6);
    assert_int_equal(throttle.n_calm, 1);
}

static void test_knobs(void **state) {
    (void)state;
    const struct stop_policy policy = {
        .auto_converge = true,
        .throttle_trigger_frac = 0.8,
        .throttle_initial_frac = 0.5,
        .throttle_increment_frac = 0.25,
        .throttle_max_frac = 0.7,
    };
    struct qemu_throttle throttle;
    double now_s = 0;
    qemu_throttle_init(&throttle, &policy, now_s);
    for (int i = 0; i < 6; i++)
        period(&throttle, &now_s, 0.79);
    assert_near(throttle.frac, 0, 0);
    for (int i = 0; i < 2; i++)
        period(&throttle, &now_s, 0.81);
    assert_near(throttle.frac, 0.5, 1e-12);
    for (int i = 0; i < 2; i++)
        period(&throttle, &now_s, 0.81);
    assert_near(throttle.frac, 0.7, 1e-12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off_by_default),
        cmocka_unit_test(test_steps_as_qemu),
        cmocka_unit_test(test_calm_periods_do_not_reset),
        cmocka_unit_test(test_short_rounds_add_up),
        cmocka_unit_test(test_knobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
