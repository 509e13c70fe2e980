/* Writes the solver's indices and seconds out as names and milliseconds. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_build.h"

#include "planner/plan_bound.h"
#include "planner/plan_conflict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Nothing planned has no figures: 0, not infinity. */
static double to_ms(double seconds) {
    return isfinite(seconds) ? round(1e3 * seconds) : 0;
}

static enum dc_status copy_rates(const struct solution_step *from, struct plan_step *to, struct dc_error *err) {
    to->rates = calloc(from->n_rates + 1, sizeof(*to->rates));
    if (to->rates == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < from->n_rates; i++) {
        to->rates[i].from_ms = to_ms(from->rates[i].from_s);
        to->rates[i].bytes_per_s = floor(from->rates[i].bytes_per_s);
        if (to->bandwidth_bytes_per_s <= 0)
            to->bandwidth_bytes_per_s = to->rates[i].bytes_per_s;
    }
    to->n_rates = from->n_rates;
    return DC_OK;
}

static enum dc_status copy_path(const struct question *question, const struct solution_step *from, struct plan_step *to,
                                struct dc_error *err) {
    const struct problem *problem = &question->problem;
    size_t n_arcs = 0;
    const uint32_t *arcs = problem_path(problem, from->from, from->to, &n_arcs);
    to->path = calloc(n_arcs + 1, sizeof(*to->path));
    if (to->path == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < n_arcs; i++) {
        const struct problem_arc *arc = &problem->arcs[arcs[i]];
        if (arc->link >= question->fleet->n_links)
            continue; /* a switch's backplane is no link */
        to->path[to->n_path] = strdup(question->fleet->links[arc->link].name);
        if (to->path[to->n_path++] == NULL)
            return error_set_nomem(err);
    }
    return DC_OK;
}

/* The rounds at the mean bandwidth of the step. */
static unsigned rounds_of(const struct question *question, const struct solution_step *step) {
    const struct problem_cost *cost = &question->problem.vms[step->vm].cost[PROBLEM_P95];
    const double sending_s = step->end_s - step->start_s - cost->pre_s - cost->post_s;
    struct prediction_point point;
    if (sending_s <= 0 || !prediction_at(&question->predictions[step->vm], step->bytes / sending_s, &point))
        return 0;
    return point.n_rounds;
}

static enum dc_status copy_step(const struct question *question, const struct solution_step *from, size_t index,
                                struct plan_step *to, struct dc_error *err) {
    const struct fleet *fleet = question->fleet;
    const struct fleet_vm *vm = &fleet->vms[from->vm];
    *to = (struct plan_step){
        .id = (unsigned)(index + 1),
        .action = vm->state == FLEET_VM_SHUTOFF ? PLAN_COLD_MIGRATE : PLAN_MIGRATE,
        .vm = strdup(vm->uuid),
        .vm_name = strdup(vm->name),
        .from = strdup(fleet->hosts[from->from].name),
        .to = strdup(fleet->hosts[from->to].name),
        .hop = from->hop,
        .start_ms = to_ms(from->start_s),
        .end_ms = to_ms(from->end_s),
        .migration_ms = {.p50 = to_ms(from->duration_p50_s), .p95 = to_ms(from->end_s) - to_ms(from->start_s)},
        .downtime_ms = {.p50 = to_ms(from->downtime_p50_s), .p95 = to_ms(from->downtime_s)},
        .bytes = round(from->bytes),
        .n_rounds = rounds_of(question, from),
        .after = calloc(from->n_after + 1, sizeof(*to->after)),
    };
    if (to->vm == NULL || to->vm_name == NULL || to->from == NULL || to->to == NULL || to->after == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < from->n_after; i++)
        to->after[to->n_after++] = (unsigned)(from->after[i] + 1);
    const enum dc_status rc = copy_rates(from, to, err);
    return rc == DC_OK ? copy_path(question, from, to, err) : rc;
}

static enum dc_status copy_steps(const struct question *question, const struct solution *solution, struct plan *plan,
                                 struct dc_error *err) {
    plan->steps = calloc(solution->n_steps + 1, sizeof(*plan->steps));
    if (plan->steps == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < solution->n_steps; i++) {
        struct plan_step *step = &plan->steps[plan->n_steps++];
        const enum dc_status rc = copy_step(question, &solution->steps[i], i, step, err);
        if (rc != DC_OK)
            return rc;
        plan->bytes += step->bytes;
        plan->downtime_total_ms += step->downtime_ms.p95;
        plan->downtime_worst_ms = fmax(plan->downtime_worst_ms, step->downtime_ms.p95);
    }
    return DC_OK;
}

