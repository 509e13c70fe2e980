/*
 * A driver: the hand that `decamp apply` moves VMs with. Hypervisors look alike behind it.
 *
 * In:  what to migrate, and questions where a VM is. Out: events on the libuv loop the driver was opened on.
 *
 * No call blocks, and no event is told from within a call: what an operation leads to is told from the loop. A driver
 * knows nothing of plans, retries or timeouts; it tells what happened. One thread, the loop's.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <uv.h>

/* Strings are lent for the call. */
struct driver_migration {
    const char *uuid;
    const char *name;
    const char *from; /* host names, as the fleet has them */
    const char *to;
    bool is_cold;                 /* the VM is shut off, and stays so */
    double memory_bytes;          /* the VM's; 0: not known */
    double bandwidth_bytes_per_s; /* cap at its start; 0: none */
    double downtime_limit_ms;     /* for hypervisors that take one; 0: leave it as it is */
};

/* Negative figures: not known. */
struct driver_progress {
    unsigned round; /* 1..; 0: not known */
    double sent_bytes;
    double remaining_bytes;
    double dirty_pages_per_s;
};

enum driver_outcome { DRIVER_SUCCEEDED, DRIVER_FAILED, DRIVER_ABORTED };

/* How a migration ended. After FAILED and ABORTED the VM may be at either end: locate() tells. */
struct driver_end {
    enum driver_outcome outcome;
    double migration_ms; /* from start() to the moment the VM runs there; negative: not known, likewise below */
    double downtime_ms;
    double bytes;
    const char *reason; /* one line for people, "" on success; lent for the call */
};

/* What is known of one VM at one host. */
enum driver_place {
    DRIVER_UNKNOWN,   /* the host does not say: it is lost, or cannot be reached from here */
    DRIVER_ABSENT,    /* not here */
    DRIVER_RUNS,      /* here and running; no migration of it is under way */
    DRIVER_MIGRATING, /* here, the source of a migration that is under way, whoever began it */
    DRIVER_PAUSED,    /* here and whole, but does not run: shut off, paused by somebody, suspended */
    DRIVER_INCOMING,  /* here half: waits for the rest of a migration */
};

enum driver_host_action { DRIVER_BOOT, DRIVER_SHUTDOWN };

/* Texts are lent for the call. No event but those asked for by a call comes after close(). */
struct driver_events {
    void *context;
    void (*progress)(void *context, const char *vm_uuid, const struct driver_progress *progress);
    void (*ended)(void *context, const char *vm_uuid, const struct driver_end *end);
    /* The answer to one locate(); `text` says why where the place is UNKNOWN, else "". */
    void (*located)(void *context, const char *vm_uuid, const char *host, enum driver_place place, const char *text);
    /* The answer to one act(). */
    void (*acted)(void *context, const char *host, enum driver_host_action action, bool ok, const char *reason);
};

/* Where a driver's settings and files are; lent while the driver is open. */
struct driver_config {
    const char *path;    /* a YAML file with the driver's keys (base/config_file.h); NULL: defaults */
    const char *run_dir; /* a folder of this plan's own that outlives the process, for what a resumed apply must find */
};

struct driver_ops;

/* First member of every driver's own struct. */
struct driver {
    const struct driver_ops *ops;
};

/* VMs are told apart by uuid; at most one migration of a VM at a time. An optional operation may be NULL, and may
 * return DC_EUNSUPPORTED for what the settings leave out. */
struct driver_ops {
    const char *name;

    /* `events` is copied. On failure `*driver_out` is NULL. */
    enum dc_status (*open)(uv_loop_t *loop, const struct driver_config *config, const struct driver_events *events,
                           struct driver **driver_out, struct dc_error *err);

    /* Ends the driver's handles and frees it, in later turns of the loop; migrations under way go on by themselves. */
    void (*close)(struct driver *driver);

    /* Could it, by its settings? Asked of every step before anything moves; DC_EUNSUPPORTED says what is missing. */
    enum dc_status (*check)(const struct driver *driver, const struct driver_migration *migration,
                            struct dc_error *err);

    /* The same of act(); NULL together with it. */
    enum dc_status (*check_act)(const struct driver *driver, enum driver_host_action action, const char *host,
                                struct dc_error *err);

    /* Begins a migration. DC_OK: exactly one ended() follows. */
    enum dc_status (*start)(struct driver *driver, const struct driver_migration *migration, struct dc_error *err);

    /* Optional. Watches a migration that an earlier process began (its source was located MIGRATING). DC_OK: exactly
     * one ended() follows. DC_ENOTFOUND: there is none. Without it the executor asks locate() again and again. */
    enum dc_status (*follow)(struct driver *driver, const struct driver_migration *migration, struct dc_error *err);

    /* Optional: a new cap for a migration under way. */
    enum dc_status (*set_bandwidth)(struct driver *driver, const char *vm_uuid, double bytes_per_s,
                                    struct dc_error *err);

    /* Asks a migration under way to end without having moved the VM, only by means that cannot lose it. ended() tells
     * what came of it: it may be too late. DC_EUNSUPPORTED: this hypervisor has no such means. */
    enum dc_status (*abort)(struct driver *driver, const char *vm_uuid, struct dc_error *err);

    /* What does `host` know of the VM? DC_OK: exactly one located() follows, within bounded time. */
    enum dc_status (*locate)(struct driver *driver, const char *vm_uuid, const char *vm_name, const char *host,
                             struct dc_error *err);

    /* Optional: boots a host (until it takes VMs) or shuts it down. DC_OK: exactly one acted() follows. */
    enum dc_status (*act)(struct driver *driver, enum driver_host_action action, const char *host,
                          struct dc_error *err);
};

/* Drivers there are, ended by NULL (driver_list.c). */
extern const struct driver_ops *const driver_list[];

/* NULL where none is called so. */
const struct driver_ops *driver_find(const char *name);
