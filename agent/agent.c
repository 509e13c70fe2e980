/*
 * The wiring. A burst goes: source -> sampler (which VM, when) -> on_burst -> history (on disk) -> predictor -> outbox
 * (newest per VM) -> uplink. What comes down from the planner is HOLD and RELEASE, for the sampler.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/agent.h"

#include "agent/clock.h"
#include "agent/history.h"
#include "agent/identity.h"
#include "agent/outbox.h"
#include "agent/predictor.h"
#include "agent/sampler.h"
#include "agent/source_module.h"
#include "agent/uplink.h"
#include "base/log.h"
#include "base/vec.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

/* Facts drift without anyone being told (the use of processors): a SNAPSHOT a minute. */
#define SNAPSHOT_INTERVAL_MS 60000
/* A VM without a burst for so long lives elsewhere: its history goes, once a day. */
#define FORGET_AFTER_MS (30LL * 86400 * 1000)
#define PRUNE_EVERY_SNAPSHOTS 1440

struct agent {
    const struct agent_config *config;
    struct identity identity;
    uv_loop_t loop;
    uv_signal_t sigterm, sigint;
    uv_timer_t snapshot_timer;
    bool has_handles;
    uint64_t n_snapshot_ticks;
    struct history *history;
    struct predictor predictor;
    struct outbox *outbox;
    struct source_module module;
    const struct source_ops *ops;
    struct source *source;
    struct sampler *sampler;
    struct uplink *uplink;
    char (*known)[MSG_UUID_BYTES]; /* VMs the planner was told of */
    size_t n_known, known_capacity;
};

static const struct source_vm *find_vm(struct agent *agent, const char *uuid) {
    size_t n_vms = 0;
    const struct source_vm *vms = agent->ops->vms(agent->source, &n_vms);
    for (size_t i = 0; i < n_vms; i++) {
        if (strcmp(vms[i].facts.uuid, uuid) == 0)
            return &vms[i];
    }
    return NULL;
}

/* Predicts `vm` from what the history has of it, and lets that wait to be sent. */
static void predict(struct agent *agent, const struct source_vm *vm) {
    struct dc_error err = DC_ERROR_NONE;
    struct dirty_profile profile = {.kind = DIRTY_PROFILE_NONE};
    struct msg_prediction prediction = {.sample_number = 0};
    uint64_t sample_number = 0;
    enum dc_status rc =
        history_load(agent->history, vm->facts.uuid, agent->config->history_bursts, &profile, &sample_number, &err);
    if (rc == DC_OK && profile.n_bursts > 0) {
        rc = predictor_make(&agent->predictor, vm, &profile, sample_number, clock_local(), &prediction, &err);
        if (rc == DC_OK)
            rc = outbox_put(agent->outbox, &prediction, &err);
    }
    if (rc != DC_OK)
        log_warn("%s (%s): no prediction: %s", vm->facts.name, vm->facts.uuid, error_text(&err));
    msg_prediction_dispose(&prediction);
    dirty_profile_dispose(&profile);
}

static void on_burst(void *context, const char *uuid, int64_t at_unix_ms, const struct dirty_curve *curve) {
    struct agent *agent = context;
    const struct source_vm *vm = find_vm(agent, uuid);
    if (vm == NULL)
        return;
    struct dc_error err = DC_ERROR_NONE;
    uint64_t sample_number = 0;
    if (history_add(agent->history, uuid, at_unix_ms, curve, &sample_number, &err) != DC_OK) {
        log_error("%s (%s): a burst is lost: %s", vm->facts.name, uuid, error_text(&err));
        return;
    }
    log_debug("%s (%s): burst %llu", vm->facts.name, uuid, (unsigned long long)sample_number);
    predict(agent, vm);
    uplink_flush(agent->uplink);
}

static void on_burst_done(void *context, const char *vm, const struct dirty_curve *curve, const struct dc_error *err) {
    struct agent *agent = context;
    sampler_burst_done(agent->sampler, vm, curve, err);
}

static bool is_known(const struct agent *agent, const char *uuid) {
    for (size_t i = 0; i < agent->n_known; i++) {
        if (strcmp(agent->known[i], uuid) == 0)
            return true;
    }
    return false;
}

