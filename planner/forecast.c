/* From the profile where there is one (any bandwidth can be asked), else
 * between the points of the published grid. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/forecast.h"

#include "base/units.h"
#include "model/calibration.h"
#include "planner/question_net.h"
#include "planner/vm_cost.h"
#include "planner/vm_storage.h"

#include <math.h>
#include <stdlib.h>

enum { SHOWN_POINTS = 10, SHOWN_SPAN = 64, FINE_POINTS = 48, FINE_SPAN = 256, FINE_ABOVE = 4 };

static const double fallback_nic_bytes_per_s = 125e6; /* a host without a link */

void forecast_dispose(struct forecast *forecast) {
    prediction_dispose(&forecast->prediction);
    *forecast = (struct forecast){0};
}

double forecast_nic(const struct fleet *fleet, const struct fleet_vm *vm) {
    const double nic = question_net_nic(fleet, vm->host);
    return nic > 0 ? nic : fallback_nic_bytes_per_s;
}

bool forecast_has_profile(const struct fleet_vm *vm) {
    return vm->has_policy && vm->profile.kind != DIRTY_PROFILE_NONE;
}

struct prediction_input forecast_input(const struct fleet_vm *vm) {
    return (struct prediction_input){
        .memory_pages = ceil(vm->memory_bytes / UNITS_PAGE_BYTES),
        .profile = &vm->profile,
        .policy = vm->policy,
        .overhead = vm->overhead,
        .storage = vm_storage_of(vm),
        .model = PREDICTION_HIST,
    };
}

enum dc_status forecast_predict(const struct fleet_vm *vm, const struct prediction_input *input,
                                const double *bandwidths_bytes_per_s, size_t n, struct prediction *prediction_out,
                                struct dc_error *err) {
    const enum dc_status rc = prediction_make(input, bandwidths_bytes_per_s, n, 0, prediction_out, err);
    if (rc != DC_OK)
        return error_prefix(err, "VM %s", vm->name);
    for (size_t i = 0; i < prediction_out->n_points; i++) {
        struct prediction_point *point = &prediction_out->points[i];
        point->migration_ms = calibration_widen(point->migration_ms, vm->spread_frac);
        point->downtime_ms = calibration_widen(point->downtime_ms, vm->spread_frac);
    }
    return DC_OK;
}

static bool uses_profile(const struct fleet_vm *vm, const struct forecast_wish *wish) {
    return forecast_has_profile(vm) && !(wish->from_prediction && vm->prediction.n_points > 0);
}

static enum dc_status interpolate(const struct fleet_vm *vm, const double *bandwidths, size_t n,
                                  struct prediction *prediction_out, struct dc_error *err) {
    struct prediction published;
    enum dc_status rc = vm_storage_prediction(vm, &published, err);
    if (rc != DC_OK)
        return rc;
    prediction_out->made_unix_ms = published.made_unix_ms;
    prediction_out->points = calloc(n + 1, sizeof(*prediction_out->points));
    if (prediction_out->points == NULL)
        rc = error_set_nomem(err);
    for (size_t i = 0; rc == DC_OK && i < n; i++) {
        if (prediction_at(&published, bandwidths[i], &prediction_out->points[prediction_out->n_points]))
            prediction_out->n_points++;
    }
    prediction_dispose(&published);
    return rc;
}

static enum dc_status predict_at(const struct fleet *fleet, const struct fleet_vm *vm, const struct forecast_wish *wish,
                                 const double *bandwidths, size_t n, struct prediction *prediction_out,
                                 struct dc_error *err) {
    *prediction_out = (struct prediction){0};
    if (!uses_profile(vm, wish))
        return interpolate(vm, bandwidths, n, prediction_out, err);
    const enum dc_status rc = vm_cost_from_profile(vm, bandwidths, n, prediction_out, err);
    prediction_out->made_unix_ms = fleet->taken_unix_ms;
    return rc;
}

static enum dc_status find_lowest(const struct fleet *fleet, const struct fleet_vm *vm,
                                  const struct forecast_wish *wish, double nic, double *lowest_out,
                                  struct dc_error *err) {
    double bandwidths[FINE_POINTS];
    struct prediction prediction;
    prediction_grid(nic / FINE_SPAN, FINE_ABOVE * nic, FINE_POINTS, bandwidths);
    const double budget_ms = wish->max_downtime_ms > 0 ? wish->max_downtime_ms : fmax(0, vm->downtime_budget_ms);
    const enum dc_status rc = predict_at(fleet, vm, wish, bandwidths, FINE_POINTS, &prediction, err);
    if (rc == DC_OK)
        *lowest_out = prediction_lowest_bandwidth(&prediction, budget_ms);
    prediction_dispose(&prediction);
    return rc;
}

enum dc_status forecast_make(const struct fleet *fleet, const struct fleet_vm *vm, const struct forecast_wish *wish,
                             struct forecast *forecast_out, struct dc_error *err) {
    double grid[SHOWN_POINTS];
    const double *bandwidths = wish->bandwidths_bytes_per_s;
    size_t n = wish->n_bandwidths;
    *forecast_out = (struct forecast){0};
    if (!uses_profile(vm, wish) && vm->prediction.n_points == 0)
        return DC_OK;
    const double nic = forecast_nic(fleet, vm);
    if (n == 0) {
        n = wish->nic_only ? 1 : SHOWN_POINTS;
        prediction_grid(wish->nic_only ? nic : nic / SHOWN_SPAN, nic, n, grid);
        grid[n - 1] = nic;
        bandwidths = grid;
    }
    enum dc_status rc = predict_at(fleet, vm, wish, bandwidths, n, &forecast_out->prediction, err);
    if (rc == DC_OK)
        rc = find_lowest(fleet, vm, wish, nic, &forecast_out->lowest_bytes_per_s, err);
    forecast_out->known = rc == DC_OK;
    if (rc != DC_OK)
        forecast_dispose(forecast_out);
    return rc;
}
