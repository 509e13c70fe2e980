/* One VM at its best: the widest path to a host it may go to, all for itself. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/precheck.h"

#include <math.h>

/* The best bandwidth to any host it may go to, and which host that is. */
static double widest_path(const struct problem *problem, size_t vm, long *host_out) {
    const struct problem_vm *self = &problem->vms[vm];
    double widest = 0;
    *host_out = PROBLEM_ANY;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        if (host == self->host || !problem->allowed[vm * problem->n_hosts + host] ||
            (self->to != PROBLEM_ANY && (size_t)self->to != host))
            continue;
        const double bandwidth = problem_path_bandwidth(problem, vm, self->host, host);
        if (bandwidth > widest) {
            widest = bandwidth;
            *host_out = (long)host;
        }
    }
    return widest;
}

/* The conflict of a VM with a path of that width; false where there is none. */
static bool find_conflict(const struct problem *problem, enum problem_quantile quantile, size_t vm, double widest,
                          struct solution_conflict *conflict) {
    const struct problem_vm *self = &problem->vms[vm];
    const struct problem_cost *cost = &self->cost[quantile];
    /* No point at all means nothing to send, unless it converges with better luck only. */
    if (cost->n_points == 0 && self->cost[PROBLEM_P50].n_points > 0) {
        conflict->kind = CONFLICT_NO_CONVERGENCE;
        return true;
    }
    if (cost->n_points > 0 && widest < cost->points[0].bandwidth_bytes_per_s) {
        conflict->kind = CONFLICT_BANDWIDTH;
        conflict->needed = cost->points[0].bandwidth_bytes_per_s;
        conflict->available = widest;
        return true;
    }
    struct problem_cost_point point = {0};
    (void)problem_cost_at(cost, widest, &point); /* zeros where there is nothing to send */
    if (problem_cost_floor(cost, self->downtime_budget_s) > widest) {
        conflict->kind = CONFLICT_DOWNTIME_BUDGET;
        conflict->needed = point.stop_s + cost->post_s;
        conflict->available = self->downtime_budget_s;
        return true;
    }
    conflict->needed = problem_cost_duration_s(cost, widest);
    conflict->available = problem->deadline_s;
    conflict->best = conflict->needed;
    conflict->kind = CONFLICT_DEADLINE;
    return conflict->needed > problem->deadline_s;
}

enum dc_status precheck(const struct problem *problem, enum problem_quantile quantile, bool *skip,
                        struct solution *solution, struct dc_error *err) {
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        skip[vm] = false;
        if (!problem->vms[vm].moves)
            continue;
        long host = PROBLEM_ANY;
        const double widest = widest_path(problem, vm, &host);
        struct solution_conflict conflict = {.vm = (long)vm, .host = host, .rule = PROBLEM_ANY};
        if (host == PROBLEM_ANY || !find_conflict(problem, quantile, vm, widest, &conflict))
            continue;
        skip[vm] = true;
        const enum dc_status rc = solution_add_conflict(solution, &conflict, err);
        if (rc != DC_OK)
            return rc;
    }
    return DC_OK;
}
