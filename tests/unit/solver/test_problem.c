/* The frozen problem: its checks, routes and costs. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_near(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.12g is not %.12g", value, expected);
}

static void freeze(struct problem *problem) {
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(problem_freeze(problem, &err), DC_OK);
}

/* Two hosts on one switch, one VM that moves. */
static struct problem one_vm(void) {
    struct problem problem = small_network(2, 1, 1, 64, 1, 4);
    small_set_vm(&problem, 0, 0, 8, true, 0.01);
    return problem;
}

static void test_costs_are_interpolated_in_bytes(void **state) {
    (void)state;
    struct problem_cost_point points[] = {{1e8, 20, 10}, {2e8, 8, 2}};
    const struct problem_cost cost = {.pre_s = 1, .post_s = 0.5, .n_points = 2, .points = points};
    struct problem_cost_point at;
    assert_true(problem_cost_at(&cost, 1.5e8, &at));
    /* live bytes 2e9 and 1.6e9, stop bytes 1e9 and 0.4e9: 1.8e9 and 0.7e9 halfway */
    assert_near(at.live_s, 12, 1e-9);
    assert_near(at.stop_s, 0.7 / 0.15, 1e-9);
    assert_near(problem_cost_bytes(&cost, 1.5e8), 2.5e9, 1);
    assert_near(problem_cost_duration_s(&cost, 1.5e8), 1.5 + 2.5 / 0.15, 1e-9);
    assert_true(problem_cost_at(&cost, 4e8, &at)); /* above the highest point the bytes hold */
    assert_near(at.live_s, 4, 1e-9);
    assert_near(at.stop_s, 1, 1e-9);
    assert_false(problem_cost_at(&cost, 0.99e8, &at));
    assert_true(isinf(problem_cost_duration_s(&cost, 0.99e8)));
    assert_true(isinf(problem_cost_bytes(&cost, 0.99e8)));
}

static void test_costs_never_grow_with_bandwidth(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < 50; round++) {
        struct problem_cost cost;
        small_set_cost(&cost, 8e9, small_uniform(&seed, 1e6, 3e8), 0.3, 0.1);
        double before_s = INFINITY, before_bytes = INFINITY;
        for (double bandwidth = cost.points[0].bandwidth_bytes_per_s; bandwidth < 4e9; bandwidth *= 1.07) {
            const double duration_s = problem_cost_duration_s(&cost, bandwidth);
            const double bytes = problem_cost_bytes(&cost, bandwidth);
            assert_true(duration_s <= before_s && bytes <= before_bytes * (1 + 1e-12));
            before_s = duration_s;
            before_bytes = bytes;
        }
        free(cost.points);
    }
}

static void test_floor_is_the_lowest_that_keeps_the_budget(void **state) {
    (void)state;
    struct problem_cost cost;
    small_set_cost(&cost, 8e9, 2e7, 0.3, 0.1);
    assert_near(problem_cost_floor(&cost, INFINITY), cost.points[0].bandwidth_bytes_per_s, 0);
    assert_true(isinf(problem_cost_floor(&cost, 0.05))); /* the tail alone is longer */
    for (double budget_s = 0.101; budget_s < 3; budget_s *= 1.3) {
        struct problem_cost_point at;
        const double floor = problem_cost_floor(&cost, budget_s);
        assert_true(problem_cost_at(&cost, floor * (1 + 1e-9), &at));
        assert_true(at.stop_s + cost.post_s <= budget_s * (1 + 1e-6));
        if (problem_cost_at(&cost, floor * 0.99, &at))
            assert_true(at.stop_s + cost.post_s > budget_s);
    }
    const struct problem_cost nothing = {.pre_s = 1, .post_s = 1};
    assert_near(problem_cost_floor(&nothing, INFINITY), 0, 0);
    assert_near(problem_cost_duration_s(&nothing, 1), 2, 0);
    free(cost.points);
}

static void test_paths_take_switch_backplanes(void **state) {
    (void)state;
    struct problem problem = small_network(2, 1, 1, 64, 1, 4);
    small_set_vm(&problem, 0, 0, 8, true, 0.01);
    small_set_receives(&problem, 0, false);
    problem.arcs = realloc(problem.arcs, (problem.n_arcs + 1) * sizeof(*problem.arcs));
    problem.arcs[problem.n_arcs++] = (struct problem_arc){2, 2, 9, 0.5e9};
    freeze(&problem);
    size_t n_arcs = 0;
    const uint32_t *path = problem_path(&problem, 0, 1, &n_arcs);
    const uint32_t expected[] = {0, 4, 3}; /* host 0 out, backplane, host 1 in */
    assert_int_equal(n_arcs, 3);
    assert_memory_equal(path, expected, sizeof(expected));
    assert_near(problem_path_bandwidth(&problem, 0, 0, 1), 0.5e9, 0);
    problem.vms[0].max_bandwidth_bytes_per_s = 0.2e9;
    assert_near(problem_path_bandwidth(&problem, 0, 0, 1), 0.2e9, 0);
    (void)problem_path(&problem, 0, 0, &n_arcs);
    assert_int_equal(n_arcs, 0);
    (void)problem_path(&problem, 1, 0, &n_arcs); /* no VM leaves host 1 */
    assert_int_equal(n_arcs, 0);
    problem_dispose(&problem);
    problem_dispose(&problem);
}

