/*
 * One pass over VMs and hosts for each kind. VMs of one source share its
 * paths, so what a path costs is computed once a source.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/certificate.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* What going from one source to each host means; of the source looked at last. */
struct view {
    size_t source; /* SIZE_MAX: none yet */
    bool *reaches;
    bool *crosses;            /* the arc asked about */
    double *arc_price_s_byte; /* sum over the path */
};

struct proof {
    const struct problem *problem;
    enum problem_quantile quantile;
    const struct certificate *certificate;
    struct view view;
    bool *moves;            /* [n_vms] */
    double *pre_s, *post_s; /* [n_arcs]: the least of VMs that may take the arc */
    double *free_bytes;     /* [n_hosts] */
    struct solution_bound *out;
};

/* The least one VM's migration to one host can cost. */
struct leg {
    double volume_bytes;
    double duration_s;
};

static bool index_ok(const struct proof *proof) {
    const struct problem *problem = proof->problem;
    const size_t index = proof->certificate->index;
    switch (proof->certificate->kind) {
    case SOLUTION_BOUND_ARC:
        return index < problem->n_arcs;
    case SOLUTION_BOUND_VM:
        return index < problem->n_vms;
    case SOLUTION_BOUND_HOST:
        return index < problem->n_hosts || index == SIZE_MAX;
    case SOLUTION_BOUND_PLACEMENT:
        return proof->certificate->prices != NULL;
    case SOLUTION_BOUND_MEMORY:
        return true;
    default:
        return false;
    }
}

static bool prices_ok(const double *prices, size_t n) {
    for (size_t i = 0; prices != NULL && i < n; i++) {
        if (!isfinite(prices[i]) || prices[i] < 0)
            return false;
    }
    return prices != NULL;
}

static bool all_prices_ok(const struct proof *proof) {
    const struct solution_prices *prices = proof->certificate->prices;
    const struct problem *problem = proof->problem;
    return proof->certificate->kind != SOLUTION_BOUND_PLACEMENT ||
           (prices_ok(prices->arc_s_per_byte, problem->n_arcs) && prices_ok(prices->slot_s_per_s, problem->n_hosts) &&
            prices_ok(prices->memory_s_per_byte, problem->n_hosts));
}

/* Each VM of the certificate moves in this question, and is named once. */
static bool mark_movers(struct proof *proof) {
    const struct certificate *certificate = proof->certificate;
    for (size_t i = 0; i < certificate->n_vms; i++) {
        const size_t vm = certificate->vms[i];
        if (vm >= proof->problem->n_vms || !proof->problem->vms[vm].moves || proof->moves[vm])
            return false;
        proof->moves[vm] = true;
    }
    return true;
}

static void look_from(struct proof *proof, size_t source) {
    const struct problem *problem = proof->problem;
    const struct certificate *certificate = proof->certificate;
    struct view *view = &proof->view;
    if (view->source == source)
        return;
    view->source = source;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        size_t n_arcs = 0;
        const uint32_t *arcs = host != source ? problem_path(problem, source, host, &n_arcs) : NULL;
        view->reaches[host] = n_arcs > 0;
        view->crosses[host] = false;
        view->arc_price_s_byte[host] = 0;
        for (size_t i = 0; i < n_arcs; i++) {
            view->crosses[host] |= certificate->kind == SOLUTION_BOUND_ARC && arcs[i] == certificate->index;
            if (certificate->kind == SOLUTION_BOUND_PLACEMENT)
                view->arc_price_s_byte[host] += certificate->prices->arc_s_per_byte[arcs[i]];
        }
    }
}

/* May `vm` go to `host`, and what does that cost at least? */
static bool find_leg(const struct proof *proof, size_t vm, size_t host, double floor_bytes_per_s, struct leg *leg_out) {
    const struct problem *problem = proof->problem;
    const struct problem_vm *mover = &problem->vms[vm];
    const struct problem_cost *cost = &mover->cost[proof->quantile];
    if (host == mover->host || problem->allowed[vm * problem->n_hosts + host] == 0 ||
        (mover->to != PROBLEM_ANY && mover->to != (long)host))
        return false;
    *leg_out = (struct leg){.duration_s = cost->pre_s + cost->post_s};
    if (cost->n_points == 0)
        return true;
    if (!proof->view.reaches[host])
        return false;
    const double bandwidth = problem_path_bandwidth(problem, vm, mover->host, host);
    if (bandwidth <= 0 || bandwidth < floor_bytes_per_s)
        return false;
    struct problem_cost_point point;
    if (!problem_cost_at(cost, bandwidth, &point))
        return false;
    leg_out->duration_s += point.live_s + point.stop_s;
    leg_out->volume_bytes = point.bandwidth_bytes_per_s * (point.live_s + point.stop_s);
    return true;
}

