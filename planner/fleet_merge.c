/* Topology and records into one fleet. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/fleet_merge.h"

#include "planner/fleet_calibrate.h"
#include "planner/fleet_network.h"
#include "proto/fleet_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double late_after = 2, stale_after = 3, lost_after = 10; /* status intervals */

struct merge {
    const struct fleet *topology;
    const struct fleet_records *records;
    double status_interval_ms;
    struct fleet_clock now;
    struct fleet *fleet;
    size_t *host_index;              /* [records->n_hosts] index in the fleet, SIZE_MAX: not in it */
    const struct fleet_vm **by_uuid; /* [topology->n_vms] the topology's VMs, sorted */
    size_t *vm_index;                /* [topology->n_vms] index in the fleet, SIZE_MAX: not in it */
};

#define SWAP(type, a, b)     \
    do {                     \
        type swapped_ = (a); \
        (a) = (b);           \
        (b) = swapped_;      \
    } while (0)

static enum fleet_freshness freshness(const struct merge *merge, const struct host_record *record) {
    if (record == NULL || record->seen_unix_ms == 0)
        return FLEET_LOST;
    const double missed = (merge->now.monotonic_ms - record->seen_ms) / merge->status_interval_ms;
    if (missed > lost_after)
        return FLEET_LOST;
    if (missed > stale_after)
        return FLEET_STALE;
    return missed > late_after || record->silent ? FLEET_LATE : FLEET_FRESH;
}

/* Lays what the agent measured over the document's host. */
static enum dc_status overlay_host(struct fleet_host *host, const struct host_record *record, struct dc_error *err) {
    struct fleet_host said;
    const enum dc_status rc = fleet_parts_copy_host(&record->said, &said, err);
    if (rc != DC_OK)
        return rc;
    if (said.cpus > 0)
        host->cpus = said.cpus;
    if (said.memory_bytes > 0)
        host->memory_bytes = said.memory_bytes;
    host->reserved_memory_bytes = fmax(host->reserved_memory_bytes, said.reserved_memory_bytes);
    if (said.n_cpu_features > 0) {
        SWAP(size_t, host->n_cpu_features, said.n_cpu_features);
        SWAP(char **, host->cpu_features, said.cpu_features);
    }
    if (host->n_labels == 0) {
        SWAP(size_t, host->n_labels, said.n_labels);
        SWAP(struct fleet_label *, host->labels, said.labels);
    }
    fleet_parts_dispose_host(&said);
    return DC_OK;
}

static void set_age(const struct merge *merge, struct fleet_host *host, const struct host_record *record) {
    host->seen_unix_ms = record != NULL ? record->seen_unix_ms : 0;
    host->freshness = freshness(merge, record);
    if (host->state == FLEET_HOST_OFF && host->freshness == FLEET_FRESH)
        host->state = FLEET_HOST_ON; /* its agent speaks */
}

static enum dc_status add_hosts(struct merge *merge, struct dc_error *err) {
    struct fleet *fleet = merge->fleet;
    const struct fleet_records *records = merge->records;
    fleet->hosts = calloc(merge->topology->n_hosts + records->n_hosts + 1, sizeof(*fleet->hosts));
    if (fleet->hosts == NULL)
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < merge->topology->n_hosts; i++) {
        struct fleet_host *host = &fleet->hosts[fleet->n_hosts];
        const struct host_record *record = fleet_record_find_host(records, merge->topology->hosts[i].name);
        rc = fleet_parts_copy_host(&merge->topology->hosts[i], host, err);
        if (rc != DC_OK)
            break;
        fleet->n_hosts++;
        if (record != NULL && record->reported)
            rc = overlay_host(host, record, err);
        set_age(merge, host, record);
    }
    for (size_t i = 0; rc == DC_OK && i < records->n_hosts; i++) {
        const struct host_record *record = records->hosts[i];
        const long known = fleet_doc_find_host(fleet, record->name);
        merge->host_index[i] = known >= 0 ? (size_t)known : SIZE_MAX;
        if (known >= 0 || !record->reported)
            continue;
        rc = fleet_parts_copy_host(&record->said, &fleet->hosts[fleet->n_hosts], err);
        if (rc != DC_OK)
            break;
        set_age(merge, &fleet->hosts[fleet->n_hosts], record);
        merge->host_index[i] = fleet->n_hosts++;
    }
    return rc;
}

