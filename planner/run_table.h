/*
 * Plans that are being applied, as `decamp apply` tells of them: how many of their migrations run and wait.
 *
 * In:  events (proto/schema/apply-event.schema.json). Out: sums. A plan of which nothing was heard for 10 minutes
 * counts no more: its apply was killed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { RUN_TABLE_ID_BYTES = 65 };

struct run {
    char id[RUN_TABLE_ID_BYTES]; /* of the plan */
    size_t n_running, n_pending;
    int64_t heard_unix_ms;
};

struct run_table {
    size_t n_runs, capacity;
    struct run *runs;
};

/* Zeroed, a table is empty. */
void run_table_dispose(struct run_table *table);

/* An event without the figures says only that the plan is alive. DC_ENOMEM. */
DC_WARN_UNUSED enum dc_status run_table_hear(struct run_table *table, const char *id, const json_t *event,
                                             int64_t now_unix_ms, struct dc_error *err);

/* Forgets what was not heard of. Call it before the runs are read. */
void run_table_expire(struct run_table *table, int64_t now_unix_ms);
