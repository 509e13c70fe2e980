/*
 * SNAPSHOT: the host and its VMs, in the keys of the fleet document. What an
 * agent cannot know is left out, and reads as zero or "none".
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_snapshot.h"

#include "proto/fleet_parts.h"
#include "proto/msg_reader.h"
#include "proto/msg_writer.h"

#include <stdlib.h>
#include <string.h>

static const double max_number = (double)MSG_MAX_NUMBER;

static void write_positive(struct msg_writer *writer, const char *key, double value) {
    if (value > 0)
        msg_writer_number(writer, key, value);
}

static void write_labels(struct msg_writer *writer, const struct fleet_label *labels, size_t n_labels) {
    if (n_labels == 0)
        return;
    msg_writer_open_map(writer, "labels");
    for (size_t i = 0; i < n_labels; i++)
        msg_writer_entry(writer, labels[i].key, labels[i].value);
    msg_writer_close_map(writer);
}

static void read_labels(const struct msg_map *map, struct fleet_label **labels_out, size_t *n_labels_out) {
    const struct msg_map entries = msg_reader_map(map, "labels");
    *labels_out = msg_reader_alloc(&entries, entries.n_entries, sizeof(**labels_out));
    *n_labels_out = *labels_out != NULL ? entries.n_entries : 0;
    for (size_t i = 0; i < *n_labels_out; i++)
        msg_map_entry(&entries, i, &(*labels_out)[i].key, &(*labels_out)[i].value);
}

static void write_features(struct msg_writer *writer, char *const *features, size_t n_features) {
    if (n_features > 0)
        msg_writer_names(writer, "cpu_features", features, n_features, MSG_MAX_FEATURES);
}

static void write_host(struct msg_writer *writer, const struct fleet_host *host) {
    msg_writer_open_map(writer, "host");
    msg_writer_name(writer, "name", host->name);
    msg_writer_name(writer, "state", fleet_doc_host_state_text(host->state));
    msg_writer_number(writer, "cpus", host->cpus);
    msg_writer_number(writer, "memory_bytes", host->memory_bytes);
    msg_writer_number(writer, "reserved_memory_bytes", host->reserved_memory_bytes);
    write_positive(writer, "boot_s", host->boot_s);
    write_positive(writer, "shutdown_s", host->shutdown_s);
    write_positive(writer, "idle_watts", host->idle_watts);
    write_positive(writer, "peak_watts", host->peak_watts);
    write_positive(writer, "max_migrations", host->max_migrations);
    write_features(writer, host->cpu_features, host->n_cpu_features);
    write_labels(writer, host->labels, host->n_labels);
    msg_writer_close_map(writer);
}

static void read_host(const struct msg_map *message, struct fleet_host *host) {
    const char *const states[] = {fleet_doc_host_state_text(FLEET_HOST_ON), fleet_doc_host_state_text(FLEET_HOST_OFF),
                                  fleet_doc_host_state_text(FLEET_HOST_MAINTENANCE), NULL};
    const struct msg_map map = msg_reader_map(message, "host");
    host->name = msg_reader_name(&map, "name");
    host->state = (enum fleet_host_state)msg_reader_choice(&map, "state", states);
    host->cpus = msg_reader_number(&map, "cpus", 0, max_number);
    host->memory_bytes = msg_reader_number(&map, "memory_bytes", 1, max_number);
    host->reserved_memory_bytes = msg_reader_number_or(&map, "reserved_memory_bytes", 0, max_number, 0);
    host->boot_s = msg_reader_number_or(&map, "boot_s", 0, max_number, 0);
    host->shutdown_s = msg_reader_number_or(&map, "shutdown_s", 0, max_number, 0);
    host->idle_watts = msg_reader_number_or(&map, "idle_watts", 0, max_number, 0);
    host->peak_watts = msg_reader_number_or(&map, "peak_watts", 0, max_number, 0);
    if (msg_reader_has(&map, "max_migrations"))
        host->max_migrations = (unsigned)msg_reader_uint(&map, "max_migrations", 0, MSG_MAX_VMS);
    msg_reader_names(&map, "cpu_features", MSG_MAX_FEATURES, &host->cpu_features, &host->n_cpu_features);
    read_labels(&map, &host->labels, &host->n_labels);
}

static void write_policy(struct msg_writer *writer, const struct stop_policy *policy) {
    msg_writer_open_map(writer, "policy");
    msg_writer_name(writer, "name", policy->policy != NULL ? policy->policy->name : NULL);
    msg_writer_uint(writer, "max_rounds", policy->max_rounds);
    msg_writer_number(writer, "target_dirty_pages", policy->target_dirty_pages);
    msg_writer_number(writer, "max_factor", policy->max_factor);
    msg_writer_number(writer, "gfn_count", policy->gfn_count);
    msg_writer_number(writer, "downtime_limit_ms", policy->downtime_limit_ms);
    msg_writer_number(writer, "max_bandwidth_bytes_per_s", policy->max_bandwidth_bytes_per_s);
    msg_writer_bool(writer, "auto_converge", policy->auto_converge);
    msg_writer_number(writer, "throttle_trigger_frac", policy->throttle_trigger_frac);
    msg_writer_number(writer, "throttle_initial_frac", policy->throttle_initial_frac);
    msg_writer_number(writer, "throttle_increment_frac", policy->throttle_increment_frac);
    msg_writer_number(writer, "throttle_max_frac", policy->throttle_max_frac);
    msg_writer_name(writer, "postcopy", stop_policy_postcopy_texts[policy->postcopy]);
    msg_writer_close_map(writer);
}

static void read_qemu_policy(const struct msg_map *map, struct stop_policy *policy) {
    policy->throttle_trigger_frac =
        msg_reader_number_or(map, "throttle_trigger_frac", 0, 1, policy->throttle_trigger_frac);
    policy->throttle_initial_frac =
        msg_reader_number_or(map, "throttle_initial_frac", 0, 0.99, policy->throttle_initial_frac);
    policy->throttle_increment_frac =
        msg_reader_number_or(map, "throttle_increment_frac", 0, 0.99, policy->throttle_increment_frac);
    policy->throttle_max_frac = msg_reader_number_or(map, "throttle_max_frac", 0, 0.99, policy->throttle_max_frac);
    if (msg_reader_has(map, "postcopy"))
        policy->postcopy = (enum stop_policy_postcopy)msg_reader_choice(map, "postcopy", stop_policy_postcopy_texts);
}

/* What the message leaves out stays at the policy's own default. */
static void read_policy(const struct msg_map *vm_map, struct stop_policy *policy) {
    const struct msg_map map = msg_reader_map(vm_map, "policy");
    struct dc_error why = DC_ERROR_NONE;
    char *name = msg_reader_name(&map, "name");
    if (name != NULL && stop_policy_init(policy, name, &why) != DC_OK)
        msg_reader_fail(&map, "name", -1, "%s", error_text(&why));
    free(name);
    if (msg_reader_has(&map, "max_rounds"))
        policy->max_rounds = (unsigned)msg_reader_uint(&map, "max_rounds", 0, MSG_MAX_ROUNDS);
    policy->target_dirty_pages =
        msg_reader_number_or(&map, "target_dirty_pages", 0, max_number, policy->target_dirty_pages);
    policy->max_factor = msg_reader_number_or(&map, "max_factor", 0, max_number, policy->max_factor);
    policy->gfn_count = msg_reader_number_or(&map, "gfn_count", 0, max_number, policy->gfn_count);
    policy->downtime_limit_ms =
        msg_reader_number_or(&map, "downtime_limit_ms", 0, max_number, policy->downtime_limit_ms);
    policy->max_bandwidth_bytes_per_s =
        msg_reader_number_or(&map, "max_bandwidth_bytes_per_s", 0, max_number, policy->max_bandwidth_bytes_per_s);
    policy->auto_converge = msg_reader_bool_or(&map, "auto_converge", policy->auto_converge);
    read_qemu_policy(&map, policy);
}

