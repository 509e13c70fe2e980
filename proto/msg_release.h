/*
 * RELEASE, planner -> agent: these VMs may be sampled again.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

struct msg_release {
    size_t n_vms;
    char (*vms)[MSG_UUID_BYTES]; /* heap array of uuids */
};

/* Writes the map into `buffer` (zeroed at first), replacing its content. */
DC_WARN_UNUSED enum dc_status msg_release_write(const struct msg_release *msg, struct msg_buffer *buffer,
                                                struct dc_error *err);

/* Scans, reads and checks a map; the error names the key. On failure `*msg_out` is
 * empty. Strings and arrays are the caller's to dispose. */
DC_WARN_UNUSED enum dc_status msg_release_read(const void *bytes, size_t n_bytes, struct msg_release *msg_out,
                                               struct dc_error *err);

/* Frees what a read made; idempotent. */
void msg_release_dispose(struct msg_release *msg);
