/* Groups are ranked once; choices are then counted through, the last rule's group fastest. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/place_group.h"

#include <math.h>
#include <stdlib.h>

/* Where VMs of an among rule may all be: groups that hold those that cannot choose (and, continuous, all as they are
 * now), the one with the most memory free first. Returns how many. */
static size_t rank_groups(const struct problem *problem, const struct problem_rule *rule, const double *free_bytes,
                          size_t *groups) {
    size_t n = 0;
    bool was_within = false;
    for (int only_as_now = rule->continuous ? 1 : 0; only_as_now >= 0 && !was_within; only_as_now--) {
        for (size_t group = 0; group < rule->n_groups; group++) {
            bool holds = true;
            for (size_t i = 0; holds && i < rule->n_vms; i++) {
                const struct problem_vm *vm = &problem->vms[rule->vms[i]];
                const bool is_given = vm->moves && vm->to != PROBLEM_ANY;
                if (!vm->moves || only_as_now)
                    holds = problem_group_has(rule, group, vm->host);
                if (is_given)
                    holds = holds && problem_group_has(rule, group, (size_t)vm->to);
            }
            if (!holds)
                continue;
            size_t place = n++;
            while (place > 0 && free_bytes[group] > free_bytes[groups[place - 1]]) {
                groups[place] = groups[place - 1];
                place--;
            }
            groups[place] = group;
        }
        was_within = only_as_now && n > 0;
    }
    return n;
}

void group_choice_dispose(struct group_choice *choice) {
    for (size_t i = 0; choice->groups != NULL && i < choice->n_rules; i++)
        free(choice->groups[i]);
    free(choice->rules);
    free(choice->n_groups);
    free(choice->groups);
    free(choice->chosen);
}

static bool add_groups(struct group_choice *choice, const struct problem *problem, size_t number,
                       const double *free_bytes) {
    const struct problem_rule *rule = &problem->rules[number];
    const size_t i = choice->n_rules++;
    double *group_bytes = calloc(rule->n_groups + 1, sizeof(*group_bytes));
    choice->rules[i] = number;
    choice->groups[i] = calloc(rule->n_groups + 1, sizeof(*choice->groups[i]));
    if (group_bytes == NULL || choice->groups[i] == NULL) {
        free(group_bytes);
        return false;
    }
    for (size_t group = 0; group < rule->n_groups; group++)
        for (size_t k = group > 0 ? rule->group_end[group - 1] : 0; k < rule->group_end[group]; k++)
            group_bytes[group] += problem->hosts[rule->hosts[k]].receives ? fmax(0, free_bytes[rule->hosts[k]]) : 0;
    choice->n_groups[i] = rank_groups(problem, rule, group_bytes, choice->groups[i]);
    free(group_bytes);
    return true;
}

bool group_choice_init(struct group_choice *choice, const struct problem *problem) {
    double *free_bytes = calloc(problem->n_hosts + 1, sizeof(*free_bytes));
    *choice = (struct group_choice){
        .rules = calloc(problem->n_rules + 1, sizeof(*choice->rules)),
        .n_groups = calloc(problem->n_rules + 1, sizeof(*choice->n_groups)),
        .groups = calloc(problem->n_rules + 1, sizeof(*choice->groups)),
        .chosen = calloc(problem->n_rules + 1, sizeof(*choice->chosen)),
    };
    bool ok = free_bytes != NULL && choice->rules != NULL && choice->n_groups != NULL && choice->groups != NULL &&
              choice->chosen != NULL;
    if (ok)
        problem_free_bytes(problem, free_bytes);
    for (size_t i = 0; ok && i < problem->n_rules; i++)
        if (problem->rules[i].type == PROBLEM_AMONG)
            ok = add_groups(choice, problem, i, free_bytes);
    free(free_bytes);
    return ok;
}

bool group_choice_next(struct group_choice *choice) {
    for (size_t i = choice->n_rules; i-- > 0;) {
        if (++choice->chosen[i] < choice->n_groups[i])
            return true;
        choice->chosen[i] = 0;
    }
    return false;
}

void group_choice_narrow(const struct group_choice *choice, const struct problem *problem, unsigned char *allowed) {
    for (size_t i = 0; i < choice->n_rules; i++) {
        const struct problem_rule *rule = &problem->rules[choice->rules[i]];
        for (size_t k = 0; k < rule->n_vms; k++) {
            const size_t vm = rule->vms[k];
            for (size_t host = 0; problem->vms[vm].to == PROBLEM_ANY && host < problem->n_hosts; host++)
                if (choice->n_groups[i] == 0 || !problem_group_has(rule, choice->groups[i][choice->chosen[i]], host))
                    allowed[vm * problem->n_hosts + host] = 0;
        }
    }
}