static void add_known(struct agent *agent, const char *uuid) {
    if (!vec_reserve((void **)&agent->known, &agent->known_capacity, agent->n_known + 1, sizeof(*agent->known)))
        return; /* it is told again next time */
    char *slot = agent->known[agent->n_known++];
    memset(slot, 0, MSG_UUID_BYTES);
    memcpy(slot, uuid, strnlen(uuid, MSG_UUID_BYTES - 1));
}

/* One without observations. */
static void tell_event(struct agent *agent, enum msg_event_type type, const char *uuid) {
    struct msg_event event = {
        .type = type, .at_unix_ms = clock_unix_ms(), .migration_ms = -1, .downtime_ms = -1, .bytes = -1};
    memcpy(event.vm, uuid, strnlen(uuid, sizeof(event.vm) - 1));
    outbox_event(agent->outbox, &event);
}

static void on_migration(void *context, const struct source_migration *seen) {
    struct agent *agent = context;
    struct msg_event event = {
        .type = seen->has_ended ? MSG_EVENT_MIGRATION_ENDED : MSG_EVENT_MIGRATION_BEGAN,
        .at_unix_ms = seen->at_unix_ms,
        .peer_host = (char *)seen->peer_host, /* copied */
        .succeeded = seen->succeeded,
        .migration_ms = seen->migration_ms,
        .downtime_ms = seen->downtime_ms,
        .bytes = seen->bytes,
        .suspended_unix_ms = seen->suspended_unix_ms,
        .resumed_unix_ms = seen->resumed_unix_ms,
    };
    memcpy(event.vm, seen->vm, strnlen(seen->vm, sizeof(event.vm) - 1));
    if (!seen->has_ended)
        log_info("%s: a migration began", seen->vm);
    else
        log_info("%s: a migration %s: %.0f ms, downtime %.0f ms, %.0f bytes (-1: not known)", seen->vm,
                 seen->succeeded ? "ended" : "failed", seen->migration_ms, seen->downtime_ms, seen->bytes);
    outbox_event(agent->outbox, &event);
    uplink_flush(agent->uplink);
}

/* Takes up VMs that came; what the history has of them is published at once. */
static void take_new_vms(struct agent *agent, bool is_event) {
    size_t n_vms = 0;
    const struct source_vm *vms = agent->ops->vms(agent->source, &n_vms);
    for (size_t i = 0; i < n_vms; i++) {
        if (is_known(agent, vms[i].facts.uuid))
            continue;
        add_known(agent, vms[i].facts.uuid);
        if (is_event)
            tell_event(agent, MSG_EVENT_VM_ADDED, vms[i].facts.uuid);
        predict(agent, &vms[i]);
    }
    sampler_set_vms(agent->sampler, vms, n_vms);
}

static void drop_gone_vms(struct agent *agent) {
    size_t n_left = 0;
    for (size_t i = 0; i < agent->n_known; i++) {
        if (find_vm(agent, agent->known[i]) != NULL) {
            memmove(agent->known[n_left++], agent->known[i], MSG_UUID_BYTES);
            continue;
        }
        tell_event(agent, MSG_EVENT_VM_REMOVED, agent->known[i]);
        outbox_forget(agent->outbox, agent->known[i]);
    }
    agent->n_known = n_left;
}

static void on_vms_changed(void *context) {
    struct agent *agent = context;
    drop_gone_vms(agent);
    take_new_vms(agent, true);
    outbox_want_snapshot(agent->outbox);
    uplink_flush(agent->uplink);
}

static enum dc_status write_snapshot(void *context, struct msg_buffer *buffer, struct dc_error *err) {
    struct agent *agent = context;
    size_t n_vms = 0;
    const struct source_vm *vms = agent->ops->vms(agent->source, &n_vms);
    struct fleet_vm *shown = calloc(n_vms + 1, sizeof(*shown)); /* shallow: lent for the write */
    if (shown == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < n_vms; i++)
        shown[i] = vms[i].facts;
    const struct msg_snapshot snapshot = {
        .taken_unix_ms = clock_unix_ms(), .host = *agent->ops->host(agent->source), .n_vms = n_vms, .vms = shown};
    const enum dc_status rc = msg_snapshot_write(&snapshot, buffer, err);
    free(shown);
    return rc;
}

