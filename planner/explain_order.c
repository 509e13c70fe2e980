/*
 * What a step waited for is what changed when it started: memory, a slot or
 * a rule that was in its way the moment before, else bandwidth.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/explain.h"

#include "planner/question.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WHY_BYTES = 600 };

static const double same_moment_ms = 2;

struct step_at {
    size_t vm, from, to;
};

struct ordering {
    const struct question *question;
    const struct plan *plan;
    struct step_at *at; /* [n_steps] */
    double *arc_rate;   /* [n_arcs], scratch */
};

static bool is_flying(const struct plan_step *step, double before_ms) {
    return step->start_ms < before_ms - same_moment_ms && step->end_ms > before_ms - same_moment_ms;
}

/* Memory on the destination just before the step, without what frees at that moment. */
static bool lacks_memory(const struct ordering *ordering, size_t index, size_t *freed_by_out) {
    const struct problem *problem = &ordering->question->problem;
    const struct plan_step *step = &ordering->plan->steps[index];
    const size_t host = ordering->at[index].to;
    double free_bytes = problem->hosts[host].memory_bytes;
    *freed_by_out = SIZE_MAX;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        free_bytes -= problem->vms[vm].host == host ? problem->vms[vm].memory_bytes : 0;
    for (size_t i = 0; i < ordering->plan->n_steps; i++) {
        const struct plan_step *other = &ordering->plan->steps[i];
        const double bytes = problem->vms[ordering->at[i].vm].memory_bytes;
        if (ordering->at[i].to == host && other->start_ms < step->start_ms - same_moment_ms)
            free_bytes -= bytes;
        if (ordering->at[i].from != host || other->end_ms > step->start_ms + same_moment_ms)
            continue;
        if (other->end_ms < step->start_ms - same_moment_ms)
            free_bytes += bytes;
        else
            *freed_by_out = i;
    }
    return problem->vms[ordering->at[index].vm].memory_bytes > free_bytes && *freed_by_out != SIZE_MAX;
}

/* The host (SIZE_MAX: the plan itself) whose slots were all taken. */
static bool lacks_slot(const struct ordering *ordering, size_t index, size_t *host_out, unsigned *limit_out) {
    const struct problem *problem = &ordering->question->problem;
    const size_t hosts[] = {ordering->at[index].from, ordering->at[index].to, SIZE_MAX};
    for (size_t h = 0; h < 3; h++) {
        unsigned n = 0;
        *host_out = hosts[h];
        *limit_out = hosts[h] == SIZE_MAX ? problem->max_parallel : problem->hosts[hosts[h]].max_migrations;
        for (size_t i = 0; *limit_out > 0 && i < ordering->plan->n_steps; i++) {
            const bool there =
                hosts[h] == SIZE_MAX || ordering->at[i].from == hosts[h] || ordering->at[i].to == hosts[h];
            n += there && is_flying(&ordering->plan->steps[i], ordering->plan->steps[index].start_ms);
        }
        if (*limit_out > 0 && n >= *limit_out)
            return true;
    }
    return false;
}

static bool has_vm(const struct problem_rule *rule, size_t vm) {
    for (size_t i = 0; i < rule->n_vms; i++) {
        if (rule->vms[i] == vm)
            return true;
    }
    return false;
}

/* A rule about time between this VM and one whose migration ends just then. */
static bool waits_for_rule(const struct ordering *ordering, size_t index, size_t *rule_out, size_t *other_out) {
    const struct problem *problem = &ordering->question->problem;
    for (size_t r = 0; r < problem->n_rules; r++) {
        const struct problem_rule *rule = &problem->rules[r];
        const bool in_time = rule->type == PROBLEM_PRECEDENCE || rule->type == PROBLEM_SERIALIZE || rule->continuous;
        if (!in_time || !has_vm(rule, ordering->at[index].vm))
            continue;
        for (size_t i = 0; i < ordering->plan->n_steps; i++) {
            const double apart_ms = ordering->plan->steps[i].end_ms - ordering->plan->steps[index].start_ms;
            if (i == index || fabs(apart_ms) > same_moment_ms || !has_vm(rule, ordering->at[i].vm))
                continue;
            *rule_out = rule->number;
            *other_out = i;
            return true;
        }
    }
    return false;
}

static double rate_before(const struct plan_step *step, double at_ms) {
    double rate = 0;
    for (size_t i = 0; i < step->n_rates && step->rates[i].from_ms < at_ms - same_moment_ms; i++)
        rate = step->rates[i].bytes_per_s;
    return rate;
}

