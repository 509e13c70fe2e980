/*
 * A conversation in QMP with a QEMU that sends arbitrary bytes, in lines: it ends with a reason, or every command
 * that was sent is answered once.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/qmp_session.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

struct talk {
    struct qmp_session *session;
    int n_sent, n_answered;
};

static void on_write(void *context, const char *bytes, size_t n_bytes) {
    (void)context;
    if (n_bytes == 0 || bytes[n_bytes - 1] != '\n')
        abort();
}

static void on_answer(void *context, const json_t *value, const struct dc_error *err) {
    struct talk *talk = context;
    talk->n_answered++;
    if (value == NULL && err->status == DC_OK)
        abort();
}

static void on_ready(void *context) {
    struct talk *talk = context;
    struct dc_error err = DC_ERROR_NONE;
    for (int i = 0; i < 3; i++)
        talk->n_sent += qmp_session_send(talk->session, "query-status", NULL, 1, on_answer, talk, &err) == DC_OK;
}

static void on_event(void *context, const struct qmp_message *message) {
    (void)context;
    if (message->name == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes) {
    struct talk talk = {.n_sent = 0};
    const struct qmp_session_events events = {&talk, on_write, on_ready, on_event};
    struct dc_error err = DC_ERROR_NONE;
    const char *text = (const char *)data;
    talk.session = qmp_session_new(&events);
    if (talk.session == NULL)
        return 0;
    enum dc_status rc = DC_OK;
    while (n_bytes > 0 && rc == DC_OK) {
        const char *end = memchr(text, '\n', n_bytes);
        const size_t n_line = end != NULL ? (size_t)(end - text) : n_bytes;
        rc = qmp_session_take(talk.session, text, n_line, &err);
        text += n_line + (end != NULL);
        n_bytes -= n_line + (end != NULL);
    }
    if (rc != DC_OK && err.text[0] == '\0')
        abort();
    qmp_session_free(&talk.session);
    if (talk.n_sent != talk.n_answered)
        abort();
    return 0;
}