static void on_hold(void *context, const char *vm, uint64_t for_ms) {
    struct agent *agent = context;
    log_info("%s: HOLD", vm);
    if (!sampler_hold(agent->sampler, vm, for_ms))
        log_error("%s: too many VMs on HOLD: none is sampled any more", vm);
}

static void on_release(void *context, const char *vm) {
    struct agent *agent = context;
    log_info("%s: RELEASE", vm);
    sampler_release(agent->sampler, vm);
}

static void on_fill_status(void *context, struct msg_status *status) {
    struct agent *agent = context;
    const struct sampler_stats stats = sampler_stats(agent->sampler);
    status->n_vms = agent->n_known;
    status->n_bursts = stats.n_bursts;
    status->n_held = stats.n_held;
    status->sampling_frac = stats.sampling_frac;
}

static void prune(struct agent *agent) {
    struct dc_error err = DC_ERROR_NONE;
    if (history_prune(agent->history, clock_unix_ms() - FORGET_AFTER_MS, &err) != DC_OK)
        log_warn("%s", error_text(&err));
}

static void on_snapshot_timer(uv_timer_t *timer) {
    struct agent *agent = timer->data;
    outbox_want_snapshot(agent->outbox);
    uplink_flush(agent->uplink);
    if (++agent->n_snapshot_ticks % PRUNE_EVERY_SNAPSHOTS == 0)
        prune(agent);
}

/* Everything with a handle is closed here, once; the loop then runs dry. */
static void close_all(struct agent *agent, const char *reason) {
    uplink_close(&agent->uplink, reason);
    sampler_close(&agent->sampler);
    if (agent->source != NULL)
        agent->ops->close(agent->source);
    agent->source = NULL;
    if (agent->has_handles) {
        uv_close((uv_handle_t *)&agent->sigterm, NULL);
        uv_close((uv_handle_t *)&agent->sigint, NULL);
        uv_close((uv_handle_t *)&agent->snapshot_timer, NULL);
    }
    agent->has_handles = false;
}

static void on_signal(uv_signal_t *handle, int signal_number) {
    struct agent *agent = handle->data;
    log_info("%s: stopping", signal_number == SIGTERM ? "SIGTERM" : "SIGINT");
    (void)sd_notify(0, "STOPPING=1");
    close_all(agent, "stopped");
}

static enum dc_status open_store(struct agent *agent, struct dc_error *err) {
    const struct agent_config *config = agent->config;
    if (mkdir(config->state_dir, 0700) != 0 && errno != EEXIST)
        return error_set_errno(err, errno, "state_dir: %s", config->state_dir);
    enum dc_status rc = history_open(config->state_dir, config->history_bursts, &agent->history, err);
    if (rc != DC_OK)
        return rc;
    prune(agent);
    predictor_init(&agent->predictor, config->grid_low_bytes_per_s, config->grid_high_bytes_per_s, config->grid_points);
    agent->predictor.n_bursts = config->prediction_bursts;
    return outbox_new(agent->identity.boot_id, agent->identity.instance_id, write_snapshot, agent, &agent->outbox, err);
}

static enum dc_status open_source(struct agent *agent, struct dc_error *err) {
    const struct agent_config *config = agent->config;
    const struct source_config source_config = {
        .host = config->host,
        .state_dir = config->state_dir,
        .replay_file = config->replay_file,
        .replay_speed = config->replay_speed,
        .sample_interval_ms = config->sample_interval_ms,
        .overhead = {.pre_ms = config->overhead_pre_ms,
                     .post_ms = config->overhead_post_ms,
                     .in_flight_bytes = config->overhead_in_flight_bytes,
                     .suspend_pages = config->overhead_suspend_pages},
        .xen_policy = agent_config_xen_policy(config),
        .qemu_sockets = config->qemu_sockets,
        .qemu_dirty_mode = config->qemu_dirty_mode,
        .libvirt_uri = config->libvirt_uri,
        .host_memory_bytes = config->host_memory_bytes,
        .host_reserved_memory_bytes = config->host_reserved_memory_bytes,
    };
    const struct source_events events = {
        .context = agent, .vms_changed = on_vms_changed, .burst_done = on_burst_done, .migration = on_migration};
    agent->ops = config->source == AGENT_SOURCE_QEMU ? &source_qemu_ops : &source_replay_ops;
    static const char *const modules[] = {[AGENT_SOURCE_XEN] = "xen", [AGENT_SOURCE_LIBVIRT] = "libvirt"};
    if (modules[config->source] != NULL) {
        const enum dc_status rc = source_module_load(config->module_dir, modules[config->source], &agent->module, err);
        if (rc != DC_OK)
            return rc;
        agent->ops = agent->module.ops;
    }
    return agent->ops->open(&agent->loop, &source_config, &events, &agent->source, err);
}

