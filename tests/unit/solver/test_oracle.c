/*
 * Brute force as the oracle, at up to five VMs: every placement, every order,
 * several start thresholds through the decoder. What solve() finds must be near the best of
 * these, and no bound may be above it. Then cases whose best makespan is known by hand.
 *
 * A failing case prints its seed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/bound.h"
#include "solver/decode.h"
#include "solver/solve.h"
#include "solver/step_model.h"
#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { MAX_VMS = 32, MAX_MOVERS = 5, MAX_HOSTS = 12 };

static const double near_frac = 0.02; /* what solve() may lie above the oracle */
static const struct milp_limits ample = {.time_s = 20};

struct search {
    struct problem *problem;
    size_t n_movers; /* the first VMs */
    long to[MAX_VMS];
    double free_bytes[MAX_HOSTS];
    struct decoder *decoder;
    struct decode_order order;
    size_t vm[MAX_MOVERS];
    double threshold_frac[MAX_MOVERS];
    double best_s;
    long best_to[MAX_VMS];
};

static void freeze(struct problem *problem) {
    struct dc_error err = DC_ERROR_NONE;
    if (problem_freeze(problem, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
}

static void decode_one(struct search *search) {
    double makespan_s = decoder_makespan(search->decoder, &search->order);
    if (makespan_s < search->best_s) {
        search->best_s = makespan_s;
        memcpy(search->best_to, search->to, sizeof search->to);
    }
}

/* All VMs at one threshold, then every mixture of a low and a high one. */
static void try_thresholds(struct search *search) {
    static const double levels[] = {0, 0.25, 0.5, 0.75};
    for (size_t k = 0; k < sizeof levels / sizeof levels[0]; k++) {
        for (size_t i = 0; i < search->n_movers; i++)
            search->threshold_frac[i] = levels[k];
        decode_one(search);
    }
    for (unsigned mask = 1; mask < 1u << search->n_movers; mask++) {
        for (size_t i = 0; i < search->n_movers; i++)
            search->threshold_frac[i] = (mask >> i & 1) != 0 ? 0.99 : 0.2;
        decode_one(search);
    }
}

static void try_orders(struct search *search, size_t depth) {
    if (depth == search->n_movers) {
        try_thresholds(search);
        return;
    }
    for (size_t i = depth; i < search->n_movers; i++) {
        size_t vm = search->vm[depth];
        search->vm[depth] = search->vm[i];
        search->vm[i] = vm;
        try_orders(search, depth + 1);
        search->vm[i] = search->vm[depth];
        search->vm[depth] = vm;
    }
}

static void decode_placement(struct search *search) {
    assert_int_equal(decoder_new(search->problem, search->to, PROBLEM_P95, &search->decoder, NULL), DC_OK);
    for (size_t i = 0; i < search->n_movers; i++)
        search->vm[i] = i;
    try_orders(search, 0);
    decoder_free(&search->decoder);
}

static void try_placements(struct search *search, size_t vm) {
    const struct problem *problem = search->problem;
    if (vm == search->n_movers) {
        decode_placement(search);
        return;
    }
    const struct problem_vm *it = &problem->vms[vm];
    for (size_t host = 0; host < problem->n_hosts; host++) {
        if (host == it->host || problem->allowed[vm * problem->n_hosts + host] == 0 ||
            (it->to != PROBLEM_ANY && (size_t)it->to != host) || search->free_bytes[host] < it->memory_bytes)
            continue;
        search->to[vm] = (long)host;
        search->free_bytes[host] -= it->memory_bytes;
        try_placements(search, vm + 1);
        search->free_bytes[host] += it->memory_bytes;
    }
}

/* The best that brute force finds; INFINITY: nothing. */
static double oracle(struct problem *problem, size_t n_movers, long *best_to) {
    static struct search search;
    search = (struct search){.problem = problem, .n_movers = n_movers, .best_s = INFINITY};
    search.order = (struct decode_order){n_movers, search.vm, search.threshold_frac};
    for (size_t host = 0; host < problem->n_hosts; host++)
        search.free_bytes[host] = problem->hosts[host].memory_bytes;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        search.to[vm] = (long)problem->vms[vm].host;
        search.free_bytes[problem->vms[vm].host] -= vm < n_movers ? 0 : problem->vms[vm].memory_bytes;
    }
    try_placements(&search, 0);
    memcpy(best_to, search.best_to, sizeof search.best_to);
    return search.best_s;
}

static void check_bound(const char *name, uint64_t seed, double bound_s, double best_s) {
    if (bound_s > best_s * (1 + 1e-6))
        fail_msg("seed %llu: %s is %.6f, above the oracle's %.6f", (unsigned long long)seed, name, bound_s, best_s);
}

static void check_bounds(struct problem *problem, uint64_t seed, double best_s, const long *best_to) {
    struct solution_bound bound;
    struct solution_prices prices;
    assert_int_equal(bound_closed_form(problem, PROBLEM_P95, NULL, &bound, NULL), DC_OK);
    check_bound("LB1", seed, bound.value_s, best_s);
    assert_int_equal(bound_placement(problem, PROBLEM_P95, &ample, &bound, &prices, NULL), DC_OK);
    solution_prices_dispose(&prices);
    check_bound("LB2", seed, bound.value_s, best_s);
    size_t vm[MAX_VMS];
    double threshold_frac[MAX_VMS];
    struct decode_order order = {0, vm, threshold_frac};
    struct solution incumbent = {.makespan_s = {best_s * 1.1, best_s * 1.1}};
    struct step_model_result result;
    assert_int_equal(step_model_solve(problem, best_to, PROBLEM_P95, &incumbent, &ample, &order, &result, NULL), DC_OK);
    check_bound("LB4", seed, result.bound_s, best_s);
}

/* Returns how far solve() is above the oracle. */
static double check_solve(struct problem *problem, uint64_t seed, double best_s) {
    struct solve_options options = {.seed = 1, .time_limit_s = 20};
    struct solution solution = {0};
    struct dc_error err = DC_ERROR_NONE;
    if (solve(problem, &options, &solution, &err) != DC_OK)
        fail_msg("seed %llu: %s", (unsigned long long)seed, error_text(&err));
    if (solution.status != SOLUTION_OPTIMAL && solution.status != SOLUTION_FEASIBLE)
        fail_msg("seed %llu: status %d, but there is a schedule of %.3f s", (unsigned long long)seed,
                 (int)solution.status, best_s);
    double makespan_s = solution.makespan_s[PROBLEM_P95];
    check_bound("the solution's bound", seed, solution.bound.value_s, fmin(best_s, makespan_s));
    if (makespan_s > best_s * (1 + near_frac))
        fail_msg("seed %llu: solve() %.3f s, oracle %.3f s", (unsigned long long)seed, makespan_s, best_s);
    solution_dispose(&solution);
    return makespan_s / best_s - 1;
}

static void check_all(struct problem *problem, size_t n_movers, uint64_t seed, double *excess_sum, size_t *n_feasible) {
    freeze(problem);
    long best_to[MAX_VMS];
    double best_s = oracle(problem, n_movers, best_to);
    if (isfinite(best_s)) {
        check_bounds(problem, seed, best_s, best_to);
        *excess_sum += check_solve(problem, seed, best_s);
        ++*n_feasible;
    }
    problem_dispose(problem);
}

static void test_evacuations(void **state) {
    (void)state;
    double excess_sum = 0;
    size_t n_feasible = 0;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        size_t n_sources = 1 + seed % 2, n_movers = 2 + seed % 3;
        struct problem problem =
            small_evacuation(seed, n_sources + 2, n_sources, n_movers, 1 + seed % 2, 0.3 + 0.02 * (double)(seed % 20));
        if (seed % 5 == 0)
            problem.hosts[0].max_migrations = 1;
        if (seed % 7 == 0)
            small_add_rule(&problem, PROBLEM_SPREAD, 2, (size_t[]){0, 1});
        check_all(&problem, n_movers, seed, &excess_sum, &n_feasible);
    }
    print_message("evacuations: %zu feasible, solve() %.3f%% above the oracle on average\n", n_feasible,
                  100 * excess_sum / (double)n_feasible);
    assert_true(n_feasible > 12);
}

