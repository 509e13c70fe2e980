/*
 * QEMU's policy beyond plain pre-copy: throttling, post-copy, and the early
 * verdict against the rounds themselves. (Plain rounds: test_precopy.c.)
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/precopy.h"

#include "random_vm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "assert_near.h"

static const double PAGE = 4104;

static struct precopy_result run(const struct precopy_vm *vm, double bytes_per_s) {
    const struct bandwidth_step step = {.bytes_per_s = bytes_per_s};
    struct precopy_result result;
    struct dc_error err = DC_ERROR_NONE;
    if (precopy_simulate(vm, &step, 1, &result, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    return result;
}

static struct precopy_vm qemu_vm(double memory_pages, const struct dirty_curve *curve) {
    struct precopy_vm vm = {.memory_pages = memory_pages, .curve = curve};
    assert_int_equal(stop_policy_init(&vm.policy, "qemu", NULL), DC_OK);
    return vm;
}

/* 2000 pages/s, each page once: 6e6 bytes/s carry 1462 pages/s. */
static struct dirty_point endless_points[] = {{1, 2000}, {100, 200000}};
static const struct dirty_curve endless = {.n_points = 2, .points = endless_points};

static void test_throttling_makes_it_converge(void **state) {
    (void)state;
    struct precopy_vm vm = qemu_vm(30000, &endless);
    const struct precopy_result plain = run(&vm, 6e6);
    assert_false(plain.converges);
    assert_near(plain.throttle_frac, 0, 0);
    vm.policy.auto_converge = true;
    const struct precopy_result throttled = run(&vm, 6e6);
    assert_true(throttled.converges);
    /* 1462 of 2000 pages/s: 26.9% of its time must go, and steps are 20, 30, 40%. */
    assert_true(throttled.throttle_frac >= 0.3 - 1e-9 && throttled.throttle_frac < 0.99);
    assert_near(throttled.stop_copy_s, 0.3, 0.05);
    assert_true(run(&vm, 100e6).converges);
    assert_near(run(&vm, 100e6).throttle_frac, 0, 0); /* nothing to throttle for */
}

static void test_throttling_has_its_limit(void **state) {
    (void)state;
    struct precopy_vm vm = qemu_vm(30000, &endless);
    vm.policy.auto_converge = true;
    vm.policy.throttle_max_frac = 0.2;
    const struct precopy_result result = run(&vm, 6e6);
    assert_false(result.converges); /* 1600 pages/s are still too many */
    assert_near(result.throttle_frac, 0.2, 1e-12);
    assert_true(result.n_rounds < 400);
}

static void test_postcopy_at_once(void **state) {
    (void)state;
    struct precopy_vm vm = qemu_vm(30000, &endless);
    vm.zero_pages = 10000;
    vm.overhead = (struct migration_overhead){.pre_ms = 200, .post_ms = 50, .suspend_pages = 0};
    vm.policy.postcopy = STOP_POLICY_POSTCOPY_AT_ONCE;
    vm.policy.max_bandwidth_bytes_per_s = 1e6; /* holds live rounds only */
    const struct precopy_result result = run(&vm, 6e6);
    const double bytes = 20000 * PAGE + 10000 * 9;
    assert_true(result.converges);
    assert_near(result.bytes, bytes, 1e-6);
    assert_near(result.downtime_s, 0.05, 1e-9);
    assert_near(result.postcopy_s, bytes / 6e6, 1e-9);
    assert_near(result.migration_s, 0.2 + 0.05 + bytes / 6e6, 1e-9);
}

static void test_postcopy_after_the_first_round(void **state) {
    (void)state;
    struct precopy_vm vm = qemu_vm(30000, &endless);
    vm.overhead = (struct migration_overhead){.post_ms = 50, .in_flight_bytes = 600e3};
    vm.policy.postcopy = STOP_POLICY_POSTCOPY_AFTER_ROUND;
    const struct precopy_result result = run(&vm, 6e6);
    assert_true(result.converges);
    assert_int_equal(result.n_rounds, 2);
    /* All that was dirtied in the first round is missing; its ranges are told before. */
    const double missing_pages = result.postcopy_s * 6e6 / PAGE;
    const double first_s = result.trace[0].duration_s;
    assert_true(missing_pages > 0.95 * fmin(2000 * first_s, 30000) && missing_pages <= 30000);
    assert_near(result.stop_copy_s, (16 * missing_pages + 600e3) / 6e6, 1e-6);
    assert_near(result.downtime_s, result.stop_copy_s + 0.05, 1e-12);
    assert_near(result.migration_s, first_s + result.downtime_s + result.postcopy_s, 1e-9);
    assert_near(result.bytes, result.trace[0].bytes + 16 * missing_pages + missing_pages * PAGE, 1e-3);
}

