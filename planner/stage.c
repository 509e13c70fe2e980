/* Steps are renumbered and put off as their stage is taken over. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/stage.h"

#include "base/vec.h"
#include "planner/answer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double optimal_gap_frac = 0.001;

static bool copy_fleet(struct staging *staging) {
    const struct fleet *fleet = staging->fleet;
    staging->now = *fleet;
    staging->now.vms = calloc(fleet->n_vms + 1, sizeof(*fleet->vms));
    staging->now.hosts = calloc(fleet->n_hosts + 1, sizeof(*fleet->hosts));
    if (staging->now.vms == NULL || staging->now.hosts == NULL)
        return false;
    if (fleet->n_vms > 0)
        memcpy(staging->now.vms, fleet->vms, fleet->n_vms * sizeof(*fleet->vms));
    if (fleet->n_hosts > 0)
        memcpy(staging->now.hosts, fleet->hosts, fleet->n_hosts * sizeof(*fleet->hosts));
    return true;
}

enum dc_status staging_init(struct staging *staging, const struct fleet *fleet, const struct goal *goal,
                            const struct solve_options *options, struct plan *plan_out, struct dc_error *err) {
    *staging =
        (struct staging){.fleet = fleet, .goal = goal, .options = options, .plan = plan_out, .all_optimal = true};
    *plan_out = (struct plan){
        .fleet_digest = strdup(fleet->digest),
        .made_unix_ms = fleet->taken_unix_ms,
        .seed = goal->seed,
        .bound = json_pack("{s:s}", "kind", "stages"),
        .forecast = json_object(),
        .choice = json_object(),
        .stages = json_array(),
        .conflicts = json_array(),
        .warnings = json_array(),
    };
    if (!copy_fleet(staging) || plan_out->fleet_digest == NULL || plan_out->bound == NULL ||
        plan_out->forecast == NULL || plan_out->choice == NULL || plan_out->stages == NULL ||
        plan_out->conflicts == NULL || plan_out->warnings == NULL)
        return error_set_nomem(err);
    const enum dc_status rc = goal_to_json(goal, &staging->goal_json, err);
    if (rc == DC_OK)
        plan_out->goal = json_incref(staging->goal_json);
    return rc;
}

void staging_dispose(struct staging *staging) {
    free(staging->now.vms);
    free(staging->now.hosts);
    free(staging->barrier);
    json_decref(staging->goal_json);
    *staging = (struct staging){0};
}

json_t *staging_question(const struct staging *staging, enum goal_kind kind, double time_limit_ms) {
    const bool evacuates = kind == GOAL_EVACUATE;
    json_t *question = json_deep_copy(staging->goal_json);
    if (question == NULL)
        return NULL;
    goal_choice_strip(question);
    (void)json_object_del(question, "hosts");
    (void)json_object_del(question, "deadline_ms");
    (void)json_object_del(question, "explain");
    const json_int_t limit_ms = (json_int_t)fmax(1, floor(time_limit_ms));
    if (json_object_set_new(question, "verb", json_string(evacuates ? "evacuate" : "schedule")) == 0 &&
        json_object_set_new(question, evacuates ? "hosts" : "moves", json_array()) == 0 &&
        json_object_set_new(question, "time_limit_ms", json_integer(limit_ms)) == 0)
        return question;
    json_decref(question);
    return NULL;
}

bool staging_add_name(json_t *question, const char *list, const char *name) {
    if (json_object_get(question, list) == NULL && json_object_set_new(question, list, json_array()) != 0)
        return false;
    return json_array_append_new(json_object_get(question, list), json_string(name)) == 0;
}

static bool add_move(json_t *question, const char *vm, const char *to) {
    return json_array_append_new(json_object_get(question, "moves"), json_pack("{s:s, s:s}", "vm", vm, "to", to)) == 0;
}

bool staging_add_moves(const struct staging *staging, json_t *question, const size_t *to) {
    const struct fleet *fleet = staging->fleet;
    bool ok = true;
    for (size_t vm = 0; ok && vm < fleet->n_vms; vm++)
        if (to[vm] != staging->now.vms[vm].host)
            ok = add_move(question, fleet->vms[vm].uuid, fleet->hosts[to[vm]].name);
    return ok;
}

static bool has_step(const struct plan *plan, const char *uuid) {
    for (size_t i = 0; i < plan->n_steps; i++)
        if (strcmp(plan->steps[i].vm, uuid) == 0)
            return true;
    return false;
}

size_t staging_pin_left(const struct staging *staging, const struct plan *answer, const size_t *to,
                        struct problem *problem) {
    size_t n_left = 0;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        if (to[vm] == problem->vms[vm].host || has_step(answer, staging->fleet->vms[vm].uuid))
            continue;
        problem->vms[vm].moves = false;
        n_left++;
    }
    return n_left;
}

enum dc_status staging_ask(struct staging *staging, const json_t *question, struct plan *plan_out,
                           struct dc_error *err) {
    struct goal goal;
    enum dc_status rc = goal_from_json(question, &goal, err);
    if (rc != DC_OK)
        return rc;
    rc = answer_plain(&staging->now, &goal, staging->options, plan_out, err);
    goal_dispose(&goal);
    return rc;
}

static enum dc_status add_step(struct staging *staging, struct plan_step **step_out, struct dc_error *err) {
    struct plan *plan = staging->plan;
    if (!vec_reserve((void **)&plan->steps, &staging->capacity, plan->n_steps + 1, sizeof(*plan->steps)))
        return error_set_nomem(err);
    *step_out = &plan->steps[plan->n_steps++];
    **step_out = (struct plan_step){.id = (unsigned)plan->n_steps};
    return DC_OK;
}

enum dc_status staging_wait(struct plan_step *step, unsigned id, struct dc_error *err) {
    unsigned *after = realloc(step->after, (step->n_after + 1) * sizeof(*after));
    if (after == NULL)
        return error_set_nomem(err);
    step->after = after;
    step->after[step->n_after++] = id;
    return DC_OK;
}

enum dc_status staging_block(struct staging *staging, unsigned id, struct dc_error *err) {
    if (!vec_reserve((void **)&staging->barrier, &staging->barrier_capacity, staging->n_barrier + 1,
                     sizeof(*staging->barrier)))
        return error_set_nomem(err);
    staging->barrier[staging->n_barrier++] = id;
    return DC_OK;
}

/* A step of the stage, `first` steps and `start_ms` later; the first ones wait for the barrier. */
static enum dc_status take_step(struct staging *staging, struct plan_step *from, unsigned n_before, double start_ms,
                                struct dc_error *err) {
    struct plan_step *step = NULL;
    enum dc_status rc = add_step(staging, &step, err);
    if (rc != DC_OK)
        return rc;
    *step = *from;
    *from = (struct plan_step){0};
    step->id = (unsigned)staging->plan->n_steps;
    step->start_ms += start_ms;
    step->end_ms += start_ms;
    for (size_t i = 0; i < step->n_rates; i++)
        step->rates[i].from_ms += start_ms;
    const bool is_first = step->n_after == 0;
    for (size_t i = 0; i < step->n_after; i++)
        step->after[i] += n_before;
    for (size_t i = 0; rc == DC_OK && is_first && i < staging->n_barrier; i++)
        rc = staging_wait(step, staging->barrier[i], err);
    const long vm = fleet_doc_find_vm(staging->fleet, step->vm);
    const long host = fleet_doc_find_host(staging->fleet, step->to);
    if (vm != FLEET_NO_INDEX && host != FLEET_NO_INDEX)
        staging->now.vms[vm].host = (size_t)host;
    return rc;
}

