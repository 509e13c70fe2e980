/*
 * Predictions: what a migration of one VM costs on a grid of bandwidths.
 *
 * In:  a VM (pages, profile, policy, overheads) and bandwidths in bytes/s.
 * Out: per bandwidth, migration time and downtime (ms) as p50, p90 and p95 over the
 *      bursts of the history (HIST: each burst is replayed through the
 *      simulation), bytes, rounds, and whether it converges.
 *
 * A migration's bytes and time never grow with bandwidth (each round's pages
 * are non-increasing in it, by induction over the rounds); grid and
 * interpolation keep that.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/dirty_profile.h"
#include "model/precopy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prediction_quantiles {
    double p50;
    double p90;
    double p95;
};

struct prediction_point {
    double bandwidth_bytes_per_s;
    struct prediction_quantiles migration_ms; /* includes the overheads */
    struct prediction_quantiles downtime_ms;
    double bytes; /* on the wire, p50 */
    unsigned n_rounds;
    bool converges; /* at p95 */
};

struct prediction {
    int64_t made_unix_ms;
    enum redirty_basis redirty_basis; /* of what was simulated here: the coarsest over its curves */
    size_t n_points;
    struct prediction_point *points; /* ascending in bandwidth; heap, owned */
};

enum prediction_model {
    PREDICTION_HIST, /* replay the recorded history; quantiles over its bursts */
    PREDICTION_AVG,  /* one constant rate, the mean over one second (the paper's AVG) */
};

/* What is predicted: lent for the call. */
struct prediction_input {
    double memory_pages;
    const struct dirty_profile *profile;
    struct stop_policy policy;
    struct migration_overhead overhead;
    struct storage storage; /* as in struct precopy_vm */
    enum prediction_model model;
};

void prediction_dispose(struct prediction *prediction);

DC_WARN_UNUSED enum dc_status prediction_copy(const struct prediction *prediction, struct prediction *copy_out,
                                              struct dc_error *err);

/* Predicts at each of `n` ascending bandwidths. `made_unix_ms` is copied into
 * the result. Points are made monotone: times and bytes never grow with
 * bandwidth, and what converges at one bandwidth converges at every higher. */
DC_WARN_UNUSED enum dc_status prediction_make(const struct prediction_input *input,
                                              const double *bandwidths_bytes_per_s, size_t n, int64_t made_unix_ms,
                                              struct prediction *prediction_out, struct dc_error *err);

/* Fills `bandwidths_out[n]` with a geometric grid from `low` to `high`. */
void prediction_grid(double low_bytes_per_s, double high_bytes_per_s, size_t n, double *bandwidths_out);

/* The point at any bandwidth: bytes and bandwidth x time are interpolated
 * linearly between grid points, so time falls and bytes never grow with it;
 * beyond the grid's ends its outer points' bytes hold. False where the grid is
 * empty. Below the lowest converging point `converges` is false. */
bool prediction_at(const struct prediction *prediction, double bandwidth_bytes_per_s,
                   struct prediction_point *point_out);

/* The lowest bandwidth whose p95 downtime is within `downtime_budget_ms` (0: no
 * budget, only convergence), or 0 where no bandwidth of the grid holds it. */
double prediction_lowest_bandwidth(const struct prediction *prediction, double downtime_budget_ms);
