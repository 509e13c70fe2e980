/*
 * The ZeroMQ authentication handler (RFC 27): asked by libzmq before a CURVE
 * handshake ends. A key of the allow-list passes, and becomes the User-Id of
 * its messages; all else is refused.
 *
 * Must be bound before the server's socket: without a handler libzmq lets any
 * key in.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/allow_list.h"

#include <stdbool.h>
#include <stdint.h>

struct zap;

DC_WARN_UNUSED enum dc_status zap_open(void *zmq_context, struct zap **zap_out, struct dc_error *err);
void zap_close(struct zap **zap);

int zap_fd(const struct zap *zap);
/* Whether requests wait. Ask again after each drain: the descriptor is edge-triggered. */
bool zap_is_ready(const struct zap *zap);

/* Answers some of the waiting requests: of the feed's domain by `feed_allowed`, all others by `allowed`. */
void zap_drain(struct zap *zap, const struct allow_list *allowed, const struct allow_list *feed_allowed);

/* Handshakes refused so far. */
uint64_t zap_n_refused(const struct zap *zap);
