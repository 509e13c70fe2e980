/*
 * Two sources into one fleet: the topology document, which says what the
 * operator knows and wants, and the records, which say what agents see.
 *
 * Of a host, the agent's word counts for what can be measured (CPUs, memory,
 * features), the document's for the rest; the larger reserve holds. Of a VM,
 * the agent's word counts, and the document adds wishes: downtime budget,
 * priority, labels, overheads. A VM of the document alone is kept while no
 * agent of its host has spoken; rules lose the VMs that are gone.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/fleet_record.h"
#include "planner/fleet_state.h"

/* `topology` may be empty. Hosts that it does not name are tied to its first
 * switch by a NIC "HOST-nic" of the lowest capacity it knows. */
DC_WARN_UNUSED enum dc_status fleet_merge(const struct fleet *topology, const struct fleet_records *records,
                                          double status_interval_ms, struct fleet_clock now, struct fleet *fleet_out,
                                          struct dc_error *err);
