/*
 * A least set of limits that contradict each other, by deletion: each is taken
 * away for good if there is no whole plan without it either. What stays is needed, all of it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LIMITS = 24, MOST_HOSTS = 6, WHAT_BYTES = 400 };

static const double ample_memory_bytes = 8e15;
static const double ample_cores = 1e6;
static const double ample_downtime_ms = 1e9;

struct limit {
    char what[WHAT_BYTES];
    json_t *without; /* changes that take it away */
};

struct core {
    struct explainer *explainer;
    size_t n;
    struct limit limits[MOST_LIMITS];
};

/* Takes over `without`. */
static void add_limit(struct core *core, const char *what, json_t *without) {
    if (without == NULL || core->n == MOST_LIMITS) {
        json_decref(without);
        return;
    }
    struct limit *limit = &core->limits[core->n++];
    (void)snprintf(limit->what, sizeof(limit->what), "%s", what);
    limit->without = without;
}

static json_t *host_change(const struct fleet *fleet, size_t host, const char *change, double to) {
    return json_pack("{s:s, s:s, s:f}", "change", change, "host", fleet->hosts[host].name, "to", to);
}

static void add_hosts(struct core *core, const bool *named) {
    const struct fleet *fleet = core->explainer->fleet;
    char what[WHAT_BYTES];
    json_t *others = json_array();
    for (size_t host = 0; host < fleet->n_hosts; host++) {
        json_t *memory = host_change(fleet, host, "memory_bytes", ample_memory_bytes);
        if (!named[host]) {
            (void)json_array_append_new(others, memory);
            continue;
        }
        (void)snprintf(what, sizeof(what), "the memory of host %s", fleet->hosts[host].name);
        add_limit(core, what, json_pack("[o]", memory));
        if (fleet->hosts[host].cpus <= 0)
            continue;
        (void)snprintf(what, sizeof(what), "the cores of host %s", fleet->hosts[host].name);
        add_limit(core, what, json_pack("[o]", host_change(fleet, host, "cpus", ample_cores)));
    }
    if (json_array_size(others) > 0)
        add_limit(core, "the memory of the other hosts", json_incref(others));
    json_decref(others);
}

/* Rules that name a VM of a conflict go first, others as far as there is room. */
static void add_rules(struct core *core, const bool *concerned) {
    const struct fleet *fleet = core->explainer->fleet;
    char what[WHAT_BYTES];
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < fleet->n_rules; i++) {
            const struct fleet_rule *rule = &fleet->rules[i];
            bool concerns = false;
            for (size_t k = 0; k < rule->n_vms; k++)
                concerns = concerns || concerned[rule->vms[k]];
            if (!rule->hard || concerns != (pass == 0))
                continue;
            (void)snprintf(what, sizeof(what), "rules[%zu] (%s)", i, fleet_doc_rule_text(rule->type));
            add_limit(core, what, json_pack("[{s:s, s:I}]", "change", "drop_rule", "to", (json_int_t)i));
        }
    }
}

static void add_budgets(struct core *core, const bool *concerned) {
    const struct fleet *fleet = core->explainer->fleet;
    char what[WHAT_BYTES];
    for (size_t vm = 0; vm < fleet->n_vms; vm++) {
        if (!concerned[vm] || (fleet->vms[vm].downtime_budget_ms < 0 && core->explainer->goal->max_downtime_ms <= 0))
            continue;
        (void)snprintf(what, sizeof(what), "the downtime budget of VM %s", fleet->vms[vm].name);
        add_limit(core, what,
                  json_pack("[{s:s, s:s, s:f}]", "change", "downtime_budget_ms", "vm", fleet->vms[vm].uuid, "to",
                            ample_downtime_ms));
    }
}