static enum dc_status open_sampler(struct agent *agent, struct dc_error *err) {
    const struct sampler_config config = {
        .interval_ms = agent->config->sample_interval_ms,
        .burst_ms = agent->config->burst_duration_ms,
        .budget_frac = agent->config->sampling_budget_frac,
    };
    return sampler_open(&agent->loop, &config, agent->ops, agent->source, on_burst, agent, &agent->sampler, err);
}

static enum dc_status open_uplink(struct agent *agent, struct dc_error *err) {
    const struct uplink_config config = {
        .host = agent->config->host, .boot_id = agent->identity.boot_id, .instance_id = agent->identity.instance_id};
    const struct uplink_events events = {
        .context = agent, .hold = on_hold, .release = on_release, .fill_status = on_fill_status};
    struct publisher_config keys = {.endpoint = NULL};
    enum dc_status rc = agent_config_read_keys(agent->config, &keys, err);
    if (rc == DC_OK)
        rc = uplink_open(&agent->loop, &config, &keys, &events, agent->outbox, &agent->uplink, err);
    explicit_bzero(&keys, sizeof(keys));
    return rc;
}

/* Initialising these kinds cannot fail on a sound loop. */
static void open_handles(struct agent *agent) {
    (void)uv_signal_init(&agent->loop, &agent->sigterm);
    (void)uv_signal_init(&agent->loop, &agent->sigint);
    (void)uv_timer_init(&agent->loop, &agent->snapshot_timer);
    agent->sigterm.data = agent;
    agent->sigint.data = agent;
    agent->snapshot_timer.data = agent;
    agent->has_handles = true;
    (void)uv_signal_start(&agent->sigterm, on_signal, SIGTERM);
    (void)uv_signal_start(&agent->sigint, on_signal, SIGINT);
    (void)uv_timer_start(&agent->snapshot_timer, on_snapshot_timer, SNAPSHOT_INTERVAL_MS, SNAPSHOT_INTERVAL_MS);
}

static enum dc_status open_all(struct agent *agent, struct dc_error *err) {
    open_handles(agent);
    enum dc_status rc = identity_make(&agent->identity, err);
    if (rc == DC_OK)
        rc = open_store(agent, err);
    if (rc == DC_OK)
        rc = open_source(agent, err);
    if (rc == DC_OK)
        rc = open_sampler(agent, err);
    if (rc == DC_OK)
        rc = open_uplink(agent, err);
    if (rc == DC_OK)
        take_new_vms(agent, false);
    return rc;
}

enum dc_status agent_run(const struct agent_config *config, struct dc_error *err) {
    struct agent agent = {.config = config};
    const int r = uv_loop_init(&agent.loop);
    if (r != 0)
        return error_set(err, DC_EINTERNAL, "loop: %s", uv_strerror(r));
    enum dc_status rc = open_all(&agent, err);
    if (rc == DC_OK) {
        log_info("%s: %zu VMs, source %s, planner %s", config->host, agent.n_known, agent.ops->name, config->planner);
        (void)sd_notify(0, "READY=1");
    } else {
        close_all(&agent, "failed to start");
    }
    (void)uv_run(&agent.loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&agent.loop) != 0 && rc == DC_OK)
        rc = error_set(err, DC_EINTERNAL, "the loop was left with open handles");
    outbox_free(&agent.outbox);
    history_free(&agent.history);
    free(agent.known);
    source_module_unload(&agent.module);
    return rc;
}
