/*
 * Replaying one step of a plan: the VM's pre-copy under the rates the plan
 * gives it, simulated again from its profile.
 *
 * In:  a step (ms, bytes/s) and the fleet's VM. Out: its migration time.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"

/* `*migration_ms_out` at p95 of the profile's history; 0 where there is nothing to
 * replay (no profile, no policy, no rates, a VM that does not run). */
DC_WARN_UNUSED enum dc_status plan_replay_step(const struct plan_step *step, const struct fleet_vm *vm,
                                               double *migration_ms_out, struct dc_error *err);