/* Host 0 - two switches in parallel - host 1, and a direct detour of three links. */
static void test_paths_are_short_then_wide_then_low(void **state) {
    (void)state;
    struct problem problem = one_vm();
    free(problem.arcs);
    problem.arcs = calloc(16, sizeof(*problem.arcs));
    problem.n_arcs = 0;
    problem.n_nodes = 6;
    small_add_arc_pair(&problem, 0, 2, 0, 1e9);
    small_add_arc_pair(&problem, 2, 1, 1, 1e9);
    small_add_arc_pair(&problem, 0, 3, 2, 2e9);
    small_add_arc_pair(&problem, 3, 1, 3, 2e9);
    small_add_arc_pair(&problem, 0, 4, 4, 9e9);
    small_add_arc_pair(&problem, 4, 5, 5, 9e9);
    small_add_arc_pair(&problem, 5, 1, 6, 9e9);
    freeze(&problem);
    size_t n_arcs = 0;
    const uint32_t *path = problem_path(&problem, 0, 1, &n_arcs);
    assert_int_equal(n_arcs, 2);
    assert_int_equal(path[0], 4); /* the wider switch */
    assert_int_equal(path[1], 6);
    problem.arcs[0].capacity_bytes_per_s = problem.arcs[2].capacity_bytes_per_s = 2e9;
    freeze(&problem);
    path = problem_path(&problem, 0, 1, &n_arcs);
    assert_int_equal(path[0], 0); /* as wide: the lower number */
    assert_int_equal(path[1], 2);
    problem_dispose(&problem);
}

static void test_hosts_forward_nothing(void **state) {
    (void)state;
    struct problem problem = small_network(3, 1, 1, 64, 1, 4);
    small_set_vm(&problem, 0, 0, 8, true, 0.01);
    problem.n_arcs = 0;
    small_add_arc_pair(&problem, 0, 1, 0, 1e9);
    small_add_arc_pair(&problem, 1, 2, 1, 1e9);
    freeze(&problem);
    size_t n_arcs = 0;
    (void)problem_path(&problem, 0, 1, &n_arcs);
    assert_int_equal(n_arcs, 1);
    (void)problem_path(&problem, 0, 2, &n_arcs);
    assert_int_equal(n_arcs, 0);
    assert_near(problem_path_bandwidth(&problem, 0, 0, 2), 0, 0);
    problem_dispose(&problem);
}

static void break_host(struct problem *problem) {
    problem->hosts[1].memory_bytes = NAN;
}
static void break_vm_host(struct problem *problem) {
    problem->vms[0].host = 2;
}
static void break_destination(struct problem *problem) {
    problem->vms[0].to = 0;
}
static void break_budget(struct problem *problem) {
    problem->vms[0].downtime_budget_s = -1;
}
static void break_arc(struct problem *problem) {
    problem->arcs[1].to_node = 99;
}
static void break_capacity(struct problem *problem) {
    problem->arcs[1].capacity_bytes_per_s = INFINITY;
}
static void break_backplane(struct problem *problem) {
    problem->arcs[0].to_node = 0;
}
static void break_points(struct problem *problem) {
    problem->vms[0].cost[PROBLEM_P95].points[1].bandwidth_bytes_per_s = 1;
}
static void break_monotony(struct problem *problem) {
    problem->vms[0].cost[PROBLEM_P50].points[1].live_s *= 10;
}
static void break_rule(struct problem *problem) {
    small_add_rule(problem, PROBLEM_SPREAD, 1, (size_t[]){5});
}
static void break_rule_type(struct problem *problem) {
    small_add_rule(problem, (enum problem_rule_type)77, 0, NULL);
}
static void break_deadline(struct problem *problem) {
    problem->deadline_s = NAN;
}

static void test_rubbish_is_refused(void **state) {
    (void)state;
    void (*const breaks[])(struct problem *) = {
        break_host,      break_vm_host, break_destination, break_budget, break_arc,       break_capacity,
        break_backplane, break_points,  break_monotony,    break_rule,   break_rule_type, break_deadline,
    };
    for (size_t i = 0; i < sizeof(breaks) / sizeof(*breaks); i++) {
        struct problem problem = one_vm();
        struct dc_error err = DC_ERROR_NONE;
        breaks[i](&problem);
        assert_int_equal(problem_freeze(&problem, &err), DC_EINTERNAL);
        assert_true(strlen(error_text(&err)) > 10);
        problem_dispose(&problem);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_costs_are_interpolated_in_bytes),
        cmocka_unit_test(test_costs_never_grow_with_bandwidth),
        cmocka_unit_test(test_floor_is_the_lowest_that_keeps_the_budget),
        cmocka_unit_test(test_paths_take_switch_backplanes),
        cmocka_unit_test(test_paths_are_short_then_wide_then_low),
        cmocka_unit_test(test_hosts_forward_nothing),
        cmocka_unit_test(test_rubbish_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
