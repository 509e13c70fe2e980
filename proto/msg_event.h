/*
 * EVENT, agent -> planner: a VM came or went, a migration began or ended, with what
 * was observed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

#include <stdbool.h>

enum msg_event_type { /* on the wire: "vm-added", "vm-removed", "migration-began", "migration-ended" */
                      MSG_EVENT_VM_ADDED,
                      MSG_EVENT_VM_REMOVED,
                      MSG_EVENT_MIGRATION_BEGAN,
                      MSG_EVENT_MIGRATION_ENDED,
};

struct msg_event {
    enum msg_event_type type;
    int64_t at_unix_ms;
    char *instance_id;     /* of the agent's run that numbered it */
    uint64_t event_number; /* grows by one an event of this instance: stored once */
    char vm[MSG_UUID_BYTES];
    char *peer_host;              /* the migration's other host; NULL where not known */
    double bandwidth_bytes_per_s; /* migration-began: the limit it was given; 0 where none is known */
    /* migration-ended: what was observed; negative where not known */
    double migration_ms, downtime_ms, bytes;
    /* the same, 0 where not known; when the guest stood still (the source knows) and ran again (the target) */
    unsigned n_rounds;
    int64_t suspended_unix_ms, resumed_unix_ms;
    bool succeeded;
};

/* Writes the map into `buffer` (zeroed at first), replacing its content. */
DC_WARN_UNUSED enum dc_status msg_event_write(const struct msg_event *msg, struct msg_buffer *buffer,
                                              struct dc_error *err);

/* Scans, reads and checks a map; the error names the key. On failure `*msg_out` is
 * empty. Strings and arrays are the caller's to dispose. */
DC_WARN_UNUSED enum dc_status msg_event_read(const void *bytes, size_t n_bytes, struct msg_event *msg_out,
                                             struct dc_error *err);

/* Frees what a read made; idempotent. */
void msg_event_dispose(struct msg_event *msg);
