/*
 * The QEMU source: every QMP socket in one folder is a QEMU of this host. They come and go with their guests; one
 * that does not speak, or nonsense, is let alone and tried again later.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/qemu_guest.h"
#include "agent/source.h"
#include "base/log.h"
#include "base/vec.h"
#include "proto/msg.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCAN_MS = 500, REFRESH_EVERY_SCANS = 10, RETRY_AFTER_SCANS = 20, MOST_SOCKETS = 4096 };

struct qemu_socket {
    char *path;
    struct qemu_guest *guest;
    unsigned n_scans_to_wait; /* before it is tried again */
    bool was_refused;         /* said once */
    bool is_there;
};

struct source {
    uv_loop_t *loop;
    struct source_events events;
    char *folder;
    enum qemu_dirty_mode mode;
    struct migration_overhead overhead;
    uv_timer_t scan;
    unsigned n_scans;
    unsigned n_open; /* the timer, guests */
    struct fleet_host host;
    size_t n_sockets, sockets_capacity;
    struct qemu_socket *sockets;
    struct source_vm *vms; /* their texts are the guests' */
    size_t n_vms;
};

/* --- the list of guests --- */

static struct qemu_guest *guest_of(struct source *source, const char *uuid) {
    for (size_t i = 0; i < source->n_sockets; i++) {
        struct qemu_guest *guest = source->sockets[i].guest;
        const struct qemu_facts *facts = guest != NULL ? qemu_guest_facts(guest) : NULL;
        if (facts != NULL && strcmp(facts->uuid, uuid) == 0 &&
            (facts->state == QEMU_RUNS || facts->state == QEMU_PAUSED))
            return guest;
    }
    return NULL;
}

static void fill_vm(const struct source *source, const struct qemu_guest *guest, struct source_vm *vm) {
    const struct qemu_facts *told = qemu_guest_facts(guest);
    *vm = (struct source_vm){.zero_pages = qemu_guest_zero_pages(guest)};
    struct fleet_vm *facts = &vm->facts;
    facts->uuid = (char *)told->uuid; /* only read, likewise below */
    facts->name = told->name != NULL ? told->name : (char *)told->uuid;
    facts->state = qemu_guest_migrates(guest)   ? FLEET_VM_MIGRATING
                   : told->state == QEMU_PAUSED ? FLEET_VM_PAUSED
                                                : FLEET_VM_RUNNING;
    facts->memory_bytes = told->memory_bytes;
    facts->vcpus = (double)told->n_vcpus;
    facts->cpu_cores_used = qemu_guest_cores_used(guest);
    facts->downtime_budget_ms = FLEET_UNSET;
    facts->has_policy = true;
    facts->policy = told->policy;
    facts->has_overhead = true;
    facts->overhead = source->overhead;
}

/* Those that are here to stay or to go; one that comes is its old host's until it runs. */
static void list_vms(struct source *source) {
    struct source_vm *vms = calloc(source->n_sockets + 1, sizeof(*vms));
    free(source->vms); /* without memory for a new one, too: it lends texts that may be gone */
    source->vms = vms;
    source->n_vms = 0;
    for (size_t i = 0; vms != NULL && i < source->n_sockets; i++) {
        const struct qemu_guest *guest = source->sockets[i].guest;
        const struct qemu_facts *facts = guest != NULL ? qemu_guest_facts(guest) : NULL;
        if (facts != NULL && facts->uuid[0] != '\0' && guest_of(source, facts->uuid) == guest)
            fill_vm(source, guest, &vms[source->n_vms++]);
    }
}

static void list_and_tell(struct source *source) {
    list_vms(source);
    source->events.vms_changed(source->events.context);
}

/* --- guests --- */

static void release(struct source *source) {
    if (--source->n_open > 0)
        return;
    for (size_t i = 0; i < source->n_sockets; i++)
        free(source->sockets[i].path);
    free(source->sockets);
    free(source->vms);
    free(source->folder);
    free(source->host.name);
    free(source);
}

static void on_guest_closed(void *context) {
    release(context);
}

