/*
 * The plan's steps become a solution of the question its goal asks of this
 * fleet; solver/verify.c judges it. Names that the fleet does not have, paths
 * that differ and forecasts that drift are found here.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_check.h"

#include "base/units.h"
#include "planner/plan_bound.h"
#include "planner/plan_check_stage.h"
#include "planner/plan_replay.h"
#include "planner/plan_violation.h"
#include "planner/question.h"
#include "solver/verify.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double forecast_tolerance_frac = 0.10;
static const double forecast_tolerance_ms = 100; /* a short migration may be off by more */
static const double rounding_ms = 2;

enum dc_status plan_check_say(json_t *sentences, struct dc_error *err, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return json_array_append_new(sentences, json_string(text)) == 0 ? DC_OK : error_set_nomem(err);
}

void plan_check_dispose(struct plan_check *check) {
    json_decref(check->violations);
    json_decref(check->warnings);
    *check = (struct plan_check){0};
}

static enum dc_status copy_lists(const struct plan *plan, const struct plan_step *from, struct solution_step *to,
                                 struct dc_error *err) {
    to->rates = calloc(from->n_rates + 1, sizeof(*to->rates));
    to->after = calloc(from->n_after + 1, sizeof(*to->after));
    if (to->rates == NULL || to->after == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < from->n_rates; i++)
        to->rates[to->n_rates++] =
            (struct solution_rate){.from_s = from->rates[i].from_ms / 1e3, .bytes_per_s = from->rates[i].bytes_per_s};
    for (size_t i = 0; i < from->n_after; i++) {
        for (size_t step = 0; step < plan->n_steps; step++) {
            if (plan->steps[step].id == from->after[i])
                to->after[to->n_after++] = step;
        }
    }
    return DC_OK;
}

/* False where the fleet lacks a name: the rest of the plan cannot be replayed then. */
static enum dc_status resolve_step(const struct fleet *fleet, const struct plan_step *from, struct solution_step *to,
                                   json_t *violations, bool *known_out, struct dc_error *err) {
    const long vm = fleet_doc_find_vm(fleet, from->vm);
    const long from_host = fleet_doc_find_host(fleet, from->from);
    const long to_host = fleet_doc_find_host(fleet, from->to);
    *known_out = vm != FLEET_NO_INDEX && from_host != FLEET_NO_INDEX && to_host != FLEET_NO_INDEX;
    if (vm == FLEET_NO_INDEX)
        return plan_check_say(violations, err, "step %u: the fleet has no VM %s (%s)", from->id, from->vm_name,
                              from->vm);
    if (!*known_out)
        return plan_check_say(violations, err, "step %u (VM %s): the fleet has no host %s", from->id, from->vm_name,
                              from_host == FLEET_NO_INDEX ? from->from : from->to);
    *to = (struct solution_step){
        .vm = (size_t)vm,
        .from = (size_t)from_host,
        .to = (size_t)to_host,
        .hop = from->hop,
        .start_s = from->start_ms / 1e3,
        .end_s = from->end_ms / 1e3,
        .downtime_s = from->downtime_ms.p95 / 1e3,
        .downtime_p50_s = from->downtime_ms.p50 / 1e3,
        .duration_p50_s = from->migration_ms.p50 / 1e3,
        .bytes = from->bytes,
    };
    return DC_OK;
}

static enum dc_status build_solution(const struct plan *plan, const struct fleet *fleet, struct solution *solution,
                                     json_t *violations, bool *known_out, struct dc_error *err) {
    static const enum solution_status statuses[] = {
        [PLAN_OPTIMAL] = SOLUTION_OPTIMAL,
        [PLAN_FEASIBLE] = SOLUTION_FEASIBLE,
        [PLAN_PARTIAL] = SOLUTION_PARTIAL,
        [PLAN_INFEASIBLE] = SOLUTION_INFEASIBLE,
    };
    solution->status = statuses[plan->status];
    solution->makespan_s[PROBLEM_P50] = plan->makespan_ms.p50 / 1e3;
    solution->makespan_s[PROBLEM_P95] = plan->makespan_ms.p95 / 1e3;
    solution->gap_frac = plan->gap_frac;
    if (plan->lower_bound_ms > 0)
        solution->bound =
            (struct solution_bound){.kind = SOLUTION_BOUND_PLACEMENT, .value_s = plan->lower_bound_ms / 1e3};
    solution->steps = calloc(plan->n_steps + 1, sizeof(*solution->steps));
    if (solution->steps == NULL)
        return error_set_nomem(err);
    *known_out = true;
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < plan->n_steps; i++) {
        bool known = false;
        rc = resolve_step(fleet, &plan->steps[i], &solution->steps[i], violations, &known, err);
        solution->n_steps++;
        *known_out = *known_out && known;
        if (rc == DC_OK)
            rc = copy_lists(plan, &plan->steps[i], &solution->steps[i], err);
    }
    return rc;
}

