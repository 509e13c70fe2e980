/* Verification of each step as a flow: duration and downtime. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/solver/verify_world.h"

static void test_downtime_as_its_rates_carry_it(void **state) {
    struct world *world = *state;
    /* The rate halves as the guest stops: the stop-and-copy takes 2 s instead of 1 s. */
    struct solution_step *step = &world->solution.steps[1];
    step->rates[0] = (struct solution_rate){11, capacity};
    step->rates[1] = (struct solution_rate){20, capacity / 2};
    step->rates[2] = (struct solution_rate){22, 0};
    step->n_rates = 3;
    step->end_s = 22.5;
    world->problem.vms[1].downtime_budget_s = 2.5;
    expect_good(world);
    world->problem.vms[1].downtime_budget_s = 2.4;
    const struct violation violation = expect_one(world, VIOLATION_DOWNTIME);
    assert_int_equal(violation.step, 1);
    assert_true(fabs(violation.value - 2.5) < 1e-9 && violation.limit == 2.4);
}

static void test_downtime_as_planned(void **state) {
    struct world *world = *state;
    world->problem.vms[0].downtime_budget_s = 1.6;
    expect_good(world);
    world->solution.steps[0].downtime_s = 1.7;
    assert_int_equal(expect_one(world, VIOLATION_DOWNTIME).step, 0);
}

static void test_duration_between_points(void **state) {
    struct world *world = *state;
    /* Fewer bytes at the higher point: 1.0 GB at half, 0.8 GB at full rate; at 3/4 0.9 GB, so 12 s. */
    struct problem_cost *cost = &world->problem.vms[1].cost[PROBLEM_P95];
    cost->points[1] = (struct problem_cost_point){capacity, 7.2, 0.8};
    struct solution_step *step = &world->solution.steps[1];
    step->rates[0].bytes_per_s = 0.75 * capacity;
    step->rates[1].from_s = 23;
    step->end_s = 23.5;
    expect_good(world);
    step->rates[1].from_s = 22.95;
    step->end_s = 23.45;
    const struct violation violation = expect_one(world, VIOLATION_DURATION);
    assert_int_equal(violation.step, 1);
    assert_true(violation.limit > violation.value);
}

static void test_duration_with_setup(void **state) {
    struct world *world = *state;
    world->solution.steps[1].start_s = 10.1; /* bytes during the setup do not count */
    expect_one(world, VIOLATION_DURATION);
}

static void test_duration_with_tail(void **state) {
    struct world *world = *state;
    world->solution.steps[1].end_s -= 0.1;
    expect_one(world, VIOLATION_DURATION);
}

static void test_duration_without_end(void **state) {
    struct world *world = *state;
    world->solution.steps[1].n_rates = 1; /* never says 0: no time is left for the tail */
    expect_one(world, VIOLATION_DURATION);
    world->solution.steps[1].n_rates = 0;
    expect_one(world, VIOLATION_DURATION);
}

static void test_rate_too_low_to_converge(void **state) {
    struct world *world = *state;
    struct solution_step *step = &world->solution.steps[1];
    step->rates[0] = (struct solution_rate){11, capacity / 4};
    step->rates[1] = (struct solution_rate){12, capacity};
    step->rates[2] = (struct solution_rate){22, 0};
    step->n_rates = 3;
    step->end_s = 22.5;
    const struct violation violation = expect_one(world, VIOLATION_DURATION);
    assert_true(violation.value == capacity / 4 && violation.limit == capacity / 2);
}

static void test_rounding_to_milliseconds_is_no_violation(void **state) {
    struct world *world = *state;
    struct solution_step *step = &world->solution.steps[1];
    step->start_s = 10.0005;
    step->rates[0].bytes_per_s = capacity - 1;
    step->rates[0].from_s = 11.0005;
    step->rates[1].from_s = 21;
    step->end_s = 21.4995;
    expect_good(world);
}

static void test_nothing_to_send(void **state) {
    struct world *world = *state;
    struct solution_step *step = &world->solution.steps[1];
    world->problem.vms[1].cost[PROBLEM_P95].n_points = 0;
    step->n_rates = 0;
    step->end_s = 11.5;
    expect_good(world);
    step->end_s = 11.4;
    expect_one(world, VIOLATION_DURATION);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_downtime_as_its_rates_carry_it),
        TEST(test_downtime_as_planned),
        TEST(test_duration_between_points),
        TEST(test_duration_with_setup),
        TEST(test_duration_with_tail),
        TEST(test_duration_without_end),
        TEST(test_rate_too_low_to_converge),
        TEST(test_rounding_to_milliseconds_is_no_violation),
        TEST(test_nothing_to_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
