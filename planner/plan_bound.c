/* Writing: indices to names. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_bound.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double to_ms(double seconds) {
    return isfinite(seconds) ? round(1e3 * seconds) : 0;
}

static json_t *integer(double value) {
    return json_integer((json_int_t)llround(value));
}

static const char *node_name(const struct fleet *fleet, size_t node) {
    return node < fleet->n_hosts ? fleet->hosts[node].name : fleet->switches[node - fleet->n_hosts].name;
}

/* {"link": name, "direction": "from->to"} or {"switch": name}. */
static json_t *arc_json(const struct question *question, size_t index) {
    const struct fleet *fleet = question->fleet;
    const struct problem_arc *arc = &question->problem.arcs[index];
    if (arc->from_node == arc->to_node)
        return json_pack("{s:s}", "switch", fleet->switches[arc->link - fleet->n_links].name);
    char *direction = NULL;
    if (asprintf(&direction, "%s->%s", node_name(fleet, arc->from_node), node_name(fleet, arc->to_node)) < 0)
        return NULL;
    json_t *json = json_pack("{s:s, s:s}", "link", fleet->links[arc->link].name, "direction", direction);
    free(direction);
    return json;
}

static json_t *arc_bound_json(const struct question *question, const struct solution_bound *bound) {
    const struct problem_arc *arc = &question->problem.arcs[bound->index];
    json_t *json = json_pack("{s:s}", "kind", arc->from_node == arc->to_node ? "switch" : "link");
    json_t *subject = arc_json(question, bound->index);
    json_t *terms = json_pack("{s:o, s:o, s:o, s:o}", "setup_ms", integer(to_ms(bound->setup_s)), "volume_bytes",
                              integer(bound->volume_bytes), "capacity_bytes_per_s",
                              integer(bound->capacity_bytes_per_s), "tail_ms", integer(to_ms(bound->tail_s)));
    if (subject == NULL || terms == NULL || json_object_update(json, subject) != 0 ||
        json_object_update(json, terms) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(subject);
    json_decref(terms);
    return json;
}

static json_t *host_bound_json(const struct question *question, const struct solution_bound *bound) {
    json_t *terms = json_pack("{s:o, s:o}", "work_ms", integer(to_ms(bound->work_s)), "slots", integer(bound->slots));
    const bool whole_plan = bound->index >= question->fleet->n_hosts; /* the goal's own limit, not a host's */
    json_t *json = whole_plan
                       ? json_pack("{s:s}", "kind", "max_parallel")
                       : json_pack("{s:s, s:s}", "kind", "host", "host", question->fleet->hosts[bound->index].name);
    if (terms == NULL || json_object_update(json, terms) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(terms);
    return json;
}

static bool add_price(json_t *list, json_t *subject, const char *key, double price) {
    const bool ok = json_object_set_new(subject, key, json_real(price)) == 0;
    return json_array_append_new(list, subject) == 0 && ok;
}

/* Only what has a price. */
static json_t *prices_json(const struct question *question, const struct solution_prices *prices) {
    const struct problem *problem = &question->problem;
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t arc = 0; ok && arc < problem->n_arcs; arc++) {
        if (prices->arc_s_per_byte[arc] > 0)
            ok = add_price(list, arc_json(question, arc), "s_per_byte", prices->arc_s_per_byte[arc]);
    }
    for (size_t host = 0; ok && host < problem->n_hosts; host++) {
        const char *name = question->fleet->hosts[host].name;
        if (prices->slot_s_per_s[host] > 0)
            ok = add_price(list, json_pack("{s:s}", "host", name), "slot_s_per_s", prices->slot_s_per_s[host]);
        if (ok && prices->memory_s_per_byte[host] > 0)
            ok =
                add_price(list, json_pack("{s:s}", "host", name), "memory_s_per_byte", prices->memory_s_per_byte[host]);
    }
    if (ok)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *kind_json(const struct question *question, const struct solution *solution) {
    const struct solution_bound *bound = &solution->bound;
    const struct fleet *fleet = question->fleet;
    switch (bound->kind) {
    case SOLUTION_BOUND_ARC:
        return arc_bound_json(question, bound);
    case SOLUTION_BOUND_VM:
        return json_pack("{s:s, s:s, s:s}", "kind", "vm", "vm", fleet->vms[bound->index].uuid, "vm_name",
                         fleet->vms[bound->index].name);
    case SOLUTION_BOUND_HOST:
        return host_bound_json(question, bound);
    case SOLUTION_BOUND_PLACEMENT:
        return json_pack("{s:s, s:o}", "kind", "placement", "prices", prices_json(question, &solution->prices));
    case SOLUTION_BOUND_MEMORY:
        return json_pack("{s:s, s:o, s:o, s:o}", "kind", "memory", "held_byte_s", json_real(bound->held_byte_s),
                         "free_bytes", integer(bound->free_bytes), "small_bytes", integer(bound->small_bytes));
    case SOLUTION_BOUND_STEP_MODEL:
        return json_pack("{s:s}", "kind", "step_model");
    case SOLUTION_BOUND_NONE:
        break;
    }
    return json_pack("{s:s}", "kind", "none");
}

static bool has_step(const struct solution *solution, size_t vm) {
    for (size_t i = 0; i < solution->n_steps; i++) {
        if (solution->steps[i].vm == vm)
            return true;
    }
    return false;
}

/* VMs have one step each but for hops, so that counting comes before looking. */
static bool are_the_steps(const struct solution *solution) {
    if (solution->n_steps < solution->n_bound_vms)
        return false;
    if (solution->n_steps == solution->n_bound_vms && solution->n_conflicts == 0)
        return true;
    for (size_t i = 0; i < solution->n_bound_vms; i++) {
        if (!has_step(solution, solution->bound_vms[i]))
            return false;
    }
    return true;
}

json_t *plan_bound_json(const struct question *question, const struct solution *solution) {
    json_t *json = kind_json(question, solution);
    if (json == NULL || solution->bound.kind == SOLUTION_BOUND_NONE || are_the_steps(solution))
        return json;
    json_t *vms = json_array();
    bool ok = vms != NULL;
    for (size_t i = 0; ok && i < solution->n_bound_vms; i++)
        ok = json_array_append_new(vms, json_string(question->fleet->vms[solution->bound_vms[i]].uuid)) == 0;
    if (ok && json_object_set_new(json, "vms", vms) == 0)
        return json;
    json_decref(json);
    return NULL;
}
