/* A tick a tenth of a second; events in between bring the next one forward. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/task.h"

#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 100 };

static const double retry_after_ms = 2000;

void executor_options_init(struct executor_options *options_out) {
    *options_out = (struct executor_options){.max_retries = 2, .timeout_factor = 2};
    executor_options_set_patience(options_out, 30e3);
}

void executor_options_set_patience(struct executor_options *options, double patience_ms) {
    options->timeout_min_ms = patience_ms;
    options->settle_limit_ms = patience_ms;
}

double executor_elapsed_ms(const struct executor *executor) {
    return 1e3 * clock_monotonic_s() - executor->opened_ms;
}

/* --- what is told --- */

void executor_note(const struct executor *executor, const struct task *task, const char *text) {
    executor->config.events.note(executor->config.events.context, task->index, text);
}

void executor_enter(struct executor *executor, struct task *task, enum executor_state state) {
    const struct executor_events *events = &executor->config.events;
    task->shown.state = state;
    events->changed(events->context, task->index);
}

void executor_hold(struct executor *executor, struct task *task, bool is_held) {
    const struct executor_events *events = &executor->config.events;
    if (task->is_held == is_held || !task_is_migration(executor, task))
        return;
    task->is_held = is_held;
    events->hold(events->context, task->index, is_held);
}

bool executor_write(struct executor *executor, const struct task *task, enum journal_kind kind, const char *text) {
    const struct plan_step *step = task_step(executor, task);
    const struct journal_entry entry = {.kind = kind,
                                        .revision = executor->config.revision,
                                        .step = step->id,
                                        .attempt = task->shown.attempt,
                                        .vm = step->vm,
                                        .from = step->from,
                                        .to = step->to,
                                        .text = text};
    if (executor->error.status == DC_OK)
        (void)!journal_write(executor->config.journal, &entry, &executor->error);
    return executor->error.status == DC_OK;
}

enum dc_status executor_error(const struct executor *executor, struct dc_error *err) {
    return executor->error.status == DC_OK ? DC_OK
                                           : error_set(err, executor->error.status, "%s", error_text(&executor->error));
}

/* --- outcomes --- */

static void tick_soon(struct executor *executor);

void executor_succeed(struct executor *executor, struct task *task) {
    (void)executor_write(executor, task, JOURNAL_DONE, ""); /* a lost word is found out again by asking */
    task->shown.end_ms = executor_elapsed_ms(executor);
    task->shown.reason[0] = '\0';
    executor_hold(executor, task, false);
    executor_enter(executor, task, EXECUTOR_DONE);
    tick_soon(executor);
}

void executor_miss(struct executor *executor, struct task *task, enum miss miss, const char *reason) {
    const bool again = miss == MISS_RETRY && task->shown.attempt <= executor->config.options.max_retries;
    const enum journal_kind kind = again ? JOURNAL_NOT_DONE : miss == MISS_VM ? JOURNAL_STUCK : JOURNAL_FAILED;
    char text[sizeof(task->shown.reason)]; /* `reason` may be the task's own */
    (void)snprintf(text, sizeof(text), "%s", reason);
    memcpy(task->shown.reason, text, sizeof(text));
    (void)executor_write(executor, task, kind, text);
    task->shown.end_ms = executor_elapsed_ms(executor);
    task->shown.has_progress = false;
    task->settle.was_followed = false;
    task->is_aborted = task->is_stalled = false;
    task->retry_ms = task->shown.end_ms + retry_after_ms * task->shown.attempt;
    executor_hold(executor, task, false);
    executor_enter(executor, task, again ? EXECUTOR_WAITS : EXECUTOR_FAILED);
    tick_soon(executor);
}

/* --- the driver's events --- */

/* The step of the VM that is not at rest. */
static struct task *active_task(struct executor *executor, const char *vm) {
    for (size_t i = 0; i < executor->config.plan->n_steps; i++) {
        struct task *task = &executor->tasks[i];
        if ((task->shown.state == EXECUTOR_RUNS || task->shown.state == EXECUTOR_SETTLES) &&
            strcmp(executor->config.plan->steps[i].vm, vm) == 0)
            return task;
    }
    return NULL;
}

static void on_progress(void *context, const char *vm, const struct driver_progress *progress) {
    struct executor *executor = context;
    struct task *task = active_task(executor, vm);
    if (task == NULL)
        return;
    task->progress_ms = executor_elapsed_ms(executor);
    if (!task->shown.has_progress || progress->sent_bytes != task->shown.progress.sent_bytes)
        task->sent_ms = task->progress_ms;
    task->shown.has_progress = true;
    task->shown.progress = *progress;
    executor->config.events.progress(executor->config.events.context, task->index);
    tick_soon(executor);
}

