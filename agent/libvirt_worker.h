/*
 * The thread that speaks to libvirtd, whose every call blocks: it looks at the guests every half second, runs their
 * bursts, and wakes the agent's loop with what it has. A second thread runs libvirt's events for its keepalive, by
 * which calls to a daemon that hangs end within seconds. Without a connection it tries again.
 *
 * All functions are for the loop's thread and take only a lock that is never held across a call of libvirt's.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/libvirt_facts.h"
#include "agent/libvirt_migrations.h"
#include "agent/qemu_window.h"

struct libvirt_burst {
    char vm[VIR_UUID_STRING_BUFLEN];
    double longest_s, memory_pages;
    int window_s;   /* being measured; 0: none yet */
    double asked_s; /* since when */
    size_t n_points;
    struct dirty_point points[QEMU_WINDOW_MOST];
    bool is_cancelled; /* by the loop */
    bool is_over;      /* by the thread; then the burst is the loop's alone */
    struct dc_error error;
    struct libvirt_burst *next;
};

struct libvirt_worker;

/* `wake` is called from the thread, which may be before this returns; `uri` is lent. */
DC_WARN_UNUSED enum dc_status libvirt_worker_start(const char *uri, void (*wake)(void *context), void *context,
                                                   struct libvirt_worker **worker_out, struct dc_error *err);

/* Asks it to end: it wakes the loop when libvirt_worker_is_over(). */
void libvirt_worker_stop(struct libvirt_worker *worker);
bool libvirt_worker_is_over(struct libvirt_worker *worker);

/* Once it is over. */
void libvirt_worker_free(struct libvirt_worker *worker);

/* Takes what it saw last, once; false: nothing since. The caller disposes of it. */
bool libvirt_worker_take(struct libvirt_worker *worker, struct libvirt_facts *facts_out);

/* DC_EBUSY: one of that guest's goes on. */
DC_WARN_UNUSED enum dc_status libvirt_worker_burst(struct libvirt_worker *worker, const char *vm, double longest_s,
                                                   double memory_pages, struct dc_error *err);
void libvirt_worker_cancel(struct libvirt_worker *worker, const char *vm);

/* libvirt_migrations_take(). */
bool libvirt_worker_take_migration(struct libvirt_worker *worker, struct source_migration *told_out);

/* One that is over, for free(); NULL: none. */
struct libvirt_burst *libvirt_worker_next_over(struct libvirt_worker *worker);
