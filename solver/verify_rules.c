/*
 * Rules, for the VMs that moved. A stay is a VM's time on one host: from the
 * start of the step that brings it to the end of the one that takes it away,
 * so that a migrating VM counts on both hosts.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/verify_state.h"

#include <math.h>
#include <stdlib.h>

struct stay {
    size_t vm;
    size_t host;
    double from_s; /* -INFINITY: since before the plan */
    double to_s;   /* INFINITY: at the end of the plan */
};

static size_t n_steps_of(const struct verify_state *state, size_t vm) {
    return state->begin[vm + 1] - state->begin[vm];
}

static const struct solution_step *step_of(const struct verify_state *state, size_t vm, size_t k) {
    return &state->solution->steps[state->by_vm[state->begin[vm] + k]];
}

static double start_of(const struct verify_state *state, size_t vm) {
    return step_of(state, vm, 0)->start_s;
}

static double end_of(const struct verify_state *state, size_t vm) {
    return step_of(state, vm, n_steps_of(state, vm) - 1)->end_s;
}

static bool names_host(const struct problem_rule *rule, size_t host) {
    for (size_t i = 0; i < rule->n_hosts; i++) {
        if (rule->hosts[i] == host)
            return true;
    }
    return false;
}

static void break_rule(struct verify_state *state, size_t rule, double at_s, size_t vm, size_t host) {
    struct violation violation = verify_violation(VIOLATION_RULE, at_s, 0, 0);
    violation.rule = (long)rule;
    violation.vm = (long)vm;
    violation.host = (long)host;
    verify_add(state, &violation);
}

/* Of its n_steps + 1 stays. */
static struct stay stay_of(const struct verify_state *state, size_t vm, size_t k) {
    const size_t n = n_steps_of(state, vm);
    return (struct stay){
        .vm = vm,
        .host = k > 0 ? step_of(state, vm, k - 1)->to : state->problem->vms[vm].host,
        .from_s = k > 0 ? step_of(state, vm, k - 1)->start_s : -INFINITY,
        .to_s = k < n ? step_of(state, vm, k)->end_s : INFINITY,
    };
}

/* All stays of the rule's VMs (heap; NULL without memory). */
static struct stay *list_stays(struct verify_state *state, const struct problem_rule *rule, size_t *n_stays_out) {
    size_t n = 0;
    for (size_t i = 0; i < rule->n_vms; i++)
        n += n_steps_of(state, rule->vms[i]) + 1;
    struct stay *stays = calloc(n + 1, sizeof(*stays));
    *n_stays_out = 0;
    if (stays == NULL) {
        state->out_of_memory = true;
        return NULL;
    }
    for (size_t i = 0; i < rule->n_vms; i++)
        for (size_t k = 0; k <= n_steps_of(state, rule->vms[i]); k++)
            stays[(*n_stays_out)++] = stay_of(state, rule->vms[i], k);
    return stays;
}

static int compare_stays(const void *left, const void *right) {
    const struct stay *a = left;
    const struct stay *b = right;
    if (a->host != b->host)
        return a->host < b->host ? -1 : 1;
    if (a->from_s != b->from_s)
        return a->from_s < b->from_s ? -1 : 1;
    return a->vm < b->vm ? -1 : a->vm > b->vm;
}

/* No stay begins on a host while another VM's lasts there. Unless the rule is
 * continuous, only stays that last to the end count. */
static void check_spread(struct verify_state *state, const struct problem_rule *rule, size_t number) {
    size_t n = 0;
    struct stay *stays = list_stays(state, rule, &n);
    if (stays == NULL)
        return;
    qsort(stays, n, sizeof(*stays), compare_stays);
    const struct stay *longest = NULL; /* of those on the host so far */
    for (size_t i = 0; i < n; i++) {
        const struct stay *stay = &stays[i];
        if (!rule->continuous && isfinite(stay->to_s))
            continue;
        if (longest == NULL || longest->host != stay->host) {
            longest = stay;
            continue;
        }
        if (isfinite(stay->from_s) && longest->vm != stay->vm && verify_is_after(longest->to_s, stay->from_s)) {
            break_rule(state, number, stay->from_s, stay->vm, stay->host);
            break;
        }
        if (stay->to_s > longest->to_s)
            longest = stay;
    }
    free(stays);
}

