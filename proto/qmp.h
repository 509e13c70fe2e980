/*
 * The QEMU Machine Protocol's grammar (QEMU, docs/interop/qmp-spec): a greeting, commands with an id, their
 * returns or errors, and events in between; one JSON object a line.
 *
 * In and out: text <-> messages. No sockets, see proto/qmp_session.h for who asked what.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum qmp_kind { QMP_GREETING, QMP_RETURN, QMP_ERROR, QMP_EVENT };

struct qmp_message {
    enum qmp_kind kind;
    json_t *json;       /* owned; the others are lent by it */
    int64_t id;         /* of a return or an error; -1: QEMU did not say */
    const json_t *data; /* what was returned, an event's data; NULL: none */
    const char *name;   /* the event's; the error's class */
    const char *text;   /* the error's */
    double at_unix_ms;  /* an event's, by the clock of QEMU's host; 0: not said */
};

/* DC_EPARSE for what is no QMP. */
DC_WARN_UNUSED enum dc_status qmp_read(const char *line, size_t n_bytes, struct qmp_message *message_out,
                                       struct dc_error *err);
void qmp_message_dispose(struct qmp_message *message);

/* A command as a line with its end; on the heap, NULL when out of memory or for what is no UTF-8. `arguments` is an
 * object, or NULL; it is taken over. */
char *qmp_write(const char *command, json_t *arguments, int64_t id);
