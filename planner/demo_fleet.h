/*
 * A made-up fleet to try decamp on: racks of hosts, services of VMs that dirty their memory as such services do.
 *
 * In:  how many hosts and VMs, a seed. Out: a fleet document (proto/schema/fleet.schema.json); the same bytes for the
 * same numbers. Hosts have room for each other's VMs, so that one of them, or a rack where there are several, can be
 * emptied.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { DEMO_FLEET_MOST_HOSTS = 10000, DEMO_FLEET_MOST_VMS = 100000, DEMO_FLEET_VMS_PER_HOST = 10 };

struct demo_fleet_size {
    size_t n_hosts, n_vms;
    uint64_t seed;
};

/* The caller's reference. DC_ERANGE where the VMs do not fit into so few hosts. */
DC_WARN_UNUSED enum dc_status demo_fleet_make(const struct demo_fleet_size *size, json_t **fleet_out,
                                              struct dc_error *err);
