/*
 * Groups of a rolling maintenance: what every choice must keep, on random fleets; that no
 * choice is better than the bounds is shown against all choices in tests/e2e/test_rolling.py.
 *
 * A failing case is one of the seeds 1 to 200.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/rolling.h"

#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { MAX_HOSTS = 12, N_FLEETS = 200 };

struct world {
    struct problem problem;
    struct rolling_host hosts[MAX_HOSTS];
    struct rolling_options options;
    size_t n_rolls;
};

static void world_init(struct world *world, uint64_t seed) {
    const size_t n_hosts = 3 + seed % (MAX_HOSTS - 2), n_vms = 3 * n_hosts;
    *world = (struct world){.problem = small_network(n_hosts, n_vms, 1, 32, 1.25, 1.25)};
    for (size_t vm = 0; vm < n_vms; vm++)
        world->problem.vms[vm] = (struct problem_vm){.memory_bytes = small_uniform(&seed, 1, 8) * small_gb,
                                                     .host = vm % n_hosts,
                                                     .moves = true,
                                                     .to = PROBLEM_ANY};
    for (size_t host = 0; host < n_hosts; host++) {
        world->hosts[host] = (struct rolling_host){
            .rolls = small_random(&seed) % 3 > 0, .away_s = small_uniform(&seed, 100, 2000), .bytes_per_s = 1.25e9};
        world->n_rolls += world->hosts[host].rolls;
    }
    world->options = (struct rolling_options){.hosts = world->hosts,
                                              .at_once = (unsigned)(small_random(&seed) % 4),
                                              .returns = small_random(&seed) % 2 == 0,
                                              .lands = small_random(&seed) % 2 == 0,
                                              .seed = seed};
}

static size_t count_group(const struct world *world, const struct rolling_result *result, long group) {
    size_t n = 0;
    for (size_t host = 0; host < world->problem.n_hosts; host++)
        n += result->group[host] == group;
    return n;
}

/* The first group's VMs are on other hosts, which have room for them; nothing else has moved. */
static void check_first_group(const struct world *world, const struct rolling_result *result) {
    double used[MAX_HOSTS] = {0};
    for (size_t vm = 0; vm < world->problem.n_vms; vm++) {
        const struct problem_vm *it = &world->problem.vms[vm];
        used[result->to[vm]] += it->memory_bytes;
        if (result->n_groups > 0 && result->group[it->host] == 0)
            assert_int_not_equal(result->group[result->to[vm]], 0);
        else
            assert_int_equal(result->to[vm], it->host);
    }
    for (size_t host = 0; host < world->problem.n_hosts; host++)
        assert_true(used[host] <= world->problem.hosts[host].memory_bytes + 1);
}

static void check_world(uint64_t seed) {
    struct world world;
    struct rolling_result result;
    struct dc_error err = DC_ERROR_NONE;
    size_t least = 0, least_sparing = 0, n_gone = 0;
    world_init(&world, seed);
    assert_int_equal(rolling_choose(&world.problem, &world.options, &result, &err), DC_OK);
    assert_int_equal(rolling_least_groups(&world.problem, &world.options, false, &least, &err), DC_OK);
    assert_int_equal(rolling_least_groups(&world.problem, &world.options, true, &least_sparing, &err), DC_OK);
    assert_true(least <= least_sparing);
    for (size_t group = 0; group < result.n_groups; group++) {
        const size_t n = count_group(&world, &result, (long)group);
        assert_true(n > 0 && (world.options.at_once == 0 || n <= world.options.at_once));
        n_gone += n;
    }
    assert_int_equal(n_gone + result.n_left, world.n_rolls);
    if (result.n_left == 0) {
        assert_true(result.n_groups >= least);
        assert_true(result.time_s >= rolling_least_s(&world.problem, &world.options, least) - 1e-6);
    }
    check_first_group(&world, &result);
    rolling_result_dispose(&result);
    problem_dispose(&world.problem);
}

static void test_every_choice_keeps_memory_and_bounds(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= N_FLEETS; seed++)
        check_world(seed);
}

/* The longest host counts once, the shortest for each other group. */
static void test_least_time(void **state) {
    (void)state;
    struct world world;
    world_init(&world, 1);
    for (size_t host = 0; host < world.problem.n_hosts; host++)
        world.hosts[host] = (struct rolling_host){.rolls = host < 3, .away_s = 100 * (double)(host + 1)};
    assert_true(rolling_least_s(&world.problem, &world.options, 2) == 400);
    assert_true(rolling_least_s(&world.problem, &world.options, 0) == 0);
    assert_true(isinf(rolling_least_s(&world.problem, &world.options, SIZE_MAX)));
    problem_dispose(&world.problem);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_choice_keeps_memory_and_bounds),
        cmocka_unit_test(test_least_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