static void write_overhead(struct msg_writer *writer, const struct migration_overhead *overhead) {
    msg_writer_open_map(writer, "overhead");
    msg_writer_number(writer, "pre_ms", overhead->pre_ms);
    msg_writer_number(writer, "post_ms", overhead->post_ms);
    msg_writer_number(writer, "in_flight_bytes", overhead->in_flight_bytes);
    msg_writer_number(writer, "suspend_pages", overhead->suspend_pages);
    msg_writer_close_map(writer);
}

static void read_overhead(const struct msg_map *vm_map, struct migration_overhead *overhead) {
    const struct msg_map map = msg_reader_map(vm_map, "overhead");
    overhead->pre_ms = msg_reader_number_or(&map, "pre_ms", 0, max_number, 0);
    overhead->post_ms = msg_reader_number_or(&map, "post_ms", 0, max_number, 0);
    overhead->in_flight_bytes = msg_reader_number_or(&map, "in_flight_bytes", 0, max_number, 0);
    overhead->suspend_pages = msg_reader_number_or(&map, "suspend_pages", 0, max_number, 0);
}

static void write_storage(struct msg_writer *writer, const struct storage_disk *storage, size_t n_storage) {
    if (n_storage == 0)
        return;
    msg_writer_array(writer, "storage", n_storage, MSG_MAX_DISKS);
    for (size_t i = 0; i < n_storage; i++) {
        msg_writer_open_map(writer, NULL);
        msg_writer_name(writer, "name", storage[i].name);
        msg_writer_number(writer, "size_bytes", storage[i].size_bytes);
        msg_writer_bool(writer, "local", storage[i].local);
        msg_writer_number(writer, "write_bytes_per_s", storage[i].write_bytes_per_s);
        msg_writer_close_map(writer);
    }
}

