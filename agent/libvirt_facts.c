/* One call lists all with their statistics; what it does not tell is asked of each guest. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/libvirt_facts.h"

#include "base/clock.h"

#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double mib = 1024.0 * 1024.0;
/* MiB/s and above: what libvirt calls no limit. */
static const unsigned long unlimited_mib_per_s = 8796093022207UL;

void libvirt_facts_dispose(struct libvirt_facts *facts) {
    for (size_t i = 0; i < facts->n_vms; i++)
        free(facts->vms[i].name);
    free(facts->vms);
    *facts = (struct libvirt_facts){.n_vms = 0};
}

const struct libvirt_vm *libvirt_facts_find(const struct libvirt_facts *facts, const char *uuid) {
    for (size_t i = 0; i < facts->n_vms; i++)
        if (strcmp(facts->vms[i].uuid, uuid) == 0)
            return &facts->vms[i];
    return NULL;
}

static bool same_number(double a, double b) {
    return !(a < b) && !(b < a);
}

static bool same_vm(const struct libvirt_vm *a, const struct libvirt_vm *b) {
    return strcmp(a->name, b->name) == 0 && a->state == b->state && same_number(a->memory_bytes, b->memory_bytes) &&
           same_number(a->vcpus, b->vcpus) && same_number(a->downtime_limit_ms, b->downtime_limit_ms) &&
           same_number(a->max_bandwidth_bytes_per_s, b->max_bandwidth_bytes_per_s);
}

bool libvirt_facts_same(const struct libvirt_facts *a, const struct libvirt_facts *b) {
    if (a->n_vms != b->n_vms || !same_number(a->cpus, b->cpus) || !same_number(a->memory_bytes, b->memory_bytes))
        return false;
    for (size_t i = 0; i < a->n_vms; i++) {
        const struct libvirt_vm *other = libvirt_facts_find(b, a->vms[i].uuid);
        if (other == NULL || !same_vm(&a->vms[i], other))
            return false;
    }
    return true;
}

/* A save or a snapshot is a job, too. */
static bool leaves(virDomainPtr domain) {
    int type = VIR_DOMAIN_JOB_NONE;
    int n_params = 0;
    int operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
    virTypedParameterPtr params = NULL;
    const bool goes = virDomainGetJobStats(domain, &type, &params, &n_params, 0) == 0 &&
                      (type == VIR_DOMAIN_JOB_BOUNDED || type == VIR_DOMAIN_JOB_UNBOUNDED) &&
                      virTypedParamsGetInt(params, n_params, VIR_DOMAIN_JOB_OPERATION, &operation) == 1 &&
                      operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
    virTypedParamsFree(params, n_params);
    return goes;
}

/* Whether it is this host's. */
static bool take_state(const virDomainStatsRecord *record, bool was_here, struct libvirt_vm *vm) {
    int state = VIR_DOMAIN_NOSTATE;
    int reason = 0;
    if (virTypedParamsGetInt(record->params, record->nparams, "state.state", &state) != 1 ||
        virTypedParamsGetInt(record->params, record->nparams, "state.reason", &reason) != 1)
        return false;
    vm->state = state == VIR_DOMAIN_RUNNING || state == VIR_DOMAIN_BLOCKED ? FLEET_VM_RUNNING : FLEET_VM_PAUSED;
    /* Both ends of a migration show this at its end: only the old host had it before. */
    if (state == VIR_DOMAIN_PAUSED && !was_here &&
        (reason == VIR_DOMAIN_PAUSED_MIGRATION || reason == VIR_DOMAIN_PAUSED_STARTING_UP))
        return false;
    if (leaves(record->dom))
        vm->state = FLEET_VM_MIGRATING;
    return vm->state != FLEET_VM_PAUSED || state == VIR_DOMAIN_PAUSED;
}

