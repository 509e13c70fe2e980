/*
 * A UNIX socket that speaks in lines. Never blocks; whoever owns it waits on the descriptor
 * with the event loop of their choice.
 *
 * In:  a path. Out: whole lines, without their ends; bytes to be written are kept until the
 *      other side takes them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct line_channel {
    int fd; /* -1: closed */
    size_t most_bytes;
    char *in, *out;
    size_t n_in, in_capacity, n_out, out_capacity;
};

/* A line (without its end, not a C string) lent for the call. False: no more lines are wanted. */
typedef bool (*line_channel_fn)(void *context, const char *line, size_t n_bytes);

/* Connects at once or not at all (DC_EUNREACHABLE). A line longer than `most_bytes`, or so many bytes that nobody
 * takes, ends the channel. */
DC_WARN_UNUSED enum dc_status line_channel_open(const char *path, size_t most_bytes, struct line_channel *channel_out,
                                                struct dc_error *err);

/* Idempotent. */
void line_channel_close(struct line_channel *channel);

/* The process at the other end, or -1. */
pid_t line_channel_peer(const struct line_channel *channel);

/* Sends what can be sent now. DC_EIO: the channel has ended; DC_ELIMIT. */
DC_WARN_UNUSED enum dc_status line_channel_write(struct line_channel *channel, const char *bytes, size_t n_bytes,
                                                 struct dc_error *err);
DC_WARN_UNUSED enum dc_status line_channel_flush(struct line_channel *channel, struct dc_error *err);

/* Are there bytes that the other side has not taken? */
bool line_channel_is_full(const struct line_channel *channel);

/* Reads what is there and hands over its whole lines. DC_EIO: the other side has gone; DC_ELIMIT. The channel must
 * outlive the call. */
DC_WARN_UNUSED enum dc_status line_channel_read(struct line_channel *channel, line_channel_fn take, void *context,
                                                struct dc_error *err);
