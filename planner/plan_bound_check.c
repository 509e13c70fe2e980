/*
 * Checking: names back to indices, the proof, the comparison. A document is
 * somebody else's word: whatever does not resolve proves nothing.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/units.h"
#include "planner/plan_bound.h"
#include "planner/plan_check.h"
#include "solver/certificate.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const double rounding_ms = 2;
static const double rounding_frac = 1e-6;

struct reading {
    const struct question *question;
    const struct plan *plan;
    struct certificate certificate;
    size_t *vms;
    struct solution_prices prices;
    const char *unknown; /* what does not resolve, or NULL */
};

static const char *text_at(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

static const char *node_name(const struct fleet *fleet, size_t node) {
    return node < fleet->n_hosts ? fleet->hosts[node].name : fleet->switches[node - fleet->n_hosts].name;
}

/* "a->b" names the arc from a to b. */
static bool has_direction(const struct fleet *fleet, const struct problem_arc *arc, const char *direction) {
    const char *from = node_name(fleet, arc->from_node);
    const char *to = node_name(fleet, arc->to_node);
    const size_t n = strlen(from);
    return strncmp(direction, from, n) == 0 && strncmp(direction + n, "->", 2) == 0 &&
           strcmp(direction + n + 2, to) == 0;
}

/* SIZE_MAX where there is none. */
static size_t find_arc(const struct question *question, const json_t *object) {
    const struct fleet *fleet = question->fleet;
    const char *link = text_at(object, "link");
    const char *direction = text_at(object, "direction");
    const char *name = text_at(object, "switch");
    for (size_t i = 0; i < question->problem.n_arcs; i++) {
        const struct problem_arc *arc = &question->problem.arcs[i];
        const bool is_switch = arc->link >= fleet->n_links;
        if (is_switch && name != NULL && strcmp(fleet->switches[arc->link - fleet->n_links].name, name) == 0)
            return i;
        if (!is_switch && link != NULL && direction != NULL && strcmp(fleet->links[arc->link].name, link) == 0 &&
            has_direction(fleet, arc, direction))
            return i;
    }
    return SIZE_MAX;
}

static size_t find_host(const struct question *question, const json_t *object) {
    const char *name = text_at(object, "host");
    const long host = name != NULL ? fleet_doc_find_host(question->fleet, name) : FLEET_NO_INDEX;
    return host == FLEET_NO_INDEX ? SIZE_MAX : (size_t)host;
}

static bool add_vm(struct reading *reading, const char *uuid) {
    const long vm = uuid != NULL ? fleet_doc_find_vm(reading->question->fleet, uuid) : FLEET_NO_INDEX;
    if (vm == FLEET_NO_INDEX) {
        reading->unknown = "a VM";
        return false;
    }
    reading->vms[reading->certificate.n_vms++] = (size_t)vm;
    return true;
}

/* A VM that hops has several steps and is one VM of the bound. */
static bool is_first_step(const struct plan *plan, size_t index) {
    for (size_t i = 0; i < index; i++) {
        if (plan->steps[i].hop && strcmp(plan->steps[i].vm, plan->steps[index].vm) == 0)
            return false;
    }
    return true;
}

static enum dc_status read_vms(struct reading *reading, struct dc_error *err) {
    const struct plan *plan = reading->plan;
    const json_t *list = json_object_get(plan->bound, "vms");
    const size_t n = json_is_array(list) ? json_array_size(list) : plan->n_steps;
    reading->vms = calloc(n + 1, sizeof(*reading->vms));
    if (reading->vms == NULL)
        return error_set_nomem(err);
    reading->certificate.vms = reading->vms;
    for (size_t i = 0; i < n; i++) {
        const bool ok = json_is_array(list)      ? add_vm(reading, json_string_value(json_array_get(list, i)))
                        : is_first_step(plan, i) ? add_vm(reading, plan->steps[i].vm)
                                                 : true;
        if (!ok)
            break;
    }
    return DC_OK;
}

static void set_price(struct reading *reading, const json_t *item) {
    const size_t arc = find_arc(reading->question, item);
    const size_t host = find_host(reading->question, item);
    const json_t *slot = json_object_get(item, "slot_s_per_s");
    const json_t *memory = json_object_get(item, "memory_s_per_byte");
    if (arc != SIZE_MAX)
        reading->prices.arc_s_per_byte[arc] = json_number_value(json_object_get(item, "s_per_byte"));
    else if (host != SIZE_MAX && slot != NULL)
        reading->prices.slot_s_per_s[host] = json_number_value(slot);
    else if (host != SIZE_MAX && memory != NULL)
        reading->prices.memory_s_per_byte[host] = json_number_value(memory);
    else
        reading->unknown = "what has a price";
}

static enum dc_status read_prices(struct reading *reading, struct dc_error *err) {
    const struct problem *problem = &reading->question->problem;
    struct solution_prices *prices = &reading->prices;
    size_t i;
    const json_t *item;
    prices->arc_s_per_byte = calloc(problem->n_arcs + 1, sizeof(*prices->arc_s_per_byte));
    prices->slot_s_per_s = calloc(problem->n_hosts + 1, sizeof(*prices->slot_s_per_s));
    prices->memory_s_per_byte = calloc(problem->n_hosts + 1, sizeof(*prices->memory_s_per_byte));
    if (prices->arc_s_per_byte == NULL || prices->slot_s_per_s == NULL || prices->memory_s_per_byte == NULL)
        return error_set_nomem(err);
    json_array_foreach(json_object_get(reading->plan->bound, "prices"), i, item) {
        set_price(reading, item);
    }
    reading->certificate.prices = prices;
    return DC_OK;
}

static void read_subject(struct reading *reading, const char *kind) {
    struct certificate *certificate = &reading->certificate;
    const json_t *bound = reading->plan->bound;
    if (strcmp(kind, "link") == 0 || strcmp(kind, "switch") == 0) {
        certificate->kind = SOLUTION_BOUND_ARC;
        certificate->index = find_arc(reading->question, bound);
    } else if (strcmp(kind, "vm") == 0) {
        const char *uuid = text_at(bound, "vm");
        const long vm = uuid != NULL ? fleet_doc_find_vm(reading->question->fleet, uuid) : FLEET_NO_INDEX;
        certificate->kind = SOLUTION_BOUND_VM;
        certificate->index = vm == FLEET_NO_INDEX ? SIZE_MAX : (size_t)vm;
    } else if (strcmp(kind, "host") == 0) {
        certificate->kind = SOLUTION_BOUND_HOST;
        certificate->index = find_host(reading->question, bound);
    } else if (strcmp(kind, "max_parallel") == 0) {
        certificate->kind = SOLUTION_BOUND_HOST;
        certificate->index = SIZE_MAX;
        return;
    } else if (strcmp(kind, "memory") == 0) {
        certificate->kind = SOLUTION_BOUND_MEMORY;
        certificate->small_bytes = json_number_value(json_object_get(bound, "small_bytes"));
        return;
    } else if (strcmp(kind, "placement") == 0) {
        certificate->kind = SOLUTION_BOUND_PLACEMENT;
        return;
    }
    if (certificate->kind != SOLUTION_BOUND_NONE && certificate->index == SIZE_MAX)
        reading->unknown = "what it is about";
}

static enum dc_status say_differs(json_t *violations, const char *key, double claimed, double found,
                                  struct dc_error *err) {
    return plan_check_say(violations, err, "the bound: claims %s %.15g, the fleet's figure is %.15g", key, claimed,
                          found);
}

/* Terms that are left out claim nothing. */
static enum dc_status compare_terms(const json_t *bound, const struct solution_bound *proved, json_t *violations,
                                    struct dc_error *err) {
    const struct {
        const char *key;
        double found, rounding;
    } terms[] = {
        {"setup_ms", 1e3 * proved->setup_s, rounding_ms},
        {"volume_bytes", proved->volume_bytes, 1 + rounding_frac * proved->volume_bytes},
        {"capacity_bytes_per_s", proved->capacity_bytes_per_s, 1},
        {"tail_ms", 1e3 * proved->tail_s, rounding_ms},
        {"work_ms", 1e3 * proved->work_s, rounding_ms},
        {"slots", proved->slots, 0},
        {"held_byte_s", proved->held_byte_s, rounding_frac * proved->held_byte_s},
        {"free_bytes", proved->free_bytes, 1},
    };
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < sizeof(terms) / sizeof(terms[0]); i++) {
        const json_t *claimed = json_object_get(bound, terms[i].key);
        if (claimed != NULL && !(fabs(json_number_value(claimed) - terms[i].found) <= terms[i].rounding))
            rc = say_differs(violations, terms[i].key, json_number_value(claimed), terms[i].found, err);
    }
    return rc;
}

