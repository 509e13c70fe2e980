/* The fleet in memory: freeing it and finding one's way in it. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_doc.h"

#include "proto/fleet_fields.h"
#include "proto/fleet_parts.h"

#include <stdlib.h>
#include <string.h>

void fleet_doc_dispose(struct fleet *fleet) {
    if (fleet == NULL)
        return;
    for (size_t i = 0; i < fleet->n_hosts; i++)
        fleet_parts_dispose_host(&fleet->hosts[i]);
    for (size_t i = 0; i < fleet->n_switches; i++)
        free(fleet->switches[i].name);
    for (size_t i = 0; i < fleet->n_links; i++)
        free(fleet->links[i].name);
    for (size_t i = 0; i < fleet->n_vms; i++)
        fleet_parts_dispose_vm(&fleet->vms[i]);
    for (size_t i = 0; i < fleet->n_rules; i++) {
        free(fleet->rules[i].vms);
        free(fleet->rules[i].hosts);
        free(fleet->rules[i].group_end);
    }
    for (size_t i = 0; i < fleet->n_observations; i++)
        fleet_observation_dispose(&fleet->observations[i]);
    calibration_free(&fleet->calibration, &fleet->n_calibration);
    free(fleet->observations);
    free(fleet->hosts);
    free(fleet->switches);
    free(fleet->links);
    free(fleet->vms);
    free(fleet->rules);
    *fleet = (struct fleet){0};
}

long fleet_doc_find_host(const struct fleet *fleet, const char *name) {
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        if (strcmp(fleet->hosts[i].name, name) == 0)
            return (long)i;
    }
    return FLEET_NO_INDEX;
}

long fleet_doc_find_vm(const struct fleet *fleet, const char *uuid_or_name) {
    long named = FLEET_NO_INDEX;
    size_t n_named = 0;
    for (size_t i = 0; i < fleet->n_vms; i++) {
        if (strcmp(fleet->vms[i].uuid, uuid_or_name) == 0)
            return (long)i;
        if (strcmp(fleet->vms[i].name, uuid_or_name) == 0) {
            named = (long)i;
            n_named++;
        }
    }
    return n_named == 1 ? named : FLEET_NO_INDEX;
}

const char *fleet_doc_host_state_text(enum fleet_host_state state) {
    return fleet_fields_host_states[state];
}

const char *fleet_doc_vm_state_text(enum fleet_vm_state state) {
    return fleet_fields_vm_states[state];
}

const char *fleet_doc_freshness_text(enum fleet_freshness freshness) {
    return fleet_fields_freshness[freshness];
}

const char *fleet_doc_rule_text(enum fleet_rule_type type) {
    return fleet_fields_rule_types[type];
}