/* The fullest link on its path just before. */
static const char *fullest_link(const struct ordering *ordering, size_t index, double *full_frac_out) {
    const struct problem *problem = &ordering->question->problem;
    const char *name = NULL;
    size_t n_arcs = 0;
    *full_frac_out = 0;
    for (size_t arc = 0; arc < problem->n_arcs; arc++)
        ordering->arc_rate[arc] = 0;
    for (size_t i = 0; i < ordering->plan->n_steps; i++) {
        const double rate = rate_before(&ordering->plan->steps[i], ordering->plan->steps[index].start_ms);
        const uint32_t *arcs =
            rate > 0 ? problem_path(problem, ordering->at[i].from, ordering->at[i].to, &n_arcs) : NULL;
        for (size_t k = 0; arcs != NULL && k < n_arcs; k++)
            ordering->arc_rate[arcs[k]] += rate;
    }
    const uint32_t *arcs = problem_path(problem, ordering->at[index].from, ordering->at[index].to, &n_arcs);
    for (size_t k = 0; k < n_arcs; k++) {
        const struct problem_arc *arc = &problem->arcs[arcs[k]];
        const double full_frac = ordering->arc_rate[arcs[k]] / arc->capacity_bytes_per_s;
        if (full_frac <= *full_frac_out)
            continue;
        *full_frac_out = full_frac;
        name = arc->link < ordering->question->fleet->n_links
                   ? ordering->question->fleet->links[arc->link].name
                   : ordering->question->fleet->switches[arc->link - ordering->question->fleet->n_links].name;
    }
    return name;
}

static void say_why(const struct ordering *ordering, size_t index, char *why) {
    const struct fleet *fleet = ordering->question->fleet;
    const struct plan_step *steps = ordering->plan->steps;
    size_t other = 0, host = 0, rule = 0;
    unsigned limit = 0;
    double full_frac = 0;
    if (steps[index].start_ms <= same_moment_ms) {
        (void)snprintf(why, WHY_BYTES, "starts at once");
    } else if (lacks_memory(ordering, index, &other)) {
        (void)snprintf(why, WHY_BYTES, "waits for memory on host %s, which step %u (VM %s) frees", steps[index].to,
                       steps[other].id, steps[other].vm_name);
    } else if (lacks_slot(ordering, index, &host, &limit)) {
        (void)snprintf(why, WHY_BYTES, "waits for one of the %u migrations that %s%s may have at once", limit,
                       host == SIZE_MAX ? "the plan" : "host ", host == SIZE_MAX ? "" : fleet->hosts[host].name);
    } else if (waits_for_rule(ordering, index, &rule, &other)) {
        (void)snprintf(why, WHY_BYTES, "waits for step %u (VM %s) by rules[%zu] (%s)", steps[other].id,
                       steps[other].vm_name, rule, fleet_doc_rule_text(fleet->rules[rule].type));
    } else {
        const char *link = fullest_link(ordering, index, &full_frac);
        if (link != NULL)
            (void)snprintf(why, WHY_BYTES, "waits for bandwidth on %s, %.0f %% of it in use just before", link,
                           100 * full_frac);
        else
            (void)snprintf(why, WHY_BYTES, "waits for no limit of its own: it need not start earlier");
    }
}

static enum dc_status resolve(struct ordering *ordering, struct dc_error *err) {
    const struct fleet *fleet = ordering->question->fleet;
    ordering->at = calloc(ordering->plan->n_steps + 1, sizeof(*ordering->at));
    ordering->arc_rate = calloc(ordering->question->problem.n_arcs + 1, sizeof(*ordering->arc_rate));
    if (ordering->at == NULL || ordering->arc_rate == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < ordering->plan->n_steps; i++) {
        const struct plan_step *step = &ordering->plan->steps[i];
        const long vm = fleet_doc_find_vm(fleet, step->vm);
        const long from = fleet_doc_find_host(fleet, step->from);
        const long to = fleet_doc_find_host(fleet, step->to);
        if (vm == FLEET_NO_INDEX || from == FLEET_NO_INDEX || to == FLEET_NO_INDEX || from == to)
            return error_set(err, DC_ENOTFOUND, "step %u: the fleet has not this VM and these two hosts", step->id);
        ordering->at[i] = (struct step_at){(size_t)vm, (size_t)from, (size_t)to};
    }
    return DC_OK;
}

enum dc_status explain_order(const struct fleet *fleet, const struct goal *goal, const struct plan *plan,
                             json_t **order_out, struct dc_error *err) {
    struct question question;
    char why[WHY_BYTES];
    *order_out = NULL;
    enum dc_status rc = question_init(fleet, goal, &question, err);
    if (rc != DC_OK)
        return rc;
    struct ordering ordering = {.question = &question, .plan = plan};
    rc = resolve(&ordering, err);
    json_t *order = json_array();
    for (size_t i = 0; rc == DC_OK && i < plan->n_steps; i++) {
        say_why(&ordering, i, why);
        if (json_array_append_new(order, json_pack("{s:I, s:s}", "step", (json_int_t)plan->steps[i].id, "why", why)) !=
            0)
            rc = error_set_nomem(err);
    }
    free(ordering.at);
    free(ordering.arc_rate);
    question_dispose(&question);
    if (rc == DC_OK)
        *order_out = order;
    else
        json_decref(order);
    return rc;
}
