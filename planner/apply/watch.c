/* Between two looks nothing is kept but what the last one found. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/watch.h"

#include "planner/apply/apply_event.h"
#include "planner/apply/preflight.h"
#include "planner/apply/replan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOKS_IN_A_ROW = 2, REASON_BYTES = 256 };

static const double search_limit_ms = 1000; /* caps are not changed meanwhile */

struct watch {
    struct watch_config config;
    uv_timer_t timer;
    double deadline_ms; /* since the plan's beginning; 0: none */
    unsigned n_looks;   /* in a row that found `reason` */
    char reason[REASON_BYTES], refused[REASON_BYTES];
};

/* --- what is found --- */

static bool waits(const struct watch *watch, size_t i) {
    return executor_step(watch->config.executor, i)->state == EXECUTOR_WAITS;
}

static size_t count_waiting(const struct watch *watch) {
    size_t n = 0;
    for (size_t i = 0; i < watch->config.plan->n_steps; i++)
        n += waits(watch, i);
    return n;
}

static bool has_overrun(const struct watch *watch) {
    for (size_t i = 0; i < watch->config.plan->n_steps; i++) {
        const struct executor_step *step = executor_step(watch->config.executor, i);
        const double end_ms = step->end_ms >= 0 ? step->end_ms : executor_elapsed_ms(watch->config.executor);
        if (step->begun_ms >= 0 && end_ms - step->begun_ms > watch->config.plan->steps[i].migration_ms.p95)
            return true;
    }
    return false;
}

/* "": the deadline holds, or was never to be held. */
static void find_lateness(const struct watch *watch, char *reason) {
    const struct plan *plan = watch->config.plan;
    const double eta_ms = apply_event_eta_ms(plan, watch->config.executor, plan->makespan_ms.p50);
    reason[0] = '\0';
    if (watch->deadline_ms > 0 && plan->makespan_ms.p50 <= watch->deadline_ms && eta_ms > watch->deadline_ms &&
        has_overrun(watch))
        (void)snprintf(reason, REASON_BYTES, "the deadline will be missed: all of it by %.0f s of %.0f s", eta_ms / 1e3,
                       watch->deadline_ms / 1e3);
}

static enum dc_status find_doomed(const struct watch *watch, const bool *is_left, char *reason, struct dc_error *err) {
    const struct plan *plan = watch->config.plan;
    size_t step = SIZE_MAX;
    const enum dc_status rc = replan_find_doomed(watch->config.journal, plan, is_left, &step, err);
    if (rc == DC_OK && step != SIZE_MAX)
        (void)snprintf(reason, REASON_BYTES, "host %s could not be migrated to, and %s is to go there, too",
                       plan->steps[step].to, plan->steps[step].vm_name);
    return rc;
}

static enum dc_status find_misfit(const struct watch *watch, const struct fleet *fleet, char *reason,
                                  struct dc_error *err) {
    const size_t n_steps = watch->config.plan->n_steps;
    json_t *differences = json_array();
    bool *is_left = calloc(n_steps + 1, sizeof(*is_left));
    enum dc_status rc = differences == NULL || is_left == NULL ? error_set_nomem(err) : DC_OK;
    for (size_t i = 0; rc == DC_OK && i < n_steps; i++)
        is_left[i] = waits(watch, i);
    if (rc == DC_OK)
        rc = preflight_check_rest(watch->config.plan, is_left, fleet, differences, err);
    if (rc == DC_OK && json_array_size(differences) > 0)
        (void)snprintf(reason, REASON_BYTES, "%s", json_string_value(json_array_get(differences, 0)));
    else if (rc == DC_OK)
        rc = find_doomed(watch, is_left, reason, err);
    free(is_left);
    json_decref(differences);
    return rc;
}

/* --- what could be done --- */

