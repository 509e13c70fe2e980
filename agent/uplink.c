/* The agent's side of proto/GRAMMAR.md. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/uplink.h"

#include "agent/clock.h"
#include "base/log.h"
#include "proto/msg_bye.h"
#include "proto/msg_credit.h"
#include "proto/msg_hello.h"
#include "proto/msg_hold.h"
#include "proto/msg_reject.h"
#include "proto/msg_release.h"
#include "proto/msg_resync.h"
#include "proto/msg_welcome.h"

#include <stdlib.h>

enum { LOUD_COMPLAINTS = 10 }; /* then they are for debugging */

/* OFFLINE -> (connected) -> GREETING -> (WELCOME) -> OPEN -> (RESYNC) -> GREETING; (disconnected) -> OFFLINE */
enum session { SESSION_OFFLINE, SESSION_GREETING, SESSION_OPEN };

struct uplink {
    struct uplink_config config;
    struct uplink_events events;
    struct outbox *outbox;
    struct publisher *publisher;
    uv_timer_t status_timer;
    enum session session;
    bool owes_hello; /* the socket was full */
    struct msg_buffer buffer;
    uint64_t n_malformed;
};

static void complain(struct uplink *uplink, const char *what, const struct dc_error *err) {
    const enum log_level level = uplink->n_malformed++ < LOUD_COMPLAINTS ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
    log_write(level, "planner: dropped %s: %s (%llu so far)", what, error_text(err),
              (unsigned long long)uplink->n_malformed);
}

static enum dc_status write_hello(struct uplink *uplink, struct dc_error *err) {
    static char sample[] = "sample", hold[] = "hold", version[] = DECAMP_VERSION;
    char *capabilities[] = {sample, hold};
    const struct msg_hello hello = {
        .protocol_min = MSG_PROTOCOL_MIN,
        .protocol_max = MSG_PROTOCOL_MAX,
        .version = version,
        .host = (char *)uplink->config.host, /* only read */
        .boot_id = (char *)uplink->config.boot_id,
        .instance_id = (char *)uplink->config.instance_id,
        .n_capabilities = sizeof(capabilities) / sizeof(capabilities[0]),
        .capabilities = capabilities,
    };
    return msg_hello_write(&hello, &uplink->buffer, err);
}

static void say_hello(struct uplink *uplink) {
    struct dc_error err = DC_ERROR_NONE;
    uplink->session = SESSION_GREETING;
    outbox_suspend(uplink->outbox);
    (void)uv_timer_stop(&uplink->status_timer);
    if (write_hello(uplink, &err) != DC_OK) {
        log_error("HELLO: %s", error_text(&err));
        return;
    }
    uplink->owes_hello =
        publisher_send(uplink->publisher, MSG_HELLO, uplink->buffer.bytes, uplink->buffer.n_bytes) == DC_EBUSY;
}

static void send_status(struct uplink *uplink) {
    struct dc_error err = DC_ERROR_NONE;
    struct msg_status status = {.at_unix_ms = clock_unix_ms(), .n_conflated = outbox_n_conflated(uplink->outbox)};
    uplink->events.fill_status(uplink->events.context, &status);
    if (msg_status_write(&status, &uplink->buffer, &err) != DC_OK) {
        log_error("STATUS: %s", error_text(&err));
        return;
    }
    /* A full socket needs no STATUS on top: the next one is as good. */
    if (publisher_send(uplink->publisher, MSG_STATUS, uplink->buffer.bytes, uplink->buffer.n_bytes) != DC_OK)
        log_debug("STATUS was not sent");
}

static void on_status_timer(uv_timer_t *timer) {
    send_status(timer->data);
}

