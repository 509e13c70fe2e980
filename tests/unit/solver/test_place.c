/*
 * Placement: what it returns fits, is near the best that brute force finds,
 * and where it gives up the conflict names the reason.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/place.h"
#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { MAX_VMS = 64, MAX_HOSTS = 16, MAX_ARCS = 64 };

static const struct milp_limits ample = {.time_s = 10};

static void freeze(struct problem *problem) {
    struct dc_error err = DC_ERROR_NONE;
    if (problem_freeze(problem, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
}

static struct solution run(const struct problem *problem, long *to) {
    struct solution solution = {0};
    assert_int_equal(place(problem, &ample, 1, to, &solution, NULL), DC_OK);
    return solution;
}

/* Seconds that the busiest arc is busy. */
static double peak_s(const struct problem *problem, const long *to) {
    double busy_s[MAX_ARCS] = {0}, peak = 0;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        size_t from = problem->vms[vm].host, n_arcs = 0;
        if (to[vm] == PROBLEM_ANY || (size_t)to[vm] == from)
            continue;
        const uint32_t *arcs = problem_path(problem, from, (size_t)to[vm], &n_arcs);
        double bandwidth = problem_path_bandwidth(problem, vm, from, (size_t)to[vm]);
        for (size_t i = 0; i < n_arcs; i++) {
            busy_s[arcs[i]] += problem_cost_bytes(&problem->vms[vm].cost[PROBLEM_P95], bandwidth) /
                               problem->arcs[arcs[i]].capacity_bytes_per_s;
            peak = fmax(peak, busy_s[arcs[i]]);
        }
    }
    return peak;
}

static bool rules_hold(const struct problem *problem, const long *to) {
    for (size_t r = 0; r < problem->n_rules; r++) {
        const struct problem_rule *rule = &problem->rules[r];
        for (size_t i = 0; i < rule->n_vms; i++) {
            for (size_t k = 0; k < i; k++) {
                bool same = to[rule->vms[i]] == to[rule->vms[k]];
                if ((rule->type == PROBLEM_SPREAD && same) || (rule->type == PROBLEM_GATHER && !same))
                    return false;
            }
        }
    }
    return true;
}

/* Is there room for the end state wherever somebody arrives? VMs without a destination stay. */
static bool room_holds(const struct problem *problem, const long *to) {
    double bytes[MAX_HOSTS] = {0}, cores[MAX_HOSTS] = {0};
    bool arrives[MAX_HOSTS] = {false};
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        size_t host = to[vm] == PROBLEM_ANY ? problem->vms[vm].host : (size_t)to[vm];
        arrives[host] = arrives[host] || host != problem->vms[vm].host;
        bytes[host] += problem->vms[vm].memory_bytes;
        cores[host] += problem->vms[vm].cpu_cores;
        if (problem->vms[vm].moves && to[vm] != PROBLEM_ANY &&
            (host == problem->vms[vm].host || problem->allowed[vm * problem->n_hosts + host] == 0))
            return false;
    }
    for (size_t host = 0; host < problem->n_hosts; host++) {
        if (!arrives[host])
            continue;
        if (bytes[host] > problem->hosts[host].memory_bytes)
            return false;
        if (problem->hosts[host].cpu_cores > 0 && cores[host] > problem->hosts[host].cpu_cores + 1e-6)
            return false;
    }
    return true;
}

static bool end_holds(const struct problem *problem, const long *to) {
    return room_holds(problem, to) && rules_hold(problem, to);
}

static size_t n_unplaced(const struct problem *problem, const long *to) {
    size_t n = 0;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        n += to[vm] == PROBLEM_ANY;
    return n;
}

static double brute_force(const struct problem *problem, size_t n_movers, size_t vm, long *to) {
    if (vm == n_movers)
        return end_holds(problem, to) ? peak_s(problem, to) : INFINITY;
    double best = INFINITY;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        if (host == problem->vms[vm].host || problem->allowed[vm * problem->n_hosts + host] == 0)
            continue;
        to[vm] = (long)host;
        best = fmin(best, brute_force(problem, n_movers, vm + 1, to));
    }
    return best;
}