/* A guest whose first round is enough never needs it. */
static void test_postcopy_only_where_it_is_needed(void **state) {
    (void)state;
    const struct dirty_curve idle = {.n_points = 0};
    struct precopy_vm vm = qemu_vm(30000, &idle);
    const struct precopy_result plain = run(&vm, 6e6);
    vm.policy.postcopy = STOP_POLICY_POSTCOPY_AFTER_ROUND;
    const struct precopy_result hybrid = run(&vm, 6e6);
    assert_near(hybrid.migration_s, plain.migration_s, 0);
    assert_near(hybrid.downtime_s, plain.downtime_s, 0);
    assert_near(hybrid.postcopy_s, 0, 0);
}

static void test_property_postcopy_bounds(void **state) {
    (void)state;
    uint64_t random = random_seed();
    struct dirty_point points[RANDOM_POINTS];
    struct dirty_curve curve;
    for (int i = 0; i < 2000; i++) {
        struct precopy_vm vm = random_vm(&random, "qemu", points, &curve);
        const double bandwidth = pow(10, random_between(&random, 6, 9));
        vm.policy.postcopy = STOP_POLICY_POSTCOPY_AT_ONCE;
        const struct precopy_result once = run(&vm, bandwidth);
        vm.policy.postcopy = STOP_POLICY_POSTCOPY_AFTER_ROUND;
        const struct precopy_result hybrid = run(&vm, bandwidth);
        assert_true(once.converges && hybrid.converges);
        assert_true(once.bytes <= hybrid.bytes * (1 + 1e-9));
        assert_true(once.downtime_s <= hybrid.downtime_s * (1 + 1e-9));
        /* Both at most send all memory twice, and what a suspend adds. */
        const double most = 2 * vm.memory_pages * (PAGE + 16) + vm.overhead.suspend_pages * PAGE;
        assert_true(hybrid.bytes <= most * (1 + 1e-9));
    }
}

/* As long as the bandwidth is still to change no verdict is given: with a
 * change that never comes the rounds go on to their cap. The early verdict
 * must be the same as that. */
static void test_property_early_verdict_is_right(void **state) {
    (void)state;
    uint64_t random = random_seed();
    struct dirty_point points[RANDOM_POINTS];
    struct dirty_curve curve;
    int n_endless = 0, n_slow = 0;
    for (int i = 0; i < 1000; i++) {
        struct precopy_vm vm = random_vm(&random, "qemu", points, &curve);
        const double bandwidth = pow(10, random_between(&random, 6, 9));
        vm.policy.downtime_limit_ms = pow(10, random_between(&random, 1, 3.5));
        vm.policy.max_bandwidth_bytes_per_s = i % 3 == 0 ? bandwidth / 2 : 0;
        vm.policy.max_rounds = 5000;
        const struct bandwidth_step steps[] = {{0, bandwidth}, {1e12, bandwidth}};
        struct precopy_result to_the_cap;
        const struct precopy_result early = run(&vm, bandwidth);
        assert_int_equal(precopy_simulate(&vm, steps, 2, &to_the_cap, NULL), DC_OK);
        assert_int_equal(early.converges, to_the_cap.converges);
        n_endless += !early.converges;
        n_slow += early.converges && early.n_rounds > 8;
    }
    assert_true(n_endless > 50 && n_slow > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_throttling_makes_it_converge),
        cmocka_unit_test(test_throttling_has_its_limit),
        cmocka_unit_test(test_postcopy_at_once),
        cmocka_unit_test(test_postcopy_after_the_first_round),
        cmocka_unit_test(test_postcopy_only_where_it_is_needed),
        cmocka_unit_test(test_property_postcopy_bounds),
        cmocka_unit_test(test_property_early_verdict_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
