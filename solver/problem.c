/*
 * The frozen problem: its release, its checks and what a migration costs at
 * any bandwidth.
 *
 * Between two points a < b of the cost curve the bytes sent in all and the bytes
 * sent while stopped are linear in the bandwidth x; time = bytes / x. Both
 * times are then of the form c0 / x + c1, so they move monotonically from one
 * point to the next. Above the highest point the bytes hold.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/problem.h"

#include "solver/route.h"

#include <math.h>
#include <stdlib.h>

/* How far rounding may bend a curve that must not grow. */
static const double monotone_tolerance_frac = 1e-6;

static void dispose_vms(struct problem *problem) {
    for (size_t vm = 0; problem->vms != NULL && vm < problem->n_vms; vm++)
        for (size_t q = 0; q < PROBLEM_N_QUANTILES; q++)
            free(problem->vms[vm].cost[q].points);
    free(problem->vms);
}

static void dispose_rules(struct problem *problem) {
    for (size_t i = 0; problem->rules != NULL && i < problem->n_rules; i++) {
        free(problem->rules[i].vms);
        free(problem->rules[i].hosts);
        free(problem->rules[i].group_end);
    }
    free(problem->rules);
}

void problem_dispose(struct problem *problem) {
    dispose_vms(problem);
    dispose_rules(problem);
    free(problem->hosts);
    free(problem->arcs);
    free(problem->allowed);
    free(problem->route_row);
    free(problem->route_begin);
    free(problem->route_arcs);
    *problem = (struct problem){0};
}

/* Finite and not negative. */
static bool is_amount(double value) {
    return isfinite(value) && value >= 0;
}

/* Not negative, perhaps infinite. */
static bool is_limit(double value) {
    return !isnan(value) && value >= 0;
}

static enum dc_status check_hosts(const struct problem *problem, struct dc_error *err) {
    if (problem->n_hosts == 0 || problem->hosts == NULL || problem->n_nodes < problem->n_hosts)
        return error_set(err, DC_EINTERNAL, "problem: no hosts, or fewer nodes than hosts");
    for (size_t host = 0; host < problem->n_hosts; host++)
        if (!is_amount(problem->hosts[host].memory_bytes) || !is_amount(problem->hosts[host].cpu_cores))
            return error_set(err, DC_EINTERNAL, "problem: host %zu: memory or CPU is not a finite amount", host);
    return DC_OK;
}

static enum dc_status check_arcs(const struct problem *problem, struct dc_error *err) {
    if (problem->n_arcs > 0 && problem->arcs == NULL)
        return error_set(err, DC_EINTERNAL, "problem: %zu arcs without an array", problem->n_arcs);
    for (size_t i = 0; i < problem->n_arcs; i++) {
        const struct problem_arc *arc = &problem->arcs[i];
        if (arc->from_node >= problem->n_nodes || arc->to_node >= problem->n_nodes)
            return error_set(err, DC_EINTERNAL, "problem: arc %zu: leads to a node that does not exist", i);
        if (!is_amount(arc->capacity_bytes_per_s))
            return error_set(err, DC_EINTERNAL, "problem: arc %zu: capacity is not a finite amount", i);
        if (arc->from_node == arc->to_node && arc->from_node < problem->n_hosts)
            return error_set(err, DC_EINTERNAL, "problem: arc %zu: a host has no backplane", i);
    }
    return DC_OK;
}

static enum dc_status check_cost(const struct problem_cost *cost, size_t vm, struct dc_error *err) {
    if (!is_amount(cost->pre_s) || !is_amount(cost->post_s) || (cost->n_points > 0 && cost->points == NULL))
        return error_set(err, DC_EINTERNAL, "problem: VM %zu: setup or tail is not a finite time", vm);
    const double slack = 1 + monotone_tolerance_frac;
    for (size_t i = 0; i < cost->n_points; i++) {
        const struct problem_cost_point *point = &cost->points[i];
        if (!is_amount(point->live_s) || !is_amount(point->stop_s) || !is_amount(point->bandwidth_bytes_per_s) ||
            point->bandwidth_bytes_per_s == 0)
            return error_set(err, DC_EINTERNAL, "problem: VM %zu: cost point %zu is not a finite amount", vm, i);
        if (i == 0)
            continue;
        const struct problem_cost_point *before = &cost->points[i - 1];
        const double time_s = point->live_s + point->stop_s;
        const double time_before_s = before->live_s + before->stop_s;
        if (point->bandwidth_bytes_per_s <= before->bandwidth_bytes_per_s)
            return error_set(err, DC_EINTERNAL, "problem: VM %zu: cost points do not ascend in bandwidth", vm);
        if (time_s > time_before_s * slack ||
            time_s * point->bandwidth_bytes_per_s > time_before_s * before->bandwidth_bytes_per_s * slack)
            return error_set(err, DC_EINTERNAL, "problem: VM %zu: time or bytes grow with bandwidth at point %zu", vm,
                             i);
    }
    return DC_OK;
}

