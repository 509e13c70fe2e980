/*
 * Pre-copy simulation of ONE migration.
 *
 * In:  the VM's pages, its curve W(t), its stop policy and overheads, and the
 *      bandwidth it gets over time.
 * Out: migration time, downtime (seconds), bytes on the wire, rounds, and
 *      whether it converges.
 *
 *   migration time = pre + disks + sum of live rounds + stop-and-copy + post + post-copy
 *   downtime       = stop-and-copy + post
 * (Akoush et al., MASCOTS 2010, section III), with the rules of today's
 * hypervisors where they differ.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/dirty_profile.h"
#include "model/dirty_trace.h"
#include "model/redirty.h"
#include "model/stop_policy.h"
#include "model/storage.h"

#include <stdbool.h>
#include <stddef.h>

struct migration_overhead {
    double pre_ms;          /* before the first page */
    double post_ms;         /* after the last page until the guest runs */
    double in_flight_bytes; /* buffered below the hypervisor: the sender runs ahead by them, the hand-over waits for
                               them */
    double suspend_pages;   /* dirtied by the suspend itself */
};

struct precopy_vm {
    double memory_pages;
    double zero_pages;
    const struct dirty_curve *curve; /* W(t); lent for the call */
    /* For a policy that skips pages which are dirty again (xen-legacy); both lent, both may be NULL. */
    const struct redirty *redirty;   /* fitted to `curve`; NULL: fitted in each call */
    const struct dirty_trace *trace; /* pages as recorded, replayed as fast as `curve` dirties them; NULL: none */
    struct stop_policy policy;
    struct migration_overhead overhead;
    struct storage storage; /* local disks move first where the policy moves any, else they are left out */
};

/* The migration gets `bytes_per_s` from `from_s` on (seconds from its start),
 * until the next step. The first step counts from the start. */
struct bandwidth_step {
    double from_s;
    double bytes_per_s;
};

struct precopy_round {
    double pages; /* sent in it (normal and zero) */
    double bytes;
    double duration_s;
};

enum { PRECOPY_TRACE_ROUNDS = 64 };

struct precopy_result {
    double migration_s;
    double downtime_s;
    double stop_copy_s;   /* part of the downtime in which pages move */
    double postcopy_s;    /* the guest runs at its target and pages are still missing; after the downtime */
    double throttle_frac; /* of the guest's time, the most it was made to lose */
    double storage_s;     /* part of the migration time in which disks are copied and no memory moves */
    double storage_bytes; /* part of `bytes`: disks, and their writes until the guest stopped */
    double bytes;
    unsigned n_rounds; /* live rounds plus the final one */
    bool converges;    /* false: the policy never stops by itself; the rest is then as if forced to stop at the
                          cap, or where the rounds no longer shrink */
    enum redirty_basis redirty_basis; /* where it is from which pages were skipped */
    size_t n_trace;                   /* rounds kept in `trace`, the first PRECOPY_TRACE_ROUNDS */
    struct precopy_round trace[PRECOPY_TRACE_ROUNDS];
};

/* Simulates one migration under `steps` (n_steps >= 1, ascending; rates > 0).
 * DC_EINVAL for figures that make no sense (no memory, no bandwidth), DC_ENOMEM
 * where a recorded burst cannot be replayed. */
DC_WARN_UNUSED enum dc_status precopy_simulate(const struct precopy_vm *vm, const struct bandwidth_step *steps,
                                               size_t n_steps, struct precopy_result *result_out, struct dc_error *err);
