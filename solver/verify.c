/*
 * Verification: where VMs are, what must have happened, order and totals. The
 * sweeps over time and the rules have files of their own.
 *
 * What was broken before the plan and is not touched by it (a host too full
 * already, two VMs of a spread that stay together) is no violation of the plan.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/verify.h"

#include "base/vec.h"
#include "solver/verify_state.h"

#include <math.h>
#include <stdlib.h>

/* Instants this close are one; and what rounding to milliseconds may do to a makespan. */
static const double instant_s = 1e-6;
static const double instant_frac = 1e-9;
static const double makespan_slack_s = 1e-3;
static const double makespan_slack_frac = 1e-6;

void verification_dispose(struct verification *verification) {
    if (verification == NULL)
        return;
    free(verification->violations);
    *verification = (struct verification){0};
}

const char *verify_kind_text(enum violation_kind kind) {
    switch (kind) {
    case VIOLATION_WRONG_HOST:
        return "starts where the VM is not, or ends where it may not be";
    case VIOLATION_NOT_MOVED:
        return "has not moved to where it must be";
    case VIOLATION_MOVED_TWICE:
        return "moves while it is still moving";
    case VIOLATION_CAPACITY:
        return "carries more than it can";
    case VIOLATION_MEMORY:
        return "holds more memory than it has";
    case VIOLATION_CPU:
        return "ends with more CPU used than it has";
    case VIOLATION_CONCURRENCY:
        return "has more migrations in flight than allowed";
    case VIOLATION_RULE:
        return "is broken";
    case VIOLATION_DEADLINE:
        return "ends after the deadline";
    case VIOLATION_DOWNTIME:
        return "is down for longer than its budget";
    case VIOLATION_DURATION:
        return "cannot have sent all at its rates in the time planned";
    case VIOLATION_ORDER:
        return "starts before a step that it waits for has ended";
    case VIOLATION_BOUND:
        return "ends before the lower bound, so one of them is wrong";
    }
    return "unknown violation";
}

struct violation verify_violation(enum violation_kind kind, double at_s, double value, double limit) {
    return (struct violation){
        .kind = kind,
        .step = PROBLEM_ANY,
        .vm = PROBLEM_ANY,
        .host = PROBLEM_ANY,
        .arc = PROBLEM_ANY,
        .rule = PROBLEM_ANY,
        .at_s = at_s,
        .value = value,
        .limit = limit,
    };
}

void verify_add(struct verify_state *state, const struct violation *violation) {
    struct verification *found = state->found;
    if (!vec_reserve((void **)&found->violations, &state->capacity, found->n_violations + 1,
                     sizeof(*found->violations)))
        state->out_of_memory = true;
    else
        found->violations[found->n_violations++] = *violation;
}

bool verify_is_after(double late_s, double early_s) {
    return late_s > early_s + instant_s + instant_frac * fabs(early_s);
}

static void add_step(struct verify_state *state, enum violation_kind kind, size_t step, double at_s, double value,
                     double limit) {
    struct violation violation = verify_violation(kind, at_s, value, limit);
    violation.step = (long)step;
    violation.vm = (long)state->solution->steps[step].vm;
    verify_add(state, &violation);
}

static int compare_steps(const void *left, const void *right, void *context) {
    const struct solution_step *steps = context;
    const size_t a = *(const size_t *)left;
    const size_t b = *(const size_t *)right;
    if (steps[a].vm != steps[b].vm)
        return steps[a].vm < steps[b].vm ? -1 : 1;
    if (steps[a].start_s != steps[b].start_s)
        return steps[a].start_s < steps[b].start_s ? -1 : 1;
    return a < b ? -1 : a > b;
}

static enum dc_status check_indices(const struct problem *problem, const struct solution *solution,
                                    struct dc_error *err) {
    for (size_t i = 0; i < solution->n_steps; i++) {
        const struct solution_step *step = &solution->steps[i];
        bool good = step->vm < problem->n_vms && step->from < problem->n_hosts && step->to < problem->n_hosts;
        for (size_t k = 0; good && k < step->n_after; k++)
            good = step->after[k] < solution->n_steps;
        good = good && isfinite(step->start_s) && isfinite(step->end_s) && !isnan(step->downtime_s);
        for (size_t k = 0; good && k < step->n_rates; k++)
            good = isfinite(step->rates[k].from_s) && isfinite(step->rates[k].bytes_per_s);
        if (!good)
            return error_set(err, DC_EINVAL, "step %zu refers to what the problem does not have", i);
    }
    return DC_OK;
}

static enum dc_status arrange(struct verify_state *state, struct dc_error *err) {
    const struct problem *problem = state->problem;
    const struct solution *solution = state->solution;
    state->begin = calloc(problem->n_vms + 1, sizeof(*state->begin));
    state->by_vm = calloc(solution->n_steps + 1, sizeof(*state->by_vm));
    state->end_on = calloc(problem->n_vms + 1, sizeof(*state->end_on));
    if (state->begin == NULL || state->by_vm == NULL || state->end_on == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < solution->n_steps; i++) {
        state->by_vm[i] = i;
        state->begin[solution->steps[i].vm + 1]++;
    }
    if (solution->n_steps > 0)
        qsort_r(state->by_vm, solution->n_steps, sizeof(*state->by_vm), compare_steps, solution->steps);
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        state->begin[vm + 1] += state->begin[vm];
        const size_t last = state->begin[vm + 1];
        state->end_on[vm] =
            last > state->begin[vm] ? solution->steps[state->by_vm[last - 1]].to : problem->vms[vm].host;
    }
    return DC_OK;
}

