/*
 * What is to be seen of migrations from a dom0, as a pure state machine: fed
 * with looks (the list of domains, the toolstack's processes, the time), it
 * tells when a VM's migration began and ended and how long its guest was down.
 *
 *   began      a process that migrates the VM: since it was started
 *   suspended  the source's domain is shut down with the reason suspend
 *   ended      its guest runs in another domain of this host, or (to another host) the suspended source is paused,
 *              dying or gone: xl pauses it when the destination reports that the guest runs
 *   failed     the source runs on after its suspension or after the last process, or went without one
 *   arrived    a domain that came from elsewhere runs (then nothing else is known of it)
 *
 * What happened between two close looks is taken to have happened in the middle.
 * Times are milliseconds of one monotonic clock.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/source.h"
#include "agent/xen_domains.h"
#include "agent/xen_processes.h"

#include <stdbool.h>
#include <stddef.h>

struct xen_migrations;

struct xen_look {
    double now_ms;
    int64_t now_unix_ms;
    const struct xen_domains *domains;
    const struct xen_process *processes;
    size_t n_processes;
};

/* How soon the next look is wanted. */
enum xen_migrations_pace {
    XEN_MIGRATIONS_IDLE,
    XEN_MIGRATIONS_CLOSE,   /* one goes on */
    XEN_MIGRATIONS_CLOSEST, /* a guest is suspended */
};

typedef void (*xen_migrations_fn)(void *context, const struct source_migration *migration);

/* `host`, the peer of a migration within this host, is lent. NULL when out of memory. */
struct xen_migrations *xen_migrations_new(const char *host, xen_migrations_fn tell, void *context);

/* Idempotent; sets `*migrations` to NULL. */
void xen_migrations_free(struct xen_migrations **migrations);

/* One look; calls `tell` for what it shows. */
enum xen_migrations_pace xen_migrations_look(struct xen_migrations *migrations, const struct xen_look *look);
