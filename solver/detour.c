/* Legs are VMs that hold no memory of their own: what they hold, the first leg brought. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/detour.h"

#include <stdlib.h>
#include <string.h>

static bool allocate(struct detour *detour, const struct problem *problem, size_t n_hops, size_t n_waits) {
    detour->problem.vms = calloc(problem->n_vms + n_hops + 1, sizeof(*detour->problem.vms));
    detour->problem.rules = calloc(problem->n_rules + n_hops + n_waits + 1, sizeof(*detour->problem.rules));
    detour->to = calloc(problem->n_vms + n_hops + 1, sizeof(*detour->to));
    detour->leg_vm = calloc(n_hops + 1, sizeof(*detour->leg_vm));
    detour->rule_vms = calloc(2 * (n_hops + n_waits) + 1, sizeof(*detour->rule_vms));
    return detour->problem.vms != NULL && detour->problem.rules != NULL && detour->to != NULL &&
           detour->leg_vm != NULL && detour->rule_vms != NULL;
}

static void add_leg(struct detour *detour, const struct detour_hop *hop) {
    struct problem *problem = &detour->problem;
    const size_t leg = problem->n_vms++;
    problem->vms[leg] = problem->vms[hop->vm];
    problem->vms[leg].host = hop->host;
    problem->vms[leg].to = detour->to[hop->vm];
    problem->vms[hop->vm].to = (long)hop->host;
    detour->to[leg] = detour->to[hop->vm];
    detour->to[hop->vm] = (long)hop->host;
    detour->leg_vm[problem->n_legs++] = hop->vm;
}

static void add_wait(struct detour *detour, size_t before, size_t after, size_t pair) {
    struct problem *problem = &detour->problem;
    size_t *vms = &detour->rule_vms[2 * pair];
    vms[0] = before;
    vms[1] = after;
    problem->rules[problem->n_rules++] =
        (struct problem_rule){.type = PROBLEM_PRECEDENCE, .n_vms = 2, .vms = vms, .number = SIZE_MAX};
}

enum dc_status detour_init(const struct problem *problem, const long *to, size_t n_hops, const struct detour_hop *hops,
                           size_t n_waits, const struct detour_wait *waits, struct detour *detour_out,
                           struct dc_error *err) {
    *detour_out = (struct detour){.problem = *problem};
    if (!allocate(detour_out, problem, n_hops, n_waits)) {
        detour_dispose(detour_out);
        return error_set_nomem(err);
    }
    memcpy(detour_out->to, to, problem->n_vms * sizeof(*to));
    memcpy(detour_out->problem.vms, problem->vms, problem->n_vms * sizeof(*problem->vms));
    if (problem->n_rules > 0)
        memcpy(detour_out->problem.rules, problem->rules, problem->n_rules * sizeof(*problem->rules));
    detour_out->problem.leg_vm = detour_out->leg_vm;
    for (size_t i = 0; i < n_hops; i++)
        add_leg(detour_out, &hops[i]);
    for (size_t i = 0; i < n_hops; i++)
        add_wait(detour_out, hops[i].vm, problem->n_vms + i, i);
    for (size_t i = 0; i < n_waits; i++)
        add_wait(detour_out, waits[i].before, waits[i].after, n_hops + i);
    return DC_OK;
}

void detour_dispose(struct detour *detour) {
    free(detour->problem.vms);
    free(detour->problem.rules);
    free(detour->to);
    free(detour->leg_vm);
    free(detour->rule_vms);
    *detour = (struct detour){0};
}
