/*
 * LB1 in closed form, LB2 by the rack LP.
 *
 * LB1 of an arc that all paths of some VMs take: nothing flows before the first of them is set up,
 * nothing after the last page but its hand-over, so
 *     min pre + sum volume / capacity + min post.
 * Of a host with k slots (or of the plan's own limit): sum of durations / k.
 *
 * LB3: a VM in flight is held in memory twice. At any time the hosts that receive hold no
 * more than what was free on them at first beyond what there is to hold once, so
 *     sum memory x duration / sum free memory,
 * by way of whatever hosts. It counts where all hosts are nearly full. Whatever fits together still does
 * where VMs of less than s bytes (s at most half of what is free) are left out and those that leave less than
 * s of it count as all of it (a dual feasible function of bin packing; Fekete and Schepers 2001): each s gives a bound.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/bound.h"

#include "solver/candidates.h"
#include "solver/certificate.h"
#include "solver/placement_lp.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

enum { MOST_SPLIT = 200 }; /* movers whose sizes are all tried as the small one's */

struct arc_sum {
    double volume_bytes, pre_s, post_s;
};

static void keep_larger(struct solution_bound *best, const struct solution_bound *bound) {
    if (bound->value_s > best->value_s)
        *best = *bound;
}

static double least_duration(const struct candidates *candidates, size_t mover) {
    double least_s = INFINITY;
    for (size_t i = candidates->begin[mover]; i < candidates->begin[mover + 1]; i++)
        least_s = fmin(least_s, candidates->items[i].duration_s);
    return least_s;
}

static double least_volume(const struct candidates *candidates, size_t mover) {
    double least_bytes = INFINITY;
    for (size_t i = candidates->begin[mover]; i < candidates->begin[mover + 1]; i++)
        least_bytes = fmin(least_bytes, candidates->items[i].volume_bytes);
    return least_bytes;
}

static enum dc_status bound_arcs(const struct problem *problem, enum problem_quantile quantile,
                                 const struct candidates *candidates, struct solution_bound *best,
                                 struct dc_error *err) {
    struct arc_sum *sums = calloc(problem->n_arcs + 1, sizeof *sums);
    if (sums == NULL)
        return error_set_nomem(err);
    for (size_t arc = 0; arc < problem->n_arcs; arc++)
        sums[arc] = (struct arc_sum){0, INFINITY, INFINITY};
    for (size_t mover = 0; mover < candidates->n_movers; mover++) {
        const struct problem_cost *cost = &problem->vms[candidates->vm[mover]].cost[quantile];
        for (size_t i = candidates->common_begin[mover]; i < candidates->common_begin[mover + 1]; i++) {
            struct arc_sum *sum = &sums[candidates->common_arcs[i]];
            sum->volume_bytes += least_volume(candidates, mover);
            sum->pre_s = fmin(sum->pre_s, cost->pre_s);
            sum->post_s = fmin(sum->post_s, cost->post_s);
        }
    }
    for (size_t arc = 0; arc < problem->n_arcs; arc++) {
        if (isinf(sums[arc].pre_s))
            continue;
        struct solution_bound bound = {.kind = SOLUTION_BOUND_ARC,
                                       .index = arc,
                                       .setup_s = sums[arc].pre_s,
                                       .volume_bytes = sums[arc].volume_bytes,
                                       .capacity_bytes_per_s = problem->arcs[arc].capacity_bytes_per_s,
                                       .tail_s = sums[arc].post_s};
        bound.value_s = bound.setup_s + bound.volume_bytes / bound.capacity_bytes_per_s + bound.tail_s;
        keep_larger(best, &bound);
    }
    free(sums);
    return DC_OK;
}

static void bound_vms(const struct candidates *candidates, struct solution_bound *best) {
    for (size_t mover = 0; mover < candidates->n_movers; mover++) {
        if (candidates->begin[mover] == candidates->begin[mover + 1])
            continue;
        struct solution_bound bound = {
            .kind = SOLUTION_BOUND_VM, .index = candidates->vm[mover], .value_s = least_duration(candidates, mover)};
        keep_larger(best, &bound);
    }
}

static void bound_slots(struct solution_bound *best, size_t index, double work_s, unsigned slots) {
    if (slots == 0)
        return;
    struct solution_bound bound = {
        .kind = SOLUTION_BOUND_HOST, .index = index, .value_s = work_s / slots, .work_s = work_s, .slots = slots};
    keep_larger(best, &bound);
}

/* A migration occupies its source and, where only one is left, its destination. */
static enum dc_status bound_hosts(const struct problem *problem, const struct candidates *candidates,
                                  struct solution_bound *best, struct dc_error *err) {
    double *work_s = calloc(problem->n_hosts + 1, sizeof *work_s);
    if (work_s == NULL)
        return error_set_nomem(err);
    double total_s = 0;
    for (size_t mover = 0; mover < candidates->n_movers; mover++) {
        size_t begin = candidates->begin[mover], n = candidates->begin[mover + 1] - begin;
        if (n == 0)
            continue;
        double duration_s = least_duration(candidates, mover);
        work_s[problem->vms[candidates->vm[mover]].host] += duration_s;
        if (n == 1)
            work_s[candidates->items[begin].host] += duration_s;
        total_s += duration_s;
    }
    for (size_t host = 0; host < problem->n_hosts; host++)
        bound_slots(best, host, work_s[host], problem->hosts[host].max_migrations);
    bound_slots(best, SIZE_MAX, total_s, problem->max_parallel);
    free(work_s);
    return DC_OK;
}

