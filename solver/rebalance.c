/* Loads, the greedy, and what it leaves that is not needed taken back. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/rebalance.h"

#include "base/vec.h"
#include "solver/rebalance_state.h"

#include <math.h>
#include <stdlib.h>

static const double tolerance_frac = 1e-9; /* rounding */

double rebalance_excess_frac(const struct problem_host *host, const struct rebalance_options *options,
                             double used_bytes, double used_cores) {
    double excess_frac = 0;
    if (host->memory_bytes > 0)
        excess_frac += fmax(0, used_bytes / host->memory_bytes - options->max_memory_frac - tolerance_frac);
    if (host->cpu_cores > 0)
        excess_frac += fmax(0, used_cores / host->cpu_cores - options->max_cpu_frac - tolerance_frac);
    return excess_frac;
}

double balance_excess_frac(const struct balance *balance, size_t host) {
    return rebalance_excess_frac(&balance->problem->hosts[host], balance->options, balance->used_bytes[host],
                                 balance->used_cores[host]);
}

void balance_move(struct balance *balance, size_t vm, size_t host) {
    const struct problem_vm *it = &balance->problem->vms[vm];
    balance->used_bytes[balance->to[vm]] -= it->memory_bytes;
    balance->used_cores[balance->to[vm]] -= it->cpu_cores;
    balance->used_bytes[host] += it->memory_bytes;
    balance->used_cores[host] += it->cpu_cores;
    balance->to[vm] = host;
}

bool balance_is_candidate(const struct balance *balance, size_t vm, size_t host) {
    const struct problem *problem = balance->problem;
    size_t n_arcs = 0;
    (void)problem_path(problem, problem->vms[vm].host, host, &n_arcs);
    return balance->is_free[vm] && n_arcs > 0 && problem->allowed[vm * problem->n_hosts + host] != 0;
}

static bool meets_mate(const struct balance *balance, size_t vm, size_t host) {
    const struct problem *problem = balance->problem;
    for (size_t r = 0; r < problem->n_rules; r++) {
        const struct problem_rule *rule = &problem->rules[r];
        if (rule->type != PROBLEM_SPREAD || !vec_has(rule->vms, rule->n_vms, vm))
            continue;
        for (size_t i = 0; i < rule->n_vms; i++)
            if (rule->vms[i] != vm && balance->to[rule->vms[i]] == host)
                return true;
    }
    return false;
}

bool balance_fits(const struct balance *balance, size_t vm, size_t host) {
    const struct problem_vm *it = &balance->problem->vms[vm];
    const double excess_frac =
        rebalance_excess_frac(&balance->problem->hosts[host], balance->options,
                              balance->used_bytes[host] + it->memory_bytes, balance->used_cores[host] + it->cpu_cores);
    return excess_frac <= 0 && !meets_mate(balance, vm, host);
}

/* The least that is left free on the host of memory and cores, as shares, once the VM is there. */
static double headroom_frac(const struct balance *balance, size_t vm, size_t host) {
    const struct problem_host *it = &balance->problem->hosts[host];
    const struct problem_vm *who = &balance->problem->vms[vm];
    double room_frac = 1 - (balance->used_bytes[host] + who->memory_bytes) / it->memory_bytes;
    if (it->cpu_cores > 0)
        room_frac = fmin(room_frac, 1 - (balance->used_cores[host] + who->cpu_cores) / it->cpu_cores);
    return room_frac;
}

static long roomiest(const struct balance *balance, size_t vm) {
    long best = PROBLEM_ANY;
    double best_frac = -INFINITY;
    for (size_t host = 0; host < balance->problem->n_hosts; host++) {
        if (host == balance->to[vm] || !balance_is_candidate(balance, vm, host) || !balance_fits(balance, vm, host))
            continue;
        const double room_frac = headroom_frac(balance, vm, host);
        if (room_frac <= best_frac)
            continue;
        best = (long)host;
        best_frac = room_frac;
    }
    return best;
}

/* What is left over on its host once the VM is gone. */
static double excess_without(const struct balance *balance, size_t vm) {
    const struct problem_vm *it = &balance->problem->vms[vm];
    const size_t host = balance->to[vm];
    return rebalance_excess_frac(&balance->problem->hosts[host], balance->options,
                                 balance->used_bytes[host] - it->memory_bytes,
                                 balance->used_cores[host] - it->cpu_cores);
}

/* Of the VMs that bring the host within its limits the smallest, else the one that brings most. False where none can
 * go. */
static bool relieve(struct balance *balance, size_t host) {
    const struct problem *problem = balance->problem;
    const double before_frac = balance_excess_frac(balance, host);
    size_t best = SIZE_MAX, best_host = 0;
    double best_frac = before_frac;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        if (balance->to[vm] != host || problem->vms[vm].host != host || !balance->is_free[vm])
            continue;
        const double left_frac = excess_without(balance, vm);
        const bool is_smaller = best != SIZE_MAX && left_frac <= 0 && best_frac <= 0 &&
                                problem->vms[vm].memory_bytes < problem->vms[best].memory_bytes;
        if (!(left_frac < best_frac) && !is_smaller)
            continue;
        const long to = roomiest(balance, vm);
        if (to == PROBLEM_ANY)
            continue;
        best = vm;
        best_host = (size_t)to;
        best_frac = left_frac;
    }
    if (best == SIZE_MAX)
        return false;
    balance_move(balance, best, best_host);
    return true;
}

static void relieve_all(struct balance *balance, bool *stuck) {
    for (;;) {
        size_t worst = SIZE_MAX;
        for (size_t host = 0; host < balance->problem->n_hosts; host++)
            if (!stuck[host] && balance_excess_frac(balance, host) > 0 &&
                (worst == SIZE_MAX || balance_excess_frac(balance, host) > balance_excess_frac(balance, worst)))
                worst = host;
        if (worst == SIZE_MAX)
            return;
        stuck[worst] = !relieve(balance, worst);
    }
}