static void take_numbers(const virDomainStatsRecord *record, const struct libvirt_facts *before,
                         struct libvirt_vm *vm) {
    unsigned long long memory_kib = 0;
    unsigned long long time_ns = 0;
    unsigned vcpus = 0;
    (void)virTypedParamsGetULLong(record->params, record->nparams, "balloon.maximum", &memory_kib);
    (void)virTypedParamsGetUInt(record->params, record->nparams, "vcpu.current", &vcpus);
    for (unsigned i = 0; i < vcpus; i++) {
        char field[32];
        unsigned long long one_ns = 0;
        (void)snprintf(field, sizeof(field), "vcpu.%u.time", i);
        (void)virTypedParamsGetULLong(record->params, record->nparams, field, &one_ns);
        time_ns += one_ns;
    }
    vm->memory_bytes = (double)memory_kib * 1024;
    vm->vcpus = vcpus;
    vm->cpu_s = (double)time_ns / 1e9;
    vm->read_s = clock_monotonic_s();
    const struct libvirt_vm *known = libvirt_facts_find(before, vm->uuid);
    if (known != NULL && vm->cpu_s >= known->cpu_s && vm->read_s > known->read_s)
        vm->cores_used = (vm->cpu_s - known->cpu_s) / (vm->read_s - known->read_s);
}

static void take_limits(virDomainPtr domain, struct libvirt_vm *vm) {
    unsigned long long downtime_ms = 0;
    unsigned long speed_mib_per_s = 0;
    vm->downtime_limit_ms = vm->max_bandwidth_bytes_per_s = -1;
    if (virDomainMigrateGetMaxDowntime(domain, &downtime_ms, 0) == 0)
        vm->downtime_limit_ms = (double)downtime_ms;
    if (virDomainMigrateGetMaxSpeed(domain, &speed_mib_per_s, 0) == 0)
        vm->max_bandwidth_bytes_per_s = speed_mib_per_s >= unlimited_mib_per_s ? 0 : (double)speed_mib_per_s * mib;
}

static enum dc_status take_records(virDomainStatsRecordPtr *records, size_t n, const struct libvirt_facts *before,
                                   struct libvirt_facts *facts, struct dc_error *err) {
    facts->vms = calloc(n + 1, sizeof(*facts->vms));
    if (facts->vms == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < n; i++) {
        struct libvirt_vm *vm = &facts->vms[facts->n_vms];
        *vm = (struct libvirt_vm){.name = NULL};
        const char *name = virDomainGetName(records[i]->dom);
        if (name == NULL || virDomainGetUUIDString(records[i]->dom, vm->uuid) != 0 ||
            !take_state(records[i], libvirt_facts_find(before, vm->uuid) != NULL, vm))
            continue;
        vm->name = strdup(name);
        if (vm->name == NULL)
            return error_set_nomem(err);
        take_numbers(records[i], before, vm);
        take_limits(records[i]->dom, vm);
        facts->n_vms++;
    }
    return DC_OK;
}

enum dc_status libvirt_facts_read(virConnectPtr connection, const struct libvirt_facts *before,
                                  struct libvirt_facts *facts_out, struct dc_error *err) {
    *facts_out = (struct libvirt_facts){.n_vms = 0};
    virNodeInfo node = {.cpus = 0};
    virDomainStatsRecordPtr *records = NULL;
    const unsigned wanted = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_VCPU;
    const int n = virConnectGetAllDomainStats(connection, wanted, &records, VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE);
    if (n < 0 || virNodeGetInfo(connection, &node) != 0) {
        virDomainStatsRecordListFree(records);
        return error_set(err, DC_EIO, "%s", virGetLastErrorMessage());
    }
    facts_out->cpus = node.cpus;
    facts_out->memory_bytes = (double)node.memory * 1024;
    const enum dc_status rc = take_records(records, (size_t)n, before, facts_out, err);
    virDomainStatsRecordListFree(records);
    if (rc != DC_OK)
        libvirt_facts_dispose(facts_out);
    return rc;
}
