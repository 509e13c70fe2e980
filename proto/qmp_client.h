/*
 * A client of one QEMU: proto/qmp_session.h over base/line_channel.h, for whichever event loop.
 *
 * In:  the path of a QMP socket that nobody else talks to (QEMU serves one client at a time), turns of the loop.
 * Out: answers and events, from within a turn; the descriptor and the time to wait for.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/qmp_session.h"

#include <sys/types.h>

struct qmp_client;

struct qmp_client_events {
    void *context;
    void (*ready)(void *context);
    void (*event)(void *context, const struct qmp_message *message); /* lent */
};

/* Times are milliseconds of one clock of the caller's. On failure `*client_out` is NULL; DC_EUNREACHABLE: nobody
 * listens there. */
DC_WARN_UNUSED enum dc_status qmp_client_open(const char *path, double now_ms, const struct qmp_client_events *events,
                                              struct qmp_client **client_out, struct dc_error *err);

/* Answers what is pending with DC_ECANCELED. Never from within a turn. Idempotent; sets `*client` to NULL. */
void qmp_client_free(struct qmp_client **client);

/* Wait for it to be readable, and writable where qmp_client_is_writing(), until qmp_client_wake_ms() at most. */
int qmp_client_fd(const struct qmp_client *client);
bool qmp_client_is_writing(const struct qmp_client *client);
double qmp_client_wake_ms(struct qmp_client *client, double now_ms);

/* Reads, writes and lets expire what is due. Anything but DC_OK: the connection is lost. */
DC_WARN_UNUSED enum dc_status qmp_client_turn(struct qmp_client *client, double now_ms, struct dc_error *err);

/* QEMU's process, as far as the kernel says; -1: not known. */
pid_t qmp_client_process(const struct qmp_client *client);

/* As of qmp_session_send(), within bounded time. */
DC_WARN_UNUSED enum dc_status qmp_client_send(struct qmp_client *client, const char *command, json_t *arguments,
                                              double now_ms, qmp_done_fn done, void *context, struct dc_error *err);
