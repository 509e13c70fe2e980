/* The plan's clock runs from the plan's start, the simulation's from the step's. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_replay.h"

#include "base/units.h"
#include "model/precopy.h"
#include "planner/vm_storage.h"

#include <math.h>
#include <stdlib.h>

/* The rates up to the last page; false where one of them is nothing (a pause the
 * simulation does not know). */
static bool copy_rates(const struct plan_step *step, struct bandwidth_step *rates, size_t *n_rates_out) {
    size_t n = step->n_rates;
    while (n > 0 && step->rates[n - 1].bytes_per_s <= 0)
        n--;
    for (size_t i = 0; i < n; i++) {
        if (step->rates[i].bytes_per_s <= 0)
            return false;
        rates[i] = (struct bandwidth_step){.from_s = fmax(0, step->rates[i].from_ms - step->start_ms) / 1e3,
                                           .bytes_per_s = step->rates[i].bytes_per_s};
    }
    *n_rates_out = n;
    return n > 0;
}

/* The plan's clock counts from the order: until the migration begins nothing is sent. */
static enum dc_status simulate(const struct fleet_vm *vm, double q_frac, const struct bandwidth_step *rates,
                               size_t n_rates, double *migration_ms_out, struct dc_error *err) {
    struct dirty_curve curve = {0};
    struct precopy_result result;
    enum dc_status rc = dirty_profile_quantile(&vm->profile, q_frac, &curve, err);
    if (rc != DC_OK)
        return rc;
    struct precopy_vm precopy = {
        .memory_pages = ceil(vm->memory_bytes / UNITS_PAGE_BYTES),
        .zero_pages = vm->profile.zero_pages,
        .curve = &curve,
        .trace = vm->profile.trace,
        .policy = vm->policy,
        .overhead = vm->overhead,
        .storage = vm_storage_of(vm),
    };
    precopy.overhead.pre_ms += vm->startup_ms;
    rc = precopy_simulate(&precopy, rates, n_rates, &result, err);
    if (rc == DC_OK)
        *migration_ms_out = 1e3 * result.migration_s;
    dirty_curve_dispose(&curve);
    return rc;
}

enum dc_status plan_replay_step(const struct plan_step *step, const struct fleet_vm *vm, double *migration_ms_out,
                                struct dc_error *err) {
    *migration_ms_out = 0;
    if (vm->profile.kind == DIRTY_PROFILE_NONE || !vm->has_policy || vm->state != FLEET_VM_RUNNING)
        return DC_OK;
    size_t n_rates = 0;
    struct prediction_quantiles migration_ms = {0};
    struct bandwidth_step *rates = calloc(step->n_rates + 1, sizeof(*rates));
    if (rates == NULL)
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    if (!copy_rates(step, rates, &n_rates))
        goto out;
    rc = simulate(vm, 0.5, rates, n_rates, &migration_ms.p50, err);
    if (rc == DC_OK)
        rc = simulate(vm, 0.95, rates, n_rates, &migration_ms.p95, err);
    if (rc == DC_OK)
        *migration_ms_out = calibration_widen(migration_ms, vm->spread_frac).p95;
out:
    free(rates);
    return rc;
}