static void test_near_brute_force(void **state) {
    (void)state;
    size_t n_feasible = 0, n_tight = 0;
    double worst = 1;
    for (uint64_t seed = 1; seed <= 80; seed++) {
        size_t n_movers = 3 + seed % 4, n_sources = 1 + seed % 3;
        struct problem problem =
            small_evacuation(seed, n_sources + 3, n_sources, n_movers, 1 + seed % 2, 0.45 + 0.01 * (double)(seed % 50));
        size_t group[2] = {0, n_movers - 1};
        if (seed % 4 == 0) /* the sources may receive from each other */
            for (size_t host = 0; host < n_sources; host++)
                small_set_receives(&problem, host, true);
        if (seed % 3 != 0)
            small_add_rule(&problem, seed % 3 == 1 ? PROBLEM_SPREAD : PROBLEM_GATHER, 2, group);
        freeze(&problem);
        long to[MAX_VMS], trial[MAX_VMS];
        struct solution solution = run(&problem, to);
        memcpy(trial, to, sizeof trial);
        double best_s = brute_force(&problem, n_movers, 0, trial);
        if (isfinite(best_s)) {
            n_feasible++;
            if (n_unplaced(&problem, to) > 0)
                fail_msg("seed %llu: %zu unplaced, but there is a placement", (unsigned long long)seed,
                         n_unplaced(&problem, to));
            assert_true(end_holds(&problem, to));
            assert_int_equal(solution.n_conflicts, 0);
            worst = fmax(worst, peak_s(&problem, to) / best_s);
        } else {
            n_tight++;
            assert_true(room_holds(&problem, to));
            assert_true(n_unplaced(&problem, to) > 0);
            assert_true(solution.n_conflicts >= n_unplaced(&problem, to));
        }
        solution_dispose(&solution);
        problem_dispose(&problem);
    }
    print_message("feasible %zu, infeasible %zu, worst peak %.4f of the best\n", n_feasible, n_tight, worst);
    assert_true(n_feasible > 30 && n_tight > 3);
    assert_true(worst < 1.05);
}

static void test_repeats(void **state) {
    (void)state;
    struct problem problem = small_evacuation(9, 8, 2, 30, 2, 0.6);
    freeze(&problem);
    long first[MAX_VMS], again[MAX_VMS];
    struct solution solution = run(&problem, first);
    solution_dispose(&solution);
    solution = run(&problem, again);
    solution_dispose(&solution);
    assert_memory_equal(first, again, problem.n_vms * sizeof *first);
    problem_dispose(&problem);
}

/* The one conflict of `vm`. */
static struct solution_conflict conflict_of(const struct solution *solution, long vm) {
    size_t n = 0;
    struct solution_conflict found = {0};
    for (size_t i = 0; i < solution->n_conflicts; i++) {
        if (solution->conflicts[i].vm == vm) {
            found = solution->conflicts[i];
            n++;
        }
    }
    assert_int_equal(n, 1);
    return found;
}

