/* Each kind's own words; what it is about stands in front. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_violation.h"

#include "base/units.h"

#include <stdio.h>

enum { SUBJECT_BYTES = 400, FIGURES_BYTES = 100 };

static void name_arc(const struct question *question, long index, char *text, size_t text_bytes) {
    const struct fleet *fleet = question->fleet;
    const struct problem_arc *arc = &question->problem.arcs[index];
    if (arc->link >= fleet->n_links) {
        (void)snprintf(text, text_bytes, "switch %s", fleet->switches[arc->link - fleet->n_links].name);
        return;
    }
    const char *from = arc->from_node < fleet->n_hosts ? fleet->hosts[arc->from_node].name
                                                       : fleet->switches[arc->from_node - fleet->n_hosts].name;
    (void)snprintf(text, text_bytes, "link %s out of %s", fleet->links[arc->link].name, from);
}

/* What the violation is about: its step, else its VM, host, link or rule. */
static void name_subject(const struct question *question, const struct solution *solution,
                         const struct violation *violation, char *text, size_t text_bytes) {
    const struct fleet *fleet = question->fleet;
    const long vm = violation->vm != PROBLEM_ANY     ? violation->vm
                    : violation->step != PROBLEM_ANY ? (long)solution->steps[violation->step].vm
                                                     : PROBLEM_ANY;
    if (violation->arc != PROBLEM_ANY)
        name_arc(question, violation->arc, text, text_bytes);
    else if (violation->rule != PROBLEM_ANY) {
        const size_t number = question->problem.rules[violation->rule].number;
        (void)snprintf(text, text_bytes, "rules[%zu] (%s)", number, fleet_doc_rule_text(fleet->rules[number].type));
    } else if (violation->step != PROBLEM_ANY)
        (void)snprintf(text, text_bytes, "step %ld (VM %s)", violation->step + 1, fleet->vms[vm].name);
    else if (vm != PROBLEM_ANY)
        (void)snprintf(text, text_bytes, "VM %s", fleet->vms[vm].name);
    else if (violation->host != PROBLEM_ANY)
        (void)snprintf(text, text_bytes, "host %s", fleet->hosts[violation->host].name);
    else
        (void)snprintf(text, text_bytes, "the plan");
}

/* "found, allowed" in the unit of the kind; empty for kinds without figures. */
static void format_figures(const struct violation *violation, char *text, size_t text_bytes) {
    char value[UNITS_TEXT_BYTES], limit[UNITS_TEXT_BYTES];
    text[0] = '\0';
    switch (violation->kind) {
    case VIOLATION_CAPACITY:
        (void)snprintf(text, text_bytes, ": %s of %s", units_format_rate(violation->value, value, sizeof(value)),
                       units_format_rate(violation->limit, limit, sizeof(limit)));
        return;
    case VIOLATION_MEMORY:
        (void)snprintf(text, text_bytes, ": %s of %s", units_format_bytes(violation->value, value, sizeof(value)),
                       units_format_bytes(violation->limit, limit, sizeof(limit)));
        return;
    case VIOLATION_CPU:
    case VIOLATION_CONCURRENCY:
        (void)snprintf(text, text_bytes, ": %.4g of %.4g", violation->value, violation->limit);
        return;
    case VIOLATION_DEADLINE:
    case VIOLATION_DOWNTIME:
    case VIOLATION_ORDER:
    case VIOLATION_BOUND:
        (void)snprintf(text, text_bytes, ": %s, limit %s",
                       units_format_duration(1e3 * violation->value, value, sizeof(value)),
                       units_format_duration(1e3 * violation->limit, limit, sizeof(limit)));
        return;
    case VIOLATION_DURATION:
        (void)snprintf(text, text_bytes, ": %s where %s is needed",
                       units_format_duration(1e3 * violation->value, value, sizeof(value)),
                       units_format_duration(1e3 * violation->limit, limit, sizeof(limit)));
        return;
    case VIOLATION_WRONG_HOST:
    case VIOLATION_NOT_MOVED:
    case VIOLATION_MOVED_TWICE:
    case VIOLATION_RULE:
        return;
    }
}

void plan_violation_text(const struct question *question, const struct solution *solution,
                         const struct violation *violation, char *text, size_t text_bytes) {
    char subject[SUBJECT_BYTES], figures[FIGURES_BYTES], moment[UNITS_TEXT_BYTES];
    name_subject(question, solution, violation, subject, sizeof(subject));
    format_figures(violation, figures, sizeof(figures));
    const bool timed = violation->at_s > 0;
    (void)snprintf(text, text_bytes, "%s: %s%s%s%s", subject, verify_kind_text(violation->kind), figures,
                   timed ? ", at " : "",
                   timed ? units_format_duration(1e3 * violation->at_s, moment, sizeof(moment)) : "");
}
