/*
 * Predictions on a grid of bandwidths, and reading them between its points.
 *
 * Between two grid points bytes B and b * T are linear in the bandwidth b, so
 *   T(b) = c + d / b
 * runs monotonically from one point's time to the other's. Beyond the ends
 * the outer point's bytes hold: T(b) = T_end + bytes * (1/b - 1/b_end).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/prediction.h"

#include "model/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double MEDIAN = 0.50;
static const double NINETY = 0.90;
static const double HIGH = 0.95;
static const double AVERAGE_WINDOW_S = 1;

void prediction_dispose(struct prediction *prediction) {
    free(prediction->points);
    *prediction = (struct prediction){0};
}

enum dc_status prediction_copy(const struct prediction *prediction, struct prediction *copy_out, struct dc_error *err) {
    *copy_out =
        (struct prediction){.made_unix_ms = prediction->made_unix_ms, .redirty_basis = prediction->redirty_basis};
    if (prediction->n_points == 0)
        return DC_OK;
    copy_out->points = calloc(prediction->n_points, sizeof(copy_out->points[0]));
    if (copy_out->points == NULL)
        return error_set_nomem(err);
    memcpy(copy_out->points, prediction->points, prediction->n_points * sizeof(prediction->points[0]));
    copy_out->n_points = prediction->n_points;
    return DC_OK;
}

enum { N_QUANTILES = 3 };

/* The curves to replay. Those of a history are lent by the profile, others are `own`. */
struct curves {
    const struct dirty_profile *profile;
    struct dirty_curve own[N_QUANTILES]; /* p50, p90 and p95, or one curve alone */
    size_t n;
    bool lent;
    struct redirty *redirty;         /* where the policy skips pages: one a curve, heap; else NULL */
    const struct dirty_trace *trace; /* the same, with a recorded burst: it takes the place of `redirty` */
    bool are_quantiles;              /* the curves ARE the quantiles, there is no sample to take them of */
};

static const struct dirty_curve *curve_at(const struct curves *curves, size_t i) {
    return curves->lent ? &curves->profile->bursts[i].curve : &curves->own[i];
}

static void curves_dispose(struct curves *curves) {
    for (size_t i = 0; i < N_QUANTILES; i++)
        dirty_curve_dispose(&curves->own[i]);
    free(curves->redirty);
    curves->redirty = NULL;
}

static enum dc_status average_curve(const struct dirty_profile *profile, struct dirty_curve *curve_out,
                                    struct dc_error *err) {
    const struct dirty_profile average = {
        .kind = DIRTY_PROFILE_RATE,
        .pages_per_s = dirty_profile_average_rate(profile, AVERAGE_WINDOW_S),
    };
    return dirty_profile_quantile(&average, MEDIAN, curve_out, err);
}

static enum dc_status quantile_curves(struct curves *curves, struct dc_error *err) {
    const double quantiles[N_QUANTILES] = {MEDIAN, NINETY, HIGH};
    enum dc_status rc = DC_OK;
    curves->n = N_QUANTILES;
    curves->are_quantiles = true;
    for (size_t i = 0; rc == DC_OK && i < N_QUANTILES; i++)
        rc = dirty_profile_quantile(curves->profile, quantiles[i], &curves->own[i], err);
    return rc;
}

static enum dc_status pick_curves(struct curves *curves, const struct prediction_input *input, struct dc_error *err) {
    const struct dirty_profile *profile = input->profile;
    if (profile->kind == DIRTY_PROFILE_NONE || (profile->kind == DIRTY_PROFILE_CURVE && profile->n_bursts == 0))
        return error_set(err, DC_EINVAL, "no profile of the VM's page dirtying to predict from");
    if (input->model == PREDICTION_AVG)
        return average_curve(profile, &curves->own[0], err);
    if (input->policy.policy->skips_redirtied)
        curves->trace = profile->trace;
    if (profile->kind == DIRTY_PROFILE_RATE)
        return dirty_profile_quantile(profile, MEDIAN, &curves->own[0], err);
    /* Replaying pages takes milliseconds, not nanoseconds: not for each burst of a history. */
    if (profile->kind == DIRTY_PROFILE_CURVE && (curves->trace == NULL || profile->n_bursts == 1)) {
        curves->lent = true;
        curves->n = profile->n_bursts;
        return DC_OK;
    }
    return quantile_curves(curves, err);
}