static void test_memory_conflicts(void **state) {
    (void)state;
    struct problem problem = small_network(3, 3, 1, 16, 1, 0);
    small_set_vm(&problem, 0, 0, 8, true, 0);
    small_set_vm(&problem, 1, 1, 10, false, 0);
    small_set_vm(&problem, 2, 2, 11, false, 0);
    freeze(&problem);
    long to[MAX_VMS];
    struct solution solution = run(&problem, to);
    assert_int_equal(to[0], PROBLEM_ANY);
    assert_int_equal(to[1], 1);
    struct solution_conflict conflict = conflict_of(&solution, 0);
    assert_int_equal(conflict.kind, CONFLICT_MEMORY);
    assert_int_equal(conflict.host, 1);
    assert_true(conflict.needed == 8e9 && conflict.available == 6e9);
    assert_int_equal(solution.n_conflicts, 1); /* together there would be room: 11 GB */
    solution_dispose(&solution);
    problem_dispose(&problem);

    problem = small_network(2, 3, 1, 16, 1, 0); /* each fits alone, both do not */
    small_set_vm(&problem, 0, 0, 4, true, 0);
    small_set_vm(&problem, 1, 0, 4, true, 0);
    small_set_vm(&problem, 2, 1, 10, false, 0);
    freeze(&problem);
    solution = run(&problem, to);
    assert_int_equal(n_unplaced(&problem, to), 1);
    assert_int_equal(solution.n_conflicts, 2);
    conflict = conflict_of(&solution, PROBLEM_ANY);
    assert_int_equal(conflict.kind, CONFLICT_MEMORY);
    assert_true(conflict.needed == 8e9 && conflict.available == 6e9);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void test_rule_and_cpu_conflicts(void **state) {
    (void)state;
    struct problem problem = small_network(3, 4, 1, 64, 1, 0);
    for (size_t vm = 0; vm < 3; vm++)
        small_set_vm(&problem, vm, 0, 4, true, 0);
    small_set_vm(&problem, 3, 1, 4, false, 0);
    problem.hosts[1].cpu_cores = problem.hosts[2].cpu_cores = 8;
    problem.vms[2].cpu_cores = 9;
    small_add_rule(&problem, PROBLEM_SPREAD, 3, (size_t[]){0, 1, 3});
    freeze(&problem);
    long to[MAX_VMS];
    struct solution solution = run(&problem, to);
    assert_int_equal(n_unplaced(&problem, to), 2); /* only host 2 is left for one of 0 and 1 */
    size_t left = to[0] == PROBLEM_ANY ? 0 : 1;
    assert_int_equal(to[1 - left], 2);
    struct solution_conflict conflict = conflict_of(&solution, (long)left);
    assert_int_equal(conflict.kind, CONFLICT_RULE);
    assert_int_equal(conflict.rule, 0);
    conflict = conflict_of(&solution, 2);
    assert_int_equal(conflict.kind, CONFLICT_CPU);
    assert_true(conflict.needed == 9 && conflict.available == 8);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void test_no_host_conflicts(void **state) {
    (void)state;
    struct problem problem = small_network(3, 3, 1, 64, 1, 0);
    for (size_t vm = 0; vm < 3; vm++)
        small_set_vm(&problem, vm, 0, 4, true, 0);
    struct problem_rule *ban = small_add_rule(&problem, PROBLEM_BAN, 1, (size_t[]){0});
    ban->n_hosts = 2;
    ban->hosts[0] = 1;
    ban->hosts[1] = 2;
    problem.allowed[0 * 3 + 1] = problem.allowed[0 * 3 + 2] = 0;
    problem.allowed[1 * 3 + 1] = problem.allowed[1 * 3 + 2] = 0; /* by features, say */
    problem.vms[2].max_bandwidth_bytes_per_s = 1e6;              /* below where it converges */
    freeze(&problem);
    long to[MAX_VMS];
    struct solution solution = run(&problem, to);
    assert_int_equal(n_unplaced(&problem, to), 3);
    assert_int_equal(conflict_of(&solution, 0).kind, CONFLICT_NO_HOST);
    assert_int_equal(conflict_of(&solution, 0).rule, 0);
    assert_int_equal(conflict_of(&solution, 1).kind, CONFLICT_NO_HOST);
    assert_int_equal(conflict_of(&solution, 1).rule, PROBLEM_ANY);
    assert_int_equal(conflict_of(&solution, 2).kind, CONFLICT_BANDWIDTH);
    assert_true(conflict_of(&solution, 2).available == 1e6);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

/* Given destinations are kept, a swap of full hosts too; what overflows at the end is not. */
static void test_given_destinations(void **state) {
    (void)state;
    struct problem problem = small_network(3, 3, 1, 10, 1, 0);
    small_set_vm(&problem, 0, 0, 8, true, 0);
    small_set_vm(&problem, 1, 1, 8, true, 0);
    small_set_vm(&problem, 2, 2, 4, true, 0);
    problem.vms[0].to = 1;
    problem.vms[1].to = 0;
    problem.vms[2].to = 0;
    freeze(&problem);
    long to[MAX_VMS];
    struct solution solution = run(&problem, to);
    assert_int_equal(to[0], 1);
    assert_int_equal(to[1], 0);
    assert_int_equal(to[2], PROBLEM_ANY);
    struct solution_conflict conflict = conflict_of(&solution, 2);
    assert_int_equal(conflict.kind, CONFLICT_MEMORY);
    assert_int_equal(conflict.host, 0);
    assert_true(conflict.needed == 4e9 && conflict.available == 2e9);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

/* A VM that the precheck gave up is left where it is, without a second conflict. */
static void test_known_conflicts(void **state) {
    (void)state;
    struct problem problem = small_network(3, 2, 1, 64, 1, 0);
    small_set_vm(&problem, 0, 0, 4, true, 0);
    small_set_vm(&problem, 1, 0, 4, true, 0);
    freeze(&problem);
    struct solution solution = {0};
    struct solution_conflict known = {CONFLICT_DOWNTIME_BUDGET, 1, PROBLEM_ANY, PROBLEM_ANY, 1, 0, 0};
    assert_int_equal(solution_add_conflict(&solution, &known, NULL), DC_OK);
    long to[MAX_VMS];
    assert_int_equal(place(&problem, &ample, 1, to, &solution, NULL), DC_OK);
    assert_true(to[0] != PROBLEM_ANY);
    assert_int_equal(to[1], PROBLEM_ANY);
    assert_int_equal(solution.n_conflicts, 1);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_brute_force),  cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_memory_conflicts),  cmocka_unit_test(test_rule_and_cpu_conflicts),
        cmocka_unit_test(test_no_host_conflicts), cmocka_unit_test(test_given_destinations),
        cmocka_unit_test(test_known_conflicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
