/* Status, p50 and verification of a finished schedule. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/report.h"

#include "solver/verify.h"

#include <math.h>
#include <stdlib.h>

static const double optimal_gap_frac = 0.001;
static const double deadline_slack_frac = 1e-9; /* rounding */

static const struct solution_step *find_step(const struct solution *solution, const struct solution_step *step) {
    for (size_t i = 0; i < solution->n_steps; i++)
        if (solution->steps[i].vm == step->vm && solution->steps[i].from == step->from)
            return &solution->steps[i];
    return NULL;
}

enum dc_status report_p50(const struct problem *view, const long *to, const struct decode_order *order,
                          struct solution *solution, struct dc_error *err) {
    solution->makespan_s[PROBLEM_P50] = solution->makespan_s[PROBLEM_P95];
    if (solution->n_steps == 0)
        return DC_OK;
    struct decoder *decoder = NULL;
    struct solution p50 = {0};
    double makespan_s = INFINITY;
    enum dc_status rc = decoder_new(view, to, PROBLEM_P50, &decoder, err);
    if (rc == DC_OK)
        rc = decoder_schedule(decoder, order, &p50, &makespan_s, err);
    /* An order that gets stuck at p50 only keeps the figures of p95. */
    if (rc == DC_OK && isfinite(makespan_s)) {
        solution->makespan_s[PROBLEM_P50] = fmin(makespan_s, solution->makespan_s[PROBLEM_P95]);
        for (size_t i = 0; i < solution->n_steps; i++) {
            struct solution_step *step = &solution->steps[i];
            const struct solution_step *same = find_step(&p50, step);
            if (same == NULL)
                continue;
            step->duration_p50_s = fmin(same->end_s - same->start_s, step->end_s - step->start_s);
            step->downtime_p50_s = fmin(same->downtime_s, step->downtime_s);
        }
    }
    solution_dispose(&p50);
    decoder_free(&decoder);
    return rc;
}

static void drop_steps(struct solution *solution) {
    for (size_t i = 0; i < solution->n_steps; i++) {
        free(solution->steps[i].rates);
        free(solution->steps[i].after);
    }
    free(solution->steps);
    solution->steps = NULL;
    solution->n_steps = 0;
    solution->gap_frac = 0;
    solution->forecast = (struct solution_forecast){0};
    for (int quantile = 0; quantile < PROBLEM_N_QUANTILES; quantile++)
        solution->makespan_s[quantile] = 0;
}

/* Whether a VM was left out that a longer deadline would let in again. */
static bool deadline_left_out(const struct solution *solution) {
    for (size_t i = 0; i < solution->n_conflicts; i++) {
        if (solution->conflicts[i].kind == CONFLICT_DEADLINE)
            return true;
    }
    return false;
}

enum dc_status report_status(const struct problem *problem, bool has_left_out, struct solution *solution,
                             struct dc_error *err) {
    const double makespan_s = solution->makespan_s[PROBLEM_P95];
    if (solution->n_steps > 0 && makespan_s > problem->deadline_s * (1 + deadline_slack_frac)) {
        const struct solution_conflict conflict = {
            .kind = CONFLICT_DEADLINE,
            .vm = PROBLEM_ANY,
            .host = PROBLEM_ANY,
            .rule = PROBLEM_ANY,
            .needed = solution->bound.value_s,
            .available = problem->deadline_s,
            .best = deadline_left_out(solution) ? 0 : makespan_s,
        };
        solution->status = SOLUTION_INFEASIBLE;
        drop_steps(solution);
        return solution_add_conflict(solution, &conflict, err);
    }
    if (has_left_out)
        solution->status = solution->n_steps > 0 ? SOLUTION_PARTIAL : SOLUTION_INFEASIBLE;
    else
        solution->status = solution->gap_frac <= optimal_gap_frac ? SOLUTION_OPTIMAL : SOLUTION_FEASIBLE;
    return DC_OK;
}

/* DC_EINTERNAL with the first violation's text, if there is one. */
static enum dc_status check(const struct problem *problem, const struct solution *solution, struct dc_error *err) {
    struct verification verification = {0};
    enum dc_status rc = verify(problem, solution, solution->status == SOLUTION_PARTIAL, &verification, err);
    if (rc == DC_OK && verification.n_violations > 0) {
        const struct violation *first = &verification.violations[0];
        rc = error_set(err, DC_EINTERNAL, "solve: own plan fails: %s (step %ld, at %.6f s: %.9g against %.9g)",
                       verify_kind_text(first->kind), first->step, first->at_s, first->value, first->limit);
    }
    verification_dispose(&verification);
    return rc;
}

static enum dc_status run_in_sequence(const struct problem *view, const long *to, const struct decode_order *order,
                                      struct solution *solution, struct dc_error *err) {
    struct problem one_by_one = *view;
    one_by_one.max_parallel = 1;
    struct decoder *decoder = NULL;
    double makespan_s = INFINITY;
    enum dc_status rc = decoder_new(&one_by_one, to, PROBLEM_P95, &decoder, err);
    if (rc == DC_OK)
        rc = decoder_schedule(decoder, order, solution, &makespan_s, err);
    decoder_free(&decoder);
    if (rc == DC_OK && solution->bound.value_s > 0)
        solution->gap_frac = fmax(0, solution->makespan_s[PROBLEM_P95] / solution->bound.value_s - 1);
    return rc == DC_OK ? report_p50(&one_by_one, to, order, solution, err) : rc;
}

enum dc_status report_verified(const struct problem *problem, const struct problem *view, const long *to,
                               const struct decode_order *order, struct solution *solution, struct dc_error *err) {
    if (solution->n_steps == 0)
        return DC_OK;
    struct dc_error first = DC_ERROR_NONE;
    enum dc_status rc = check(problem, solution, &first);
    if (rc == DC_OK)
        return DC_OK;
    if (rc != DC_EINTERNAL)
        return error_set(err, rc, "%s", error_text(&first));
    solution->forecast = (struct solution_forecast){0}; /* was another schedule's */
    const bool is_partial = solution->status == SOLUTION_PARTIAL;
    rc = run_in_sequence(view, to, order, solution, err);
    if (rc == DC_OK)
        rc = report_status(problem, is_partial, solution, err);
    if (rc == DC_OK && solution->n_steps > 0 && check(problem, solution, NULL) != DC_OK)
        rc = error_set(err, DC_EINTERNAL, "%s", error_text(&first));
    return rc;
}
