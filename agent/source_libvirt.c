/*
 * The libvirt source, a module loaded at run time: the guests of one libvirtd. What libvirt's worker thread saw is
 * taken over on the agent's loop, which never waits for it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/libvirt_worker.h"
#include "agent/source.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_BYTES = 4096 };

struct source {
    struct source_events events;
    struct migration_overhead overhead;
    char *uri;
    double host_memory_bytes; /* 0: as libvirt says */
    struct fleet_host host;
    uv_async_t woken;
    bool is_closing;
    struct libvirt_worker *worker;
    struct libvirt_facts facts;
    struct source_vm *vms; /* their texts are those of `facts` */
};

static void fill_vm(const struct source *source, const struct libvirt_vm *told, struct source_vm *vm) {
    struct dc_error err = DC_ERROR_NONE;
    struct fleet_vm *facts = &vm->facts;
    facts->uuid = (char *)told->uuid; /* only read */
    facts->name = told->name;
    facts->state = told->state;
    facts->memory_bytes = told->memory_bytes;
    facts->vcpus = told->vcpus;
    facts->cpu_cores_used = told->cores_used;
    facts->downtime_budget_ms = FLEET_UNSET;
    facts->has_policy = stop_policy_init(&facts->policy, "qemu", &err) == DC_OK;
    if (told->downtime_limit_ms >= 0)
        facts->policy.downtime_limit_ms = told->downtime_limit_ms;
    if (told->max_bandwidth_bytes_per_s >= 0)
        facts->policy.max_bandwidth_bytes_per_s = told->max_bandwidth_bytes_per_s;
    facts->has_overhead = true;
    facts->overhead = source->overhead;
}

static void take_facts(struct source *source) {
    struct libvirt_facts facts = {.n_vms = 0};
    if (!libvirt_worker_take(source->worker, &facts))
        return;
    struct source_vm *vms = calloc(facts.n_vms + 1, sizeof(*vms));
    if (vms == NULL) { /* those of before stay */
        libvirt_facts_dispose(&facts);
        return;
    }
    const bool changed = !libvirt_facts_same(&source->facts, &facts);
    libvirt_facts_dispose(&source->facts);
    free(source->vms);
    source->facts = facts;
    source->vms = vms;
    for (size_t i = 0; i < facts.n_vms; i++)
        fill_vm(source, &facts.vms[i], &vms[i]);
    source->host.cpus = facts.cpus;
    source->host.memory_bytes = source->host_memory_bytes > 0 ? source->host_memory_bytes : facts.memory_bytes;
    if (changed)
        source->events.vms_changed(source->events.context);
}

static void end_bursts(struct source *source) {
    for (struct libvirt_burst *burst = libvirt_worker_next_over(source->worker); burst != NULL;
         burst = libvirt_worker_next_over(source->worker)) {
        const struct dirty_curve curve = {.n_points = burst->n_points, .points = burst->points};
        const bool failed = burst->error.status != DC_OK;
        if (!burst->is_cancelled)
            source->events.burst_done(source->events.context, burst->vm, failed ? NULL : &curve,
                                      failed ? &burst->error : NULL);
        free(burst);
    }
}

static void tell_migrations(struct source *source) {
    struct source_migration told;
    while (libvirt_worker_take_migration(source->worker, &told))
        if (source->events.migration != NULL)
            source->events.migration(source->events.context, &told);
}

static void on_closed(uv_handle_t *handle) {
    struct source *source = handle->data;
    libvirt_facts_dispose(&source->facts);
    free(source->vms);
    free(source->uri);
    free(source->host.name);
    free(source);
}

static void on_woken(uv_async_t *woken) {
    struct source *source = woken->data;
    if (!source->is_closing) {
        tell_migrations(source); /* before its guest is gone */
        take_facts(source);
        end_bursts(source);
    } else if (libvirt_worker_is_over(source->worker) && !uv_is_closing((uv_handle_t *)woken)) {
        libvirt_worker_free(source->worker);
        uv_close((uv_handle_t *)woken, on_closed);
    }
}

static void wake(void *context) {
    struct source *source = context;
    (void)uv_async_send(&source->woken);
}

static void libvirt_close(struct source *source) {
    source->is_closing = true;
    libvirt_worker_stop(source->worker);
}

static enum dc_status libvirt_open(uv_loop_t *loop, const struct source_config *config,
                                   const struct source_events *events, struct source **source_out,
                                   struct dc_error *err) {
    *source_out = NULL;
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL)
        return error_set_nomem(err);
    *source = (struct source){.events = *events, .overhead = config->overhead, .uri = strdup(config->libvirt_uri)};
    source->host_memory_bytes = config->host_memory_bytes;
    source->host = (struct fleet_host){.name = strdup(config->host),
                                       .state = FLEET_HOST_ON,
                                       .memory_bytes = config->host_memory_bytes,
                                       .reserved_memory_bytes = config->host_reserved_memory_bytes};
    if (uv_async_init(loop, &source->woken, on_woken) != 0) {
        free(source->uri);
        free(source->host.name);
        free(source);
        return error_set(err, DC_EINTERNAL, "source libvirt: the loop cannot be woken");
    }
    source->woken.data = source;
    enum dc_status rc = source->uri != NULL && source->host.name != NULL ? DC_OK : error_set_nomem(err);
    if (rc == DC_OK)
        rc = libvirt_worker_start(source->uri, wake, source, &source->worker, err);
    if (rc == DC_OK)
        *source_out = source;
    else
        uv_close((uv_handle_t *)&source->woken, on_closed);
    return rc;
}

/* --- what the agent asks --- */

static const struct fleet_host *libvirt_host(struct source *source) {
    return &source->host;
}

static const struct source_vm *libvirt_vms(struct source *source, size_t *n_vms_out) {
    *n_vms_out = source->facts.n_vms;
    return source->vms;
}

static enum dc_status libvirt_begin_burst(struct source *source, const char *vm, const double *windows_s,
                                          size_t n_windows, struct dc_error *err) {
    const struct libvirt_vm *told = libvirt_facts_find(&source->facts, vm);
    if (told == NULL)
        return error_set(err, DC_ENOTFOUND, "no such guest");
    if (told->state != FLEET_VM_RUNNING)
        return error_set(err, DC_EBUSY, "it does not run, or migrates");
    return libvirt_worker_burst(source->worker, vm, windows_s[n_windows - 1], told->memory_bytes / PAGE_BYTES, err);
}

static void libvirt_cancel_burst(struct source *source, const char *vm) {
    libvirt_worker_cancel(source->worker, vm);
}

static const struct source_ops libvirt_ops = {
    .name = "libvirt",
    .open = libvirt_open,
    .close = libvirt_close,
    .host = libvirt_host,
    .vms = libvirt_vms,
    .begin_burst = libvirt_begin_burst,
    .cancel_burst = libvirt_cancel_burst,
};

extern const struct source_module_info decamp_source_module;
const struct source_module_info decamp_source_module = {.abi = SOURCE_ABI, .ops = &libvirt_ops};
