/* Stages taken apart: names and numbers of the document are somebody else's word. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_check_stage.h"

#include "base/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double rounding_ms = 2;

static bool is_migration(const struct plan_step *step) {
    return step->action == PLAN_MIGRATE || step->action == PLAN_COLD_MIGRATE;
}

static double number_at(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

/* Ids are the steps' places, from 1; false where the stage's do not exist. */
static bool read_stage(const struct plan *plan, const json_t *json, struct plan_stage *stage) {
    const char *verb = json_string_value(json_object_get(json_object_get(json, "goal"), "verb"));
    const double first = number_at(json, "first_step"), n = number_at(json, "n_steps");
    *stage = (struct plan_stage){
        .goal = json_object_get(json, "goal"),
        .json = json,
        .start_ms = number_at(json, "start_ms"),
        .lower_bound_ms = number_at(json, "lower_bound_ms"),
    };
    if (verb == NULL || !(first >= 1 && n >= 0 && first + n <= (double)plan->n_steps + 1))
        return false;
    stage->first_step = (size_t)first - 1;
    stage->n_steps = (size_t)n;
    stage->end_ms = stage->start_ms;
    for (size_t i = stage->first_step; i < stage->first_step + stage->n_steps; i++) {
        if (!is_migration(&plan->steps[i]) || plan->steps[i].start_ms < stage->start_ms)
            return false;
        stage->end_ms = fmax(stage->end_ms, plan->steps[i].end_ms);
    }
    return true;
}

/* The stages, all migrations in just one of them, and none begun before the one before is over. */
static enum dc_status read_stages(struct plan_staged *staged, bool *good_out, struct dc_error *err) {
    const struct plan *plan = staged->plan;
    const size_t n = json_array_size(plan->stages);
    size_t n_migrations = 0, n_staged = 0;
    double free_ms = 0;
    *good_out = false;
    staged->stages = calloc(n + 1, sizeof(*staged->stages));
    if (staged->stages == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < plan->n_steps; i++)
        n_migrations += is_migration(&plan->steps[i]);
    for (size_t i = 0; i < n; i++) {
        struct plan_stage *stage = &staged->stages[staged->n_stages++];
        if (!read_stage(plan, json_array_get(plan->stages, i), stage))
            return plan_check_say(staged->violations, err, "stages[%zu]: its steps are not those of the plan", i);
        if (stage->start_ms < free_ms - rounding_ms)
            return plan_check_say(staged->violations, err, "stages[%zu]: begins before the stage before it is over", i);
        for (size_t k = 0; k < i; k++)
            if (stage->first_step < staged->stages[k].first_step + staged->stages[k].n_steps)
                return plan_check_say(staged->violations, err, "stages[%zu]: has steps of another stage", i);
        free_ms = stage->end_ms;
        n_staged += stage->n_steps;
    }
    *good_out = n_staged == n_migrations;
    return *good_out ? DC_OK
                     : plan_check_say(staged->violations, err, "the plan: %zu of %zu migrations are in no stage",
                                      n_migrations - n_staged, n_migrations);
}

/* A shallow copy of the stage's steps in the stage's own time; only `steps` and their rates are to be freed. */
static bool view_stage(const struct plan *plan, const struct plan_stage *stage, struct plan *view) {
    const json_t *gap = json_object_get(stage->json, "gap_frac");
    *view = (struct plan){
        .goal = json_object_get(stage->json, "goal"),
        .bound = json_object_get(stage->json, "bound"),
        .broken_rules = json_object_get(stage->json, "broken_rules"),
        .status = plan_doc_is_whole(plan) ? PLAN_FEASIBLE : PLAN_PARTIAL,
        .lower_bound_ms = stage->lower_bound_ms,
        .gap_frac = json_is_number(gap) ? json_number_value(gap) : INFINITY,
        .makespan_ms = {.p50 = number_at(json_object_get(stage->json, "makespan_ms"), "p50"),
                        .p95 = number_at(json_object_get(stage->json, "makespan_ms"), "p95")},
        .steps = calloc(stage->n_steps + 1, sizeof(*view->steps)),
    };
    if (view->steps == NULL)
        return false;
    for (size_t i = 0; i < stage->n_steps; i++) {
        struct plan_step *step = &view->steps[view->n_steps++];
        *step = plan->steps[stage->first_step + i];
        step->start_ms -= stage->start_ms;
        step->end_ms -= stage->start_ms;
        const struct plan_rate *rates = step->rates;
        step->rates = calloc(step->n_rates + 1, sizeof(*step->rates));
        if (step->rates == NULL)
            return false;
        for (size_t k = 0; k < step->n_rates; k++)
            step->rates[k] = (struct plan_rate){rates[k].from_ms - stage->start_ms, rates[k].bytes_per_s};
    }
    return true;
}