static enum dc_status check_vm(const struct problem *problem, size_t index, struct dc_error *err) {
    const struct problem_vm *vm = &problem->vms[index];
    if (!is_amount(vm->memory_bytes) || !is_amount(vm->cpu_cores) || !isfinite(vm->priority))
        return error_set(err, DC_EINTERNAL, "problem: VM %zu: memory, CPU or priority is not finite", index);
    if (vm->host >= problem->n_hosts)
        return error_set(err, DC_EINTERNAL, "problem: VM %zu: on a host that does not exist", index);
    if (!vm->moves)
        return DC_OK;
    if (vm->to != PROBLEM_ANY && (vm->to < 0 || (size_t)vm->to >= problem->n_hosts || (size_t)vm->to == vm->host))
        return error_set(err, DC_EINTERNAL, "problem: VM %zu: its destination is no other host", index);
    if (!is_limit(vm->downtime_budget_s) || !is_limit(vm->max_bandwidth_bytes_per_s))
        return error_set(err, DC_EINTERNAL, "problem: VM %zu: budget or bandwidth cap is negative or NaN", index);
    enum dc_status rc = DC_OK;
    for (size_t q = 0; rc == DC_OK && q < PROBLEM_N_QUANTILES; q++)
        rc = check_cost(&vm->cost[q], index, err);
    return rc;
}

static enum dc_status check_vms(const struct problem *problem, struct dc_error *err) {
    if (problem->n_vms > 0 && (problem->vms == NULL || problem->allowed == NULL))
        return error_set(err, DC_EINTERNAL, "problem: %zu VMs without their arrays", problem->n_vms);
    enum dc_status rc = DC_OK;
    for (size_t vm = 0; rc == DC_OK && vm < problem->n_vms; vm++)
        rc = check_vm(problem, vm, err);
    return rc;
}

static enum dc_status check_rules(const struct problem *problem, struct dc_error *err) {
    if (problem->n_rules > 0 && problem->rules == NULL)
        return error_set(err, DC_EINTERNAL, "problem: %zu rules without an array", problem->n_rules);
    for (size_t i = 0; i < problem->n_rules; i++) {
        const struct problem_rule *rule = &problem->rules[i];
        bool good = (rule->n_vms == 0 || rule->vms != NULL) && (rule->n_hosts == 0 || rule->hosts != NULL);
        for (size_t k = 0; good && k < rule->n_vms; k++)
            good = rule->vms[k] < problem->n_vms;
        for (size_t k = 0; good && k < rule->n_hosts; k++)
            good = rule->hosts[k] < problem->n_hosts;
        for (size_t k = 0; good && k < rule->n_groups; k++)
            good = rule->group_end != NULL && rule->group_end[k] <= rule->n_hosts &&
                   (k == 0 || rule->group_end[k - 1] <= rule->group_end[k]);
        if (!good || (unsigned)rule->type > (unsigned)PROBLEM_TOGETHER)
            return error_set(err, DC_EINTERNAL, "problem: rule %zu: of no type, or on what does not exist", i);
    }
    return DC_OK;
}

enum dc_status problem_freeze(struct problem *problem, struct dc_error *err) {
    enum dc_status rc = check_hosts(problem, err);
    if (rc == DC_OK)
        rc = check_arcs(problem, err);
    if (rc == DC_OK)
        rc = check_vms(problem, err);
    if (rc == DC_OK)
        rc = check_rules(problem, err);
    if (rc == DC_OK && !is_limit(problem->deadline_s))
        rc = error_set(err, DC_EINTERNAL, "problem: the deadline is negative or NaN");
    return rc == DC_OK ? route_fill(problem, err) : rc;
}

void problem_free_bytes(const struct problem *problem, double *free_bytes) {
    for (size_t host = 0; host < problem->n_hosts; host++)
        free_bytes[host] = problem->hosts[host].memory_bytes;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        if (!problem_is_leg(problem, vm))
            free_bytes[problem->vms[vm].host] -= problem->vms[vm].memory_bytes;
}

bool problem_group_has(const struct problem_rule *rule, size_t group, size_t host) {
    for (size_t i = group > 0 ? rule->group_end[group - 1] : 0; i < rule->group_end[group]; i++)
        if (rule->hosts[i] == host)
            return true;
    return false;
}

const uint32_t *problem_path(const struct problem *problem, size_t from, size_t to, size_t *n_arcs_out) {
    *n_arcs_out = 0;
    if (problem->route_row == NULL || from >= problem->n_hosts || to >= problem->n_hosts ||
        problem->route_row[from] == SIZE_MAX)
        return NULL;
    const size_t *row = &problem->route_begin[problem->route_row[from]];
    *n_arcs_out = row[to + 1] - row[to];
    return problem->route_arcs + row[to];
}

