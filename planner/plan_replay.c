/* The plan's clock runs from the plan's start, the simulation's from the step's. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_replay.h"

#include "base/units.h"
#include "model/precopy.h"

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

enum dc_status plan_replay_step(const struct plan_step *step, const struct fleet_vm *vm, double *migration_ms_out,
                                struct dc_error *err) {
    *migration_ms_out = 0;
    if (vm->profile.kind == DIRTY_PROFILE_NONE || !vm->has_policy || vm->state != FLEET_VM_RUNNING)
        return DC_OK;
    size_t n_rates = 0;
    struct dirty_curve curve = {0};
    struct precopy_result result;
    struct bandwidth_step *rates = calloc(step->n_rates + 1, sizeof(*rates));
    if (rates == NULL)
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    if (!copy_rates(step, rates, &n_rates))
        goto out;
    rc = dirty_profile_quantile(&vm->profile, 0.95, &curve, err);
    if (rc != DC_OK)
        goto out;
    const struct precopy_vm precopy = {
        .memory_pages = ceil(vm->memory_bytes / UNITS_PAGE_BYTES),
        .zero_pages = vm->profile.zero_pages,
        .curve = &curve,
        .policy = vm->policy,
        .overhead = vm->overhead,
    };
    rc = precopy_simulate(&precopy, rates, n_rates, &result, err);
    if (rc == DC_OK)
        *migration_ms_out = 1e3 * result.migration_s;
out:
    dirty_curve_dispose(&curve);
    free(rates);
    return rc;
}
