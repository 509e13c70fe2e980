/*
 * The simulation: hand-computed migrations of both policies, bandwidths that
 * change on the way, and the properties the planner stands on.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/precopy.h"

#include "random_vm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "assert_near.h"

static const double PAGE = 4104;
static struct dirty_curve idle;

static struct precopy_vm plain_vm(const char *policy, double memory_pages, const struct dirty_curve *curve) {
    struct precopy_vm vm = {.memory_pages = memory_pages, .curve = curve};
    assert_int_equal(stop_policy_init(&vm.policy, policy, NULL), DC_OK);
    return vm;
}

static struct precopy_result run(const struct precopy_vm *vm, double bytes_per_s) {
    const struct bandwidth_step step = {.bytes_per_s = bytes_per_s};
    struct precopy_result result;
    struct dc_error err = DC_ERROR_NONE;
    if (precopy_simulate(vm, &step, 1, &result, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    return result;
}

static void test_xen_idle(void **state) {
    (void)state;
    struct precopy_vm vm = plain_vm("xen-v2", 10000, &idle);
    vm.overhead = (struct migration_overhead){.pre_ms = 500, .post_ms = 100, .suspend_pages = 10};
    const struct precopy_result result = run(&vm, 1e6);
    const double bytes = 10000 * PAGE + 10 * 16 + 10 * PAGE + 16;
    assert_int_equal(result.n_rounds, 3); /* everything, an empty round, the final one */
    assert_near(result.bytes, bytes, 1e-6);
    assert_near(result.migration_s, 0.5 + bytes / 1e6 + 0.1, 1e-9);
    assert_near(result.stop_copy_s, (10 * PAGE + 16) / 1e6, 1e-9);
    assert_near(result.downtime_s, result.stop_copy_s + 0.1, 1e-12);
    assert_true(result.converges);
}

static void test_xen_rounds_follow_the_curve(void **state) {
    (void)state;
    struct dirty_point points[] = {{1, 100}, {2, 200}};
    const struct dirty_curve curve = {.n_points = 2, .points = points};
    const struct precopy_vm vm = plain_vm("xen-v2", 10000, &curve);
    const struct precopy_result result = run(&vm, 1e6);
    double pages = 10000, duration_s = (10000 * PAGE + 10 * 16) / 1e6, total_s = 0;
    size_t i = 0;
    for (;; i++) {
        assert_near(result.trace[i].pages, pages, 1e-6);
        assert_near(result.trace[i].duration_s, duration_s, 1e-9);
        total_s += duration_s;
        if (i == result.n_trace - 1)
            break;
        pages = 100 * duration_s;
        duration_s = (pages * PAGE + 16 * ceil(pages / 1024)) / 1e6;
    }
    assert_near(result.migration_s, total_s, 1e-9);
    assert_int_equal(result.n_rounds, 6);
    assert_int_equal(result.n_trace, 6);
}

static void test_xen_stops_below_the_target(void **state) {
    (void)state;
    struct dirty_point points[] = {{1, 40}, {60, 40}};
    const struct dirty_curve curve = {.n_points = 2, .points = points};
    const struct precopy_vm vm = plain_vm("xen-v2", 10000, &curve);
    const struct precopy_result result = run(&vm, 1e6);
    assert_int_equal(result.n_rounds, 3); /* the round of 40 is still sent live */
    assert_near(result.trace[1].pages, 40, 1e-9);
}

static void test_xen_holes_cost_their_headers_once(void **state) {
    (void)state;
    struct precopy_vm vm = plain_vm("xen-v2", 24592, &idle);
    vm.policy.gfn_count = 1044480;
    vm.zero_pages = 20000; /* not elided */
    const struct precopy_result result = run(&vm, 8e6);
    assert_near(result.trace[0].bytes, 24592 * PAGE + (1044480 - 24592) * 8.0 + 1020 * 16, 1e-3);
    vm.policy.gfn_count = 100; /* fewer than pages: no holes */
    assert_near(run(&vm, 8e6).trace[0].bytes, 24592 * PAGE + 25 * 16, 1e-3);
}

static void test_bandwidth_steps_are_honoured(void **state) {
    (void)state;
    struct precopy_vm vm = plain_vm("xen-v2", 10000, &idle);
    vm.overhead.pre_ms = 2000;
    const struct bandwidth_step steps[] = {{0, 9e9}, {1, 1e6}, {12, 2e6}, {12, 4e6}, {1e6, 1}};
    struct precopy_result result;
    assert_int_equal(precopy_simulate(&vm, steps, 5, &result, NULL), DC_OK);
    /* 10 s at 1e6 after the pre overhead, the rest at 4e6 */
    assert_near(result.migration_s, 12 + (result.bytes - 10e6) / 4e6, 1e-9);
}

