/*
 * QEMU's queue of dirty pages (its migration bitmap): what is still to be
 * sent, and how the pages a guest dirties get into it.
 *
 * Pages that were dirtied again while still queued count once. Of the queue,
 * as if dirtied in the window T with W(T) = queue, a share
 *   (W(T) + W(t) - W(T + t)) / W(T)
 * is dirtied again in the t seconds after it: exact where dirtying is
 * stationary, from the curve alone.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/precopy_state.h"

struct qemu_queue {
    double pages;
    double zero_pages;   /* of them: sent at random places of the first round, then before all others */
    double synced_pages; /* its length after the last sync */
    bool whole_memory;   /* still the first round */
};

/* All memory of the VM. */
void qemu_queue_init(struct qemu_queue *queue, const struct precopy_vm *vm);

/* A queue of `pages` right after a sync, none of them zero. */
void qemu_queue_init_dirty(struct qemu_queue *queue, double pages);

/* What its pages take on the wire. */
double qemu_queue_bytes(const struct qemu_queue *queue, const struct stop_policy_class *policy);

/* Takes `pages` (at most what is there) off the queue; returns their bytes. */
double qemu_queue_take(struct qemu_queue *queue, const struct stop_policy_class *policy, double pages);

/* Adds what the guest dirtied while it ran for `guest_s` seconds since the
 * last sync; returns how many pages were not queued yet. */
double qemu_queue_sync(struct qemu_queue *queue, const struct precopy *precopy, double guest_s);