/* Given destinations, five VMs, heavy dirtying, budgets, own caps. */
static void test_given_moves(void **state) {
    (void)state;
    double excess_sum = 0;
    size_t n_feasible = 0;
    for (uint64_t seed = 1; seed <= 16; seed++) {
        uint64_t random = seed;
        size_t n_movers = 3 + seed % 3;
        struct problem problem = small_network(5, n_movers, 1 + seed % 2, 24, 1.17, 1.17);
        for (size_t vm = 0; vm < n_movers; vm++) {
            double memory_gb = (double)(1u << small_random(&random) % 4), dirty = small_uniform(&random, 0, 0.15);
            size_t from = small_random(&random) % 5, by = 1 + small_random(&random) % 4;
            small_set_vm(&problem, vm, from, memory_gb, true, dirty);
            problem.vms[vm].to = (long)((from + by) % 5);
            if (small_random(&random) % 4 == 0)
                problem.vms[vm].max_bandwidth_bytes_per_s = 0.5 * small_gb;
        }
        check_all(&problem, n_movers, seed, &excess_sum, &n_feasible);
    }
    print_message("given moves: %zu feasible, solve() %.3f%% above the oracle on average\n", n_feasible,
                  100 * excess_sum / (double)n_feasible);
    assert_true(n_feasible > 6);
}

