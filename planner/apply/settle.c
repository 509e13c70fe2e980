/* Both hosts are asked, a second apart, until what they say leaves one answer or the time is up. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/task.h"

#include <stdio.h>
#include <string.h>

static const double ask_interval_ms = 1000;

/* True: an answer follows. */
static bool ask(struct executor *executor, struct task *task, const char *host, enum driver_place *place) {
    struct dc_error err = DC_ERROR_NONE;
    const struct plan_step *step = task_step(executor, task);
    if (executor->config.driver->locate(executor->driver, step->vm, step->vm_name, host, &err) == DC_OK)
        return true;
    *place = DRIVER_UNKNOWN;
    (void)snprintf(task->settle.why, sizeof(task->settle.why), "%s", error_text(&err));
    return false;
}

static void ask_both(struct executor *executor, struct task *task) {
    const struct plan_step *step = task_step(executor, task);
    struct settle *settle = &task->settle;
    settle->why[0] = '\0';
    settle->ask_again_ms = -1;
    settle->is_asking_from = ask(executor, task, step->from, &settle->from);
    settle->is_asking_to = ask(executor, task, step->to, &settle->to);
    if (!settle->is_asking_from && !settle->is_asking_to)
        settle->ask_again_ms = executor_elapsed_ms(executor) + ask_interval_ms;
}

void settle_begin(struct executor *executor, struct task *task) {
    const bool was_followed = task->settle.was_followed;
    task->settle = (struct settle){.since_ms = executor_elapsed_ms(executor), .was_followed = was_followed};
    executor_enter(executor, task, EXECUTOR_SETTLES);
    ask_both(executor, task);
}

/* A migration under way, of an earlier process of ours or anybody's: watched where the driver can. */
static bool follow(struct executor *executor, struct task *task) {
    const struct plan_step *step = task_step(executor, task);
    const struct driver_ops *ops = executor->config.driver;
    const struct driver_migration migration = {
        .uuid = step->vm, .name = step->vm_name, .from = step->from, .to = step->to};
    if (ops->follow == NULL || task->settle.was_followed || ops->follow(executor->driver, &migration, NULL) != DC_OK)
        return false;
    task->settle.was_followed = true;
    task->began_ms = executor_elapsed_ms(executor);
    executor_enter(executor, task, EXECUTOR_RUNS);
    return true;
}

enum verdict { VERDICT_ASK_AGAIN, VERDICT_MOVED, VERDICT_STAYED, VERDICT_TWICE, VERDICT_MIGRATES, VERDICT_NOT_RUN };

static bool is_half(enum driver_place place) {
    return place == DRIVER_INCOMING || place == DRIVER_PAUSED;
}

/* What two answers mean of a VM that shall run (or, `is_cold`, be shut off). Doubt is asked about again: a migration
 * that ends right now is seen half by one host and half by the other. `is_late`: no more. */
static enum verdict judge(enum driver_place from, enum driver_place to, bool is_cold, bool is_late) {
    const enum driver_place whole = is_cold ? DRIVER_PAUSED : DRIVER_RUNS;
    if (from == DRIVER_RUNS && to == DRIVER_RUNS)
        return is_late ? VERDICT_TWICE : VERDICT_ASK_AGAIN;
    if (from == DRIVER_MIGRATING)
        return is_late && to == DRIVER_RUNS ? VERDICT_MOVED : VERDICT_MIGRATES;
    if (to == whole &&
        (from == DRIVER_ABSENT || (is_late && from == DRIVER_UNKNOWN) || (is_late && !is_cold && is_half(from))))
        return VERDICT_MOVED;
    if (from == whole && (to == DRIVER_ABSENT || (is_late && to != DRIVER_RUNS)))
        return VERDICT_STAYED;
    if (is_late && from == DRIVER_RUNS)
        return VERDICT_STAYED;
    return is_late ? VERDICT_NOT_RUN : VERDICT_ASK_AGAIN;
}

static const char *place_text(enum driver_place place) {
    static const char *const texts[] = {
        [DRIVER_UNKNOWN] = "is not known",        [DRIVER_ABSENT] = "is absent", [DRIVER_RUNS] = "runs",
        [DRIVER_MIGRATING] = "is being migrated", [DRIVER_PAUSED] = "is paused", [DRIVER_INCOMING] = "is half there"};
    return texts[place];
}

static void decide(struct executor *executor, struct task *task) {
    const struct plan_step *step = task_step(executor, task);
    struct settle *settle = &task->settle;
    const double now_ms = executor_elapsed_ms(executor);
    const bool is_late = now_ms - settle->since_ms > executor->config.options.settle_limit_ms;
    char text[256];
    switch (judge(settle->from, settle->to, step->action == PLAN_COLD_MIGRATE, is_late)) {
    case VERDICT_MOVED:
        executor_succeed(executor, task);
        return;
    case VERDICT_STAYED:
        executor_miss(executor, task,
                      task->is_stalled   ? MISS_HOST
                      : task->is_aborted ? MISS_VM
                                         : MISS_RETRY,
                      task->shown.reason[0] != '\0' ? task->shown.reason : "it is still at its source");
        return;
    case VERDICT_MIGRATES:
        if (follow(executor, task))
            return;
        if (!is_late || !settle->was_followed)
            break;
        __attribute__((fallthrough)); /* it was watched to its end, and hangs between the two */
    case VERDICT_TWICE:
    case VERDICT_NOT_RUN:
        (void)snprintf(text, sizeof(text), "it %s on %s and %s on %s%s%s", place_text(settle->from), step->from,
                       place_text(settle->to), step->to, settle->why[0] != '\0' ? ": " : "", settle->why);
        executor_miss(executor, task, MISS_VM, text);
        return;
    case VERDICT_ASK_AGAIN:
        break;
    }
    settle->ask_again_ms = now_ms + ask_interval_ms;
}

void settle_located(struct executor *executor, struct task *task, const char *host, enum driver_place place,
                    const char *text) {
    const struct plan_step *step = task_step(executor, task);
    struct settle *settle = &task->settle;
    if (settle->is_asking_from && strcmp(host, step->from) == 0) {
        settle->is_asking_from = false;
        settle->from = place;
    } else if (settle->is_asking_to && strcmp(host, step->to) == 0) {
        settle->is_asking_to = false;
        settle->to = place;
    } else {
        return;
    }
    if (place == DRIVER_UNKNOWN)
        (void)snprintf(settle->why, sizeof(settle->why), "%s", text);
    if (!settle->is_asking_from && !settle->is_asking_to)
        decide(executor, task);
}

void settle_tick(struct executor *executor, struct task *task) {
    struct settle *settle = &task->settle;
    if (settle->ask_again_ms < 0 || executor_elapsed_ms(executor) < settle->ask_again_ms)
        return;
    /* Nobody could be asked the last time, which is an answer, too. */
    if (executor_elapsed_ms(executor) - settle->since_ms > executor->config.options.settle_limit_ms &&
        settle->from == DRIVER_UNKNOWN && settle->to == DRIVER_UNKNOWN)
        decide(executor, task);
    else
        ask_both(executor, task);
}
