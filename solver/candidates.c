/*
 * Enumerates candidates and their least costs. Costs depend on the bandwidth
 * alone, which most paths of a VM share: the last one computed is kept.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/candidates.h"

#include "base/vec.h"

#include <math.h>
#include <stdlib.h>

struct builder {
    const struct problem *problem;
    enum problem_quantile quantile;
    struct candidates *out;
    size_t items_capacity;
    size_t n_common;
    size_t common_capacity;
    uint32_t *arc_uses; /* by paths of the mover at hand */
};

void candidates_dispose(struct candidates *candidates) {
    free(candidates->vm);
    free(candidates->begin);
    free(candidates->items);
    free(candidates->common_begin);
    free(candidates->common_arcs);
    *candidates = (struct candidates){0};
}

static enum dc_status add_candidate(struct builder *builder, size_t vm, size_t host, double floor,
                                    struct dc_error *err) {
    const struct problem *problem = builder->problem;
    struct candidates *out = builder->out;
    const struct problem_cost *cost = &problem->vms[vm].cost[builder->quantile];
    size_t mover = out->n_movers, n = out->begin[mover + 1];
    struct candidate candidate = {.host = host, .duration_s = cost->pre_s + cost->post_s};
    if (cost->n_points > 0) {
        double bandwidth = problem_path_bandwidth(problem, vm, problem->vms[vm].host, host);
        if (bandwidth <= 0 || bandwidth < floor)
            return DC_OK;
        candidate.bandwidth_bytes_per_s = bandwidth;
        const struct candidate *last = n > out->begin[mover] ? &out->items[n - 1] : NULL;
        if (last != NULL && last->bandwidth_bytes_per_s >= bandwidth && last->bandwidth_bytes_per_s <= bandwidth) {
            candidate.volume_bytes = last->volume_bytes;
            candidate.duration_s = last->duration_s;
        } else {
            candidate.volume_bytes = problem_cost_bytes(cost, bandwidth);
            candidate.duration_s = problem_cost_duration_s(cost, bandwidth);
        }
    }
    void *items = out->items;
    if (!vec_reserve(&items, &builder->items_capacity, n + 1, sizeof *out->items))
        return error_set_nomem(err);
    out->items = items;
    out->items[n] = candidate;
    out->begin[mover + 1] = n + 1;
    return DC_OK;
}

/* Arcs on the path to every candidate of the mover just added. Nothing to send
 * takes no arc. */
static enum dc_status add_common(struct builder *builder, size_t vm, struct dc_error *err) {
    const struct problem *problem = builder->problem;
    struct candidates *out = builder->out;
    size_t mover = out->n_movers, from = problem->vms[vm].host;
    size_t begin = out->begin[mover], n = out->begin[mover + 1] - begin;
    out->common_begin[mover + 1] = builder->n_common;
    if (n == 0 || problem->vms[vm].cost[builder->quantile].n_points == 0)
        return DC_OK;
    size_t n_arcs = 0;
    const uint32_t *arcs = NULL;
    for (size_t i = begin; i < begin + n; i++) {
        arcs = problem_path(problem, from, out->items[i].host, &n_arcs);
        for (size_t k = 0; k < n_arcs; k++)
            builder->arc_uses[arcs[k]]++;
    }
    void *common = out->common_arcs;
    if (!vec_reserve(&common, &builder->common_capacity, builder->n_common + n_arcs + 1, sizeof *out->common_arcs))
        return error_set_nomem(err);
    out->common_arcs = common;
    for (size_t k = 0; k < n_arcs; k++) { /* an arc common to all is on the last path, too */
        if (builder->arc_uses[arcs[k]] == n)
            out->common_arcs[builder->n_common++] = arcs[k];
    }
    out->common_begin[mover + 1] = builder->n_common;
    for (size_t i = begin; i < begin + n; i++) {
        arcs = problem_path(problem, from, out->items[i].host, &n_arcs);
        for (size_t k = 0; k < n_arcs; k++)
            builder->arc_uses[arcs[k]] = 0;
    }
    return DC_OK;
}

static enum dc_status add_mover(struct builder *builder, size_t vm, struct dc_error *err) {
    const struct problem *problem = builder->problem;
    const struct problem_vm *mover = &problem->vms[vm];
    struct candidates *out = builder->out;
    double floor = problem_cost_floor(&mover->cost[builder->quantile], mover->downtime_budget_s);
    out->vm[out->n_movers] = vm;
    out->begin[out->n_movers + 1] = out->begin[out->n_movers];
    for (size_t host = 0; host < problem->n_hosts && isfinite(floor); host++) {
        bool wanted = mover->to == PROBLEM_ANY || (size_t)mover->to == host;
        if (!wanted || host == mover->host || problem->allowed[vm * problem->n_hosts + host] == 0)
            continue;
        enum dc_status rc = add_candidate(builder, vm, host, floor, err);
        if (rc != DC_OK)
            return rc;
    }
    enum dc_status rc = add_common(builder, vm, err);
    if (rc == DC_OK)
        out->n_movers++;
    return rc;
}

enum dc_status candidates_find(const struct problem *problem, enum problem_quantile quantile, const bool *skip,
                               struct candidates *candidates_out, struct dc_error *err) {
    *candidates_out = (struct candidates){0};
    struct builder builder = {.problem = problem, .quantile = quantile, .out = candidates_out};
    builder.arc_uses = calloc(problem->n_arcs + 1, sizeof *builder.arc_uses);
    candidates_out->vm = calloc(problem->n_vms + 1, sizeof *candidates_out->vm);
    candidates_out->begin = calloc(problem->n_vms + 1, sizeof *candidates_out->begin);
    candidates_out->common_begin = calloc(problem->n_vms + 1, sizeof *candidates_out->common_begin);
    enum dc_status rc = DC_OK;
    if (builder.arc_uses == NULL || candidates_out->vm == NULL || candidates_out->begin == NULL ||
        candidates_out->common_begin == NULL) {
        rc = error_set_nomem(err);
        goto out;
    }
    for (size_t vm = 0; rc == DC_OK && vm < problem->n_vms; vm++) {
        if (problem->vms[vm].moves && (skip == NULL || !skip[vm]))
            rc = add_mover(&builder, vm, err);
    }
out:
    free(builder.arc_uses);
    if (rc != DC_OK)
        candidates_dispose(candidates_out);
    return rc;
}

const struct candidate *candidates_at(const struct candidates *candidates, size_t mover, size_t host) {
    size_t low = candidates->begin[mover], high = candidates->begin[mover + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (candidates->items[middle].host == host)
            return &candidates->items[middle];
        if (candidates->items[middle].host < host)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool candidates_is_common(const struct candidates *candidates, size_t mover, uint32_t arc) {
    for (size_t i = candidates->common_begin[mover]; i < candidates->common_begin[mover + 1]; i++) {
        if (candidates->common_arcs[i] == arc)
            return true;
    }
    return false;
}
