/* VMs to problem VMs. A VM that cannot be planned stays and becomes a conflict;
 * the others are planned all the same. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/question_vm.h"

#include "planner/question_net.h"
#include "planner/vm_cost.h"
#include "planner/vm_storage.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const double fallback_bandwidth_bytes_per_s = 125e6; /* no path at all: only for the conflict's text */

/* Leaves the VM where it is and says why. */
static enum dc_status leave(struct question *question, size_t index, struct dc_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static enum dc_status leave(struct question *question, size_t index, struct dc_error *err, const char *format, ...) {
    const struct fleet_vm *vm = &question->fleet->vms[index];
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    question->problem.vms[index].moves = false;
    json_t *conflict = json_pack("{s:s, s:{s:s}, s:[{s:s, s:s}]}", "what", text, "needs", "vm", vm->uuid, "relax",
                                 "change", "exclude", "to", vm->name);
    if (conflict == NULL || json_array_append_new(question->conflicts, conflict) != 0)
        return error_set_nomem(err);
    return DC_OK;
}

static bool has_feature(const struct fleet_host *host, const char *feature) {
    for (size_t i = 0; i < host->n_cpu_features; i++) {
        if (strcmp(host->cpu_features[i], feature) == 0)
            return true;
    }
    return false;
}

static bool host_fits(const struct question *question, size_t vm_index, size_t host_index) {
    const struct fleet_vm *vm = &question->fleet->vms[vm_index];
    if (host_index == vm->host || !question->problem.hosts[host_index].receives)
        return false;
    for (size_t i = 0; i < vm->n_cpu_features; i++) {
        if (!has_feature(&question->fleet->hosts[host_index], vm->cpu_features[i]))
            return false;
    }
    return true;
}

/* The VM's figures that hold whether it moves or not. */
static void fill(const struct question *question, size_t index) {
    const struct fleet_vm *vm = &question->fleet->vms[index];
    struct problem_vm *to = &question->problem.vms[index];
    const bool off = vm->state == FLEET_VM_SHUTOFF; /* holds neither memory nor cores until it is started */
    const double max_downtime_ms = question->goal->max_downtime_ms;
    double budget_ms = vm->downtime_budget_ms >= 0 ? vm->downtime_budget_ms : INFINITY;
    if (max_downtime_ms > 0)
        budget_ms = fmin(budget_ms, max_downtime_ms);
    to->memory_bytes = off ? 0 : vm->memory_bytes;
    to->cpu_cores = off ? 0 : vm->cpu_cores_used;
    to->host = vm->host;
    to->downtime_budget_s = off ? INFINITY : budget_ms / 1e3;
    to->priority = vm->priority;
    to->max_bandwidth_bytes_per_s = vm_cost_cap(vm);
}

static enum dc_status warn_of_storage(struct question *question, const struct fleet_vm *vm, struct dc_error *err) {
    const struct storage_disk *disk = vm_storage_unknown(vm);
    if (disk == NULL)
        return DC_OK;
    return question_warn(question, err, "VM %s has a local disk (%s) and %s: the time to copy it is not in the plan",
                         vm->name, disk->name, vm->state == FLEET_VM_SHUTOFF ? "is shut off" : "no stop policy");
}

/* Nothing it can use is enough: is it for its disks, or for its memory? */
static enum dc_status leave_endless(struct question *question, size_t index, struct dc_error *err) {
    const struct fleet_vm *vm = &question->fleet->vms[index];
    const struct prediction *prediction = &question->predictions[index];
    const double most = prediction->points[prediction->n_points - 1].bandwidth_bytes_per_s;
    if (!vm_storage_cost(vm, most).converges)
        return leave(question, index, err,
                     "VM %s writes to its local disks faster than any bandwidth it can use carries it: its migration "
                     "does not converge",
                     vm->name);
    return leave(question, index, err,
                 "VM %s dirties memory faster than any bandwidth it can use carries it: its migration does not "
                 "converge",
                 vm->name);
}

/* Says what is uncertain about a VM's costs, or leaves it where it stands. */
static enum dc_status judge(struct question *question, size_t index, enum vm_cost_source source, struct dc_error *err) {
    const struct fleet_vm *vm = &question->fleet->vms[index];
    if (source == VM_COST_UNKNOWN)
        return leave(question, index, err,
                     "VM %s has neither a prediction nor a profile, and %s%s: its migration cannot be predicted",
                     vm->name, vm->has_policy ? "nothing bounds the migration under its policy " : "no stop policy",
                     vm->has_policy ? vm->policy.policy->name : "");
    if (source == VM_COST_WORST_CASE)
        return question_warn(question, err,
                             "VM %s has neither a prediction nor a profile: planned for the worst its policy %s allows "
                             "(all memory in every round)",
                             vm->name, vm->policy.policy->name);
    if (source != VM_COST_NOTHING && question->problem.vms[index].cost[PROBLEM_P95].n_points == 0)
        return leave_endless(question, index, err);
    return DC_OK;
}

static enum dc_status price(struct question *question, size_t index, struct dc_error *err) {
    const struct fleet_vm *vm = &question->fleet->vms[index];
    struct problem_vm *to = &question->problem.vms[index];
    struct prediction *prediction = &question->predictions[index];
    enum vm_cost_source source = VM_COST_UNKNOWN;
    double best = question_net_best_bandwidth(&question->problem, vm->host);
    if (best <= 0)
        best = fallback_bandwidth_bytes_per_s;
    enum dc_status rc = vm_cost_predict(vm, best, prediction, &source, err);
    if (rc == DC_OK)
        rc = vm_cost_points(vm, prediction, PROBLEM_P50, &to->cost[PROBLEM_P50], err);
    if (rc == DC_OK)
        rc = vm_cost_points(vm, prediction, PROBLEM_P95, &to->cost[PROBLEM_P95], err);
    if (question->goal->risk_frac > 0)
        vm_cost_at_risk(&to->cost[PROBLEM_P50], question->goal->risk_frac, &to->cost[PROBLEM_P95]);
    return rc == DC_OK ? judge(question, index, source, err) : rc;
}

static enum dc_status build_moving(struct question *question, size_t index, struct dc_error *err) {
    const struct fleet_vm *vm = &question->fleet->vms[index];
    struct problem_vm *to = &question->problem.vms[index];
    if (question->kept[index]) {
        to->moves = false;
        return question_warn(question, err, "VM %s stays on host %s, as asked", vm->name,
                             question->fleet->hosts[vm->host].name);
    }
    if (to->to == (long)vm->host) {
        to->moves = false;
        return question_warn(question, err, "VM %s is on host %s already", vm->name,
                             question->fleet->hosts[vm->host].name);
    }
    if (vm->state == FLEET_VM_MIGRATING)
        return leave(question, index, err, "VM %s is being migrated at this moment: ask again when it has arrived",
                     vm->name);
    const struct storage_disk *obstacle = vm_storage_obstacle(vm);
    if (obstacle != NULL)
        return leave(
            question, index, err,
            "VM %s has a local disk (%s), and the toolstack of its policy %s does not move disks: it cannot be "
            "migrated live",
            vm->name, obstacle->name, vm->policy.policy->name);
    const enum dc_status rc = goal_is_choice(question->goal) ? DC_OK : price(question, index, err);
    if (rc != DC_OK || !to->moves)
        return rc;
    unsigned char *allowed = &question->problem.allowed[index * question->problem.n_hosts];
    for (size_t i = 0; i < question->problem.n_hosts; i++)
        allowed[i] = host_fits(question, index, i);
    return warn_of_storage(question, vm, err);
}

enum dc_status question_vm_build(struct question *question, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < question->fleet->n_vms; i++) {
        fill(question, i);
        if (question->problem.vms[i].moves)
            rc = build_moving(question, i, err);
    }
    return rc;
}
