/*
 * Bounds: by hand on small cases, and never above the best placement that
 * brute force finds.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/bound.h"
#include "tests/unit/solver/placements.h"
#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

static const struct milp_limits ample = {.time_s = 10};

static void freeze(struct problem *problem) {
    struct dc_error err = DC_ERROR_NONE;
    if (problem_freeze(problem, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
}

static struct solution_bound closed(const struct problem *problem, const bool *skip) {
    struct solution_bound bound;
    assert_int_equal(bound_closed_form(problem, PROBLEM_P95, skip, &bound, NULL), DC_OK);
    return bound;
}

static struct solution_bound placed(const struct problem *problem) {
    struct solution_bound bound;
    struct solution_prices prices;
    assert_int_equal(bound_placement(problem, PROBLEM_P95, &ample, &bound, &prices, NULL), DC_OK);
    solution_prices_dispose(&prices);
    return bound;
}

/* Two equal idle VMs on one link: pre + 2 vol / C + post, and the terms say so. */
static void test_two_vms_one_link(void **state) {
    (void)state;
    struct problem problem = small_network(3, 2, 1, 100, 1, 0);
    small_set_vm(&problem, 0, 0, 8, true, 0);
    small_set_vm(&problem, 1, 0, 8, true, 0);
    freeze(&problem);
    struct solution_bound bound = closed(&problem, NULL);
    assert_int_equal(bound.kind, SOLUTION_BOUND_ARC);
    assert_int_equal(bound.index, 0);
    assert_near(bound.value_s, 0.4 + 16 + 0.3, 1e-9);
    assert_near(bound.setup_s + bound.volume_bytes / bound.capacity_bytes_per_s + bound.tail_s, bound.value_s, 1e-12);
    struct solution_bound lp = placed(&problem);
    assert_true(lp.value_s >= bound.value_s);
    assert_near(lp.value_s, bound.value_s, 1e-3);
    bool skip[2] = {true, false};
    bound = closed(&problem, skip);
    assert_near(bound.value_s, 0.4 + 8 + 0.3, 1e-9);
    problem_dispose(&problem);
}

/* Two hosts swap two VMs of 20 GB and one of 5 each, with 15 GB free on each: never two of 20 at once. */
static struct problem nearly_full(void) {
    struct problem problem = small_network(2, 6, 1, 60, 1.25, 0);
    for (size_t vm = 0; vm < 6; vm++) {
        small_set_vm(&problem, vm, vm % 2, vm < 4 ? 20 : 5, true, 0);
        problem.vms[vm].to = 1 - (long)(vm % 2);
    }
    return problem;
}

static void test_memory_held_twice(void **state) {
    (void)state;
    struct problem problem = nearly_full();
    freeze(&problem);
    struct solution_bound bound = closed(&problem, NULL);
    assert_int_equal(bound.kind, SOLUTION_BOUND_MEMORY);
    assert_near(bound.free_bytes, 30e9, 0);
    assert_near(bound.value_s, 4 * (0.7 + 20 / 1.25), 1e-9);
    assert_near(bound.held_byte_s / bound.free_bytes, bound.value_s, 1e-12);
    /* Room for two of them: the links bind. */
    problem.hosts[0].memory_bytes = problem.hosts[1].memory_bytes = 70e9;
    assert_int_equal(closed(&problem, NULL).kind, SOLUTION_BOUND_ARC);
    problem_dispose(&problem);
}

/* One at a time: the sum of durations. */
static void test_concurrency(void **state) {
    (void)state;
    struct problem problem = small_network(4, 3, 1, 100, 1, 0);
    for (size_t vm = 0; vm < 3; vm++)
        small_set_vm(&problem, vm, 0, 4, true, 0);
    problem.hosts[0].max_migrations = 1;
    freeze(&problem);
    struct solution_bound bound = closed(&problem, NULL);
    assert_int_equal(bound.kind, SOLUTION_BOUND_HOST);
    assert_int_equal(bound.index, 0);
    assert_near(bound.value_s, 3 * 4.7, 1e-9);
    assert_near(bound.work_s / bound.slots, bound.value_s, 1e-12);
    problem.hosts[0].max_migrations = 0;
    problem.max_parallel = 1;
    bound = closed(&problem, NULL);
    assert_int_equal(bound.kind, SOLUTION_BOUND_HOST);
    assert_true(bound.index == SIZE_MAX);
    assert_near(bound.value_s, 3 * 4.7, 1e-9);
    problem_dispose(&problem);
}