/* The path a plan names must be the one its figures were computed for. */
static enum dc_status check_path(const struct question *question, const struct plan_step *step,
                                 const struct solution_step *solved, json_t *violations, struct dc_error *err) {
    const struct problem *problem = &question->problem;
    const struct fleet *fleet = question->fleet;
    size_t n_arcs = 0;
    size_t n_links = 0;
    const uint32_t *arcs = problem_path(problem, solved->from, solved->to, &n_arcs);
    bool same = true;
    for (size_t i = 0; i < n_arcs; i++) {
        const size_t link = problem->arcs[arcs[i]].link;
        if (link >= fleet->n_links)
            continue;
        same = same && n_links < step->n_path && strcmp(step->path[n_links], fleet->links[link].name) == 0;
        n_links++;
    }
    if (same && n_links == step->n_path)
        return DC_OK;
    return plan_check_say(violations, err, "step %u (VM %s): its path is not the route from %s to %s", step->id,
                          step->vm_name, step->from, step->to);
}

static enum dc_status check_steps(const struct question *question, const struct plan *plan,
                                  const struct solution *solution, struct plan_check *check, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < plan->n_steps; i++) {
        const struct plan_step *step = &plan->steps[i];
        double migration_ms = 0;
        rc = check_path(question, step, &solution->steps[i], check->violations, err);
        if (rc == DC_OK)
            rc = plan_replay_step(step, &question->fleet->vms[solution->steps[i].vm], &migration_ms, err);
        const double planned_ms = step->end_ms - step->start_ms;
        const double off_ms = fabs(migration_ms - planned_ms);
        if (rc == DC_OK && migration_ms > 0 && off_ms > forecast_tolerance_ms &&
            off_ms > forecast_tolerance_frac * planned_ms) {
            char planned[UNITS_TEXT_BYTES], forecast[UNITS_TEXT_BYTES];
            rc = plan_check_say(check->warnings, err,
                                "step %u (VM %s): planned to take %s, simulated from its profile it takes %s", step->id,
                                step->vm_name, units_format_duration(planned_ms, planned, sizeof(planned)),
                                units_format_duration(migration_ms, forecast, sizeof(forecast)));
        }
    }
    return rc;
}

enum dc_status plan_check_makespan(const struct plan *plan, json_t *violations, struct dc_error *err) {
    double last_ms = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        last_ms = fmax(last_ms, plan->steps[i].end_ms);
    if (fabs(last_ms - plan->makespan_ms.p95) <= rounding_ms)
        return DC_OK;
    char claimed[UNITS_TEXT_BYTES], found[UNITS_TEXT_BYTES];
    return plan_check_say(violations, err, "the plan: claims a makespan of %s, its last step ends at %s",
                          units_format_duration(plan->makespan_ms.p95, claimed, sizeof(claimed)),
                          units_format_duration(last_ms, found, sizeof(found)));
}

static enum dc_status judge(const struct question *question, const struct plan *plan, const struct solution *solution,
                            struct plan_check *check, struct dc_error *err) {
    const bool skip_unmoved = plan->status == PLAN_PARTIAL || plan->status == PLAN_INFEASIBLE;
    struct verification verification = {0};
    char text[1024];
    enum dc_status rc = verify(&question->problem, solution, skip_unmoved, &verification, err);
    for (size_t i = 0; rc == DC_OK && i < verification.n_violations; i++) {
        plan_violation_text(question, solution, &verification.violations[i], text, sizeof(text));
        rc = plan_check_say(check->violations, err, "%s", text);
    }
    verification_dispose(&verification);
    if (rc == DC_OK)
        rc = plan_check_makespan(plan, check->violations, err);
    if (rc == DC_OK)
        rc = plan_bound_check(question, plan, check->violations, check->warnings, err);
    return rc == DC_OK ? check_steps(question, plan, solution, check, err) : rc;
}