static double floor_of(const struct proof *proof, size_t vm) {
    const struct problem_vm *mover = &proof->problem->vms[vm];
    return problem_cost_floor(&mover->cost[proof->quantile], mover->downtime_budget_s);
}

/* The least volume and duration over all its hosts; false where it has none. `*common_out`: do all its
 * paths take the arc asked about? `*only_out`: its host where it has but one, else SIZE_MAX. */
static bool least_of(struct proof *proof, size_t vm, struct leg *least_out, bool *common_out, size_t *only_out) {
    const double floor_bytes_per_s = floor_of(proof, vm);
    size_t n = 0;
    look_from(proof, proof->problem->vms[vm].host);
    *least_out = (struct leg){INFINITY, INFINITY};
    *common_out = true;
    for (size_t host = 0; host < proof->problem->n_hosts; host++) {
        struct leg leg;
        if (!find_leg(proof, vm, host, floor_bytes_per_s, &leg))
            continue;
        n++;
        *only_out = n == 1 ? host : SIZE_MAX;
        *common_out = *common_out && proof->view.crosses[host];
        least_out->volume_bytes = fmin(least_out->volume_bytes, leg.volume_bytes);
        least_out->duration_s = fmin(least_out->duration_s, leg.duration_s);
    }
    return n > 0;
}

static void prove_arc(struct proof *proof) {
    struct solution_bound *out = proof->out;
    const struct certificate *certificate = proof->certificate;
    double pre_s = INFINITY, post_s = INFINITY;
    for (size_t i = 0; i < certificate->n_vms; i++) {
        const size_t vm = certificate->vms[i];
        const struct problem_cost *cost = &proof->problem->vms[vm].cost[proof->quantile];
        struct leg least;
        bool is_common = false;
        size_t only = SIZE_MAX;
        if (cost->n_points == 0 || !least_of(proof, vm, &least, &is_common, &only) || !is_common)
            continue;
        out->volume_bytes += least.volume_bytes;
        pre_s = fmin(pre_s, cost->pre_s);
        post_s = fmin(post_s, cost->post_s);
    }
    if (isinf(pre_s))
        return;
    out->kind = SOLUTION_BOUND_ARC;
    out->setup_s = pre_s;
    out->tail_s = post_s;
    out->capacity_bytes_per_s = proof->problem->arcs[certificate->index].capacity_bytes_per_s;
    out->value_s = pre_s + out->volume_bytes / out->capacity_bytes_per_s + post_s;
}

static void prove_vm(struct proof *proof) {
    const size_t vm = proof->certificate->index;
    struct leg least;
    bool is_common = false;
    size_t only = SIZE_MAX;
    if (!proof->moves[vm] || !least_of(proof, vm, &least, &is_common, &only))
        return;
    proof->out->kind = SOLUTION_BOUND_VM;
    proof->out->value_s = least.duration_s;
}

/* A migration takes a slot of its source and, where it has but one choice, of its destination. */
static void prove_host(struct proof *proof) {
    const struct problem *problem = proof->problem;
    const struct certificate *certificate = proof->certificate;
    struct solution_bound *out = proof->out;
    const bool whole_plan = certificate->index == SIZE_MAX;
    const unsigned slots = whole_plan ? problem->max_parallel : problem->hosts[certificate->index].max_migrations;
    if (slots == 0)
        return;
    for (size_t i = 0; i < certificate->n_vms; i++) {
        const size_t vm = certificate->vms[i];
        struct leg least;
        bool is_common = false;
        size_t only = SIZE_MAX;
        if (!least_of(proof, vm, &least, &is_common, &only))
            continue;
        if (whole_plan || problem->vms[vm].host == certificate->index || only == certificate->index)
            out->work_s += least.duration_s;
    }
    out->kind = SOLUTION_BOUND_HOST;
    out->slots = slots;
    out->value_s = out->work_s / slots;
}