static void on_guest_changed(void *context) {
    struct source *source = context;
    for (size_t i = 0; i < source->n_sockets; i++) {
        struct qemu_socket *socket = &source->sockets[i];
        const struct qemu_facts *facts = socket->guest != NULL ? qemu_guest_facts(socket->guest) : NULL;
        if (facts == NULL || facts->uuid[0] != '\0' || socket->was_refused)
            continue;
        socket->was_refused = true;
        log_warn("source qemu: %s: its QEMU has no -uuid: the guest is left out", socket->path);
    }
    list_and_tell(source);
}

static void on_guest_burst_done(void *context, const char *uuid, const struct dirty_curve *curve,
                                const struct dc_error *err) {
    struct source *source = context;
    list_vms(source); /* its zero pages are known by now */
    source->events.burst_done(source->events.context, uuid, curve, err);
}

static void on_guest_migration(void *context, const struct source_migration *migration) {
    struct source *source = context;
    if (source->events.migration != NULL)
        source->events.migration(source->events.context, migration);
    list_and_tell(source); /* whether it migrates is a fact that no refresh need bring */
}

static void refuse(struct qemu_socket *socket, const struct dc_error *err) {
    socket->n_scans_to_wait = RETRY_AFTER_SCANS;
    log_write(socket->was_refused ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, "source qemu: %s: %s", socket->path,
              error_text(err));
    socket->was_refused = true;
}

static void on_guest_lost(void *context, struct qemu_guest *guest, const struct dc_error *err) {
    struct source *source = context;
    for (size_t i = 0; i < source->n_sockets; i++) {
        struct qemu_socket *socket = &source->sockets[i];
        if (socket->guest != guest)
            continue;
        socket->guest = NULL;
        socket->n_scans_to_wait = RETRY_AFTER_SCANS;
        if (qemu_guest_facts(guest) == NULL)
            refuse(socket, err);
        else
            log_debug("source qemu: %s: %s", socket->path, error_text(err));
    }
    qemu_guest_close(guest);
    list_and_tell(source);
}

static void connect_to(struct source *source, struct qemu_socket *socket) {
    const struct qemu_guest_events events = {source,        on_guest_changed, on_guest_burst_done, on_guest_migration,
                                             on_guest_lost, on_guest_closed};
    struct dc_error err = DC_ERROR_NONE;
    const enum dc_status rc = qemu_guest_open(source->loop, socket->path, source->mode, &events, &socket->guest, &err);
    if (rc == DC_OK)
        source->n_open++;
    else if (rc != DC_EUNREACHABLE) /* a QEMU that has ended, or one that begins: looked at again soon */
        refuse(socket, &err);
}

/* --- the folder --- */

static struct qemu_socket *socket_at(struct source *source, const char *name) {
    char *path = NULL;
    if (asprintf(&path, "%s/%s", source->folder, name) < 0)
        return NULL;
    for (size_t i = 0; i < source->n_sockets; i++) {
        if (strcmp(source->sockets[i].path, path) == 0) {
            free(path);
            return &source->sockets[i];
        }
    }
    if (source->n_sockets == MOST_SOCKETS || !vec_reserve((void **)&source->sockets, &source->sockets_capacity,
                                                          source->n_sockets + 1, sizeof(*source->sockets))) {
        free(path);
        return NULL;
    }
    source->sockets[source->n_sockets] = (struct qemu_socket){.path = path};
    return &source->sockets[source->n_sockets++];
}

/* Sockets whose file has gone and whose QEMU has, too. */
static void forget_gone(struct source *source) {
    size_t n_left = 0;
    for (size_t i = 0; i < source->n_sockets; i++) {
        if (source->sockets[i].is_there || source->sockets[i].guest != NULL)
            source->sockets[n_left++] = source->sockets[i];
        else
            free(source->sockets[i].path);
    }
    source->n_sockets = n_left;
}

static void scan_folder(struct source *source, DIR *folder) {
    for (size_t i = 0; i < source->n_sockets; i++)
        source->sockets[i].is_there = false;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] == '.' || (entry->d_type != DT_SOCK && entry->d_type != DT_UNKNOWN))
            continue;
        struct qemu_socket *socket = socket_at(source, entry->d_name);
        if (socket == NULL)
            continue;
        socket->is_there = true;
        if (socket->guest == NULL && socket->n_scans_to_wait > 0)
            socket->n_scans_to_wait--;
        else if (socket->guest == NULL)
            connect_to(source, socket);
    }
    forget_gone(source);
}

