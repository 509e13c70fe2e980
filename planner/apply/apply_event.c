/* Figures that are not known are left out. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/apply_event.h"

#include <math.h>

static const char *const state_texts[] = {[EXECUTOR_WAITS] = "waits",
                                          [EXECUTOR_RUNS] = "runs",
                                          [EXECUTOR_SETTLES] = "settles",
                                          [EXECUTOR_DONE] = "done",
                                          [EXECUTOR_FAILED] = "failed"};

double apply_event_eta_ms(const struct plan *plan, const struct executor *executor, double makespan_ms) {
    double late_ms = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const struct executor_step *step = executor_step(executor, i);
        const double over_ms = executor_elapsed_ms(executor) - plan->steps[i].end_ms;
        if (step->state == EXECUTOR_DONE)
            continue;
        if (step->state != EXECUTOR_FAILED)
            late_ms = fmax(late_ms, over_ms); /* it should be done by now */
    }
    return makespan_ms + late_ms;
}

static void set_known(json_t *event, const char *key, double number) {
    if (number >= 0)
        (void)json_object_set_new(event, key, json_real(number));
}

static json_t *event_of(const struct apply_moment *now, const char *kind, size_t step) {
    json_t *event =
        json_pack("{s:s, s:f, s:i}", "event", kind, "elapsed_ms", now->elapsed_ms, "revision", (int)now->revision);
    if (event == NULL || step == SIZE_MAX || now->plan == NULL)
        return event;
    const struct plan_step *of = &now->plan->steps[step];
    (void)json_object_set_new(event, "step", json_integer(of->id));
    (void)json_object_set_new(event, "action", json_string(plan_doc_action_text(of->action)));
    if (of->vm[0] != '\0') {
        (void)json_object_set_new(event, "vm", json_string(of->vm));
        (void)json_object_set_new(event, "vm_name", json_string(of->vm_name));
    }
    if (of->from[0] != '\0')
        (void)json_object_set_new(event, "from", json_string(of->from));
    if (of->to[0] != '\0')
        (void)json_object_set_new(event, "to", json_string(of->to));
    return event;
}

/* How many migrations run, and how many are to come. */
static void set_counts(const struct apply_moment *now, json_t *event) {
    size_t n_running = 0, n_pending = 0;
    for (size_t i = 0; i < now->plan->n_steps; i++) {
        const enum executor_state state = executor_step(now->executor, i)->state;
        n_running += now->plan->steps[i].vm[0] != '\0' && (state == EXECUTOR_RUNS || state == EXECUTOR_SETTLES);
        n_pending += now->plan->steps[i].vm[0] != '\0' && state == EXECUTOR_WAITS;
    }
    (void)json_object_set_new(event, "n_running", json_integer((json_int_t)n_running));
    (void)json_object_set_new(event, "n_pending", json_integer((json_int_t)n_pending));
}

json_t *apply_event_step(const struct apply_moment *now, size_t step) {
    const struct executor_step *shown = executor_step(now->executor, step);
    json_t *event = event_of(now, "step", step);
    (void)json_object_set_new(event, "state", json_string(state_texts[shown->state]));
    (void)json_object_set_new(event, "attempt", json_integer(shown->attempt));
    if (shown->state == EXECUTOR_DONE) {
        set_known(event, "migration_ms", shown->migration_ms);
        set_known(event, "downtime_ms", shown->downtime_ms);
        set_known(event, "bytes", shown->bytes);
    }
    if (shown->reason[0] != '\0')
        (void)json_object_set_new(event, "reason", json_string(shown->reason));
    set_counts(now, event);
    return event;
}

json_t *apply_event_progress(const struct apply_moment *now, size_t step) {
    const struct executor_step *shown = executor_step(now->executor, step);
    const double deadline_ms = json_number_value(json_object_get(now->plan->goal, "deadline_ms"));
    const double p95_ms = apply_event_eta_ms(now->plan, now->executor, now->plan->makespan_ms.p95);
    json_t *event = event_of(now, "progress", step);
    set_known(event, "bandwidth_bytes_per_s", shown->bandwidth_bytes_per_s);
    if (shown->has_progress) {
        (void)json_object_set_new(event, "round", json_integer(shown->progress.round));
        set_known(event, "sent_bytes", shown->progress.sent_bytes);
        set_known(event, "remaining_bytes", shown->progress.remaining_bytes);
        set_known(event, "dirty_pages_per_s", shown->progress.dirty_pages_per_s);
    }
    set_known(event, "eta_p50_ms", apply_event_eta_ms(now->plan, now->executor, now->plan->makespan_ms.p50));
    set_known(event, "eta_p95_ms", p95_ms);
    if (deadline_ms > 0)
        (void)json_object_set_new(event, "margin_p95_ms", json_real(deadline_ms - p95_ms));
    return event;
}

json_t *apply_event_note(const struct apply_moment *now, size_t step, const char *text) {
    json_t *event = event_of(now, "note", step);
    (void)json_object_set_new(event, "text", json_string(text));
    return event;
}

json_t *apply_event_end(const struct apply_moment *now, bool is_whole) {
    json_t *event = event_of(now, "end", SIZE_MAX);
    (void)json_object_set_new(event, "is_whole", json_boolean(is_whole));
    return event;
}
