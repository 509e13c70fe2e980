/* Rules of the fleet to rules of the problem. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/question_rule.h"

#include "base/vec.h"
#include "planner/question_relax.h"

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

static enum dc_status add(struct question *question, size_t number, enum problem_rule_type type, struct dc_error *err) {
    const struct fleet_rule *rule = &question->fleet->rules[number];
    struct problem_rule *to = &question->problem.rules[question->problem.n_rules++];
    *to = (struct problem_rule){
        .type = type, .n_vms = rule->n_vms, .n_hosts = rule->n_hosts, .continuous = rule->continuous, .number = number};
    if (!copy_indices(rule->vms, rule->n_vms, &to->vms) || !copy_indices(rule->hosts, rule->n_hosts, &to->hosts))
        return error_set_nomem(err);
    fold(&question->problem, rule);
    return DC_OK;
}

enum dc_status question_rule_build(struct question *question, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < question->fleet->n_rules; i++) {
        const struct fleet_rule *rule = &question->fleet->rules[i];
        enum problem_rule_type type;
        if (question_relax_drops(question, i))
            rc = question_warn(question, err, "rules[%zu] (%s) is left out, as asked", i,
                               fleet_doc_rule_text(rule->type));
        else if (!solver_type(rule->type, &type))
            rc = question_warn(question, err,
                               "rules[%zu] (%s) is not considered: rules of this type are not planned yet", i,
                               fleet_doc_rule_text(rule->type));
        else if (!rule->hard)
            rc = question_warn(question, err, "rules[%zu] (%s) is not considered: soft rules are not planned yet", i,
                               fleet_doc_rule_text(rule->type));
        else
            rc = add(question, i, type, err);
    }
    return rc;
}
