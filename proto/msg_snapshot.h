/*
 * SNAPSHOT, agent -> planner: the host and all of its VMs, without predictions;
 * replaces what was known of this host.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"
#include "proto/msg.h"

struct msg_snapshot {
    int64_t taken_unix_ms;
    struct fleet_host host; /* name, cpus, memory, reserve, features, labels: what an agent can know */
    size_t n_vms;
    struct fleet_vm *vms; /* identity, size, state, use, policy, overhead, budget; no profile, no prediction */
};

/* Writes the map into `buffer` (zeroed at first), replacing its content. */
DC_WARN_UNUSED enum dc_status msg_snapshot_write(const struct msg_snapshot *msg, struct msg_buffer *buffer,
                                                 struct dc_error *err);

/* Scans, reads and checks a map; the error names the key. On failure `*msg_out` is
 * empty. Strings and arrays are the caller's to dispose. */
DC_WARN_UNUSED enum dc_status msg_snapshot_read(const void *bytes, size_t n_bytes, struct msg_snapshot *msg_out,
                                                struct dc_error *err);

/* Frees what a read made; idempotent. */
void msg_snapshot_dispose(struct msg_snapshot *msg);
