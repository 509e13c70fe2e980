/*
 * Stop policies: when a hypervisor ends its live pre-copy rounds, and what a
 * page costs on its wire. Each policy is one row of a table plus one small
 * function; a new one costs no change elsewhere.
 *
 *   xen-v2  Xen 4.6 to today (tools/libs/guest/xg_sr_save.c): at most 5 live
 *           rounds, or a round that found fewer than 50 pages; then one final
 *           round with the guest suspended.
 *   xen-legacy
 *           Xen 3.0 to 4.5 (tools/libxc/xc_domain_save.c): pages that are
 *           dirty again are skipped; at most 29 live rounds, or one of fewer than 50
 *           pages, or until 3 times the memory was sent.
 *   xapi    XCP-ng and XenServer: libxenguest's rounds as in xen-v2, ended by
 *           XAPI's emu-manager.
 *   qemu    QEMU/KVM (migration/migration.c): stop-and-copy when the pending
 *           bytes fit the downtime limit at the measured bandwidth. No limit
 *           of rounds: it may never converge, unless auto-converge throttles
 *           the guest or post-copy moves it first.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct precopy; /* the running simulation, model/precopy.c */

enum stop_policy_postcopy {
    STOP_POLICY_POSTCOPY_NEVER,
    STOP_POLICY_POSTCOPY_AT_ONCE,     /* no pre-copy at all */
    STOP_POLICY_POSTCOPY_AFTER_ROUND, /* after the first round, as `virsh migrate --postcopy-after-precopy` does it */
};

/* As in documents, by the enum; ends with NULL. */
extern const char *const stop_policy_postcopy_texts[];

/* How a toolstack moves disks that only the VM's host reaches (model/storage.h). */
enum stop_policy_storage {
    STOP_POLICY_STORAGE_STAYS,    /* not at all: such a VM cannot be migrated live */
    STOP_POLICY_STORAGE_RECOPIED, /* before memory: all blocks, then those written meanwhile, then each write */
    STOP_POLICY_STORAGE_MIRRORED, /* before memory: all blocks, and from the start each write */
};

/* What a user or a document may set of a policy. Fields a policy does not use
 * are ignored by it. */
struct stop_policy {
    const struct stop_policy_class *policy; /* never NULL once set up */
    unsigned max_rounds;                    /* xen: live rounds; qemu: cap of the simulation. 0 = default */
    double target_dirty_pages;              /* xen: a live round of fewer pages is the last */
    double max_factor;                      /* xen-legacy: memory sent over memory size */
    double gfn_count;                       /* xen: guest frames incl. holes; 0 = the VM's pages */
    double downtime_limit_ms;               /* qemu */
    double max_bandwidth_bytes_per_s;       /* qemu: its own cap on live rounds, not on the stop; 0 = none */
    bool auto_converge;                     /* qemu: throttles the guest while it dirties too much */
    double throttle_trigger_frac;           /* qemu: dirtied over sent that counts as too much; 0 = QEMU's 0.5 */
    double throttle_initial_frac;           /* qemu: of the guest's time, first step; 0 = QEMU's 0.2 */
    double throttle_increment_frac;         /* qemu: each further step; 0 = QEMU's 0.1 */
    double throttle_max_frac;               /* qemu: the last one; 0 = QEMU's 0.99 */
    enum stop_policy_postcopy postcopy;     /* qemu: whether the guest moves before all its pages have */
};

struct stop_policy_class {
    const char *name;            /* as in documents: "xen-v2" */
    const char *summary;         /* one line for people */
    double page_wire_bytes;      /* a normal page with its header */
    double zero_page_wire_bytes; /* a zero page; equal to page_wire_bytes where zero pages are not elided */
    double hole_wire_bytes;      /* a guest frame without memory, first round only */
    double batch_wire_bytes;     /* the header of a batch; 0 where pages travel singly */
    unsigned batch_frames;       /* frames in a full batch */
    bool skips_redirtied;        /* leaves out pages that are dirty again when their turn comes */
    enum stop_policy_storage storage;
    struct stop_policy defaults;
    /* Runs the live rounds from the first page to the moment the guest is
     * stopped; see model/precopy.c for the state it works on. */
    void (*run_live_rounds)(struct precopy *precopy);
};

/* The class called `name`, or NULL. */
const struct stop_policy_class *stop_policy_find(const char *name);

/* Row `i` of the table, NULL past its end: for help texts and messages. */
const struct stop_policy_class *stop_policy_at(size_t i);

/* `policy_out` becomes the defaults of the class called `name`; DC_ENOTFOUND
 * lists the known names. */
DC_WARN_UNUSED enum dc_status stop_policy_init(struct stop_policy *policy_out, const char *name, struct dc_error *err);
