/*
 * One conversation in QMP: greeting, negotiation, which return belongs to which
 * command, and commands that nobody answers.
 *
 * In:  lines from QEMU, commands, the time. Out: lines for QEMU (by `write`), answers and events. No
 *      sockets and no clock: the same for every event loop.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/qmp.h"

#include <stdbool.h>

enum { QMP_MOST_LINE_BYTES = 4 * 1024 * 1024, QMP_MOST_PENDING = 256 };

struct qmp_session;

/* The answer to one command: `value` (lent) or NULL, and then why. */
typedef void (*qmp_done_fn)(void *context, const json_t *value, const struct dc_error *err);

struct qmp_session_events {
    void *context;
    void (*write)(void *context, const char *bytes, size_t n_bytes);
    void (*ready)(void *context);                                    /* commands are taken */
    void (*event)(void *context, const struct qmp_message *message); /* lent; NULL: not wanted */
};

/* NULL when out of memory. */
struct qmp_session *qmp_session_new(const struct qmp_session_events *events);

/* Answers every command that is pending with DC_ECANCELED. Idempotent; sets `*session` to NULL. */
void qmp_session_free(struct qmp_session **session);

/* A line from QEMU. DC_EPARSE, DC_EINVAL: this is no QMP, or another's answer: the conversation is over. */
DC_WARN_UNUSED enum dc_status qmp_session_take(struct qmp_session *session, const char *line, size_t n_bytes,
                                               struct dc_error *err);

/* Sends a command; `done` is called once, never from within this call: with the answer, DC_ETIMEOUT after `until_ms`
 * of the caller's clock, or DC_ECANCELED. `arguments` (an object or NULL) is taken over. On failure `done` is not
 * called. Only once it is ready. */
DC_WARN_UNUSED enum dc_status qmp_session_send(struct qmp_session *session, const char *command, json_t *arguments,
                                               double until_ms, qmp_done_fn done, void *context, struct dc_error *err);

/* When the time of a pending command is up; INFINITY without one. */
double qmp_session_next_ms(const struct qmp_session *session);

/* Answers commands whose time is up. */
void qmp_session_expire(struct qmp_session *session, double now_ms);
