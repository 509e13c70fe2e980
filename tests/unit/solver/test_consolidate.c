/*
 * Consolidation against brute force at up to five VMs and four hosts, for each
 * objective; larger random fleets keep memory, rules and what may not move.
 *
 * A failing case prints its seed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/consolidate.h"

#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { MAX_VMS = 5, MAX_HOSTS = 4, N_TINY = 300, N_LARGE = 30 };

struct tiny {
    struct problem problem;
    struct consolidate_host hosts[64];
    struct consolidate_options options;
};

struct oracle {
    const struct tiny *tiny;
    size_t to[MAX_VMS];
    double primary, bytes; /* the best */
};

static bool used_by(const struct problem *problem, const size_t *to, size_t host) {
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        if (to[vm] == host)
            return true;
    return false;
}

/* What a placement is worth, written anew from the objective's definition. */
static void rate(const struct tiny *tiny, const size_t *to, double *primary, double *bytes) {
    const struct problem *problem = &tiny->problem;
    const struct consolidate_options *options = &tiny->options;
    double n_on = 0, n_off = 0, joules = 0;
    *bytes = 0;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        const struct consolidate_host *it = &tiny->hosts[host];
        const bool on = used_by(problem, to, host) || (it->is_on && !it->may_change);
        n_on += on;
        n_off += it->is_on && !on;
        joules += on ? options->horizon_s * it->idle_watts : 0;
        joules += on != it->is_on ? it->change_joules : 0;
    }
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        const struct problem_vm *it = &problem->vms[vm];
        const bool moved = to[vm] != it->host;
        *bytes += moved ? it->memory_bytes : 0;
        joules += moved ? options->joules_per_byte * it->memory_bytes + options->joules_per_vm : 0;
        joules += it->moves ? options->horizon_s * tiny->hosts[to[vm]].watts_per_core * it->cpu_cores : 0;
    }
    *primary = options->objective == CONSOLIDATE_FEWEST      ? n_on
               : options->objective == CONSOLIDATE_POWER_OFF ? fmax(0, (double)options->n_off - n_off)
                                                             : joules;
}

static bool is_allowed(const struct problem *problem, const size_t *to) {
    double bytes[64] = {0};
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        const struct problem_vm *it = &problem->vms[vm];
        bytes[to[vm]] += it->memory_bytes;
        if (to[vm] != it->host && (!it->moves || problem->allowed[vm * problem->n_hosts + to[vm]] == 0))
            return false;
    }
    for (size_t host = 0; host < problem->n_hosts; host++)
        if (bytes[host] > problem->hosts[host].memory_bytes)
            return false;
    for (size_t i = 0; i < problem->n_rules; i++) {
        const struct problem_rule *rule = &problem->rules[i];
        for (size_t a = 0; a < rule->n_vms; a++)
            for (size_t b = 0; b < a; b++)
                if ((to[rule->vms[a]] == to[rule->vms[b]]) == (rule->type == PROBLEM_SPREAD))
                    return false;
    }
    return true;
}

static void try_all(struct oracle *oracle, size_t vm) {
    const struct problem *problem = &oracle->tiny->problem;
    if (vm < problem->n_vms) {
        for (size_t host = 0; host < problem->n_hosts; host++) {
            oracle->to[vm] = host;
            try_all(oracle, vm + 1);
        }
        return;
    }
    double primary = 0, bytes = 0;
    if (!is_allowed(problem, oracle->to))
        return;
    rate(oracle->tiny, oracle->to, &primary, &bytes);
    if (primary < oracle->primary - 1e-6 || (primary < oracle->primary + 1e-6 && bytes < oracle->bytes)) {
        oracle->primary = primary;
        oracle->bytes = bytes;
    }
}

/* The first host is off half of the time; one VM may not move now and then; rules now and then. */
static void build(struct tiny *tiny, uint64_t *seed, size_t n_hosts, size_t n_vms) {
    *tiny = (struct tiny){.problem = small_network(n_hosts, n_vms, 1, 32, 1.17, 4.7)};
    struct problem *problem = &tiny->problem;
    const bool has_off = small_random(seed) % 2 == 0;
    double used_gb[64] = {0};
    for (size_t vm = 0; vm < n_vms; vm++) {
        const size_t home = has_off ? 1 + small_random(seed) % (n_hosts - 1) : small_random(seed) % n_hosts;
        const double gb = (double)(1 + small_random(seed) % 14);
        used_gb[home] += gb;
        small_set_vm(problem, vm, home, gb, false, 0);
        problem->vms[vm].moves = small_random(seed) % 8 != 0;
        problem->vms[vm].cpu_cores = (double)(1 + small_random(seed) % 4);
    }
    for (size_t host = 0; host < n_hosts; host++) {
        problem->hosts[host].memory_bytes = small_gb * fmax(used_gb[host], 16 + (double)(small_random(seed) % 32));
        tiny->hosts[host] = (struct consolidate_host){.is_on = host > 0 || !has_off,
                                                      .may_change = small_random(seed) % 10 != 0,
                                                      .idle_watts = 50 + (double)(small_random(seed) % 200),
                                                      .watts_per_core = (double)(small_random(seed) % 10),
                                                      .change_joules = 5000};
        if (!tiny->hosts[host].is_on && !tiny->hosts[host].may_change)
            small_set_receives(problem, host, false);
    }
    if (n_vms >= 2 && small_random(seed) % 3 == 0 && problem->vms[0].host != problem->vms[1].host)
        (void)small_add_rule(problem, PROBLEM_SPREAD, 2, (size_t[]){0, 1});
    else if (n_vms >= 2 && small_random(seed) % 3 == 0 && problem->vms[0].host == problem->vms[1].host)
        (void)small_add_rule(problem, PROBLEM_GATHER, 2, (size_t[]){0, 1});
    tiny->options = (struct consolidate_options){
        .hosts = tiny->hosts, .horizon_s = 3600, .joules_per_byte = 5e-7, .joules_per_vm = 20, .seed = 1, .n_off = 2};
}

