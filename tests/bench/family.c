/* Each VM draws from a stream of its own, so that costs are made only of those that move. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/family.h"

#include "tests/bench/workload.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double gib = 1024.0 * 1024 * 1024;
static const double nic_bytes_per_s = 1.25e9; /* 10 Gbit/s a host */
static const double uplink_bytes_per_s = 5e9; /* 40 Gbit/s a rack */
static const double budget_frac = 0.5;        /* of the VMs have a downtime budget */
static const double least_host_bytes = 128.0 * 1024 * 1024 * 1024;
static const double room_per_vm_bytes = 17.5 * 1024 * 1024 * 1024; /* a quarter more than the mean VM has */
static const double swap_fill_frac = 0.9;
enum { MAX_MIGRATIONS = 8, MOST_PER_HOST = 8, SWAP_TRIES = 1000 };

const struct family families[] = {
    {"host-8", FAMILY_EVACUATION, 1, 8, 7, 4, 0, false, 0.008, 0.1, 0},
    {"host-20", FAMILY_EVACUATION, 1, 20, 7, 10, 0, false, 0.006, 0.2, 0},
    {"host-50", FAMILY_EVACUATION, 1, 50, 7, 25, 0, false, 0.006, 0.5, 0},
    {"rack-200", FAMILY_EVACUATION, 10, 20, 30, 10, 10, true, 0.025, 1, 0},
    {"rack-1000", FAMILY_EVACUATION, 20, 50, 60, 25, 20, true, 0.03, 5, 0},
    {"consolidation", FAMILY_CONSOLIDATION, 0, 0, 1000, 0, 20, false, 0.045, 5, 0},
    {"host-of-1000", FAMILY_EVACUATION, 1, 10, 999, 10, 20, false, 0.01, 0.5, 0},
    {"racks-10000", FAMILY_EVACUATION, 400, 25, 600, 5, 20, true, 0.08, 30, 1024.0 * 1024 * 1024},
    {"swap", FAMILY_SWAP, 0, 0, 0, 0, 0, false, 0.12, 10, 0},
    {0},
};

/* The stream of one VM of one seed; `use` tells its size from its costs. */
static uint64_t stream(uint64_t seed, size_t vm, uint64_t use) {
    uint64_t state = seed * 2654435761u + use;
    state = workload_random(&state) + vm;
    return workload_random(&state);
}

static bool allocate(struct problem *problem) {
    problem->hosts = calloc(problem->n_hosts, sizeof(*problem->hosts));
    problem->vms = calloc(problem->n_vms, sizeof(*problem->vms));
    problem->allowed = calloc(problem->n_vms * problem->n_hosts, sizeof(*problem->allowed));
    return problem->hosts != NULL && problem->vms != NULL && problem->allowed != NULL;
}

static void add_link(struct problem *problem, size_t a, size_t b, double capacity) {
    const size_t link = problem->n_arcs / 2;
    problem->arcs[problem->n_arcs++] = (struct problem_arc){a, b, link, capacity};
    problem->arcs[problem->n_arcs++] = (struct problem_arc){b, a, link, capacity};
}

static bool add_network(size_t hosts_per_rack, struct problem *problem) {
    const size_t per_rack = hosts_per_rack > 0 ? hosts_per_rack : problem->n_hosts;
    const size_t n_racks = (problem->n_hosts + per_rack - 1) / per_rack;
    const size_t core = problem->n_hosts + n_racks;
    problem->n_nodes = core + 1;
    problem->arcs = calloc(2 * (problem->n_hosts + n_racks), sizeof(*problem->arcs));
    if (problem->arcs == NULL)
        return false;
    for (size_t host = 0; host < problem->n_hosts; host++)
        add_link(problem, host, problem->n_hosts + host / per_rack, nic_bytes_per_s);
    for (size_t rack = 0; rack < n_racks; rack++)
        add_link(problem, problem->n_hosts + rack, core, uplink_bytes_per_s);
    return true;
}

