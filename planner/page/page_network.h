/*
 * What a page needs of the fleet beside the plan: the links that the plan sends over, and the limits of its VMs.
 *
 * In:  a plan and a fleet (NULL: none at hand). Out: JSON
 *   { "links": { NAME: { "between": [NODE, NODE], "usable_bytes_per_s": N } },
 *     "vms": { UUID: { "memory_bytes": N, "downtime_budget_ms": N (where there is one) } } }
 * with nothing in it without a fleet. Usable is what is left to migrations: capacity x goodput less background.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"

/* JSON text (heap, the caller frees it). */
DC_WARN_UNUSED enum dc_status page_network_write(const struct plan *plan, const struct fleet *fleet, char **json_out,
                                                 struct dc_error *err);
