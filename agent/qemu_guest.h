/*
 * One QEMU and its guest, as the agent sees them over one QMP socket.
 *
 * In:  the socket's path. Out: what QEMU says of its guest, read again and again; bursts; migrations that begin and
 *      end; that the connection is lost. Only from the loop.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/qemu_burst.h"
#include "agent/qemu_facts.h"
#include "agent/source.h"

struct qemu_guest;

struct qemu_guest_events {
    void *context;
    /* The facts are others than they were; the first time too. */
    void (*changed)(void *context);
    void (*burst_done)(void *context, const char *uuid, const struct dirty_curve *curve, const struct dc_error *err);
    void (*migration)(void *context, const struct source_migration *migration);
    /* Once; close it then. A migration that was under way has been told as one that failed. */
    void (*lost)(void *context, struct qemu_guest *guest, const struct dc_error *err);
    /* Its memory is gone. */
    void (*closed)(void *context);
};

/* On failure `*guest_out` is NULL. */
DC_WARN_UNUSED enum dc_status qemu_guest_open(uv_loop_t *loop, const char *path, enum qemu_dirty_mode mode,
                                              const struct qemu_guest_events *events, struct qemu_guest **guest_out,
                                              struct dc_error *err);

/* No event but `closed` comes after it. */
void qemu_guest_close(struct qemu_guest *guest);

/* Asks everything anew. */
void qemu_guest_refresh(struct qemu_guest *guest);

/* NULL: nothing known yet. Lent until control returns to the loop. */
const struct qemu_facts *qemu_guest_facts(const struct qemu_guest *guest);

/* As of the last burst; 0: not known. */
double qemu_guest_zero_pages(const struct qemu_guest *guest);

/* Cores in use by its vCPUs, between the last two refreshes. */
double qemu_guest_cores_used(const struct qemu_guest *guest);

/* A migration of it is about to begin, or not any more. */
void qemu_guest_announce(struct qemu_guest *guest, bool is_announced);

/* Is a migration of it under way, in or out? */
bool qemu_guest_migrates(const struct qemu_guest *guest);

/* DC_EBUSY: it migrates, does not run, or is being sampled. */
DC_WARN_UNUSED enum dc_status qemu_guest_begin_burst(struct qemu_guest *guest, double longest_s, struct dc_error *err);
void qemu_guest_cancel_burst(struct qemu_guest *guest);
