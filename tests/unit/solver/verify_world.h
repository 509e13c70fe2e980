/*
 * For the tests of the verification: a problem with a plan that is good, and
 * what to expect once something of either was changed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

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

static inline void set_step(struct solution_step *step, size_t vm, size_t to, double start_s) {
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

static inline void set_vm(struct problem_vm *vm, size_t host, bool moves) {
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

static inline int set_up(void **state) {
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

static inline int tear_down(void **state) {
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

static inline void set_rule(struct world *world, enum problem_rule_type type, size_t vm_a, size_t vm_b, long host,
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
static inline void add_step(struct world *world, size_t vm, size_t from, size_t to, double start_s) {
    struct solution_step *step = &world->solution.steps[world->solution.n_steps++];
    set_step(step, vm, to, start_s);
    step->from = from;
}

static inline struct verification run(struct world *world, bool skip_unmoved) {
    struct verification verification;
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(verify(&world->problem, &world->solution, skip_unmoved, &verification, &err), DC_OK);
    return verification;
}

static inline void expect_good(struct world *world) {
    struct verification verification = run(world, false);
    for (size_t i = 0; i < verification.n_violations; i++)
        print_error("violation: %s\n", verify_kind_text(verification.violations[i].kind));
    assert_int_equal(verification.n_violations, 0);
    verification_dispose(&verification);
}

/* Exactly one violation, of this kind. */
static inline struct violation expect_one(struct world *world, enum violation_kind kind) {
    struct verification verification = run(world, false);
    for (size_t i = 0; verification.n_violations > 1 && i < verification.n_violations; i++)
        print_error("violation: %s\n", verify_kind_text(verification.violations[i].kind));
    assert_int_equal(verification.n_violations, 1);
    assert_int_equal(verification.violations[0].kind, kind);
    const struct violation violation = verification.violations[0];
    verification_dispose(&verification);
    return violation;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