static void test_in_flight_bytes_move_into_the_downtime(void **state) {
    (void)state;
    struct precopy_vm vm = plain_vm("xen-v2", 10000, &idle);
    const struct precopy_result without = run(&vm, 1e6);
    vm.overhead.in_flight_bytes = 500e3;
    const struct precopy_result with = run(&vm, 1e6);
    assert_near(with.migration_s, without.migration_s, 1e-9);
    assert_near(with.bytes, without.bytes, 0);
    assert_near(with.downtime_s, without.downtime_s + 0.5, 1e-9);
    assert_near(with.trace[0].duration_s, without.trace[0].duration_s - 0.5, 1e-9);
}

static void test_qemu_idle(void **state) {
    (void)state;
    struct precopy_vm vm = plain_vm("qemu", 30000, &idle);
    vm.zero_pages = 10000;
    const struct precopy_result result = run(&vm, 10e6);
    assert_true(result.converges);
    assert_near(result.bytes, 20000 * PAGE + 10000 * 9, 1e-3);
    assert_near(result.migration_s, result.bytes / 10e6, 1e-9);
    assert_int_equal(result.n_rounds, 2);
    /* The threshold is 732 pages; between two looks go whole groups of 64. */
    assert_true(result.trace[1].pages < 732 && result.trace[1].pages > 732 - 320);
}

static void test_qemu_converges_or_not(void **state) {
    (void)state;
    struct dirty_point points[] = {{1, 2000}, {100, 2000}};
    struct dirty_curve curve = {.n_points = 2, .points = points};
    struct precopy_vm vm = plain_vm("qemu", 30000, &curve);
    assert_true(run(&vm, 10e6).converges); /* sends 2437 pages/s */
    assert_false(run(&vm, 6e6).converges); /* sends 1462 */
    vm.policy.downtime_limit_ms = 2000;    /* 6e6 * 2 s hold all 2000 */
    assert_true(run(&vm, 6e6).converges);
    vm.policy.downtime_limit_ms = 0;
    const struct precopy_result endless = run(&vm, 6e6);
    assert_false(endless.converges);
    assert_true(endless.n_rounds < 300 && endless.migration_s > 0 && isfinite(endless.bytes));
}

static void test_qemu_rounds_are_capped(void **state) {
    (void)state;
    struct dirty_point points[] = {{1, 2000}, {100, 2000}};
    struct dirty_curve curve = {.n_points = 2, .points = points};
    struct precopy_vm vm = plain_vm("qemu", 30000, &curve);
    assert_true(run(&vm, 10e6).converges);
    vm.policy.max_rounds = 2;
    const struct precopy_result result = run(&vm, 10e6);
    assert_false(result.converges);
    assert_int_equal(result.n_rounds, 3);
}

/* A link that widens later lets a migration converge that would not before. */
static void test_qemu_waits_for_the_bandwidth_to_come(void **state) {
    (void)state;
    struct dirty_point points[] = {{1, 2000}, {100, 2000}};
    struct dirty_curve curve = {.n_points = 2, .points = points};
    const struct precopy_vm vm = plain_vm("qemu", 30000, &curve);
    const struct bandwidth_step steps[] = {{0, 6e6}, {120, 12e6}};
    struct precopy_result result;
    assert_int_equal(precopy_simulate(&vm, steps, 2, &result, NULL), DC_OK);
    assert_true(result.converges);
    assert_true(result.migration_s > 120 && result.migration_s < 130);
}

static void test_qemu_cap_holds_live_only(void **state) {
    (void)state;
    struct precopy_vm vm = plain_vm("qemu", 30000, &idle);
    vm.policy.max_bandwidth_bytes_per_s = 10e6;
    vm.overhead.in_flight_bytes = 1e6;
    const struct precopy_result capped = run(&vm, 100e6);
    const double rest_bytes = capped.trace[1].bytes;
    assert_near(capped.stop_copy_s, rest_bytes / 100e6, 1e-9); /* nothing had piled up */
    assert_near(capped.migration_s, (30000 * PAGE - rest_bytes) / 10e6 + rest_bytes / 100e6, 1e-9);

    vm.policy.max_bandwidth_bytes_per_s = 200e6; /* above the link: it fills the buffer */
    const struct precopy_result free_running = run(&vm, 100e6);
    assert_near(free_running.stop_copy_s, (free_running.trace[1].bytes + 1e6) / 100e6, 1e-6);
    assert_near(free_running.migration_s, 30000 * PAGE / 100e6, 1e-6);
}

static void test_senseless_figures_are_refused(void **state) {
    (void)state;
    const struct precopy_vm good = plain_vm("qemu", 1000, &idle);
    struct precopy_vm bad[7];
    for (size_t i = 0; i < 7; i++)
        bad[i] = good;
    bad[0].memory_pages = 0;
    bad[1].memory_pages = NAN;
    bad[2].zero_pages = 1001;
    bad[3].policy.policy = NULL;
    bad[4].curve = NULL;
    bad[5].overhead.post_ms = -1;
    bad[6].overhead.in_flight_bytes = INFINITY;
    const struct bandwidth_step step = {.bytes_per_s = 1e6};
    struct precopy_result result;
    for (size_t i = 0; i < 7; i++) {
        struct dc_error err = DC_ERROR_NONE;
        assert_int_equal(precopy_simulate(&bad[i], &step, 1, &result, &err), DC_EINVAL);
        assert_true(strlen(err.text) > 0);
    }
    const struct bandwidth_step steps[][2] = {
        {{0, 0}, {1, 1}}, {{0, 1}, {1, -1}}, {{0, NAN}, {1, 1}}, {{2, 1}, {1, 1}}};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(precopy_simulate(&good, steps[i], 2, &result, NULL), DC_EINVAL);
    assert_int_equal(precopy_simulate(&good, &step, 0, &result, NULL), DC_EINVAL);
}