static void read_storage(const struct msg_map *vm_map, struct fleet_vm *vm) {
    const struct msg_array array = msg_reader_array(vm_map, "storage", 0, MSG_MAX_DISKS);
    vm->storage = msg_reader_alloc(vm_map, array.n_items, sizeof(*vm->storage));
    vm->n_storage = vm->storage != NULL ? array.n_items : 0;
    for (size_t i = 0; i < vm->n_storage; i++) {
        const struct msg_map map = msg_array_map(&array, i);
        vm->storage[i].name = msg_reader_name(&map, "name");
        vm->storage[i].size_bytes = msg_reader_number(&map, "size_bytes", 0, max_number);
        vm->storage[i].local = msg_reader_bool_or(&map, "local", false);
        vm->storage[i].write_bytes_per_s = msg_reader_number_or(&map, "write_bytes_per_s", 0, max_number, 0);
    }
}

static void write_vm(struct msg_writer *writer, const struct fleet_vm *vm) {
    msg_writer_open_map(writer, NULL);
    msg_writer_uuid(writer, "uuid", vm->uuid);
    msg_writer_name(writer, "name", vm->name);
    msg_writer_name(writer, "state", fleet_doc_vm_state_text(vm->state));
    msg_writer_number(writer, "memory_bytes", vm->memory_bytes);
    msg_writer_number(writer, "vcpus", vm->vcpus);
    msg_writer_number(writer, "cpu_cores_used", vm->cpu_cores_used);
    if (vm->downtime_budget_ms >= 0)
        msg_writer_number(writer, "downtime_budget_ms", vm->downtime_budget_ms);
    msg_writer_number(writer, "priority", vm->priority);
    write_features(writer, vm->cpu_features, vm->n_cpu_features);
    write_labels(writer, vm->labels, vm->n_labels);
    if (vm->has_policy)
        write_policy(writer, &vm->policy);
    if (vm->has_overhead)
        write_overhead(writer, &vm->overhead);
    write_storage(writer, vm->storage, vm->n_storage);
    msg_writer_close_map(writer);
}