void uplink_flush(struct uplink *uplink) {
    while (uplink->session == SESSION_OPEN) {
        struct dc_error err = DC_ERROR_NONE;
        unsigned kind = 0;
        if (outbox_next(uplink->outbox, &kind, &uplink->buffer, &err) != DC_OK) {
            log_error("a message was not made: %s", error_text(&err));
            outbox_drop(uplink->outbox);
            continue;
        }
        if (kind == 0 || publisher_send(uplink->publisher, kind, uplink->buffer.bytes, uplink->buffer.n_bytes) != DC_OK)
            return;
        outbox_sent(uplink->outbox);
    }
}

static void take_welcome(struct uplink *uplink, const void *bytes, size_t n_bytes) {
    struct dc_error err = DC_ERROR_NONE;
    struct msg_welcome msg = {.protocol = 0};
    if (msg_welcome_read(bytes, n_bytes, &msg, &err) != DC_OK) {
        complain(uplink, "WELCOME", &err);
        return;
    }
    if (uplink->session != SESSION_GREETING) {
        (void)error_set(&err, DC_EPARSE, "nobody said HELLO");
        complain(uplink, "WELCOME", &err);
    } else if (msg.protocol < MSG_PROTOCOL_MIN || msg.protocol > MSG_PROTOCOL_MAX) {
        log_error("planner: speaks protocol %u, this agent %d to %d", msg.protocol, (int)MSG_PROTOCOL_MIN,
                  (int)MSG_PROTOCOL_MAX);
        publisher_reconnect(uplink->publisher, "it speaks another protocol");
    } else {
        log_info("planner: welcome (version %s, credit %llu)", msg.version, (unsigned long long)msg.credit);
        uplink->session = SESSION_OPEN;
        publisher_settled(uplink->publisher);
        outbox_restart(uplink->outbox, msg.credit);
        uplink_flush(uplink);
        (void)uv_timer_start(&uplink->status_timer, on_status_timer, 0, msg.status_interval_ms);
    }
    msg_welcome_dispose(&msg);
}

static void take_reject(struct uplink *uplink, const void *bytes, size_t n_bytes) {
    struct dc_error err = DC_ERROR_NONE;
    struct msg_reject msg = {.reason = NULL};
    if (msg_reject_read(bytes, n_bytes, &msg, &err) != DC_OK) {
        complain(uplink, "REJECT", &err);
        return;
    }
    log_error("planner: rejected this agent: %s (%s)", msg.reason != NULL ? msg.reason : "no reason given",
              msg.code != NULL ? msg.code : "no code");
    msg_reject_dispose(&msg);
    publisher_reconnect(uplink->publisher, "it rejected this agent");
}

static void take_credit(struct uplink *uplink, const void *bytes, size_t n_bytes) {
    struct dc_error err = DC_ERROR_NONE;
    struct msg_credit msg = {.credit = 0};
    if (msg_credit_read(bytes, n_bytes, &msg, &err) != DC_OK) {
        complain(uplink, "CREDIT", &err);
        return;
    }
    if (uplink->session == SESSION_OPEN)
        outbox_grant(uplink->outbox, msg.credit);
    msg_credit_dispose(&msg);
    uplink_flush(uplink);
}

static void take_resync(struct uplink *uplink, const void *bytes, size_t n_bytes) {
    struct dc_error err = DC_ERROR_NONE;
    struct msg_resync msg = {.reason = NULL};
    if (msg_resync_read(bytes, n_bytes, &msg, &err) != DC_OK) {
        complain(uplink, "RESYNC", &err);
        return;
    }
    log_info("planner: start over: %s", msg.reason != NULL ? msg.reason : "no reason given");
    msg_resync_dispose(&msg);
    say_hello(uplink);
}

static void take_hold(struct uplink *uplink, const void *bytes, size_t n_bytes) {
    struct dc_error err = DC_ERROR_NONE;
    struct msg_hold msg = {.n_vms = 0};
    if (msg_hold_read(bytes, n_bytes, &msg, &err) != DC_OK) {
        complain(uplink, "HOLD", &err);
        return;
    }
    for (size_t i = 0; i < msg.n_vms; i++)
        uplink->events.hold(uplink->events.context, msg.vms[i], msg.for_ms);
    msg_hold_dispose(&msg);
}

