/*
 * Where dirty pages come from: the small interface behind which a recording
 * (source_replay.c) and a hypervisor (source_qemu.c; source_xen.c and source_libvirt.c,
 * modules loaded at run time) look alike.
 *
 * Out of a source: the host, its VMs (bytes), and per burst one curve of
 * (window in seconds, unique pages dirtied in it).
 *
 * A source lives on the agent's libuv loop and never blocks it for long. It
 * calls back only from the loop, never from within one of its own calls.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/dirty_profile.h"
#include "proto/fleet_doc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Changes whenever a struct of this header does: a module of another build is refused. */
enum { SOURCE_ABI = 4 };

struct source_vm {
    struct fleet_vm facts; /* identity, size, state, use, policy, overhead, budget; no profile, no prediction */
    double zero_pages;
};

/* What a source is opened with; lent for its life. */
struct source_config {
    const char *host;
    const char *state_dir;
    const char *replay_file;
    double replay_speed;
    double sample_interval_ms;
    struct migration_overhead overhead; /* of VMs whose source knows none */
    const char *xen_policy;             /* name of the toolstack's stop policy */
    const char *qemu_sockets;           /* folder */
    unsigned qemu_dirty_mode;           /* enum qemu_dirty_mode */
    const char *libvirt_uri;
    double host_memory_bytes; /* 0: what the machine has */
    double host_reserved_memory_bytes;
};

/* What a source saw of a VM's migration. On the source's host it begins and ends; a host that a VM comes to from
 * elsewhere sees only the end: the moment its guest runs. */
struct source_migration {
    const char *vm; /* uuid; all texts are lent for the call */
    bool has_ended; /* else it begins */
    int64_t at_unix_ms;
    const char *peer_host; /* the other host, as the toolstack calls it; NULL: not known */
    /* of one that ended; negative where not known */
    bool succeeded;
    double migration_ms;                        /* from the command to the moment the guest runs at its destination */
    double downtime_ms;                         /* from the suspension to that moment */
    double bytes;                               /* sent */
    int64_t suspended_unix_ms, resumed_unix_ms; /* when the guest stood still, when it ran again; 0: not known */
};

struct source_events {
    void *context;
    /* The list of VMs, or a fact of one, is another than it was. */
    void (*vms_changed)(void *context);
    /* The burst of `vm` ended. `curve` (lent for the call) is NULL when it failed or was
     * given up; `err` then says why. Not called after cancel_burst. */
    void (*burst_done)(void *context, const char *vm, const struct dirty_curve *curve, const struct dc_error *err);
    /* A migration began or ended; NULL: nobody wants to know. */
    void (*migration)(void *context, const struct source_migration *migration);
};

struct source; /* each source's own */

struct source_ops {
    const char *name;
    /* A recording costs nobody anything and keeps its own time and windows: it
     * is not staggered, not budgeted and not resampled. */
    bool is_recording;

    /* On failure `*source_out` is NULL and no handle is left on the loop. */
    enum dc_status (*open)(uv_loop_t *loop, const struct source_config *config, const struct source_events *events,
                           struct source **source_out, struct dc_error *err);

    /* Ends every burst, puts every VM back as it was, closes the handles. Memory goes in the last
     * close callback: run the loop until it is empty. */
    void (*close)(struct source *source);

    /* Lent until control returns to the loop. */
    const struct fleet_host *(*host)(struct source *source);
    const struct source_vm *(*vms)(struct source *source, size_t *n_vms_out);

    /* Begins one burst of `n_windows` ascending windows in seconds (a recording has its
     * own). DC_EBUSY: not now, the VM may be about to migrate; DC_EUNSUPPORTED: never for
     * this VM; DC_ENOTFOUND: no such VM. */
    enum dc_status (*begin_burst)(struct source *source, const char *vm, const double *windows_s, size_t n_windows,
                                  struct dc_error *err);

    /* Ends a burst at once and lets go of the VM; nothing when none runs. */
    void (*cancel_burst)(struct source *source, const char *vm);

    /* The VM, here or not yet, is about to migrate (or not any more): look closely. NULL: as well not. */
    void (*set_held)(struct source *source, const char *vm, bool is_held);

    /* Milliseconds from now until the next burst of `vm` is to begin; NULL: as the sampler likes. */
    double (*next_burst_ms)(struct source *source, const char *vm);
};

extern const struct source_ops source_replay_ops;
extern const struct source_ops source_qemu_ops;

/* A module exports one of these under the name SOURCE_MODULE_SYMBOL. */
struct source_module_info {
    unsigned abi;
    const struct source_ops *ops;
};

#define SOURCE_MODULE_SYMBOL "decamp_source_module"
