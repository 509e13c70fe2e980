/*
 * What a plan that switches hosts off saves and costs, from the plan's steps
 * and the fleet's watts.
 *
 * A host that is on draws idle_watts and, in proportion to its cores in use, up to
 * peak_watts. A migration costs 0.512 J per MB sent and 20.165 J, source and
 * destination together (Liu, Xu, Jin, Gong, Liao: Performance and energy modeling for live
 * migration of virtual machines, HPDC 2011). A boot draws peak_watts, and a
 * booted host idle_watts until the plan's end; a shutdown idle_watts.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"

#define PLAN_ENERGY_JOULES_PER_BYTE 0.512e-6
#define PLAN_ENERGY_JOULES_PER_VM 20.165

struct plan_energy {
    double watts_before, watts_after;
    double migration_joules, host_joules;
    double break_even_ms; /* from the plan's start, when what was saved since its end makes up for its cost; INFINITY:
                             never */
};

/* With no steps: as it is. Hosts that say nothing of their watts count as 0. */
DC_WARN_UNUSED enum dc_status plan_energy_of(const struct plan *plan, const struct fleet *fleet,
                                             struct plan_energy *energy_out, struct dc_error *err);

/* As in the plan document; a new reference, NULL when out of memory. */
json_t *plan_energy_json(const struct plan_energy *energy);

/* Does any host of the fleet say what it draws? */
bool plan_energy_is_known(const struct fleet *fleet);
