/* Messages to state and store, and the store back to the state. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/intake_apply.h"

#include "base/log.h"
#include "planner/fleet_clock.h"

#include <string.h>

/* The store follows the state: a VM that this host only holds on its way in stays with the other. */
static enum dc_status correct_places(struct intake_apply *apply, const char *host, const struct msg_snapshot *snapshot,
                                     struct fleet_clock now, struct dc_error *err) {
    for (size_t i = 0; i < snapshot->n_vms; i++) {
        const char *at = fleet_state_host_of(apply->state, snapshot->vms[i].uuid);
        if (at == NULL || strcmp(at, host) == 0)
            continue;
        const enum dc_status rc = store_put_vm_host(apply->store, snapshot->vms[i].uuid, at, now.unix_ms, err);
        if (rc != DC_OK)
            return rc;
    }
    return DC_OK;
}

static enum dc_status apply_snapshot(struct intake_apply *apply, const struct intake_message *message,
                                     struct fleet_clock now, struct dc_error *err) {
    enum dc_status rc = fleet_state_snapshot(apply->state, message->host, &message->snapshot, now, err);
    if (rc == DC_OK)
        rc = store_put_snapshot(apply->store, message->host, &message->snapshot, message->bytes, message->n_bytes,
                                now.unix_ms, err);
    return rc == DC_OK ? correct_places(apply, message->host, &message->snapshot, now, err) : rc;
}

/* As an agent would say it of this VM alone. */
static void publish(const struct intake_apply *apply, const struct msg_pred *pred, size_t i) {
    struct msg_buffer map = {0};
    const struct msg_pred one = {.boot_id = pred->boot_id, .n_predictions = 1, .predictions = &pred->predictions[i]};
    if (apply->collector != NULL && collector_has_feed(apply->collector) && msg_pred_write(&one, &map, NULL) == DC_OK)
        collector_publish(apply->collector, "prediction", pred->predictions[i].vm, pred->predictions[i].sample_number,
                          &map);
    msg_buffer_dispose(&map);
}

static enum dc_status apply_pred(struct intake_apply *apply, const struct intake_message *message,
                                 struct fleet_clock now, struct dc_error *err) {
    const struct msg_pred *pred = &message->pred;
    for (size_t i = 0; i < pred->n_predictions; i++) {
        struct dc_error why = DC_ERROR_NONE;
        enum dc_status rc =
            fleet_state_predict(apply->state, message->host, pred->boot_id, &pred->predictions[i], now, &why);
        if (rc == DC_ENOTFOUND || rc == DC_EEXIST) { /* the VM has left, or a newer one overtook it */
            log_debug("prediction of host %s not used: %s", message->host, error_text(&why));
            continue;
        }
        if (rc == DC_OK)
            rc = store_put_prediction(apply->store, pred->boot_id, &pred->predictions[i], now.unix_ms, &why);
        if (rc != DC_OK)
            return error_set(err, rc, "%s", error_text(&why));
        publish(apply, pred, i);
    }
    return fleet_state_seen(apply->state, message->host, now, err);
}

/* Before the fleet changes: a migration is predicted from where the VM still is. */
static enum dc_status observe(struct intake_apply *apply, const char *host, const struct msg_event *event,
                              struct fleet_clock now, struct dc_error *err) {
    struct fleet fleet = {0};
    if (event->type == MSG_EVENT_VM_REMOVED)
        return DC_OK;
    enum dc_status rc = fleet_state_export_vm(apply->state, event->vm, now, &fleet, err);
    if (rc == DC_OK)
        rc = observation_log_event(apply->observations, &fleet, host, event, now, err);
    fleet_doc_dispose(&fleet);
    return rc;
}

static enum dc_status apply_event(struct intake_apply *apply, const struct intake_message *message,
                                  struct fleet_clock now, struct dc_error *err) {
    const struct msg_event *event = &message->event;
    const char *before = fleet_state_host_of(apply->state, event->vm);
    struct dc_error why = DC_ERROR_NONE;
    enum dc_status rc = store_put_event(apply->store, message->host, event, message->bytes, message->n_bytes, &why);
    if (rc == DC_OK)
        rc = observe(apply, message->host, event, now, &why);
    if (rc != DC_OK && rc != DC_EEXIST) /* an agent may say its latest events again */
        return error_set(err, rc, "%s", error_text(&why));
    rc = fleet_state_event(apply->state, message->host, event, now, err);
    const char *after = fleet_state_host_of(apply->state, event->vm);
    if (rc == DC_OK && before != after) /* names are lent by the same record: equal hosts, equal pointers */
        rc = store_put_vm_host(apply->store, event->vm, after, now.unix_ms, err);
    return rc;
}

