/*
 * One burst at a QEMU guest: calc-dirty-rate with windows of 1, 2, 4... s, one after the other.
 *
 * Out: unique pages by window. QEMU tells whole MiB/s, cut off: half a MiB/s is added, and 0 taken for a quarter.
 * QEMU measures at a window of 1 s at the least, and cannot be asked to stop: a burst that is given up lets QEMU
 * finish its window, during which the next one is refused.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/qmp_link.h"
#include "model/dirty_profile.h"

/* QEMU's `mode`. All but page-sampling write to the guest's dirty log and need KVM: QEMU 7.2 crashes without. */
enum qemu_dirty_mode { QEMU_PAGE_SAMPLING, QEMU_DIRTY_BITMAP, QEMU_DIRTY_RING };

struct qemu_burst_config {
    enum qemu_dirty_mode mode;
    double longest_s;    /* no window is longer, but the first */
    double memory_pages; /* no window has more */
    void *context;
    /* `curve` (lent) is NULL where it failed. The burst has ended. */
    void (*done)(void *context, const struct dirty_curve *curve, const struct dc_error *err);
};

struct qemu_burst;

/* On failure `*burst_out` is NULL. `done` comes from the loop. */
DC_WARN_UNUSED enum dc_status qemu_burst_begin(uv_loop_t *loop, struct qmp_link *link,
                                               const struct qemu_burst_config *config, struct qemu_burst **burst_out,
                                               struct dc_error *err);

/* `done` is not called any more. Before the link is closed. */
void qemu_burst_cancel(struct qemu_burst *burst);
