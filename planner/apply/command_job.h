/*
 * One shell command, run beside the loop in a session of its own: signals of the terminal do not reach it, and it
 * outlives this process.
 *
 * In:  text for /bin/sh, and the files it writes to. Out: one callback from the loop when it has ended.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct command_job;

struct command_job_end {
    bool ok;        /* exit status 0 */
    bool timed_out; /* it was killed for that */
    int64_t exit_status;
    int signal;         /* that ended it; 0: none */
    const char *out;    /* the last 64 KiB of what it wrote; lent for the callback */
    const char *reason; /* one line: the last it wrote as an error, else how it ended; lent likewise */
};

typedef void (*command_job_fn)(void *context, const struct command_job_end *end);

struct command_job_spec {
    const char *command;
    int out_fd, err_fd; /* of regular files, taken over; -1: into memory */
    int lock_fd; /* handed down as its descriptor 3, so that a lock on it lasts as long; -1: none; not taken over */
    double timeout_ms; /* after which the whole session is killed; 0: never */
    command_job_fn done;
    void *context;
};

/* Descriptors are taken over even on failure. DC_OK: `done` follows, after which the job is gone. */
DC_WARN_UNUSED enum dc_status command_job_start(uv_loop_t *loop, const struct command_job_spec *spec,
                                                struct command_job **job_out, struct dc_error *err);

/* Of the session's leader. */
int command_job_pid(const struct command_job *job);

/* No callback comes any more. The process goes on, or with `kill` its session is killed. */
void command_job_abandon(struct command_job *job, bool kill);