/* VMs and hosts that the plan's conflicts name. */
static void find_named(const struct core *core, const struct plan *plan, bool *vms, bool *hosts) {
    const struct fleet *fleet = core->explainer->fleet;
    size_t i, n_hosts = 0;
    const json_t *conflict;
    json_array_foreach(plan->conflicts, i, conflict) {
        const json_t *needs = json_object_get(conflict, "needs");
        const char *vm_name = json_string_value(json_object_get(needs, "vm"));
        const char *host_name = json_string_value(json_object_get(needs, "host"));
        const long vm = vm_name != NULL ? fleet_doc_find_vm(fleet, vm_name) : FLEET_NO_INDEX;
        const long host = host_name != NULL ? fleet_doc_find_host(fleet, host_name) : FLEET_NO_INDEX;
        if (vm != FLEET_NO_INDEX)
            vms[vm] = true;
        if (host != FLEET_NO_INDEX && !hosts[host] && n_hosts++ < MOST_HOSTS)
            hosts[host] = true;
    }
}

static enum dc_status is_whole_without(struct core *core, const json_t *changes, bool *whole_out, bool *tried_out,
                                       struct dc_error *err) {
    struct plan after;
    const enum dc_status rc = explain_try(core->explainer, changes, true, &after, tried_out, err);
    *whole_out = rc == DC_OK && *tried_out && plan_doc_is_whole(&after);
    plan_doc_dispose(&after);
    return rc;
}

/* Deletion; `*core_out` stays empty where even taking all away does not help, or the limits are used up. */
static enum dc_status delete_needless(struct core *core, json_t *core_out, struct dc_error *err) {
    json_t *gone = json_array();
    json_t *all = json_array();
    bool whole = false, tried = gone != NULL && all != NULL;
    bool needed[MOST_LIMITS] = {false};
    for (size_t i = 0; tried && i < core->n; i++)
        (void)json_array_extend(all, core->limits[i].without);
    enum dc_status rc = tried ? is_whole_without(core, all, &whole, &tried, err) : error_set_nomem(err);
    const bool has_core = whole;
    for (size_t i = 0; rc == DC_OK && has_core && tried && i < core->n; i++) {
        json_t *trial = json_copy(gone);
        if (trial == NULL || json_array_extend(trial, core->limits[i].without) != 0)
            rc = error_set_nomem(err);
        if (rc == DC_OK)
            rc = is_whole_without(core, trial, &whole, &tried, err);
        needed[i] = whole;
        if (rc == DC_OK && !whole)
            (void)json_array_extend(gone, core->limits[i].without);
        json_decref(trial);
    }
    for (size_t i = 0; rc == DC_OK && has_core && tried && i < core->n; i++) {
        if (needed[i])
            (void)json_array_append_new(core_out, json_pack("{s:s}", "what", core->limits[i].what));
    }
    json_decref(gone);
    json_decref(all);
    return rc;
}

static enum dc_status find_core(struct core *core, const struct plan *plan, bool *vms, bool *hosts, json_t *core_out,
                                struct dc_error *err) {
    find_named(core, plan, vms, hosts);
    if (core->explainer->goal->deadline_ms > 0)
        add_limit(core, "the deadline", json_pack("[{s:s, s:n}]", "change", "deadline_ms", "to"));
    add_budgets(core, vms);
    add_hosts(core, hosts);
    add_rules(core, vms);
    return delete_needless(core, core_out, err);
}

enum dc_status explain_core(struct explainer *explainer, const struct plan *plan, json_t **core_out,
                            struct dc_error *err) {
    struct core core = {.explainer = explainer};
    const struct fleet *fleet = explainer->fleet;
    bool *vms = calloc(fleet->n_vms + 1, sizeof(*vms));
    bool *hosts = calloc(fleet->n_hosts + 1, sizeof(*hosts));
    enum dc_status rc;
    *core_out = json_array();
    if (vms != NULL && hosts != NULL && *core_out != NULL)
        rc = find_core(&core, plan, vms, hosts, *core_out, err);
    else
        rc = error_set_nomem(err);
    for (size_t i = 0; i < core.n; i++)
        json_decref(core.limits[i].without);
    free(vms);
    free(hosts);
    return rc;
}
