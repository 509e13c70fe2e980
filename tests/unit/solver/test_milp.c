/*
 * The door to the MILP solver: right answers, limits, starts, and above all
 * that misuse and failure behind it leave the process and the next program alive.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/milp.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

static const struct milp_limits ample = {.time_s = 10};

static size_t column(struct milp *milp, enum milp_column kind, double lower, double upper, double cost) {
    size_t number = 99;
    assert_int_equal(milp_add_column(milp, kind, lower, upper, cost, &number, NULL), DC_OK);
    return number;
}

/* A knapsack of n items, deterministic; weights and values differ enough that it takes some branching. */
static struct milp *knapsack(size_t n, unsigned seed) {
    struct milp *milp = NULL;
    assert_int_equal(milp_new(&milp, NULL), DC_OK);
    size_t columns[64];
    double weights[64], total = 0;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        weights[i] = 20 + (double)(seed >> 16 & 63);
        total += weights[i];
        columns[i] = column(milp, MILP_INTEGER, 0, 1, -(weights[i] + (double)(seed >> 24 & 7)));
    }
    assert_int_equal(milp_add_row(milp, -INFINITY, floor(total / 2), n, columns, weights, NULL), DC_OK);
    return milp;
}

static void test_lp_and_mip(void **state) {
    (void)state;
    struct milp *milp = NULL;
    assert_int_equal(milp_new(&milp, NULL), DC_OK);
    size_t c[2] = {column(milp, MILP_INTEGER, 0, INFINITY, -5), column(milp, MILP_INTEGER, 0, INFINITY, -4)};
    assert_int_equal(milp_add_row(milp, -INFINITY, 24, 2, c, (double[]){6, 4}, NULL), DC_OK);
    assert_int_equal(milp_add_row(milp, -INFINITY, 6, 2, c, (double[]){1, 2}, NULL), DC_OK);
    struct milp_result result;
    assert_int_equal(milp_solve_lp(milp, &ample, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_OPTIMAL);
    assert_near(result.objective, -21, 1e-9);
    assert_near(milp_value(milp, c[1]), 1.5, 1e-9);
    assert_int_equal(milp_solve(milp, NULL, NULL, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_OPTIMAL);
    assert_near(result.objective, -20, 1e-9);
    assert_near(result.bound, -20, 1e-9);
    assert_near(milp_value(milp, c[0]), 4, 0);
    assert_near(milp_value(milp, 7), 0, 0);
    milp_free(&milp);
    milp_free(&milp);
}

static void test_nothing_to_do(void **state) {
    (void)state;
    struct milp *milp = NULL;
    struct milp_result result;
    assert_int_equal(milp_new(&milp, NULL), DC_OK);
    assert_int_equal(milp_solve_lp(milp, &ample, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_OPTIMAL);
    assert_int_equal(milp_solve(milp, &ample, NULL, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_OPTIMAL);
    assert_int_equal(milp_add_row(milp, 0, 1, 0, NULL, NULL, NULL), DC_OK);
    assert_int_equal(milp_solve(milp, &ample, NULL, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_OPTIMAL);
    size_t fixed = column(milp, MILP_INTEGER, 3, 3, 2);
    assert_int_equal(milp_solve(milp, &ample, NULL, &result, NULL), DC_OK);
    assert_near(milp_value(milp, fixed), 3, 0);
    assert_near(result.objective, 6, 1e-9);
    milp_free(&milp);
}

static void test_infeasible_and_unbounded(void **state) {
    (void)state;
    struct milp *milp = NULL;
    struct milp_result result;
    assert_int_equal(milp_new(&milp, NULL), DC_OK);
    size_t x = column(milp, MILP_INTEGER, -INFINITY, INFINITY, 1);
    assert_int_equal(milp_add_row(milp, -INFINITY, 5, 1, &x, (double[]){1}, NULL), DC_OK);
    assert_int_equal(milp_solve(milp, &ample, NULL, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_UNBOUNDED);
    assert_int_equal(milp_solve_lp(milp, &ample, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_UNBOUNDED);
    assert_int_equal(milp_add_row(milp, 6, INFINITY, 1, &x, (double[]){1}, NULL), DC_OK);
    assert_int_equal(milp_solve(milp, &ample, NULL, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_INFEASIBLE);
    assert_int_equal(milp_solve_lp(milp, &ample, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_INFEASIBLE);
    milp_free(&milp);

    assert_int_equal(milp_new(&milp, NULL), DC_OK);
    column(milp, MILP_INTEGER, 0.2, 0.8, 1); /* feasible as an LP only */
    assert_int_equal(milp_solve(milp, &ample, NULL, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_INFEASIBLE);
    assert_int_equal(milp_solve_lp(milp, &ample, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_OPTIMAL);
    milp_free(&milp);
}

static void test_misuse_is_refused(void **state) {
    (void)state;
    struct milp *milp = NULL;
    assert_int_equal(milp_new(&milp, NULL), DC_OK);
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(milp_add_column(milp, MILP_CONTINUOUS, NAN, 1, 0, NULL, &err), DC_EINVAL);
    assert_int_equal(milp_add_column(milp, MILP_CONTINUOUS, 0, 1, NAN, NULL, NULL), DC_EINVAL);
    assert_int_equal(milp_add_column(milp, MILP_CONTINUOUS, 0, 1, INFINITY, NULL, NULL), DC_EINVAL);
    assert_int_equal(milp_add_column(milp, MILP_CONTINUOUS, 2, 1, 0, NULL, NULL), DC_EINVAL);
    assert_int_equal(milp_add_column(milp, MILP_CONTINUOUS, INFINITY, INFINITY, 0, NULL, NULL), DC_EINVAL);
    size_t x = column(milp, MILP_CONTINUOUS, 0, 1, 1), unknown = 7;
    assert_int_equal(milp_add_row(milp, 0, 1, 1, &unknown, (double[]){1}, NULL), DC_EINVAL);
    assert_int_equal(milp_add_row(milp, 0, 1, 1, &x, (double[]){NAN}, NULL), DC_EINVAL);
    assert_int_equal(milp_add_row(milp, 1, NAN, 1, &x, (double[]){1}, NULL), DC_EINVAL);
    struct milp_result result;
    assert_int_equal(milp_solve(milp, &(struct milp_limits){.time_s = NAN}, NULL, &result, NULL), DC_EINVAL);
    assert_int_equal(milp_solve(milp, &ample, NULL, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_OPTIMAL);
    milp_free(&milp);
}

/* A column named twice in a row makes GLPK abort; here it must come back as a
 * status, say why, and neither another program nor the same thread is harmed. */
static void test_solver_abort_is_survived(void **state) {
    (void)state;
    struct milp *bystander = knapsack(12, 1), *milp = NULL;
    struct milp_result before, after;
    assert_int_equal(milp_solve(bystander, &ample, NULL, &before, NULL), DC_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(milp_new(&milp, NULL), DC_OK);
        size_t x = column(milp, MILP_CONTINUOUS, 0, 1, 1);
        assert_int_equal(milp_add_row(milp, 0, 1, 2, (size_t[]){x, x}, (double[]){1, 2}, NULL), DC_OK);
        struct dc_error err = DC_ERROR_NONE;
        struct milp_result result;
        assert_int_equal(milp_solve(milp, &ample, NULL, &result, &err), DC_ESOLVER);
        assert_non_null(strstr(err.text, "GLPK: "));
        assert_true(strlen(err.text) > 10);
        assert_int_equal(milp_solve_lp(milp, &ample, &result, NULL), DC_ESOLVER);
        milp_free(&milp);
    }
    assert_int_equal(milp_solve(bystander, &ample, NULL, &after, NULL), DC_OK);
    assert_near(before.objective, after.objective, 0);
    milp_free(&bystander);
}

static void test_node_limit_repeats(void **state) {
    (void)state;
    struct milp *milp = knapsack(40, 7);
    struct milp_limits limits = {.time_s = 20, .n_nodes = 30};
    struct milp_result first, again;
    assert_int_equal(milp_solve(milp, &limits, NULL, &first, NULL), DC_OK);
    assert_int_equal(milp_solve(milp, &limits, NULL, &again, NULL), DC_OK);
    assert_int_equal(first.status, again.status);
    assert_memory_equal(&first.objective, &again.objective, sizeof first.objective);
    assert_memory_equal(&first.bound, &again.bound, sizeof first.bound);
    assert_true(first.status == MILP_LIMIT || first.bound <= first.objective + 1e-9);
    struct milp_result full;
    assert_int_equal(milp_solve(milp, &(struct milp_limits){.time_s = 20, .gap_frac = 1e-3}, NULL, &full, NULL), DC_OK);
    assert_int_equal(full.status, MILP_OPTIMAL);
    assert_true(first.bound <= full.objective + 1e-6);
    milp_free(&milp);
}

static void test_start(void **state) {
    (void)state;
    struct milp *milp = knapsack(30, 3);
    double start[30] = {1, 1};
    struct milp_limits one_node = {.time_s = 10, .n_nodes = 1};
    struct milp_result result;
    assert_int_equal(milp_solve(milp, &one_node, start, &result, NULL), DC_OK);
    assert_true(result.status == MILP_FEASIBLE || result.status == MILP_OPTIMAL);
    assert_true(result.objective < 0);
    assert_true(result.bound <= result.objective + 1e-9);
    /* Starts that break a row, a bound or integrality, or hold NaN, must not turn up as solutions. */
    struct milp_result plain;
    assert_int_equal(milp_solve(milp, &ample, NULL, &plain, NULL), DC_OK);
    double bad[4] = {1, 2, 0.5, NAN};
    for (size_t k = 0; k < 4; k++) {
        for (size_t i = 0; i < 30; i++)
            start[i] = k == 0 ? 1 : 0;
        start[5] = bad[k];
        assert_int_equal(milp_solve(milp, &ample, start, &result, NULL), DC_OK);
        assert_near(result.objective, plain.objective, 1e-6);
    }
    milp_free(&milp);
}

static void test_limits_with_nothing_at_hand(void **state) {
    (void)state;
    struct milp *milp = knapsack(40, 11);
    struct milp_result result;
    assert_int_equal(milp_solve(milp, &(struct milp_limits){.time_s = 0}, NULL, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_LIMIT);
    assert_true(result.bound < -1e300);
    assert_int_equal(milp_solve_lp(milp, &(struct milp_limits){.time_s = -1}, &result, NULL), DC_OK);
    assert_int_equal(result.status, MILP_LIMIT);
    atomic_bool cancel = true;
    assert_int_equal(milp_solve(milp, &(struct milp_limits){.time_s = 5, .cancel = &cancel}, NULL, &result, NULL),
                     DC_OK);
    assert_true(result.status == MILP_LIMIT || result.status == MILP_FEASIBLE);
    assert_near(milp_value(milp, 0), 0, 1);
    milp_free(&milp);
}

static void *solve_many(void *context) {
    unsigned seed = *(unsigned *)context;
    for (unsigned i = 0; i < 8; i++) {
        struct milp *milp = knapsack(18, seed + i % 2);
        struct milp_result first, again;
        if (milp_solve(milp, &ample, NULL, &first, NULL) != DC_OK || first.status != MILP_OPTIMAL)
            return context;
        if (milp_solve(milp, &ample, NULL, &again, NULL) != DC_OK || again.objective != first.objective)
            return context;
        size_t twice[2] = {0, 0};
        if (milp_add_row(milp, 0, 1, 2, twice, (double[]){1, 1}, NULL) != DC_OK ||
            milp_solve(milp, &ample, NULL, &again, NULL) != DC_ESOLVER)
            return context;
        milp_free(&milp);
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    pthread_t threads[2];
    unsigned seeds[2] = {5, 50};
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, solve_many, &seeds[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lp_and_mip),
        cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_infeasible_and_unbounded),
        cmocka_unit_test(test_misuse_is_refused),
        cmocka_unit_test(test_solver_abort_is_survived),
        cmocka_unit_test(test_node_limit_repeats),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_limits_with_nothing_at_hand),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
