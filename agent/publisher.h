/*
 * The connection to the planner: a ZeroMQ DEALER with CURVE, on the libuv loop. The only file of the
 * agent that knows ZeroMQ.
 *
 * In and out: messages, as a kind and the bytes of a map. When the connection
 * breaks, is refused or never gets anywhere, it is torn down and made anew after a
 * back-off (250 ms doubling to 5 s, with jitter): after a refusal by ZAP libzmq
 * itself would never try again.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { PUBLISHER_KEY_BYTES = 41 }; /* Z85 text and its end */

struct publisher;

struct publisher_config {
    const char *endpoint;
    char planner_public_key[PUBLISHER_KEY_BYTES];
    char secret_key[PUBLISHER_KEY_BYTES];
};

struct publisher_events {
    void *context;
    void (*connected)(void *context);    /* the handshake succeeded: nothing was said yet */
    void (*disconnected)(void *context); /* what was sent last may be lost */
    void (*message)(void *context, unsigned kind, const void *bytes, size_t n_bytes); /* lent for the call */
    void (*writable)(void *context); /* after a send that said DC_EBUSY */
};

/* Starts connecting at once. The keys are copied; the caller wipes its own. DC_EINVAL for keys that are none or
 * an endpoint that ZeroMQ does not take. */
DC_WARN_UNUSED enum dc_status publisher_open(uv_loop_t *loop, const struct publisher_config *config,
                                             const struct publisher_events *events, struct publisher **publisher_out,
                                             struct dc_error *err);

/* Gives what was sent 200 ms to leave, closes, sets `*publisher` to NULL; its memory goes when the loop has run
 * dry. No event comes any more. */
void publisher_close(struct publisher **publisher);

/* DC_EBUSY: the queue is full, wait for `writable`. DC_EUNREACHABLE: not connected. */
DC_WARN_UNUSED enum dc_status publisher_send(struct publisher *publisher, unsigned kind, const void *bytes,
                                             size_t n_bytes);

/* The planner accepted us: the back-off starts small again. A connection that is not settled within
 * ten seconds is made anew. */
void publisher_settled(struct publisher *publisher);

/* Drops the connection, backs off, connects again; `disconnected` follows from the loop. `why` is a literal. */
void publisher_reconnect(struct publisher *publisher, const char *why);
