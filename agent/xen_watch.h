/*
 * Looks at the domains for migrations (xen_migrations.h): at every refresh of
 * their list, and closely, every 50 ms, while a VM is on HOLD or a migration
 * goes on; every 10 ms while its guest is suspended. Else it costs nothing.
 *
 * It only reads: the list of domains, which pauses nobody, and /proc.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/xen_migrations.h"

#include <uv.h>

struct xen_watch;

struct xen_watch_config {
    const char *host; /* texts are lent for the life of the watch */
    const char *proc_dir;
    void *context; /* of the calls */
    /* Lists the domains into `domains_out`, empty before and disposed by the watch; false when it cannot. */
    bool (*list)(void *context, struct xen_domains *domains_out);
    xen_migrations_fn migration;
    /* After close, when the last handle is gone. */
    void (*closed)(void *context);
};

DC_WARN_UNUSED enum dc_status xen_watch_open(uv_loop_t *loop, const struct xen_watch_config *config,
                                             struct xen_watch **watch_out, struct dc_error *err);

/* `closed` follows from the loop. */
void xen_watch_close(struct xen_watch *watch);

/* The VM is on HOLD, or not any more. It need not be here. */
void xen_watch_hold(struct xen_watch *watch, const char *uuid, bool is_held);

/* The domains were listed: looks at them and at the processes. Not from within a call into the source: it tells. */
void xen_watch_look(struct xen_watch *watch, const struct xen_domains *domains);
