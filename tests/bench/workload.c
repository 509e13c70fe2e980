/* VMs from a seed: W(t) = S (1 - exp(-d t / S)) of a working set S at d pages/s, scaled anew in each burst. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/workload.h"

#include "base/units.h"
#include "planner/vm_cost.h"

#include <math.h>
#include <stdlib.h>

static const double gib = 1024.0 * 1024 * 1024;
static const double least_bytes = 2.0 * 1024 * 1024 * 1024;
static const double first_window_s = 0.125;
static const double slack_s = 0.02; /* every budget leaves this much */
enum { N_BURSTS = 4, N_WINDOWS = 10, MOST_DRAWS = 100 };

uint64_t workload_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

double workload_uniform(uint64_t *state, double low, double high) {
    return low + (high - low) * ((double)(workload_random(state) >> 11) * 0x1p-53);
}

void workload_size(uint64_t *state, double most_bytes, struct problem_vm *vm) {
    static const double sizes_gib[] = {2, 2, 4, 4, 4, 8, 8, 8, 16, 16, 32, 64};
    const size_t pick = (size_t)(workload_random(state) % (sizeof(sizes_gib) / sizeof(*sizes_gib)));
    *vm = (struct problem_vm){
        .memory_bytes = sizes_gib[pick] * gib <= most_bytes ? sizes_gib[pick] * gib : least_bytes,
        .cpu_cores = workload_uniform(state, 0.2, 2),
        .priority = (double)(workload_random(state) % 3),
        .to = PROBLEM_ANY,
        .downtime_budget_s = INFINITY,
        .max_bandwidth_bytes_per_s = INFINITY,
    };
}

static enum dc_status add_bursts(uint64_t *state, double set_pages, double pages_per_s, struct dirty_profile *profile,
                                 struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (int burst = 0; rc == DC_OK && burst < N_BURSTS; burst++) {
        struct dirty_point points[N_WINDOWS];
        const struct dirty_curve curve = {N_WINDOWS, points};
        const double rate = pages_per_s * workload_uniform(state, 0.6, 1.4);
        for (int i = 0; i < N_WINDOWS; i++) {
            const double window_s = first_window_s * pow(2, i);
            points[i] = (struct dirty_point){window_s, floor(set_pages * (1 - exp(-rate * window_s / set_pages)))};
        }
        rc = dirty_profile_add(profile, 0, &curve, err);
    }
    return rc;
}

/* As the planner does it, from the profile to the points. */
static enum dc_status make_costs(const struct fleet_vm *vm, double nic_bytes_per_s, struct problem_cost *costs,
                                 struct dc_error *err) {
    struct prediction prediction = {0};
    enum vm_cost_source source = VM_COST_UNKNOWN;
    enum dc_status rc = vm_cost_predict(vm, nic_bytes_per_s, &prediction, &source, err);
    for (size_t q = 0; rc == DC_OK && q < PROBLEM_N_QUANTILES; q++)
        rc = vm_cost_points(vm, &prediction, (enum problem_quantile)q, &costs[q], err);
    prediction_dispose(&prediction);
    return rc;
}

static enum dc_status draw_costs(uint64_t *state, double nic_bytes_per_s, struct problem_vm *vm, struct dc_error *err) {
    static const char *const policies[] = {"xen-v2", "xen-v2", "qemu", "qemu", "xapi"};
    char name[] = "made-up";
    const double pages = vm->memory_bytes / UNITS_PAGE_BYTES;
    const double set_pages = pages * workload_uniform(state, 0.005, 0.12);
    const double rate = nic_bytes_per_s / UNITS_PAGE_BYTES * exp(workload_uniform(state, log(0.001), log(0.25)));
    struct fleet_vm made = {.name = name, .state = FLEET_VM_RUNNING, .memory_bytes = vm->memory_bytes};
    made.has_policy = made.has_overhead = true;
    made.overhead.pre_ms = workload_uniform(state, 300, 1000);
    made.overhead.post_ms = workload_uniform(state, 20, 200);
    made.profile.kind = DIRTY_PROFILE_CURVE;
    const size_t policy = workload_random(state) % (sizeof(policies) / sizeof(*policies));
    enum dc_status rc = stop_policy_init(&made.policy, policies[policy], err);
    if (rc == DC_OK)
        rc = add_bursts(state, set_pages, rate, &made.profile, err);
    if (rc == DC_OK)
        rc = make_costs(&made, nic_bytes_per_s, vm->cost, err);
    dirty_profile_dispose(&made.profile);
    return rc;
}

static bool converges(const struct problem_vm *vm, double nic_bytes_per_s) {
    for (size_t q = 0; q < PROBLEM_N_QUANTILES; q++)
        if (!isfinite(problem_cost_duration_s(&vm->cost[q], 0.9 * nic_bytes_per_s)))
            return false;
    return true;
}

enum dc_status workload_price(uint64_t *state, double nic_bytes_per_s, double budget_frac, struct problem_vm *vm,
                              struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (int draw = 0; rc == DC_OK && draw < MOST_DRAWS && (draw == 0 || !converges(vm, nic_bytes_per_s)); draw++) {
        for (size_t q = 0; q < PROBLEM_N_QUANTILES; q++)
            free(vm->cost[q].points);
        rc = draw_costs(state, nic_bytes_per_s, vm, err);
    }
    struct problem_cost_point best;
    if (rc == DC_OK && workload_uniform(state, 0, 1) < budget_frac &&
        problem_cost_at(&vm->cost[PROBLEM_P95], nic_bytes_per_s, &best))
        vm->downtime_budget_s = vm->cost[PROBLEM_P95].post_s + slack_s + best.stop_s * workload_uniform(state, 1.2, 4);
    return rc;
}
