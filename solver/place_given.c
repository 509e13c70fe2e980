/*
 * The end state of given destinations: everybody who stays, and arrivals. What
 * overflows a host is the arrival that comes last in the question's order.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/place_given.h"

#include "base/vec.h"

#include <math.h>
#include <stdlib.h>

static const double cpu_tolerance_cores = 1e-6;

struct end_state {
    const struct problem *problem;
    const struct candidates *candidates;
    bool *fixed, *pinned;
    size_t *mover_of; /* per VM, SIZE_MAX: stays */
    double *free_bytes, *free_cores;
};

/* Where a VM is at the end; PROBLEM_ANY while open. */
static long end_host(const struct end_state *end, size_t vm) {
    size_t mover = end->mover_of[vm];
    if (mover == SIZE_MAX || end->pinned[mover])
        return (long)end->problem->vms[vm].host;
    return end->fixed[mover] ? end->problem->vms[vm].to : PROBLEM_ANY;
}

static void fill(struct end_state *end) {
    const struct problem *problem = end->problem;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        end->free_bytes[host] = problem->hosts[host].memory_bytes;
        end->free_cores[host] = problem->hosts[host].cpu_cores > 0 ? problem->hosts[host].cpu_cores : INFINITY;
    }
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        long host = end_host(end, vm);
        if (host == PROBLEM_ANY)
            continue;
        end->free_bytes[host] -= problem->vms[vm].memory_bytes;
        end->free_cores[host] -= problem->vms[vm].cpu_cores;
    }
}

static bool stays(const struct end_state *end, size_t vm) {
    return end->mover_of[vm] == SIZE_MAX || end->pinned[end->mover_of[vm]];
}

/* Another VM there, of the other kind: one that stays, or that comes before in the question. */
static bool breaks_lonely(const struct end_state *end, const struct problem_rule *rule, size_t vm) {
    const bool member = vec_has(rule->vms, rule->n_vms, vm);
    for (size_t other = 0; other < end->problem->n_vms; other++)
        if (end_host(end, other) == end->problem->vms[vm].to && (stays(end, other) || other < vm) &&
            vec_has(rule->vms, rule->n_vms, other) != member)
            return true;
    return false;
}

/* No group holds the destination and where those of the rule end that stay or come before. */
static bool breaks_among(const struct end_state *end, const struct problem_rule *rule, size_t vm) {
    if (!vec_has(rule->vms, rule->n_vms, vm))
        return false;
    for (size_t group = 0; group < rule->n_groups; group++) {
        bool holds = problem_group_has(rule, group, (size_t)end->problem->vms[vm].to);
        for (size_t i = 0; holds && i < rule->n_vms; i++) {
            const long host = end_host(end, rule->vms[i]);
            if (host != PROBLEM_ANY && (stays(end, rule->vms[i]) || rule->vms[i] < vm))
                holds = problem_group_has(rule, group, (size_t)host);
        }
        if (holds)
            return false;
    }
    return true;
}

/* The rule that the mover's destination breaks against VMs that stay or come
 * before it in the rule, or PROBLEM_ANY. */
static long broken_rule(const struct end_state *end, size_t vm) {
    const struct problem *problem = end->problem;
    for (size_t r = 0; r < problem->n_rules; r++) {
        const struct problem_rule *rule = &problem->rules[r];
        if ((rule->type == PROBLEM_LONELY && breaks_lonely(end, rule, vm)) ||
            (rule->type == PROBLEM_AMONG && breaks_among(end, rule, vm)))
            return (long)r;
        if (rule->type != PROBLEM_SPREAD && rule->type != PROBLEM_GATHER)
            continue;
        bool breaks = false, member = false, before = true;
        for (size_t i = 0; i < rule->n_vms; i++) {
            size_t other = rule->vms[i];
            if (other == vm) {
                member = true;
                before = false;
                continue;
            }
            long host = end_host(end, other);
            bool same = host == problem->vms[vm].to;
            if (host != PROBLEM_ANY && (stays(end, other) || before) && same == (rule->type == PROBLEM_SPREAD))
                breaks = true;
        }
        if (member && breaks)
            return (long)r;
    }
    return PROBLEM_ANY;
}

/* Does the mover's destination hold? Fills the conflict where not. */
static bool holds(const struct end_state *end, size_t vm, struct solution_conflict *conflict) {
    const struct problem_vm *it = &end->problem->vms[vm];
    long rule = broken_rule(end, vm);
    *conflict = (struct solution_conflict){CONFLICT_RULE, (long)vm, it->to, rule, 0, 0, 0};
    if (rule != PROBLEM_ANY)
        return false;
    if (end->free_bytes[it->to] < 0) {
        conflict->kind = CONFLICT_MEMORY;
        conflict->needed = it->memory_bytes;
        conflict->available = fmax(0, end->free_bytes[it->to] + it->memory_bytes);
        return false;
    }
    if (end->free_cores[it->to] < -cpu_tolerance_cores) {
        conflict->kind = CONFLICT_CPU;
        conflict->needed = it->cpu_cores;
        conflict->available = fmax(0, end->free_cores[it->to] + it->cpu_cores);
        return false;
    }
    return true;
}

/* Drops the last mover that does not hold. What stays behind may overflow its own
 * host in turn, so the caller goes on until nothing changes. */
static bool drop_one(struct end_state *end, struct solution *solution, enum dc_status *rc, struct dc_error *err) {
    fill(end);
    for (size_t mover = end->candidates->n_movers; mover-- > 0;) {
        struct solution_conflict conflict;
        if (!end->fixed[mover] || holds(end, end->candidates->vm[mover], &conflict))
            continue;
        end->fixed[mover] = false;
        end->pinned[mover] = true;
        *rc = solution_add_conflict(solution, &conflict, err);
        return *rc == DC_OK;
    }
    return false;
}

enum dc_status place_given_check(const struct problem *problem, const struct candidates *candidates, bool *fixed,
                                 bool *pinned, struct solution *solution, struct dc_error *err) {
    struct end_state end = {.problem = problem, .candidates = candidates};
    end.fixed = fixed;
    end.pinned = pinned;
    end.mover_of = calloc(problem->n_vms + 1, sizeof *end.mover_of);
    end.free_bytes = calloc(problem->n_hosts + 1, sizeof *end.free_bytes);
    end.free_cores = calloc(problem->n_hosts + 1, sizeof *end.free_cores);
    enum dc_status rc = DC_OK;
    if (end.mover_of == NULL || end.free_bytes == NULL || end.free_cores == NULL) {
        rc = error_set_nomem(err);
        goto out;
    }
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        end.mover_of[vm] = SIZE_MAX;
    for (size_t mover = 0; mover < candidates->n_movers; mover++)
        end.mover_of[candidates->vm[mover]] = mover;
    while (drop_one(&end, solution, &rc, err)) {
    }
out:
    free(end.mover_of);
    free(end.free_bytes);
    free(end.free_cores);
    return rc;
}