/* Where `host` stands in the fleet, SIZE_MAX where it does not. */
static size_t index_of(const struct merge *merge, const struct host_record *host) {
    const size_t position = fleet_record_position(merge->records, host);
    return merge->host_index[position];
}

static int compare_vms(const void *a, const void *b) {
    return strcmp((*(const struct fleet_vm *const *)a)->uuid, (*(const struct fleet_vm *const *)b)->uuid);
}

static const struct fleet_vm *topology_vm(const struct merge *merge, const char *uuid) {
    const struct fleet_vm key = {.uuid = (char *)uuid}; /* only read */
    const struct fleet_vm *const wanted = &key;
    const struct fleet_vm **found =
        merge->topology->n_vms == 0
            ? NULL
            : bsearch(&wanted, merge->by_uuid, merge->topology->n_vms, sizeof(const struct fleet_vm *), compare_vms);
    return found != NULL ? *found : NULL;
}

/* The document's overhead, also in the prediction that the agent made with its own. */
static void set_overhead(struct fleet_vm *vm, const struct migration_overhead *overhead) {
    fleet_calibrate_shift(&vm->prediction, &vm->overhead, overhead);
    vm->has_overhead = true;
    vm->overhead_is_agents = false;
    vm->overhead = *overhead;
}

/* Adds the document's wishes to what the agent said. */
static enum dc_status overlay_vm(struct fleet_vm *vm, const struct fleet_vm *wish, struct dc_error *err) {
    struct fleet_vm copy;
    const enum dc_status rc = fleet_parts_copy_vm(wish, &copy, err);
    if (rc != DC_OK)
        return rc;
    if (copy.downtime_budget_ms >= 0)
        vm->downtime_budget_ms = copy.downtime_budget_ms;
    if (copy.priority != 0)
        vm->priority = copy.priority;
    if (copy.has_overhead)
        set_overhead(vm, &copy.overhead);
    if (!vm->has_policy && copy.has_policy) {
        vm->has_policy = true;
        vm->policy = copy.policy;
    }
    if (copy.n_labels > 0) {
        SWAP(size_t, vm->n_labels, copy.n_labels);
        SWAP(struct fleet_label *, vm->labels, copy.labels);
    }
    if (vm->n_cpu_features == 0) {
        SWAP(size_t, vm->n_cpu_features, copy.n_cpu_features);
        SWAP(char **, vm->cpu_features, copy.cpu_features);
    }
    fleet_parts_dispose_vm(&copy);
    return DC_OK;
}

static enum dc_status add_prediction(struct fleet_vm *vm, const struct msg_prediction *latest, struct dc_error *err) {
    enum dc_status rc = prediction_copy(&latest->prediction, &vm->prediction, err);
    if (rc != DC_OK || latest->p50.n_points == 0)
        return rc;
    vm->profile = (struct dirty_profile){.kind = DIRTY_PROFILE_QUANTILES, .zero_pages = latest->zero_pages};
    rc = dirty_curve_copy(&latest->p50, &vm->profile.p50, err);
    if (rc == DC_OK)
        rc = dirty_curve_copy(&latest->p95, &vm->profile.p95, err);
    if (rc == DC_OK)
        rc = dirty_hours_copy(latest->hours, latest->n_hours, &vm->profile.hours, err);
    vm->profile.n_hours = rc == DC_OK ? latest->n_hours : 0;
    return rc;
}

static enum dc_status add_vm(struct merge *merge, const struct vm_record *record, struct dc_error *err) {
    const size_t host = record->host != NULL ? index_of(merge, record->host) : SIZE_MAX;
    if (host == SIZE_MAX)
        return DC_OK;
    struct fleet *fleet = merge->fleet;
    struct fleet_vm *vm = &fleet->vms[fleet->n_vms];
    enum dc_status rc = fleet_parts_copy_vm(&record->said, vm, err);
    if (rc != DC_OK)
        return rc;
    const struct fleet_vm *wish = topology_vm(merge, record->uuid);
    if (wish != NULL)
        merge->vm_index[wish - merge->topology->vms] = fleet->n_vms;
    fleet->n_vms++;
    vm->host = host;
    vm->seen_unix_ms = record->seen_unix_ms;
    vm->overhead_is_agents = vm->has_overhead;
    if (record->predicted)
        rc = add_prediction(vm, &record->latest, err);
    if (rc == DC_OK && wish != NULL)
        rc = overlay_vm(vm, wish, err);
    return rc;
}

