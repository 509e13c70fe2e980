/* What agents say, applied to the records. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/fleet_state.h"

#include "planner/fleet_merge.h"
#include "planner/fleet_record.h"
#include "proto/fleet_parts.h"

#include <stdlib.h>
#include <string.h>

static const double forget_gone_after_ms = 3600e3; /* the longest migration a prediction waits for */
enum { MAX_GONE = 65536 };                         /* an agent that makes up VMs must not fill the memory */

struct fleet_state {
    double status_interval_ms;
    struct fleet topology;
    struct fleet_records records;
};

struct fleet_state *fleet_state_new(double status_interval_ms) {
    struct fleet_state *state = calloc(1, sizeof(*state));
    if (state != NULL)
        state->status_interval_ms = status_interval_ms;
    return state;
}

void fleet_state_free(struct fleet_state **state) {
    if (*state == NULL)
        return;
    fleet_record_dispose(&(*state)->records);
    fleet_doc_dispose(&(*state)->topology);
    free(*state);
    *state = NULL;
}

void fleet_state_set_topology(struct fleet_state *state, struct fleet *topology) {
    fleet_doc_dispose(&state->topology);
    state->topology = *topology;
    *topology = (struct fleet){0};
}

static struct host_record *hear(struct fleet_state *state, const char *name, struct fleet_clock now) {
    struct host_record *host = fleet_record_host(&state->records, name);
    if (host != NULL) {
        host->silent = false;
        host->seen_ms = now.monotonic_ms;
        host->seen_unix_ms = now.unix_ms;
    }
    return host;
}

enum dc_status fleet_state_seen(struct fleet_state *state, const char *host, struct fleet_clock now,
                                struct dc_error *err) {
    return hear(state, host, now) != NULL ? DC_OK : error_set_nomem(err);
}

enum dc_status fleet_state_hello(struct fleet_state *state, const char *name, const char *instance_id,
                                 struct fleet_clock now, struct dc_error *err) {
    struct host_record *host = hear(state, name, now);
    if (host == NULL)
        return error_set_nomem(err);
    if (host->instance_id != NULL && strcmp(host->instance_id, instance_id) == 0)
        return DC_OK;
    char *copy = strdup(instance_id);
    if (copy == NULL)
        return error_set_nomem(err);
    free(host->instance_id);
    host->instance_id = copy;
    for (size_t i = 0; i < state->records.n_vms; i++) {
        if (state->records.vms[i]->host == host)
            state->records.vms[i]->any_sample = true;
    }
    return DC_OK;
}

static void set_gone(struct vm_record *vm, struct fleet_clock now) {
    vm->host = NULL;
    vm->gone_ms = now.monotonic_ms;
}

/* The host that it is on has it no more: it is its next host's, whose SNAPSHOT may have come before. */
static void leave(struct vm_record *vm, struct fleet_clock now) {
    if (vm->other.host == NULL || vm->other.host->silent) {
        set_gone(vm, now);
        return;
    }
    fleet_parts_dispose_vm(&vm->said);
    vm->said = vm->other.said;
    vm->host = vm->other.host;
    vm->other = (struct vm_claim){.host = NULL};
}

/* A VM that another live host runs and this one only holds paused is on its way in. */
static bool is_arriving(const struct vm_record *vm, const struct host_record *host, const struct fleet_vm *said) {
    return vm->host != NULL && vm->host != host && !vm->host->silent && said->state == FLEET_VM_PAUSED;
}

