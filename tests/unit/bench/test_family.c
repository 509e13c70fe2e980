/* Instances are the same for a seed, swaps are as full as they say; and the placement bound where sources are too many
 * to be told apart: it holds, and is worth having. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/bound.h"
#include "solver/consolidate.h"
#include "solver/solve.h"
#include "solver/verify.h"
#include "tests/bench/family.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct family *find(const char *name) {
    for (const struct family *family = families; family->name != NULL; family++)
        if (strcmp(family->name, name) == 0)
            return family;
    return NULL;
}

static void test_same_seed_same_instance(void **state) {
    (void)state;
    struct problem problems[3];
    const uint64_t seeds[] = {7, 7, 8};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(family_make(find("host-20"), seeds[i], &problems[i], NULL), DC_OK);
    bool differs = false;
    for (size_t vm = 0; vm < problems[0].n_vms; vm++) {
        const struct problem_vm *a = &problems[0].vms[vm], *b = &problems[1].vms[vm], *c = &problems[2].vms[vm];
        assert_true(a->memory_bytes == b->memory_bytes && a->downtime_budget_s == b->downtime_budget_s);
        assert_true(problem_cost_duration_s(&a->cost[1], 1e9) == problem_cost_duration_s(&b->cost[1], 1e9));
        differs = differs || a->memory_bytes != c->memory_bytes;
    }
    assert_true(differs);
    for (size_t i = 0; i < 3; i++)
        problem_dispose(&problems[i]);
}

static void test_swaps_are_full(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct problem problem;
        double used[4] = {0}, arriving[4] = {0};
        assert_int_equal(family_make(find("swap"), seed, &problem, NULL), DC_OK);
        assert_true(problem.n_vms <= 20 && problem.n_hosts <= 4);
        for (size_t vm = 0; vm < problem.n_vms; vm++) {
            assert_true(problem.vms[vm].moves && problem.vms[vm].to != (long)problem.vms[vm].host);
            used[problem.vms[vm].host] += problem.vms[vm].memory_bytes;
            arriving[problem.vms[vm].to] += problem.vms[vm].memory_bytes;
        }
        for (size_t host = 0; host < problem.n_hosts; host++) {
            assert_true(fabs(used[host] / problem.hosts[host].memory_bytes - 0.9) < 1e-6);
            assert_true(used[host] == arriving[host]);
        }
        problem_dispose(&problem);
    }
}

enum { N_HOSTS = 1000 };

/* In racks of 20, consolidated. */
static void make_consolidation(uint64_t seed, struct problem *problem) {
    const struct family family = {.kind = FAMILY_CONSOLIDATION, .n_receivers = N_HOSTS, .hosts_per_rack = 20};
    struct consolidate_host hosts[N_HOSTS];
    struct consolidate_result chosen;
    for (size_t i = 0; i < N_HOSTS; i++)
        hosts[i] = (struct consolidate_host){.is_on = true, .may_change = true};
    const struct consolidate_options options = {.objective = CONSOLIDATE_FEWEST, .hosts = hosts, .seed = seed};
    assert_int_equal(family_make(&family, seed, problem, NULL), DC_OK);
    assert_int_equal(consolidate(problem, &options, &chosen, NULL), DC_OK);
    assert_int_equal(family_settle(seed, chosen.to, chosen.off, problem, NULL), DC_OK);
    consolidate_result_dispose(&chosen);
}

static void test_bound_of_many_sources(void **state) {
    (void)state;
    struct problem problem;
    struct solution solution;
    struct solution_bound closed;
    struct verification verification;
    const struct solve_options options = {.seed = 1, .is_quick = true, .time_limit_s = 3};
    make_consolidation(1, &problem);
    assert_int_equal(bound_closed_form(&problem, PROBLEM_P95, NULL, &closed, NULL), DC_OK);
    assert_int_equal(solve(&problem, &options, &solution, NULL), DC_OK);
    assert_int_equal(solution.bound.kind, SOLUTION_BOUND_PLACEMENT);
    assert_true(solution.bound.value_s > 1.2 * closed.value_s);
    assert_int_equal(verify(&problem, &solution, false, &verification, NULL), DC_OK);
    assert_int_equal(verification.n_violations, 0); /* the makespan is not below the bound, for one */
    verification_dispose(&verification);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_seed_same_instance),
                                       cmocka_unit_test(test_swaps_are_full),
                                       cmocka_unit_test(test_bound_of_many_sources)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
