/* Looks names up, then sets figures. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/question_relax.h"

#include <math.h>
#include <string.h>

static enum dc_status find_host(const struct question *question, const char *name, size_t *host_out,
                                struct dc_error *err) {
    const long host = fleet_doc_find_host(question->fleet, name);
    if (host == FLEET_NO_INDEX)
        return error_set(err, DC_ENOTFOUND, "relax: no host is called %s", name);
    *host_out = (size_t)host;
    return DC_OK;
}

static enum dc_status set_link(struct question *question, const struct relax *relax, struct dc_error *err) {
    const struct fleet *fleet = question->fleet;
    bool found = false;
    for (size_t i = 0; i < question->problem.n_arcs; i++) {
        struct problem_arc *arc = &question->problem.arcs[i];
        if (arc->link >= fleet->n_links || strcmp(fleet->links[arc->link].name, relax->name) != 0)
            continue;
        const struct fleet_link *link = &fleet->links[arc->link];
        arc->capacity_bytes_per_s = fmax(1, relax->to * link->goodput_frac - link->background_bytes_per_s);
        found = true;
    }
    return found ? DC_OK : error_set(err, DC_ENOTFOUND, "relax: no link in use is called %s", relax->name);
}

static enum dc_status set_host(struct question *question, const struct relax *relax, struct dc_error *err) {
    size_t host = 0;
    const enum dc_status rc = find_host(question, relax->name, &host, err);
    if (rc != DC_OK)
        return rc;
    struct problem_host *it = &question->problem.hosts[host];
    if (relax->kind == RELAX_MEMORY)
        it->memory_bytes = fmax(0, relax->to - question->fleet->hosts[host].reserved_memory_bytes);
    else if (relax->kind == RELAX_CPUS)
        it->cpu_cores = relax->to;
    else
        it->max_migrations = (unsigned)relax->to;
    return DC_OK;
}

enum dc_status question_relax_hosts(struct question *question, struct dc_error *err) {
    const struct relax_list *list = &question->goal->relax;
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < list->n; i++) {
        const struct relax *relax = &list->items[i];
        if (relax->kind == RELAX_LINK)
            rc = set_link(question, relax, err);
        else if (relax->kind == RELAX_MEMORY || relax->kind == RELAX_CPUS || relax->kind == RELAX_SLOTS)
            rc = set_host(question, relax, err);
        else if (relax->kind == RELAX_RULE && relax->to >= (double)question->fleet->n_rules)
            rc = error_set(err, DC_ENOTFOUND, "relax: the fleet has no rules[%.0f]", relax->to);
    }
    return rc;
}

enum dc_status question_relax_vms(struct question *question, struct dc_error *err) {
    const struct relax_list *list = &question->goal->relax;
    for (size_t i = 0; i < list->n; i++) {
        if (list->items[i].kind != RELAX_DOWNTIME)
            continue;
        const long vm = fleet_doc_find_vm(question->fleet, list->items[i].name);
        if (vm == FLEET_NO_INDEX)
            return error_set(err, DC_ENOTFOUND, "relax: no VM (by uuid or unique name) is called %s",
                             list->items[i].name);
        question->problem.vms[vm].downtime_budget_s = list->items[i].to / 1e3;
    }
    return DC_OK;
}