static void on_ended(void *context, const char *vm, const struct driver_end *end) {
    struct executor *executor = context;
    struct task *task = active_task(executor, vm);
    if (task == NULL)
        return;
    task->shown.migration_ms = end->migration_ms;
    task->shown.downtime_ms = end->downtime_ms;
    task->shown.bytes = end->bytes;
    if (end->outcome == DRIVER_SUCCEEDED) {
        executor_succeed(executor, task);
        return;
    }
    (void)snprintf(task->shown.reason, sizeof(task->shown.reason), "%s%s",
                   task->is_aborted && end->outcome == DRIVER_ABORTED ? "it was ended: " : "", end->reason);
    executor_note(executor, task, task->shown.reason);
    settle_begin(executor, task);
}

static void take_check(struct executor *executor, struct task *task, enum driver_place place, const char *text) {
    const struct plan_step *step = task_step(executor, task);
    const bool is_right = place == (step->action == PLAN_COLD_MIGRATE ? DRIVER_PAUSED : DRIVER_RUNS);
    static const char *const texts[] = {
        [DRIVER_UNKNOWN] = "cannot be asked about",          [DRIVER_ABSENT] = "is not there",
        [DRIVER_RUNS] = "runs, where it should be shut off", [DRIVER_MIGRATING] = "is being migrated",
        [DRIVER_PAUSED] = "is there, but does not run",      [DRIVER_INCOMING] = "is half there"};
    char note[256];
    task->is_checked = true;
    executor->n_unchecked--;
    if (!is_right) {
        executor->n_wrong++;
        (void)snprintf(note, sizeof(note), "on %s it %s%s%s", step->from, texts[place], text[0] != '\0' ? ": " : "",
                       text);
        executor_note(executor, task, note);
    }
    if (executor->n_unchecked > 0)
        return;
    executor->is_checking = false;
    executor->config.events.checked(executor->config.events.context, executor->n_wrong);
}

static void on_located(void *context, const char *vm, const char *host, enum driver_place place, const char *text) {
    struct executor *executor = context;
    struct task *active = active_task(executor, vm);
    if (active != NULL)
        settle_located(executor, active, host, place, text);
    for (size_t i = 0; executor->is_checking && i < executor->config.plan->n_steps; i++) {
        struct task *task = &executor->tasks[i];
        const struct plan_step *step = task_step(executor, task);
        if (!task->is_checked && strcmp(step->vm, vm) == 0 && strcmp(step->from, host) == 0)
            take_check(executor, task, place, text);
    }
}

static void on_acted(void *context, const char *host, enum driver_host_action action, bool ok, const char *reason) {
    struct executor *executor = context;
    for (size_t i = 0; i < executor->config.plan->n_steps; i++) {
        struct task *task = &executor->tasks[i];
        const struct plan_step *step = task_step(executor, task);
        const bool is_boot = step->action == PLAN_BOOT;
        if (task->shown.state != EXECUTOR_RUNS || task_is_migration(executor, task) ||
            is_boot != (action == DRIVER_BOOT) || strcmp(is_boot ? step->to : step->from, host) != 0)
            continue;
        if (ok)
            executor_succeed(executor, task);
        else
            executor_miss(executor, task, MISS_RETRY, reason);
    }
}

/* --- the tick --- */

/* Half way between what the plan counts with, which few migrations send, and what half of them do: waiting for the
 * first leaves the link idle (4% of a set's time, measured), and the second takes bandwidth from those in their stop
 * phase (their downtime doubled at times). */
static double likely_bytes(const struct plan_step *step) {
    const double planned_ms = step->end_ms - step->start_ms;
    if (planned_ms <= step->migration_ms.p50)
        return step->bytes;
    return step->bytes * (planned_ms + step->migration_ms.p50) / (2 * planned_ms);
}

/* By the plan what is left to send, but at least what the hypervisor has left. */
static double sending_left_ms(const struct executor *executor, const struct task *task) {
    const struct driver_progress *progress = &task->shown.progress;
    if (!task->shown.has_progress || progress->remaining_bytes < 0 || task->shown.bandwidth_bytes_per_s <= 0)
        return INFINITY;
    double left_bytes = progress->remaining_bytes;
    if (progress->sent_bytes >= 0)
        left_bytes = fmax(left_bytes, likely_bytes(task_step(executor, task)) - progress->sent_bytes);
    const double then_ms = 1e3 * left_bytes / task->shown.bandwidth_bytes_per_s;
    return fmax(0, then_ms - (executor_elapsed_ms(executor) - task->progress_ms));
}

