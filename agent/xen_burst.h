/*
 * Bursts on Xen domains, and above all when to keep one's hands off: the
 * procedure without the hypercalls, so that it can be tested against a fake.
 *
 * A burst: ENABLE_LOGDIRTY, one CLEAN whose bitmap is thrown away, then PEEKs
 * that read only the counters at the curve's times, OFF. Our OFF or our CLEAN
 * at the wrong time can corrupt a guest in migration, so:
 * - where log-dirty is on already it is somebody else's, and stays so;
 * - before every call the signs of xen_signs.h are looked for; with a sign of this very domain
 *   log-dirty is left on (a migration that finds it on turns it off and on again);
 * - a counter that fell tells of a CLEAN that was not ours, a suspended domain of
 *   the end of a migration: hands off at once.
 * A mark in the state directory (xen_marks.h) says which log-dirty is ours, across SIGKILL.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/xen_domains.h"
#include "base/error.h"
#include "model/dirty_profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum { XEN_BURST_WINDOWS = 64, XEN_BURST_UUID_BYTES = XEN_DOMAIN_UUID_BYTES };

struct xen_bursts;

/* The hypercalls; each returns 0 or an errno; ESRCH: the domain is gone. */
struct xen_burst_calls {
    void *context;
    int (*log_dirty_on)(void *context, uint32_t domid);
    int (*log_dirty_off)(void *context, uint32_t domid);
    int (*clean)(void *context, uint32_t domid);
    int (*peek)(void *context, uint32_t domid, double *pages_out); /* EBUSY: it is suspended or ends */
};

struct xen_burst_config {
    const char *state_dir; /* lent for the life of the bursts */
    const char *proc_dir;  /* "/proc" */
    struct xen_burst_calls calls;
    void *context;
    /* As of source_events. */
    void (*done)(void *context, const char *uuid, const struct dirty_curve *curve, const struct dc_error *err);
    /* After close, when the last handle is gone. */
    void (*closed)(void *context);
};

DC_WARN_UNUSED enum dc_status xen_bursts_open(uv_loop_t *loop, const struct xen_burst_config *config,
                                              struct xen_bursts **bursts_out, struct dc_error *err);

/* Ends every burst and lets go of every domain; `closed` follows from the loop. */
void xen_bursts_close(struct xen_bursts *bursts);

/* DC_EBUSY: it may be migrating. DC_EUNSUPPORTED: this kind of domain cannot be sampled. DC_ENOTFOUND: it is gone. */
DC_WARN_UNUSED enum dc_status xen_bursts_begin(struct xen_bursts *bursts, uint32_t domid, const char *uuid,
                                               const char *name, const double *windows_s, size_t n_windows,
                                               struct dc_error *err);

/* Nothing when no burst of `uuid` runs. `done` is not called. */
void xen_bursts_cancel(struct xen_bursts *bursts, const char *uuid);

/* Drops the marks in the state directory of domains that are not among `domains` any more. */
void xen_bursts_drop_marks(struct xen_bursts *bursts, const struct xen_domains *domains);

/* At the start: turns off what an earlier run of the agent left on since this host booted, where there is no sign of
 * a migration. What has one is taken back by the next burst of that domain. */
void xen_bursts_recover(struct xen_bursts *bursts, const struct xen_domains *domains);
