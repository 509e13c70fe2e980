/* Problems from a seed. The pre-copy simulated here is a toy on purpose: it
 * shares nothing with model/. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/instance.h"

#include <math.h>
#include <stdlib.h>

static const double gib = 1024.0 * 1024 * 1024;
enum { N_POINTS = 12, MAX_ROUNDS = 30 };

uint64_t instance_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

double instance_uniform(uint64_t *state, double low, double high) {
    return low + (high - low) * ((double)(instance_random(state) >> 11) * 0x1p-53);
}

struct instance_options instance_defaults(uint64_t seed) {
    return (struct instance_options){
        .seed = seed,
        .n_sources = 1,
        .n_receivers = 7,
        .n_vms = 50,
        .n_residents = 14,
        .nic_bytes_per_s = 1.25e9,
        .uplink_bytes_per_s = 5e9,
        .max_migrations = 4,
        .budget_share = 0.5,
        .receiver_memory_factor = 2,
    };
}

/* One workload: what it dirties, and when its hypervisor stops. */
struct workload {
    double memory_bytes;
    double working_set_bytes;
    double dirty_bytes_per_s;
    bool stops_after_rounds; /* else: once the rest fits the downtime limit */
};

static double dirtied(const struct workload *load, double seconds) {
    return load->working_set_bytes * (1 - exp(-load->dirty_bytes_per_s * seconds / load->working_set_bytes));
}

/* Bytes in all and while stopped; false where it never stops. */
static bool precopy(const struct workload *load, double bandwidth, double *live_out, double *stop_out) {
    double left = load->memory_bytes;
    *live_out = 0;
    for (int round = 1; round <= MAX_ROUNDS; round++) {
        *live_out += left;
        left = dirtied(load, left / bandwidth);
        *stop_out = left;
        if (load->stops_after_rounds ? (round >= 5 || left < 50 * 4096) : left / bandwidth < 0.3)
            return true;
    }
    return false;
}

static bool make_cost(const struct workload *load, double top, double dirty_factor, double pre_s, double post_s,
                      struct problem_cost *cost) {
    struct workload scaled = *load;
    scaled.dirty_bytes_per_s *= dirty_factor;
    *cost = (struct problem_cost){.pre_s = pre_s, .post_s = post_s};
    cost->points = calloc(N_POINTS, sizeof(*cost->points));
    if (cost->points == NULL)
        return false;
    double live = 0, stop = 0;
    double bandwidths[N_POINTS], lives[N_POINTS], stops[N_POINTS];
    size_t first = N_POINTS;
    for (size_t i = N_POINTS; i-- > 0; first = i) { /* downwards: never less than at the next higher one */
        double live_here = 0, stop_here = 0;
        bandwidths[i] = top * pow(0.02, 1 - (double)i / (N_POINTS - 1));
        if (!precopy(&scaled, bandwidths[i], &live_here, &stop_here))
            break;
        const double total = fmax(live_here + stop_here, live + stop);
        stop = fmax(stop_here, stop);
        live = total - stop;
        lives[i] = live;
        stops[i] = stop;
    }
    for (size_t i = first; i < N_POINTS; i++)
        cost->points[cost->n_points++] =
            (struct problem_cost_point){bandwidths[i], lives[i] / bandwidths[i], stops[i] / bandwidths[i]};
    return true;
}

static bool make_mover(const struct instance_options *options, uint64_t *random, struct problem_vm *vm) {
    static const double sizes_gib[] = {2, 2, 4, 4, 4, 8, 8, 8, 16, 16, 32, 64};
    const size_t pick = (size_t)(instance_random(random) % (sizeof(sizes_gib) / sizeof(*sizes_gib)));
    struct workload load = {.memory_bytes = sizes_gib[pick] * gib};
    load.working_set_bytes = load.memory_bytes * instance_uniform(random, 0.005, 0.12);
    load.dirty_bytes_per_s = options->nic_bytes_per_s * exp(instance_uniform(random, log(0.001), log(0.25)));
    load.stops_after_rounds = instance_random(random) % 2 == 0;
    const double pre_s = instance_uniform(random, 0.3, 1);
    const double post_s = instance_uniform(random, 0.02, 0.2);
    vm->moves = true;
    vm->memory_bytes = load.memory_bytes;
    vm->cpu_cores = 1 + (double)pick / 2;
    vm->priority = (double)(instance_random(random) % 3);
    if (!make_cost(&load, options->nic_bytes_per_s, 0.6, pre_s * 0.8, post_s * 0.7, &vm->cost[PROBLEM_P50]) ||
        !make_cost(&load, options->nic_bytes_per_s, 1, pre_s, post_s, &vm->cost[PROBLEM_P95]))
        return false;
    const struct problem_cost *cost = &vm->cost[PROBLEM_P95];
    if (cost->n_points > 0 && instance_uniform(random, 0, 1) < options->budget_share)
        vm->downtime_budget_s =
            post_s + 0.02 + cost->points[cost->n_points - 1].stop_s * instance_uniform(random, 1.2, 4);
    return true;
}

