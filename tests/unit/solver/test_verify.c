/* Verification: a plan that is good, and the same plan broken in each way there is. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/verify.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_HOSTS = 4, N_VMS = 4, N_ARCS = 2 * N_HOSTS, SWITCH = N_HOSTS, MAX_RATES = 6 };

static const double capacity = 1e8;

/*
 * Four hosts on one switch, 100 MB/s each way. VMs 0 and 1 leave host 0 for
 * hosts 1 and 2, one after the other at full rate; VM 2 stays on host 2, VM 3 on host 3.
 * A migration sends 1 GB: 1 s of setup, 9 s live and 1 s stopped at full rate,
 * twice that at half of it, 0.5 s of tail.
 */
struct world {
    struct problem problem;
    struct solution solution;
    struct problem_rule rule;
    size_t rule_vms[N_VMS];
    size_t rule_hosts[N_HOSTS];
};

static void set_step(struct solution_step *step, size_t vm, size_t to, double start_s) {
    *step = (struct solution_step){
        .vm = vm, .from = 0, .to = to, .start_s = start_s, .end_s = start_s + 11.5, .downtime_s = 1.5, .bytes = 1e9};
    step->rates = calloc(MAX_RATES, sizeof(*step->rates));
    step->after = calloc(N_VMS, sizeof(*step->after));
    assert_non_null(step->rates);
    assert_non_null(step->after);
    step->rates[0] = (struct solution_rate){start_s + 1, capacity};
    step->rates[1] = (struct solution_rate){start_s + 11, 0};
    step->n_rates = 2;
}

static void set_vm(struct problem_vm *vm, size_t host, bool moves) {
    *vm = (struct problem_vm){.memory_bytes = 1e9,
                              .cpu_cores = 1,
                              .host = host,
                              .moves = moves,
                              .to = PROBLEM_ANY,
                              .downtime_budget_s = INFINITY,
                              .max_bandwidth_bytes_per_s = INFINITY};
    for (size_t q = 0; moves && q < PROBLEM_N_QUANTILES; q++) {
        vm->cost[q] = (struct problem_cost){.pre_s = 1, .post_s = 0.5, .n_points = 2};
        vm->cost[q].points = calloc(2, sizeof(*vm->cost[q].points));
        assert_non_null(vm->cost[q].points);
        vm->cost[q].points[0] = (struct problem_cost_point){capacity / 2, 18, 2};
        vm->cost[q].points[1] = (struct problem_cost_point){capacity, 9, 1};
    }
}

static int set_up(void **state) {
    struct dc_error err = DC_ERROR_NONE;
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    struct problem *problem = &world->problem;
    problem->n_hosts = N_HOSTS;
    problem->n_vms = N_VMS;
    problem->n_arcs = N_ARCS;
    problem->n_nodes = N_HOSTS + 1;
    problem->hosts = calloc(N_HOSTS, sizeof(*problem->hosts));
    problem->vms = calloc(N_VMS, sizeof(*problem->vms));
    problem->arcs = calloc(N_ARCS, sizeof(*problem->arcs));
    problem->allowed = malloc(N_VMS * N_HOSTS);
    assert_true(problem->hosts != NULL && problem->vms != NULL && problem->arcs != NULL && problem->allowed != NULL);
    memset(problem->allowed, 1, N_VMS * N_HOSTS);
    for (size_t host = 0; host < N_HOSTS; host++) {
        problem->hosts[host] = (struct problem_host){.memory_bytes = 2e9, .cpu_cores = 2, .receives = host != 0};
        problem->arcs[2 * host] = (struct problem_arc){host, SWITCH, host, capacity};
        problem->arcs[2 * host + 1] = (struct problem_arc){SWITCH, host, host, capacity};
    }
    set_vm(&problem->vms[0], 0, true);
    set_vm(&problem->vms[1], 0, true);
    set_vm(&problem->vms[2], 2, false);
    set_vm(&problem->vms[3], 3, false);
    problem->deadline_s = INFINITY;
    assert_int_equal(problem_freeze(problem, &err), DC_OK);
    world->solution.steps = calloc(3, sizeof(*world->solution.steps));
    assert_non_null(world->solution.steps);
    world->solution.n_steps = 2;
    set_step(&world->solution.steps[0], 0, 1, 0);
    set_step(&world->solution.steps[1], 1, 2, 10);
    world->rule.vms = world->rule_vms;
    world->rule.hosts = world->rule_hosts;
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    struct world *world = *state;
    world->problem.rules = NULL; /* lent by the world */
    world->problem.n_rules = 0;
    problem_dispose(&world->problem);
    for (size_t i = 0; i < world->solution.n_steps; i++) {
        free(world->solution.steps[i].rates);
        free(world->solution.steps[i].after);
    }
    free(world->solution.steps);
    free(world);
    return 0;
}