double problem_path_bandwidth(const struct problem *problem, size_t vm, size_t from, size_t to) {
    size_t n_arcs = 0;
    const uint32_t *path = problem_path(problem, from, to, &n_arcs);
    if (n_arcs == 0)
        return 0;
    double bandwidth = problem->vms[vm].max_bandwidth_bytes_per_s;
    for (size_t i = 0; i < n_arcs; i++)
        bandwidth = fmin(bandwidth, problem->arcs[path[i]].capacity_bytes_per_s);
    return bandwidth;
}

/* The last point at or below the bandwidth; there must be one. */
static size_t point_below(const struct problem_cost *cost, double bandwidth) {
    size_t low = 0;
    size_t high = cost->n_points;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (cost->points[middle].bandwidth_bytes_per_s <= bandwidth)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool problem_cost_at(const struct problem_cost *cost, double bandwidth_bytes_per_s,
                     struct problem_cost_point *point_out) {
    *point_out = (struct problem_cost_point){.bandwidth_bytes_per_s = bandwidth_bytes_per_s};
    if (cost->n_points == 0 || !(bandwidth_bytes_per_s >= cost->points[0].bandwidth_bytes_per_s))
        return false;
    const size_t below = point_below(cost, bandwidth_bytes_per_s);
    const struct problem_cost_point *a = &cost->points[below];
    double live_bytes = a->live_s * a->bandwidth_bytes_per_s;
    double stop_bytes = a->stop_s * a->bandwidth_bytes_per_s;
    if (below + 1 < cost->n_points) {
        const struct problem_cost_point *b = a + 1;
        const double share =
            (bandwidth_bytes_per_s - a->bandwidth_bytes_per_s) / (b->bandwidth_bytes_per_s - a->bandwidth_bytes_per_s);
        live_bytes += share * (b->live_s * b->bandwidth_bytes_per_s - live_bytes);
        stop_bytes += share * (b->stop_s * b->bandwidth_bytes_per_s - stop_bytes);
    }
    point_out->live_s = live_bytes / bandwidth_bytes_per_s;
    point_out->stop_s = stop_bytes / bandwidth_bytes_per_s;
    return true;
}

double problem_cost_duration_s(const struct problem_cost *cost, double bandwidth_bytes_per_s) {
    struct problem_cost_point point;
    if (cost->n_points == 0)
        return cost->pre_s + cost->post_s;
    if (!problem_cost_at(cost, bandwidth_bytes_per_s, &point))
        return INFINITY;
    return cost->pre_s + point.live_s + point.stop_s + cost->post_s;
}

double problem_cost_bytes(const struct problem_cost *cost, double bandwidth_bytes_per_s) {
    struct problem_cost_point point;
    if (cost->n_points == 0)
        return 0;
    if (!problem_cost_at(cost, bandwidth_bytes_per_s, &point))
        return INFINITY;
    return bandwidth_bytes_per_s * (point.live_s + point.stop_s);
}

/* Where stop bytes(x) / x meets the budget between points a (above it) and b
 * (within it): stop bytes are c0 + c1 x, so x = c0 / (budget - c1). */
static double crossing(const struct problem_cost_point *a, const struct problem_cost_point *b, double budget_s) {
    const double bytes_a = a->stop_s * a->bandwidth_bytes_per_s;
    const double bytes_b = b->stop_s * b->bandwidth_bytes_per_s;
    const double slope = (bytes_b - bytes_a) / (b->bandwidth_bytes_per_s - a->bandwidth_bytes_per_s);
    const double x = (bytes_a - slope * a->bandwidth_bytes_per_s) / (budget_s - slope);
    return isfinite(x) ? fmin(fmax(x, a->bandwidth_bytes_per_s), b->bandwidth_bytes_per_s) : b->bandwidth_bytes_per_s;
}

double problem_cost_floor(const struct problem_cost *cost, double downtime_budget_s) {
    const double budget_s = downtime_budget_s - cost->post_s;
    if (budget_s < 0)
        return INFINITY;
    if (cost->n_points == 0)
        return 0;
    /* From the top down: below the floor nothing is asked for, so all above it must keep the budget. */
    const struct problem_cost_point *top = &cost->points[cost->n_points - 1];
    if (top->stop_s > budget_s)
        return budget_s > 0 ? top->stop_s * top->bandwidth_bytes_per_s / budget_s : INFINITY;
    for (const struct problem_cost_point *point = top; point > cost->points; point--)
        if (point[-1].stop_s > budget_s)
            return crossing(point - 1, point, budget_s);
    return cost->points[0].bandwidth_bytes_per_s;
}
