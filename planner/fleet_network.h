/*
 * The network of a fleet: the topology's switches and links, and a NIC for
 * every host that the topology does not name.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"

/* Fills switches and links of `fleet`, whose hosts stand: first the topology's
 * in their order, then others. Those get a NIC "HOST-nic" of the lowest capacity
 * of the topology (1 Gbit/s where it has no links) to its first switch. */
DC_WARN_UNUSED enum dc_status fleet_network_build(const struct fleet *topology, struct fleet *fleet,
                                                  struct dc_error *err);