/* Xen sends all memory at least once and at most six times:
 * overheads + V/L <= migration time <= overheads + 6 V/L. */
static void test_property_xen_bounds_and_monotony(void **state) {
    (void)state;
    uint64_t random = random_seed();
    struct dirty_point points[RANDOM_POINTS];
    struct dirty_curve curve;
    for (int i = 0; i < 2000; i++) {
        const struct precopy_vm vm = random_vm(&random, "xen-v2", points, &curve);
        const double bandwidth = pow(10, random_between(&random, 5, 10));
        const struct precopy_result slow = run(&vm, bandwidth);
        const struct precopy_result fast = run(&vm, bandwidth * random_between(&random, 1, 3));
        const double overhead_s = (vm.overhead.pre_ms + vm.overhead.post_ms) / 1000;
        const double first_bytes = slow.trace[0].bytes;
        assert_true(slow.migration_s >= overhead_s + first_bytes / bandwidth * (1 - 1e-9));
        assert_true(slow.migration_s <= overhead_s + 6 * first_bytes / bandwidth * (1 + 1e-9) + 1e-9);
        assert_true(slow.downtime_s * 1000 >= vm.overhead.post_ms * (1 - 1e-9));
        assert_true(slow.migration_s >= slow.downtime_s);
        assert_true(fast.bytes <= slow.bytes * (1 + 1e-9));
        assert_true(fast.migration_s <= slow.migration_s * (1 + 1e-9));
        assert_true(slow.converges && slow.n_rounds >= 2 && slow.n_rounds <= 6);
    }
}

/* Whatever the policy and the bandwidths: what is sent took the time it needs. */
static void test_property_bytes_fit_the_link(void **state) {
    (void)state;
    uint64_t random = random_seed();
    struct dirty_point points[RANDOM_POINTS];
    struct dirty_curve curve;
    for (int i = 0; i < 2000; i++) {
        struct precopy_vm vm = random_vm(&random, i % 2 == 0 ? "qemu" : "xen-v2", points, &curve);
        if (i % 3 == 0)
            vm.policy.max_bandwidth_bytes_per_s = pow(10, random_between(&random, 6, 9));
        struct bandwidth_step steps[4] = {{0, pow(10, random_between(&random, 6, 9))}};
        for (int s = 1; s < 4; s++)
            steps[s] = (struct bandwidth_step){steps[s - 1].from_s + random_between(&random, 0, 60),
                                               pow(10, random_between(&random, 6, 9))};
        struct precopy_result result;
        assert_int_equal(precopy_simulate(&vm, steps, 4, &result, NULL), DC_OK);
        const double from_s = vm.overhead.pre_ms / 1000;
        const double to_s = result.migration_s - vm.overhead.post_ms / 1000;
        double capacity = 0;
        for (int s = 0; s < 4; s++) {
            const double end_s = s < 3 ? steps[s + 1].from_s : INFINITY;
            capacity += steps[s].bytes_per_s * fmax(fmin(end_s, to_s) - fmax(steps[s].from_s, from_s), 0);
        }
        assert_true(result.bytes <= capacity * (1 + 1e-9) + 1);
        if (vm.policy.max_bandwidth_bytes_per_s <= 0 || i % 2 == 1) /* without a cap the link is never idle */
            assert_true(result.bytes >= capacity * (1 - 1e-9) - 1);
        assert_true(result.bytes >= (vm.memory_pages - vm.zero_pages) * PAGE);
        assert_true(result.stop_copy_s >= 0 && result.n_rounds >= 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xen_idle),
        cmocka_unit_test(test_xen_rounds_follow_the_curve),
        cmocka_unit_test(test_xen_stops_below_the_target),
        cmocka_unit_test(test_xen_holes_cost_their_headers_once),
        cmocka_unit_test(test_bandwidth_steps_are_honoured),
        cmocka_unit_test(test_in_flight_bytes_move_into_the_downtime),
        cmocka_unit_test(test_qemu_idle),
        cmocka_unit_test(test_qemu_converges_or_not),
        cmocka_unit_test(test_qemu_rounds_are_capped),
        cmocka_unit_test(test_qemu_waits_for_the_bandwidth_to_come),
        cmocka_unit_test(test_qemu_cap_holds_live_only),
        cmocka_unit_test(test_senseless_figures_are_refused),
        cmocka_unit_test(test_property_xen_bounds_and_monotony),
        cmocka_unit_test(test_property_bytes_fit_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
