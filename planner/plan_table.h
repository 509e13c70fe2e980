/*
 * A plan for people: one line a migration, and below it what the whole set
 * costs, what bounds it, what stands in its way.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/writer.h"
#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"

/* `fleet` (NULL: not at hand) adds the memory of the VMs. */
DC_WARN_UNUSED enum dc_status plan_table_write(const struct plan *plan, const struct fleet *fleet,
                                               struct writer *writer, struct dc_error *err);
