/* Disks go before the memory; what is written to them goes beside it. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/vm_storage.h"

#include <math.h>

static const double LEAST_LEFT_FRAC = 0.01; /* for memory beside mirrored writes, as in model/precopy.c */

struct storage vm_storage_of(const struct fleet_vm *vm) {
    return (struct storage){.n_disks = vm->n_storage, .disks = vm->storage, .is_still = vm->state == FLEET_VM_PAUSED};
}

const struct storage_disk *vm_storage_obstacle(const struct fleet_vm *vm) {
    const struct storage storage = vm_storage_of(vm);
    const bool stays =
        vm->state != FLEET_VM_SHUTOFF && vm->has_policy && vm->policy.policy->storage == STOP_POLICY_STORAGE_STAYS;
    return stays ? storage_first_local(&storage) : NULL;
}

const struct storage_disk *vm_storage_unknown(const struct fleet_vm *vm) {
    const struct storage storage = vm_storage_of(vm);
    return vm->state == FLEET_VM_SHUTOFF || !vm->has_policy ? storage_first_local(&storage) : NULL;
}

struct storage_cost vm_storage_cost(const struct fleet_vm *vm, double bandwidth_bytes_per_s) {
    const struct storage storage = vm_storage_of(vm);
    if (!vm->has_policy)
        return (struct storage_cost){.converges = true};
    return storage_cost_at(&storage, &vm->policy, bandwidth_bytes_per_s);
}

static void delay(struct prediction_quantiles *quantiles_ms, double ms) {
    quantiles_ms->p50 += ms;
    quantiles_ms->p90 += ms;
    quantiles_ms->p95 += ms;
}

/* The point at its bandwidth from the prediction of memory alone. */
static struct prediction_point with_disks(const struct prediction *memory, double bandwidth_bytes_per_s, double pre_ms,
                                          const struct storage_cost *cost) {
    struct prediction_point point = {.n_rounds = 0};
    const double left = fmax(bandwidth_bytes_per_s - cost->mirror_bytes_per_s, LEAST_LEFT_FRAC * bandwidth_bytes_per_s);
    (void)prediction_at(memory, left, &point); /* it has points, and `left` is above 0 */
    const double live_ms = fmax(point.migration_ms.p50 - point.downtime_ms.p50 - pre_ms, 0);
    point.bandwidth_bytes_per_s = bandwidth_bytes_per_s;
    point.bytes += cost->bytes + cost->mirror_bytes_per_s * live_ms / 1e3;
    point.converges = point.converges && cost->converges;
    delay(&point.migration_ms, 1e3 * cost->duration_s);
    return point;
}

enum dc_status vm_storage_prediction(const struct fleet_vm *vm, struct prediction *prediction_out,
                                     struct dc_error *err) {
    const struct storage storage = vm_storage_of(vm);
    enum dc_status rc = storage_check(&storage, err);
    if (rc != DC_OK)
        return error_prefix(err, "VM %s", vm->name);
    rc = prediction_copy(&vm->prediction, prediction_out, err);
    for (size_t i = 0; rc == DC_OK && i < prediction_out->n_points; i++) {
        const double bandwidth = vm->prediction.points[i].bandwidth_bytes_per_s;
        const struct storage_cost cost = vm_storage_cost(vm, bandwidth);
        if (cost.bytes > 0)
            prediction_out->points[i] = with_disks(&vm->prediction, bandwidth, vm->overhead.pre_ms, &cost);
    }
    return rc;
}