/* Steps are numbered from 1 in their order, in an answer as in the whole. */
static enum dc_status describe(struct staging *staging, const json_t *question, const struct plan *answer,
                               size_t n_before, struct dc_error *err) {
    json_t *stage = json_pack(
        "{s:O, s:I, s:{s:I, s:I}, s:I, s:o, s:O, s:O, s:I, s:I}", "goal", question, "start_ms",
        (json_int_t)llround(staging->now_ms[1]), "makespan_ms", "p50", (json_int_t)llround(answer->makespan_ms.p50),
        "p95", (json_int_t)llround(answer->makespan_ms.p95), "lower_bound_ms",
        (json_int_t)llround(answer->lower_bound_ms), "gap_frac",
        isfinite(answer->gap_frac) ? json_real(answer->gap_frac) : json_null(), "bound", answer->bound, "forecast",
        answer->forecast, "first_step", (json_int_t)n_before + 1, "n_steps", (json_int_t)answer->n_steps);
    if (stage == NULL || json_array_append_new(staging->plan->stages, stage) != 0)
        return error_set_nomem(err);
    if (answer->broken_rules != NULL && json_object_set(stage, "broken_rules", answer->broken_rules) != 0)
        return error_set_nomem(err);
    return DC_OK;
}

/* The last steps of the stage: whoever waits for them waits for all. Steps are numbered from 1 in their order. */
static enum dc_status set_barrier(struct staging *staging, size_t first, struct dc_error *err) {
    const struct plan *plan = staging->plan;
    bool *is_waited_for = calloc(plan->n_steps + 1, sizeof(*is_waited_for));
    enum dc_status rc = is_waited_for == NULL ? error_set_nomem(err) : DC_OK;
    for (size_t i = first; is_waited_for != NULL && i < plan->n_steps; i++)
        for (size_t k = 0; k < plan->steps[i].n_after; k++)
            is_waited_for[plan->steps[i].after[k] - 1] = true;
    staging->n_barrier = 0;
    for (size_t i = first; rc == DC_OK && is_waited_for != NULL && i < plan->n_steps; i++)
        if (!is_waited_for[i])
            rc = staging_block(staging, plan->steps[i].id, err);
    free(is_waited_for);
    return rc;
}

