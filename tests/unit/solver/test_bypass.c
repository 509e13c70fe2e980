/*
 * Bypass hops: circles that only a third host breaks, VMs that must not be
 * parked, and whether a way is found exactly where a search through all states finds one.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/solve.h"
#include "solver/verify.h"
#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { ORACLE_HOSTS = 4, ORACLE_VMS = 5, ORACLE_STATES = 243 };

static struct solution run(struct problem *problem) {
    struct dc_error err = DC_ERROR_NONE;
    struct solution solution = {0};
    struct verification verification;
    const struct solve_options options = {.seed = 1};
    if (problem_freeze(problem, &err) != DC_OK || solve(problem, &options, &solution, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    assert_int_equal(verify(problem, &solution, solution.n_conflicts > 0, &verification, &err), DC_OK);
    assert_int_equal(verification.n_violations, 0);
    verification_dispose(&verification);
    return solution;
}

static size_t count_hops(const struct solution *solution) {
    size_t n = 0;
    for (size_t i = 0; i < solution->n_steps; i++)
        n += solution->steps[i].hop;
    return n;
}

/* Host h is nearly filled by VM h, which goes to the next of `n_circle`; the other hosts are empty. */
static struct problem circle(size_t n_hosts, size_t n_circle) {
    struct problem problem = small_network(n_hosts, n_circle, 1, 64, 1.25, 4);
    for (size_t vm = 0; vm < n_circle; vm++) {
        small_set_vm(&problem, vm, vm, 40 + (double)vm, true, 0.01);
        problem.vms[vm].to = (long)((vm + 1) % n_circle);
    }
    return problem;
}

static void test_a_third_host_breaks_a_circle(void **state) {
    (void)state;
    for (size_t n_circle = 2; n_circle <= 5; n_circle++) {
        struct problem problem = circle(n_circle + 1, n_circle);
        struct solution solution = run(&problem);
        assert_int_equal(solution.status, SOLUTION_FEASIBLE);
        assert_int_equal(solution.n_steps, n_circle + 1);
        assert_int_equal(count_hops(&solution), 1);
        /* The first leg is the hop, the second waits for it, and the smallest VM is parked. */
        for (size_t i = 0; i < solution.n_steps; i++) {
            if (!solution.steps[i].hop)
                continue;
            assert_int_equal(solution.steps[i].vm, 0);
            assert_int_equal(solution.steps[i].to, n_circle);
            assert_true(solution.steps[i].duration_p50_s < solution.steps[i].end_s - solution.steps[i].start_s);
        }
        assert_int_equal(solution.steps[solution.n_steps - 1].vm, 0);
        assert_true(solution.steps[solution.n_steps - 1].n_after > 0);
        solution_dispose(&solution);
        problem_dispose(&problem);
    }
}