static void free_view(struct plan *view) {
    for (size_t i = 0; view->steps != NULL && i < view->n_steps; i++)
        free(view->steps[i].rates);
    free(view->steps);
}

static enum dc_status check_stage(const struct plan_staged *staged, size_t index, struct fleet *now,
                                  struct plan_check *check, struct dc_error *err) {
    const struct plan_stage *stage = &staged->stages[index];
    struct plan view = {0};
    enum dc_status rc = view_stage(staged->plan, stage, &view) ? DC_OK : error_set_nomem(err);
    if (rc == DC_OK)
        rc = plan_check_plain(&view, now, check, err);
    if (rc != DC_OK)
        (void)error_prefix(err, "stages[%zu]", index);
    free_view(&view);
    for (size_t i = stage->first_step; i < stage->first_step + stage->n_steps; i++) {
        const long vm = fleet_doc_find_vm(now, staged->plan->steps[i].vm);
        const long host = fleet_doc_find_host(now, staged->plan->steps[i].to);
        if (vm != FLEET_NO_INDEX && host != FLEET_NO_INDEX)
            now->vms[vm].host = (size_t)host;
    }
    return rc;
}

static const struct plan_step *find_step(const struct plan *plan, unsigned id) {
    if (id >= 1 && id <= plan->n_steps && plan->steps[id - 1].id == id)
        return &plan->steps[id - 1];
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].id == id)
            return &plan->steps[i];
    return NULL;
}

/* Across stages, and for hosts. */
static enum dc_status check_order(const struct plan_staged *staged, struct dc_error *err) {
    const struct plan *plan = staged->plan;
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < plan->n_steps; i++) {
        for (size_t k = 0; rc == DC_OK && k < plan->steps[i].n_after; k++) {
            const struct plan_step *before = find_step(plan, plan->steps[i].after[k]);
            if (before != NULL && before->end_ms + plan->steps[i].delay_ms > plan->steps[i].start_ms + rounding_ms)
                rc = plan_check_say(staged->violations, err,
                                    "step %u: starts before step %u, which it waits for, ends%s", plan->steps[i].id,
                                    before->id, plan->steps[i].delay_ms > 0 ? ", or before its delay is over" : "");
        }
    }
    return rc;
}

/* From the start of the shutdown to the end, or to that of the host's next boot. */
static double away_ms(const struct plan *plan, size_t index) {
    const struct plan_step *off = &plan->steps[index];
    for (size_t i = index + 1; i < plan->n_steps; i++)
        if (plan->steps[i].action == PLAN_BOOT && strcmp(plan->steps[i].to, off->from) == 0)
            return plan->steps[i].end_ms - off->start_ms;
    return off->end_ms - off->start_ms;
}

/* How long the host is away once the stage's VMs are gone; 0 where it stays on. */
static double host_away_ms(const struct plan *plan, size_t first, size_t end, const char *host) {
    for (size_t i = first; i < end; i++)
        if (plan->steps[i].action == PLAN_SHUTDOWN && strcmp(plan->steps[i].from, host) == 0)
            return away_ms(plan, i);
    return 0;
}

/* The least time that hosts take after the stage: whichever migration ends last, its host goes off then, and on again
 * where it does. Of a stage without migrations the most: its hosts are empty from the start. */
static double host_tail_ms(const struct plan_staged *staged, const struct plan_stage *stage) {
    const struct plan *plan = staged->plan;
    const bool is_last = stage + 1 == staged->stages + staged->n_stages;
    const size_t end = is_last ? plan->n_steps : stage[1].first_step;
    double least_ms = INFINITY, most_ms = 0;
    for (size_t i = stage->first_step; i < stage->first_step + stage->n_steps; i++)
        least_ms = fmin(least_ms, host_away_ms(plan, stage->first_step, end, plan->steps[i].from));
    for (size_t i = stage->first_step; stage->n_steps == 0 && i < end; i++)
        if (plan->steps[i].action == PLAN_SHUTDOWN)
            most_ms = fmax(most_ms, away_ms(plan, i));
    return stage->n_steps > 0 ? least_ms : most_ms;
}

