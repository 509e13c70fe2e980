/* Rules of the fleet to rules of the problem. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/question_rule.h"

#include "base/vec.h"

#include <stdlib.h>
#include <string.h>

/* The solver's name of a rule, false for those it does not know. */
static bool solver_type(enum fleet_rule_type type, enum problem_rule_type *type_out) {
    static const struct {
        enum fleet_rule_type fleet;
        enum problem_rule_type problem;
    } types[] = {
        {FLEET_RULE_SPREAD, PROBLEM_SPREAD},
        {FLEET_RULE_GATHER, PROBLEM_GATHER},
        {FLEET_RULE_BAN, PROBLEM_BAN},
        {FLEET_RULE_FENCE, PROBLEM_FENCE},
        {FLEET_RULE_LONELY, PROBLEM_LONELY},
        {FLEET_RULE_AMONG, PROBLEM_AMONG},
        {FLEET_RULE_PRECEDENCE, PROBLEM_PRECEDENCE},
        {FLEET_RULE_SERIALIZE, PROBLEM_SERIALIZE},
        {FLEET_RULE_TOGETHER, PROBLEM_TOGETHER},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].fleet == type) {
            *type_out = types[i].problem;
            return true;
        }
    }
    return false;
}

/* Ban and fence depend on VM and host alone: they narrow the VM's row. */
static void fold(struct problem *problem, const struct fleet_rule *rule) {
    if (rule->type != FLEET_RULE_BAN && rule->type != FLEET_RULE_FENCE)
        return;
    for (size_t i = 0; i < rule->n_vms; i++) {
        unsigned char *allowed = &problem->allowed[rule->vms[i] * problem->n_hosts];
        for (size_t host = 0; host < problem->n_hosts; host++) {
            if (vec_has(rule->hosts, rule->n_hosts, host) == (rule->type == FLEET_RULE_BAN))
                allowed[host] = 0;
        }
    }
}

static bool copy_indices(const size_t *from, size_t n, size_t **to_out) {
    *to_out = calloc(n + 1, sizeof(**to_out));
    if (*to_out == NULL)
        return false;
    if (n > 0)
        memcpy(*to_out, from, n * sizeof(*from));
    return true;
}

/* Of each rule's hosts that are off, as many may be booted as it leaves room for, in the order of the fleet. */
void question_rule_limit_boots(struct question *question) {
    const struct fleet *fleet = question->fleet;
    for (size_t i = 0; i < fleet->n_rules; i++) {
        const struct fleet_rule *rule = &fleet->rules[i];
        size_t n_on = 0;
        if (rule->type != FLEET_RULE_MAX_ONLINE || relax_drops_rule(&question->goal->relax, i))
            continue;
        for (size_t k = 0; k < rule->n_hosts; k++)
            n_on += fleet->hosts[rule->hosts[k]].state == FLEET_HOST_ON;
        for (size_t host = 0; host < fleet->n_hosts; host++)
            if (question->booted[host] && vec_has(rule->hosts, rule->n_hosts, host) && ++n_on > rule->max)
                question->booted[host] = false;
    }
}

/* A choice leaves VMs of these rules where they are, and lonely ones alone. */
static void keep_out_of_choice(struct question *question, const struct fleet_rule *rule) {
    struct problem *problem = &question->problem;
    if (rule->type != FLEET_RULE_LONELY && rule->type != FLEET_RULE_AMONG)
        return;
    for (size_t i = 0; i < rule->n_vms; i++)
        problem->vms[rule->vms[i]].moves = false;
    for (size_t i = 0; rule->type == FLEET_RULE_LONELY && i < rule->n_vms; i++)
        for (size_t vm = 0; vm < problem->n_vms; vm++)
            if (!vec_has(rule->vms, rule->n_vms, vm))
                problem->allowed[vm * problem->n_hosts + problem->vms[rule->vms[i]].host] = 0;
}

/* A rule that is let go is kept apart: the solver does not see it. */
static enum dc_status add(struct question *question, size_t number, enum problem_rule_type type, bool let_go,
                          struct dc_error *err) {
    const struct fleet_rule *rule = &question->fleet->rules[number];
    struct problem *problem = &question->problem;
    struct problem_rule *to = let_go ? &question->let_go[question->n_let_go++] : &problem->rules[problem->n_rules++];
    *to = (struct problem_rule){
        .type = type, .n_vms = rule->n_vms, .n_hosts = rule->n_hosts, .continuous = rule->continuous, .number = number};
    to->n_groups = rule->n_groups;
    if (!copy_indices(rule->vms, rule->n_vms, &to->vms) || !copy_indices(rule->hosts, rule->n_hosts, &to->hosts) ||
        !copy_indices(rule->group_end, rule->n_groups, &to->group_end))
        return error_set_nomem(err);
    if (!let_go)
        fold(problem, rule);
    if (!let_go && goal_is_choice(question->goal))
        keep_out_of_choice(question, rule);
    return DC_OK;
}

enum dc_status question_rule_build(struct question *question, struct dc_error *err) {
    const struct goal *goal = question->goal;
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < question->fleet->n_rules; i++) {
        const struct fleet_rule *rule = &question->fleet->rules[i];
        enum problem_rule_type type;
        if (relax_drops_rule(&question->goal->relax, i))
            rc = question_warn(question, err, "rules[%zu] (%s) is left out, as asked", i,
                               fleet_doc_rule_text(rule->type));
        else if (solver_type(rule->type, &type)) /* max_online binds boots, not VMs */
            rc = add(question, i, type, !rule->hard && vec_has(goal->let_go, goal->n_let_go, i), err);
    }
    return rc;
}
