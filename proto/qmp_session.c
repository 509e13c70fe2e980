/* Pending commands in a plain array: they are few. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/qmp_session.h"

#include "base/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const negotiation = "qmp_capabilities";

struct pending {
    int64_t id;
    double until_ms;
    qmp_done_fn done;
    void *context;
    char command[40];
};

struct qmp_session {
    struct qmp_session_events events;
    bool is_greeted, is_ready;
    int64_t last_id;
    size_t n_pending, capacity;
    struct pending *pending;
};

struct qmp_session *qmp_session_new(const struct qmp_session_events *events) {
    struct qmp_session *session = calloc(1, sizeof(*session));
    if (session != NULL)
        session->events = *events;
    return session;
}

/* The answer may send commands, or (not the owner's way, but harmless) ask for the time. */
static void answer(struct qmp_session *session, size_t index, const json_t *value, const struct dc_error *err) {
    const struct pending pending = session->pending[index];
    memmove(&session->pending[index], &session->pending[index + 1],
            (--session->n_pending - index) * sizeof(*session->pending));
    pending.done(pending.context, value, err);
}

void qmp_session_free(struct qmp_session **session) {
    if (*session == NULL)
        return;
    (*session)->is_ready = false; /* what is told now sends no more */
    while ((*session)->n_pending > 0) {
        struct dc_error err = DC_ERROR_NONE;
        (void)error_set(&err, DC_ECANCELED, "%s: the conversation with QEMU has ended", (*session)->pending[0].command);
        answer(*session, 0, NULL, &err);
    }
    free((*session)->pending);
    free(*session);
    *session = NULL;
}

static enum dc_status send_line(struct qmp_session *session, const char *command, json_t *arguments, int64_t id,
                                struct dc_error *err) {
    char *line = qmp_write(command, arguments, id);
    if (line == NULL)
        return error_set(err, DC_EINVAL, "%s: cannot be written (a text that is no UTF-8, or memory is short)",
                         command);
    session->events.write(session->events.context, line, strlen(line));
    free(line);
    return DC_OK;
}

enum dc_status qmp_session_send(struct qmp_session *session, const char *command, json_t *arguments, double until_ms,
                                qmp_done_fn done, void *context, struct dc_error *err) {
    if (!session->is_ready || session->n_pending >= QMP_MOST_PENDING) {
        json_decref(arguments);
        return error_set(err, DC_EBUSY, "%s: %s", command,
                         session->is_ready ? "too many commands are pending" : "QEMU takes no commands yet");
    }
    if (!vec_reserve((void **)&session->pending, &session->capacity, session->n_pending + 1,
                     sizeof(*session->pending))) {
        json_decref(arguments);
        return error_set_nomem(err);
    }
    struct pending *pending = &session->pending[session->n_pending++];
    *pending = (struct pending){.id = ++session->last_id, .until_ms = until_ms, .done = done, .context = context};
    (void)snprintf(pending->command, sizeof(pending->command), "%s", command);
    const enum dc_status rc = send_line(session, command, arguments, session->last_id, err);
    if (rc != DC_OK)
        session->n_pending--;
    return rc;
}

/* Commands whose time is up are forgotten: a late answer is nobody's. */
static enum dc_status take_answer(struct qmp_session *session, const struct qmp_message *message,
                                  struct dc_error *err) {
    struct dc_error why = DC_ERROR_NONE;
    if (!session->is_ready) {
        if (message->kind != QMP_RETURN)
            return error_set(err, DC_EINVAL, "%s: %s", negotiation, message->text);
        session->is_ready = true;
        session->events.ready(session->events.context);
        return DC_OK;
    }
    for (size_t i = 0; i < session->n_pending; i++) {
        if (session->pending[i].id != message->id)
            continue;
        if (message->kind == QMP_ERROR)
            (void)error_set(&why, strcmp(message->name, "CommandNotFound") == 0 ? DC_EUNSUPPORTED : DC_EINVAL, "%s: %s",
                            session->pending[i].command, message->text);
        answer(session, i, message->kind == QMP_RETURN ? message->data : NULL, &why);
        return DC_OK;
    }
    return message->id > session->last_id ? error_set(err, DC_EINVAL, "an answer to a command that was not sent")
                                          : DC_OK;
}

static enum dc_status take_message(struct qmp_session *session, const struct qmp_message *message,
                                   struct dc_error *err) {
    if (message->kind == QMP_GREETING) {
        if (session->is_greeted)
            return error_set(err, DC_EINVAL, "a second greeting");
        session->is_greeted = true;
        return send_line(session, negotiation, NULL, ++session->last_id, err);
    }
    if (!session->is_greeted)
        return error_set(err, DC_EINVAL, "no greeting");
    if (message->kind != QMP_EVENT)
        return take_answer(session, message, err);
    if (session->events.event != NULL)
        session->events.event(session->events.context, message);
    return DC_OK;
}

enum dc_status qmp_session_take(struct qmp_session *session, const char *line, size_t n_bytes, struct dc_error *err) {
    struct qmp_message message;
    enum dc_status rc = qmp_read(line, n_bytes, &message, err);
    if (rc != DC_OK)
        return rc;
    rc = take_message(session, &message, err);
    qmp_message_dispose(&message);
    return rc;
}

double qmp_session_next_ms(const struct qmp_session *session) {
    double next_ms = INFINITY;
    for (size_t i = 0; i < session->n_pending; i++)
        next_ms = fmin(next_ms, session->pending[i].until_ms);
    return next_ms;
}

void qmp_session_expire(struct qmp_session *session, double now_ms) {
    for (size_t i = 0; i < session->n_pending;) {
        if (session->pending[i].until_ms > now_ms) {
            i++;
            continue;
        }
        struct dc_error err = DC_ERROR_NONE;
        (void)error_set(&err, DC_ETIMEOUT, "%s: QEMU does not answer", session->pending[i].command);
        answer(session, i, NULL, &err);
        i = 0; /* the list may be another by now */
    }
}
