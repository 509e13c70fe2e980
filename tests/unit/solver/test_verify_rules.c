/* Verification of rules, at the end and over time. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/solver/verify_world.h"

static void test_spread(void **state) {
    struct world *world = *state;
    set_rule(world, PROBLEM_SPREAD, 0, 1, PROBLEM_ANY, false);
    expect_good(world);
    set_rule(world, PROBLEM_SPREAD, 1, 2, PROBLEM_ANY, false); /* VM 1 joins VM 2 */
    const struct violation violation = expect_one(world, VIOLATION_RULE);
    assert_int_equal(violation.rule, 0);
    assert_int_equal(violation.host, 2);
}

static void test_spread_over_time(void **state) {
    struct world *world = *state;
    /* VM 0 stops over at host 2 and goes on: against the rule only while it is there. */
    world->solution.steps[0].to = 2;
    world->solution.steps[1].to = 3;
    add_step(world, 0, 2, 1, 40);
    world->solution.steps[2].n_rates = 0;
    world->problem.vms[0].cost[PROBLEM_P95].n_points = 0;
    world->problem.hosts[2].memory_bytes = 3e9;
    set_rule(world, PROBLEM_SPREAD, 0, 2, PROBLEM_ANY, false);
    expect_good(world);
    set_rule(world, PROBLEM_SPREAD, 0, 2, PROBLEM_ANY, true);
    expect_one(world, VIOLATION_RULE);
}

static void test_gather(void **state) {
    struct world *world = *state;
    set_rule(world, PROBLEM_GATHER, 1, 2, PROBLEM_ANY, false);
    expect_good(world);
    set_rule(world, PROBLEM_GATHER, 0, 1, PROBLEM_ANY, false);
    expect_one(world, VIOLATION_RULE);
    set_rule(world, PROBLEM_GATHER, 2, 3, PROBLEM_ANY, false); /* apart already, and not moved */
    expect_good(world);
}

static void test_gather_over_time(void **state) {
    struct world *world = *state;
    struct solution_step *second = &world->solution.steps[1];
    second->to = 1; /* starts at 10, the first ends at 11.5: never apart */
    set_rule(world, PROBLEM_GATHER, 0, 1, PROBLEM_ANY, true);
    expect_good(world);
    second->start_s = 12;
    second->end_s = 23.5;
    second->rates[0].from_s = 13;
    second->rates[1].from_s = 23;
    expect_one(world, VIOLATION_RULE);
}

static void test_ban_and_fence(void **state) {
    struct world *world = *state;
    set_rule(world, PROBLEM_BAN, 0, 1, 3, true);
    expect_good(world);
    set_rule(world, PROBLEM_BAN, 0, 1, 2, false);
    assert_int_equal(expect_one(world, VIOLATION_RULE).vm, 1);
    set_rule(world, PROBLEM_FENCE, 0, 2, 1, false);
    expect_good(world); /* VM 2 is outside, but it was so before */
    set_rule(world, PROBLEM_FENCE, 0, 1, 1, false);
    assert_int_equal(expect_one(world, VIOLATION_RULE).vm, 1);
}

static void test_ban_over_time(void **state) {
    struct world *world = *state;
    add_step(world, 1, 2, 3, 40);
    world->solution.steps[2].n_rates = 0;
    world->problem.vms[1].cost[PROBLEM_P95].n_points = 0;
    set_rule(world, PROBLEM_BAN, 0, 1, 2, false);
    expect_good(world);
    set_rule(world, PROBLEM_BAN, 0, 1, 2, true);
    expect_one(world, VIOLATION_RULE);
}

static void test_precedence(void **state) {
    struct world *world = *state;
    set_rule(world, PROBLEM_PRECEDENCE, 0, 1, PROBLEM_ANY, false); /* VM 1 starts before VM 0 has ended */
    assert_int_equal(expect_one(world, VIOLATION_RULE).vm, 1);
    set_rule(world, PROBLEM_PRECEDENCE, 2, 1, PROBLEM_ANY, false);
    expect_good(world);
}

static void test_serialize(void **state) {
    struct world *world = *state;
    set_rule(world, PROBLEM_SERIALIZE, 1, 0, PROBLEM_ANY, false);
    assert_int_equal(expect_one(world, VIOLATION_RULE).vm, 1);
    set_rule(world, PROBLEM_SERIALIZE, 1, 2, PROBLEM_ANY, false);
    expect_good(world);
}

static void test_together(void **state) {
    struct world *world = *state;
    set_rule(world, PROBLEM_TOGETHER, 0, 1, PROBLEM_ANY, false);
    assert_true(expect_one(world, VIOLATION_RULE).at_s == 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_spread),           TEST(test_spread_over_time), TEST(test_gather),
        TEST(test_gather_over_time), TEST(test_ban_and_fence),    TEST(test_ban_over_time),
        TEST(test_precedence),       TEST(test_serialize),        TEST(test_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
