/*
 * A migration by QMP, up to the moment that QEMU is told to migrate; and what that shares with the rest (qmp_run.c).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/command_job.h"
#include "planner/apply/qmp_run.h"
#include "proto/qmp_client.h"

enum phase {
    PHASE_SOURCE,
    PHASE_CLEAR,
    PHASE_PREPARE,
    PHASE_CONNECT,
    PHASE_SET_UP,
    PHASE_MIGRATE,
    PHASE_LAND,
    PHASE_QUIT, /* what became of it is decided */
    PHASE_ENDED,
};

struct qmp_run {
    struct qmp_run_config config;
    char *uuid, *name, *from, *to;
    enum phase phase;
    struct qmp_client *source, *target;
    bool target_is_ready;
    struct command_job *job;
    char *address;
    unsigned n_ports_tried;
    json_t *capabilities; /* the source's, as both shall have them */
    double begun_ms;
    double phase_ms; /* monotonic, when it began */
    double next_poll_ms, next_connect_ms;
    bool is_asking, is_aborted, has_quit;
    double memory_bytes, downtime_limit_ms;
    double stopped_unix_ms, resumed_unix_ms;
    double bandwidth_bytes_per_s;
    struct driver_end end; /* figures, once completed */
    struct dc_error error; /* why it failed */
};

/* --- qmp_begin.c: a chain of commands, each begun by the answer to the one before --- */

/* Of the source's connection: it begins the chain. */
void qmp_begin_on_ready(void *context);
void qmp_on_source_event(void *context, const struct qmp_message *message);

void qmp_begin_prepare(struct qmp_run *run);
/* Once, and again after a moment while nobody listens. */
void qmp_begin_connect(struct qmp_run *run);
void qmp_begin_set_up(struct qmp_run *run);

/* The migration parameters for its bandwidth; a new reference, NULL when out of memory. */
json_t *qmp_begin_parameters(const struct qmp_run *run);

/* DC_EUNREACHABLE while nobody listens. */
DC_WARN_UNUSED enum dc_status qmp_connect(struct qmp_run *run, const char *host, const struct qmp_client_events *events,
                                          struct qmp_client **client_out, struct dc_error *err);

/* --- qmp_run.c --- */

double qmp_now_ms(void);
void qmp_enter(struct qmp_run *run, enum phase phase);

/* The next turn ends it: nothing is freed while it is in use. `what` stands before the error's text, or for it. */
void qmp_fail(struct qmp_run *run, const struct dc_error *err, const char *what);
/* To one of its two clients (NULL: gone). `arguments` is taken over; `done` gets the run. */
void qmp_send(struct qmp_run *run, struct qmp_client *client, const char *command, json_t *arguments, qmp_done_fn done);
/* True where the answer is one to go on with. */
bool qmp_is_good(struct qmp_run *run, const json_t *value, const struct dc_error *err, const char *what);
void qmp_on_quit(void *context, const json_t *value, const struct dc_error *err);
