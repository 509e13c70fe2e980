/*
 * The dirty-page profile: how a VM dirties its memory, as recorded in bursts.
 *
 * In:  points (window in seconds, unique pages dirtied at least once in it).
 * Out: the unique-pages-dirtied curve W(t), per burst or as a quantile over
 *      the history of bursts, and the average rate.
 *
 * A pre-copy round that lasts t seconds leaves W(t) dirty pages. Between two
 * points W is interpolated linearly, W(0) = 0; past the last point it goes on
 * with the slope of the last segment, never above `max_pages`. Before the first
 * point of a finely recorded burst (a first window of at most 0.2 s, the second
 * at most half as long again) W is a power of t, with the exponent that the first
 * two points show: what a guest touches at every tick of its clock is dirty in
 * any window, what it writes steadily grows with the window.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct dirty_trace; /* model/dirty_trace.h */

struct dirty_point {
    double window_s;
    double pages;
};

struct dirty_curve {
    size_t n_points;
    struct dirty_point *points; /* ascending in window_s and, once checked, non-decreasing in pages */
};

struct dirty_burst {
    int64_t at_unix_ms; /* when the burst began; 0 where unknown */
    struct dirty_curve curve;
};

/* Which bursts of a history an hour's curves come from. */
enum dirty_basis {
    DIRTY_BASIS_HOUR_OF_WEEK,
    DIRTY_BASIS_HOUR_OF_DAY,
    DIRTY_BASIS_ALL, /* of any hour */
};

/* As in documents, by the enum; ends with NULL. */
extern const char *const dirty_basis_texts[];

/* What is expected of one hour to come. */
struct dirty_hour {
    int64_t start_unix_ms;
    enum dirty_basis basis;
    size_t n_bursts;
    struct dirty_curve p50;
    struct dirty_curve p95;
};

enum dirty_profile_kind {
    DIRTY_PROFILE_NONE,      /* nothing known */
    DIRTY_PROFILE_CURVE,     /* recorded bursts */
    DIRTY_PROFILE_RATE,      /* a constant rate over a working set (the paper's AVG) */
    DIRTY_PROFILE_QUANTILES, /* the p50 and p95 curves over a history kept elsewhere (an agent's) */
};

struct dirty_profile {
    enum dirty_profile_kind kind;
    double zero_pages; /* pages that hold only zeroes and are not dirtied */
    size_t n_bursts;   /* DIRTY_PROFILE_CURVE: oldest first */
    struct dirty_burst *bursts;
    double pages_per_s;        /* DIRTY_PROFILE_RATE */
    double working_set_pages;  /* DIRTY_PROFILE_RATE: W(t) = min(working set, rate * t); 0: not known, no bound */
    struct dirty_curve p50;    /* DIRTY_PROFILE_QUANTILES */
    struct dirty_curve p95;    /* DIRTY_PROFILE_QUANTILES */
    size_t n_hours;            /* DIRTY_PROFILE_QUANTILES: of a history that follows the hour, the hours to come */
    struct dirty_hour *hours;  /* ascending */
    struct dirty_trace *trace; /* one burst page by page, heap; NULL: none was recorded */
};

/* Heap arrays belong to the profile; idempotent. */
void dirty_curve_dispose(struct dirty_curve *curve);
void dirty_hour_dispose(struct dirty_hour *hour);
void dirty_profile_dispose(struct dirty_profile *profile);

/* Deep copies; `*_out` is overwritten, the caller disposes it. */
DC_WARN_UNUSED enum dc_status dirty_curve_copy(const struct dirty_curve *curve, struct dirty_curve *copy_out,
                                               struct dc_error *err);
DC_WARN_UNUSED enum dc_status dirty_profile_copy(const struct dirty_profile *profile, struct dirty_profile *copy_out,
                                                 struct dc_error *err);

/* A deep copy of `n` hours; `*copy_out` is NULL for none. */
DC_WARN_UNUSED enum dc_status dirty_hours_copy(const struct dirty_hour *hours, size_t n, struct dirty_hour **copy_out,
                                               struct dc_error *err);
void dirty_hours_free(struct dirty_hour **hours, size_t *n_hours);

/* Appends a burst, taking a copy of `curve`. Points must be finite, not negative, strictly
 * ascending in window_s; pages that fall (counter noise) are raised to their
 * predecessor. DC_EINVAL names the point otherwise. */
DC_WARN_UNUSED enum dc_status dirty_profile_add(struct dirty_profile *profile, int64_t at_unix_ms,
                                                const struct dirty_curve *curve, struct dc_error *err);

/* Drops the oldest bursts until at most `n_keep` are left. */
void dirty_profile_trim(struct dirty_profile *profile, size_t n_keep);

/* W(window_s) in pages, at most `max_pages` (the VM's memory). An empty curve
 * gives 0. */
double dirty_curve_pages(const struct dirty_curve *curve, double window_s, double max_pages);

/* The inverse: the shortest window in which `pages` unique pages are dirtied,
 * INFINITY where the curve never reaches them. */
double dirty_curve_window_s(const struct dirty_curve *curve, double pages);

/* The pointwise quantile `q_frac` (0..1) of W over all bursts, on the union of
 * their windows. A RATE profile gives its one curve for every q; QUANTILES the
 * p50 curve up to 0.5, the p95 curve from 0.95, linear between; NONE an
 * empty curve. `*curve_out` is the caller's. */
DC_WARN_UNUSED enum dc_status dirty_profile_quantile(const struct dirty_profile *profile, double q_frac,
                                                     struct dirty_curve *curve_out, struct dc_error *err);

/* AVG of the paper: mean pages/s over a window of `window_s` (1 s is usual)
 * and over the bursts; of QUANTILES, over the p50 curve; of NONE, 0. */
double dirty_profile_average_rate(const struct dirty_profile *profile, double window_s);