static double held_bytes(double bytes, double small_bytes, double free_bytes) {
    if (bytes < small_bytes)
        return 0;
    return bytes > free_bytes - small_bytes ? free_bytes : bytes;
}

static void hold(const struct problem *problem, const struct candidates *candidates, struct solution_bound *bound) {
    bound->held_byte_s = 0;
    for (size_t mover = 0; mover < candidates->n_movers; mover++)
        if (candidates->begin[mover] < candidates->begin[mover + 1])
            bound->held_byte_s +=
                least_duration(candidates, mover) *
                held_bytes(problem->vms[candidates->vm[mover]].memory_bytes, bound->small_bytes, bound->free_bytes);
    bound->value_s = bound->held_byte_s / bound->free_bytes;
}

static enum dc_status bound_memory(const struct problem *problem, const struct candidates *candidates,
                                   struct solution_bound *best, struct dc_error *err) {
    struct solution_bound bound = {.kind = SOLUTION_BOUND_MEMORY};
    double *free_bytes = calloc(problem->n_hosts + 1, sizeof *free_bytes);
    if (free_bytes == NULL)
        return error_set_nomem(err);
    problem_free_bytes(problem, free_bytes);
    for (size_t host = 0; host < problem->n_hosts; host++)
        bound.free_bytes += problem->hosts[host].receives ? fmax(0, free_bytes[host]) : 0;
    free(free_bytes);
    if (bound.free_bytes <= 0)
        return DC_OK;
    hold(problem, candidates, &bound);
    keep_larger(best, &bound);
    for (size_t i = 0; i < candidates->n_movers && candidates->n_movers <= MOST_SPLIT; i++) {
        bound.small_bytes = problem->vms[candidates->vm[i]].memory_bytes;
        if (2 * bound.small_bytes > bound.free_bytes)
            continue;
        hold(problem, candidates, &bound);
        keep_larger(best, &bound);
    }
    /* Just above half of it: those that can only be alone. */
    bound.small_bytes = floor(bound.free_bytes / 2);
    hold(problem, candidates, &bound);
    keep_larger(best, &bound);
    return DC_OK;
}

static enum dc_status closed_form(const struct problem *problem, enum problem_quantile quantile,
                                  const struct candidates *candidates, struct solution_bound *best,
                                  struct dc_error *err) {
    *best = (struct solution_bound){.kind = SOLUTION_BOUND_NONE};
    enum dc_status rc = bound_arcs(problem, quantile, candidates, best, err);
    bound_vms(candidates, best);
    if (rc == DC_OK)
        rc = bound_hosts(problem, candidates, best, err);
    if (rc == DC_OK)
        rc = bound_memory(problem, candidates, best, err);
    return rc;
}

enum dc_status bound_closed_form(const struct problem *problem, enum problem_quantile quantile, const bool *skip,
                                 struct solution_bound *bound_out, struct dc_error *err) {
    *bound_out = (struct solution_bound){.kind = SOLUTION_BOUND_NONE};
    struct candidates candidates;
    enum dc_status rc = candidates_find(problem, quantile, skip, &candidates, err);
    if (rc == DC_OK)
        rc = closed_form(problem, quantile, &candidates, bound_out, err);
    candidates_dispose(&candidates);
    return rc;
}

/* What the LP's duals prove of the same VMs, without trust in the simplex' arithmetic. */
static enum dc_status prove(const struct problem *problem, enum problem_quantile quantile,
                            const struct candidates *candidates, const struct solution_prices *prices,
                            struct solution_bound *bound_out, struct dc_error *err) {
    const struct certificate certificate = {
        .kind = SOLUTION_BOUND_PLACEMENT, .n_vms = candidates->n_movers, .vms = candidates->vm, .prices = prices};
    return certificate_prove(problem, quantile, &certificate, bound_out, err);
}

enum dc_status bound_placement(const struct problem *problem, enum problem_quantile quantile,
                               const struct milp_limits *limits, struct solution_bound *bound_out,
                               struct solution_prices *prices_out, struct dc_error *err) {
    *bound_out = (struct solution_bound){.kind = SOLUTION_BOUND_NONE};
    *prices_out = (struct solution_prices){0};
    struct placement_lp lp = {0};
    struct candidates candidates;
    struct solution_bound closed, proved = {.kind = SOLUTION_BOUND_NONE};
    enum dc_status rc = candidates_find(problem, quantile, NULL, &candidates, err);
    if (rc == DC_OK)
        rc = closed_form(problem, quantile, &candidates, &closed, err);
    if (rc != DC_OK)
        goto out;
    struct dc_error lp_err = DC_ERROR_NONE;
    rc = placement_lp_solve(problem, quantile, &candidates, closed.value_s, limits, &lp, &lp_err);
    if (rc != DC_OK && rc != DC_ESOLVER) {
        error_set(err, rc, "%s", error_text(&lp_err));
        goto out;
    }
    const bool solved = rc == DC_OK && lp.solved;
    rc = solved ? prove(problem, quantile, &candidates, &lp.prices, &proved, err) : DC_OK;
    if (rc != DC_OK || !solved)
        goto out;
    *bound_out = proved.value_s > closed.value_s ? proved : closed;
    if (bound_out->kind == SOLUTION_BOUND_PLACEMENT) {
        *prices_out = lp.prices;
        lp.prices = (struct solution_prices){0};
    }
out:
    placement_lp_dispose(&lp);
    candidates_dispose(&candidates);
    return rc;
}