static enum dc_status check_bound(const struct plan_staged *staged, struct dc_error *err) {
    const struct plan *plan = staged->plan;
    double proved_ms = staged->n_stages > 0 ? staged->stages[0].start_ms : 0;
    for (size_t i = 0; i < staged->n_stages; i++)
        proved_ms += staged->stages[i].lower_bound_ms + host_tail_ms(staged, &staged->stages[i]);
    if (plan->lower_bound_ms <= proved_ms + rounding_ms)
        return DC_OK;
    char claimed[UNITS_TEXT_BYTES], proved[UNITS_TEXT_BYTES];
    return plan_check_say(staged->violations, err, "the plan: claims a lower bound of %s, its stages prove %s",
                          units_format_duration(plan->lower_bound_ms, claimed, sizeof(claimed)),
                          units_format_duration(proved_ms, proved, sizeof(proved)));
}

/* Steps of one VM stand in the order of their times: no stage begins before the one before it is over. */
static enum dc_status list_stays(struct plan_staged *staged, struct dc_error *err) {
    const struct fleet *fleet = staged->fleet;
    const struct plan *plan = staged->plan;
    size_t *last = calloc(fleet->n_vms + 1, sizeof(*last));
    staged->stays = calloc(fleet->n_vms + plan->n_steps + 1, sizeof(*staged->stays));
    if (last == NULL || staged->stays == NULL) {
        free(last);
        return error_set_nomem(err);
    }
    for (size_t vm = 0; vm < fleet->n_vms; vm++) {
        last[vm] = staged->n_stays;
        staged->stays[staged->n_stays++] = (struct plan_stay){vm, fleet->vms[vm].host, -INFINITY, INFINITY};
    }
    for (size_t i = 0; i < plan->n_steps; i++) {
        const struct plan_step *step = &plan->steps[i];
        const long vm = is_migration(step) ? fleet_doc_find_vm(fleet, step->vm) : FLEET_NO_INDEX;
        const long host = fleet_doc_find_host(fleet, step->to);
        if (vm == FLEET_NO_INDEX || host == FLEET_NO_INDEX)
            continue;
        staged->stays[last[vm]].to_ms = step->end_ms;
        last[vm] = staged->n_stays;
        staged->stays[staged->n_stays++] = (struct plan_stay){(size_t)vm, (size_t)host, step->start_ms, INFINITY};
    }
    free(last);
    return DC_OK;
}

static enum dc_status check_all(struct plan_staged *staged, struct fleet *now, struct plan_check *check,
                                struct dc_error *err) {
    bool good = false;
    enum dc_status rc = read_stages(staged, &good, err);
    if (rc != DC_OK || !good)
        return rc;
    for (size_t i = 0; rc == DC_OK && i < staged->n_stages; i++)
        rc = check_stage(staged, i, now, check, err);
    if (rc == DC_OK)
        rc = check_order(staged, err);
    if (rc == DC_OK)
        rc = plan_check_makespan(staged->plan, staged->violations, err);
    if (rc == DC_OK)
        rc = check_bound(staged, err);
    if (rc == DC_OK)
        rc = list_stays(staged, err);
    if (rc == DC_OK)
        rc = plan_check_hosts(staged, err);
    return rc == DC_OK ? plan_check_goal(staged, err) : rc;
}

enum dc_status plan_check_stages(const struct plan *plan, const struct fleet *fleet, const struct goal *goal,
                                 struct plan_check *check, struct dc_error *err) {
    struct plan_staged staged = {.plan = plan, .fleet = fleet, .goal = goal, .violations = check->violations};
    struct fleet now = *fleet;
    now.vms = calloc(fleet->n_vms + 1, sizeof(*now.vms));
    if (now.vms == NULL)
        return error_set_nomem(err);
    if (fleet->n_vms > 0)
        memcpy(now.vms, fleet->vms, fleet->n_vms * sizeof(*now.vms));
    const enum dc_status rc = check_all(&staged, &now, check, err);
    free(now.vms);
    free(staged.stages);
    free(staged.stays);
    return rc;
}