static enum dc_status check_goal_of(const struct plan *plan, const struct fleet *fleet, const struct goal *goal,
                                    struct plan_check *check, struct dc_error *err) {
    struct question question = {0};
    struct solution solution = {0};
    bool known = false;
    enum dc_status rc = question_init(fleet, goal, &question, err);
    if (rc == DC_OK)
        rc = build_solution(plan, fleet, &solution, check->violations, &known, err);
    if (rc == DC_OK && known)
        rc = judge(&question, plan, &solution, check, err);
    solution_dispose(&solution);
    question_dispose(&question);
    return rc;
}

/* The soft rules that the plan says it breaks need not be kept; a hard one does. */
static enum dc_status check_with_broken_rules(const struct plan *plan, const struct fleet *fleet, struct goal *goal,
                                              struct plan_check *check, struct dc_error *err) {
    const size_t n = json_array_size(plan->broken_rules);
    size_t *let_go = calloc(n + 1, sizeof(*let_go));
    enum dc_status rc = let_go == NULL ? error_set_nomem(err) : DC_OK;
    for (size_t i = 0; rc == DC_OK && let_go != NULL && i < n; i++) {
        const json_t *rule = json_object_get(json_array_get(plan->broken_rules, i), "rule");
        const json_int_t number = json_integer_value(rule);
        if (!json_is_integer(rule) || number < 0 || (size_t)number >= fleet->n_rules)
            rc = plan_check_say(check->violations, err, "broken_rules[%zu]: the fleet has no such rule", i);
        else if (fleet->rules[number].hard)
            rc = plan_check_say(check->violations, err, "broken_rules[%zu]: rules[%zu] is hard", i, (size_t)number);
        else
            let_go[goal->n_let_go++] = (size_t)number;
    }
    goal->let_go = let_go;
    if (rc == DC_OK)
        rc = check_goal_of(plan, fleet, goal, check, err);
    goal->n_let_go = 0;
    goal->let_go = NULL;
    free(let_go);
    return rc;
}

static enum dc_status read_goal(const struct plan *plan, struct goal *goal_out, struct dc_error *err) {
    const enum dc_status rc = goal_from_json(plan->goal, goal_out, err);
    if (rc != DC_OK)
        (void)error_prefix(err, "goal");
    return rc;
}

enum dc_status plan_check_plain(const struct plan *plan, const struct fleet *fleet, struct plan_check *check,
                                struct dc_error *err) {
    struct goal goal;
    enum dc_status rc = read_goal(plan, &goal, err);
    if (rc != DC_OK)
        return rc;
    rc = goal_is_choice(&goal) ? error_set(err, DC_EINVAL, "goal: a stage names what moves")
                               : check_with_broken_rules(plan, fleet, &goal, check, err);
    goal_dispose(&goal);
    return rc;
}

static enum dc_status run(const struct plan *plan, const struct fleet *fleet, struct plan_check *check,
                          struct dc_error *err) {
    struct goal goal;
    enum dc_status rc = read_goal(plan, &goal, err);
    if (rc != DC_OK)
        return rc;
    rc = goal_is_choice(&goal) ? plan_check_stages(plan, fleet, &goal, check, err)
                               : check_with_broken_rules(plan, fleet, &goal, check, err);
    goal_dispose(&goal);
    return rc;
}

enum dc_status plan_check_run(const struct plan *plan, const struct fleet *fleet, struct plan_check *check_out,
                              struct dc_error *err) {
    *check_out = (struct plan_check){.violations = json_array(), .warnings = json_array()};
    enum dc_status rc = DC_OK;
    if (check_out->violations == NULL || check_out->warnings == NULL)
        rc = error_set_nomem(err);
    if (rc == DC_OK && strcmp(plan->fleet_digest, fleet->digest) != 0)
        rc = plan_check_say(check_out->warnings, err,
                            "the plan was made for another state of the fleet (%.19s..., not %.19s...)",
                            plan->fleet_digest, fleet->digest);
    if (rc == DC_OK)
        rc = run(plan, fleet, check_out, err);
    if (rc != DC_OK)
        plan_check_dispose(check_out);
    return rc;
}