/* In flight a VM is held twice: what all receiving hosts have free bounds how much of that there is at any time. What
 * fits together still does with the small ones left out, and those that leave less than a small one counted as all. */
static void prove_memory(struct proof *proof) {
    const struct problem *problem = proof->problem;
    const struct certificate *certificate = proof->certificate;
    struct solution_bound *out = proof->out;
    for (size_t host = 0; host < problem->n_hosts; host++)
        proof->free_bytes[host] = problem->hosts[host].memory_bytes;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        proof->free_bytes[problem->vms[vm].host] -= problem->vms[vm].memory_bytes;
    for (size_t host = 0; host < problem->n_hosts; host++)
        if (problem->hosts[host].receives && proof->free_bytes[host] > 0)
            out->free_bytes += proof->free_bytes[host];
    if (out->free_bytes <= 0 || !(certificate->small_bytes >= 0 && 2 * certificate->small_bytes <= out->free_bytes))
        return;
    for (size_t i = 0; i < certificate->n_vms; i++) {
        const double bytes = problem->vms[certificate->vms[i]].memory_bytes;
        struct leg least;
        bool is_common = false;
        size_t only = SIZE_MAX;
        if (bytes < certificate->small_bytes || !least_of(proof, certificate->vms[i], &least, &is_common, &only))
            continue;
        const bool fills = bytes > out->free_bytes - certificate->small_bytes;
        out->held_byte_s += least.duration_s * (fills ? out->free_bytes : bytes);
    }
    out->small_bytes = certificate->small_bytes;
    out->kind = SOLUTION_BOUND_MEMORY;
    out->value_s = out->held_byte_s / out->free_bytes;
}

/* The least setup and tail of what may cross each arc that has a price. */
static void find_setups(struct proof *proof) {
    const struct problem *problem = proof->problem;
    const struct certificate *certificate = proof->certificate;
    for (size_t arc = 0; arc < problem->n_arcs; arc++)
        proof->pre_s[arc] = proof->post_s[arc] = INFINITY;
    for (size_t i = 0; i < certificate->n_vms; i++) {
        const size_t vm = certificate->vms[i];
        const struct problem_cost *cost = &problem->vms[vm].cost[proof->quantile];
        const double floor_bytes_per_s = floor_of(proof, vm);
        look_from(proof, problem->vms[vm].host);
        for (size_t host = 0; cost->n_points > 0 && host < problem->n_hosts; host++) {
            struct leg leg;
            size_t n_arcs = 0;
            if (proof->view.arc_price_s_byte[host] <= 0 || !find_leg(proof, vm, host, floor_bytes_per_s, &leg))
                continue;
            const uint32_t *arcs = problem_path(problem, problem->vms[vm].host, host, &n_arcs);
            for (size_t k = 0; k < n_arcs; k++) {
                proof->pre_s[arcs[k]] = fmin(proof->pre_s[arcs[k]], cost->pre_s);
                proof->post_s[arcs[k]] = fmin(proof->post_s[arcs[k]], cost->post_s);
            }
        }
    }
}

/* What the cheapest host costs a VM at the prices; 0 where it has no host. */
static double cheapest_host(struct proof *proof, size_t vm) {
    const struct solution_prices *prices = proof->certificate->prices;
    const size_t source = proof->problem->vms[vm].host;
    const double floor_bytes_per_s = floor_of(proof, vm);
    double least_s = INFINITY;
    look_from(proof, source);
    for (size_t host = 0; host < proof->problem->n_hosts; host++) {
        struct leg leg;
        if (!find_leg(proof, vm, host, floor_bytes_per_s, &leg))
            continue;
        const double cost_s = proof->view.arc_price_s_byte[host] * leg.volume_bytes +
                              (prices->slot_s_per_s[source] + prices->slot_s_per_s[host]) * leg.duration_s +
                              prices->memory_s_per_byte[host] * proof->problem->vms[vm].memory_bytes;
        least_s = fmin(least_s, cost_s);
    }
    return isinf(least_s) ? 0 : least_s;
}

/* Memory for the movers once all are where they end; what stays has its place first. */
static double free_memory_price(const struct proof *proof) {
    const struct problem *problem = proof->problem;
    const double *price = proof->certificate->prices->memory_s_per_byte;
    double *free_bytes = proof->free_bytes;
    double sum = 0;
    for (size_t host = 0; host < problem->n_hosts; host++)
        free_bytes[host] = problem->hosts[host].memory_bytes;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        if (!proof->moves[vm])
            free_bytes[problem->vms[vm].host] -= problem->vms[vm].memory_bytes;
    }
    for (size_t host = 0; host < problem->n_hosts; host++)
        sum += price[host] * fmax(0, free_bytes[host]);
    return sum;
}