/* May the VM be at the end of this step where the step leaves it? On its last
 * host if that is allowed, on others if they receive. */
static bool may_arrive(const struct problem *problem, const struct solution_step *step, bool is_last) {
    if (step->to == step->from || !problem->vms[step->vm].moves)
        return false;
    return is_last ? problem->allowed[step->vm * problem->n_hosts + step->to] != 0 : problem->hosts[step->to].receives;
}

/* The VM's steps one after the other: each from where the one before left it. */
static void verify_places(struct verify_state *state, size_t vm) {
    const struct solution_step *steps = state->solution->steps;
    size_t host = state->problem->vms[vm].host;
    double free_s = -INFINITY; /* the end of the step before */
    bool overlaps = false;
    for (size_t k = state->begin[vm]; k < state->begin[vm + 1]; k++) {
        const size_t index = state->by_vm[k];
        const struct solution_step *step = &steps[index];
        if (step->from != host || !may_arrive(state->problem, step, k + 1 == state->begin[vm + 1])) {
            struct violation violation = verify_violation(VIOLATION_WRONG_HOST, step->start_s, 0, 0);
            violation.step = (long)index;
            violation.vm = (long)vm;
            violation.host = (long)(step->from != host ? step->from : step->to);
            verify_add(state, &violation);
        }
        if (!overlaps && verify_is_after(free_s, step->start_s)) {
            add_step(state, VIOLATION_MOVED_TWICE, index, step->start_s, step->start_s, free_s);
            overlaps = true;
        }
        host = step->to;
        free_s = fmax(free_s, step->end_s);
    }
}

static void verify_moved(struct verify_state *state, size_t vm, bool skip_unmoved) {
    const struct problem_vm *wanted = &state->problem->vms[vm];
    const bool has_steps = state->begin[vm + 1] > state->begin[vm];
    if (!wanted->moves || (!has_steps && skip_unmoved))
        return;
    const size_t host = state->end_on[vm];
    if (host != wanted->host && (wanted->to == PROBLEM_ANY || host == (size_t)wanted->to))
        return;
    struct violation violation = verify_violation(VIOLATION_NOT_MOVED, 0, 0, 0);
    violation.vm = (long)vm;
    violation.host = (long)host;
    verify_add(state, &violation);
}

static void verify_order(struct verify_state *state) {
    const struct solution_step *steps = state->solution->steps;
    for (size_t i = 0; i < state->solution->n_steps; i++) {
        for (size_t k = 0; k < steps[i].n_after; k++) {
            const double ended_s = steps[steps[i].after[k]].end_s;
            if (verify_is_after(ended_s, steps[i].start_s)) {
                add_step(state, VIOLATION_ORDER, i, steps[i].start_s, steps[i].start_s, ended_s);
                break;
            }
        }
    }
}

static void verify_makespan(struct verify_state *state) {
    const struct solution *solution = state->solution;
    double makespan_s = 0;
    for (size_t i = 0; i < solution->n_steps; i++)
        makespan_s = fmax(makespan_s, solution->steps[i].end_s);
    const double slack_s = makespan_slack_s + makespan_slack_frac * makespan_s;
    if (makespan_s > state->problem->deadline_s + slack_s) {
        const struct violation violation =
            verify_violation(VIOLATION_DEADLINE, makespan_s, makespan_s, state->problem->deadline_s);
        verify_add(state, &violation);
    }
    const struct solution_bound *bound = &solution->bound;
    if (solution->n_steps > 0 && bound->kind != SOLUTION_BOUND_NONE && makespan_s < bound->value_s - slack_s) {
        const struct violation violation = verify_violation(VIOLATION_BOUND, makespan_s, makespan_s, bound->value_s);
        verify_add(state, &violation);
    }
}

enum dc_status verify(const struct problem *problem, const struct solution *solution, bool skip_unmoved,
                      struct verification *verification_out, struct dc_error *err) {
    *verification_out = (struct verification){0};
    struct verify_state state = {.problem = problem, .solution = solution, .found = verification_out};
    enum dc_status rc = check_indices(problem, solution, err);
    if (rc == DC_OK)
        rc = arrange(&state, err);
    if (rc == DC_OK) {
        for (size_t vm = 0; vm < problem->n_vms; vm++) {
            verify_places(&state, vm);
            verify_moved(&state, vm, skip_unmoved);
        }
        verify_order(&state);
        verify_transfers(&state);
        verify_arcs(&state);
        verify_hosts(&state);
        verify_rules(&state);
        verify_makespan(&state);
        if (state.out_of_memory)
            rc = error_set_nomem(err);
    }
    free(state.begin);
    free(state.by_vm);
    free(state.end_on);
    if (rc != DC_OK)
        verification_dispose(verification_out);
    return rc;
}
