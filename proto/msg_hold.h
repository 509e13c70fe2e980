/*
 * HOLD, planner -> agent: do not sample these VMs (a migration is about to begin).
 * Ends by RELEASE, or after for_ms.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

struct msg_hold {
    size_t n_vms;
    char (*vms)[MSG_UUID_BYTES]; /* heap array of uuids */
    uint64_t for_ms;             /* how long at the most, from receipt */
};

/* Writes the map into `buffer` (zeroed at first), replacing its content. */
DC_WARN_UNUSED enum dc_status msg_hold_write(const struct msg_hold *msg, struct msg_buffer *buffer,
                                             struct dc_error *err);

/* Scans, reads and checks a map; the error names the key. On failure `*msg_out` is
 * empty. Strings and arrays are the caller's to dispose. */
DC_WARN_UNUSED enum dc_status msg_hold_read(const void *bytes, size_t n_bytes, struct msg_hold *msg_out,
                                            struct dc_error *err);

/* Frees what a read made; idempotent. */
void msg_hold_dispose(struct msg_hold *msg);
