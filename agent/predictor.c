/* History to prediction: model/prediction.h on the agent's grid, and short curves. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/predictor.h"

#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void predictor_init(struct predictor *predictor, double low_bytes_per_s, double high_bytes_per_s, size_t n) {
    predictor->n_bursts = SIZE_MAX;
    predictor->n_grid = n < 2 ? 2 : n > MSG_MAX_POINTS ? MSG_MAX_POINTS : n;
    prediction_grid(low_bytes_per_s, high_bytes_per_s, predictor->n_grid, predictor->grid_bytes_per_s);
}

/* By how much the line from `a` to `c` misses `b`; one page more below, so that 0 pages have a scale too. */
static double miss_frac(const struct dirty_point *a, const struct dirty_point *b, const struct dirty_point *c) {
    const double along_frac = (b->window_s - a->window_s) / (c->window_s - a->window_s);
    const double line_pages = a->pages + along_frac * (c->pages - a->pages);
    return fabs(line_pages - b->pages) / (b->pages + 1);
}

void predictor_simplify(struct dirty_curve *curve, size_t n_most) {
    struct dirty_point *points = curve->points;
    while (curve->n_points > n_most && curve->n_points > 2) {
        size_t least = 1;
        double least_frac = INFINITY;
        for (size_t i = 1; i + 1 < curve->n_points; i++) {
            const double frac = miss_frac(&points[i - 1], &points[i], &points[i + 1]);
            if (frac < least_frac) {
                least_frac = frac;
                least = i;
            }
        }
        memmove(&points[least], &points[least + 1], (curve->n_points - least - 1) * sizeof(*points));
        curve->n_points--;
    }
}

static enum dc_status short_quantile(const struct dirty_profile *profile, double q_frac, struct dirty_curve *curve_out,
                                     struct dc_error *err) {
    const enum dc_status rc = dirty_profile_quantile(profile, q_frac, curve_out, err);
    if (rc == DC_OK)
        predictor_simplify(curve_out, PREDICTOR_CURVE_POINTS);
    return rc;
}

/* The coming hours, where they differ by more than chance. */
static enum dc_status predict_hours(const struct dirty_profile *profile, struct season_clock now,
                                    struct msg_prediction *prediction, struct dc_error *err) {
    struct season_cycle cycle;
    enum dc_status rc = season_find_cycle(profile, now.utc_offset_s, &cycle, err);
    if (rc != DC_OK || !cycle.is_cyclic)
        return rc;
    prediction->hours = calloc(SEASON_HOURS, sizeof(*prediction->hours));
    if (prediction->hours == NULL)
        return error_set_nomem(err);
    rc = season_curves(profile, now, prediction->hours, err);
    prediction->n_hours = rc == DC_OK ? SEASON_HOURS : 0;
    for (size_t i = 0; i < prediction->n_hours; i++) {
        predictor_simplify(&prediction->hours[i].p50, PREDICTOR_HOUR_POINTS);
        predictor_simplify(&prediction->hours[i].p95, PREDICTOR_HOUR_POINTS);
    }
    return rc;
}

/* Its newest bursts, lent. */
static struct dirty_profile newest(const struct dirty_profile *profile, size_t n_most) {
    struct dirty_profile lent = *profile;
    if (lent.n_bursts > n_most) {
        lent.bursts += lent.n_bursts - n_most;
        lent.n_bursts = n_most;
    }
    return lent;
}

enum dc_status predictor_make(const struct predictor *predictor, const struct source_vm *vm,
                              const struct dirty_profile *profile, uint64_t sample_number, struct season_clock now,
                              struct msg_prediction *prediction_out, struct dc_error *err) {
    struct dirty_profile lent = newest(profile, predictor->n_bursts);
    lent.zero_pages = vm->zero_pages;
    *prediction_out = (struct msg_prediction){
        .sample_number = sample_number, .zero_pages = vm->zero_pages, .n_bursts = lent.n_bursts};
    (void)snprintf(prediction_out->vm, sizeof(prediction_out->vm), "%s", vm->facts.uuid);
    if (profile->n_bursts == 0)
        return error_set(err, DC_ENOTFOUND, "%s: no burst yet", vm->facts.uuid);
    const struct prediction_input input = {
        .memory_pages = vm->facts.memory_bytes / UNITS_PAGE_BYTES,
        .profile = &lent,
        .policy = vm->facts.policy,
        .overhead = vm->facts.overhead,
        .model = PREDICTION_HIST,
    };
    enum dc_status rc = prediction_make(&input, predictor->grid_bytes_per_s, predictor->n_grid, now.now_unix_ms,
                                        &prediction_out->prediction, err);
    if (rc == DC_OK)
        rc = short_quantile(&lent, 0.5, &prediction_out->p50, err);
    if (rc == DC_OK)
        rc = short_quantile(&lent, 0.95, &prediction_out->p95, err);
    if (rc == DC_OK)
        rc = predict_hours(profile, now, prediction_out, err);
    if (rc != DC_OK)
        msg_prediction_dispose(prediction_out);
    return rc;
}
