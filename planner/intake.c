/* The planner's side of the conversation with agents. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/intake.h"

#include "base/log.h"
#include "proto/msg_credit.h"
#include "proto/msg_reject.h"
#include "proto/msg_resync.h"
#include "proto/msg_welcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double resync_every_ms = 1000;
static const double alive_intervals = 3;
static const double log_window_ms = 10e3;
enum { LOG_LINES_PER_WINDOW = 20 }; /* of each sort */

void intake_init(struct intake *intake, const struct intake_callbacks *callbacks, double status_interval_ms) {
    *intake = (struct intake){.callbacks = *callbacks, .status_interval_ms = status_interval_ms};
}

void intake_dispose(struct intake *intake) {
    session_table_dispose(&intake->sessions);
    msg_buffer_dispose(&intake->buffer);
}

/* Anyone with a key can cause these lines, so their number is limited. */
static void tell(struct intake_log *lines, enum log_level level, double now_ms, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void tell(struct intake_log *lines, enum log_level level, double now_ms, const char *format, ...) {
    if (now_ms - lines->window_ms > log_window_ms) {
        if (lines->n_lines > LOG_LINES_PER_WINDOW)
            log_write(level, "%u more lines like the last about agents not logged",
                      lines->n_lines - LOG_LINES_PER_WINDOW);
        *lines = (struct intake_log){.window_ms = now_ms};
    }
    if (++lines->n_lines > LOG_LINES_PER_WINDOW)
        return;
    char line[768];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    log_write(level, "%s", line);
}

static void send_buffer(struct intake *intake, const struct session_peer *to, enum msg_kind kind, enum dc_status rc,
                        const struct dc_error *err) {
    if (rc == DC_OK)
        intake->callbacks.send(intake->callbacks.context, to, kind, intake->buffer.bytes, intake->buffer.n_bytes);
    else
        log_error("%s was not sent: %s", msg_kind_text(kind), error_text(err));
}

/* The code is for programs, the reason for people; both are copied by the writer. */
static void reject(struct intake *intake, const struct session *session, char *code, char *reason, double now_ms) {
    struct dc_error err = DC_ERROR_NONE;
    const struct msg_reject msg = {
        .reason = reason, .code = code, .protocol_min = MSG_PROTOCOL_MIN, .protocol_max = MSG_PROTOCOL_MAX};
    tell(&intake->complaints, LOG_LEVEL_WARN, now_ms, "agent of host %s rejected (%s): %s", session->host, code,
         reason);
    intake->counters.rejected++;
    send_buffer(intake, &session->peer, MSG_REJECT, msg_reject_write(&msg, &intake->buffer, &err), &err);
}

static void drop_malformed(struct intake *intake, struct session *session, const struct intake_frames *frames,
                           double now_ms, const char *why) {
    intake->counters.malformed++;
    session->n_malformed++;
    tell(&intake->complaints, LOG_LEVEL_WARN, now_ms, "malformed message from host %s (%s) dropped: %s", frames->host,
         frames->address, why);
    if (session->n_malformed < INTAKE_MAX_MALFORMED || session->muted)
        return;
    static char code[] = "malformed";
    static char reason[] = "too many malformed messages; the planner listens again after a HELLO";
    reject(intake, session, code, reason, now_ms);
    session->muted = true;
    session->greeted = false;
}

static void ask_hello(struct intake *intake, struct session *session, double now_ms) {
    intake->counters.before_hello++;
    if (now_ms - session->resync_ms < resync_every_ms)
        return;
    session->resync_ms = now_ms;
    static char reason[] = "the planner does not know this connection yet";
    struct dc_error err = DC_ERROR_NONE;
    const struct msg_resync msg = {.reason = reason};
    send_buffer(intake, &session->peer, MSG_RESYNC, msg_resync_write(&msg, &intake->buffer, &err), &err);
}

static void welcome(struct intake *intake, struct session *session, const struct msg_hello *hello) {
    struct dc_error err = DC_ERROR_NONE;
    static char version[] = DECAMP_VERSION;
    const struct msg_welcome msg = {.protocol =
                                        hello->protocol_max < MSG_PROTOCOL_MAX ? hello->protocol_max : MSG_PROTOCOL_MAX,
                                    .version = version,
                                    .credit = INTAKE_CREDIT,
                                    .status_interval_ms = (uint64_t)intake->status_interval_ms};
    session->n_unpaid = 0;
    send_buffer(intake, &session->peer, MSG_WELCOME, msg_welcome_write(&msg, &intake->buffer, &err), &err);
}

static bool is_alive(const struct intake *intake, const struct session *session, double now_ms) {
    return now_ms - session->heard_ms <= alive_intervals * intake->status_interval_ms;
}

/* The newest instance of a host's agents wins; one that lost once does not win
 * again while the other lives, or two would push each other out for ever. */
static bool wins(struct intake *intake, struct session *session, const struct msg_hello *hello, double now_ms) {
    static char code[] = "duplicate";
    static char reason[] = "another agent speaks for this host";
    struct session *other = session_greeted(&intake->sessions, session->host);
    if (other == NULL || other == session)
        return true;
    if (strcmp(other->instance_id, hello->instance_id) == 0) { /* reconnected */
        session_forget(&intake->sessions, other);
        return true;
    }
    if (is_alive(intake, other, now_ms) && session_is_superseded(&intake->sessions, hello->instance_id)) {
        reject(intake, session, code, reason, now_ms);
        return false;
    }
    if (is_alive(intake, other, now_ms))
        reject(intake, other, code, reason, now_ms);
    session_supersede(&intake->sessions, other);
    return true;
}

static bool may_greet(struct intake *intake, struct session *session, const struct msg_hello *hello, double now_ms) {
    if (strcmp(hello->host, session->host) != 0) {
        static char code[] = "host";
        char reason[MSG_MAX_NAME_BYTES * 2 + 64];
        (void)snprintf(reason, sizeof(reason), "the key is host %s's, the agent says it is %s", session->host,
                       hello->host);
        reject(intake, session, code, reason, now_ms);
        return false;
    }
    if (hello->protocol_min > MSG_PROTOCOL_MAX || hello->protocol_max < MSG_PROTOCOL_MIN) {
        static char code[] = "version";
        static char reason[] = "no protocol version in common";
        reject(intake, session, code, reason, now_ms);
        return false;
    }
    return wins(intake, session, hello, now_ms);
}

static void hand_over(struct intake *intake, const struct session *session, struct intake_message *message) {
    message->host = session->host;
    intake->callbacks.heard(intake->callbacks.context, message);
}

static void receive_hello(struct intake *intake, struct session *session, const struct intake_frames *frames,
                          double now_ms) {
    struct dc_error err = DC_ERROR_NONE;
    struct intake_message message = {.kind = MSG_HELLO, .bytes = frames->map, .n_bytes = frames->map_bytes};
    if (msg_hello_read(frames->map, frames->map_bytes, &message.hello, &err) != DC_OK) {
        drop_malformed(intake, session, frames, now_ms, error_text(&err));
        return;
    }
    char *instance_id = strdup(message.hello.instance_id);
    if (instance_id != NULL && may_greet(intake, session, &message.hello, now_ms)) {
        free(session->instance_id);
        session->instance_id = instance_id;
        instance_id = NULL;
        session->greeted = true;
        session->muted = false;
        session->n_malformed = 0;
        tell(&intake->greetings, LOG_LEVEL_INFO, now_ms, "agent of host %s: HELLO (version %s)", session->host,
             message.hello.version);
        welcome(intake, session, &message.hello);
        hand_over(intake, session, &message);
    } else {
        session->greeted = false;
    }
    free(instance_id);
    msg_hello_dispose(&message.hello);
}

/* Counts a message against the credit and grants more when half is used.
 * STATUS and BYE are free: they say that somebody lives. */
static void charge(struct intake *intake, struct session *session, enum msg_kind kind) {
    if (kind == MSG_STATUS || kind == MSG_BYE)
        return;
    if (++session->n_unpaid > INTAKE_CREDIT)
        intake->counters.over_credit++;
    if (session->n_unpaid < INTAKE_CREDIT / 2)
        return;
    struct dc_error err = DC_ERROR_NONE;
    const struct msg_credit msg = {.credit = session->n_unpaid};
    session->n_unpaid = 0;
    send_buffer(intake, &session->peer, MSG_CREDIT, msg_credit_write(&msg, &intake->buffer, &err), &err);
}

static enum dc_status read_message(struct intake_message *message, struct dc_error *err) {
    switch (message->kind) {
    case MSG_SNAPSHOT:
        return msg_snapshot_read(message->bytes, message->n_bytes, &message->snapshot, err);
    case MSG_PRED:
        return msg_pred_read(message->bytes, message->n_bytes, &message->pred, err);
    case MSG_EVENT:
        return msg_event_read(message->bytes, message->n_bytes, &message->event, err);
    case MSG_STATUS:
        return msg_status_read(message->bytes, message->n_bytes, &message->status, err);
    case MSG_BYE:
        return msg_bye_read(message->bytes, message->n_bytes, &message->bye, err);
    default:
        return error_set(err, DC_EPARSE, "kind %u is not for an agent to send", (unsigned)message->kind);
    }
}

static void dispose_message(struct intake_message *message) {
    if (message->kind == MSG_SNAPSHOT)
        msg_snapshot_dispose(&message->snapshot);
    else if (message->kind == MSG_PRED)
        msg_pred_dispose(&message->pred);
    else if (message->kind == MSG_EVENT)
        msg_event_dispose(&message->event);
    else if (message->kind == MSG_STATUS)
        msg_status_dispose(&message->status);
    else if (message->kind == MSG_BYE)
        msg_bye_dispose(&message->bye);
}

/* A SNAPSHOT describes the host of the key and no other. */
static enum dc_status check_host(const struct session *session, const struct intake_message *message,
                                 struct dc_error *err) {
    if (message->kind != MSG_SNAPSHOT || strcmp(message->snapshot.host.name, session->host) == 0)
        return DC_OK;
    return error_set(err, DC_EACCES, "host.name: expected %s, the key's host, got %s", session->host,
                     message->snapshot.host.name);
}

static void receive_greeted(struct intake *intake, struct session *session, const struct intake_frames *frames,
                            enum msg_kind kind, double now_ms) {
    struct dc_error err = DC_ERROR_NONE;
    struct intake_message message = {.kind = kind, .bytes = frames->map, .n_bytes = frames->map_bytes};
    charge(intake, session, kind);
    if (read_message(&message, &err) != DC_OK) {
        drop_malformed(intake, session, frames, now_ms, error_text(&err));
        return;
    }
    if (check_host(session, &message, &err) != DC_OK)
        drop_malformed(intake, session, frames, now_ms, error_text(&err));
    else
        hand_over(intake, session, &message);
    if (kind == MSG_BYE)
        tell(&intake->greetings, LOG_LEVEL_INFO, now_ms, "agent of host %s: BYE (%s)", session->host,
             message.bye.reason != NULL ? message.bye.reason : "no reason given");
    dispose_message(&message);
    if (kind == MSG_BYE)
        session_forget(&intake->sessions, session);
}

void intake_receive(struct intake *intake, const struct intake_frames *frames, double now_ms) {
    intake->counters.messages++;
    struct session *session = session_get(&intake->sessions, frames->host, &frames->peer, now_ms);
    if (session == NULL) {
        log_error("message from host %s dropped: %s", frames->host, status_text(DC_ENOMEM));
        return;
    }
    const unsigned kind = frames->n_frames == 2 && frames->kind_bytes == 1 ? *(const unsigned char *)frames->kind : 0U;
    if (kind == MSG_HELLO)
        receive_hello(intake, session, frames, now_ms);
    else if (session->muted)
        intake->counters.muted++;
    else if (msg_kind_text(kind) == NULL)
        drop_malformed(intake, session, frames, now_ms, "expected two frames, a known kind (one byte) and a map");
    else if (!session->greeted)
        ask_hello(intake, session, now_ms);
    else
        receive_greeted(intake, session, frames, (enum msg_kind)kind, now_ms);
}

bool intake_is_connected(const struct intake *intake, const char *host, double now_ms) {
    const struct session *session = session_greeted(&intake->sessions, host);
    return session != NULL && is_alive(intake, session, now_ms);
}

static const struct session *connected(const struct intake *intake, const char *host, double now_ms,
                                       struct dc_error *err) {
    if (intake_is_connected(intake, host, now_ms))
        return session_greeted(&intake->sessions, host);
    (void)error_set(err, DC_EUNREACHABLE, "no agent of host %s is connected", host);
    return NULL;
}

enum dc_status intake_hold(struct intake *intake, const char *host, const struct msg_hold *msg, double now_ms,
                           struct dc_error *err) {
    const struct session *session = connected(intake, host, now_ms, err);
    if (session == NULL)
        return DC_EUNREACHABLE;
    const enum dc_status rc = msg_hold_write(msg, &intake->buffer, err);
    if (rc == DC_OK)
        send_buffer(intake, &session->peer, MSG_HOLD, rc, err);
    return rc;
}

enum dc_status intake_release(struct intake *intake, const char *host, const struct msg_release *msg, double now_ms,
                              struct dc_error *err) {
    const struct session *session = connected(intake, host, now_ms, err);
    if (session == NULL)
        return DC_EUNREACHABLE;
    const enum dc_status rc = msg_release_write(msg, &intake->buffer, err);
    if (rc == DC_OK)
        send_buffer(intake, &session->peer, MSG_RELEASE, rc, err);
    return rc;
}