/* A VM's own cap makes it the bound. */
static void test_single_vm(void **state) {
    (void)state;
    struct problem problem = small_network(3, 2, 1, 100, 2, 0);
    small_set_vm(&problem, 0, 0, 8, true, 0);
    small_set_vm(&problem, 1, 1, 8, true, 0);
    problem.vms[1].max_bandwidth_bytes_per_s = 0.5 * small_gb;
    freeze(&problem);
    struct solution_bound bound = closed(&problem, NULL);
    assert_int_equal(bound.kind, SOLUTION_BOUND_VM);
    assert_int_equal(bound.index, 1);
    assert_near(bound.value_s, 0.7 + 16, 1e-9);
    problem_dispose(&problem);
}

/* Four sources empty onto one free host's worth of NIC: only LB2 sees it. */
static void test_receivers_bind(void **state) {
    (void)state;
    struct problem problem = small_network(6, 8, 1, 64, 1, 0);
    for (size_t vm = 0; vm < 8; vm++)
        small_set_vm(&problem, vm, vm % 4, 8, true, 0);
    for (size_t host = 0; host < 4; host++)
        small_set_receives(&problem, host, false);
    freeze(&problem);
    struct solution_bound lb1 = closed(&problem, NULL), lb2 = placed(&problem);
    assert_near(lb1.value_s, 16.7, 1e-9);
    assert_int_equal(lb2.kind, SOLUTION_BOUND_PLACEMENT);
    assert_near(lb2.value_s, 32.7, 1e-3);
    problem_dispose(&problem);
}

static void test_nothing_moves(void **state) {
    (void)state;
    struct problem problem = small_network(2, 1, 1, 64, 1, 0);
    small_set_vm(&problem, 0, 0, 8, false, 0);
    freeze(&problem);
    assert_int_equal(closed(&problem, NULL).kind, SOLUTION_BOUND_NONE);
    assert_int_equal(placed(&problem).kind, SOLUTION_BOUND_NONE);
    problem_dispose(&problem);
}

static void test_never_above_the_best_placement(void **state) {
    (void)state;
    double ratio_sum = 0;
    size_t n_compared = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        size_t n_movers = 3 + seed % 3, n_sources = 1 + seed % 3;
        struct problem problem =
            small_evacuation(seed, n_sources + 3, n_sources, n_movers, 1 + seed % 2, 0.3 + 0.01 * (double)(seed % 40));
        if (seed % 4 == 0)
            problem.hosts[n_sources].max_migrations = 1;
        freeze(&problem);
        double free_bytes[8];
        for (size_t host = 0; host < problem.n_hosts; host++)
            free_bytes[host] = problem.hosts[host].memory_bytes;
        for (size_t vm = n_movers; vm < problem.n_vms; vm++)
            free_bytes[problem.vms[vm].host] -= problem.vms[vm].memory_bytes;
        double lb1_s = closed(&problem, NULL).value_s, lb2_s = placed(&problem).value_s;
        double best_s = placements_best(&problem, n_movers, 0, free_bytes);
        if (lb1_s > best_s * (1 + 1e-9) || lb2_s > best_s * (1 + 1e-9))
            fail_msg("seed %llu: LB1 %g, LB2 %g above %g", (unsigned long long)seed, lb1_s, lb2_s, best_s);
        if (isfinite(best_s)) {
            ratio_sum += fmax(lb1_s, lb2_s) / best_s;
            n_compared++;
        }
        problem_dispose(&problem);
    }
    assert_true(n_compared > 40);
    assert_true(ratio_sum / (double)n_compared > 0.9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_vms_one_link),
        cmocka_unit_test(test_concurrency),
        cmocka_unit_test(test_memory_held_twice),
        cmocka_unit_test(test_single_vm),
        cmocka_unit_test(test_receivers_bind),
        cmocka_unit_test(test_nothing_moves),
        cmocka_unit_test(test_never_above_the_best_placement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