static void read_vm(const struct msg_map *map, struct fleet_vm *vm) {
    const char *const states[] = {fleet_doc_vm_state_text(FLEET_VM_RUNNING), fleet_doc_vm_state_text(FLEET_VM_PAUSED),
                                  fleet_doc_vm_state_text(FLEET_VM_SHUTOFF),
                                  fleet_doc_vm_state_text(FLEET_VM_MIGRATING), NULL};
    char uuid[MSG_UUID_BYTES];
    msg_reader_uuid(map, "uuid", uuid);
    vm->uuid = msg_reader_alloc(map, MSG_UUID_BYTES, 1);
    if (vm->uuid != NULL)
        memcpy(vm->uuid, uuid, MSG_UUID_BYTES);
    vm->name = msg_reader_name(map, "name");
    vm->state = (enum fleet_vm_state)msg_reader_choice(map, "state", states);
    vm->memory_bytes = msg_reader_number(map, "memory_bytes", 1, max_number);
    vm->vcpus = msg_reader_number(map, "vcpus", 0, max_number);
    vm->cpu_cores_used = msg_reader_number_or(map, "cpu_cores_used", 0, max_number, 0);
    vm->downtime_budget_ms = msg_reader_number_or(map, "downtime_budget_ms", 0, max_number, FLEET_UNSET);
    vm->priority = msg_reader_number_or(map, "priority", -max_number, max_number, 0);
    msg_reader_names(map, "cpu_features", MSG_MAX_FEATURES, &vm->cpu_features, &vm->n_cpu_features);
    read_labels(map, &vm->labels, &vm->n_labels);
    vm->has_policy = msg_reader_has(map, "policy");
    if (vm->has_policy)
        read_policy(map, &vm->policy);
    vm->has_overhead = msg_reader_has(map, "overhead");
    if (vm->has_overhead)
        read_overhead(map, &vm->overhead);
    read_storage(map, vm);
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_uuids(const struct msg_map *map, const struct msg_snapshot *msg) {
    const char **uuids = msg_reader_alloc(map, msg->n_vms, sizeof(*uuids));
    if (uuids == NULL)
        return;
    for (size_t i = 0; i < msg->n_vms; i++)
        uuids[i] = msg->vms[i].uuid;
    qsort(uuids, msg->n_vms, sizeof(*uuids), compare_texts);
    for (size_t i = 1; i < msg->n_vms; i++) {
        if (strcmp(uuids[i - 1], uuids[i]) == 0)
            msg_reader_fail(map, "vms", -1, "uuid %s stands twice", uuids[i]);
    }
    free(uuids);
}

static void read_vms(const struct msg_map *map, struct msg_snapshot *msg) {
    if (!msg_reader_has(map, "vms"))
        msg_reader_fail(map, "vms", -1, "missing; expected an array");
    const struct msg_array array = msg_reader_array(map, "vms", 0, MSG_MAX_VMS);
    msg->vms = msg_reader_alloc(map, array.n_items, sizeof(*msg->vms));
    msg->n_vms = msg->vms != NULL ? array.n_items : 0;
    for (size_t i = 0; i < msg->n_vms && !msg_reader_failed(map); i++) {
        const struct msg_map item = msg_array_map(&array, i);
        read_vm(&item, &msg->vms[i]);
    }
    check_uuids(map, msg);
}

enum dc_status msg_snapshot_write(const struct msg_snapshot *msg, struct msg_buffer *buffer, struct dc_error *err) {
    struct msg_writer writer;
    msg_writer_init(&writer, buffer);
    msg_writer_int(&writer, "taken_unix_ms", msg->taken_unix_ms);
    write_host(&writer, &msg->host);
    msg_writer_array(&writer, "vms", msg->n_vms, MSG_MAX_VMS);
    for (size_t i = 0; i < msg->n_vms; i++)
        write_vm(&writer, &msg->vms[i]);
    return msg_writer_finish(&writer, err);
}

enum dc_status msg_snapshot_read(const void *bytes, size_t n_bytes, struct msg_snapshot *msg_out,
                                 struct dc_error *err) {
    struct msg_reader reader;
    const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
    *msg_out = (struct msg_snapshot){0};
    msg_out->taken_unix_ms = msg_reader_unix_ms(&map, "taken_unix_ms");
    read_host(&map, &msg_out->host);
    read_vms(&map, msg_out);
    const enum dc_status rc = msg_reader_close(&reader, err);
    if (rc != DC_OK)
        msg_snapshot_dispose(msg_out);
    return rc;
}

void msg_snapshot_dispose(struct msg_snapshot *msg) {
    fleet_parts_dispose_host(&msg->host);
    for (size_t i = 0; i < msg->n_vms; i++)
        fleet_parts_dispose_vm(&msg->vms[i]);
    free(msg->vms);
    *msg = (struct msg_snapshot){0};
}