static void on_scan(uv_timer_t *timer) {
    struct source *source = timer->data;
    DIR *folder = opendir(source->folder);
    if (folder != NULL) {
        scan_folder(source, folder);
        (void)closedir(folder);
    } else if (source->n_scans % (REFRESH_EVERY_SCANS * RETRY_AFTER_SCANS) == 0) {
        log_warn("source qemu: %s: %s", source->folder, strerror(errno));
    }
    if (source->n_scans++ % REFRESH_EVERY_SCANS != 0)
        return;
    list_vms(source); /* the use of processors, as of the refresh before */
    for (size_t i = 0; i < source->n_sockets; i++)
        if (source->sockets[i].guest != NULL)
            qemu_guest_refresh(source->sockets[i].guest);
}

/* --- what the agent asks --- */

static const struct fleet_host *qemu_host(struct source *source) {
    return &source->host;
}

static const struct source_vm *qemu_vms(struct source *source, size_t *n_vms_out) {
    *n_vms_out = source->n_vms;
    return source->vms;
}

static enum dc_status qemu_begin_burst(struct source *source, const char *vm, const double *windows_s, size_t n_windows,
                                       struct dc_error *err) {
    struct qemu_guest *guest = guest_of(source, vm);
    if (guest == NULL)
        return error_set(err, DC_ENOTFOUND, "no such guest");
    return qemu_guest_begin_burst(guest, windows_s[n_windows - 1], err);
}

static void qemu_cancel_burst(struct source *source, const char *vm) {
    struct qemu_guest *guest = guest_of(source, vm);
    if (guest != NULL)
        qemu_guest_cancel_burst(guest);
}

static void qemu_set_held(struct source *source, const char *vm, bool is_held) {
    struct qemu_guest *guest = guest_of(source, vm);
    if (guest != NULL)
        qemu_guest_announce(guest, is_held);
}

static void on_scan_closed(uv_handle_t *handle) {
    release(handle->data);
}

static void qemu_close(struct source *source) {
    for (size_t i = 0; i < source->n_sockets; i++)
        if (source->sockets[i].guest != NULL)
            qemu_guest_close(source->sockets[i].guest);
    uv_close((uv_handle_t *)&source->scan, on_scan_closed);
}

static enum dc_status qemu_open(uv_loop_t *loop, const struct source_config *config, const struct source_events *events,
                                struct source **source_out, struct dc_error *err) {
    *source_out = NULL;
    DIR *folder = opendir(config->qemu_sockets);
    if (folder == NULL)
        return error_set_errno(err, errno, "qemu_sockets: %s", config->qemu_sockets);
    (void)closedir(folder);
    struct source *source = calloc(1, sizeof(*source));
    if (source == NULL)
        return error_set_nomem(err);
    *source = (struct source){.loop = loop, .events = *events, .n_open = 1};
    source->folder = strdup(config->qemu_sockets);
    source->mode = (enum qemu_dirty_mode)config->qemu_dirty_mode;
    source->overhead = config->overhead;
    source->host = (struct fleet_host){
        .name = strdup(config->host),
        .state = FLEET_HOST_ON,
        .cpus = (double)sysconf(_SC_NPROCESSORS_ONLN),
        .memory_bytes = config->host_memory_bytes > 0 ? config->host_memory_bytes
                                                      : (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE),
        .reserved_memory_bytes = config->host_reserved_memory_bytes,
    };
    (void)uv_timer_init(loop, &source->scan); /* cannot fail */
    source->scan.data = source;
    if (source->folder == NULL || source->host.name == NULL) {
        qemu_close(source);
        return error_set_nomem(err);
    }
    (void)uv_timer_start(&source->scan, on_scan, 0, SCAN_MS);
    *source_out = source;
    return DC_OK;
}

const struct source_ops source_qemu_ops = {
    .name = "qemu",
    .open = qemu_open,
    .close = qemu_close,
    .host = qemu_host,
    .vms = qemu_vms,
    .begin_burst = qemu_begin_burst,
    .cancel_burst = qemu_cancel_burst,
    .set_held = qemu_set_held,
};
