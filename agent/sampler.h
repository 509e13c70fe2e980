/*
 * When which VM is sampled: one burst per VM and interval, staggered over the
 * interval, within a budget of the VMs' time, never a VM on HOLD.
 *
 * In:  the VMs of a source, HOLD and RELEASE.
 * Out: finished bursts (curve of seconds and pages), one by one.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/source.h"

#include <stdint.h>
#include <uv.h>

enum { SAMPLER_WINDOWS = 22, SAMPLER_MAX_HOLDS = 4096 };
#define SAMPLER_FIRST_WINDOW_S 0.125

struct sampler;

struct sampler_config {
    double interval_ms; /* from the start of a VM's burst to the start of its next */
    double burst_ms;    /* the longest window */
    double budget_frac; /* of a VM's time, and of all VMs' time together, spent under sampling */
};

/* One burst of `vm` that began at `at_unix_ms`; `curve` is lent for the call. */
typedef void (*sampler_burst_fn)(void *context, const char *vm, int64_t at_unix_ms, const struct dirty_curve *curve);

struct sampler_stats {
    uint64_t n_bursts;
    uint64_t n_held;      /* VMs on HOLD now */
    double sampling_frac; /* of the VMs' time so far */
};

/* SAMPLER_WINDOWS geometric windows from 0.125 s to `longest_s`. */
void sampler_windows(double longest_s, double *windows_s_out);

/* `source` must outlive the sampler. */
DC_WARN_UNUSED enum dc_status sampler_open(uv_loop_t *loop, const struct sampler_config *config,
                                           const struct source_ops *ops, struct source *source, sampler_burst_fn burst,
                                           void *context, struct sampler **sampler_out, struct dc_error *err);

/* Closes its timer and sets `*sampler` to NULL; its memory goes when the loop runs next. Bursts that run
 * are the source's to end. */
void sampler_close(struct sampler **sampler);

/* The VMs are these from now on; VMs it knew keep their time. */
void sampler_set_vms(struct sampler *sampler, const struct source_vm *vms, size_t n_vms);

/* A burst of the source ended: see source_events. */
void sampler_burst_done(struct sampler *sampler, const char *vm, const struct dirty_curve *curve,
                        const struct dc_error *err);

/* Ends a running burst of `vm` before it returns, and so before any STATUS counts the HOLD, and begins none until
 * release, or for `for_ms`; the source is told. VMs that are not (yet) here may be held too. False where
 * SAMPLER_MAX_HOLDS stand: then nothing at all is sampled until some end. */
bool sampler_hold(struct sampler *sampler, const char *vm, uint64_t for_ms);
void sampler_release(struct sampler *sampler, const char *vm);

struct sampler_stats sampler_stats(struct sampler *sampler);
