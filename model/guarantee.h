/*
 * Guaranteed migrations: which knob of a hypervisor, set to what, keeps a
 * deadline for the whole migration or a limit of its downtime.
 *
 * In:  what is predicted (a VM, its history and its stop policy), the bandwidth it gets,
 *      the deadline and the downtime that must hold.
 * Out: for every knob the stop policy has and for each of three grounds, the
 *      value that keeps the limits, with the migration time and the downtime guaranteed;
 *      or the value that comes nearest.
 *
 * Bounds for ANY workload, with V the time to send all memory once:
 *   policies with a limit of n live rounds:
 *     migration <= pre + (n + 1) V + post; where at most f times the memory is sent
 *     before the last live round begins, also <= pre + (f + 2) V + post
 *     downtime  <= V + in flight + post
 *   policies that wait for a downtime limit d:
 *     downtime  <= d + suspend + in flight + post, if they end at all; they surely
 *     end where d covers all memory, then migration <= pre + a look + V + post
 *   post-copy: migration <= pre + post + V, of a round before it one V more; downtime <= in
 *     flight + post, of a round before it what names the stale pages more
 *   local disks that move with the VM: no bound, a guest can write as fast as they are copied;
 *     the downtime's holds, a guest that stands still writes nothing
 * (Akoush et al., MASCOTS 2010, section III, with the factors of the policy at hand.)
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/prediction.h"

#include <stdbool.h>
#include <stddef.h>

enum guarantee_knob {
    GUARANTEE_NONE,               /* as the policy is */
    GUARANTEE_BANDWIDTH,          /* at least so much of it; value in bytes/s */
    GUARANTEE_MAX_ROUNDS,         /* live rounds */
    GUARANTEE_TARGET_DIRTY_PAGES, /* a live round of fewer is the last */
    GUARANTEE_DOWNTIME_LIMIT,     /* value in ms */
    GUARANTEE_AUTO_CONVERGE,      /* on; no value */
    GUARANTEE_POSTCOPY,           /* value: an enum stop_policy_postcopy */
    N_GUARANTEE_KNOBS,
};

enum guarantee_basis {
    GUARANTEE_ANY_WORKLOAD, /* a bound, whatever the guest does */
    GUARANTEE_HISTORY,      /* the worst burst on record */
    GUARANTEE_P95,          /* the p95 of the prediction */
    N_GUARANTEE_BASES,
};

struct guarantee_question {
    const struct prediction_input *input; /* lent; its model is HIST */
    double bandwidth_bytes_per_s;         /* what the migration gets */
    double most_bytes_per_s;              /* where the search for a bandwidth ends */
    double deadline_ms;                   /* for the migration time; 0: none */
    double max_downtime_ms;               /* 0: none */
    double spread_frac;                   /* learned: widens what is replayed (model/calibration.h); 0: none */
};

/* Times are INFINITY where nothing bounds them. */
struct guarantee_times {
    double migration_ms;
    double downtime_ms;
};

struct guarantee_option {
    enum guarantee_knob knob;
    enum guarantee_basis basis;
    double value;              /* of the knob, in its unit; 0 where it has none */
    struct stop_policy policy; /* with the knob set */
    double bandwidth_bytes_per_s;
    struct guarantee_times times;
    bool holds; /* both limits, as far as given */
};

enum { GUARANTEE_MOST_OPTIONS = N_GUARANTEE_KNOBS * N_GUARANTEE_BASES };

struct guarantee {
    size_t n_options;
    struct guarantee_option options[GUARANTEE_MOST_OPTIONS]; /* by knob, then by basis */
};

/* Policies that wait for a downtime limit have no limit of rounds; their
 * max_rounds only caps the simulation (model/stop_policy.h). */
bool guarantee_waits_for_limit(const struct stop_policy *policy);

/* The bound for any workload of a VM of `input` (its profile is not looked at)
 * under `policy` at `bandwidth_bytes_per_s` > 0. */
struct guarantee_times guarantee_bound(const struct prediction_input *input, const struct stop_policy *policy,
                                       double bandwidth_bytes_per_s);

/* All options. HISTORY ones only where the profile holds bursts; of
 * DIRTY_PROFILE_NONE only bounds. A bandwidth is the lowest from which on all
 * tried ones up to `most_bytes_per_s` hold. Of other knobs' values that hold, with a deadline
 * the one of the shortest downtime is taken, else the one of the shortest migration.
 * DC_EINVAL without any limit, or where prediction_make() fails. */
DC_WARN_UNUSED enum dc_status guarantee_make(const struct guarantee_question *question, struct guarantee *guarantee_out,
                                             struct dc_error *err);
