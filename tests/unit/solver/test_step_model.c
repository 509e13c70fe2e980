/*
 * The step model on tiny sets whose best makespan is known by hand: what it
 * proves is never above it, and near it where closed forms see nothing.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/bound.h"
#include "solver/step_model.h"
#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { MAX_MOVERS = 16 };

static const struct milp_limits ample = {.time_s = 20, .n_nodes = 400};

struct outcome {
    struct step_model_result result;
    struct decode_order order;
    size_t vm[MAX_MOVERS];
    double threshold_frac[MAX_MOVERS];
    double lb1_s;
};

/* Destinations are the VMs' own; the incumbent is known by its makespan only. */
static struct outcome run(struct problem *problem, double incumbent_s) {
    static struct outcome outcome;
    struct dc_error err = DC_ERROR_NONE;
    if (problem_freeze(problem, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    long to[MAX_MOVERS] = {0};
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        to[vm] = problem->vms[vm].moves ? problem->vms[vm].to : (long)problem->vms[vm].host;
    outcome = (struct outcome){0};
    outcome.order = (struct decode_order){0, outcome.vm, outcome.threshold_frac};
    struct solution incumbent = {.makespan_s = {incumbent_s, incumbent_s}};
    struct solution_bound bound;
    assert_int_equal(bound_closed_form(problem, PROBLEM_P95, NULL, &bound, NULL), DC_OK);
    outcome.lb1_s = bound.value_s;
    assert_int_equal(
        step_model_solve(problem, to, PROBLEM_P95, &incumbent, &ample, &outcome.order, &outcome.result, NULL), DC_OK);
    problem_dispose(problem);
    return outcome;
}

static size_t place_of(const struct outcome *outcome, size_t vm) {
    for (size_t i = 0; i < outcome->order.n; i++) {
        if (outcome->order.vm[i] == vm)
            return i;
    }
    fail_msg("VM %zu is not in the order", vm);
    return 0;
}

/* Each host is full: 2 must leave host 2 before 1 can come, and so on. Best: one
 * after the other, 3 x 8.7 s, while LB1 sees 8.7 s. */
static void test_memory_chain(void **state) {
    (void)state;
    struct problem problem = small_network(4, 3, 1, 10, 1, 0);
    for (size_t vm = 0; vm < 3; vm++) {
        small_set_vm(&problem, vm, vm, 8, true, 0);
        problem.vms[vm].to = (long)vm + 1;
    }
    struct outcome outcome = run(&problem, 40);
    double best_s = 3 * 8.7;
    print_message("chain: LB1 %.2f, proved %.2f, best %.2f\n", outcome.lb1_s, outcome.result.bound_s, best_s);
    assert_true(outcome.result.bound_s <= best_s);
    assert_true(outcome.result.bound_s > 0.85 * best_s);
    assert_true(outcome.result.has_order);
    assert_true(place_of(&outcome, 2) < place_of(&outcome, 1) && place_of(&outcome, 1) < place_of(&outcome, 0));
}

static void test_precedence(void **state) {
    (void)state;
    struct problem problem = small_network(5, 2, 1, 100, 1, 0);
    for (size_t vm = 0; vm < 2; vm++) {
        small_set_vm(&problem, vm, vm, 8, true, 0);
        problem.vms[vm].to = (long)vm + 2;
    }
    small_add_rule(&problem, PROBLEM_PRECEDENCE, 2, (size_t[]){1, 0});
    struct outcome outcome = run(&problem, 30);
    assert_true(outcome.result.bound_s <= 2 * 8.7);
    assert_true(outcome.result.bound_s > 0.85 * 2 * 8.7);
    assert_true(place_of(&outcome, 1) < place_of(&outcome, 0));
}

static void test_serialize(void **state) {
    (void)state;
    struct problem problem = small_network(6, 3, 1, 100, 1, 0);
    for (size_t vm = 0; vm < 3; vm++) {
        small_set_vm(&problem, vm, vm, 4, true, 0);
        problem.vms[vm].to = (long)vm + 3;
    }
    small_add_rule(&problem, PROBLEM_SERIALIZE, 3, (size_t[]){0, 1, 2});
    struct outcome outcome = run(&problem, 20);
    print_message("serialize: LB1 %.2f, proved %.2f, best %.2f\n", outcome.lb1_s, outcome.result.bound_s, 3 * 4.7);
    assert_true(outcome.result.bound_s <= 3 * 4.7);
    assert_true(outcome.result.bound_s > 0.6 * 3 * 4.7);
}

/* Closed forms are exact here: nothing to prove above them, and nothing proved wrongly. */
static void test_one_link(void **state) {
    (void)state;
    for (size_t n = 1; n <= 8; n += 3) {
        struct problem problem = small_network(4, n, 1, 100, 1, 0);
        double best_s = 0.7;
        for (size_t vm = 0; vm < n; vm++) {
            small_set_vm(&problem, vm, 0, 4, true, 0);
            problem.vms[vm].to = 1 + (long)vm % 3;
            best_s += 4;
        }
        struct outcome outcome = run(&problem, best_s * 1.1);
        assert_true(outcome.result.bound_s <= best_s);
    }
}

/* One after the other is always a schedule, whatever the memory allows at the end. */
static void test_never_above_the_serial_schedule(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        size_t n = 2 + seed % 4;
        struct problem problem = small_network(2 * n, n, 1, 12, 1.17, 0);
        uint64_t random = seed;
        double serial_s = 0;
        for (size_t vm = 0; vm < n; vm++) { /* a chain again, with VMs of all sizes: the last goes first */
            double memory_gb = (double)(1u << small_random(&random) % 4);
            small_set_vm(&problem, vm, vm, memory_gb, true, small_uniform(&random, 0, 0.03));
            problem.vms[vm].to = (long)vm + 1;
            serial_s += problem_cost_duration_s(&problem.vms[vm].cost[PROBLEM_P95], 1.17 * small_gb);
        }
        problem.hosts[n - 1].max_migrations = seed % 2 == 0 ? 1 : 0;
        struct outcome outcome = run(&problem, serial_s * 1.3);
        if (outcome.result.bound_s > serial_s)
            fail_msg("seed %llu: proved %g, serial %g", (unsigned long long)seed, outcome.result.bound_s, serial_s);
    }
}

static void test_unsuitable(void **state) {
    (void)state;
    struct problem problem = small_network(3, 1, 1, 100, 1, 0);
    small_set_vm(&problem, 0, 0, 4, false, 0);
    struct outcome outcome = run(&problem, 10); /* nothing moves */
    assert_false(outcome.result.has_order);
    problem = small_network(3, MAX_MOVERS, 1, 100, 1, 0);
    for (size_t vm = 0; vm < MAX_MOVERS; vm++) { /* too many */
        small_set_vm(&problem, vm, 0, 1, true, 0);
        problem.vms[vm].to = 1;
    }
    outcome = run(&problem, 100);
    assert_false(outcome.result.has_order);
    assert_true(outcome.result.bound_s <= 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_chain),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_serialize),
        cmocka_unit_test(test_one_link),
        cmocka_unit_test(test_never_above_the_serial_schedule),
        cmocka_unit_test(test_unsuitable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
