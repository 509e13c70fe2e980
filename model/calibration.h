/*
 * Calibration: what observed migrations teach about a pair of hosts.
 *
 * In:  observed migrations (times in ms, bytes) and what their path carries on paper.
 * Out: per pair, per host and for all hosts together: the time before the
 *      first page (pre) and after the last (post, the hand-over), the goodput,
 *      the start-up latency, and how far totals spread about what was predicted.
 *
 *   migration time = pre + post + bytes / (goodput x nominal)
 *   downtime       = post + stop-and-copy bytes / (goodput x nominal)
 * fitted by bisquare M-estimation (Beaton and Tukey 1974) from a least absolute
 * deviations start, with a prior that weighs as much as one observation: that of
 * a pair is its host's, that of a host the fleet's, that of the fleet documented
 * numbers (94.2 of 100 Mbit/s and 935 of 1000; a hand-over of 30 ms on QEMU, 100 on Xen).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/prediction.h"

#include <stddef.h>

/* Nothing is learned from fewer observations. */
enum { CALIBRATION_MIN_OBSERVATIONS = 3 };

/* The spread of totals about those predicted where too few were observed to learn it: in both labs (tests/lab) totals
 * are off by 1 to 3% on average. */
extern const double calibration_usual_spread_frac;

/* One migration that succeeded; negative where not known (the first two figures must be). */
struct calibration_sample {
    const char *from, *to;      /* hosts; lent */
    double nominal_bytes_per_s; /* of the path, before any goodput */
    double migration_ms;        /* observed, from the migration's beginning to its end */
    double bytes;               /* on the wire: observed, else predicted */
    double predicted_bytes;     /* on the wire, as predicted before; 0: as `bytes` */
    double downtime_ms;         /* observed */
    double stop_bytes;          /* on the wire while the guest stood still, as predicted */
    double startup_ms;          /* from the order to the migration's beginning */
    double usual_post_ms;       /* calibration_usual_post_ms() of its stop policy */
};

struct calibration {
    char *from, *to; /* hosts; NULL: any. Heap, owned */
    size_t n;        /* observations that it was learned from */
    double pre_ms;
    double post_ms;
    double goodput_frac; /* of the path's capacity */
    double startup_ms;
    double spread_frac; /* robust standard deviation of totals about those predicted, of the total; widened for few */
};

/* What `post` usually is under a stop policy, by its name. */
double calibration_usual_post_ms(const char *policy_name);

/* Learns one entry for all hosts, one per source, one per target and one per
 * pair, of those with at least CALIBRATION_MIN_OBSERVATIONS samples that can be used. The
 * array is heap, freed by calibration_free(); the same samples in any order
 * give the same entries, in the order all, sources, targets, pairs. DC_ENOMEM. */
DC_WARN_UNUSED enum dc_status calibration_learn(const struct calibration_sample *samples, size_t n,
                                                struct calibration **entries_out, size_t *n_entries_out,
                                                struct dc_error *err);
void calibration_free(struct calibration **entries, size_t *n_entries);

/* The entry that fits best: the pair's, else the source's, else the target's,
 * else that of all hosts, else NULL. A host that is not known is NULL. */
const struct calibration *calibration_find(const struct calibration *entries, size_t n_entries, const char *from,
                                           const char *to);

/* Moves the upper quantiles of times apart from p50 by what bandwidth and overheads vary:
 *   p95' = p50 + sqrt((p95 - p50)^2 + (1.645 x spread x p50)^2), and p90' with 1.282. */
struct prediction_quantiles calibration_widen(struct prediction_quantiles quantiles, double spread_frac);