/* Is there a host on which all of the rule's VMs count just after `at_s`? */
static bool are_gathered(const struct problem_rule *rule, const struct stay *stays, size_t n_stays, double at_s) {
    for (size_t i = 0; i < n_stays && stays[i].vm == rule->vms[0]; i++) {
        size_t n_there = 0;
        for (size_t k = 0; k < n_stays; k++) {
            const bool lasts = !verify_is_after(stays[k].from_s, at_s) && verify_is_after(stays[k].to_s, at_s);
            n_there += lasts && stays[k].host == stays[i].host;
        }
        if (n_there >= rule->n_vms)
            return true;
    }
    return false;
}

static void check_gather_over_time(struct verify_state *state, const struct problem_rule *rule, size_t number) {
    size_t n = 0;
    struct stay *stays = list_stays(state, rule, &n);
    if (stays == NULL)
        return;
    bool together = true; /* before the plan */
    for (size_t i = 0; i < rule->n_vms; i++)
        together = together && state->problem->vms[rule->vms[i]].host == state->problem->vms[rule->vms[0]].host;
    for (size_t i = 0; together && i < n; i++) {
        if (isfinite(stays[i].to_s) && !are_gathered(rule, stays, n, stays[i].to_s)) {
            break_rule(state, number, stays[i].to_s, stays[i].vm, stays[i].host);
            break;
        }
    }
    free(stays);
}

static void check_gather(struct verify_state *state, const struct problem_rule *rule, size_t number) {
    bool moved = false;
    for (size_t i = 0; i < rule->n_vms; i++)
        moved = moved || n_steps_of(state, rule->vms[i]) > 0;
    for (size_t i = 1; moved && i < rule->n_vms; i++) {
        if (state->end_on[rule->vms[i]] != state->end_on[rule->vms[0]]) {
            break_rule(state, number, 0, rule->vms[i], state->end_on[rule->vms[i]]);
            return;
        }
    }
    if (moved && rule->continuous)
        check_gather_over_time(state, rule, number);
}

/* Do the two break a lonely rule: on one host at one time (unless it is continuous: in the end), which the plan has
 * brought about? */
static bool are_company(const struct problem_rule *rule, const struct stay *a, const struct stay *b) {
    if (a->host != b->host || (isinf(a->from_s) && isinf(b->from_s)))
        return false;
    if (!rule->continuous)
        return isinf(a->to_s) && isinf(b->to_s);
    return verify_is_after(fmin(a->to_s, b->to_s), fmax(a->from_s, b->from_s));
}

static void check_lonely(struct verify_state *state, const struct problem_rule *rule, size_t number) {
    size_t n = 0;
    bool *member = calloc(state->problem->n_vms + 1, sizeof(*member));
    struct stay *stays = list_stays(state, rule, &n);
    if (member == NULL || stays == NULL) {
        state->out_of_memory = true;
        goto out;
    }
    for (size_t i = 0; i < rule->n_vms; i++)
        member[rule->vms[i]] = true;
    for (size_t vm = 0; vm < state->problem->n_vms; vm++) {
        for (size_t k = 0; !member[vm] && k <= n_steps_of(state, vm); k++) {
            const struct stay other = stay_of(state, vm, k);
            for (size_t i = 0; i < n; i++) {
                if (!are_company(rule, &stays[i], &other))
                    continue;
                break_rule(state, number, fmax(stays[i].from_s, other.from_s), stays[i].vm, other.host);
                goto out;
            }
        }
    }
out:
    free(member);
    free(stays);
}

/* Does the group hold the rule's VMs: wherever they are (`all`), or where they end? */
static bool group_holds(const struct verify_state *state, const struct problem_rule *rule, size_t group, bool all) {
    for (size_t i = 0; i < rule->n_vms; i++)
        for (size_t k = all ? 0 : n_steps_of(state, rule->vms[i]); k <= n_steps_of(state, rule->vms[i]); k++)
            if (!problem_group_has(rule, group, stay_of(state, rule->vms[i], k).host))
                return false;
    return true;
}

/* In the end within one group; continuous: never out of one, if they were within one before. */
static void check_among(struct verify_state *state, const struct problem_rule *rule, size_t number) {
    bool moved = false, was_within = false, holds = false;
    for (size_t i = 0; i < rule->n_vms; i++)
        moved = moved || n_steps_of(state, rule->vms[i]) > 0;
    for (size_t group = 0; group < rule->n_groups; group++) {
        bool within = true;
        for (size_t i = 0; i < rule->n_vms; i++)
            within = within && problem_group_has(rule, group, state->problem->vms[rule->vms[i]].host);
        was_within = was_within || within;
    }
    for (size_t group = 0; !holds && group < rule->n_groups; group++)
        holds = group_holds(state, rule, group, rule->continuous && was_within);
    if (moved && !holds)
        break_rule(state, number, 0, rule->vms[0], state->end_on[rule->vms[0]]);
}