static enum dc_status apply_message(struct intake_apply *apply, const struct intake_message *message,
                                    struct fleet_clock now, struct dc_error *err) {
    switch (message->kind) {
    case MSG_HELLO:
        return fleet_state_hello(apply->state, message->host, message->hello.instance_id, now, err);
    case MSG_SNAPSHOT:
        return apply_snapshot(apply, message, now, err);
    case MSG_PRED:
        return apply_pred(apply, message, now, err);
    case MSG_EVENT:
        return apply_event(apply, message, now, err);
    case MSG_STATUS:
        return fleet_state_seen(apply->state, message->host, now, err);
    case MSG_BYE:
        fleet_state_bye(apply->state, message->host);
        return DC_OK;
    default:
        return error_set(err, DC_EINTERNAL, "message of kind %u", (unsigned)message->kind);
    }
}

void intake_apply_heard(void *context, const struct intake_message *message) {
    struct intake_apply *apply = context;
    struct dc_error err = DC_ERROR_NONE;
    const struct fleet_clock now = fleet_clock_now();
    enum dc_status rc = apply_message(apply, message, now, &err);
    if (rc == DC_OK)
        rc = store_put_seen(apply->store, message->host, now.unix_ms, &err);
    if (rc != DC_OK)
        log_error("%s of host %s: %s", msg_kind_text(message->kind), message->host, error_text(&err));
}

void intake_apply_drained(void *context) {
    struct intake_apply *apply = context;
    struct dc_error err = DC_ERROR_NONE;
    enum dc_status rc = observation_log_expire(apply->observations, fleet_clock_now(), &err);
    if (rc != DC_OK)
        log_error("observations: %s", error_text(&err));
    err = DC_ERROR_NONE;
    if (store_commit(apply->store, &err) != DC_OK)
        log_error("store: %s", error_text(&err));
}

struct restore {
    struct intake_apply *apply;
    struct fleet_clock now;
    size_t n_hosts, n_vms;
};

static enum dc_status restore_host(void *context, const char *name, const void *bytes, size_t n_bytes,
                                   int64_t seen_unix_ms, struct dc_error *err) {
    struct restore *restore = context;
    struct dc_error why = DC_ERROR_NONE;
    struct msg_snapshot snapshot;
    if (bytes != NULL && msg_snapshot_read(bytes, n_bytes, &snapshot, &why) == DC_OK) {
        const enum dc_status rc = fleet_state_snapshot(restore->apply->state, name, &snapshot, restore->now, err);
        msg_snapshot_dispose(&snapshot);
        if (rc != DC_OK)
            return rc;
        restore->n_hosts++;
    } else if (bytes != NULL) {
        log_warn("store: host %s is not restored: %s", name, error_text(&why));
    }
    return fleet_state_restore_host(restore->apply->state, name, seen_unix_ms, restore->now, err);
}

static enum dc_status restore_vm(void *context, const char *uuid, const char *host, const void *bytes, size_t n_bytes,
                                 int64_t seen_unix_ms, struct dc_error *err) {
    struct restore *restore = context;
    struct dc_error why = DC_ERROR_NONE;
    struct msg_pred pred = {0};
    if (bytes != NULL && msg_pred_read(bytes, n_bytes, &pred, &why) != DC_OK)
        log_warn("store: the prediction of VM %s is not restored: %s", uuid, error_text(&why));
    const enum dc_status rc =
        fleet_state_restore_vm(restore->apply->state, uuid, host, pred.boot_id,
                               pred.n_predictions > 0 ? &pred.predictions[0] : NULL, seen_unix_ms, restore->now, err);
    msg_pred_dispose(&pred);
    restore->n_vms += host != NULL;
    return rc;
}

static enum dc_status restore_observation(void *context, int64_t number, int stage, const char *text,
                                          struct dc_error *err) {
    const struct restore *restore = context;
    return observation_log_restore(restore->apply->observations, number, stage, text, err);
}

enum dc_status intake_apply_restore(struct intake_apply *apply, struct dc_error *err) {
    struct restore restore = {.apply = apply, .now = fleet_clock_now()};
    const struct store_visitor visitor = {
        .context = &restore, .host = restore_host, .vm = restore_vm, .observation = restore_observation};
    enum dc_status rc = store_restore(apply->store, &visitor, err);
    if (rc == DC_OK)
        rc = observation_log_learn(apply->observations, err);
    if (rc == DC_OK && restore.n_hosts > 0)
        log_info("restored %zu hosts and %zu VMs from the store", restore.n_hosts, restore.n_vms);
    return rc;
}