/* Moves without which nothing is over that would not be over with them. */
static void take_back(struct balance *balance) {
    const struct problem *problem = balance->problem;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        const size_t to = balance->to[vm], home = problem->vms[vm].host;
        if (to == home)
            continue;
        const double before_frac = balance_excess_frac(balance, to) + balance_excess_frac(balance, home);
        balance_move(balance, vm, home);
        if (balance_excess_frac(balance, to) + balance_excess_frac(balance, home) > before_frac)
            balance_move(balance, vm, to);
    }
}

static int compare_descending(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return a > b ? -1 : a < b;
}

/* So many of the largest amounts are needed to make up for `excess`; all of them where that is not enough. */
static size_t fewest_for(double *amounts, size_t n, double excess) {
    size_t needed = 0;
    qsort(amounts, n, sizeof(*amounts), compare_descending);
    for (; needed < n && excess > 0; needed++)
        excess -= amounts[needed];
    return needed;
}

/* Each host by itself: the largest VMs first, by memory and by cores. */
static bool least_moves(const struct balance *balance, size_t *least_out) {
    const struct problem *problem = balance->problem;
    const struct rebalance_options *options = balance->options;
    double *bytes = calloc(problem->n_vms + 1, sizeof(*bytes));
    double *cores = calloc(problem->n_vms + 1, sizeof(*cores));
    *least_out = 0;
    for (size_t host = 0; bytes != NULL && cores != NULL && host < problem->n_hosts; host++) {
        const struct problem_host *it = &problem->hosts[host];
        size_t n = 0;
        if (balance_excess_frac(balance, host) <= 0)
            continue;
        for (size_t vm = 0; vm < problem->n_vms; vm++) {
            if (problem->vms[vm].host != host)
                continue;
            bytes[n] = problem->vms[vm].memory_bytes;
            cores[n++] = problem->vms[vm].cpu_cores;
        }
        const double over_bytes =
            balance->used_bytes[host] - (options->max_memory_frac + tolerance_frac) * it->memory_bytes;
        const double over_cores = balance->used_cores[host] - (options->max_cpu_frac + tolerance_frac) * it->cpu_cores;
        const size_t by_memory = fewest_for(bytes, n, over_bytes);
        const size_t by_cores = it->cpu_cores > 0 ? fewest_for(cores, n, over_cores) : 0;
        *least_out += by_memory > by_cores ? by_memory : by_cores;
    }
    const bool ok = bytes != NULL && cores != NULL;
    free(bytes);
    free(cores);
    return ok;
}

static bool balance_init(struct balance *balance) {
    const struct problem *problem = balance->problem;
    balance->used_bytes = calloc(problem->n_hosts + 1, sizeof(*balance->used_bytes));
    balance->used_cores = calloc(problem->n_hosts + 1, sizeof(*balance->used_cores));
    balance->is_free = calloc(problem->n_vms + 1, sizeof(*balance->is_free));
    balance->to = calloc(problem->n_vms + 1, sizeof(*balance->to));
    if (balance->used_bytes == NULL || balance->used_cores == NULL || balance->is_free == NULL || balance->to == NULL)
        return false;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        balance->to[vm] = problem->vms[vm].host;
        balance->is_free[vm] = problem->vms[vm].moves;
        balance->used_bytes[problem->vms[vm].host] += problem->vms[vm].memory_bytes;
        balance->used_cores[problem->vms[vm].host] += problem->vms[vm].cpu_cores;
    }
    for (size_t r = 0; r < problem->n_rules; r++) /* what must be together stays so where it is */
        for (size_t i = 0; problem->rules[r].type == PROBLEM_GATHER && i < problem->rules[r].n_vms; i++)
            balance->is_free[problem->rules[r].vms[i]] = 0;
    return true;
}

static enum dc_status solve_balance(struct balance *balance, struct rebalance_result *result, struct dc_error *err) {
    const struct problem *problem = balance->problem;
    bool *stuck = calloc(problem->n_hosts + 1, sizeof(*stuck));
    if (stuck == NULL || !least_moves(balance, &result->least_moves)) {
        free(stuck);
        return error_set_nomem(err);
    }
    relieve_all(balance, stuck);
    take_back(balance);
    free(stuck);
    const enum dc_status rc = balance_solve_exactly(balance, &result->proved, err);
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        result->n_moves += balance->to[vm] != problem->vms[vm].host;
    for (size_t host = 0; host < problem->n_hosts; host++)
        result->excess_frac += balance_excess_frac(balance, host);
    if (result->excess_frac <= 0 && result->proved)
        result->least_moves = result->n_moves;
    result->proved = result->proved || (result->excess_frac <= 0 && result->n_moves == result->least_moves);
    return rc;
}

enum dc_status rebalance(const struct problem *problem, const struct rebalance_options *options,
                         struct rebalance_result *result_out, struct dc_error *err) {
    struct balance balance = {.problem = problem, .options = options};
    *result_out = (struct rebalance_result){0};
    enum dc_status rc = DC_ENOMEM;
    if (balance_init(&balance))
        rc = solve_balance(&balance, result_out, err);
    else
        (void)error_set_nomem(err);
    if (rc == DC_OK) {
        result_out->to = balance.to;
        balance.to = NULL;
    }
    free(balance.used_bytes);
    free(balance.used_cores);
    free(balance.is_free);
    free(balance.to);
    return rc;
}

void rebalance_result_dispose(struct rebalance_result *result) {
    free(result->to);
    *result = (struct rebalance_result){0};
}
