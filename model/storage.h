/*
 * Disks that only the VM's host reaches: how long they take to move with it.
 *
 * In:  the disks, how fast and where they are written, the stop policy (its
 *      toolstack's way with disks) and the bandwidth.
 * Out: seconds before memory can go, bytes, and what of the bandwidth the
 *      disks' writes take from then on.
 *
 * A disk's blocks are pages of another size: blocks written at least once in a
 * window of t seconds are a curve like W(t) (model/dirty_profile.h). Where only
 * a rate is known, writes go all over the disk.
 *   QEMU (block/mirror.c, libvirt's --copy-storage-all): all disks at once; the mirror
 *     goes round and round through what is dirty until little is, then mirrors
 *   XAPI (ocaml/xapi/storage_migrate.ml): mirrors from the first block on
 *   xl: moves no disks
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/dirty_profile.h"
#include "model/stop_policy.h"

#include <stdbool.h>
#include <stddef.h>

enum { STORAGE_BLOCK_BYTES = 65536 }; /* QEMU's mirror keeps track of writes in these, unless told otherwise */

struct storage_disk {
    char *name; /* heap, owned */
    double size_bytes;
    double allocated_bytes; /* what is copied of a thin disk; 0: not known, all of it */
    bool local;             /* false: both hosts reach it, nothing is copied */
    double write_bytes_per_s;
    double block_bytes;         /* of `written`; 0: STORAGE_BLOCK_BYTES */
    struct dirty_curve written; /* unique blocks written in a window; no points: only write_bytes_per_s is known */
};

/* A VM's disks; lent. */
struct storage {
    size_t n_disks;
    const struct storage_disk *disks;
    bool is_still; /* the VM does not run: nothing is written */
};

struct storage_cost {
    double duration_s; /* until memory can go */
    double bytes;      /* sent until then */
    double mirror_bytes_per_s;
    bool converges; /* false: written as fast as copied, or as fast as the link mirrors */
};

/* Idempotent. */
void storage_disk_dispose(struct storage_disk *disk);

/* A deep copy; `*copy_out` is overwritten, the caller disposes it. */
DC_WARN_UNUSED enum dc_status storage_disk_copy(const struct storage_disk *disk, struct storage_disk *copy_out,
                                                struct dc_error *err);

/* DC_EINVAL for figures that make no sense; names the disk. */
DC_WARN_UNUSED enum dc_status storage_check(const struct storage *storage, struct dc_error *err);

/* The first disk that has to be copied, NULL for none. */
const struct storage_disk *storage_first_local(const struct storage *storage);

/* Of the local disks, all together: what is copied first, what is written at least
 * once in `window_s` (as whole blocks), and what writing takes of the link once it is mirrored. */
double storage_allocated_bytes(const struct storage *storage);
double storage_written_bytes(const struct storage *storage, double window_s);
double storage_write_bytes_per_s(const struct storage *storage);

/* The disks alone, at one bandwidth (> 0); all nothing for a policy that moves none. */
struct storage_cost storage_cost_at(const struct storage *storage, const struct stop_policy *policy,
                                    double bandwidth_bytes_per_s);
