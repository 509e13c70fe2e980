/* Who this agent is: the host's boot and this run of the agent, as HELLO tells them. */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

enum { IDENTITY_BYTES = 37 };

struct identity {
    char boot_id[IDENTITY_BYTES];     /* changes at every boot of the host */
    char instance_id[IDENTITY_BYTES]; /* random: changes at every start of the agent */
};

DC_WARN_UNUSED enum dc_status identity_make(struct identity *identity_out, struct dc_error *err);

/* The boot's own part of it, from `proc_dir` ("/proc"). */
DC_WARN_UNUSED enum dc_status identity_boot_id(const char *proc_dir, char boot_id_out[IDENTITY_BYTES],
                                               struct dc_error *err);
