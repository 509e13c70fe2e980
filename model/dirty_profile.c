/*
 * The dirty-page profile: bursts of (window, unique pages) points, and the
 * curve W(t) they draw. See the header for the shape of W between and past
 * its points.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/dirty_profile.h"

#include "model/dirty_trace.h"
#include "model/quantile.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const char *const dirty_basis_texts[] = {"hour-of-week", "hour-of-day", "all", NULL};

/* A burst whose first window is no longer, and whose second no longer than so many times that, shows how W bends before
 * them. */
static const double FINE_WINDOW_S = 0.2;
static const double FINE_RATIO = 1.5;

void dirty_curve_dispose(struct dirty_curve *curve) {
    free(curve->points);
    *curve = (struct dirty_curve){0};
}

void dirty_hour_dispose(struct dirty_hour *hour) {
    dirty_curve_dispose(&hour->p50);
    dirty_curve_dispose(&hour->p95);
}

void dirty_hours_free(struct dirty_hour **hours, size_t *n_hours) {
    for (size_t i = 0; i < *n_hours; i++)
        dirty_hour_dispose(&(*hours)[i]);
    free(*hours);
    *hours = NULL;
    *n_hours = 0;
}

void dirty_profile_dispose(struct dirty_profile *profile) {
    for (size_t i = 0; i < profile->n_bursts; i++)
        dirty_curve_dispose(&profile->bursts[i].curve);
    free(profile->bursts);
    dirty_curve_dispose(&profile->p50);
    dirty_curve_dispose(&profile->p95);
    dirty_hours_free(&profile->hours, &profile->n_hours);
    dirty_trace_free(&profile->trace);
    *profile = (struct dirty_profile){0};
}

/* An array for `n` points, NULL when out of memory; n > 0. */
static struct dirty_point *points_new(size_t n) {
    return calloc(n, sizeof(struct dirty_point));
}

enum dc_status dirty_curve_copy(const struct dirty_curve *curve, struct dirty_curve *copy_out, struct dc_error *err) {
    *copy_out = (struct dirty_curve){0};
    if (curve->n_points == 0)
        return DC_OK;
    copy_out->points = points_new(curve->n_points);
    if (copy_out->points == NULL)
        return error_set_nomem(err);
    memcpy(copy_out->points, curve->points, curve->n_points * sizeof(curve->points[0]));
    copy_out->n_points = curve->n_points;
    return DC_OK;
}

static enum dc_status copy_bursts(const struct dirty_profile *profile, struct dirty_profile *copy,
                                  struct dc_error *err) {
    if (profile->n_bursts == 0)
        return DC_OK;
    copy->bursts = calloc(profile->n_bursts, sizeof(copy->bursts[0]));
    if (copy->bursts == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < profile->n_bursts; i++) {
        const struct dirty_burst *burst = &profile->bursts[i];
        const enum dc_status rc = dirty_curve_copy(&burst->curve, &copy->bursts[i].curve, err);
        if (rc != DC_OK)
            return rc;
        copy->bursts[i].at_unix_ms = burst->at_unix_ms;
        copy->n_bursts = i + 1;
    }
    return DC_OK;
}

enum dc_status dirty_hours_copy(const struct dirty_hour *hours, size_t n, struct dirty_hour **copy_out,
                                struct dc_error *err) {
    *copy_out = NULL;
    if (n == 0)
        return DC_OK;
    struct dirty_hour *copy = calloc(n, sizeof(*copy));
    if (copy == NULL)
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < n; i++) {
        copy[i] = hours[i];
        copy[i].p95 = (struct dirty_curve){0};
        rc = dirty_curve_copy(&hours[i].p50, &copy[i].p50, err);
        if (rc == DC_OK)
            rc = dirty_curve_copy(&hours[i].p95, &copy[i].p95, err);
    }
    if (rc != DC_OK)
        dirty_hours_free(&copy, &n);
    *copy_out = copy;
    return rc;
}

