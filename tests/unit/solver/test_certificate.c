/*
 * Certificates: each kind proves what bound.c claims, never more than the best placement allows, and
 * a certificate that was tampered with proves nothing or less.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/certificate.h"

#include "solver/bound.h"
#include "tests/unit/solver/placements.h"
#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

static const struct milp_limits ample = {.time_s = 10};
enum { MOST_VMS = 32 };

struct asked {
    struct problem problem;
    struct solution_bound bound;
    struct solution_prices prices;
    size_t vms[MOST_VMS];
    struct certificate certificate;
};

/* The problem's best bound, and the certificate that goes with it. */
static void ask(struct asked *asked) {
    struct dc_error err = DC_ERROR_NONE;
    if (problem_freeze(&asked->problem, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    struct solution_bound placed;
    assert_int_equal(bound_closed_form(&asked->problem, PROBLEM_P95, NULL, &asked->bound, NULL), DC_OK);
    assert_int_equal(bound_placement(&asked->problem, PROBLEM_P95, &ample, &placed, &asked->prices, NULL), DC_OK);
    if (placed.value_s > asked->bound.value_s)
        asked->bound = placed;
    asked->certificate = (struct certificate){.kind = asked->bound.kind,
                                              .index = asked->bound.index,
                                              .vms = asked->vms,
                                              .prices = &asked->prices,
                                              .small_bytes = asked->bound.small_bytes};
    for (size_t vm = 0; vm < asked->problem.n_vms; vm++) {
        if (asked->problem.vms[vm].moves)
            asked->vms[asked->certificate.n_vms++] = vm;
    }
}

static void dispose(struct asked *asked) {
    solution_prices_dispose(&asked->prices);
    problem_dispose(&asked->problem);
}

static struct solution_bound prove(const struct asked *asked) {
    struct solution_bound proved;
    assert_int_equal(certificate_prove(&asked->problem, PROBLEM_P95, &asked->certificate, &proved, NULL), DC_OK);
    return proved;
}

/* The proof holds; without one of the VMs it proves less. */
static void check_honest(struct asked *asked, enum solution_bound_kind kind) {
    assert_int_equal(asked->bound.kind, kind);
    struct solution_bound proved = prove(asked);
    assert_int_equal(proved.kind, kind);
    assert_near(proved.value_s, asked->bound.value_s, 1e-9 * asked->bound.value_s);
    assert_near(proved.work_s, asked->bound.work_s, 1e-9);
    assert_near(proved.volume_bytes, asked->bound.volume_bytes, 1);
}

static void check_nothing(const struct asked *asked) {
    assert_int_equal(prove(asked).kind, SOLUTION_BOUND_NONE);
}

static void test_arc(void **state) {
    (void)state;
    struct asked asked = {.problem = small_network(3, 3, 1, 100, 1, 0)};
    for (size_t vm = 0; vm < 3; vm++)
        small_set_vm(&asked.problem, vm, 0, 8, vm < 2, 0);
    ask(&asked);
    check_honest(&asked, SOLUTION_BOUND_ARC);
    asked.certificate.index = 3; /* an arc that not all their paths take */
    check_nothing(&asked);
    asked.certificate.index = 99;
    check_nothing(&asked);
    asked.certificate.index = 0;
    asked.certificate.n_vms = 1;
    assert_true(prove(&asked).value_s < asked.bound.value_s);
    asked.certificate.n_vms = 2;
    asked.vms[1] = 2; /* stays */
    check_nothing(&asked);
    asked.vms[1] = 0; /* twice */
    check_nothing(&asked);
    asked.vms[1] = 77;
    check_nothing(&asked);
    dispose(&asked);
}

static void test_vm(void **state) {
    (void)state;
    struct asked asked = {.problem = small_network(3, 2, 1, 100, 2, 0)};
    small_set_vm(&asked.problem, 0, 0, 8, true, 0);
    small_set_vm(&asked.problem, 1, 1, 8, true, 0);
    asked.problem.vms[1].max_bandwidth_bytes_per_s = 0.5 * small_gb;
    ask(&asked);
    check_honest(&asked, SOLUTION_BOUND_VM);
    asked.certificate.index = 0;
    assert_true(prove(&asked).value_s < asked.bound.value_s);
    asked.certificate.index = 1;
    asked.certificate.n_vms = 1; /* a VM that the bound is not about */
    check_nothing(&asked);
    dispose(&asked);
}

static void test_memory(void **state) {
    (void)state;
    struct asked asked = {.problem = small_network(2, 6, 1, 60, 1.25, 0)};
    for (size_t vm = 0; vm < 6; vm++) {
        small_set_vm(&asked.problem, vm, vm % 2, vm < 4 ? 20 : 5, true, 0);
        asked.problem.vms[vm].to = 1 - (long)(vm % 2);
    }
    ask(&asked);
    check_honest(&asked, SOLUTION_BOUND_MEMORY);
    assert_near(prove(&asked).held_byte_s, asked.bound.held_byte_s, 1e-9 * asked.bound.held_byte_s);
    asked.certificate.small_bytes = 0; /* proves less */
    assert_true(prove(&asked).value_s < asked.bound.value_s);
    asked.certificate.small_bytes = 15e9 + 1; /* above half of what is free: proves nothing */
    check_nothing(&asked);
    asked.certificate.small_bytes = NAN;
    check_nothing(&asked);
    dispose(&asked);
}

static void test_host(void **state) {
    (void)state;
    struct asked asked = {.problem = small_network(4, 3, 1, 100, 1, 0)};
    for (size_t vm = 0; vm < 3; vm++)
        small_set_vm(&asked.problem, vm, 0, 4, true, 0);
    asked.problem.hosts[0].max_migrations = 1;
    ask(&asked);
    check_honest(&asked, SOLUTION_BOUND_HOST);
    asked.certificate.index = 1; /* has no limit */
    check_nothing(&asked);
    asked.certificate.index = SIZE_MAX;
    check_nothing(&asked);
    asked.problem.max_parallel = 2;
    assert_near(prove(&asked).value_s, 3 * 4.7 / 2, 1e-9);
    dispose(&asked);
}

static void test_placement(void **state) {
    (void)state;
    struct asked asked = {.problem = small_network(6, 8, 1, 64, 1, 0)};
    for (size_t vm = 0; vm < 8; vm++)
        small_set_vm(&asked.problem, vm, vm % 4, 8, true, 0);
    for (size_t host = 0; host < 4; host++)
        small_set_receives(&asked.problem, host, false);
    ask(&asked);
    check_honest(&asked, SOLUTION_BOUND_PLACEMENT);
    assert_near(asked.bound.value_s, 32.7, 1e-3);
    double *price = &asked.prices.arc_s_per_byte[9]; /* into host 4 */
    const double was = *price;
    assert_true(was > 0);
    *price = 2 * was;
    assert_true(prove(&asked).value_s < 0.9 * asked.bound.value_s);
    *price = 0;
    assert_true(prove(&asked).value_s < 0.9 * asked.bound.value_s);
    *price = -was;
    check_nothing(&asked);
    *price = NAN;
    check_nothing(&asked);
    *price = was;
    asked.prices.slot_s_per_s[4] = 1; /* a limit the host does not have */
    check_nothing(&asked);
    dispose(&asked);
}

/* Whatever prices are claimed, honest ones or drawn at random, they never prove more than is true. */
static void test_any_prices_are_sound(void **state) {
    (void)state;
    size_t n_placement = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        const size_t n_movers = 4 + seed % 3, n_sources = 2 + seed % 3;
        struct asked asked = {.problem = small_evacuation(seed, n_sources + 2, n_sources, n_movers, 1 + seed % 2,
                                                          0.3 + 0.01 * (double)(seed % 40))};
        struct problem *problem = &asked.problem;
        if (seed % 4 == 0)
            problem->hosts[n_sources].max_migrations = 1;
        ask(&asked);
        double free_bytes[8];
        for (size_t host = 0; host < problem->n_hosts; host++)
            free_bytes[host] = problem->hosts[host].memory_bytes;
        for (size_t vm = n_movers; vm < problem->n_vms; vm++)
            free_bytes[problem->vms[vm].host] -= problem->vms[vm].memory_bytes;
        const double best_s = placements_best(problem, n_movers, 0, free_bytes);
        if (prove(&asked).value_s > best_s * (1 + 1e-9) || prove(&asked).value_s < asked.bound.value_s * (1 - 1e-9))
            fail_msg("seed %llu: proves %g, bound %g, best %g", (unsigned long long)seed, prove(&asked).value_s,
                     asked.bound.value_s, best_s);
        n_placement += asked.bound.kind == SOLUTION_BOUND_PLACEMENT;
        uint64_t draw = seed;
        for (int n = 0; asked.prices.arc_s_per_byte != NULL && n < 20; n++) {
            asked.certificate.kind = SOLUTION_BOUND_PLACEMENT;
            for (size_t arc = 0; arc < problem->n_arcs; arc++)
                asked.prices.arc_s_per_byte[arc] = fmax(0, small_uniform(&draw, -1e-9, 1e-9));
            for (size_t host = 0; host < problem->n_hosts; host++) {
                asked.prices.memory_s_per_byte[host] = fmax(0, small_uniform(&draw, -1e-9, 1e-9));
                asked.prices.slot_s_per_s[host] =
                    problem->hosts[host].max_migrations > 0 ? small_uniform(&draw, 0, 1) : 0;
            }
            if (prove(&asked).value_s > best_s * (1 + 1e-9))
                fail_msg("seed %llu: random prices prove %g, best %g", (unsigned long long)seed, prove(&asked).value_s,
                         best_s);
        }
        dispose(&asked);
    }
    assert_true(n_placement > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arc),    cmocka_unit_test(test_vm),        cmocka_unit_test(test_host),
        cmocka_unit_test(test_memory), cmocka_unit_test(test_placement), cmocka_unit_test(test_any_prices_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
