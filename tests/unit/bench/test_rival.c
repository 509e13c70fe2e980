/* What people have today, on instances small enough to work out by hand. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/rival.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Host 0 with two VMs of 100 bytes, a switch, host 1; 10 bytes/s. A transfer is 100 bytes, a tenth of them stopped,
 * at 5 bytes/s and above; 1 s before, 2 s after. */
struct world {
    struct problem problem;
    struct problem_host hosts[2];
    struct problem_vm vms[2];
    struct problem_arc arcs[4];
    struct problem_cost_point points[2];
    unsigned char allowed[4];
    size_t to[2];
};

static void make(struct world *world) {
    memset(world, 0, sizeof(*world));
    world->hosts[0] = world->hosts[1] = (struct problem_host){.memory_bytes = 200, .receives = true};
    world->points[0] = (struct problem_cost_point){5, 18, 2};
    world->points[1] = (struct problem_cost_point){10, 9, 1};
    for (size_t i = 0; i < 2; i++) {
        world->vms[i] = (struct problem_vm){.memory_bytes = 100,
                                            .moves = true,
                                            .to = 1,
                                            .downtime_budget_s = INFINITY,
                                            .max_bandwidth_bytes_per_s = INFINITY};
        for (size_t q = 0; q < PROBLEM_N_QUANTILES; q++)
            world->vms[i].cost[q] =
                (struct problem_cost){.pre_s = 1, .post_s = 2, .n_points = 2, .points = world->points};
        world->to[i] = 1;
    }
    for (size_t i = 0; i < 2; i++) {
        world->arcs[2 * i] = (struct problem_arc){i, 2, i, 10};
        world->arcs[2 * i + 1] = (struct problem_arc){2, i, i, 10};
    }
    memset(world->allowed, 1, sizeof(world->allowed));
    world->problem = (struct problem){.n_hosts = 2,
                                      .n_vms = 2,
                                      .n_arcs = 4,
                                      .n_nodes = 3,
                                      .hosts = world->hosts,
                                      .vms = world->vms,
                                      .arcs = world->arcs,
                                      .allowed = world->allowed,
                                      .deadline_s = INFINITY};
    assert_int_equal(problem_freeze(&world->problem, NULL), DC_OK);
}

static struct rival_result run(struct world *world, const struct rival *rival) {
    struct rival_result result;
    assert_int_equal(rival_run(&world->problem, world->to, rival, &result, NULL), DC_OK);
    free(world->problem.route_row);
    free(world->problem.route_begin);
    free(world->problem.route_arcs);
    return result;
}

static void assert_close(double value, double expected) {
    assert_true(fabs(value - expected) < 1e-6);
}

static void test_one_after_the_other(void **state) {
    (void)state;
    struct world world;
    make(&world);
    const struct rival_result result = run(&world, &rivals[0]);
    assert_close(result.makespan_s, 2 * (1 + 10 + 2));
    assert_int_equal(result.n_broken + result.n_unfinished, 0);
}

/* Half the bandwidth each: the stop takes 2 s and the hand-over 2 s more. */
static void test_at_once_breaks_budgets(void **state) {
    (void)state;
    struct world world;
    make(&world);
    world.vms[0].downtime_budget_s = 3.5;
    world.vms[1].downtime_budget_s = 4.5;
    const struct rival_result result = run(&world, &rivals[RIVAL_AT_ONCE]);
    assert_close(result.makespan_s, 1 + 20 + 2);
    assert_int_equal(result.n_broken, 1);
}

/* The second is set up 5 s after the first: until then the first is alone. It has half of its transfer done then, the
 * rest takes twice as long; what the second has left when the first is gone goes on at the whole rate. */
static void test_rates_change(void **state) {
    (void)state;
    struct world world;
    make(&world);
    world.vms[1].cost[PROBLEM_P95].pre_s = 6;
    const struct rival_result result = run(&world, &rivals[RIVAL_AT_ONCE]);
    assert_close(result.makespan_s, 6 + 10 + 5 + 2);
}

/* 4 bytes/s and less is too little for VM 1 while it runs; VM 0 is predicted down to 2. */
static void test_waits_below_convergence(void **state) {
    (void)state;
    struct world world;
    struct problem_cost_point lower[] = {{2, 45, 5}, {10, 9, 1}};
    make(&world);
    world.arcs[0].capacity_bytes_per_s = 8;
    for (size_t q = 0; q < PROBLEM_N_QUANTILES; q++)
        world.vms[0].cost[q].points = lower;
    const struct rival_result result = run(&world, &rivals[RIVAL_AT_ONCE]);
    assert_close(result.makespan_s, 1 + 100 / 4.0 + 100 / 8.0 + 2);
}

static void test_waits_for_memory_for_ever(void **state) {
    (void)state;
    struct world world;
    make(&world);
    world.hosts[1].memory_bytes = 150;
    world.vms[1].downtime_budget_s = 4.5;
    const struct rival_result result = run(&world, &rivals[RIVAL_AT_ONCE]);
    assert_true(isinf(result.makespan_s));
    assert_int_equal(result.n_unfinished, 1);
    assert_int_equal(result.n_broken, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_at_once_breaks_budgets),
        cmocka_unit_test(test_rates_change),
        cmocka_unit_test(test_waits_below_convergence),
        cmocka_unit_test(test_waits_for_memory_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
