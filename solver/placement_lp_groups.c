/*
 * What is alike in the rack LP: hosts that every mover sees alike are one class, movers of one source (or, where those
 * are too many, of sources that see alike) with the same choice of classes one group.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/placement_lp_state.h"

#include <math.h>
#include <stdlib.h>

static const uint64_t hash_basis = 14695981039346656037u; /* FNV-1a */
static const double ratio_width = 0.005;                  /* of the logarithm */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ byte[i]) * 1099511628211u;
    return hash;
}

static uint64_t hash_size(uint64_t hash, size_t value) {
    return hash_bytes(hash, &value, sizeof value);
}

double placement_lp_least_volume(const struct candidates *candidates, size_t mover) {
    double least = INFINITY;
    for (size_t i = candidates->begin[mover]; i < candidates->begin[mover + 1]; i++)
        least = fmin(least, candidates->items[i].volume_bytes);
    return least;
}

/* What a host looks like to the mover: all but the last arc of the path, what
 * fits through, and the width of the last arc. */
static void hash_view(const struct lp_builder *builder, size_t mover, const struct candidate *candidate,
                      uint64_t *hash) {
    const struct problem *problem = builder->problem;
    size_t source = problem->vms[builder->candidates->vm[mover]].host, n_arcs = 0;
    const uint32_t *arcs = problem_path(problem, source, candidate->host, &n_arcs);
    *hash = hash_size(*hash, mover);
    *hash = hash_bytes(*hash, &candidate->bandwidth_bytes_per_s, sizeof candidate->bandwidth_bytes_per_s);
    if (n_arcs == 0)
        return;
    *hash = hash_bytes(*hash, arcs, (n_arcs - 1) * sizeof *arcs);
    double capacity = problem->arcs[arcs[n_arcs - 1]].capacity_bytes_per_s;
    *hash = hash_bytes(*hash, &capacity, sizeof capacity);
}

/* Memory left at the end where nobody's destination is open yet. */
static void end_memory(const struct problem *problem, double *free_bytes) {
    for (size_t host = 0; host < problem->n_hosts; host++)
        free_bytes[host] = problem->hosts[host].memory_bytes;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        if (!problem->vms[vm].moves)
            free_bytes[problem->vms[vm].host] -= problem->vms[vm].memory_bytes;
    }
}

static size_t class_of(struct lp_builder *builder, uint64_t key, size_t host) {
    for (size_t i = 0; i < builder->out->n_classes; i++) {
        if (builder->classes[i].key == key)
            return i;
    }
    builder->classes[builder->out->n_classes] = (struct class){.key = key, .host = host};
    return builder->out->n_classes++;
}

enum dc_status placement_lp_find_classes(struct lp_builder *builder, struct dc_error *err) {
    const struct problem *problem = builder->problem;
    const struct candidates *candidates = builder->candidates;
    uint64_t *keys = calloc(problem->n_hosts + 1, sizeof *keys);
    double *free_bytes = calloc(problem->n_hosts + 1, sizeof *free_bytes);
    builder->classes = calloc(problem->n_hosts + 1, sizeof *builder->classes);
    enum dc_status rc = DC_OK;
    if (keys == NULL || free_bytes == NULL || builder->classes == NULL) {
        rc = error_set_nomem(err);
        goto out;
    }
    end_memory(problem, free_bytes);
    for (size_t host = 0; host < problem->n_hosts; host++)
        keys[host] = hash_basis;
    for (size_t mover = 0; mover < candidates->n_movers; mover++) {
        for (size_t i = candidates->begin[mover]; i < candidates->begin[mover + 1]; i++)
            hash_view(builder, mover, &candidates->items[i], &keys[candidates->items[i].host]);
    }
    for (size_t host = 0; host < problem->n_hosts; host++) {
        builder->out->host_class[host] = SIZE_MAX;
        if (keys[host] == hash_basis)
            continue;
        size_t class = class_of(builder, hash_size(keys[host], problem->hosts[host].max_migrations), host);
        builder->out->host_class[host] = class;
        builder->classes[class].free_bytes += fmax(0, free_bytes[host]);
        builder->classes[class].slots += problem->hosts[host].max_migrations;
    }
out:
    free(keys);
    free(free_bytes);
    return rc;
}

/* Joint groups are of VMs that send about as much for a byte of memory. */
static size_t ratio_class(double memory_bytes, double volume_bytes) {
    return (size_t)fmax(0, log1p(volume_bytes / memory_bytes) / ratio_width);
}

/* Where a mover comes from: its host, or in joint groups what its paths pass between their first and last arc. */
static uint64_t hash_source(struct lp_builder *builder, const struct problem_vm *vm, const struct candidate *candidate,
                            size_t class, uint64_t key) {
    size_t n_arcs = 0;
    const uint32_t *arcs = problem_path(builder->problem, vm->host, candidate->host, &n_arcs);
    key = hash_size(key, class);
    if (!builder->is_joint)
        return key;
    builder->has_short_path = builder->has_short_path || n_arcs < 2;
    return hash_bytes(key, arcs + 1, n_arcs > 2 ? (n_arcs - 2) * sizeof *arcs : 0);
}

/* Movers that have something to send, by source and choice of classes. */
enum dc_status placement_lp_find_groups(struct lp_builder *builder, struct dc_error *err) {
    const struct candidates *candidates = builder->candidates;
    struct placement_lp *out = builder->out;
    free(builder->groups);
    out->n_groups = 0;
    builder->groups = calloc(candidates->n_movers + 1, sizeof *builder->groups);
    size_t *seen = calloc(out->n_classes + 1, sizeof *seen); /* by mover + 1 */
    if (builder->groups == NULL || seen == NULL) {
        free(seen);
        return error_set_nomem(err);
    }
    for (size_t mover = 0; mover < candidates->n_movers; mover++) {
        out->mover_group[mover] = SIZE_MAX;
        double volume = placement_lp_least_volume(candidates, mover);
        if (!(volume > 0) || isinf(volume))
            continue;
        const struct problem_vm *vm = &builder->problem->vms[candidates->vm[mover]];
        uint64_t key = hash_size(hash_basis, builder->is_joint ? ratio_class(vm->memory_bytes, volume) : vm->host);
        for (size_t i = candidates->begin[mover]; i < candidates->begin[mover + 1]; i++) {
            size_t class = out->host_class[candidates->items[i].host];
            if (seen[class] != mover + 1)
                key = hash_source(builder, vm, &candidates->items[i], class, key);
            seen[class] = mover + 1;
        }
        size_t g = 0;
        while (g < out->n_groups && builder->groups[g].key != key)
            g++;
        struct group *group = &builder->groups[g];
        if (g == out->n_groups) {
            *group =
                (struct group){.key = key, .source = vm->host, .low = INFINITY, .pre_s = INFINITY, .post_s = INFINITY};
            out->n_groups++;
        }
        group->volume_bytes += volume;
        group->memory_bytes += vm->memory_bytes;
        group->low = fmin(group->low, vm->memory_bytes / volume);
        group->high = fmax(group->high, vm->memory_bytes / volume);
        group->pre_s = fmin(group->pre_s, vm->cost[builder->quantile].pre_s);
        group->post_s = fmin(group->post_s, vm->cost[builder->quantile].post_s);
        out->mover_group[mover] = g;
    }
    free(seen);
    return DC_OK;
}
