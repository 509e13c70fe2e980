/*
 * Costs of one VM: predictions on a grid, and cost points from them.
 *
 *   live + stop = migration time - pre - post,   stop = downtime - post
 *   volume(b)   = b x (live + stop), non-increasing in b after the running maximum;
 *                 then the time, volume / b, decreases too.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/vm_cost.h"

#include "base/units.h"
#include "planner/vm_storage.h"
#include "solver/cost_spread.h"

#include <math.h>
#include <stdlib.h>

enum {
    GRID_POINTS = 16,      /* up to the best bandwidth the VM can get */
    GRID_SPAN = 128,       /* best over lowest bandwidth */
    GRID_POINTS_ABOVE = 3, /* each twice the one before */
};

static const double p95_frac = 0.95;
static const double shortest_transfer_s = 1e-3; /* predictions are whole milliseconds */

double vm_cost_cap(const struct fleet_vm *vm) {
    return vm->has_policy && vm->policy.max_bandwidth_bytes_per_s > 0 ? vm->policy.max_bandwidth_bytes_per_s : INFINITY;
}

static enum dc_status predict_with(const struct fleet_vm *vm, const struct dirty_profile *profile,
                                   const double *bandwidths, size_t n, struct prediction *prediction_out,
                                   struct dc_error *err) {
    const struct prediction_input input = {
        .memory_pages = ceil(vm->memory_bytes / UNITS_PAGE_BYTES),
        .profile = profile,
        .policy = vm->policy,
        .overhead = vm->overhead,
        .storage = vm_storage_of(vm),
        .model = PREDICTION_HIST,
    };
    const enum dc_status rc = prediction_make(&input, bandwidths, n, 0, prediction_out, err);
    if (rc != DC_OK)
        (void)error_prefix(err, "VM %s", vm->name);
    for (size_t i = 0; rc == DC_OK && i < prediction_out->n_points; i++) {
        struct prediction_point *point = &prediction_out->points[i];
        point->migration_ms = calibration_widen(point->migration_ms, vm->spread_frac);
        point->downtime_ms = calibration_widen(point->downtime_ms, vm->spread_frac);
    }
    return rc;
}

enum dc_status vm_cost_from_profile(const struct fleet_vm *vm, const double *bandwidths_bytes_per_s, size_t n,
                                    struct prediction *prediction_out, struct dc_error *err) {
    *prediction_out = (struct prediction){0};
    if (!vm->has_policy || vm->profile.kind == DIRTY_PROFILE_NONE)
        return error_set(err, DC_ENOTFOUND, "VM %s has no %s", vm->name, vm->has_policy ? "profile" : "stop policy");
    return predict_with(vm, &vm->profile, bandwidths_bytes_per_s, n, prediction_out, err);
}

static void make_grid(double high_bytes_per_s, double *bandwidths_out) {
    prediction_grid(high_bytes_per_s / GRID_SPAN, high_bytes_per_s, GRID_POINTS, bandwidths_out);
    for (size_t i = GRID_POINTS; i < GRID_POINTS + GRID_POINTS_ABOVE; i++)
        bandwidths_out[i] = 2 * bandwidths_out[i - 1];
}

static bool converges_anywhere(const struct prediction *prediction) {
    for (size_t i = 0; i < prediction->n_points; i++) {
        if (prediction->points[i].converges)
            return true;
    }
    return false;
}

/* Every round finds all memory dirty again: what a policy with a limit of
 * rounds can cost at most. */
static enum dc_status predict_worst_case(const struct fleet_vm *vm, const double *bandwidths, size_t n,
                                         struct prediction *prediction_out, enum vm_cost_source *source_out,
                                         struct dc_error *err) {
    const double memory_pages = ceil(vm->memory_bytes / UNITS_PAGE_BYTES);
    const struct dirty_profile everything = {
        .kind = DIRTY_PROFILE_RATE, .pages_per_s = 1e6 * memory_pages, .working_set_pages = memory_pages};
    const enum dc_status rc = predict_with(vm, &everything, bandwidths, n, prediction_out, err);
    *source_out = VM_COST_WORST_CASE;
    if (rc == DC_OK && !converges_anywhere(prediction_out)) {
        prediction_dispose(prediction_out);
        *source_out = VM_COST_UNKNOWN;
    }
    return rc;
}

