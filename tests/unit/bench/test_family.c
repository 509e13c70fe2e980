/* Instances are the same for a seed, swaps are as full as they say; and the placement bound where sources are too many
 * to be told apart: it holds, and is worth having. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/bound.h"
#include "solver/consolidate.h"
#include "solver/decode.h"
#include "solver/place.h"
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

/* The makespan of some schedule, by number. */
static double some_makespan_s(const struct problem *problem) {
    struct solution solution = {0};
    struct decoder *decoder = NULL;
    struct decode_order order = {0, calloc(problem->n_vms, sizeof(size_t)), calloc(problem->n_vms, sizeof(double))};
    long *to = calloc(problem->n_vms, sizeof(*to));
    assert_true(to != NULL && order.vm != NULL && order.threshold_frac != NULL);
    assert_int_equal(place(problem, NULL, 1, to, &solution, NULL), DC_OK);
    assert_int_equal(solution.n_conflicts, 0);
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        if (problem->vms[vm].moves)
            order.vm[order.n++] = vm;
    assert_int_equal(decoder_new(problem, to, PROBLEM_P95, &decoder, NULL), DC_OK);
    const double makespan_s = decoder_makespan(decoder, &order);
    decoder_free(&decoder);
    solution_dispose(&solution);
    free(order.vm);
    free(order.threshold_frac);
    free(to);
    return makespan_s;
}

static void test_bound_of_many_sources(void **state) {
    (void)state;
    struct problem problem;
    struct solution_bound closed, bound;
    struct solution_prices prices;
    const struct milp_limits limits = {.time_s = 100};
    make_consolidation(1, &problem);
    assert_int_equal(bound_closed_form(&problem, PROBLEM_P95, NULL, &closed, NULL), DC_OK);
    assert_int_equal(bound_placement(&problem, PROBLEM_P95, &limits, &bound, &prices, NULL), DC_OK);
    assert_int_equal(bound.kind, SOLUTION_BOUND_PLACEMENT);
    assert_true(bound.value_s > 1.2 * closed.value_s);
    const double makespan_s = some_makespan_s(&problem);
    assert_true(isfinite(makespan_s) && makespan_s >= bound.value_s && makespan_s < 2 * bound.value_s);
    solution_prices_dispose(&prices);
    problem_dispose(&problem);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_seed_same_instance),
                                       cmocka_unit_test(test_swaps_are_full),
                                       cmocka_unit_test(test_bound_of_many_sources)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