enum dc_status staging_take(struct staging *staging, const json_t *question, struct plan *answer,
                            struct dc_error *err) {
    struct plan *plan = staging->plan;
    const size_t n_before = plan->n_steps;
    const double start_ms = round(staging->now_ms[1]);
    enum dc_status rc = describe(staging, question, answer, n_before, err);
    for (size_t i = 0; rc == DC_OK && i < answer->n_steps; i++)
        rc = take_step(staging, &answer->steps[i], (unsigned)n_before, start_ms, err);
    if (rc == DC_OK && json_array_extend(plan->conflicts, answer->conflicts) != 0)
        rc = error_set_nomem(err);
    if (rc == DC_OK && json_array_extend(plan->warnings, answer->warnings) != 0)
        rc = error_set_nomem(err);
    plan->bytes += answer->bytes;
    plan->downtime_total_ms += answer->downtime_total_ms;
    plan->downtime_worst_ms = fmax(plan->downtime_worst_ms, answer->downtime_worst_ms);
    staging->now_ms[0] += answer->makespan_ms.p50;
    staging->now_ms[1] = start_ms + answer->makespan_ms.p95;
    staging->bound_ms += answer->lower_bound_ms;
    staging->all_optimal = staging->all_optimal && answer->status == PLAN_OPTIMAL;
    return rc == DC_OK ? set_barrier(staging, n_before, err) : rc;
}

enum dc_status staging_add_host_step(struct staging *staging, enum plan_action action, size_t host, double start_ms,
                                     struct plan_step **step_out, struct dc_error *err) {
    const struct fleet_host *it = &staging->fleet->hosts[host];
    const bool boots = action == PLAN_BOOT;
    const enum dc_status rc = add_step(staging, step_out, err);
    if (rc != DC_OK)
        return rc;
    struct plan_step *step = *step_out;
    step->action = action;
    step->start_ms = round(start_ms);
    step->end_ms = step->start_ms + ceil(1e3 * (boots ? it->boot_s : it->shutdown_s));
    step->vm = strdup("");
    step->vm_name = strdup("");
    step->from = strdup(boots ? "" : it->name);
    step->to = strdup(boots ? it->name : "");
    if (step->vm == NULL || step->vm_name == NULL || step->from == NULL || step->to == NULL)
        return error_set_nomem(err);
    return DC_OK;
}

enum dc_status staging_add_shutdown(struct staging *staging, size_t host, size_t first_step, double idle_ms,
                                    struct plan_step **step_out, struct dc_error *err) {
    const struct plan *plan = staging->plan;
    const char *name = staging->fleet->hosts[host].name;
    const size_t n_before = plan->n_steps;
    double empty_ms = 0;
    bool is_left = false;
    for (size_t i = first_step; i < n_before; i++)
        if (strcmp(plan->steps[i].from, name) == 0 && plan->steps[i].action != PLAN_SHUTDOWN) {
            empty_ms = fmax(empty_ms, plan->steps[i].end_ms);
            is_left = true;
        }
    enum dc_status rc =
        staging_add_host_step(staging, PLAN_SHUTDOWN, host, is_left ? empty_ms : idle_ms, step_out, err);
    for (size_t i = first_step; rc == DC_OK && i < n_before; i++)
        if (strcmp(plan->steps[i].from, name) == 0 && plan->steps[i].action != PLAN_SHUTDOWN)
            rc = staging_wait(*step_out, plan->steps[i].id, err);
    return rc;
}

enum dc_status staging_finish(struct staging *staging, bool is_whole, bool is_best, struct dc_error *err) {
    struct plan *plan = staging->plan;
    double last_ms = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        last_ms = fmax(last_ms, plan->steps[i].end_ms);
    plan->makespan_ms.p95 = last_ms;
    plan->makespan_ms.p50 = fmin(last_ms, staging->now_ms[0] + fmax(0, last_ms - staging->now_ms[1]));
    plan->lower_bound_ms = fmin(floor(staging->bound_ms), last_ms);
    plan->gap_frac = last_ms <= 0 ? 0 : plan->lower_bound_ms > 0 ? last_ms / plan->lower_bound_ms - 1 : INFINITY;
    if (!is_whole)
        plan->status = plan->n_steps > 0 ? PLAN_PARTIAL : PLAN_INFEASIBLE;
    else
        plan->status =
            is_best && staging->all_optimal && plan->gap_frac <= optimal_gap_frac ? PLAN_OPTIMAL : PLAN_FEASIBLE;
    if (plan->status == PLAN_INFEASIBLE && json_array_size(plan->conflicts) == 0)
        return staging_conflict(staging, err, "nothing of what was asked for can be done");
    return DC_OK;
}

enum dc_status staging_conflict(struct staging *staging, struct dc_error *err, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_t *conflict = json_pack("{s:s, s:{}, s:[]}", "what", text, "needs", "relax");
    return json_array_append_new(staging->plan->conflicts, conflict) == 0 ? DC_OK : error_set_nomem(err);
}

enum dc_status staging_warn(struct staging *staging, struct dc_error *err, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return json_array_append_new(staging->plan->warnings, json_string(text)) == 0 ? DC_OK : error_set_nomem(err);
}
