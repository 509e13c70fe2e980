/* Verification: a plan that is good, and the same plan with places, order and totals broken. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/solver/verify_world.h"

static void test_good_plan(void **state) {
    struct world *world = *state;
    world->problem.deadline_s = 21.5;
    world->problem.max_parallel = 2;
    world->problem.hosts[0].max_migrations = 2;
    world->problem.vms[0].downtime_budget_s = 1.5;
    world->problem.vms[0].to = 1;
    world->solution.bound = (struct solution_bound){.kind = SOLUTION_BOUND_ARC, .value_s = 21.5};
    expect_good(world);
}

static void test_no_steps(void **state) {
    struct world *world = *state;
    struct solution nothing = {.bound = {.kind = SOLUTION_BOUND_ARC, .value_s = 5}};
    struct verification verification;
    assert_int_equal(verify(&world->problem, &nothing, true, &verification, NULL), DC_OK);
    assert_int_equal(verification.n_violations, 0);
    assert_int_equal(verify(&world->problem, &nothing, false, &verification, NULL), DC_OK);
    assert_int_equal(verification.n_violations, 2);
    assert_int_equal(verification.violations[0].kind, VIOLATION_NOT_MOVED);
    verification_dispose(&verification);
    verification_dispose(&verification);
}

static void test_wrong_source(void **state) {
    struct world *world = *state;
    world->solution.steps[1].from = 3;
    struct verification verification = run(world, false);
    assert_true(verification.n_violations >= 1);
    assert_int_equal(verification.violations[0].kind, VIOLATION_WRONG_HOST);
    assert_int_equal(verification.violations[0].step, 1);
    assert_int_equal(verification.violations[0].host, 3);
    verification_dispose(&verification);
}

static void test_forbidden_destination(void **state) {
    struct world *world = *state;
    world->problem.allowed[1 * N_HOSTS + 2] = 0;
    const struct violation violation = expect_one(world, VIOLATION_WRONG_HOST);
    assert_int_equal(violation.step, 1);
    assert_int_equal(violation.host, 2);
}

static void test_hop_over_a_host_that_does_not_receive(void **state) {
    struct world *world = *state;
    add_step(world, 1, 2, 1, 30);
    world->solution.steps[2].n_rates = 0;
    world->problem.vms[1].cost[PROBLEM_P95].n_points = 0;
    world->problem.hosts[2].receives = false;
    assert_int_equal(expect_one(world, VIOLATION_WRONG_HOST).step, 1);
    world->problem.hosts[2].receives = true;
    world->problem.allowed[1 * N_HOSTS + 2] = 0; /* it need not stay there */
    expect_good(world);
}

static void test_moves_what_stays(void **state) {
    struct world *world = *state;
    add_step(world, 3, 3, 1, 30);
    world->solution.steps[2].n_rates = 0;
    world->problem.hosts[1].memory_bytes = 3e9;
    assert_int_equal(expect_one(world, VIOLATION_WRONG_HOST).step, 2);
}

static void test_not_moved(void **state) {
    struct world *world = *state;
    world->problem.vms[0].to = 3;
    const struct violation violation = expect_one(world, VIOLATION_NOT_MOVED);
    assert_int_equal(violation.vm, 0);
    assert_int_equal(violation.host, 1);
}

static void test_skips_what_did_not_move(void **state) {
    struct world *world = *state;
    set_vm(&world->problem.vms[3], 3, true);
    struct verification verification = run(world, true);
    assert_int_equal(verification.n_violations, 0);
    assert_int_equal(expect_one(world, VIOLATION_NOT_MOVED).vm, 3);
}

static void test_moved_twice(void **state) {
    struct world *world = *state;
    add_step(world, 1, 2, 1, 21);
    world->solution.steps[2].n_rates = 0;
    world->solution.steps[2].end_s = 22.5;
    struct verification verification = run(world, false);
    bool found = false;
    for (size_t i = 0; i < verification.n_violations; i++)
        found = found || (verification.violations[i].kind == VIOLATION_MOVED_TWICE &&
                          verification.violations[i].step == 2 && verification.violations[i].at_s == 21);
    assert_true(found);
    verification_dispose(&verification);
}

static void test_deadline(void **state) {
    struct world *world = *state;
    world->problem.deadline_s = 21;
    const struct violation violation = expect_one(world, VIOLATION_DEADLINE);
    assert_true(violation.value == 21.5 && violation.limit == 21);
}

static void test_order(void **state) {
    struct world *world = *state;
    world->solution.steps[1].after[0] = 0;
    world->solution.steps[1].n_after = 1;
    const struct violation violation = expect_one(world, VIOLATION_ORDER);
    assert_int_equal(violation.step, 1);
    assert_true(violation.value == 10 && violation.limit == 11.5);
}

static void test_bound(void **state) {
    struct world *world = *state;
    world->solution.bound = (struct solution_bound){.kind = SOLUTION_BOUND_ARC, .value_s = 21.6};
    const struct violation violation = expect_one(world, VIOLATION_BOUND);
    assert_true(violation.value == 21.5 && violation.limit == 21.6);
}

static void test_refuses_foreign_indices(void **state) {
    struct world *world = *state;
    struct verification verification;
    struct dc_error err = DC_ERROR_NONE;
    world->solution.steps[1].vm = N_VMS;
    assert_int_equal(verify(&world->problem, &world->solution, false, &verification, &err), DC_EINVAL);
    world->solution.steps[1].vm = 1;
    world->solution.steps[1].end_s = NAN;
    assert_int_equal(verify(&world->problem, &world->solution, false, &verification, &err), DC_EINVAL);
    assert_null(verification.violations);
}

static void test_every_kind_has_a_text(void **state) {
    (void)state;
    for (unsigned kind = VIOLATION_WRONG_HOST; kind <= VIOLATION_BOUND; kind++)
        assert_string_not_equal(verify_kind_text((enum violation_kind)kind), "unknown violation");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_good_plan),
        TEST(test_no_steps),
        TEST(test_wrong_source),
        TEST(test_forbidden_destination),
        TEST(test_hop_over_a_host_that_does_not_receive),
        TEST(test_moves_what_stays),
        TEST(test_not_moved),
        TEST(test_skips_what_did_not_move),
        TEST(test_moved_twice),
        TEST(test_deadline),
        TEST(test_order),
        TEST(test_bound),
        TEST(test_refuses_foreign_indices),
        cmocka_unit_test(test_every_kind_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