/* Cases by hand: VMs that dirty nothing, 1 GB/s links, 0.4 s before and 0.3 s after. */
struct by_hand {
    const char *name;
    size_t n_vms;
    struct {
        size_t from, to;
        double memory_gb;
    } vms[4];
    unsigned max_parallel;
    double host_memory_gb;
    double best_s;
};

static const struct by_hand cases[] = {
    {"one VM", 1, {{0, 1, 8}}, 0, 64, 0.7 + 8},
    {"two equal VMs, one link: pre + 2 vol / C + post", 2, {{0, 1, 8}, {0, 2, 8}}, 0, 64, 0.7 + 16},
    {"two VMs into one host", 2, {{0, 2, 4}, {1, 2, 8}}, 0, 64, 0.7 + 12},
    {"apart: the longer one", 2, {{0, 1, 4}, {2, 3, 8}}, 0, 64, 0.7 + 8},
    {"one at a time: the sum of durations", 3, {{0, 1, 4}, {1, 2, 8}, {2, 3, 2}}, 1, 64, 3 * 0.7 + 14},
    {"full hosts: a chain", 3, {{0, 1, 8}, {1, 2, 8}, {2, 3, 8}}, 0, 10, 3 * (0.7 + 8)},
};

static void test_by_hand(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct by_hand *it = &cases[i];
        struct problem problem = small_network(4, it->n_vms, 1, it->host_memory_gb, 1, 0);
        problem.max_parallel = it->max_parallel;
        for (size_t vm = 0; vm < it->n_vms; vm++) {
            small_set_vm(&problem, vm, it->vms[vm].from, it->vms[vm].memory_gb, true, 0);
            problem.vms[vm].to = (long)it->vms[vm].to;
        }
        freeze(&problem);
        long best_to[MAX_VMS];
        double best_s = oracle(&problem, it->n_vms, best_to);
        print_message("%-50s by hand %.2f s, oracle %.2f s\n", it->name, it->best_s, best_s);
        assert_true(best_s >= it->best_s * (1 - 1e-9) && best_s <= it->best_s * 1.02);
        check_bounds(&problem, i, it->best_s, best_to);
        check_solve(&problem, i, it->best_s);
        problem_dispose(&problem);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_evacuations),
        cmocka_unit_test(test_given_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