static void is_as_good_as_brute_force(void **state) {
    (void)state;
    for (uint64_t case_seed = 1; case_seed <= N_TINY; case_seed++) {
        uint64_t seed = case_seed;
        struct tiny tiny;
        const size_t n_hosts = 2 + small_random(&seed) % (MAX_HOSTS - 1);
        build(&tiny, &seed, n_hosts, 1 + small_random(&seed) % MAX_VMS);
        for (unsigned objective = 0; objective <= CONSOLIDATE_ENERGY; objective++) {
            tiny.options.objective = (enum consolidate_objective)objective;
            struct oracle oracle = {.tiny = &tiny, .primary = INFINITY, .bytes = INFINITY};
            struct consolidate_result result;
            double primary = 0, bytes = 0;
            try_all(&oracle, 0);
            assert_int_equal(consolidate(&tiny.problem, &tiny.options, &result, NULL), DC_OK);
            rate(&tiny, result.to, &primary, &bytes);
            if (!is_allowed(&tiny.problem, result.to) || fabs(primary - oracle.primary) > 1e-6 * fabs(primary) + 1e-6 ||
                bytes > oracle.bytes + 1)
                fail_msg("seed %llu, objective %u: %g and %g bytes, the best is %g and %g",
                         (unsigned long long)case_seed, objective, primary, bytes, oracle.primary, oracle.bytes);
            if (objective == CONSOLIDATE_FEWEST && (double)result.least_on > oracle.primary)
                fail_msg("seed %llu: claims at least %zu hosts", (unsigned long long)case_seed, result.least_on);
            assert_true(result.proved);
            consolidate_result_dispose(&result);
        }
        problem_dispose(&tiny.problem);
    }
}

static void large_fleets_keep_every_limit(void **state) {
    (void)state;
    for (uint64_t case_seed = 1; case_seed <= N_LARGE; case_seed++) {
        uint64_t seed = case_seed;
        struct tiny tiny;
        build(&tiny, &seed, 40, 90);
        tiny.options.objective = (enum consolidate_objective)(case_seed % 3);
        struct consolidate_result result;
        assert_int_equal(consolidate(&tiny.problem, &tiny.options, &result, NULL), DC_OK);
        if (!is_allowed(&tiny.problem, result.to))
            fail_msg("seed %llu: breaks a limit", (unsigned long long)case_seed);
        size_t n_on = 0;
        for (size_t host = 0; host < tiny.problem.n_hosts; host++) {
            const bool used = used_by(&tiny.problem, result.to, host);
            assert_false(result.off[host] && (used || !tiny.hosts[host].is_on || !tiny.hosts[host].may_change));
            assert_false(result.booted[host] && (!used || tiny.hosts[host].is_on));
            n_on += (tiny.hosts[host].is_on && !result.off[host]) || result.booted[host];
        }
        assert_int_equal(n_on, result.n_on);
        assert_true(result.least_on <= result.n_on);
        consolidate_result_dispose(&result);
        problem_dispose(&tiny.problem);
    }
}

/* Two half-empty hosts cannot take a third's VM of 10 unless one of 4 goes from the one to the other. */
static void pushes_a_vm_on_where_that_makes_room(void **state) {
    (void)state;
    struct tiny tiny = {.problem = small_network(16, 31, 1, 16, 1.17, 4.7)};
    tiny.options = (struct consolidate_options){.hosts = tiny.hosts, .seed = 1};
    for (size_t host = 0; host < 16; host++)
        tiny.hosts[host] = (struct consolidate_host){.is_on = true, .may_change = host == 0};
    small_set_vm(&tiny.problem, 0, 0, 10, false, 0);
    for (size_t i = 1; i < 16; i++) { /* 15 hosts with 10 + 2 of 16, but the last with 4 + 4 */
        small_set_vm(&tiny.problem, 2 * i - 1, i, i == 15 ? 4 : 10, false, 0);
        small_set_vm(&tiny.problem, 2 * i, i, i == 15 ? 4 : 2, false, 0);
    }
    for (size_t vm = 0; vm < 31; vm++)
        tiny.problem.vms[vm].moves = true;
    struct consolidate_result result;
    assert_int_equal(consolidate(&tiny.problem, &tiny.options, &result, NULL), DC_OK);
    assert_true(result.off[0]);
    assert_int_equal(result.to[0], 15);
    assert_true(result.to[29] != 15 || result.to[30] != 15);
    consolidate_result_dispose(&result);
    problem_dispose(&tiny.problem);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_as_good_as_brute_force),
        cmocka_unit_test(large_fleets_keep_every_limit),
        cmocka_unit_test(pushes_a_vm_on_where_that_makes_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
