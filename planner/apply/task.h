/*
 * A task: one step of a plan as the executor carries it out. What executor.c, task.c and settle.c share.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/executor.h"
#include "planner/apply/pace.h"

/* Where a VM is, by its two hosts. */
struct settle {
    bool is_asking_from, is_asking_to;
    enum driver_place from, to;
    char why[128];       /* of a host that does not say */
    double since_ms;     /* it is not clear since then */
    double ask_again_ms; /* negative: answers are awaited */
    bool was_followed;   /* a migration of an earlier process that was under way has ended */
};

struct task {
    struct executor_step shown;
    size_t index; /* of the step */
    bool is_checked, is_held, is_aborted;
    double retry_ms;    /* not before */
    double began_ms;    /* this attempt */
    double progress_ms; /* when it was told */
    double sent_ms;     /* when more had been sent than before */
    bool is_stalled;    /* nothing is sent any more: that was why it was ended */
    struct settle settle;
};

struct executor {
    struct executor_config config;
    struct driver *driver;
    struct pace *pace;
    struct task *tasks;          /* [n_steps] */
    struct pace_step *standings; /* [n_steps] */
    uv_timer_t timer;
    double opened_ms;
    bool is_begun, is_stopped, is_finished, is_checking, is_closing;
    bool has_no_caps; /* the driver changes none: said once */
    size_t n_unchecked, n_wrong;
    struct dc_error error; /* of the journal */
};

/* --- executor.c --- */

/* False: nothing may be done, the journal cannot be written. */
bool executor_write(struct executor *executor, const struct task *task, enum journal_kind kind, const char *text);

void executor_succeed(struct executor *executor, struct task *task);
/* Who is at fault, and whether it is worth another try: what MISS_RETRY and MISS_HOST are of, runs at its source. */
enum miss { MISS_RETRY, MISS_HOST, MISS_VM };

/* Tries it again later, or fails it for good. */
void executor_miss(struct executor *executor, struct task *task, enum miss miss, const char *reason);
void executor_enter(struct executor *executor, struct task *task, enum executor_state state);
void executor_hold(struct executor *executor, struct task *task, bool is_held);
void executor_note(const struct executor *executor, const struct task *task, const char *text);

/* --- task.c --- */

const struct plan_step *task_step(const struct executor *executor, const struct task *task);
bool task_is_migration(const struct executor *executor, const struct task *task);

/* Could the driver? Errors name the step. */
DC_WARN_UNUSED enum dc_status task_check(const struct executor *executor, const struct task *task,
                                         struct dc_error *err);
void task_begin(struct executor *executor, struct task *task);

/* Gives it the cap that the pace has for it now. */
void task_set_cap(struct executor *executor, struct task *task);

/* Ends it where it has taken too long. */
void task_limit_time(struct executor *executor, struct task *task);
void task_abort(struct executor *executor, struct task *task, const char *reason);

/* --- settle.c --- */

/* Finds out where the task's VM is; then it is done, missed, or runs (followed). */
void settle_begin(struct executor *executor, struct task *task);
/* Asks again where the time has come. */
void settle_tick(struct executor *executor, struct task *task);
void settle_located(struct executor *executor, struct task *task, const char *host, enum driver_place place,
                    const char *text);