/* The gap follows from makespan and bound, both rounded to milliseconds. */
static enum dc_status compare_gap(const struct plan *plan, json_t *violations, struct dc_error *err) {
    if (plan->n_steps == 0 || plan->makespan_ms.p95 <= 0 || plan->lower_bound_ms <= 0)
        return DC_OK;
    const double gap_frac = fmax(0, plan->makespan_ms.p95 / plan->lower_bound_ms - 1);
    const double rounding = rounding_ms * (1 + gap_frac) / plan->lower_bound_ms + rounding_frac;
    if (fabs(plan->gap_frac - gap_frac) <= rounding)
        return DC_OK;
    return plan_check_say(violations, err, "the plan: claims a gap of %.3f %%, makespan and bound make it %.3f %%",
                          100 * plan->gap_frac, 100 * gap_frac);
}

static enum dc_status compare(const struct reading *reading, json_t *violations, struct dc_error *err) {
    struct solution_bound proved;
    const struct plan *plan = reading->plan;
    enum dc_status rc =
        certificate_prove(&reading->question->problem, PROBLEM_P95, &reading->certificate, &proved, err);
    if (rc != DC_OK)
        return rc;
    if (proved.kind == SOLUTION_BOUND_NONE)
        return plan_check_say(violations, err, "the bound: what it carries proves nothing for this fleet");
    if (plan->lower_bound_ms > 1e3 * proved.value_s * (1 + rounding_frac) + rounding_ms) {
        char claimed[UNITS_TEXT_BYTES], found[UNITS_TEXT_BYTES];
        rc = plan_check_say(violations, err, "the bound: claims %s, what it carries proves only %s",
                            units_format_duration(plan->lower_bound_ms, claimed, sizeof(claimed)),
                            units_format_duration(1e3 * proved.value_s, found, sizeof(found)));
    }
    return rc == DC_OK ? compare_terms(plan->bound, &proved, violations, err) : rc;
}

enum dc_status plan_bound_check(const struct question *question, const struct plan *plan, json_t *violations,
                                json_t *warnings, struct dc_error *err) {
    struct reading reading = {.question = question, .plan = plan};
    const char *kind = text_at(plan->bound, "kind");
    enum dc_status rc = compare_gap(plan, violations, err);
    if (rc != DC_OK || plan->lower_bound_ms <= 0)
        return rc;
    if (kind != NULL)
        read_subject(&reading, kind);
    if (reading.certificate.kind == SOLUTION_BOUND_NONE)
        return plan_check_say(warnings, err, "the bound of kind %s carries nothing that proves it",
                              kind != NULL ? kind : "none");
    rc = read_vms(&reading, err);
    if (rc == DC_OK)
        rc = read_prices(&reading, err);
    if (rc == DC_OK)
        rc = reading.unknown != NULL
                 ? plan_check_say(violations, err, "the bound: the fleet does not know %s", reading.unknown)
                 : compare(&reading, violations, err);
    solution_prices_dispose(&reading.prices);
    free(reading.vms);
    return rc;
}
