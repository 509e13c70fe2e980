/*
 * Which log-dirty modes of Xen domains are the agent's own: one small file each
 * in the state directory, log-dirty-DOMID-UUID, so that it is known across
 * SIGKILL. It holds the boot id: after a reboot of the host the same domain
 * number may be the same VM's again, and whose log-dirty is on then is not known.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/identity.h"

#include <stdbool.h>
#include <stdint.h>

struct xen_marks {
    const char *state_dir; /* lent */
    char boot_id[IDENTITY_BYTES];
};

/* The boot id comes from `proc_dir` ("/proc"). `state_dir` is lent for the life of the marks. */
DC_WARN_UNUSED enum dc_status xen_marks_init(struct xen_marks *marks_out, const char *state_dir, const char *proc_dir,
                                             struct dc_error *err);

DC_WARN_UNUSED enum dc_status xen_marks_set(const struct xen_marks *marks, uint32_t domid, const char *uuid,
                                            struct dc_error *err);

/* True only for a mark of this boot. */
bool xen_marks_has(const struct xen_marks *marks, uint32_t domid, const char *uuid);

/* Nothing where there is none. */
void xen_marks_clear(const struct xen_marks *marks, uint32_t domid, const char *uuid);

/* Calls `visit` for every mark, of whichever boot; it may clear the mark. */
void xen_marks_each(const struct xen_marks *marks, void (*visit)(void *context, uint32_t domid, const char *uuid),
                    void *context);