static void stand(struct executor *executor) {
    const double now_ms = executor_elapsed_ms(executor);
    for (size_t i = 0; i < executor->config.plan->n_steps; i++) {
        const struct task *task = &executor->tasks[i];
        const enum executor_state state = task->shown.state;
        executor->standings[i] = (struct pace_step){
            .has_begun = state == EXECUTOR_RUNS || state == EXECUTOR_SETTLES,
            .has_ended = state == EXECUTOR_DONE,
            .is_over = state == EXECUTOR_DONE || state == EXECUTOR_FAILED,
            .elapsed_ms = now_ms - task->began_ms,
            .since_end_ms = now_ms - task->shown.end_ms,
            .sending_left_ms = state == EXECUTOR_RUNS ? sending_left_ms(executor, task) : INFINITY,
        };
    }
    pace_spread(executor->pace, executor->standings);
}

static bool may_begin(const struct executor *executor, const struct task *task) {
    return !executor->is_stopped && executor->error.status == DC_OK &&
           executor_elapsed_ms(executor) >= task->retry_ms &&
           pace_may_begin(executor->pace, task->index, executor->standings, executor_elapsed_ms(executor));
}

static void finish_if_idle(struct executor *executor) {
    bool is_idle = executor->is_begun && !executor->is_finished;
    const bool begins_none = executor->is_stopped || executor->error.status != DC_OK;
    for (size_t i = 0; is_idle && i < executor->config.plan->n_steps; i++) {
        const enum executor_state state = executor->tasks[i].shown.state;
        is_idle = state == EXECUTOR_DONE || state == EXECUTOR_FAILED ||
                  (state == EXECUTOR_WAITS && (begins_none || executor->standings[i].is_over));
    }
    if (!is_idle)
        return;
    executor->is_finished = true;
    (void)uv_timer_stop(&executor->timer);
    executor->config.events.finished(executor->config.events.context);
}

static void on_tick(uv_timer_t *timer) {
    struct executor *executor = timer->data;
    if (!executor->is_begun || executor->is_finished)
        return;
    stand(executor);
    for (size_t i = 0; i < executor->config.plan->n_steps; i++) {
        struct task *task = &executor->tasks[i];
        if (task->shown.state == EXECUTOR_SETTLES)
            settle_tick(executor, task);
        if (task->shown.state == EXECUTOR_WAITS && !executor->standings[i].is_over && may_begin(executor, task))
            task_begin(executor, task);
        if (task->shown.state == EXECUTOR_RUNS) {
            task_set_cap(executor, task);
            task_limit_time(executor, task);
        }
    }
    stand(executor);
    finish_if_idle(executor);
}

static void tick_soon(struct executor *executor) {
    if (executor->is_begun && !executor->is_finished && !executor->is_closing)
        (void)uv_timer_start(&executor->timer, on_tick, 0, TICK_MS);
}

/* --- what its owner asks --- */

static void on_timer_closed(uv_handle_t *handle) {
    struct executor *executor = handle->data;
    pace_free(&executor->pace);
    free(executor->tasks);
    free(executor->standings);
    free(executor);
}

void executor_close(struct executor *executor) {
    executor->is_closing = true;
    if (executor->driver != NULL)
        executor->config.driver->close(executor->driver);
    uv_close((uv_handle_t *)&executor->timer, on_timer_closed);
}

static enum dc_status make_tasks(struct executor *executor, struct dc_error *err) {
    const size_t n = executor->config.plan->n_steps;
    executor->tasks = calloc(n + 1, sizeof(*executor->tasks));
    executor->standings = calloc(n + 1, sizeof(*executor->standings));
    if (executor->tasks == NULL || executor->standings == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < n; i++)
        executor->tasks[i] = (struct task){
            .index = i, .shown = {.begun_ms = -1, .end_ms = -1, .migration_ms = -1, .downtime_ms = -1, .bytes = -1}};
    return pace_new(executor->config.plan, &executor->pace, err);
}

enum dc_status executor_open(const struct executor_config *config, struct executor **executor_out,
                             struct dc_error *err) {
    *executor_out = NULL;
    struct executor *executor = calloc(1, sizeof(*executor));
    if (executor == NULL)
        return error_set_nomem(err);
    executor->config = *config;
    executor->opened_ms = 1e3 * clock_monotonic_s();
    (void)uv_timer_init(config->loop, &executor->timer); /* cannot fail */
    executor->timer.data = executor;
    const struct driver_events events = {executor, on_progress, on_ended, on_located, on_acted};
    enum dc_status rc = make_tasks(executor, err);
    if (rc == DC_OK)
        rc = config->driver->open(config->loop, &config->driver_config, &events, &executor->driver, err);
    for (size_t i = 0; rc == DC_OK && i < config->plan->n_steps; i++)
        rc = task_check(executor, &executor->tasks[i], err);
    if (rc != DC_OK) {
        executor_close(executor);
        return rc;
    }
    *executor_out = executor;
    return DC_OK;
}