static bool add_vms(const struct instance_options *options, uint64_t *random, struct problem *problem) {
    const size_t n_hosts = problem->n_hosts;
    problem->vms = calloc(problem->n_vms, sizeof(*problem->vms));
    problem->allowed = calloc(problem->n_vms * n_hosts, sizeof(*problem->allowed));
    if (problem->vms == NULL || problem->allowed == NULL)
        return false;
    for (size_t i = 0; i < problem->n_vms; i++) {
        struct problem_vm *vm = &problem->vms[i];
        vm->to = PROBLEM_ANY;
        vm->downtime_budget_s = vm->max_bandwidth_bytes_per_s = INFINITY;
        if (i >= options->n_vms) {
            vm->memory_bytes = 8 * gib;
            vm->host = options->n_sources + (i - options->n_vms) % options->n_receivers;
            continue;
        }
        vm->host = i * options->n_sources / options->n_vms;
        if (!make_mover(options, random, vm))
            return false;
        if (options->fixed_destinations)
            vm->to = (long)(options->n_sources + instance_random(random) % options->n_receivers);
        for (size_t host = options->n_sources; host < n_hosts; host++)
            problem->allowed[i * n_hosts + host] = 1;
    }
    return true;
}

static void add_link(struct problem *problem, size_t a, size_t b, double capacity) {
    const size_t link = problem->n_arcs / 2;
    problem->arcs[problem->n_arcs++] = (struct problem_arc){a, b, link, capacity};
    problem->arcs[problem->n_arcs++] = (struct problem_arc){b, a, link, capacity};
}

static bool add_network(const struct instance_options *options, struct problem *problem) {
    const size_t per_rack = options->hosts_per_rack > 0 ? options->hosts_per_rack : problem->n_hosts;
    const size_t n_racks = (problem->n_hosts + per_rack - 1) / per_rack;
    const size_t core = problem->n_hosts + n_racks;
    problem->n_nodes = core + 1;
    problem->arcs = calloc(2 * (problem->n_hosts + n_racks), sizeof(*problem->arcs));
    if (problem->arcs == NULL)
        return false;
    for (size_t host = 0; host < problem->n_hosts; host++)
        add_link(problem, host, problem->n_hosts + host / per_rack, options->nic_bytes_per_s);
    for (size_t rack = 0; rack < n_racks; rack++)
        add_link(problem, problem->n_hosts + rack, core, options->uplink_bytes_per_s);
    return true;
}

static bool add_hosts(const struct instance_options *options, struct problem *problem) {
    problem->hosts = calloc(problem->n_hosts, sizeof(*problem->hosts));
    if (problem->hosts == NULL)
        return false;
    double all_bytes = 0;
    for (size_t i = 0; i < problem->n_vms; i++)
        all_bytes += problem->vms[i].memory_bytes;
    for (size_t host = 0; host < problem->n_hosts; host++)
        problem->hosts[host] = (struct problem_host){
            .memory_bytes = all_bytes,
            .max_migrations = options->max_migrations,
            .receives = host >= options->n_sources,
        };
    for (size_t host = options->n_sources; host < problem->n_hosts; host++)
        problem->hosts[host].memory_bytes =
            floor(all_bytes * options->receiver_memory_factor / (double)options->n_receivers);
    return true;
}

enum dc_status instance_evacuation(const struct instance_options *options, struct problem *problem_out,
                                   struct dc_error *err) {
    uint64_t random = options->seed * 2654435761u + 1;
    *problem_out = (struct problem){
        .n_hosts = options->n_sources + options->n_receivers,
        .n_vms = options->n_vms + options->n_residents,
        .deadline_s = INFINITY,
    };
    enum dc_status rc = DC_OK;
    if (!add_vms(options, &random, problem_out) || !add_hosts(options, problem_out) ||
        !add_network(options, problem_out))
        rc = error_set_nomem(err);
    if (rc == DC_OK)
        rc = problem_freeze(problem_out, err);
    if (rc != DC_OK)
        problem_dispose(problem_out);
    return rc;
}
