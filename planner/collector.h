/*
 * The planner's end of the agents' uplink: a ROUTER socket with CURVE in the
 * libuv loop; and the feed beside it. The only files that know ZeroMQ are this, feed and zap.
 *
 * In:  messages of agents. Out: intake's callbacks, on the loop's thread.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/allow_list.h"
#include "planner/intake.h"

#include <uv.h>

struct collector;

struct collector_settings {
    const char *listen;                   /* "tcp://127.0.0.1:7450" */
    char secret_key[KEY_FILE_TEXT_BYTES]; /* Z85 */
    double status_interval_ms;
    const struct allow_list *allowed; /* lent until the collector is closed; its content may change */
    const char *feed_listen;          /* NULL: there is no feed */
    const struct allow_list *feed_allowed;
    void *context;
    void (*heard)(void *context, const struct intake_message *message);
    void (*drained)(void *context); /* after each batch of messages */
};

struct collector_counters {
    struct intake_counters intake;
    uint64_t refused;      /* handshakes with unknown keys */
    uint64_t unidentified; /* messages without a User-Id, or of a key removed since */
    uint64_t unsent;       /* answers that no connection took */
};

/* Binds and starts. DC_EIO where it cannot; nothing is left behind then. */
DC_WARN_UNUSED enum dc_status collector_open(uv_loop_t *loop, const struct collector_settings *settings,
                                             struct collector **collector_out, struct dc_error *err);

/* Closes sockets at once and the loop's handles on its next turns; frees itself after them. */
void collector_close(struct collector **collector);

/* Where it listens, the port resolved; lent until the close. */
const char *collector_endpoint(const struct collector *collector);

/* To the feed, if there is one: feed_publish(). */
bool collector_has_feed(const struct collector *collector);
void collector_publish(struct collector *collector, const char *kind, const char *name, uint64_t number,
                       const struct msg_buffer *map);

struct collector_counters collector_count(const struct collector *collector);

bool collector_is_connected(const struct collector *collector, const char *host);

/* Sends to the host's agent; DC_EUNREACHABLE where none is connected. */
DC_WARN_UNUSED enum dc_status collector_hold(struct collector *collector, const char *host, const struct msg_hold *msg,
                                             struct dc_error *err);
DC_WARN_UNUSED enum dc_status collector_release(struct collector *collector, const char *host,
                                                const struct msg_release *msg, struct dc_error *err);

/* A new CURVE key pair, in Z85. */
DC_WARN_UNUSED enum dc_status collector_generate_keypair(char public_out[KEY_FILE_TEXT_BYTES],
                                                         char secret_out[KEY_FILE_TEXT_BYTES], struct dc_error *err);