static void take_release(struct uplink *uplink, const void *bytes, size_t n_bytes) {
    struct dc_error err = DC_ERROR_NONE;
    struct msg_release msg = {.n_vms = 0};
    if (msg_release_read(bytes, n_bytes, &msg, &err) != DC_OK) {
        complain(uplink, "RELEASE", &err);
        return;
    }
    for (size_t i = 0; i < msg.n_vms; i++)
        uplink->events.release(uplink->events.context, msg.vms[i]);
    msg_release_dispose(&msg);
}

static void on_message(void *context, unsigned kind, const void *bytes, size_t n_bytes) {
    static const struct {
        unsigned kind;
        void (*take)(struct uplink *uplink, const void *bytes, size_t n_bytes);
    } takers[] = {
        {MSG_WELCOME, take_welcome}, {MSG_REJECT, take_reject}, {MSG_CREDIT, take_credit},
        {MSG_RESYNC, take_resync},   {MSG_HOLD, take_hold},     {MSG_RELEASE, take_release},
    };
    struct uplink *uplink = context;
    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
        if (takers[i].kind == kind) {
            takers[i].take(uplink, bytes, n_bytes);
            return;
        }
    }
    struct dc_error err = DC_ERROR_NONE;
    (void)error_set(&err, DC_EPARSE, "kind %u is not for agents", kind);
    complain(uplink, "a message", &err);
}

static void on_connected(void *context) {
    say_hello(context);
}

static void on_disconnected(void *context) {
    struct uplink *uplink = context;
    uplink->session = SESSION_OFFLINE;
    uplink->owes_hello = false;
    (void)uv_timer_stop(&uplink->status_timer);
    outbox_suspend(uplink->outbox);
}

static void on_writable(void *context) {
    struct uplink *uplink = context;
    if (uplink->owes_hello)
        say_hello(uplink);
    uplink_flush(uplink);
}

static void on_timer_closed(uv_handle_t *handle) {
    struct uplink *uplink = handle->data;
    msg_buffer_dispose(&uplink->buffer);
    free(uplink);
}

enum dc_status uplink_open(uv_loop_t *loop, const struct uplink_config *config,
                           const struct publisher_config *publisher, const struct uplink_events *events,
                           struct outbox *outbox, struct uplink **uplink_out, struct dc_error *err) {
    *uplink_out = NULL;
    struct uplink *uplink = calloc(1, sizeof(*uplink));
    if (uplink == NULL)
        return error_set_nomem(err);
    *uplink = (struct uplink){.config = *config, .events = *events, .outbox = outbox};
    const struct publisher_events mine = {.context = uplink,
                                          .connected = on_connected,
                                          .disconnected = on_disconnected,
                                          .message = on_message,
                                          .writable = on_writable};
    const enum dc_status rc = publisher_open(loop, publisher, &mine, &uplink->publisher, err);
    if (rc != DC_OK) {
        free(uplink);
        return rc;
    }
    (void)uv_timer_init(loop, &uplink->status_timer); /* cannot fail */
    uplink->status_timer.data = uplink;
    *uplink_out = uplink;
    return DC_OK;
}

void uplink_close(struct uplink **uplink, const char *reason) {
    struct uplink *u = *uplink;
    if (u == NULL)
        return;
    *uplink = NULL;
    struct dc_error err = DC_ERROR_NONE;
    const struct msg_bye bye = {.reason = (char *)reason}; /* only read */
    if (u->session == SESSION_OPEN && msg_bye_write(&bye, &u->buffer, &err) == DC_OK &&
        publisher_send(u->publisher, MSG_BYE, u->buffer.bytes, u->buffer.n_bytes) != DC_OK)
        log_debug("BYE was not sent");
    publisher_close(&u->publisher);
    uv_close((uv_handle_t *)&u->status_timer, on_timer_closed);
}
