/*
 * Bounds for any workload, from what the policies permit; the formulas stand
 * in guarantee.h.
 *
 * Pages of the suspend are among the memory's, and so are zero pages, which
 * cost no more than others. What is in flight was sent before the guest stopped: it adds to the
 * downtime, not to the bytes.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/guarantee.h"

#include <math.h>

static const double LOOK_S = 0.1;       /* QEMU looks at what is left at least so often ... */
static const double LOOK_PAGES = 64;    /* ... and after whole groups of pages */
static const double DISCARD_BYTES = 16; /* of a stale range, at most one a page, told before the guest moves */
static const double PAGE_BYTES = 4096;

bool guarantee_waits_for_limit(const struct stop_policy *policy) {
    return policy->policy->defaults.downtime_limit_ms > 0;
}

static double wire_bytes(const struct stop_policy_class *policy, double pages) {
    const double batches = policy->batch_frames > 0 ? ceil(pages / policy->batch_frames) : 0;
    return pages * policy->page_wire_bytes + batches * policy->batch_wire_bytes;
}

static struct guarantee_times bound_of_rounds(const struct prediction_input *input, const struct stop_policy *policy,
                                              double bandwidth_bytes_per_s) {
    const struct stop_policy_class *class = policy->policy;
    const struct migration_overhead *overhead = &input->overhead;
    const double live = policy->max_rounds > 0 ? policy->max_rounds : class->defaults.max_rounds;
    const double frames = fmax(policy->gfn_count, input->memory_pages);
    const double memory_bytes = wire_bytes(class, input->memory_pages);
    double bytes = (live + 1) * memory_bytes;
    if (policy->max_factor > 0)
        bytes = fmin(bytes, wire_bytes(class, policy->max_factor * frames + 2 * input->memory_pages) +
                                live * class->batch_wire_bytes);
    const double holes = frames - input->memory_pages;
    bytes += holes * class->hole_wire_bytes;
    bytes += class->batch_frames > 0 ? (ceil(holes / class->batch_frames) + 1) * class->batch_wire_bytes : 0;
    return (struct guarantee_times){
        .migration_ms = overhead->pre_ms + 1e3 * bytes / bandwidth_bytes_per_s + overhead->post_ms,
        .downtime_ms = 1e3 * (memory_bytes + overhead->in_flight_bytes) / bandwidth_bytes_per_s + overhead->post_ms,
    };
}

static struct guarantee_times bound_of_limit(const struct prediction_input *input, const struct stop_policy *policy,
                                             double bandwidth_bytes_per_s) {
    const struct migration_overhead *overhead = &input->overhead;
    const double page_bytes = policy->policy->page_wire_bytes;
    const double cap = policy->max_bandwidth_bytes_per_s;
    const double rate = cap > 0 ? fmin(cap, bandwidth_bytes_per_s) : bandwidth_bytes_per_s;
    const double fitting_pages = fmax(rate * policy->downtime_limit_ms / 1e3 / PAGE_BYTES, 1);
    const double rest_pages = fmin(fitting_pages + overhead->suspend_pages, input->memory_pages);
    const double in_flight_ms = 1e3 * overhead->in_flight_bytes / bandwidth_bytes_per_s;
    const double all_ms = 1e3 * input->memory_pages * page_bytes / bandwidth_bytes_per_s + in_flight_ms;
    const double first_round_ms = 1e3 * input->memory_pages * page_bytes / rate;
    const double discard_ms = 1e3 * input->memory_pages * DISCARD_BYTES / bandwidth_bytes_per_s;
    const double look_ms = 1e3 * (LOOK_S + LOOK_PAGES * page_bytes / rate);
    double stop_ms = 1e3 * rest_pages * page_bytes / bandwidth_bytes_per_s + in_flight_ms;
    double live_ms = INFINITY;
    double after_ms = 0; /* while the guest runs at its target */
    if (policy->postcopy == STOP_POLICY_POSTCOPY_AT_ONCE) {
        live_ms = 0;
        stop_ms = in_flight_ms;
        after_ms = all_ms;
    } else if (policy->postcopy == STOP_POLICY_POSTCOPY_AFTER_ROUND) {
        live_ms = first_round_ms;
        stop_ms = fmax(stop_ms, discard_ms + in_flight_ms);
        after_ms = all_ms;
    } else if (fitting_pages > input->memory_pages) { /* whatever is dirty fits: it stops at its first look */
        live_ms = look_ms;
    }
    return (struct guarantee_times){
        .migration_ms = overhead->pre_ms + live_ms + stop_ms + overhead->post_ms + after_ms,
        .downtime_ms = stop_ms + overhead->post_ms,
    };
}

struct guarantee_times guarantee_bound(const struct prediction_input *input, const struct stop_policy *policy,
                                       double bandwidth_bytes_per_s) {
    struct guarantee_times times = guarantee_waits_for_limit(policy)
                                       ? bound_of_limit(input, policy, bandwidth_bytes_per_s)
                                       : bound_of_rounds(input, policy, bandwidth_bytes_per_s);
    if (policy->policy->storage != STOP_POLICY_STORAGE_STAYS && storage_first_local(&input->storage) != NULL)
        times.migration_ms = INFINITY;
    return times;
}