enum dc_status vm_cost_predict(const struct fleet_vm *vm, double high_bytes_per_s, struct prediction *prediction_out,
                               enum vm_cost_source *source_out, struct dc_error *err) {
    double bandwidths[GRID_POINTS + GRID_POINTS_ABOVE];
    *prediction_out = (struct prediction){0};
    if (vm->state == FLEET_VM_SHUTOFF) {
        *source_out = VM_COST_NOTHING;
        return DC_OK;
    }
    const double cap = vm_cost_cap(vm);
    make_grid(high_bytes_per_s < cap ? high_bytes_per_s : cap, bandwidths);
    const size_t n = sizeof(bandwidths) / sizeof(bandwidths[0]);
    if (vm->state == FLEET_VM_PAUSED && vm->has_policy) {
        const struct dirty_profile still = {.kind = DIRTY_PROFILE_RATE, .zero_pages = vm->profile.zero_pages};
        *source_out = VM_COST_PROFILE;
        return predict_with(vm, &still, bandwidths, n, prediction_out, err);
    }
    if (vm->prediction.n_points > 0) {
        *source_out = VM_COST_PREDICTION;
        return vm_storage_prediction(vm, prediction_out, err);
    }
    if (!vm->has_policy) {
        *source_out = VM_COST_UNKNOWN;
        return DC_OK;
    }
    if (vm->profile.kind == DIRTY_PROFILE_NONE)
        return predict_worst_case(vm, bandwidths, n, prediction_out, source_out, err);
    *source_out = VM_COST_PROFILE;
    return vm_cost_from_profile(vm, bandwidths, n, prediction_out, err);
}

static struct problem_cost_point point_at(const struct fleet_vm *vm, const struct prediction_point *point,
                                          enum problem_quantile quantile) {
    const bool p95 = quantile == PROBLEM_P95;
    const double pre_ms = vm->has_overhead ? vm->overhead.pre_ms : 0;
    const double post_ms = vm->has_overhead ? vm->overhead.post_ms : 0;
    const double migration_ms = p95 ? point->migration_ms.p95 : point->migration_ms.p50;
    const double downtime_ms = p95 ? point->downtime_ms.p95 : point->downtime_ms.p50;
    const double stop_s = fmax(0, (downtime_ms - post_ms) / 1e3);
    const double all_s = fmax((migration_ms - pre_ms - post_ms) / 1e3, fmax(stop_s, shortest_transfer_s));
    return (struct problem_cost_point){
        .bandwidth_bytes_per_s = point->bandwidth_bytes_per_s, .live_s = all_s - stop_s, .stop_s = stop_s};
}

/* From the highest bandwidth down: neither the volume nor the stop-and-copy falls. */
static void make_monotone(struct problem_cost *cost) {
    double volume_bytes = 0;
    double stop_s = 0;
    for (size_t i = cost->n_points; i-- > 0;) {
        struct problem_cost_point *point = &cost->points[i];
        stop_s = fmax(stop_s, point->stop_s);
        const double all_s = fmax(point->live_s + point->stop_s, stop_s);
        volume_bytes = fmax(volume_bytes, point->bandwidth_bytes_per_s * all_s);
        point->stop_s = stop_s;
        point->live_s = fmax(0, volume_bytes / point->bandwidth_bytes_per_s - stop_s);
    }
}

enum dc_status vm_cost_points(const struct fleet_vm *vm, const struct prediction *prediction,
                              enum problem_quantile quantile, struct problem_cost *cost_out, struct dc_error *err) {
    *cost_out = (struct problem_cost){0};
    if (prediction->n_points == 0)
        return DC_OK;
    cost_out->pre_s = (vm->startup_ms + (vm->has_overhead ? vm->overhead.pre_ms : 0)) / 1e3;
    cost_out->post_s = vm->has_overhead ? vm->overhead.post_ms / 1e3 : 0;
    cost_out->points = calloc(prediction->n_points, sizeof(*cost_out->points));
    if (cost_out->points == NULL)
        return error_set_nomem(err);
    const double cap = vm_cost_cap(vm);
    for (size_t i = 0; i < prediction->n_points; i++) {
        /* Beyond its cap a VM only wastes bandwidth: such points would read as
         * volume. The first point alone stands for the cap where all lie beyond it. */
        if (i > 0 && prediction->points[i].bandwidth_bytes_per_s > cap)
            break;
        if (!prediction->points[i].converges)
            continue;
        struct problem_cost_point *point = &cost_out->points[cost_out->n_points++];
        *point = point_at(vm, &prediction->points[i], quantile);
        point->bandwidth_bytes_per_s = fmin(point->bandwidth_bytes_per_s, cap);
    }
    make_monotone(cost_out);
    return DC_OK;
}

void vm_cost_at_risk(const struct problem_cost *median, double risk_frac, struct problem_cost *cost) {
    const double weight = cost_spread_deviations(1 - risk_frac) / cost_spread_deviations(p95_frac);
    cost_spread_at(median, cost, weight, cost);
}
