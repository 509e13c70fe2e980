/*
 * Forecasts: quantiles that are known in closed form, and the same figures
 * from any thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/robust.h"

#include "solver/cost_spread.h"
#include "solver/solve.h"
#include "tests/unit/solver/small_problem.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

static struct solution solved(struct problem *problem) {
    struct dc_error err = DC_ERROR_NONE;
    const struct solve_options options = {.seed = 1};
    struct solution solution = {0};
    if (problem_freeze(problem, &err) != DC_OK || solve(problem, &options, &solution, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    return solution;
}

/* The quantiles of one migration are those that went in; time is log-normal between them. */
static void test_one_vm(void **state) {
    (void)state;
    struct problem problem = small_network(2, 1, 1, 100, 1, 0);
    small_set_vm(&problem, 0, 0, 8, true, 0);
    for (size_t i = 0; i < problem.vms[0].cost[PROBLEM_P95].n_points; i++)
        problem.vms[0].cost[PROBLEM_P95].points[i].live_s *= 1.5;
    problem.deadline_s = 0.7 + 8 * pow(1.5, 0.5); /* half the way up: z = 0.82, 79.5% */
    struct solution solution = solved(&problem);
    assert_int_equal(solution.status, SOLUTION_INFEASIBLE);
    solution_dispose(&solution);
    problem.deadline_s = 0.7 + 8 * 1.5 + 0.001;
    solution = solved(&problem);
    const struct solution_forecast *forecast = &solution.forecast;
    assert_int_equal(forecast->n_runs, 1000);
    assert_true(forecast->decoded);
    assert_near(forecast->makespan_s[PROBLEM_P50], 8.7, 0.15);
    assert_near(forecast->makespan_s[PROBLEM_P95], 12.7, 0.4);
    assert_near(forecast->deadline_met_frac, 0.95, 0.02);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

/* Delays of many independent migrations on one link even out: p95 of the sum is far below the sum of p95. */
static void test_many_vms(void **state) {
    (void)state;
    struct problem problem = small_network(4, 40, 1, 400, 1, 0);
    for (size_t vm = 0; vm < 40; vm++) {
        small_set_vm(&problem, vm, 0, 4, true, 0);
        for (size_t i = 0; i < problem.vms[vm].cost[PROBLEM_P95].n_points; i++)
            problem.vms[vm].cost[PROBLEM_P95].points[i].live_s *= 1.5;
    }
    struct solution solution = solved(&problem);
    const struct solution_forecast *forecast = &solution.forecast;
    assert_near(solution.makespan_s[PROBLEM_P95], 240.7, 1);
    assert_true(forecast->makespan_s[PROBLEM_P50] > 160.7);
    assert_true(forecast->makespan_s[PROBLEM_P95] < 180);
    assert_near(forecast->deadline_met_frac, 1, 1e-12);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

/* Without spread every run is the plan. */
static void test_no_spread(void **state) {
    (void)state;
    struct problem problem = small_evacuation(3, 5, 2, 8, 1, 0.4);
    for (size_t vm = 0; vm < 8; vm++) {
        const struct problem_cost *high = &problem.vms[vm].cost[PROBLEM_P95];
        memcpy(problem.vms[vm].cost[PROBLEM_P50].points, high->points, high->n_points * sizeof *high->points);
        problem.vms[vm].cost[PROBLEM_P50].n_points = high->n_points;
    }
    struct solution solution = solved(&problem);
    assert_near(solution.forecast.makespan_s[PROBLEM_P50], solution.makespan_s[PROBLEM_P95], 1e-6);
    assert_near(solution.forecast.makespan_s[PROBLEM_P95], solution.makespan_s[PROBLEM_P95], 1e-6);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

struct asked {
    struct problem problem;
    struct solution solution;
};

static void *solve_it(void *context) {
    struct asked *asked = context;
    const struct solve_options options = {.seed = 7};
    return solve(&asked->problem, &options, &asked->solution, NULL) == DC_OK ? context : NULL;
}

static void test_threads_change_nothing(void **state) {
    (void)state;
    struct asked asked[3];
    pthread_t threads[2];
    for (int i = 0; i < 3; i++) {
        asked[i].problem = small_evacuation(11, 6, 2, 24, 1, 0.3);
        assert_int_equal(problem_freeze(&asked[i].problem, NULL), DC_OK);
    }
    assert_non_null(solve_it(&asked[0]));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, solve_it, &asked[i + 1]), 0);
    for (int i = 0; i < 2; i++) {
        void *done = NULL;
        assert_int_equal(pthread_join(threads[i], &done), 0);
        assert_non_null(done);
        assert_memory_equal(&asked[0].solution.forecast, &asked[i + 1].solution.forecast,
                            sizeof asked[0].solution.forecast);
    }
    for (int i = 0; i < 3; i++) {
        solution_dispose(&asked[i].solution);
        problem_dispose(&asked[i].problem);
    }
}

/* Bytes and time never grow with bandwidth at any weight, and the weights 0 and 1 are what went in. */
static void test_drawn_costs_stay_monotone(void **state) {
    (void)state;
    struct problem_cost median, high, drawn = {0};
    struct problem_cost_point points[16];
    small_set_cost(&median, 8e9, 0.02e9, 0.4, 0.3);
    small_set_cost(&high, 8e9, 0.03e9, 0.4, 0.3);
    drawn.points = points;
    for (double weight = -2; weight <= 2; weight += 0.1) {
        cost_spread_at(&median, &high, weight, &drawn);
        for (size_t i = 1; i < drawn.n_points; i++) {
            const struct problem_cost_point *a = &points[i - 1], *b = &points[i];
            assert_true(b->live_s + b->stop_s <= a->live_s + a->stop_s);
            assert_true(b->bandwidth_bytes_per_s * (b->live_s + b->stop_s) <=
                        a->bandwidth_bytes_per_s * (a->live_s + a->stop_s) * (1 + 1e-9));
        }
    }
    cost_spread_at(&median, &high, 1, &drawn);
    assert_near(points[2].live_s, high.points[2].live_s, 1e-9);
    cost_spread_at(&median, &high, 0, &drawn);
    assert_near(points[2].stop_s, median.points[2].stop_s, 1e-9);
    free(median.points);
    free(high.points);
}

/* What dirties faster converges at fewer bandwidths; only those are drawn. */
static void test_costs_are_drawn_where_both_converge(void **state) {
    (void)state;
    struct problem_cost median, high;
    small_set_cost(&median, 8e9, 0.03e9, 0.4, 0.3);
    small_set_cost(&high, 8e9, 0.3e9, 0.4, 0.3);
    assert_true(high.n_points > 0 && high.n_points < median.n_points);
    struct problem_cost drawn = {.points = calloc(high.n_points, sizeof *drawn.points)};
    cost_spread_at(&median, &high, 1, &drawn);
    assert_int_equal(drawn.n_points, high.n_points);
    for (size_t i = 0; i < high.n_points; i++) {
        assert_near(drawn.points[i].bandwidth_bytes_per_s, high.points[i].bandwidth_bytes_per_s, 0);
        assert_near(drawn.points[i].stop_s, high.points[i].stop_s, 1e-9);
    }
    free(drawn.points);
    free(median.points);
    free(high.points);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_vm),
        cmocka_unit_test(test_many_vms),
        cmocka_unit_test(test_no_spread),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_drawn_costs_stay_monotone),
        cmocka_unit_test(test_costs_are_drawn_where_both_converge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
