/* Repeated passes over rules and hosts; each VM that stays can only be added once, so it ends. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/settle.h"

#include "base/vec.h"

#include <stdlib.h>

static const double cpu_slack_frac = 1e-6; /* rounding */

struct settler {
    const struct problem *problem;
    long *to;
    bool *skip;
    struct solution *solution;
    double *cpu_cores; /* per host, at the end */
    bool changed;
};

static bool is_moving(const struct settler *settler, size_t vm) {
    return settler->problem->vms[vm].moves && !settler->skip[vm];
}

static enum dc_status stay(struct settler *settler, size_t vm, struct solution_conflict conflict,
                           struct dc_error *err) {
    const struct problem_vm *self = &settler->problem->vms[vm];
    conflict.vm = (long)vm;
    conflict.host = settler->to[vm];
    settler->cpu_cores[settler->to[vm]] -= self->cpu_cores;
    settler->cpu_cores[self->host] += self->cpu_cores;
    settler->to[vm] = (long)self->host;
    settler->skip[vm] = true;
    settler->changed = true;
    return solution_add_conflict(settler->solution, &conflict, err);
}

static enum dc_status stay_by_rule(struct settler *settler, size_t vm, size_t rule, struct dc_error *err) {
    return stay(settler, vm, (struct solution_conflict){.kind = CONFLICT_RULE, .rule = (long)rule}, err);
}

/* Not all on one host in the end: then nobody goes. */
static enum dc_status settle_gather(struct settler *settler, size_t number, struct dc_error *err) {
    const struct problem_rule *rule = &settler->problem->rules[number];
    bool holds = true;
    for (size_t i = 1; i < rule->n_vms; i++)
        holds = holds && settler->to[rule->vms[i]] == settler->to[rule->vms[0]];
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && !holds && i < rule->n_vms; i++)
        if (is_moving(settler, rule->vms[i]))
            rc = stay_by_rule(settler, rule->vms[i], number, err);
    return rc;
}

/* Two on one host in the end: the one that would go there does not. */
static enum dc_status settle_spread(struct settler *settler, size_t number, struct dc_error *err) {
    const struct problem_rule *rule = &settler->problem->rules[number];
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < rule->n_vms; i++) {
        for (size_t k = 0; rc == DC_OK && k < rule->n_vms && is_moving(settler, rule->vms[i]); k++)
            if (rule->vms[k] != rule->vms[i] && settler->to[rule->vms[k]] == settler->to[rule->vms[i]])
                rc = stay_by_rule(settler, rule->vms[i], number, err);
    }
    return rc;
}

/* Two kinds on one host in the end: who would go there does not. */
static enum dc_status settle_lonely(struct settler *settler, size_t number, struct dc_error *err) {
    const struct problem_rule *rule = &settler->problem->rules[number];
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < rule->n_vms; i++) {
        const size_t member = rule->vms[i];
        for (size_t vm = 0; rc == DC_OK && vm < settler->problem->n_vms; vm++) {
            if (settler->to[vm] != settler->to[member] || vec_has(rule->vms, rule->n_vms, vm))
                continue;
            if (is_moving(settler, member))
                rc = stay_by_rule(settler, member, number, err);
            else if (is_moving(settler, vm))
                rc = stay_by_rule(settler, vm, number, err);
        }
    }
    return rc;
}

/* In no one group in the end: then nobody goes. */
static enum dc_status settle_among(struct settler *settler, size_t number, struct dc_error *err) {
    const struct problem_rule *rule = &settler->problem->rules[number];
    bool holds = false;
    for (size_t group = 0; !holds && group < rule->n_groups; group++) {
        holds = true;
        for (size_t i = 0; holds && i < rule->n_vms; i++)
            holds = problem_group_has(rule, group, (size_t)settler->to[rule->vms[i]]);
    }
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && !holds && i < rule->n_vms; i++)
        if (is_moving(settler, rule->vms[i]))
            rc = stay_by_rule(settler, rule->vms[i], number, err);
    return rc;
}

static enum dc_status settle_rules(struct settler *settler, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < settler->problem->n_rules; i++) {
        if (settler->problem->rules[i].type == PROBLEM_GATHER)
            rc = settle_gather(settler, i, err);
        else if (settler->problem->rules[i].type == PROBLEM_SPREAD)
            rc = settle_spread(settler, i, err);
        else if (settler->problem->rules[i].type == PROBLEM_LONELY)
            rc = settle_lonely(settler, i, err);
        else if (settler->problem->rules[i].type == PROBLEM_AMONG)
            rc = settle_among(settler, i, err);
    }
    return rc;
}

static enum dc_status settle_cpu(struct settler *settler, struct dc_error *err) {
    const struct problem *problem = settler->problem;
    enum dc_status rc = DC_OK;
    for (size_t vm = 0; rc == DC_OK && vm < problem->n_vms; vm++) {
        if (!is_moving(settler, vm) || problem->vms[vm].cpu_cores <= 0)
            continue;
        const double limit = problem->hosts[settler->to[vm]].cpu_cores;
        const double used = settler->cpu_cores[settler->to[vm]];
        if (limit > 0 && used > limit * (1 + cpu_slack_frac))
            rc = stay(settler, vm,
                      (struct solution_conflict){
                          .kind = CONFLICT_CPU, .rule = PROBLEM_ANY, .needed = used, .available = limit},
                      err);
    }
    return rc;
}

enum dc_status settle(const struct problem *problem, long *to, bool *skip, struct solution *solution,
                      struct dc_error *err) {
    struct settler settler = {.problem = problem, .solution = solution, .changed = true};
    settler.to = to;
    settler.skip = skip;
    settler.cpu_cores = calloc(problem->n_hosts + 1, sizeof(*settler.cpu_cores));
    if (settler.cpu_cores == NULL)
        return error_set_nomem(err);
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        settler.cpu_cores[to[vm]] += problem->vms[vm].cpu_cores;
    enum dc_status rc = DC_OK;
    while (rc == DC_OK && settler.changed) {
        settler.changed = false;
        rc = settle_rules(&settler, err);
        if (rc == DC_OK)
            rc = settle_cpu(&settler, err);
    }
    free(settler.cpu_cores);
    return rc;
}
