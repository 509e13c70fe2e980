/*
 * The executor: runs the steps of one plan through a driver, on a libuv loop.
 *
 * In:  a plan, a driver, a journal. Out: events; and for each step what became of it.
 *
 * A step begins when pace.h says so. Every intention is in the journal before it is carried out, every outcome after. A
 * migration that did not end well is settled: both ends are asked where the VM is, until that is clear; it is tried
 * again where the VM still runs at its source. One that takes longer than its time is asked to end. Failed steps leave
 * alone all that does not wait for them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/driver.h"
#include "planner/apply/journal.h"
#include "proto/plan_doc.h"

enum executor_state {
    EXECUTOR_WAITS,
    EXECUTOR_RUNS,
    EXECUTOR_SETTLES, /* where its VM is is not clear */
    EXECUTOR_DONE,
    EXECUTOR_FAILED,
};

struct executor_step {
    enum executor_state state;
    unsigned attempt;        /* 1.. once it began */
    double begun_ms, end_ms; /* since the executor began; negative before */
    double bandwidth_bytes_per_s;
    bool has_progress;
    struct driver_progress progress;
    double migration_ms, downtime_ms, bytes; /* of the last attempt; negative: not known */
    char reason[256];                        /* of a failure */
};

struct executor_options {
    unsigned max_retries;   /* after the first attempt */
    double timeout_factor;  /* a migration is ended after so many times its p95 ... */
    double timeout_min_ms;  /* ... and so much more */
    double settle_limit_ms; /* then a VM that is nowhere to be found is given up */
};

void executor_options_init(struct executor_options *options_out);

/* How long what should be over, or clear, is waited for. */
void executor_options_set_patience(struct executor_options *options, double patience_ms);

/* Texts are lent for the call. */
struct executor_events {
    void *context;
    /* Before a migration begins, and after its last attempt: agents shall let the VM alone meanwhile. */
    void (*hold)(void *context, size_t step, bool is_held);
    void (*changed)(void *context, size_t step);  /* its state */
    void (*progress)(void *context, size_t step); /* or its cap */
    void (*note)(void *context, size_t step, const char *text);
    /* Are all VMs where the plan takes them from? `n_wrong` are not; each has been told by note(). */
    void (*checked)(void *context, size_t n_wrong);
    /* Nothing runs, and nothing can begin any more. */
    void (*finished)(void *context);
};

struct executor;

struct executor_config {
    uv_loop_t *loop;
    const struct plan *plan; /* lent for the executor's life, like the journal */
    unsigned revision;       /* of the plan in the journal */
    const struct driver_ops *driver;
    struct driver_config driver_config;
    struct journal *journal;
    struct executor_options options;
    struct executor_events events;
};

/* Asks the driver of every step whether it could: DC_EUNSUPPORTED names the first it could not. Nothing moves. On
 * failure `*executor_out` is NULL. */
DC_WARN_UNUSED enum dc_status executor_open(const struct executor_config *config, struct executor **executor_out,
                                            struct dc_error *err);

/* Lets go of it; migrations under way go on by themselves. Its memory goes in a later turn of the loop. */
void executor_close(struct executor *executor);

/* Takes up what the journal has of this revision: done and failed steps, and some that must be settled. Before
 * executor_begin(). */
DC_WARN_UNUSED enum dc_status executor_resume(struct executor *executor, struct dc_error *err);

/* Asks the hypervisors whether each VM runs where its first step that waits takes it from; checked() follows. */
void executor_check(struct executor *executor);

/* finished() follows. */
void executor_begin(struct executor *executor);

/* No step begins any more; what runs ends. */
void executor_stop(struct executor *executor, const char *reason);
bool executor_is_stopped(const struct executor *executor);

/* Asks all migrations under way to end. */
void executor_abort(struct executor *executor);

const struct executor_step *executor_step(const struct executor *executor, size_t i);
double executor_elapsed_ms(const struct executor *executor);

/* The first reason why the journal could not be written; DC_OK without. Then nothing begins any more. */
enum dc_status executor_error(const struct executor *executor, struct dc_error *err);
