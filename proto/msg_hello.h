/*
 * HELLO, agent -> planner: who speaks, and which protocol versions it knows. First
 * message of every connection.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

struct msg_hello {
    unsigned protocol_min, protocol_max;
    char *version;     /* of the program */
    char *host;        /* what the agent calls itself; authority is the key's host alone */
    char *boot_id;     /* of the host: changes at every boot */
    char *instance_id; /* random: changes at every start of the agent */
    size_t n_capabilities;
    char **capabilities; /* "sample", "hold" */
};

/* Writes the map into `buffer` (zeroed at first), replacing its content. */
DC_WARN_UNUSED enum dc_status msg_hello_write(const struct msg_hello *msg, struct msg_buffer *buffer,
                                              struct dc_error *err);

/* Scans, reads and checks a map; the error names the key. On failure `*msg_out` is
 * empty. Strings and arrays are the caller's to dispose. */
DC_WARN_UNUSED enum dc_status msg_hello_read(const void *bytes, size_t n_bytes, struct msg_hello *msg_out,
                                             struct dc_error *err);

/* Frees what a read made; idempotent. */
void msg_hello_dispose(struct msg_hello *msg);