/* Ban and fence: where VMs end, and where a continuous rule lets them be at all. */
static void check_hosts(struct verify_state *state, const struct problem_rule *rule, size_t number) {
    const bool banned = rule->type == PROBLEM_BAN;
    for (size_t i = 0; i < rule->n_vms; i++) {
        const size_t vm = rule->vms[i];
        for (size_t k = 0; k < n_steps_of(state, vm); k++) {
            const struct solution_step *step = step_of(state, vm, k);
            const bool counts = rule->continuous || k + 1 == n_steps_of(state, vm);
            if (counts && names_host(rule, step->to) == banned) {
                break_rule(state, number, step->start_s, vm, step->to);
                return;
            }
        }
    }
}

static void check_precedence(struct verify_state *state, const struct problem_rule *rule, size_t number) {
    double ended_s = -INFINITY;
    for (size_t i = 0; i < rule->n_vms; i++) {
        const size_t vm = rule->vms[i];
        if (n_steps_of(state, vm) == 0)
            continue;
        if (verify_is_after(ended_s, start_of(state, vm))) {
            break_rule(state, number, start_of(state, vm), vm, state->end_on[vm]);
            return;
        }
        ended_s = end_of(state, vm);
    }
}

static int compare_starts(const void *left, const void *right, void *context) {
    const struct solution_step *steps = context;
    const double a = steps[*(const size_t *)left].start_s;
    const double b = steps[*(const size_t *)right].start_s;
    return a < b ? -1 : a > b;
}

static void check_serialize(struct verify_state *state, const struct problem_rule *rule, size_t number) {
    size_t n = 0;
    for (size_t i = 0; i < rule->n_vms; i++)
        n += n_steps_of(state, rule->vms[i]);
    size_t *steps = calloc(n + 1, sizeof(*steps));
    if (steps == NULL) {
        state->out_of_memory = true;
        return;
    }
    n = 0;
    for (size_t i = 0; i < rule->n_vms; i++)
        for (size_t k = state->begin[rule->vms[i]]; k < state->begin[rule->vms[i] + 1]; k++)
            steps[n++] = state->by_vm[k];
    qsort_r(steps, n, sizeof(*steps), compare_starts, state->solution->steps);
    double free_s = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        const struct solution_step *step = &state->solution->steps[steps[i]];
        if (verify_is_after(free_s, step->start_s)) {
            break_rule(state, number, step->start_s, step->vm, step->to);
            break;
        }
        free_s = step->end_s;
    }
    free(steps);
}

static void check_together(struct verify_state *state, const struct problem_rule *rule, size_t number) {
    double start_s = NAN;
    for (size_t i = 0; i < rule->n_vms; i++) {
        const size_t vm = rule->vms[i];
        if (n_steps_of(state, vm) == 0)
            continue;
        const double at_s = start_of(state, vm);
        if (verify_is_after(at_s, start_s) || verify_is_after(start_s, at_s)) {
            break_rule(state, number, fmax(at_s, start_s), vm, state->end_on[vm]);
            return;
        }
        start_s = at_s;
    }
}

void verify_rules(struct verify_state *state) {
    for (size_t i = 0; i < state->problem->n_rules; i++) {
        const struct problem_rule *rule = &state->problem->rules[i];
        if (rule->n_vms == 0)
            continue;
        switch (rule->type) {
        case PROBLEM_SPREAD:
            check_spread(state, rule, i);
            break;
        case PROBLEM_GATHER:
            check_gather(state, rule, i);
            break;
        case PROBLEM_BAN:
        case PROBLEM_FENCE:
            check_hosts(state, rule, i);
            break;
        case PROBLEM_LONELY:
            check_lonely(state, rule, i);
            break;
        case PROBLEM_AMONG:
            check_among(state, rule, i);
            break;
        case PROBLEM_PRECEDENCE:
            check_precedence(state, rule, i);
            break;
        case PROBLEM_SERIALIZE:
            check_serialize(state, rule, i);
            break;
        case PROBLEM_TOGETHER:
            check_together(state, rule, i);
            break;
        }
    }
}
