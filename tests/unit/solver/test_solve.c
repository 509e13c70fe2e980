/*
 * The front door: random sets whose plans verify and keep above their bounds,
 * answers that repeat, and every reason for which there is no plan.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/solve.h"
#include "solver/verify.h"
#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* Freezes the problem and solves it; what comes back has been verified. */
static struct solution run(struct problem *problem, const struct solve_options *options) {
    struct dc_error err = DC_ERROR_NONE;
    struct solution solution;
    struct verification verification;
    if (problem_freeze(problem, &err) != DC_OK || solve(problem, options, &solution, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    const bool partly = solution.status == SOLUTION_PARTIAL || solution.status == SOLUTION_INFEASIBLE;
    assert_int_equal(verify(problem, &solution, partly, &verification, &err), DC_OK);
    for (size_t i = 0; i < verification.n_violations; i++)
        print_error("step %ld %s: %g, limit %g at %g s\n", verification.violations[i].step,
                    verify_kind_text(verification.violations[i].kind), verification.violations[i].value,
                    verification.violations[i].limit, verification.violations[i].at_s);
    assert_int_equal(verification.n_violations, 0);
    verification_dispose(&verification);
    return solution;
}

static struct solution run_seed(struct problem *problem, uint64_t seed) {
    const struct solve_options options = {.seed = seed};
    return run(problem, &options);
}

static const struct solution_conflict *conflict_of(const struct solution *solution, long vm) {
    for (size_t i = 0; i < solution->n_conflicts; i++)
        if (solution->conflicts[i].vm == vm)
            return &solution->conflicts[i];
    fail_msg("no conflict of VM %ld", vm);
    return NULL;
}

static void check_figures(const struct solution *solution) {
    const double makespan_s = solution->makespan_s[PROBLEM_P95];
    assert_true(makespan_s >= solution->bound.value_s * (1 - 1e-6));
    assert_true(solution->makespan_s[PROBLEM_P50] <= makespan_s && solution->makespan_s[PROBLEM_P50] > 0);
    assert_true(solution->bound.kind != SOLUTION_BOUND_NONE);
    assert_true(fabs(solution->gap_frac - fmax(0, makespan_s / solution->bound.value_s - 1)) < 1e-9);
    assert_true((solution->status == SOLUTION_OPTIMAL) == (solution->gap_frac <= 0.001));
    for (size_t i = 0; i < solution->n_steps; i++) {
        const struct solution_step *step = &solution->steps[i];
        assert_true(step->duration_p50_s <= step->end_s - step->start_s);
        assert_true(step->downtime_p50_s <= step->downtime_s);
        for (size_t k = 0; k < step->n_after; k++)
            assert_true(step->after[k] < i);
    }
}

static void test_random_evacuations(void **state) {
    (void)state;
    double gaps = 0;
    const uint64_t n_rounds = 40;
    for (uint64_t round = 1; round <= n_rounds; round++) {
        uint64_t seed = round;
        const size_t n_sources = 1 + small_random(&seed) % 2;
        const size_t n_movers = 2 + small_random(&seed) % 24;
        struct problem problem =
            small_evacuation(round, n_sources + 3 + round % 4, n_sources, n_movers, 1 + round % 2, 0.3);
        for (size_t vm = 0; vm < n_movers; vm++)
            if (small_random(&seed) % 2 == 0)
                problem.vms[vm].downtime_budget_s = 0.35 + small_uniform(&seed, 0, 0.2);
        for (size_t host = 0; host < problem.n_hosts; host++)
            problem.hosts[host].max_migrations = (unsigned)(round % 5);
        struct solution solution = run_seed(&problem, round);
        assert_int_equal(solution.n_conflicts, 0);
        assert_int_equal(solution.n_steps, n_movers);
        check_figures(&solution);
        gaps += solution.gap_frac;
        solution_dispose(&solution);
        problem_dispose(&problem);
    }
    if (gaps / (double)n_rounds > 0.02)
        fail_msg("a mean gap of %g", gaps / (double)n_rounds);
}

static void test_answers_repeat(void **state) {
    (void)state;
    struct problem problem = small_evacuation(11, 6, 2, 14, 2, 0.3);
    struct solution a = run_seed(&problem, 5);
    struct solution b = run_seed(&problem, 5);
    assert_int_equal(a.n_steps, b.n_steps);
    assert_memory_equal(a.makespan_s, b.makespan_s, sizeof(a.makespan_s));
    for (size_t i = 0; i < a.n_steps; i++) {
        assert_int_equal(a.steps[i].vm, b.steps[i].vm);
        assert_int_equal(a.steps[i].to, b.steps[i].to);
        assert_int_equal(a.steps[i].n_rates, b.steps[i].n_rates);
        assert_memory_equal(a.steps[i].rates, b.steps[i].rates, a.steps[i].n_rates * sizeof(*a.steps[i].rates));
        assert_int_equal(a.steps[i].n_after, b.steps[i].n_after);
    }
    solution_dispose(&a);
    solution_dispose(&b);
    problem_dispose(&problem);
}

static void test_nothing_to_move(void **state) {
    (void)state;
    struct problem problem = small_network(2, 2, 1, 64, 1, 4);
    small_set_vm(&problem, 0, 0, 8, false, 0);
    small_set_vm(&problem, 1, 1, 8, false, 0);
    struct solution solution = run_seed(&problem, 1);
    assert_int_equal(solution.status, SOLUTION_OPTIMAL);
    assert_int_equal(solution.n_steps, 0);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

/* Host 0 with three VMs, hosts 1 and 2 free; 1 GB/s. */
static struct problem three_vms(void) {
    struct problem problem = small_network(3, 3, 1, 64, 1, 4);
    for (size_t vm = 0; vm < 3; vm++)
        small_set_vm(&problem, vm, 0, 8, true, 0.05);
    return problem;
}

static void assert_partial_without(struct problem *problem, enum solution_conflict_kind kind) {
    struct solution solution = run_seed(problem, 1);
    assert_int_equal(solution.status, SOLUTION_PARTIAL);
    assert_int_equal(solution.n_conflicts, 1);
    assert_int_equal(solution.conflicts[0].kind, kind);
    assert_int_equal(solution.conflicts[0].vm, 1);
    assert_int_equal(solution.n_steps, 2);
    assert_true(solution.makespan_s[PROBLEM_P95] >= solution.bound.value_s * (1 - 1e-6));
    solution_dispose(&solution);
    problem_dispose(problem);
}

static void test_one_that_cannot_go_stays(void **state) {
    (void)state;
    struct problem problem = three_vms();
    problem.vms[1].downtime_budget_s = 0.31; /* 0.3 s of tail, and the stop takes 20 ms at best */
    assert_partial_without(&problem, CONFLICT_DOWNTIME_BUDGET);
    problem = three_vms();
    problem.vms[1].cost[PROBLEM_P95].n_points = 0; /* at p50 it does converge */
    assert_partial_without(&problem, CONFLICT_NO_CONVERGENCE);
    problem = three_vms();
    problem.vms[1].max_bandwidth_bytes_per_s = 0.05e9;
    assert_partial_without(&problem, CONFLICT_BANDWIDTH);
    problem = three_vms();
    problem.vms[1].cost[PROBLEM_P95].pre_s = 100;
    problem.deadline_s = 60;
    assert_partial_without(&problem, CONFLICT_DEADLINE);
    problem = three_vms();
    problem.allowed[1 * 3 + 1] = problem.allowed[1 * 3 + 2] = 0;
    assert_partial_without(&problem, CONFLICT_NO_HOST);
}

static void test_budget_conflict_has_its_figures(void **state) {
    (void)state;
    struct problem problem = three_vms();
    problem.vms[1].downtime_budget_s = 0.31;
    struct solution solution = run_seed(&problem, 1);
    const struct solution_conflict *conflict = conflict_of(&solution, 1);
    struct problem_cost_point best;
    assert_true(problem_cost_at(&problem.vms[1].cost[PROBLEM_P95], 1e9, &best));
    assert_true(fabs(conflict->needed - (best.stop_s + 0.3)) < 1e-9);
    assert_true(fabs(conflict->available - 0.31) < 1e-12);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void test_no_one_can_go(void **state) {
    (void)state;
    struct problem problem = three_vms();
    for (size_t vm = 0; vm < 3; vm++)
        problem.vms[vm].downtime_budget_s = 0.1;
    struct solution solution = run_seed(&problem, 1);
    assert_int_equal(solution.status, SOLUTION_INFEASIBLE);
    assert_int_equal(solution.n_conflicts, 3);
    assert_int_equal(solution.n_steps, 0);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void test_deadline_names_bound_and_plan(void **state) {
    (void)state;
    struct problem problem = three_vms();
    problem.deadline_s = 15; /* each VM fits, the three do not */
    struct solution solution = run_seed(&problem, 1);
    assert_int_equal(solution.status, SOLUTION_INFEASIBLE);
    const struct solution_conflict *conflict = conflict_of(&solution, PROBLEM_ANY);
    assert_int_equal(conflict->kind, CONFLICT_DEADLINE);
    assert_true(conflict->available < conflict->needed && conflict->needed <= conflict->best * (1 + 1e-9));
    solution_dispose(&solution);
    problem.deadline_s = 40;
    solution = run_seed(&problem, 1);
    assert_true(solution.status <= SOLUTION_FEASIBLE);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

/* Two VMs that want each other's place, and one that can go anyway. */
static struct problem tight_swap(void) {
    struct problem problem = small_network(3, 3, 1, 16, 1, 4);
    small_set_vm(&problem, 0, 0, 10, true, 0);
    small_set_vm(&problem, 1, 1, 10, true, 0);
    small_set_vm(&problem, 2, 0, 4, true, 0);
    problem.vms[0].to = 1;
    problem.vms[1].to = 0;
    problem.vms[2].to = 2;
    problem.hosts[2].memory_bytes = 8 * small_gb; /* no room to park one of the two */
    return problem;
}

static void test_deadlock_leaves_the_others(void **state) {
    (void)state;
    struct problem problem = tight_swap();
    struct solution solution = run_seed(&problem, 1);
    assert_int_equal(solution.status, SOLUTION_PARTIAL);
    assert_int_equal(solution.n_steps, 1);
    assert_int_equal(conflict_of(&solution, 0)->kind, CONFLICT_DEADLOCK);
    assert_int_equal(conflict_of(&solution, 1)->kind, CONFLICT_DEADLOCK);
    assert_int_equal(conflict_of(&solution, 0)->host, 1);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void test_deadlock_keeps_who_is_gathered_with_it(void **state) {
    (void)state;
    struct problem problem = small_network(3, 3, 1, 16, 1, 4);
    small_set_vm(&problem, 0, 0, 10, true, 0);
    small_set_vm(&problem, 1, 1, 10, true, 0);
    small_set_vm(&problem, 2, 2, 1, true, 0);
    problem.vms[0].to = 1;
    problem.vms[1].to = 0;
    problem.vms[2].to = 1;
    problem.hosts[2].memory_bytes = 8 * small_gb;
    small_add_rule(&problem, PROBLEM_GATHER, 2, (size_t[]){0, 2});
    struct solution solution = run_seed(&problem, 1);
    assert_int_equal(solution.status, SOLUTION_INFEASIBLE);
    assert_int_equal(conflict_of(&solution, 2)->kind, CONFLICT_RULE);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void test_cancelled_and_late_answers_are_plans(void **state) {
    (void)state;
    struct problem problem = small_evacuation(3, 6, 2, 20, 2, 0.3);
    const atomic_bool cancel = true;
    struct solve_options options = {.seed = 1, .cancel = &cancel};
    struct solution solution = run(&problem, &options);
    assert_int_equal(solution.n_steps, 20);
    assert_true(solution.cancelled || solution.status == SOLUTION_OPTIMAL);
    solution_dispose(&solution);
    options = (struct solve_options){.seed = 1, .time_limit_s = 1e-6};
    solution = run(&problem, &options);
    assert_int_equal(solution.n_steps, 20);
    assert_true(solution.time_limit_hit || solution.status == SOLUTION_OPTIMAL);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void count_progress(void *context, const struct solve_progress *progress) {
    assert_true(progress->makespan_s > 0 && progress->elapsed_s >= 0 && progress->gap_frac > -1e-6);
    (*(size_t *)context)++;
}

static void test_progress_is_told(void **state) {
    (void)state;
    size_t n = 0;
    struct problem problem = three_vms();
    const struct solve_options options = {.seed = 1, .on_progress = count_progress, .context = &n};
    struct solution solution = run(&problem, &options);
    assert_true(n > 0);
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void test_unfrozen_problem_is_refused(void **state) {
    (void)state;
    struct problem problem = three_vms();
    struct solution solution;
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(solve(&problem, &(struct solve_options){.seed = 1}, &solution, &err), DC_EINTERNAL);
    problem_dispose(&problem);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_evacuations),
        cmocka_unit_test(test_answers_repeat),
        cmocka_unit_test(test_nothing_to_move),
        cmocka_unit_test(test_one_that_cannot_go_stays),
        cmocka_unit_test(test_budget_conflict_has_its_figures),
        cmocka_unit_test(test_no_one_can_go),
        cmocka_unit_test(test_deadline_names_bound_and_plan),
        cmocka_unit_test(test_deadlock_leaves_the_others),
        cmocka_unit_test(test_deadlock_keeps_who_is_gathered_with_it),
        cmocka_unit_test(test_cancelled_and_late_answers_are_plans),
        cmocka_unit_test(test_progress_is_told),
        cmocka_unit_test(test_unfrozen_problem_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
