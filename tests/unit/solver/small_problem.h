/*
 * Problems for the solver's unit tests: hosts on one switch or in racks, and VMs
 * whose costs follow a simple pre-copy (one dirty rate), frozen and ready.
 *
 * In:  a few numbers. Out: a struct problem, the caller's.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double small_gb = 1e9;

static inline uint64_t small_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* Uniform in low..high. */
static inline double small_uniform(uint64_t *seed, double low, double high) {
    return low + (high - low) * (double)(small_random(seed) % 10001) / 10000;
}

static inline void small_add_arc_pair(struct problem *problem, size_t a, size_t b, size_t link, double capacity) {
    problem->arcs[problem->n_arcs++] = (struct problem_arc){a, b, link, capacity};
    problem->arcs[problem->n_arcs++] = (struct problem_arc){b, a, link, capacity};
}

/* Hosts of `memory_gb`, each with one NIC (arcs 2h out, 2h + 1 in). One rack: all on one switch.
 * More: a switch a rack, host h in rack h % n_racks, uplinks to a core. All VMs may go everywhere. */
static inline struct problem small_network(size_t n_hosts, size_t n_vms, size_t n_racks, double memory_gb,
                                           double nic_gb_per_s, double uplink_gb_per_s) {
    struct problem problem = {.n_hosts = n_hosts, .n_vms = n_vms, .n_nodes = n_hosts + n_racks + (n_racks > 1)};
    problem.hosts = calloc(n_hosts, sizeof *problem.hosts);
    problem.vms = calloc(n_vms + 1, sizeof *problem.vms);
    problem.arcs = calloc(2 * (n_hosts + n_racks), sizeof *problem.arcs);
    problem.allowed = calloc(n_vms * n_hosts + 1, 1);
    problem.rules = calloc(8, sizeof *problem.rules);
    problem.deadline_s = INFINITY;
    memset(problem.allowed, 1, n_vms * n_hosts);
    for (size_t h = 0; h < n_hosts; h++) {
        problem.hosts[h] = (struct problem_host){.memory_bytes = memory_gb * small_gb, .receives = true};
        small_add_arc_pair(&problem, h, n_hosts + h % n_racks, h, nic_gb_per_s * small_gb);
    }
    for (size_t r = 0; n_racks > 1 && r < n_racks; r++)
        small_add_arc_pair(&problem, n_hosts + r, n_hosts + n_racks, n_hosts + r, uplink_gb_per_s * small_gb);
    return problem;
}

/* One live pass, one pass over what it dirtied live, the rest stopped: bytes m (1 + r + r^2), r = dirty / bandwidth.
 * p50 dirties at 0.7 of the rate. */
static inline void small_set_cost(struct problem_cost *cost, double memory_bytes, double dirty_bytes_per_s,
                                  double pre_s, double post_s) {
    static const double grid_gb[] = {0.05, 0.1, 0.2, 0.4, 0.8, 1.25, 2.5};
    enum { N = sizeof grid_gb / sizeof grid_gb[0] };
    *cost = (struct problem_cost){.pre_s = pre_s, .post_s = post_s, .points = calloc(N, sizeof *cost->points)};
    for (size_t i = 0; i < N; i++) {
        double bandwidth = grid_gb[i] * small_gb, r = dirty_bytes_per_s / bandwidth;
        if (r < 0.8)
            cost->points[cost->n_points++] = (struct problem_cost_point){bandwidth, memory_bytes * (1 + r) / bandwidth,
                                                                         memory_bytes * r * r / bandwidth};
    }
}

static inline void small_set_vm(struct problem *problem, size_t vm, size_t host, double memory_gb, bool moves,
                                double dirty_gb_per_s) {
    problem->vms[vm] = (struct problem_vm){.memory_bytes = floor(memory_gb * small_gb),
                                           .host = host,
                                           .moves = moves,
                                           .to = PROBLEM_ANY,
                                           .downtime_budget_s = INFINITY,
                                           .max_bandwidth_bytes_per_s = INFINITY};
    for (int q = 0; moves && q < PROBLEM_N_QUANTILES; q++)
        small_set_cost(&problem->vms[vm].cost[q], floor(memory_gb * small_gb),
                       dirty_gb_per_s * small_gb * (q == PROBLEM_P50 ? 0.7 : 1), 0.4, 0.3);
}

static inline void small_set_receives(struct problem *problem, size_t host, bool receives) {
    problem->hosts[host].receives = receives;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        problem->allowed[vm * problem->n_hosts + host] = receives;
}

static inline struct problem_rule *small_add_rule(struct problem *problem, enum problem_rule_type type, size_t n_vms,
                                                  const size_t *vms) {
    struct problem_rule *rule = &problem->rules[problem->n_rules++];
    *rule = (struct problem_rule){.type = type, .n_vms = n_vms, .vms = calloc(n_vms + 1, sizeof *vms)};
    rule->hosts = calloc(problem->n_hosts + 1, sizeof *rule->hosts);
    if (n_vms > 0)
        memcpy(rule->vms, vms, n_vms * sizeof *vms);
    rule->number = problem->n_rules - 1;
    return rule;
}

/* An evacuation of the first n_sources hosts: the first n_movers VMs are on them, the rest fill the others to
 * about fill_frac. */
static inline struct problem small_evacuation(uint64_t seed, size_t n_hosts, size_t n_sources, size_t n_movers,
                                              size_t n_racks, double fill_frac) {
    double memory_gb = 8.0 * (double)n_movers / (double)n_sources + 16;
    size_t n_stay = 3 * (n_hosts - n_sources);
    struct problem problem = small_network(n_hosts, n_movers + n_stay, n_racks, memory_gb, 1.17, 4.7);
    for (size_t vm = 0; vm < n_movers; vm++) { /* one draw a statement: the order of arguments is not fixed */
        double vm_gb = (double)(1u << small_random(&seed) % 4);
        small_set_vm(&problem, vm, vm % n_sources, vm_gb, true, small_uniform(&seed, 0.001, 0.03));
    }
    for (size_t i = 0; i < n_stay; i++)
        small_set_vm(&problem, n_movers + i, n_sources + i % (n_hosts - n_sources),
                     memory_gb * fill_frac / 3 * small_uniform(&seed, 0.8, 1.1), false, 0);
    for (size_t h = 0; h < n_sources; h++)
        small_set_receives(&problem, h, false);
    return problem;
}