/* As if what is under way had ended; how long that takes at most is in `left_ms_out`. */
static void place_running(const struct watch *watch, struct fleet *fleet, double *left_ms_out) {
    const struct plan *plan = watch->config.plan;
    *left_ms_out = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const struct executor_step *step = executor_step(watch->config.executor, i);
        const long vm = fleet_doc_find_vm(fleet, plan->steps[i].vm);
        const long to = fleet_doc_find_host(fleet, plan->steps[i].to);
        if ((step->state != EXECUTOR_RUNS && step->state != EXECUTOR_SETTLES) || vm == FLEET_NO_INDEX ||
            to == FLEET_NO_INDEX)
            continue;
        fleet->vms[vm].host = (size_t)to;
        fleet->vms[vm].state = FLEET_VM_RUNNING;
        const double now_ms = executor_elapsed_ms(watch->config.executor);
        *left_ms_out = fmax(*left_ms_out, step->begun_ms + plan->steps[i].migration_ms.p95 - now_ms);
    }
}

/* Is there a plan that does all of the rest? */
static bool can_be_mended(const struct watch *watch, struct fleet *fleet) {
    const struct watch_config *config = &watch->config;
    struct plan plan = {0};
    struct dc_error why = DC_ERROR_NONE;
    double left_ms = 0;
    place_running(watch, fleet, &left_ms);
    const struct replan_request request = {.journal = config->journal,
                                           .plan = config->plan,
                                           .executor = config->executor,
                                           .elapsed_ms = config->elapsed_before_ms +
                                                         executor_elapsed_ms(config->executor) + left_ms,
                                           .search_limit_ms = search_limit_ms};
    const bool is_whole = replan_make(&request, fleet, &plan, &why) == DC_OK && plan_doc_is_whole(&plan);
    plan_doc_dispose(&plan);
    return is_whole;
}

/* --- looking --- */

static void take_reason(struct watch *watch, const char *reason, struct fleet *fleet) {
    char text[REASON_BYTES + 64];
    watch->n_looks = reason[0] == '\0' ? 0 : watch->n_looks + 1;
    if (watch->n_looks < LOOKS_IN_A_ROW || strcmp(reason, watch->refused) == 0)
        return;
    if (can_be_mended(watch, fleet)) {
        (void)uv_timer_stop(&watch->timer);
        watch->config.stale(watch->config.context, reason);
        return;
    }
    (void)snprintf(watch->refused, sizeof(watch->refused), "%s", reason);
    (void)snprintf(text, sizeof(text), "%s; no other plan is better: it goes on", reason);
    watch->config.note(watch->config.context, text);
}

static void on_look(uv_timer_t *timer) {
    struct watch *watch = timer->data;
    const struct watch_config *config = &watch->config;
    struct fleet fleet = {0};
    struct dc_error err = DC_ERROR_NONE;
    char reason[REASON_BYTES] = "";
    if (count_waiting(watch) == 0)
        return;
    enum dc_status rc = config->load_fleet(config->context, &fleet, &err);
    if (rc == DC_OK)
        rc = replan_place(config->journal, &fleet, &err);
    if (rc == DC_OK)
        rc = find_misfit(watch, &fleet, reason, &err);
    if (rc == DC_OK && reason[0] == '\0')
        find_lateness(watch, reason);
    if (rc == DC_OK) /* else nothing is known: the plan is as good as it was */
        take_reason(watch, reason, &fleet);
    fleet_doc_dispose(&fleet);
}

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

enum dc_status watch_open(const struct watch_config *config, struct watch **watch_out, struct dc_error *err) {
    *watch_out = NULL;
    struct watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL)
        return error_set_nomem(err);
    watch->config = *config;
    watch->deadline_ms = json_number_value(json_object_get(config->plan->goal, "deadline_ms"));
    (void)uv_timer_init(config->loop, &watch->timer); /* cannot fail */
    watch->timer.data = watch;
    (void)uv_timer_start(&watch->timer, on_look, (uint64_t)config->interval_ms, (uint64_t)config->interval_ms);
    uv_unref((uv_handle_t *)&watch->timer); /* alone it keeps nothing going */
    *watch_out = watch;
    return DC_OK;
}

void watch_close(struct watch *watch) {
    if (watch != NULL)
        uv_close((uv_handle_t *)&watch->timer, on_closed);
}
