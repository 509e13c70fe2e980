/* Every call of the driver's that moves something has its word in the journal before it. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/task.h"

#include <math.h>
#include <stdio.h>

static const double cap_change_frac = 0.01; /* a smaller one is not worth a command */

static const char *host_of_act(const struct plan_step *step) {
    return step->action == PLAN_BOOT ? step->to : step->from;
}

static enum driver_host_action act_of(const struct plan_step *step) {
    return step->action == PLAN_BOOT ? DRIVER_BOOT : DRIVER_SHUTDOWN;
}

static struct driver_migration migration_of(const struct plan_step *step) {
    return (struct driver_migration){.uuid = step->vm,
                                     .name = step->vm_name,
                                     .from = step->from,
                                     .to = step->to,
                                     .is_cold = step->action == PLAN_COLD_MIGRATE,
                                     .bandwidth_bytes_per_s = step->bandwidth_bytes_per_s};
}

const struct plan_step *task_step(const struct executor *executor, const struct task *task) {
    return &executor->config.plan->steps[task->index];
}

bool task_is_migration(const struct executor *executor, const struct task *task) {
    const enum plan_action action = task_step(executor, task)->action;
    return action == PLAN_MIGRATE || action == PLAN_COLD_MIGRATE;
}

enum dc_status task_check(const struct executor *executor, const struct task *task, struct dc_error *err) {
    const struct plan_step *step = task_step(executor, task);
    const struct driver_ops *ops = executor->config.driver;
    const bool is_migration = task_is_migration(executor, task);
    const struct driver_migration migration = migration_of(step);
    enum dc_status rc;
    if (is_migration)
        rc = ops->check(executor->driver, &migration, err);
    else if (ops->act == NULL)
        rc = error_set(err, DC_EUNSUPPORTED, "the driver %s boots and shuts down no hosts", ops->name);
    else
        rc = ops->check_act(executor->driver, act_of(step), host_of_act(step), err);
    if (rc != DC_OK)
        (void)error_prefix(err, "step %u (%s %s)", step->id, plan_doc_action_text(step->action),
                           is_migration ? step->vm_name : host_of_act(step));
    return rc;
}

void task_begin(struct executor *executor, struct task *task) {
    const struct plan_step *step = task_step(executor, task);
    const struct driver_ops *ops = executor->config.driver;
    const struct driver_migration migration = migration_of(step);
    struct dc_error err = DC_ERROR_NONE;
    task->shown.attempt++;
    if (!executor_write(executor, task, JOURNAL_INTENT, plan_doc_action_text(step->action))) {
        task->shown.attempt--;
        return;
    }
    executor_hold(executor, task, true);
    task->began_ms = executor_elapsed_ms(executor);
    if (task->shown.begun_ms < 0)
        task->shown.begun_ms = task->began_ms;
    task->shown.bandwidth_bytes_per_s = step->bandwidth_bytes_per_s;
    executor->standings[task->index].has_begun = true;
    executor_enter(executor, task, EXECUTOR_RUNS);
    const enum dc_status rc = task_is_migration(executor, task)
                                  ? ops->start(executor->driver, &migration, &err)
                                  : ops->act(executor->driver, act_of(step), host_of_act(step), &err);
    if (rc != DC_OK)
        executor_miss(executor, task, MISS_RETRY, error_text(&err));
}

void task_set_cap(struct executor *executor, struct task *task) {
    const struct plan_step *step = task_step(executor, task);
    const struct driver_ops *ops = executor->config.driver;
    struct dc_error err = DC_ERROR_NONE;
    char text[64];
    if (executor->has_no_caps || ops->set_bandwidth == NULL || step->action != PLAN_MIGRATE)
        return;
    const double wanted = pace_bandwidth(executor->pace, task->index, executor->standings);
    if (fabs(wanted - task->shown.bandwidth_bytes_per_s) <= cap_change_frac * wanted)
        return;
    (void)snprintf(text, sizeof(text), "%.0f bytes/s", wanted);
    if (!executor_write(executor, task, JOURNAL_CAP, text))
        return;
    const enum dc_status rc = ops->set_bandwidth(executor->driver, step->vm, wanted, &err);
    if (rc == DC_EUNSUPPORTED) {
        executor->has_no_caps = true;
        executor_note(executor, task, "migrations keep the bandwidth they begin with: this driver changes none");
    } else if (rc != DC_OK) {
        executor_note(executor, task, error_text(&err));
    }
    task->shown.bandwidth_bytes_per_s = wanted;
    executor->config.events.progress(executor->config.events.context, task->index);
}

void task_abort(struct executor *executor, struct task *task, const char *reason) {
    const struct driver_ops *ops = executor->config.driver;
    struct dc_error err = DC_ERROR_NONE;
    if (task->is_aborted)
        return;
    task->is_aborted = true;
    if (!executor_write(executor, task, JOURNAL_ABORT, reason))
        return;
    executor_note(executor, task, reason);
    if (ops->abort == NULL)
        (void)error_set(&err, DC_EUNSUPPORTED, "this driver ends no migration: it is left to itself");
    else
        (void)!ops->abort(executor->driver, task_step(executor, task)->vm, &err);
    if (err.status != DC_OK)
        executor_note(executor, task, error_text(&err));
}

/* A path that is cut, or a destination that is gone: the guest has no part in it. */
static bool is_stalled(const struct executor *executor, const struct task *task) {
    return task->shown.has_progress && task->shown.progress.sent_bytes >= 0 &&
           task->progress_ms - task->sent_ms >= executor->config.options.timeout_min_ms;
}

void task_limit_time(struct executor *executor, struct task *task) {
    const struct executor_options *options = &executor->config.options;
    const double expected_ms = task_step(executor, task)->migration_ms.p95;
    const double limit_ms = options->timeout_factor * expected_ms + options->timeout_min_ms;
    char text[128];
    if (task->is_aborted || !task_is_migration(executor, task))
        return;
    task->is_stalled = is_stalled(executor, task);
    if (task->is_stalled)
        (void)snprintf(text, sizeof(text), "nothing was sent for %.1f s: it is ended", options->timeout_min_ms / 1e3);
    else if (executor_elapsed_ms(executor) - task->began_ms >= limit_ms)
        (void)snprintf(text, sizeof(text), "not done after %.1f s, of %.1f s that were expected: it is ended",
                       limit_ms / 1e3, expected_ms / 1e3);
    else
        return;
    task_abort(executor, task, text);
}