/* A VM that only the document knows, on a host whose agent never spoke. */
static enum dc_status add_unseen_vm(struct merge *merge, size_t number, struct dc_error *err) {
    struct fleet *fleet = merge->fleet;
    const struct fleet_vm *vm = &merge->topology->vms[number];
    const struct host_record *host = fleet_record_find_host(merge->records, merge->topology->hosts[vm->host].name);
    if (merge->vm_index[number] != SIZE_MAX || (host != NULL && host->reported))
        return DC_OK;
    const enum dc_status rc = fleet_parts_copy_vm(vm, &fleet->vms[fleet->n_vms], err);
    if (rc == DC_OK)
        merge->vm_index[number] = fleet->n_vms++; /* the topology's hosts keep their indices */
    return rc;
}

static enum dc_status add_vms(struct merge *merge, struct dc_error *err) {
    const struct fleet *topology = merge->topology;
    merge->fleet->vms = calloc(topology->n_vms + merge->records->n_vms + 1, sizeof(*merge->fleet->vms));
    if (merge->fleet->vms == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < topology->n_vms; i++) {
        merge->by_uuid[i] = &topology->vms[i];
        merge->vm_index[i] = SIZE_MAX;
    }
    qsort(merge->by_uuid, topology->n_vms, sizeof(const struct fleet_vm *), compare_vms);
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < merge->records->n_vms; i++)
        rc = add_vm(merge, merge->records->vms[i], err);
    for (size_t i = 0; rc == DC_OK && i < topology->n_vms; i++)
        rc = add_unseen_vm(merge, i, err);
    return rc;
}

/* The rule with the VMs that are still there; none when it had some and lost all. */
static enum dc_status add_rule(struct merge *merge, const struct fleet_rule *rule, struct dc_error *err) {
    struct fleet_rule *to = &merge->fleet->rules[merge->fleet->n_rules];
    *to = *rule;
    to->n_vms = 0;
    to->vms = calloc(rule->n_vms + 1, sizeof(*to->vms));
    to->hosts = calloc(rule->n_hosts + 1, sizeof(*to->hosts));
    merge->fleet->n_rules++; /* from here on the fleet's to dispose */
    if (to->vms == NULL || to->hosts == NULL)
        return error_set_nomem(err);
    if (rule->n_hosts > 0)
        memcpy(to->hosts, rule->hosts, rule->n_hosts * sizeof(*to->hosts));
    for (size_t i = 0; i < rule->n_vms; i++) {
        const size_t index = merge->vm_index[rule->vms[i]];
        if (index != SIZE_MAX)
            to->vms[to->n_vms++] = index;
    }
    if (to->n_vms == 0 && rule->n_vms > 0) {
        free(to->vms);
        free(to->hosts);
        merge->fleet->n_rules--;
    }
    return DC_OK;
}

static enum dc_status add_rules(struct merge *merge, struct dc_error *err) {
    merge->fleet->rules = calloc(merge->topology->n_rules + 1, sizeof(*merge->fleet->rules));
    if (merge->fleet->rules == NULL)
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < merge->topology->n_rules; i++)
        rc = add_rule(merge, &merge->topology->rules[i], err);
    return rc;
}

enum dc_status fleet_merge(const struct fleet *topology, const struct fleet_records *records, double status_interval_ms,
                           struct fleet_clock now, struct fleet *fleet_out, struct dc_error *err) {
    *fleet_out = (struct fleet){.taken_unix_ms = now.unix_ms};
    struct merge merge = {.topology = topology,
                          .records = records,
                          .status_interval_ms = status_interval_ms,
                          .now = now,
                          .fleet = fleet_out,
                          .host_index = calloc(records->n_hosts + 1, sizeof(size_t)),
                          .by_uuid = calloc(topology->n_vms + 1, sizeof(const struct fleet_vm *)),
                          .vm_index = calloc(topology->n_vms + 1, sizeof(size_t))};
    const bool is_ready = merge.host_index != NULL && merge.by_uuid != NULL && merge.vm_index != NULL;
    enum dc_status rc = is_ready ? add_hosts(&merge, err) : error_set_nomem(err);
    if (is_ready && rc == DC_OK)
        rc = fleet_network_build(topology, fleet_out, err);
    if (is_ready && rc == DC_OK)
        rc = add_vms(&merge, err);
    if (is_ready && rc == DC_OK)
        rc = add_rules(&merge, err);
    free(merge.host_index);
    free(merge.by_uuid);
    free(merge.vm_index);
    if (rc != DC_OK)
        fleet_doc_dispose(fleet_out);
    return rc;
}
