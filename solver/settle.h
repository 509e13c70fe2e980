/*
 * Settling: which VMs have to stay because others do.
 *
 * In:  the end of every VM (its present host for those that stay). Out: the
 *      same with further VMs staying, until no rule and no CPU limit is broken by an
 *      arrival; a conflict for each.
 *
 * Placement sees to all this by itself. It is needed when VMs drop out
 * afterwards, and for rules that VMs which stay have broken already.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/solution.h"

/* `to[vm]` is where the VM ends, `skip[vm]` whether it stays though it should
 * move; both are the caller's and are updated. */
DC_WARN_UNUSED enum dc_status settle(const struct problem *problem, long *to, bool *skip, struct solution *solution,
                                     struct dc_error *err);
