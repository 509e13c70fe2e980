/*
 * What outlives a planner that is killed: for every VM whose migration was begun, a file with a lock on it that lasts
 * as long as the command does, and the command's exit status beside it.
 *
 * The lock is the kernel's word, by no process id that could be another's by now: a command holds it from its birth.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

enum command_record_state { COMMAND_RECORD_NONE, COMMAND_RECORD_RUNNING, COMMAND_RECORD_ENDED };

struct command_record {
    enum command_record_state state;
    int exit_status; /* of ENDED */
    char *from;      /* the host it was begun on; "" of NONE */
    char *reason;    /* the last line of its errors */
};

/* Locks the VM's file and writes the host into it. The descriptor goes to the command as its lock, then is closed.
 * DC_EBUSY where an earlier command still runs. */
DC_WARN_UNUSED enum dc_status command_record_begin(const char *dir, const char *uuid, const char *from,
                                                   int *lock_fd_out, struct dc_error *err);

/* A new file for what the command says as errors. Negative on failure. */
int command_record_open_errors(const char *dir, const char *uuid);

/* The command that runs `command` and records its exit status (heap); NULL when out of memory. */
char *command_record_wrap(const char *dir, const char *uuid, const char *command);

DC_WARN_UNUSED enum dc_status command_record_read(const char *dir, const char *uuid, struct command_record *record_out,
                                                  struct dc_error *err);
void command_record_dispose(struct command_record *record);
