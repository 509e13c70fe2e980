/*
 * BYE, agent -> planner: an orderly end; the host is late at once instead of after two
 * missed STATUS.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

struct msg_bye {
    char *reason;
};

/* Writes the map into `buffer` (zeroed at first), replacing its content. */
DC_WARN_UNUSED enum dc_status msg_bye_write(const struct msg_bye *msg, struct msg_buffer *buffer, struct dc_error *err);

/* Scans, reads and checks a map; the error names the key. On failure `*msg_out` is
 * empty. Strings and arrays are the caller's to dispose. */
DC_WARN_UNUSED enum dc_status msg_bye_read(const void *bytes, size_t n_bytes, struct msg_bye *msg_out,
                                           struct dc_error *err);

/* Frees what a read made; idempotent. */
void msg_bye_dispose(struct msg_bye *msg);