/* The newest word on a step counts. */
static enum dc_status take_entry(void *context, const struct journal_entry *entry, struct dc_error *err) {
    struct executor *executor = context;
    (void)err;
    if (entry->revision != executor->config.revision || entry->step == 0)
        return DC_OK;
    for (size_t i = 0; i < executor->config.plan->n_steps; i++) {
        struct task *task = &executor->tasks[i];
        if (executor->config.plan->steps[i].id != entry->step)
            continue;
        task->shown.attempt = entry->attempt;
        if (entry->kind == JOURNAL_INTENT)
            task->shown.state = EXECUTOR_SETTLES;
        else if (entry->kind == JOURNAL_DONE)
            task->shown.state = EXECUTOR_DONE;
        else if (entry->kind == JOURNAL_FAILED || entry->kind == JOURNAL_STUCK)
            task->shown.state = EXECUTOR_FAILED;
        else if (entry->kind == JOURNAL_NOT_DONE)
            task->shown.state = EXECUTOR_WAITS;
        if (task->shown.state == EXECUTOR_FAILED || entry->kind == JOURNAL_NOT_DONE)
            (void)snprintf(task->shown.reason, sizeof(task->shown.reason), "%s", entry->text);
    }
    return DC_OK;
}

enum dc_status executor_resume(struct executor *executor, struct dc_error *err) {
    return journal_read(executor->config.journal, take_entry, executor, err);
}

/* Is it the first step of its VM that waits? */
static bool is_first_of_vm(const struct executor *executor, size_t i) {
    const struct plan_step *steps = executor->config.plan->steps;
    for (size_t k = 0; k < i; k++)
        if (strcmp(steps[k].vm, steps[i].vm) == 0 && executor->tasks[k].shown.state != EXECUTOR_DONE)
            return false;
    return true;
}

void executor_check(struct executor *executor) {
    const struct plan *plan = executor->config.plan;
    executor->n_wrong = executor->n_unchecked = 0;
    executor->is_checking = true;
    size_t n_asked = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        struct task *task = &executor->tasks[i];
        task->is_checked =
            !task_is_migration(executor, task) || task->shown.state != EXECUTOR_WAITS || !is_first_of_vm(executor, i);
        executor->n_unchecked += !task->is_checked;
    }
    for (size_t i = 0; i < plan->n_steps; i++) {
        struct task *task = &executor->tasks[i];
        struct dc_error err = DC_ERROR_NONE;
        if (task->is_checked)
            continue;
        n_asked++;
        if (executor->config.driver->locate(executor->driver, plan->steps[i].vm, plan->steps[i].vm_name,
                                            plan->steps[i].from, &err) != DC_OK)
            take_check(executor, task, DRIVER_UNKNOWN, error_text(&err));
    }
    if (n_asked == 0) {
        executor->is_checking = false;
        executor->config.events.checked(executor->config.events.context, 0);
    }
}

void executor_begin(struct executor *executor) {
    executor->is_begun = true;
    for (size_t i = 0; i < executor->config.plan->n_steps; i++) {
        struct task *task = &executor->tasks[i];
        if (task->shown.state != EXECUTOR_SETTLES)
            continue;
        if (task_is_migration(executor, task))
            settle_begin(executor, task);
        else
            executor_miss(executor, task, MISS_RETRY, "whether it was done is not known"); /* harmless to do twice */
    }
    tick_soon(executor);
}

void executor_stop(struct executor *executor, const char *reason) {
    const struct journal_entry entry = {
        .kind = JOURNAL_NOTE, .revision = executor->config.revision, .vm = "", .from = "", .to = "", .text = reason};
    if (executor->is_stopped)
        return;
    executor->is_stopped = true;
    if (executor->error.status == DC_OK)
        (void)!journal_write(executor->config.journal, &entry, &executor->error);
    tick_soon(executor);
}

bool executor_is_stopped(const struct executor *executor) {
    return executor->is_stopped;
}

void executor_abort(struct executor *executor) {
    for (size_t i = 0; i < executor->config.plan->n_steps; i++)
        if (executor->tasks[i].shown.state == EXECUTOR_RUNS && task_is_migration(executor, &executor->tasks[i]))
            task_abort(executor, &executor->tasks[i], "asked to end at once");
}

const struct executor_step *executor_step(const struct executor *executor, size_t i) {
    return &executor->tasks[i].shown;
}
