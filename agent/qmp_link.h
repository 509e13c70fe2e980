/*
 * The connection to one QEMU, on the agent's loop (proto/qmp_client.h).
 *
 * Out: answers, events, and that the connection is lost; only from the loop.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/qmp_client.h"

#include <uv.h>

struct qmp_link;

struct qmp_link_events {
    void *context;
    void (*ready)(void *context);
    void (*event)(void *context, const struct qmp_message *message);
    /* Once; then only qmp_link_close() is of use. */
    void (*lost)(void *context, const struct dc_error *err);
    /* The last word: what was pending has been answered, its memory is gone. */
    void (*closed)(void *context);
};

/* On failure `*link_out` is NULL and nothing is told. A QEMU that does not greet in time is lost. */
DC_WARN_UNUSED enum dc_status qmp_link_open(uv_loop_t *loop, const char *path, const struct qmp_link_events *events,
                                            struct qmp_link **link_out, struct dc_error *err);

/* No event comes after it; answers with DC_ECANCELED and `closed` do, from the loop. Idempotent until then. */
void qmp_link_close(struct qmp_link *link);

/* As of qmp_client_process(), qmp_client_send(). */
pid_t qmp_link_process(const struct qmp_link *link);
DC_WARN_UNUSED enum dc_status qmp_link_send(struct qmp_link *link, const char *command, json_t *arguments,
                                            qmp_done_fn done, void *context, struct dc_error *err);