static void set_rule(struct world *world, enum problem_rule_type type, size_t vm_a, size_t vm_b, long host,
                     bool continuous) {
    world->rule.type = type;
    world->rule.n_vms = 2;
    world->rule_vms[0] = vm_a;
    world->rule_vms[1] = vm_b;
    world->rule.n_hosts = host >= 0 ? 1 : 0;
    world->rule_hosts[0] = host >= 0 ? (size_t)host : 0;
    world->rule.continuous = continuous;
    world->problem.n_rules = 1;
    world->problem.rules = &world->rule;
}

/* A third step: VM goes on from host to host. */
static void add_step(struct world *world, size_t vm, size_t from, size_t to, double start_s) {
    struct solution_step *step = &world->solution.steps[world->solution.n_steps++];
    set_step(step, vm, to, start_s);
    step->from = from;
}

static struct verification run(struct world *world, bool skip_unmoved) {
    struct verification verification;
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(verify(&world->problem, &world->solution, skip_unmoved, &verification, &err), DC_OK);
    return verification;
}

static void expect_good(struct world *world) {
    struct verification verification = run(world, false);
    for (size_t i = 0; i < verification.n_violations; i++)
        print_error("violation: %s\n", verify_kind_text(verification.violations[i].kind));
    assert_int_equal(verification.n_violations, 0);
    verification_dispose(&verification);
}

/* Exactly one violation, of this kind. */
static struct violation expect_one(struct world *world, enum violation_kind kind) {
    struct verification verification = run(world, false);
    for (size_t i = 0; verification.n_violations > 1 && i < verification.n_violations; i++)
        print_error("violation: %s\n", verify_kind_text(verification.violations[i].kind));
    assert_int_equal(verification.n_violations, 1);
    assert_int_equal(verification.violations[0].kind, kind);
    const struct violation violation = verification.violations[0];
    verification_dispose(&verification);
    return violation;
}

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

static void test_deadline(void **state) {
    struct world *world = *state;
    world->problem.deadline_s = 21;
    const struct violation violation = expect_one(world, VIOLATION_DEADLINE);
    assert_true(violation.value == 21.5 && violation.limit == 21);
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
        TEST(test_spread),
        TEST(test_spread_over_time),
        TEST(test_gather),
        TEST(test_gather_over_time),
        TEST(test_ban_and_fence),
        TEST(test_ban_over_time),
        TEST(test_precedence),
        TEST(test_serialize),
        TEST(test_together),
        TEST(test_deadline),
        TEST(test_downtime_as_its_rates_carry_it),
        TEST(test_downtime_as_planned),
        TEST(test_duration_between_points),
        TEST(test_duration_with_setup),
        TEST(test_duration_with_tail),
        TEST(test_duration_without_end),
        TEST(test_rate_too_low_to_converge),
        TEST(test_rounding_to_milliseconds_is_no_violation),
        TEST(test_nothing_to_send),
        TEST(test_order),
        TEST(test_bound),
        TEST(test_refuses_foreign_indices),
        cmocka_unit_test(test_every_kind_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
