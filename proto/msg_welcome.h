/*
 * WELCOME, planner -> agent: the protocol version both speak, the first credit and
 * the intervals to keep.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

struct msg_welcome {
    unsigned protocol;
    char *version;
    uint64_t credit; /* messages the agent may send until CREDIT grants more */
    uint64_t status_interval_ms;
};

/* Writes the map into `buffer` (zeroed at first), replacing its content. */
DC_WARN_UNUSED enum dc_status msg_welcome_write(const struct msg_welcome *msg, struct msg_buffer *buffer,
                                                struct dc_error *err);

/* Scans, reads and checks a map; the error names the key. On failure `*msg_out` is
 * empty. Strings and arrays are the caller's to dispose. */
DC_WARN_UNUSED enum dc_status msg_welcome_read(const void *bytes, size_t n_bytes, struct msg_welcome *msg_out,
                                               struct dc_error *err);

/* Frees what a read made; idempotent. */
void msg_welcome_dispose(struct msg_welcome *msg);