static json_t *quantiles_json(double offset, double p50, double p95) {
    return json_pack("{s:I, s:I}", "p50", (json_int_t)llround(offset + p50), "p95", (json_int_t)llround(offset + p95));
}

/* When it will be done, and how surely in time: if it starts at the fleet's time. */
static json_t *forecast_json(const struct question *question, const struct solution_forecast *forecast) {
    if (forecast->n_runs == 0)
        return json_object();
    const double p50_ms = to_ms(forecast->makespan_s[PROBLEM_P50]), p95_ms = to_ms(forecast->makespan_s[PROBLEM_P95]);
    json_t *json = json_pack("{s:I, s:s, s:o, s:o}", "n_runs", (json_int_t)forecast->n_runs, "method",
                             forecast->decoded ? "decode" : "load", "makespan_ms", quantiles_json(0, p50_ms, p95_ms),
                             "eta_unix_ms", quantiles_json((double)question->fleet->taken_unix_ms, p50_ms, p95_ms));
    if (json != NULL && question->goal->deadline_ms > 0)
        (void)json_object_set_new(json, "deadline_met_frac", json_real(forecast->deadline_met_frac));
    return json;
}

static bool add_warning(struct plan *plan, const char *text) {
    return json_array_append_new(plan->warnings, json_string(text)) == 0;
}

/* The question's own warnings and conflicts first, then the solver's. */
static enum dc_status copy_remarks(const struct question *question, const struct solution *solution, struct plan *plan,
                                   struct dc_error *err) {
    plan->conflicts = json_deep_copy(question->conflicts);
    plan->warnings = json_deep_copy(question->warnings);
    if (plan->conflicts == NULL || plan->warnings == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < solution->n_conflicts; i++) {
        if (json_array_append_new(plan->conflicts, plan_conflict_json(question, &solution->conflicts[i])) != 0)
            return error_set_nomem(err);
    }
    if (solution->time_limit_hit && !add_warning(plan, "the time limit was reached: this is the best plan found in it"))
        return error_set_nomem(err);
    if (solution->cancelled && !add_warning(plan, "the search was interrupted: this is the best plan found so far"))
        return error_set_nomem(err);
    return DC_OK;
}

/* VMs that the question itself had to leave out make a whole plan a partial one. */
static enum plan_status status_of(const struct question *question, const struct solution *solution) {
    static const enum plan_status statuses[] = {
        [SOLUTION_OPTIMAL] = PLAN_OPTIMAL,
        [SOLUTION_FEASIBLE] = PLAN_FEASIBLE,
        [SOLUTION_PARTIAL] = PLAN_PARTIAL,
        [SOLUTION_INFEASIBLE] = PLAN_INFEASIBLE,
    };
    if (json_array_size(question->conflicts) > 0 && solution->status != SOLUTION_INFEASIBLE)
        return solution->n_steps > 0 ? PLAN_PARTIAL : PLAN_INFEASIBLE;
    return statuses[solution->status];
}

enum dc_status plan_build(const struct question *question, const struct solution *solution, struct plan *plan_out,
                          struct dc_error *err) {
    const struct fleet *fleet = question->fleet;
    *plan_out = (struct plan){
        .fleet_digest = strdup(fleet->digest),
        .made_unix_ms = fleet->taken_unix_ms,
        .seed = question->goal->seed,
        .status = status_of(question, solution),
        .makespan_ms = {.p50 = to_ms(solution->makespan_s[PROBLEM_P50]),
                        .p95 = to_ms(solution->makespan_s[PROBLEM_P95])},
        .lower_bound_ms = floor(1e3 * solution->bound.value_s),
        .gap_frac = solution->gap_frac,
        .bound = plan_bound_json(question, solution),
        .forecast = forecast_json(question, &solution->forecast),
    };
    enum dc_status rc = DC_OK;
    if (plan_out->fleet_digest == NULL || plan_out->bound == NULL || plan_out->forecast == NULL)
        rc = error_set_nomem(err);
    if (rc == DC_OK)
        rc = goal_to_json(question->goal, &plan_out->goal, err);
    if (rc == DC_OK)
        rc = copy_steps(question, solution, plan_out, err);
    if (rc == DC_OK)
        rc = copy_remarks(question, solution, plan_out, err);
    if (rc != DC_OK)
        plan_doc_dispose(plan_out);
    return rc;
}
