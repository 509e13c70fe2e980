/* Only what the plan's steps name is put out, found by a walk over them. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/page/page_network.h"

#include <stdlib.h>

static const char *end_name(const struct fleet *fleet, const struct fleet_endpoint *end) {
    return end->is_switch ? fleet->switches[end->index].name : fleet->hosts[end->index].name;
}

/* The names of all links of the steps, each with true. A new reference; NULL when out of memory. */
static json_t *links_of(const struct plan *plan) {
    json_t *names = json_object();
    for (size_t i = 0; names != NULL && i < plan->n_steps; i++) {
        for (size_t k = 0; k < plan->steps[i].n_path; k++) {
            if (json_object_set_new(names, plan->steps[i].path[k], json_true()) == 0)
                continue;
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

/* False when out of memory. */
static bool add_links(const struct plan *plan, const struct fleet *fleet, json_t *links) {
    json_t *used = links_of(plan);
    bool ok = used != NULL;
    for (size_t i = 0; ok && i < fleet->n_links; i++) {
        const struct fleet_link *link = &fleet->links[i];
        if (json_object_get(used, link->name) == NULL)
            continue;
        const double usable = link->capacity_bytes_per_s * link->goodput_frac - link->background_bytes_per_s;
        json_t *item = json_pack("{s:[ss],s:f}", "between", end_name(fleet, &link->between[0]),
                                 end_name(fleet, &link->between[1]), "usable_bytes_per_s", usable > 0 ? usable : 0.0);
        ok = item != NULL && json_object_set_new(links, link->name, item) == 0;
    }
    json_decref(used);
    return ok;
}

/* False when out of memory. */
static bool add_vms(const struct plan *plan, const struct fleet *fleet, json_t *vms) {
    for (size_t i = 0; i < plan->n_steps; i++) {
        const long index = plan->steps[i].vm[0] != '\0' ? fleet_doc_find_vm(fleet, plan->steps[i].vm) : FLEET_NO_INDEX;
        if (index == FLEET_NO_INDEX)
            continue;
        const struct fleet_vm *vm = &fleet->vms[index];
        json_t *item = json_pack("{s:f}", "memory_bytes", vm->memory_bytes);
        if (item == NULL || json_object_set_new(vms, plan->steps[i].vm, item) != 0)
            return false;
        if (vm->downtime_budget_ms >= 0 &&
            json_object_set_new(item, "downtime_budget_ms", json_real(vm->downtime_budget_ms)) != 0)
            return false;
    }
    return true;
}

enum dc_status page_network_write(const struct plan *plan, const struct fleet *fleet, char **json_out,
                                  struct dc_error *err) {
    json_t *links = json_object();
    json_t *vms = json_object();
    json_t *all = NULL;
    *json_out = NULL;
    bool ok = links != NULL && vms != NULL;
    if (ok && fleet != NULL)
        ok = add_links(plan, fleet, links) && add_vms(plan, fleet, vms);
    if (ok)
        all = json_pack("{s:O,s:O}", "links", links, "vms", vms);
    if (all != NULL)
        *json_out = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    json_decref(links);
    json_decref(vms);
    return *json_out != NULL ? DC_OK : error_set_nomem(err);
}
