/*
 * Setting a decoder up: what of problem and placement does not change from
 * one decode to the next, and room for what does.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/vec.h"
#include "solver/decode_state.h"

#include <math.h>
#include <stdlib.h>

/* Rates above the lowest one that converges, so that a rate a little lower in truth still does. */
static const double floor_margin = 1.05;

enum { FLOOR_BISECTIONS = 40 };

/* The largest share of its transfer that the stop-and-copy takes at any bandwidth from `low` to
 * `best`. Between two points both are linear in bytes: the extreme lies at an end. */
static double most_stop_share(const struct problem_cost *cost, double low, double best) {
    double share = 0;
    for (size_t i = 0; i < cost->n_points + 2; i++) {
        const double bandwidth = i == 0 ? low : i == 1 ? best : cost->points[i - 2].bandwidth_bytes_per_s;
        struct problem_cost_point point;
        if (bandwidth >= low && bandwidth <= best && problem_cost_at(cost, bandwidth, &point))
            share = fmax(share, point.stop_s / (point.live_s + point.stop_s));
    }
    return share;
}

/* The lowest bandwidth that keeps the budget even if the rate falls to it in
 * mid stop-and-copy: what was left at the stop, a share of the transfer, then
 * takes share x T(floor). T = bytes / bandwidth falls with the bandwidth. */
static double steady_floor(const struct problem_cost *cost, double budget_s, double low, double best) {
    if (!isfinite(budget_s))
        return low;
    const double longest_s = (budget_s - cost->post_s) / most_stop_share(cost, low, best);
    double high = best;
    for (int i = 0; i < FLOOR_BISECTIONS && high - low > 0; i++) {
        const double middle = low + (high - low) / 2;
        if (problem_cost_bytes(cost, middle) / middle <= longest_s)
            high = middle;
        else
            low = middle;
    }
    return high;
}

/* Sets path, best bandwidth and floor. */
static void set_path(struct decoder *decoder, struct mover *mover) {
    const struct problem *problem = decoder->problem;
    mover->n_arcs = 0;
    mover->best_bytes_per_s = mover->floor_bytes_per_s = mover->best_live_s = mover->best_stop_s = 0;
    const double budget_s = problem->vms[mover->vm].downtime_budget_s;
    const double lowest = problem_cost_floor(mover->cost, budget_s);
    mover->possible = isfinite(lowest);
    if (mover->cost->n_points == 0 || !mover->possible)
        return;
    const double best = problem_path_bandwidth(problem, mover->vm, mover->from, mover->to);
    struct problem_cost_point point;
    mover->possible = lowest <= best && problem_cost_at(mover->cost, best, &point);
    if (!mover->possible)
        return;
    mover->arcs = problem_path(problem, mover->from, mover->to, &mover->n_arcs);
    mover->best_bytes_per_s = best;
    mover->floor_bytes_per_s = fmax(steady_floor(mover->cost, budget_s, lowest, best),
                                    fmin(best, floor_margin * mover->cost->points[0].bandwidth_bytes_per_s));
    mover->best_live_s = point.live_s;
    mover->best_stop_s = point.stop_s;
}

static bool allocate(struct decoder *decoder, size_t n_movers) {
    const struct problem *problem = decoder->problem;
    decoder->mover_of = calloc(problem->n_vms + 1, sizeof(*decoder->mover_of));
    decoder->arcs = calloc(problem->n_arcs + 1, sizeof(*decoder->arcs));
    decoder->hosts = calloc(problem->n_hosts + 1, sizeof(*decoder->hosts));
    decoder->movers = calloc(n_movers + 1, sizeof(*decoder->movers));
    decoder->waiting = calloc(n_movers + 1, sizeof(*decoder->waiting));
    decoder->in_flight = calloc(n_movers + 1, sizeof(*decoder->in_flight));
    decoder->sharing = calloc(n_movers + 1, sizeof(*decoder->sharing));
    decoder->pins = calloc(n_movers + 1, sizeof(*decoder->pins));
    decoder->rule_begin = calloc(n_movers + 1, sizeof(*decoder->rule_begin));
    decoder->group_begin = calloc(n_movers + 2, sizeof(*decoder->group_begin));
    decoder->group_list = calloc(n_movers + 1, sizeof(*decoder->group_list));
    return decoder->mover_of != NULL && decoder->arcs != NULL && decoder->hosts != NULL && decoder->movers != NULL &&
           decoder->waiting != NULL && decoder->in_flight != NULL && decoder->sharing != NULL &&
           decoder->pins != NULL && decoder->rule_begin != NULL && decoder->group_begin != NULL &&
           decoder->group_list != NULL;
}

