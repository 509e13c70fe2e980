/* Verification over time: what holds on arcs and hosts at every moment. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/solver/verify_world.h"

static void test_capacity(void **state) {
    struct world *world = *state;
    world->solution.steps[1].rates[0].from_s = 10.5; /* the other's last page leaves at 11 */
    const struct violation violation = expect_one(world, VIOLATION_CAPACITY);
    assert_int_equal(violation.arc, 0);
    assert_true(violation.at_s == 10.5 && violation.value == 2 * capacity && violation.limit == capacity);
}

static void test_no_path(void **state) {
    struct world *world = *state;
    add_step(world, 1, 2, 1, 30); /* no VM moves from host 2, so it has no routes */
    const struct violation violation = expect_one(world, VIOLATION_CAPACITY);
    assert_int_equal(violation.step, 2);
    assert_true(violation.limit == 0);
}

static void test_shared_link(void **state) {
    struct world *world = *state;
    /* Half the rate each for a while: good. */
    struct solution_step *first = &world->solution.steps[0];
    struct solution_step *second = &world->solution.steps[1];
    second->start_s = 0;
    first->rates[0].bytes_per_s = second->rates[0].bytes_per_s = capacity / 2;
    first->rates[0].from_s = second->rates[0].from_s = 1;
    first->rates[1].from_s = second->rates[1].from_s = 21;
    first->end_s = second->end_s = 21.5;
    expect_good(world);
    second->rates[0].bytes_per_s = capacity / 2 * 1.00001;
    const struct violation violation = expect_one(world, VIOLATION_CAPACITY);
    assert_int_equal(violation.arc, 0);
    assert_true(violation.at_s == 1 && violation.limit == capacity && violation.value > capacity);
}

static void test_receiving_link(void **state) {
    struct world *world = *state;
    world->problem.arcs[5].capacity_bytes_per_s = capacity * 0.9;
    assert_int_equal(expect_one(world, VIOLATION_CAPACITY).arc, 5);
}

static void test_own_cap(void **state) {
    struct world *world = *state;
    world->problem.vms[1].max_bandwidth_bytes_per_s = capacity * 0.9;
    const struct violation violation = expect_one(world, VIOLATION_CAPACITY);
    assert_int_equal(violation.arc, PROBLEM_ANY);
    assert_int_equal(violation.step, 1);
}

static void test_memory_on_arrival(void **state) {
    struct world *world = *state;
    world->problem.hosts[2].memory_bytes = 1.9e9;
    const struct violation violation = expect_one(world, VIOLATION_MEMORY);
    assert_int_equal(violation.host, 2);
    assert_true(violation.at_s == 10 && violation.value == 2e9 && violation.limit == 1.9e9);
}

static void test_memory_is_held_until_the_end(void **state) {
    struct world *world = *state;
    /* VM 2 leaves host 2 as VM 1 arrives there: one in the other's way. */
    set_vm(&world->problem.vms[2], 2, true);
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(problem_freeze(&world->problem, &err), DC_OK);
    add_step(world, 2, 2, 3, 0);
    world->problem.hosts[2].memory_bytes = 1e9;
    assert_int_equal(expect_one(world, VIOLATION_MEMORY).host, 2); /* VM 2 ends at 11.5, VM 1 starts at 10 */
    struct solution_step *second = &world->solution.steps[1];
    second->start_s = 11.5;
    second->end_s = 23;
    second->rates[0].from_s = 12.5;
    second->rates[1].from_s = 22.5;
    expect_good(world);
}

static void test_overfull_source_may_be_emptied(void **state) {
    struct world *world = *state;
    world->problem.hosts[0].memory_bytes = 1;
    world->problem.hosts[0].cpu_cores = 0.1;
    expect_good(world);
}

static void test_cpu(void **state) {
    struct world *world = *state;
    world->problem.hosts[2].cpu_cores = 1.9;
    const struct violation violation = expect_one(world, VIOLATION_CPU);
    assert_int_equal(violation.host, 2);
    assert_true(violation.value == 2 && violation.limit == 1.9);
}

static void test_concurrency_of_a_host(void **state) {
    struct world *world = *state;
    world->problem.hosts[0].max_migrations = 1;
    const struct violation violation = expect_one(world, VIOLATION_CONCURRENCY);
    assert_int_equal(violation.host, 0);
    assert_true(violation.at_s == 10 && violation.value == 2 && violation.limit == 1);
}

static void test_concurrency_of_the_plan(void **state) {
    struct world *world = *state;
    world->problem.max_parallel = 1;
    assert_int_equal(expect_one(world, VIOLATION_CONCURRENCY).host, PROBLEM_ANY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_capacity),
        TEST(test_no_path),
        TEST(test_shared_link),
        TEST(test_receiving_link),
        TEST(test_own_cap),
        TEST(test_memory_on_arrival),
        TEST(test_memory_is_held_until_the_end),
        TEST(test_overfull_source_may_be_emptied),
        TEST(test_cpu),
        TEST(test_concurrency_of_a_host),
        TEST(test_concurrency_of_the_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