enum dc_status dirty_profile_copy(const struct dirty_profile *profile, struct dirty_profile *copy_out,
                                  struct dc_error *err) {
    *copy_out = (struct dirty_profile){
        .kind = profile->kind,
        .zero_pages = profile->zero_pages,
        .pages_per_s = profile->pages_per_s,
        .working_set_pages = profile->working_set_pages,
    };
    enum dc_status rc = copy_bursts(profile, copy_out, err);
    if (rc == DC_OK)
        rc = dirty_curve_copy(&profile->p50, &copy_out->p50, err);
    if (rc == DC_OK)
        rc = dirty_curve_copy(&profile->p95, &copy_out->p95, err);
    if (rc == DC_OK)
        rc = dirty_hours_copy(profile->hours, profile->n_hours, &copy_out->hours, err);
    copy_out->n_hours = copy_out->hours != NULL ? profile->n_hours : 0;
    if (rc == DC_OK && profile->trace != NULL)
        rc = dirty_trace_clone(profile->trace, &copy_out->trace, err);
    if (rc != DC_OK)
        dirty_profile_dispose(copy_out);
    return rc;
}

static enum dc_status check_points(const struct dirty_curve *curve, struct dc_error *err) {
    double last_s = -1;
    for (size_t i = 0; i < curve->n_points; i++) {
        const struct dirty_point *point = &curve->points[i];
        if (!isfinite(point->window_s) || point->window_s < 0)
            return error_set(err, DC_EINVAL, "points[%zu]: a window of %g s; expected a number of at least 0", i,
                             point->window_s);
        if (!isfinite(point->pages) || point->pages < 0)
            return error_set(err, DC_EINVAL, "points[%zu]: %g pages; expected a number of at least 0", i, point->pages);
        if (point->window_s <= last_s)
            return error_set(err, DC_EINVAL, "points[%zu]: a window of %g s after one of %g s; expected a longer one",
                             i, point->window_s, last_s);
        last_s = point->window_s;
    }
    return DC_OK;
}

static void raise_to_predecessor(struct dirty_curve *curve) {
    for (size_t i = 1; i < curve->n_points; i++)
        curve->points[i].pages = fmax(curve->points[i].pages, curve->points[i - 1].pages);
}

enum dc_status dirty_profile_add(struct dirty_profile *profile, int64_t at_unix_ms, const struct dirty_curve *curve,
                                 struct dc_error *err) {
    enum dc_status rc = check_points(curve, err);
    if (rc != DC_OK)
        return rc;
    struct dirty_burst burst = {.at_unix_ms = at_unix_ms};
    rc = dirty_curve_copy(curve, &burst.curve, err);
    if (rc != DC_OK)
        return rc;
    struct dirty_burst *bursts = reallocarray(profile->bursts, profile->n_bursts + 1, sizeof(bursts[0]));
    if (bursts == NULL) {
        dirty_curve_dispose(&burst.curve);
        return error_set_nomem(err);
    }
    raise_to_predecessor(&burst.curve);
    profile->bursts = bursts;
    profile->bursts[profile->n_bursts++] = burst;
    profile->kind = DIRTY_PROFILE_CURVE;
    return DC_OK;
}

void dirty_profile_trim(struct dirty_profile *profile, size_t n_keep) {
    if (profile->n_bursts <= n_keep)
        return;
    const size_t n_drop = profile->n_bursts - n_keep;
    for (size_t i = 0; i < n_drop; i++)
        dirty_curve_dispose(&profile->bursts[i].curve);
    memmove(profile->bursts, profile->bursts + n_drop, n_keep * sizeof(profile->bursts[0]));
    profile->n_bursts = n_keep;
}

/* The line that W follows up to point `i`, or past the last point. */
struct segment {
    double from_s;
    double from_pages;
    double pages_per_s;
};

static struct segment segment_before(const struct dirty_curve *curve, size_t i) {
    const struct dirty_point from = i == 0 ? (struct dirty_point){0} : curve->points[i - 1];
    const struct dirty_point to = curve->points[i];
    const double length_s = to.window_s - from.window_s;
    return (struct segment){
        .from_s = from.window_s,
        .from_pages = from.pages,
        .pages_per_s = length_s > 0 ? (to.pages - from.pages) / length_s : 0,
    };
}

