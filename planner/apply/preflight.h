/*
 * Before a plan is run: does the fleet of now still look as the plan takes it to?
 *
 * In:  a plan and a fleet (what agents last said, or a file). Out: the differences, in sentences; hypervisors are asked
 *      by the executor, as the last word.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"

#include <jansson.h>

/* Appends a sentence to `differences` (an array) for each VM that has gone, is elsewhere or in another state, and for
 * each host that has gone, is off or was last heard of too long ago. */
DC_WARN_UNUSED enum dc_status preflight_check(const struct plan *plan, const struct fleet *fleet, json_t *differences,
                                              struct dc_error *err);

/* While the plan runs: only for the steps that are `is_left` ([n_steps]), and only for VMs none of whose steps has
 * begun. The silence of a host that a VM leaves, and what state a VM is in, are no differences here. */
DC_WARN_UNUSED enum dc_status preflight_check_rest(const struct plan *plan, const bool *is_left,
                                                   const struct fleet *fleet, json_t *differences,
                                                   struct dc_error *err);