/* Once for all bandwidths. */
static enum dc_status fit_redirty(struct curves *curves, const struct prediction_input *input, struct dc_error *err) {
    if (!input->policy.policy->skips_redirtied || curves->trace != NULL)
        return DC_OK;
    curves->redirty = calloc(curves->n, sizeof(curves->redirty[0]));
    if (curves->redirty == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < curves->n; i++)
        redirty_fit(curve_at(curves, i), input->memory_pages, &curves->redirty[i]);
    return DC_OK;
}

static enum dc_status curves_init(struct curves *curves, const struct prediction_input *input, struct dc_error *err) {
    *curves = (struct curves){.profile = input->profile, .n = 1};
    if (input->policy.policy == NULL)
        return error_set(err, DC_EINVAL, "no stop policy to predict with");
    enum dc_status rc = pick_curves(curves, input, err);
    if (rc == DC_OK)
        rc = fit_redirty(curves, input, err);
    if (rc != DC_OK)
        curves_dispose(curves);
    return rc;
}

/* What the simulations of one grid point gave, an array of `n` each. */
struct samples {
    double *all; /* the heap block that holds the four */
    double *migration_ms;
    double *downtime_ms;
    double *bytes;
    double *rounds;
    size_t n;
    size_t n_endless; /* of them did not converge */
    enum redirty_basis redirty_basis;
};

/* False when out of memory. */
static bool samples_init(struct samples *samples, size_t n) {
    *samples = (struct samples){.n = n};
    samples->all = calloc(n, 4 * sizeof(double));
    if (samples->all == NULL)
        return false;
    samples->migration_ms = samples->all;
    samples->downtime_ms = samples->all + n;
    samples->bytes = samples->all + 2 * n;
    samples->rounds = samples->all + 3 * n;
    return true;
}

static enum dc_status simulate_all(const struct prediction_input *input, const struct curves *curves,
                                   double bandwidth_bytes_per_s, struct samples *samples, struct dc_error *err) {
    const struct bandwidth_step step = {.bytes_per_s = bandwidth_bytes_per_s};
    struct precopy_vm vm = {
        .memory_pages = input->memory_pages,
        .zero_pages = fmin(input->profile->zero_pages, input->memory_pages),
        .policy = input->policy,
        .overhead = input->overhead,
        .storage = input->storage,
        .trace = curves->trace,
    };
    struct precopy_result result;
    samples->n_endless = 0;
    for (size_t i = 0; i < samples->n; i++) {
        vm.curve = curve_at(curves, i);
        vm.redirty = curves->redirty != NULL ? &curves->redirty[i] : NULL;
        const enum dc_status rc = precopy_simulate(&vm, &step, 1, &result, err);
        if (rc != DC_OK)
            return rc;
        samples->migration_ms[i] = result.migration_s * 1000;
        samples->downtime_ms[i] = result.downtime_s * 1000;
        samples->bytes[i] = result.bytes;
        samples->rounds[i] = result.n_rounds;
        samples->n_endless += !result.converges;
        if (result.redirty_basis > samples->redirty_basis)
            samples->redirty_basis = result.redirty_basis;
    }
    return DC_OK;
}

static struct prediction_quantiles quantiles_of(double *values, size_t n) {
    quantile_sort(values, n);
    return (struct prediction_quantiles){
        .p50 = quantile_of_sorted(values, n, MEDIAN),
        .p90 = quantile_of_sorted(values, n, NINETY),
        .p95 = quantile_of_sorted(values, n, HIGH),
    };
}

/* Each curve's outcome; more pages need not mean more time, but a higher quantile does. */
static struct prediction_quantiles outcomes_of(const double *values) {
    const double p90 = fmax(values[0], values[1]);
    return (struct prediction_quantiles){.p50 = values[0], .p90 = p90, .p95 = fmax(p90, values[2])};
}

static struct prediction_point point_of(struct samples *samples, double bandwidth_bytes_per_s, bool are_quantiles) {
    struct prediction_point point = {.bandwidth_bytes_per_s = bandwidth_bytes_per_s};
    if (are_quantiles) {
        point.migration_ms = outcomes_of(samples->migration_ms);
        point.downtime_ms = outcomes_of(samples->downtime_ms);
        point.bytes = samples->bytes[0];
        point.n_rounds = (unsigned)samples->rounds[0];
        point.converges = samples->n_endless == 0;
        return point;
    }
    point.migration_ms = quantiles_of(samples->migration_ms, samples->n);
    point.downtime_ms = quantiles_of(samples->downtime_ms, samples->n);
    point.bytes = quantiles_of(samples->bytes, samples->n).p50;
    point.n_rounds = (unsigned)lround(quantiles_of(samples->rounds, samples->n).p50);
    /* With the endless ones sorted last, the p95 must not touch any of them. */
    const size_t touched = (size_t)ceil(HIGH * (double)(samples->n - 1));
    point.converges = touched + samples->n_endless < samples->n;
    return point;
}