/* Puts `n` VMs on a host, from VM `first` on; what would not fit becomes small. */
static size_t fill_host(uint64_t seed, struct problem *problem, size_t host, size_t first, size_t n) {
    double left_bytes = problem->hosts[host].memory_bytes;
    for (size_t vm = first; vm < first + n; vm++) {
        uint64_t state = stream(seed, vm, 1);
        workload_size(&state, left_bytes - (double)(first + n - vm) * 2 * gib, &problem->vms[vm]);
        problem->vms[vm].host = host;
        left_bytes -= problem->vms[vm].memory_bytes;
    }
    return first + n;
}

static enum dc_status price(uint64_t seed, struct problem *problem, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t vm = 0; rc == DC_OK && vm < problem->n_vms; vm++) {
        uint64_t state = stream(seed, vm, 2);
        if (problem->vms[vm].moves)
            rc = workload_price(&state, nic_bytes_per_s, budget_frac, &problem->vms[vm], err);
    }
    return rc == DC_OK ? problem_freeze(problem, err) : rc;
}

static void allow(struct problem *problem, size_t vm) {
    for (size_t host = 0; host < problem->n_hosts; host++)
        problem->allowed[vm * problem->n_hosts + host] = problem->hosts[host].receives && host != problem->vms[vm].host;
}

static enum dc_status make_evacuation(const struct family *family, uint64_t seed, struct problem *problem,
                                      struct dc_error *err) {
    const size_t n_movers = family->n_sources * family->vms_per_source;
    problem->n_hosts = family->n_sources + family->n_receivers;
    problem->n_vms = n_movers + family->n_receivers * family->vms_per_receiver;
    if (!allocate(problem) || !add_network(family->hosts_per_rack, problem))
        return error_set_nomem(err);
    size_t vm = 0;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        const bool is_source = host < family->n_sources;
        problem->hosts[host] = (struct problem_host){
            .memory_bytes = fmax(least_host_bytes, room_per_vm_bytes * (double)family->vms_per_source),
            .max_migrations = MAX_MIGRATIONS,
            .receives = !is_source,
        };
        vm = fill_host(seed, problem, host, vm, is_source ? family->vms_per_source : family->vms_per_receiver);
    }
    for (vm = 0; vm < n_movers; vm++) {
        problem->vms[vm].moves = true;
        allow(problem, vm);
    }
    return price(seed, problem, err);
}

static enum dc_status make_consolidation(const struct family *family, uint64_t seed, struct problem *problem,
                                         struct dc_error *err) {
    uint64_t state = stream(seed, 0, 3);
    size_t *n_on = calloc(family->n_receivers, sizeof(*n_on));
    if (n_on == NULL)
        return error_set_nomem(err);
    problem->n_hosts = family->n_receivers;
    for (size_t host = 0; host < problem->n_hosts; host++)
        problem->n_vms += n_on[host] = 1 + workload_random(&state) % MOST_PER_HOST;
    enum dc_status rc = DC_OK;
    if (!allocate(problem) || !add_network(family->hosts_per_rack, problem))
        rc = error_set_nomem(err);
    for (size_t host = 0, vm = 0; rc == DC_OK && host < problem->n_hosts; host++) {
        problem->hosts[host] = (struct problem_host){
            .memory_bytes = least_host_bytes, .cpu_cores = 32, .max_migrations = MAX_MIGRATIONS, .receives = true};
        vm = fill_host(seed, problem, host, vm, n_on[host]);
    }
    for (size_t vm = 0; rc == DC_OK && vm < problem->n_vms; vm++) {
        problem->vms[vm].moves = true;
        allow(problem, vm);
    }
    free(n_on);
    return rc;
}

enum dc_status family_settle(uint64_t seed, const size_t *to, const bool *off, struct problem *problem,
                             struct dc_error *err) {
    bool only_emptied = true;
    for (size_t host = 0; host < problem->n_hosts; host++)
        problem->hosts[host].receives = !off[host];
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        problem->vms[vm].moves = to[vm] != problem->vms[vm].host;
        only_emptied = only_emptied && (!problem->vms[vm].moves || off[problem->vms[vm].host]);
        allow(problem, vm);
    }
    for (size_t vm = 0; vm < problem->n_vms && !only_emptied; vm++)
        if (problem->vms[vm].moves)
            problem->vms[vm].to = (long)to[vm];
    return price(seed, problem, err);
}