static enum dc_status apply_vm(struct fleet_state *state, struct host_record *host, const struct fleet_vm *said,
                               struct fleet_clock now, struct dc_error *err) {
    struct vm_record *vm = fleet_record_vm(&state->records, said->uuid);
    if (vm == NULL)
        return error_set_nomem(err);
    struct fleet_vm copy;
    const enum dc_status rc = fleet_parts_copy_vm(said, &copy, err);
    if (rc != DC_OK)
        return rc;
    if (is_arriving(vm, host, said)) {
        fleet_record_set_claim(vm, host, &copy);
        return DC_OK;
    }
    if (vm->host != NULL && vm->host != host)
        fleet_record_set_claim(vm, vm->host, &vm->said);
    else
        fleet_parts_dispose_vm(&vm->said);
    if (vm->other.host == host)
        fleet_record_drop_claim(vm);
    vm->said = copy;
    vm->host = host;
    vm->seen_unix_ms = now.unix_ms;
    return DC_OK;
}

/* `host` does not list it any more. */
static void unlist(struct vm_record *vm, const struct host_record *host, struct fleet_clock now) {
    if (vm->other.host == host)
        fleet_record_drop_claim(vm);
    if (vm->host == host)
        leave(vm, now);
}

static int compare_uuids(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* VMs of the host that `snapshot` no longer lists are gone. */
static enum dc_status drop_unlisted(struct fleet_state *state, const struct host_record *host,
                                    const struct msg_snapshot *snapshot, struct fleet_clock now, struct dc_error *err) {
    const char **listed = calloc(snapshot->n_vms + 1, sizeof(*listed));
    if (listed == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < snapshot->n_vms; i++)
        listed[i] = snapshot->vms[i].uuid;
    qsort(listed, snapshot->n_vms, sizeof(*listed), compare_uuids);
    for (size_t i = 0; i < state->records.n_vms; i++) {
        struct vm_record *vm = state->records.vms[i];
        const char *uuid = vm->uuid;
        if ((vm->host == host || vm->other.host == host) &&
            bsearch(&uuid, listed, snapshot->n_vms, sizeof(*listed), compare_uuids) == NULL)
            unlist(vm, host, now);
    }
    free(listed);
    return DC_OK;
}

enum dc_status fleet_state_snapshot(struct fleet_state *state, const char *name, const struct msg_snapshot *snapshot,
                                    struct fleet_clock now, struct dc_error *err) {
    struct host_record *host = hear(state, name, now);
    if (host == NULL)
        return error_set_nomem(err);
    struct fleet_host copy;
    enum dc_status rc = fleet_parts_copy_host(&snapshot->host, &copy, err);
    if (rc != DC_OK)
        return rc;
    fleet_parts_dispose_host(&host->said);
    host->said = copy;
    host->reported = true;
    rc = drop_unlisted(state, host, snapshot, now, err);
    for (size_t i = 0; rc == DC_OK && i < snapshot->n_vms; i++)
        rc = apply_vm(state, host, &snapshot->vms[i], now, err);
    const bool are_too_many = fleet_record_count_gone(&state->records) > MAX_GONE;
    fleet_record_forget_gone(&state->records, now.monotonic_ms - (are_too_many ? 0 : forget_gone_after_ms));
    return rc;
}

enum dc_status fleet_state_predict(struct fleet_state *state, const char *host, const char *boot_id,
                                   const struct msg_prediction *prediction, struct fleet_clock now,
                                   struct dc_error *err) {
    struct vm_record *vm = fleet_record_find_vm(&state->records, prediction->vm);
    if (vm == NULL || vm->host == NULL || strcmp(vm->host->name, host) != 0)
        return error_set(err, DC_ENOTFOUND, "VM %s is not on host %s", prediction->vm, host);
    if (vm->predicted && !vm->any_sample && strcmp(vm->boot_id, boot_id) == 0 &&
        prediction->sample_number < vm->latest.sample_number)
        return error_set(err, DC_EEXIST, "a newer prediction of VM %s is known", prediction->vm);
    vm->seen_unix_ms = now.unix_ms;
    return fleet_record_predict(vm, boot_id, prediction, err);
}

static void end_migration(struct fleet_state *state, struct vm_record *vm, const struct msg_event *event,
                          struct fleet_clock now) {
    if (vm->said.state == FLEET_VM_MIGRATING)
        vm->said.state = FLEET_VM_RUNNING;
    struct host_record *peer =
        event->peer_host != NULL ? fleet_record_find_host(&state->records, event->peer_host) : NULL;
    if (!event->succeeded || peer == NULL || !peer->reported)
        return;
    if (vm->other.host == peer)
        leave(vm, now);
    vm->host = peer;
}

enum dc_status fleet_state_event(struct fleet_state *state, const char *host, const struct msg_event *event,
                                 struct fleet_clock now, struct dc_error *err) {
    const enum dc_status rc = fleet_state_seen(state, host, now, err);
    struct vm_record *vm = fleet_record_find_vm(&state->records, event->vm);
    if (rc != DC_OK || vm == NULL || vm->host == NULL || strcmp(vm->host->name, host) != 0)
        return rc; /* a VM that came is described by the SNAPSHOT that follows */
    switch (event->type) {
    case MSG_EVENT_VM_ADDED:
        break;
    case MSG_EVENT_VM_REMOVED:
        leave(vm, now);
        break;
    case MSG_EVENT_MIGRATION_BEGAN:
        vm->said.state = FLEET_VM_MIGRATING;
        break;
    case MSG_EVENT_MIGRATION_ENDED:
        end_migration(state, vm, event, now);
        break;
    }
    return DC_OK;
}

void fleet_state_bye(struct fleet_state *state, const char *name) {
    struct host_record *host = fleet_record_find_host(&state->records, name);
    if (host != NULL)
        host->silent = true;
}

enum dc_status fleet_state_restore_host(struct fleet_state *state, const char *name, int64_t seen_unix_ms,
                                        struct fleet_clock now, struct dc_error *err) {
    struct host_record *host = fleet_record_host(&state->records, name);
    if (host == NULL)
        return error_set_nomem(err);
    const int64_t age_ms = now.unix_ms > seen_unix_ms ? now.unix_ms - seen_unix_ms : 0;
    host->silent = true;
    host->seen_unix_ms = seen_unix_ms;
    host->seen_ms = now.monotonic_ms - (double)age_ms;
    return DC_OK;
}

enum dc_status fleet_state_restore_vm(struct fleet_state *state, const char *uuid, const char *host,
                                      const char *boot_id, const struct msg_prediction *prediction,
                                      int64_t seen_unix_ms, struct fleet_clock now, struct dc_error *err) {
    struct vm_record *vm = fleet_record_vm(&state->records, uuid);
    if (vm == NULL)
        return error_set_nomem(err);
    struct host_record *at = host != NULL ? fleet_record_find_host(&state->records, host) : NULL;
    if (at != NULL && vm->said.uuid != NULL)
        vm->host = at;
    else
        set_gone(vm, now);
    vm->seen_unix_ms = seen_unix_ms;
    return prediction != NULL ? fleet_record_predict(vm, boot_id, prediction, err) : DC_OK;
}

const char *fleet_state_host_of(const struct fleet_state *state, const char *uuid) {
    const struct vm_record *vm = fleet_record_find_vm(&state->records, uuid);
    return vm != NULL && vm->host != NULL ? vm->host->name : NULL;
}

enum dc_status fleet_state_export_vm(const struct fleet_state *state, const char *uuid, struct fleet_clock now,
                                     struct fleet *fleet_out, struct dc_error *err) {
    struct vm_record *vm = fleet_record_find_vm(&state->records, uuid);
    struct fleet_records one = state->records;
    one.n_vms = vm != NULL ? 1 : 0;
    one.vms = &vm;
    return fleet_merge(&state->topology, &one, state->status_interval_ms, now, fleet_out, err);
}

enum dc_status fleet_state_export(const struct fleet_state *state, struct fleet_clock now, struct fleet *fleet_out,
                                  struct dc_error *err) {
    return fleet_merge(&state->topology, &state->records, state->status_interval_ms, now, fleet_out, err);
}