static void raise_to(struct prediction_quantiles *quantiles, const struct prediction_quantiles *floor) {
    quantiles->p50 = fmax(quantiles->p50, floor->p50);
    quantiles->p90 = fmax(quantiles->p90, floor->p90);
    quantiles->p95 = fmax(quantiles->p95, floor->p95);
}

/* From the top of the grid down, nothing may be cheaper than at the next higher bandwidth. */
static void make_monotone(struct prediction *prediction) {
    for (size_t i = prediction->n_points; i-- > 1;) {
        const struct prediction_point *above = &prediction->points[i];
        struct prediction_point *point = &prediction->points[i - 1];
        raise_to(&point->migration_ms, &above->migration_ms);
        raise_to(&point->downtime_ms, &above->downtime_ms);
        point->bytes = fmax(point->bytes, above->bytes);
        point->converges = point->converges && above->converges;
    }
}

static enum dc_status fill_points(const struct prediction_input *input, const struct curves *curves,
                                  const double *bandwidths, struct prediction *prediction, struct dc_error *err) {
    struct samples samples;
    if (!samples_init(&samples, curves->n))
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < prediction->n_points; i++) {
        rc = simulate_all(input, curves, bandwidths[i], &samples, err);
        if (rc == DC_OK)
            prediction->points[i] = point_of(&samples, bandwidths[i], curves->are_quantiles);
    }
    prediction->redirty_basis = samples.redirty_basis;
    free(samples.all);
    return rc;
}

static enum dc_status check_grid(const double *bandwidths, size_t n, struct dc_error *err) {
    for (size_t i = 0; i < n; i++) {
        if (!(bandwidths[i] > 0) || !isfinite(bandwidths[i]) || (i > 0 && bandwidths[i] <= bandwidths[i - 1]))
            return error_set(err, DC_EINVAL, "bandwidths[%zu]: %g bytes/s; expected ascending numbers above 0", i,
                             bandwidths[i]);
    }
    return DC_OK;
}

enum dc_status prediction_make(const struct prediction_input *input, const double *bandwidths_bytes_per_s, size_t n,
                               int64_t made_unix_ms, struct prediction *prediction_out, struct dc_error *err) {
    *prediction_out = (struct prediction){.made_unix_ms = made_unix_ms};
    struct curves curves;
    enum dc_status rc = check_grid(bandwidths_bytes_per_s, n, err);
    if (rc == DC_OK)
        rc = curves_init(&curves, input, err);
    if (rc != DC_OK)
        return rc;
    prediction_out->points = calloc(n + 1, sizeof(prediction_out->points[0]));
    if (prediction_out->points == NULL) {
        curves_dispose(&curves);
        return error_set_nomem(err);
    }
    prediction_out->n_points = n;
    rc = fill_points(input, &curves, bandwidths_bytes_per_s, prediction_out, err);
    curves_dispose(&curves);
    if (rc == DC_OK)
        make_monotone(prediction_out);
    else
        prediction_dispose(prediction_out);
    return rc;
}

void prediction_grid(double low_bytes_per_s, double high_bytes_per_s, size_t n, double *bandwidths_out) {
    for (size_t i = 0; i < n; i++) {
        const double frac = n > 1 ? (double)i / (double)(n - 1) : 0;
        bandwidths_out[i] = low_bytes_per_s * pow(high_bytes_per_s / low_bytes_per_s, frac);
    }
    if (n > 1)
        bandwidths_out[n - 1] = high_bytes_per_s; /* exactly, whatever pow() rounds to */
}

/* T(b) between two points, from b * T linear in b. */
static double blend_time(double low_b, double low_ms, double high_b, double high_ms, double b) {
    const double frac = (b - low_b) / (high_b - low_b);
    return (low_b * low_ms * (1 - frac) + high_b * high_ms * frac) / b;
}

