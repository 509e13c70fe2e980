/*
 * The planner's feed: a PUB socket with CURVE for programs that follow predictions and plans (proto/GRAMMAR.md).
 *
 * In:  a topic, the number of what is told, a msgpack map. Out: three frames to those who asked for the topic; one
 * that is slow misses some, and sees it by the numbers.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "base/key_file.h"
#include "proto/msg.h"

#include <stdint.h>

#define FEED_ZAP_DOMAIN "decamp.feed"

struct feed;

/* Binds, in the context of the authentication handler. DC_EIO where it cannot; nothing is left behind then. */
DC_WARN_UNUSED enum dc_status feed_open(void *zmq_context, const char *listen, const char *secret_key,
                                        struct feed **feed_out, struct dc_error *err);
void feed_close(struct feed **feed);

/* Where it listens, the port resolved; lent until the close. */
const char *feed_endpoint(const struct feed *feed);

/* To the topic "KIND/NAME/". Never waits. */
void feed_publish(struct feed *feed, const char *kind, const char *name, uint64_t number, const struct msg_buffer *map);