/* W(t) = W1 * (t / t1)^exponent before the first point (W1 at t1), by the slope
 * of W between the first two on logarithmic scales. 1, a straight line, where the burst
 * is too coarse to tell. */
static double exponent_at_start(const struct dirty_curve *curve) {
    if (curve->n_points < 2)
        return 1;
    const struct dirty_point first = curve->points[0];
    const struct dirty_point second = curve->points[1];
    if (!(first.window_s > 0 && first.window_s <= FINE_WINDOW_S && second.window_s <= FINE_RATIO * first.window_s &&
          first.pages > 0))
        return 1;
    return fmin(log(second.pages / first.pages) / log(second.window_s / first.window_s), 1);
}

double dirty_curve_pages(const struct dirty_curve *curve, double window_s, double max_pages) {
    if (curve->n_points == 0 || !(window_s > 0))
        return 0;
    const struct dirty_point first = curve->points[0];
    if (window_s < first.window_s)
        return fmin(first.pages * pow(window_s / first.window_s, exponent_at_start(curve)), max_pages);
    size_t i = 0;
    while (i + 1 < curve->n_points && curve->points[i].window_s < window_s)
        i++;
    const struct segment segment = segment_before(curve, i);
    if (segment.pages_per_s <= 0) /* flat, and 0 times an endless window is no number */
        return fmin(curve->points[i].pages, max_pages);
    return fmin(segment.from_pages + segment.pages_per_s * (window_s - segment.from_s), max_pages);
}

double dirty_curve_window_s(const struct dirty_curve *curve, double pages) {
    if (!(pages > 0))
        return 0;
    if (curve->n_points == 0)
        return INFINITY;
    const struct dirty_point first = curve->points[0];
    if (pages < first.pages)
        return first.window_s * pow(pages / first.pages, 1 / exponent_at_start(curve));
    size_t i = 0;
    while (i + 1 < curve->n_points && curve->points[i].pages < pages)
        i++;
    const struct segment segment = segment_before(curve, i);
    if (segment.pages_per_s <= 0)
        return curve->points[i].pages >= pages ? curve->points[i].window_s : INFINITY;
    return segment.from_s + (pages - segment.from_pages) / segment.pages_per_s;
}

/* min(working set, rate * t) as points. */
static enum dc_status curve_of_rate(const struct dirty_profile *profile, struct dirty_curve *curve_out,
                                    struct dc_error *err) {
    *curve_out = (struct dirty_curve){0};
    if (profile->pages_per_s <= 0)
        return DC_OK;
    const bool bounded = profile->working_set_pages > 0;
    const double filled_s = bounded ? profile->working_set_pages / profile->pages_per_s : 1;
    const double filled_pages = bounded ? profile->working_set_pages : profile->pages_per_s;
    curve_out->points = points_new(2);
    if (curve_out->points == NULL)
        return error_set_nomem(err);
    curve_out->points[0] = (struct dirty_point){filled_s, filled_pages};
    curve_out->points[1] = (struct dirty_point){2 * filled_s, bounded ? filled_pages : 2 * filled_pages};
    curve_out->n_points = 2;
    return DC_OK;
}

/* The distinct windows of all bursts, ascending, in a heap array of at least
 * one item; NULL when out of memory. */
static double *union_of_windows(const struct dirty_profile *profile, size_t *n_out) {
    size_t n_all = 0;
    for (size_t b = 0; b < profile->n_bursts; b++)
        n_all += profile->bursts[b].curve.n_points;
    double *windows = calloc(n_all + 1, sizeof(windows[0]));
    if (windows == NULL)
        return NULL;
    size_t n = 0;
    for (size_t b = 0; b < profile->n_bursts; b++) {
        const struct dirty_curve *curve = &profile->bursts[b].curve;
        for (size_t i = 0; i < curve->n_points; i++)
            windows[n++] = curve->points[i].window_s;
    }
    quantile_sort(windows, n);
    size_t n_distinct = 0;
    for (size_t i = 0; i < n; i++) {
        if (n_distinct == 0 || windows[i] > windows[n_distinct - 1])
            windows[n_distinct++] = windows[i];
    }
    *n_out = n_distinct;
    return windows;
}