static struct prediction_quantiles blend_times(const struct prediction_point *low, struct prediction_quantiles low_ms,
                                               const struct prediction_point *high, struct prediction_quantiles high_ms,
                                               double b) {
    const double low_b = low->bandwidth_bytes_per_s;
    const double high_b = high->bandwidth_bytes_per_s;
    return (struct prediction_quantiles){
        .p50 = blend_time(low_b, low_ms.p50, high_b, high_ms.p50, b),
        .p90 = blend_time(low_b, low_ms.p90, high_b, high_ms.p90, b),
        .p95 = blend_time(low_b, low_ms.p95, high_b, high_ms.p95, b),
    };
}

static struct prediction_point between(const struct prediction_point *low, const struct prediction_point *high,
                                       double b) {
    const double frac = (b - low->bandwidth_bytes_per_s) / (high->bandwidth_bytes_per_s - low->bandwidth_bytes_per_s);
    return (struct prediction_point){
        .bandwidth_bytes_per_s = b,
        .migration_ms = blend_times(low, low->migration_ms, high, high->migration_ms, b),
        .downtime_ms = blend_times(low, low->downtime_ms, high, high->downtime_ms, b),
        .bytes = low->bytes + frac * (high->bytes - low->bytes),
        .n_rounds = low->n_rounds,
        .converges = low->converges,
    };
}

/* Beyond an end of the grid. Downtime keeps to the end's above it, and falls
 * no faster than the bandwidth below it. */
static struct prediction_point beyond(const struct prediction_point *end, double b) {
    struct prediction_point point = *end;
    const double more_ms = 1000 * end->bytes * (1 / b - 1 / end->bandwidth_bytes_per_s);
    point.bandwidth_bytes_per_s = b;
    point.migration_ms.p50 = fmax(end->migration_ms.p50 + more_ms, end->downtime_ms.p50);
    point.migration_ms.p90 = fmax(end->migration_ms.p90 + more_ms, end->downtime_ms.p90);
    point.migration_ms.p95 = fmax(end->migration_ms.p95 + more_ms, end->downtime_ms.p95);
    if (b < end->bandwidth_bytes_per_s) {
        point.downtime_ms.p50 *= end->bandwidth_bytes_per_s / b;
        point.downtime_ms.p90 *= end->bandwidth_bytes_per_s / b;
        point.downtime_ms.p95 *= end->bandwidth_bytes_per_s / b;
        point.converges = false;
    }
    return point;
}

bool prediction_at(const struct prediction *prediction, double bandwidth_bytes_per_s,
                   struct prediction_point *point_out) {
    const size_t n = prediction->n_points;
    if (n == 0 || !(bandwidth_bytes_per_s > 0))
        return false;
    size_t i = 0;
    while (i < n && prediction->points[i].bandwidth_bytes_per_s < bandwidth_bytes_per_s)
        i++;
    if (i < n && prediction->points[i].bandwidth_bytes_per_s <= bandwidth_bytes_per_s)
        *point_out = prediction->points[i];
    else if (i == 0)
        *point_out = beyond(&prediction->points[0], bandwidth_bytes_per_s);
    else if (i == n)
        *point_out = beyond(&prediction->points[n - 1], bandwidth_bytes_per_s);
    else
        *point_out = between(&prediction->points[i - 1], &prediction->points[i], bandwidth_bytes_per_s);
    return true;
}

double prediction_lowest_bandwidth(const struct prediction *prediction, double downtime_budget_ms) {
    const double budget_ms = downtime_budget_ms > 0 ? downtime_budget_ms : INFINITY;
    for (size_t i = 0; i < prediction->n_points; i++) {
        const struct prediction_point *point = &prediction->points[i];
        if (!point->converges || point->downtime_ms.p95 > budget_ms)
            continue;
        if (i == 0 || !prediction->points[i - 1].converges)
            return point->bandwidth_bytes_per_s;
        /* The one before converges and breaks the budget: T(b) = c + d / b meets it between the two. */
        const struct prediction_point *low = point - 1;
        const double low_product = low->bandwidth_bytes_per_s * low->downtime_ms.p95;
        const double high_product = point->bandwidth_bytes_per_s * point->downtime_ms.p95;
        const double c = (high_product - low_product) / (point->bandwidth_bytes_per_s - low->bandwidth_bytes_per_s);
        const double d = low_product - c * low->bandwidth_bytes_per_s;
        return fmin(d / (budget_ms - c), point->bandwidth_bytes_per_s);
    }
    return 0;
}