static bool is_mover(const struct problem *problem, const long *to, size_t vm) {
    return problem->vms[vm].moves && to[vm] >= 0 && (size_t)to[vm] != problem->vms[vm].host;
}

static void add_movers(struct decoder *decoder, const long *to) {
    const struct problem *problem = decoder->problem;
    for (size_t host = 0; host < problem->n_hosts; host++)
        decoder->hosts[host].initial_free_bytes = problem->hosts[host].memory_bytes;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        if (!problem_is_leg(problem, vm))
            decoder->hosts[problem->vms[vm].host].initial_free_bytes -= problem->vms[vm].memory_bytes;
        decoder->mover_of[vm] = SIZE_MAX;
        if (!is_mover(problem, to, vm))
            continue;
        struct mover *mover = &decoder->movers[decoder->n_movers];
        mover->vm = vm;
        mover->from = problem->vms[vm].host;
        mover->to = (size_t)to[vm];
        mover->cost = &problem->vms[vm].cost[decoder->quantile];
        mover->group = SIZE_MAX;
        set_path(decoder, mover);
        decoder->longest_pre_s = fmax(decoder->longest_pre_s, mover->cost->pre_s);
        decoder->mover_of[vm] = decoder->n_movers++;
    }
}

static bool add_nodes(struct decoder *decoder) {
    for (size_t i = 0; i < decoder->n_movers; i++)
        if (decoder->movers[i].n_arcs > decoder->max_path)
            decoder->max_path = decoder->movers[i].n_arcs;
    const size_t n_nodes = decoder->n_movers * decoder->max_path;
    if (n_nodes >= DECODE_NONE)
        return false;
    decoder->nodes = calloc(n_nodes + 1, sizeof(*decoder->nodes));
    return decoder->nodes != NULL;
}

static bool binds_in_time(const struct problem_rule *rule) {
    return rule->type == PROBLEM_SERIALIZE || rule->type == PROBLEM_PRECEDENCE ||
           ((rule->type == PROBLEM_SPREAD || rule->type == PROBLEM_LONELY) && rule->continuous);
}

/* A lonely rule binds all others too. */
static bool binds_mover(const struct decoder *decoder, const struct problem_rule *rule, size_t mover) {
    return binds_in_time(rule) &&
           (rule->type == PROBLEM_LONELY || vec_has(rule->vms, rule->n_vms, decoder->movers[mover].vm));
}

/* A gathering that must hold all the time can only move as one. */
static bool binds_starts(const struct problem_rule *rule) {
    return rule->type == PROBLEM_TOGETHER || (rule->type == PROBLEM_GATHER && rule->continuous);
}

/* The rules of each mover, by counting and then filling. */
static bool add_rules(struct decoder *decoder) {
    const struct problem *problem = decoder->problem;
    size_t n_entries = 0;
    for (size_t i = 0; i < problem->n_rules; i++)
        if (binds_in_time(&problem->rules[i]))
            n_entries += problem->rules[i].type == PROBLEM_LONELY ? decoder->n_movers : problem->rules[i].n_vms;
    decoder->rule_list = calloc(n_entries + 1, sizeof(*decoder->rule_list));
    if (decoder->rule_list == NULL)
        return false;
    size_t *binding = calloc(problem->n_rules + 1, sizeof(*binding));
    size_t n_binding = 0;
    if (binding == NULL)
        return false;
    for (size_t i = 0; i < problem->n_rules; i++)
        if (binds_in_time(&problem->rules[i]))
            binding[n_binding++] = i;
    size_t n = 0;
    for (size_t mover = 0; mover < decoder->n_movers; mover++) {
        decoder->rule_begin[mover] = n;
        for (size_t k = 0; k < n_binding; k++)
            if (binds_mover(decoder, &problem->rules[binding[k]], mover))
                decoder->rule_list[n++] = binding[k];
    }
    decoder->rule_begin[decoder->n_movers] = n;
    free(binding);
    return true;
}

