/*
 * REJECT, planner -> agent: why a HELLO was not accepted, or why the planner no longer
 * listens; the agent backs off and tries again.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

struct msg_reject {
    char *reason;                        /* for people */
    char *code;                          /* "version", "host", "duplicate", "malformed" */
    unsigned protocol_min, protocol_max; /* what the planner speaks */
};

/* Writes the map into `buffer` (zeroed at first), replacing its content. */
DC_WARN_UNUSED enum dc_status msg_reject_write(const struct msg_reject *msg, struct msg_buffer *buffer,
                                               struct dc_error *err);

/* Scans, reads and checks a map; the error names the key. On failure `*msg_out` is
 * empty. Strings and arrays are the caller's to dispose. */
DC_WARN_UNUSED enum dc_status msg_reject_read(const void *bytes, size_t n_bytes, struct msg_reject *msg_out,
                                              struct dc_error *err);

/* Frees what a read made; idempotent. */
void msg_reject_dispose(struct msg_reject *msg);
