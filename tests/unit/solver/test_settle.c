/* Settling: who has to stay because others do. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/settle.h"
#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* Three VMs, one on each of hosts 0, 1 and 2 of four; all are to move. */
static struct problem three_hosts(void) {
    struct problem problem = small_network(4, 3, 1, 64, 1, 4);
    for (size_t vm = 0; vm < 3; vm++)
        small_set_vm(&problem, vm, vm, 8, true, 0);
    return problem;
}

static void test_nothing_to_settle(void **state) {
    (void)state;
    struct problem problem = three_hosts();
    struct solution solution = {0};
    long to[] = {3, 3, 3};
    bool skip[] = {false, false, false};
    small_add_rule(&problem, PROBLEM_GATHER, 3, (size_t[]){0, 1, 2});
    assert_int_equal(settle(&problem, to, skip, &solution, NULL), DC_OK);
    assert_int_equal(solution.n_conflicts, 0);
    assert_int_equal(to[2], 3);
    problem_dispose(&problem);
}

static void test_gathered_ones_stay_with_one_that_stays(void **state) {
    (void)state;
    struct problem problem = three_hosts();
    struct solution solution = {0};
    long to[] = {3, 1, 3};
    bool skip[] = {false, true, false};
    small_add_rule(&problem, PROBLEM_GATHER, 2, (size_t[]){0, 1});
    assert_int_equal(settle(&problem, to, skip, &solution, NULL), DC_OK);
    assert_int_equal(solution.n_conflicts, 1);
    assert_int_equal(solution.conflicts[0].vm, 0);
    assert_int_equal(solution.conflicts[0].host, 3);
    assert_true(skip[0] && to[0] == 0 && !skip[2]);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

/* VM 2 stays; so VM 1 may not come to it, so VM 0 may not come to that. */
static void test_spread_goes_down_the_chain(void **state) {
    (void)state;
    struct problem problem = three_hosts();
    struct solution solution = {0};
    long to[] = {1, 2, 2};
    bool skip[] = {false, false, true};
    small_add_rule(&problem, PROBLEM_SPREAD, 3, (size_t[]){0, 1, 2});
    assert_int_equal(settle(&problem, to, skip, &solution, NULL), DC_OK);
    assert_int_equal(solution.n_conflicts, 2);
    assert_true(skip[0] && skip[1] && to[0] == 0 && to[1] == 1);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void test_cores_of_one_that_stays_are_not_given_away(void **state) {
    (void)state;
    struct problem problem = three_hosts();
    struct solution solution = {0};
    long to[] = {1, 1, 3};
    bool skip[] = {false, true, false};
    for (size_t vm = 0; vm < 3; vm++)
        problem.vms[vm].cpu_cores = 4;
    problem.hosts[1].cpu_cores = 6;
    assert_int_equal(settle(&problem, to, skip, &solution, NULL), DC_OK);
    assert_int_equal(solution.n_conflicts, 1);
    assert_int_equal(solution.conflicts[0].kind, CONFLICT_CPU);
    assert_int_equal(solution.conflicts[0].vm, 0);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_to_settle),
        cmocka_unit_test(test_gathered_ones_stay_with_one_that_stays),
        cmocka_unit_test(test_spread_goes_down_the_chain),
        cmocka_unit_test(test_cores_of_one_that_stays_are_not_given_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