/* Gives both movers' groups the lower number of the two. */
static void join(struct decoder *decoder, size_t a, size_t b) {
    const size_t from =
        decoder->movers[a].group > decoder->movers[b].group ? decoder->movers[a].group : decoder->movers[b].group;
    const size_t into = decoder->movers[a].group + decoder->movers[b].group - from;
    for (size_t i = 0; i < decoder->n_movers; i++)
        if (decoder->movers[i].group == from)
            decoder->movers[i].group = into;
}

static void add_groups(struct decoder *decoder) {
    const struct problem *problem = decoder->problem;
    for (size_t i = 0; i < decoder->n_movers; i++)
        decoder->movers[i].group = i;
    for (size_t i = 0; i < problem->n_rules; i++) {
        const struct problem_rule *rule = &problem->rules[i];
        size_t first = SIZE_MAX;
        for (size_t k = 0; binds_starts(rule) && k < rule->n_vms; k++) {
            const size_t mover = decoder->mover_of[rule->vms[k]];
            if (mover != SIZE_MAX && first != SIZE_MAX)
                join(decoder, first, mover);
            else if (mover != SIZE_MAX)
                first = mover;
        }
    }
    for (size_t i = 0; i < decoder->n_movers; i++)
        decoder->group_begin[decoder->movers[i].group + 2]++;
    for (size_t i = 0; i < decoder->n_movers; i++)
        decoder->group_begin[i + 1] += decoder->group_begin[i];
    for (size_t i = 0; i < decoder->n_movers; i++)
        decoder->group_list[decoder->group_begin[decoder->movers[i].group + 1]++] = i;
    for (size_t i = 0; i < decoder->n_movers; i++) {
        const size_t group = decoder->movers[i].group;
        if (decoder->group_begin[group + 1] - decoder->group_begin[group] == 1)
            decoder->movers[i].group = SIZE_MAX;
    }
}

enum dc_status decoder_new(const struct problem *problem, const long *to, enum problem_quantile quantile,
                           struct decoder **decoder_out, struct dc_error *err) {
    *decoder_out = NULL;
    size_t n_movers = 0;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        n_movers += is_mover(problem, to, vm);
    struct decoder *decoder = calloc(1, sizeof(*decoder));
    if (decoder == NULL)
        return error_set_nomem(err);
    decoder->problem = problem;
    decoder->quantile = quantile;
    decoder->clock_end_s = INFINITY;
    if (!allocate(decoder, n_movers)) {
        decoder_free(&decoder);
        return error_set_nomem(err);
    }
    add_movers(decoder, to);
    if (!add_nodes(decoder) || !add_rules(decoder)) {
        decoder_free(&decoder);
        return error_set_nomem(err);
    }
    add_groups(decoder);
    *decoder_out = decoder;
    return DC_OK;
}

void decoder_free(struct decoder **decoder) {
    struct decoder *self = *decoder;
    if (self == NULL)
        return;
    free(self->movers);
    free(self->mover_of);
    free(self->arcs);
    free(self->hosts);
    free(self->nodes);
    free(self->rule_begin);
    free(self->rule_list);
    free(self->group_begin);
    free(self->group_list);
    free(self->waiting);
    free(self->in_flight);
    free(self->sharing);
    free(self->pins);
    free(self->log);
    free(self);
    *decoder = NULL;
}
