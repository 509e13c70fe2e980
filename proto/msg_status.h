/*
 * STATUS, agent -> planner: the agent's loop is alive; sent every few seconds, with
 * what it costs.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

struct msg_status {
    int64_t at_unix_ms;
    uint64_t n_vms;
    uint64_t n_bursts;    /* since its start */
    uint64_t n_conflated; /* predictions replaced before they were sent */
    uint64_t n_held;      /* VMs not sampled at the planner's wish */
    double sampling_frac; /* share of the time that VMs spent under sampling */
};

/* Writes the map into `buffer` (zeroed at first), replacing its content. */
DC_WARN_UNUSED enum dc_status msg_status_write(const struct msg_status *msg, struct msg_buffer *buffer,
                                               struct dc_error *err);

/* Scans, reads and checks a map; the error names the key. On failure `*msg_out` is
 * empty. Strings and arrays are the caller's to dispose. */
DC_WARN_UNUSED enum dc_status msg_status_read(const void *bytes, size_t n_bytes, struct msg_status *msg_out,
                                              struct dc_error *err);

/* Frees what a read made; idempotent. */
void msg_status_dispose(struct msg_status *msg);