static enum dc_status quantile_of_bursts(const struct dirty_profile *profile, double q_frac,
                                         struct dirty_curve *curve_out, struct dc_error *err) {
    *curve_out = (struct dirty_curve){0};
    size_t n = 0;
    double *windows = union_of_windows(profile, &n);
    double *pages = calloc(profile->n_bursts + 1, sizeof(pages[0]));
    struct dirty_point *points = points_new(n + 1);
    enum dc_status rc = DC_OK;
    if (windows == NULL || pages == NULL || points == NULL) {
        rc = error_set_nomem(err);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t b = 0; b < profile->n_bursts; b++)
            pages[b] = dirty_curve_pages(&profile->bursts[b].curve, windows[i], INFINITY);
        quantile_sort(pages, profile->n_bursts);
        /* Rounding can make a quantile of growing values fall in its last bit; a curve never does. */
        const double before = i > 0 ? points[i - 1].pages : 0;
        points[i] =
            (struct dirty_point){windows[i], fmax(before, quantile_of_sorted(pages, profile->n_bursts, q_frac))};
    }
    if (n > 0) {
        *curve_out = (struct dirty_curve){.n_points = n, .points = points};
        points = NULL;
    }
out:
    free(points);
    free(pages);
    free(windows);
    return rc;
}

static enum dc_status blend_curves(const struct dirty_profile *profile, double q_frac, struct dirty_curve *curve_out,
                                   struct dc_error *err) {
    if (q_frac <= 0.5)
        return dirty_curve_copy(&profile->p50, curve_out, err);
    if (q_frac >= 0.95)
        return dirty_curve_copy(&profile->p95, curve_out, err);
    /* Two bursts at q = 0 and 1 of a profile of their own: type 7 is linear between them. */
    struct dirty_burst ends[] = {{.curve = profile->p50}, {.curve = profile->p95}};
    const struct dirty_profile pair = {.kind = DIRTY_PROFILE_CURVE, .n_bursts = 2, .bursts = ends};
    return quantile_of_bursts(&pair, (q_frac - 0.5) / 0.45, curve_out, err);
}

enum dc_status dirty_profile_quantile(const struct dirty_profile *profile, double q_frac, struct dirty_curve *curve_out,
                                      struct dc_error *err) {
    *curve_out = (struct dirty_curve){0};
    if (!(q_frac >= 0 && q_frac <= 1))
        return error_set(err, DC_EINVAL, "a quantile of %g; expected 0 to 1", q_frac);
    switch (profile->kind) {
    case DIRTY_PROFILE_CURVE:
        return quantile_of_bursts(profile, q_frac, curve_out, err);
    case DIRTY_PROFILE_RATE:
        return curve_of_rate(profile, curve_out, err);
    case DIRTY_PROFILE_QUANTILES:
        return blend_curves(profile, q_frac, curve_out, err);
    case DIRTY_PROFILE_NONE:
        break;
    }
    return DC_OK;
}

double dirty_profile_average_rate(const struct dirty_profile *profile, double window_s) {
    double pages = 0;
    switch (profile->kind) {
    case DIRTY_PROFILE_CURVE:
        for (size_t b = 0; b < profile->n_bursts; b++)
            pages += dirty_curve_pages(&profile->bursts[b].curve, window_s, INFINITY) / (double)profile->n_bursts;
        break;
    case DIRTY_PROFILE_RATE:
        pages = profile->pages_per_s * window_s;
        if (profile->working_set_pages > 0)
            pages = fmin(pages, profile->working_set_pages);
        break;
    case DIRTY_PROFILE_QUANTILES:
        pages = dirty_curve_pages(&profile->p50, window_s, INFINITY);
        break;
    case DIRTY_PROFILE_NONE:
        break;
    }
    return window_s > 0 ? pages / window_s : 0;
}
