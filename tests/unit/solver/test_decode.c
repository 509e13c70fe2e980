/*
 * The decoder: times of small sets known by hand, every kind of waiting, and random sets in
 * which verification finds nothing.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/decode.h"
#include "solver/verify.h"
#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { MAX_VMS = 48 };

struct run {
    struct decoder *decoder;
    struct solution solution;
    double makespan_s;
};

static void assert_near(double value, double expected, double tolerance) {
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.12g is not %.12g", value, expected);
}

/* Decodes the movers in the order of their numbers, all with one threshold, and verifies. */
static struct run decode(struct problem *problem, const long *to, double threshold_frac) {
    struct dc_error err = DC_ERROR_NONE;
    size_t vms[MAX_VMS];
    double threshold_fracs[MAX_VMS];
    struct decode_order order = {0, vms, threshold_fracs};
    struct run run = {0};
    if (problem_freeze(problem, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        if (!problem->vms[vm].moves)
            continue;
        threshold_fracs[order.n] = threshold_frac;
        vms[order.n++] = vm;
    }
    assert_int_equal(decoder_new(problem, to, PROBLEM_P95, &run.decoder, &err), DC_OK);
    assert_int_equal(decoder_schedule(run.decoder, &order, &run.solution, &run.makespan_s, &err), DC_OK);
    assert_true(decoder_makespan(run.decoder, &order) == run.makespan_s); /* with and without writing */
    struct verification verification;
    assert_int_equal(verify(problem, &run.solution, true, &verification, &err), DC_OK);
    for (size_t i = 0; i < verification.n_violations; i++)
        print_error("step %ld %s: %g, limit %g at %g s\n", verification.violations[i].step,
                    verify_kind_text(verification.violations[i].kind), verification.violations[i].value,
                    verification.violations[i].limit, verification.violations[i].at_s);
    assert_int_equal(verification.n_violations, 0);
    verification_dispose(&verification);
    return run;
}

static void finish(struct run *run, struct problem *problem) {
    decoder_free(&run->decoder);
    solution_dispose(&run->solution);
    problem_dispose(problem);
}

static const struct solution_step *step_of(const struct run *run, size_t vm) {
    for (size_t i = 0; i < run->solution.n_steps; i++)
        if (run->solution.steps[i].vm == vm)
            return &run->solution.steps[i];
    fail_msg("VM %zu has no step", vm);
    return NULL;
}

static bool waits_for(const struct run *run, size_t vm, size_t other) {
    const struct solution_step *step = step_of(run, vm);
    for (size_t i = 0; i < step->n_after; i++)
        if (run->solution.steps[step->after[i]].vm == other)
            return true;
    return false;
}

/* Host 0 with `n` VMs of 8 GB that hardly dirty anything, and two more hosts; 1 GB/s. */
static struct problem idle_vms(size_t n) {
    struct problem problem = small_network(3, n, 1, 64, 1, 4);
    for (size_t vm = 0; vm < n; vm++)
        small_set_vm(&problem, vm, 0, 8, true, 0);
    return problem;
}

static void test_one_vm_takes_setup_transfer_tail(void **state) {
    (void)state;
    struct problem problem = idle_vms(1);
    struct run run = decode(&problem, (const long[]){1}, 1);
    const struct solution_step *step = step_of(&run, 0);
    assert_near(run.makespan_s, 0.4 + 8 + 0.3, 1e-9);
    assert_near(step->downtime_s, 0.3, 1e-9);
    assert_near(step->bytes, 8e9, 1);
    assert_int_equal(step->n_rates, 2);
    assert_near(step->rates[0].from_s, 0.4, 1e-9);
    assert_near(step->rates[0].bytes_per_s, 1e9, 1);
    assert_near(step->rates[1].from_s, 8.4, 1e-9);
    assert_near(step->rates[1].bytes_per_s, 0, 0);
    assert_int_equal(step->n_after, 0);
    finish(&run, &problem);
}

static void test_setups_and_tails_overlap_with_transfers(void **state) {
    (void)state;
    struct problem problem = idle_vms(4);
    struct run run = decode(&problem, (const long[]){1, 2, 1, 2}, 1);
    assert_near(run.makespan_s, 0.4 + 4 * 8 + 0.3, 1e-5);
    finish(&run, &problem);
}

static void test_handover_with_floors_too_wide_to_share(void **state) {
    (void)state;
    struct problem problem = idle_vms(3);
    for (size_t vm = 0; vm < 3; vm++) /* converges at no less than 0.8 GB/s */
        for (int q = 0; q < PROBLEM_N_QUANTILES; q++) {
            struct problem_cost *cost = &problem.vms[vm].cost[q];
            memmove(cost->points, cost->points + 4, (cost->n_points - 4) * sizeof(*cost->points));
            cost->n_points -= 4;
        }
    struct run run = decode(&problem, (const long[]){1, 2, 1}, 0);
    assert_near(run.makespan_s, 0.4 + 3 * 8 + 0.3, 1e-5);
    finish(&run, &problem);
}

static void test_low_threshold_shares_the_link(void **state) {
    (void)state;
    struct problem problem = idle_vms(2);
    struct run run = decode(&problem, (const long[]){1, 2}, 0);
    assert_near(step_of(&run, 1)->start_s, 0, 0);
    assert_near(step_of(&run, 0)->bytes, 8e9, 1);
    assert_true(step_of(&run, 0)->rates[0].bytes_per_s > step_of(&run, 1)->rates[0].bytes_per_s);
    assert_near(run.makespan_s, 16.7, 1e-6);
    finish(&run, &problem);
}

static void test_slots_make_a_queue(void **state) {
    (void)state;
    struct problem problem = idle_vms(3);
    problem.hosts[0].max_migrations = 1;
    struct run run = decode(&problem, (const long[]){1, 2, 1}, 0);
    assert_near(run.makespan_s, 3 * 8.7, 1e-9);
    assert_true(waits_for(&run, 1, 0) && waits_for(&run, 2, 1) && !waits_for(&run, 2, 0));
    finish(&run, &problem);
    problem = idle_vms(3);
    problem.max_parallel = 1;
    run = decode(&problem, (const long[]){1, 2, 1}, 0);
    assert_near(run.makespan_s, 3 * 8.7, 1e-9);
    finish(&run, &problem);
}

static void test_shut_off_vms_send_nothing(void **state) {
    (void)state;
    struct problem problem = idle_vms(2);
    for (int q = 0; q < PROBLEM_N_QUANTILES; q++)
        problem.vms[0].cost[q].n_points = 0;
    struct run run = decode(&problem, (const long[]){1, 1}, 1);
    assert_near(step_of(&run, 0)->end_s, 0.7, 1e-9);
    assert_int_equal(step_of(&run, 0)->n_rates, 0);
    assert_near(run.makespan_s, 8.7, 1e-9);
    finish(&run, &problem);
}

/* Host 0 to 1 needs the room that host 1 to 2 leaves. */
static void test_memory_is_waited_for(void **state) {
    (void)state;
    struct problem problem = small_network(3, 2, 1, 16, 1, 4);
    small_set_vm(&problem, 0, 0, 10, true, 0);
    small_set_vm(&problem, 1, 1, 10, true, 0);
    struct run run = decode(&problem, (const long[]){1, 2}, 0);
    assert_true(waits_for(&run, 0, 1));
    assert_near(step_of(&run, 0)->start_s, step_of(&run, 1)->end_s, 0);
    finish(&run, &problem);
}

static void test_swap_without_room_is_a_deadlock(void **state) {
    (void)state;
    struct problem problem = small_network(3, 3, 1, 16, 1, 4);
    small_set_vm(&problem, 0, 0, 10, true, 0);
    small_set_vm(&problem, 1, 1, 10, true, 0);
    small_set_vm(&problem, 2, 0, 4, true, 0);
    struct run run = decode(&problem, (const long[]){1, 0, 2}, 0);
    assert_true(isinf(run.makespan_s));
    assert_int_equal(run.solution.n_steps, 1);
    assert_true(decoder_started(run.decoder, 2) && !decoder_started(run.decoder, 0));
    assert_int_equal(decoder_score(run.decoder)->n_unstarted, 2);
    const struct solution_conflict conflict = decoder_explain(run.decoder, 0);
    assert_int_equal(conflict.kind, CONFLICT_DEADLOCK);
    assert_int_equal(conflict.host, 1);
    assert_near(conflict.needed - conflict.available, 4e9, 1);
    finish(&run, &problem);
}

static void test_precedence_and_serialization(void **state) {
    (void)state;
    struct problem problem = idle_vms(4);
    small_add_rule(&problem, PROBLEM_PRECEDENCE, 2, (size_t[]){3, 0});
    small_add_rule(&problem, PROBLEM_SERIALIZE, 2, (size_t[]){1, 2});
    struct run run = decode(&problem, (const long[]){1, 2, 1, 2}, 0);
    assert_true(step_of(&run, 0)->start_s >= step_of(&run, 3)->end_s && waits_for(&run, 0, 3));
    assert_true(step_of(&run, 2)->start_s >= step_of(&run, 1)->end_s && waits_for(&run, 2, 1));
    finish(&run, &problem);
}

static void test_precedence_cycle_is_named(void **state) {
    (void)state;
    struct problem problem = idle_vms(2);
    small_add_rule(&problem, PROBLEM_PRECEDENCE, 2, (size_t[]){0, 1});
    small_add_rule(&problem, PROBLEM_PRECEDENCE, 2, (size_t[]){1, 0});
    struct run run = decode(&problem, (const long[]){1, 2}, 0);
    assert_int_equal(run.solution.n_steps, 0);
    const struct solution_conflict conflict = decoder_explain(run.decoder, 1);
    assert_int_equal(conflict.kind, CONFLICT_RULE);
    assert_int_equal(conflict.rule, 0);
    finish(&run, &problem);
}

static void test_continuous_spread_waits_for_the_other_to_leave(void **state) {
    (void)state;
    for (int continuous = 0; continuous < 2; continuous++) {
        struct problem problem = small_network(3, 2, 1, 64, 1, 4);
        small_set_vm(&problem, 0, 0, 8, true, 0);
        small_set_vm(&problem, 1, 1, 8, true, 0);
        small_add_rule(&problem, PROBLEM_SPREAD, 2, (size_t[]){0, 1})->continuous = continuous != 0;
        struct run run = decode(&problem, (const long[]){1, 2}, 0);
        assert_true(waits_for(&run, 0, 1) == (continuous != 0));
        finish(&run, &problem);
    }
}

static void test_together_starts_at_once(void **state) {
    (void)state;
    struct problem problem = idle_vms(4);
    problem.hosts[0].max_migrations = 2;
    small_add_rule(&problem, PROBLEM_TOGETHER, 2, (size_t[]){1, 3});
    struct run run = decode(&problem, (const long[]){1, 2, 1, 2}, 1);
    assert_near(step_of(&run, 1)->start_s, step_of(&run, 3)->start_s, 0);
    assert_int_equal(run.solution.n_steps, 4);
    finish(&run, &problem);
    problem = idle_vms(3);
    small_add_rule(&problem, PROBLEM_GATHER, 3, (size_t[]){0, 1, 2})->continuous = true;
    run = decode(&problem, (const long[]){1, 1, 1}, 1);
    assert_near(step_of(&run, 0)->start_s, step_of(&run, 2)->start_s, 0);
    finish(&run, &problem);
    problem = idle_vms(3); /* impossible: nothing starts half */
    problem.hosts[0].max_migrations = 2;
    small_add_rule(&problem, PROBLEM_TOGETHER, 3, (size_t[]){0, 1, 2});
    run = decode(&problem, (const long[]){1, 1, 1}, 1);
    assert_int_equal(run.solution.n_steps, 0);
    finish(&run, &problem);
}

static void add_random_rule(struct problem *problem, uint64_t *seed, size_t n_movers) {
    static const enum problem_rule_type types[] = {PROBLEM_PRECEDENCE, PROBLEM_SERIALIZE, PROBLEM_TOGETHER,
                                                   PROBLEM_SPREAD};
    size_t vms[3];
    const enum problem_rule_type type = types[small_random(seed) % 4];
    const size_t first = small_random(seed) % (n_movers - 2);
    for (size_t i = 0; i < 3; i++)
        vms[i] = first + i;
    if (type == PROBLEM_SPREAD)
        small_add_rule(problem, type, 3, vms)->continuous = true;
    else
        small_add_rule(problem, type, 2, vms);
}

/* Random destinations, budgets, caps, slots and rules: whatever starts, verifies. */
static void test_random_sets_verify(void **state) {
    (void)state;
    for (uint64_t round = 1; round <= 300; round++) {
        uint64_t seed = round;
        const size_t n_sources = 1 + small_random(&seed) % 3;
        const size_t n_movers = 3 + small_random(&seed) % 20;
        const size_t n_hosts = n_sources + 2 + small_random(&seed) % 4;
        const size_t n_racks = 1 + small_random(&seed) % 2;
        struct problem problem = small_evacuation(round, n_hosts, n_sources, n_movers, n_racks, 0.3);
        long to[MAX_VMS];
        for (size_t vm = 0; vm < problem.n_vms; vm++) {
            struct problem_vm *self = &problem.vms[vm];
            to[vm] = (long)self->host;
            if (!self->moves)
                continue;
            to[vm] = (long)(n_sources + small_random(&seed) % (n_hosts - n_sources));
            if (small_random(&seed) % 2 == 0)
                self->downtime_budget_s = 0.3 + small_uniform(&seed, 0.01, 0.3);
            if (small_random(&seed) % 4 == 0)
                self->max_bandwidth_bytes_per_s = small_uniform(&seed, 0.3, 1.2) * small_gb;
        }
        for (size_t host = 0; host < n_hosts; host++)
            problem.hosts[host].max_migrations = (unsigned)(small_random(&seed) % 5);
        for (size_t i = small_random(&seed) % 4; i > 0; i--)
            add_random_rule(&problem, &seed, n_movers);
        struct run run = decode(&problem, to, (double)(round % 5) / 4);
        finish(&run, &problem);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_vm_takes_setup_transfer_tail),
        cmocka_unit_test(test_setups_and_tails_overlap_with_transfers),
        cmocka_unit_test(test_handover_with_floors_too_wide_to_share),
        cmocka_unit_test(test_low_threshold_shares_the_link),
        cmocka_unit_test(test_slots_make_a_queue),
        cmocka_unit_test(test_shut_off_vms_send_nothing),
        cmocka_unit_test(test_memory_is_waited_for),
        cmocka_unit_test(test_swap_without_room_is_a_deadlock),
        cmocka_unit_test(test_precedence_and_serialization),
        cmocka_unit_test(test_precedence_cycle_is_named),
        cmocka_unit_test(test_continuous_spread_waits_for_the_other_to_leave),
        cmocka_unit_test(test_together_starts_at_once),
        cmocka_unit_test(test_random_sets_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