static void prove_placement(struct proof *proof) {
    const struct problem *problem = proof->problem;
    const struct certificate *certificate = proof->certificate;
    const struct solution_prices *prices = certificate->prices;
    double weight = 0, sum_s = 0;
    find_setups(proof);
    for (size_t arc = 0; arc < problem->n_arcs; arc++) {
        const double price = prices->arc_s_per_byte[arc] * problem->arcs[arc].capacity_bytes_per_s;
        weight += price;
        sum_s += price > 0 && isfinite(proof->pre_s[arc]) ? price * (proof->pre_s[arc] + proof->post_s[arc]) : 0;
    }
    for (size_t host = 0; host < problem->n_hosts; host++) {
        if (prices->slot_s_per_s[host] > 0 && problem->hosts[host].max_migrations == 0)
            return; /* no limit has no price */
        weight += prices->slot_s_per_s[host] * problem->hosts[host].max_migrations;
    }
    sum_s -= free_memory_price(proof);
    for (size_t i = 0; i < certificate->n_vms; i++)
        sum_s += cheapest_host(proof, certificate->vms[i]);
    if (!(weight > 0) || !isfinite(weight) || !isfinite(sum_s))
        return;
    proof->out->kind = SOLUTION_BOUND_PLACEMENT;
    proof->out->value_s = fmax(0, sum_s / weight);
}

static bool allocate(struct proof *proof) {
    const struct problem *problem = proof->problem;
    proof->view = (struct view){
        .source = SIZE_MAX,
        .reaches = calloc(problem->n_hosts + 1, sizeof *proof->view.reaches),
        .crosses = calloc(problem->n_hosts + 1, sizeof *proof->view.crosses),
        .arc_price_s_byte = calloc(problem->n_hosts + 1, sizeof *proof->view.arc_price_s_byte),
    };
    proof->moves = calloc(problem->n_vms + 1, sizeof *proof->moves);
    proof->pre_s = calloc(problem->n_arcs + 1, sizeof *proof->pre_s);
    proof->post_s = calloc(problem->n_arcs + 1, sizeof *proof->post_s);
    proof->free_bytes = calloc(problem->n_hosts + 1, sizeof *proof->free_bytes);
    return proof->view.reaches != NULL && proof->view.crosses != NULL && proof->view.arc_price_s_byte != NULL &&
           proof->moves != NULL && proof->pre_s != NULL && proof->post_s != NULL && proof->free_bytes != NULL;
}

static void prove(struct proof *proof) {
    switch (proof->certificate->kind) {
    case SOLUTION_BOUND_ARC:
        prove_arc(proof);
        return;
    case SOLUTION_BOUND_VM:
        prove_vm(proof);
        return;
    case SOLUTION_BOUND_HOST:
        prove_host(proof);
        return;
    case SOLUTION_BOUND_PLACEMENT:
        prove_placement(proof);
        return;
    case SOLUTION_BOUND_MEMORY:
        prove_memory(proof);
        return;
    case SOLUTION_BOUND_STEP_MODEL:
    case SOLUTION_BOUND_NONE:
        return;
    }
}

enum dc_status certificate_prove(const struct problem *problem, enum problem_quantile quantile,
                                 const struct certificate *certificate, struct solution_bound *proved_out,
                                 struct dc_error *err) {
    *proved_out = (struct solution_bound){.kind = SOLUTION_BOUND_NONE, .index = certificate->index};
    struct proof proof = {.problem = problem, .quantile = quantile, .certificate = certificate, .out = proved_out};
    const enum dc_status rc = allocate(&proof) ? DC_OK : error_set_nomem(err);
    if (rc == DC_OK && index_ok(&proof) && all_prices_ok(&proof) && mark_movers(&proof))
        prove(&proof);
    free(proof.view.reaches);
    free(proof.view.crosses);
    free(proof.view.arc_price_s_byte);
    free(proof.moves);
    free(proof.pre_s);
    free(proof.post_s);
    free(proof.free_bytes);
    return rc;
}
