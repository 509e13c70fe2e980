/* Switches and links of a merged fleet. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/fleet_network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double default_capacity_bytes_per_s = 125e6;
static const double default_goodput_frac = 0.94;

static enum dc_status copy_switches(const struct fleet *topology, struct fleet *fleet, bool need_one,
                                    struct dc_error *err) {
    fleet->switches = calloc(topology->n_switches + 1, sizeof(*fleet->switches));
    if (fleet->switches == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < topology->n_switches; i++) {
        fleet->switches[i] = topology->switches[i];
        fleet->switches[i].name = strdup(topology->switches[i].name);
        fleet->n_switches++;
        if (fleet->switches[i].name == NULL)
            return error_set_nomem(err);
    }
    if (fleet->n_switches == 0 && need_one) {
        fleet->switches[0] = (struct fleet_switch){strdup("switch"), FLEET_UNSET};
        fleet->n_switches = 1;
        if (fleet->switches[0].name == NULL)
            return error_set_nomem(err);
    }
    return DC_OK;
}

static enum dc_status copy_links(const struct fleet *topology, struct fleet *fleet, struct dc_error *err) {
    fleet->links = calloc(topology->n_links + fleet->n_hosts + 1, sizeof(*fleet->links));
    if (fleet->links == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < topology->n_links; i++) {
        fleet->links[i] = topology->links[i];
        fleet->links[i].name = strdup(topology->links[i].name);
        fleet->n_links++;
        if (fleet->links[i].name == NULL)
            return error_set_nomem(err);
    }
    return DC_OK;
}

static enum dc_status add_nic(struct fleet *fleet, size_t host, double capacity_bytes_per_s, struct dc_error *err) {
    struct fleet_link *link = &fleet->links[fleet->n_links++];
    *link = (struct fleet_link){.between = {{.is_switch = false, .index = host}, {.is_switch = true, .index = 0}},
                                .capacity_bytes_per_s = capacity_bytes_per_s,
                                .goodput_frac = default_goodput_frac};
    if (asprintf(&link->name, "%s-nic", fleet->hosts[host].name) < 0) {
        link->name = NULL;
        return error_set_nomem(err);
    }
    return DC_OK;
}

enum dc_status fleet_network_build(const struct fleet *topology, struct fleet *fleet, struct dc_error *err) {
    enum dc_status rc = copy_switches(topology, fleet, fleet->n_hosts > topology->n_hosts, err);
    if (rc == DC_OK)
        rc = copy_links(topology, fleet, err);
    double capacity_bytes_per_s = topology->n_links > 0 ? INFINITY : default_capacity_bytes_per_s;
    for (size_t i = 0; i < topology->n_links; i++)
        capacity_bytes_per_s = fmin(capacity_bytes_per_s, topology->links[i].capacity_bytes_per_s);
    for (size_t i = topology->n_hosts; rc == DC_OK && i < fleet->n_hosts; i++)
        rc = add_nic(fleet, i, capacity_bytes_per_s, err);
    return rc;
}