/* Is there an order in which one after the other fits? At random, which needs no more than that one exists often. */
static bool has_order(const struct problem *problem, uint64_t *state, bool *moved) {
    double free_bytes[4];
    size_t n_left = problem->n_vms, n_idle = 0;
    for (size_t host = 0; host < problem->n_hosts; host++)
        free_bytes[host] = problem->hosts[host].memory_bytes;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        free_bytes[problem->vms[vm].host] -= problem->vms[vm].memory_bytes;
    memset(moved, 0, problem->n_vms * sizeof(*moved));
    while (n_left > 0 && n_idle < SWAP_TRIES) {
        const struct problem_vm *vm = &problem->vms[workload_random(state) % problem->n_vms];
        n_idle++;
        if (moved[vm - problem->vms] || vm->memory_bytes > free_bytes[vm->to])
            continue;
        moved[vm - problem->vms] = true;
        free_bytes[vm->host] += vm->memory_bytes;
        free_bytes[vm->to] -= vm->memory_bytes;
        n_left--;
        n_idle = 0;
    }
    return n_left == 0;
}

/* The same sizes on each host; the k-th VM of a host goes where the k-th one of another is. */
static void draw_swap(struct problem *problem, uint64_t *state) {
    static const double sizes_gib[] = {2, 4, 8, 8, 16, 32};
    const size_t n_hosts = problem->n_hosts, per_host = problem->n_vms / n_hosts;
    double sum_bytes = 0;
    for (size_t k = 0; k < per_host; k++) {
        const double bytes = sizes_gib[workload_random(state) % (sizeof(sizes_gib) / sizeof(*sizes_gib))] * gib;
        const size_t shift = 1 + workload_random(state) % (n_hosts - 1);
        for (size_t host = 0; host < n_hosts; host++) {
            struct problem_vm *vm = &problem->vms[host * per_host + k];
            workload_size(state, 0, vm);
            vm->memory_bytes = bytes;
            vm->host = host;
            vm->to = (long)((host + shift) % n_hosts);
            vm->moves = true;
        }
        sum_bytes += bytes;
    }
    for (size_t host = 0; host < n_hosts; host++)
        problem->hosts[host] = (struct problem_host){
            .memory_bytes = ceil(sum_bytes / swap_fill_frac), .max_migrations = MAX_MIGRATIONS, .receives = true};
}

/* Two hosts of 10 VMs, three of 6 or four of 5, by the seed; such that some order needs no hop. */
static enum dc_status make_swap(uint64_t seed, struct problem *problem, struct dc_error *err) {
    uint64_t state = stream(seed, 0, 4);
    bool moved[20];
    problem->n_hosts = 2 + seed % 3;
    problem->n_vms = 20 / problem->n_hosts * problem->n_hosts;
    if (!allocate(problem) || !add_network(0, problem))
        return error_set_nomem(err);
    for (size_t try = 0; try == 0 || (try < SWAP_TRIES && !has_order(problem, &state, moved)); try++)
        draw_swap(problem, &state);
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        allow(problem, vm);
    return price(seed, problem, err);
}

enum dc_status family_make(const struct family *family, uint64_t seed, struct problem *problem_out,
                           struct dc_error *err) {
    enum dc_status rc = DC_OK;
    *problem_out = (struct problem){.deadline_s = INFINITY};
    switch (family->kind) {
    case FAMILY_EVACUATION:
        rc = make_evacuation(family, seed, problem_out, err);
        break;
    case FAMILY_CONSOLIDATION:
        rc = make_consolidation(family, seed, problem_out, err);
        break;
    case FAMILY_SWAP:
        rc = make_swap(seed, problem_out, err);
        break;
    }
    if (rc != DC_OK)
        problem_dispose(problem_out);
    return rc;
}
