/* Sorted arrays of host and VM records. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/fleet_record.h"

#include "base/vec.h"
#include "proto/fleet_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fleet_record_set_claim(struct vm_record *vm, struct host_record *host, const struct fleet_vm *said) {
    fleet_record_drop_claim(vm);
    vm->other = (struct vm_claim){host, *said};
}

void fleet_record_drop_claim(struct vm_record *vm) {
    fleet_parts_dispose_vm(&vm->other.said);
    vm->other = (struct vm_claim){.host = NULL};
}

static void free_host(struct host_record *host) {
    fleet_parts_dispose_host(&host->said);
    free(host->name);
    free(host->instance_id);
    free(host);
}

static void free_vm(struct vm_record *vm) {
    fleet_parts_dispose_vm(&vm->said);
    fleet_record_drop_claim(vm);
    msg_prediction_dispose(&vm->latest);
    free(vm->boot_id);
    free(vm);
}

void fleet_record_dispose(struct fleet_records *records) {
    for (size_t i = 0; i < records->n_vms; i++)
        free_vm(records->vms[i]);
    for (size_t i = 0; i < records->n_hosts; i++)
        free_host(records->hosts[i]);
    free(records->vms);
    free(records->hosts);
    *records = (struct fleet_records){0};
}

/* The key of a record: its text is what sorts. */
static const char *host_key(const void *item) {
    return ((const struct host_record *)item)->name;
}

static const char *vm_key(const void *item) {
    return ((const struct vm_record *)item)->uuid;
}

/* The place of `key` in a sorted array of pointers, or where it would be put. */
static size_t lower_bound(void *const *items, size_t n_items, const char *(*key_of)(const void *), const char *key) {
    size_t low = 0;
    size_t high = n_items;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(key_of(items[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct host_record *fleet_record_find_host(const struct fleet_records *records, const char *name) {
    const size_t at = lower_bound((void *const *)records->hosts, records->n_hosts, host_key, name);
    return at < records->n_hosts && strcmp(records->hosts[at]->name, name) == 0 ? records->hosts[at] : NULL;
}

size_t fleet_record_position(const struct fleet_records *records, const struct host_record *host) {
    return lower_bound((void *const *)records->hosts, records->n_hosts, host_key, host->name);
}

struct vm_record *fleet_record_find_vm(const struct fleet_records *records, const char *uuid) {
    const size_t at = lower_bound((void *const *)records->vms, records->n_vms, vm_key, uuid);
    return at < records->n_vms && strcmp(records->vms[at]->uuid, uuid) == 0 ? records->vms[at] : NULL;
}

struct host_record *fleet_record_host(struct fleet_records *records, const char *name) {
    struct host_record *host = fleet_record_find_host(records, name);
    if (host != NULL)
        return host;
    void *items = records->hosts;
    if (!vec_reserve(&items, &records->hosts_capacity, records->n_hosts + 1, sizeof(void *)))
        return NULL;
    records->hosts = items;
    host = calloc(1, sizeof(*host));
    if (host == NULL)
        return NULL;
    host->name = strdup(name);
    if (host->name == NULL) {
        free(host);
        return NULL;
    }
    const size_t at = lower_bound((void *const *)records->hosts, records->n_hosts, host_key, name);
    memmove(&records->hosts[at + 1], &records->hosts[at], (records->n_hosts - at) * sizeof(void *));
    records->hosts[at] = host;
    records->n_hosts++;
    return host;
}

struct vm_record *fleet_record_vm(struct fleet_records *records, const char *uuid) {
    struct vm_record *vm = fleet_record_find_vm(records, uuid);
    if (vm != NULL)
        return vm;
    void *items = records->vms;
    if (!vec_reserve(&items, &records->vms_capacity, records->n_vms + 1, sizeof(void *)))
        return NULL;
    records->vms = items;
    vm = calloc(1, sizeof(*vm));
    if (vm == NULL)
        return NULL;
    (void)snprintf(vm->uuid, sizeof(vm->uuid), "%s", uuid);
    const size_t at = lower_bound((void *const *)records->vms, records->n_vms, vm_key, vm->uuid);
    memmove(&records->vms[at + 1], &records->vms[at], (records->n_vms - at) * sizeof(void *));
    records->vms[at] = vm;
    records->n_vms++;
    return vm;
}

size_t fleet_record_count_gone(const struct fleet_records *records) {
    size_t n = 0;
    for (size_t i = 0; i < records->n_vms; i++)
        n += records->vms[i]->host == NULL;
    return n;
}

void fleet_record_forget_gone(struct fleet_records *records, double before_ms) {
    size_t n_kept = 0;
    for (size_t i = 0; i < records->n_vms; i++) {
        struct vm_record *vm = records->vms[i];
        if (vm->host == NULL && vm->gone_ms < before_ms)
            free_vm(vm);
        else
            records->vms[n_kept++] = vm;
    }
    records->n_vms = n_kept;
}

enum dc_status fleet_record_predict(struct vm_record *vm, const char *boot_id, const struct msg_prediction *prediction,
                                    struct dc_error *err) {
    struct msg_prediction copy;
    const enum dc_status rc = msg_prediction_copy(prediction, &copy, err);
    if (rc != DC_OK)
        return rc;
    char *boot_copy = strdup(boot_id);
    if (boot_copy == NULL) {
        msg_prediction_dispose(&copy);
        return error_set_nomem(err);
    }
    msg_prediction_dispose(&vm->latest);
    free(vm->boot_id);
    vm->latest = copy;
    vm->boot_id = boot_copy;
    vm->predicted = true;
    vm->any_sample = false;
    return DC_OK;
}
