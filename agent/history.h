/*
 * The history of bursts: a bounded ring per VM, on disk.
 *
 * In:  a burst (wall time in ms, curve of seconds and pages) of a VM.
 * Out: the VM's profile, oldest burst first, and the number of its newest burst.
 *
 * SQLite in WAL mode: a burst that was added is there after SIGKILL. Predictions are
 * made from it alone, so that an agent that starts again publishes at once.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/dirty_profile.h"

#include <stddef.h>
#include <stdint.h>

struct history;

/* Opens or makes STATE_DIR/history.sqlite, keeping `n_keep` bursts a VM. A file that is no
 * history of ours is an error, never overwritten. */
DC_WARN_UNUSED enum dc_status history_open(const char *state_dir, size_t n_keep, struct history **history_out,
                                           struct dc_error *err);

/* Idempotent; sets `*history` to NULL. */
void history_free(struct history **history);

/* Adds a burst, drops the oldest beyond n_keep, returns the burst's number: it grows by one a burst
 * of this VM, across restarts too. */
DC_WARN_UNUSED enum dc_status history_add(struct history *history, const char *vm, int64_t at_unix_ms,
                                          const struct dirty_curve *curve, uint64_t *sample_number_out,
                                          struct dc_error *err);

/* The VM's newest `n_most` bursts as a profile (kind NONE where there are none; the caller disposes it) and
 * the number of the newest. */
DC_WARN_UNUSED enum dc_status history_load(struct history *history, const char *vm, size_t n_most,
                                           struct dirty_profile *profile_out, uint64_t *sample_number_out,
                                           struct dc_error *err);

/* Forgets VMs that had no burst since `before_unix_ms`: they live elsewhere now. */
DC_WARN_UNUSED enum dc_status history_prune(struct history *history, int64_t before_unix_ms, struct dc_error *err);