static void test_without_a_third_host_it_is_a_deadlock(void **state) {
    (void)state;
    struct problem problem = circle(3, 3);
    struct solution solution = run(&problem);
    assert_int_equal(solution.status, SOLUTION_INFEASIBLE);
    assert_int_equal(solution.n_conflicts, 3);
    for (size_t i = 0; i < solution.n_conflicts; i++)
        assert_int_equal(solution.conflicts[i].kind, CONFLICT_DEADLOCK);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void test_only_what_is_stuck_is_left_out(void **state) {
    (void)state;
    /* Two circles; only the VMs of the first may be parked on the fifth host. */
    struct problem problem = small_network(5, 4, 1, 64, 1.25, 4);
    for (size_t vm = 0; vm < 4; vm++) {
        small_set_vm(&problem, vm, vm, 40, true, 0.01);
        problem.vms[vm].to = (long)(vm ^ 1);
    }
    for (size_t vm = 0; vm < 4; vm++)
        for (size_t host = 0; host < 5; host++)
            problem.allowed[vm * 5 + host] = (long)host == problem.vms[vm].to || (host == 4 && vm < 2);
    struct solution solution = run(&problem);
    assert_int_equal(solution.status, SOLUTION_PARTIAL);
    assert_int_equal(solution.n_steps, 3);
    assert_int_equal(solution.n_conflicts, 2);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void test_rules_keep_vms_from_being_parked(void **state) {
    (void)state;
    struct problem problem = circle(3, 2);
    const size_t vms[] = {0, 1};
    small_add_rule(&problem, PROBLEM_SERIALIZE, 2, vms);
    struct solution solution = run(&problem);
    assert_int_equal(solution.status, SOLUTION_INFEASIBLE);
    assert_int_equal(solution.n_steps, 0);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

/* Places of VMs as digits: 0 where it was, 1 arrived, 2 parked on the last host. */
static size_t power(size_t vm) {
    size_t value = 1;
    while (vm-- > 0)
        value *= 3;
    return value;
}

static size_t place_in(size_t code, size_t vm, const struct problem *problem) {
    const size_t digit = code / power(vm) % 3;
    return digit == 0 ? problem->vms[vm].host : digit == 1 ? (size_t)problem->vms[vm].to : ORACLE_HOSTS - 1;
}

static bool fits_after(size_t code, size_t vm, size_t to, const struct problem *problem) {
    double used = problem->vms[vm].memory_bytes;
    for (size_t other = 0; other < ORACLE_VMS; other++)
        used += place_in(code, other, problem) == to && other != vm ? problem->vms[other].memory_bytes : 0;
    return used <= problem->hosts[to].memory_bytes;
}

/* One move after the other, from all places to all that they lead to. */
static bool is_possible(const struct problem *problem) {
    bool reached[ORACLE_STATES] = {true};
    bool grows = true;
    while (grows) {
        grows = false;
        for (size_t code = 0; code < ORACLE_STATES; code++) {
            for (size_t vm = 0; reached[code] && vm < ORACLE_VMS; vm++) {
                const size_t digit = code / power(vm) % 3;
                for (size_t next = digit == 0 ? 1 : digit == 2 ? 1 : 3; next <= (digit == 0 ? 2u : 1u); next++) {
                    const size_t after = code - digit * power(vm) + next * power(vm);
                    if (reached[after] || !fits_after(code, vm, place_in(after, vm, problem), problem))
                        continue;
                    reached[after] = grows = true;
                }
            }
        }
    }
    size_t all = 0;
    for (size_t vm = 0; vm < ORACLE_VMS; vm++)
        all += power(vm);
    return reached[all];
}

static void test_a_way_is_found_where_there_is_one(void **state) {
    (void)state;
    size_t n_possible = 0, n_impossible = 0, n_hops = 0;
    for (uint64_t round = 1; round <= 150; round++) {
        uint64_t seed = round;
        struct problem problem = small_network(ORACLE_HOSTS, ORACLE_VMS, 1, 32, 1.25, 4);
        double load_gb[ORACLE_HOSTS] = {0};
        (void)small_random(&seed);
        problem.hosts[ORACLE_HOSTS - 1].memory_bytes = (double)(6 + small_random(&seed) % 16) * small_gb;
        for (size_t vm = 0; vm < ORACLE_VMS; vm++) {
            const double gb = (double)(8 + small_random(&seed) % 14);
            const size_t from = small_random(&seed) % 3, to = (from + 1 + small_random(&seed) % 2) % 3;
            small_set_vm(&problem, vm, from, gb, true, 0.01);
            problem.vms[vm].to = (long)to;
            load_gb[from] += gb;
        }
        /* Parked nowhere else but on the last host. */
        for (size_t vm = 0; vm < ORACLE_VMS; vm++)
            for (size_t host = 0; host + 1 < ORACLE_HOSTS; host++)
                problem.allowed[vm * ORACLE_HOSTS + host] = (long)host == problem.vms[vm].to;
        for (size_t host = 0; host + 1 < ORACLE_HOSTS; host++)
            problem.hosts[host].memory_bytes = fmax(load_gb[host], 32) * small_gb;
        const bool possible = is_possible(&problem);
        struct solution solution = run(&problem);
        const bool arrives = solution.n_conflicts == 0;
        if (arrives != possible)
            fail_msg("round %d: %s, but %s", (int)round, arrives ? "planned" : "not planned",
                     possible ? "possible" : "impossible");
        n_possible += possible;
        n_impossible += !possible;
        n_hops += count_hops(&solution);
        solution_dispose(&solution);
        problem_dispose(&problem);
    }
    /* The sets are of both kinds, and hops were needed. */
    assert_true(n_possible > 20 && n_impossible > 20 && n_hops > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_third_host_breaks_a_circle),
        cmocka_unit_test(test_without_a_third_host_it_is_a_deadlock),
        cmocka_unit_test(test_only_what_is_stuck_is_left_out),
        cmocka_unit_test(test_rules_keep_vms_from_being_parked),
        cmocka_unit_test(test_a_way_is_found_where_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
