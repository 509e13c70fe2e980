/*
 * A simulation by events: phases end, rates are divided anew, free slots are filled. It shares
 * nothing with the decoder but the cost points.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/rival.h"

#include "tests/bench/fair_share.h"

#include <math.h>
#include <stdlib.h>

const struct rival rivals[RIVALS] = {
    {"one at a time", 1, false, false},   [RIVAL_AT_ONCE] = {"all at once", 0, false, false},
    {"1 a host", 1, true, false},         {"1 a host, longest first", 1, true, true},
    {"2 a host", 2, true, false},         {"2 a host, longest first", 2, true, true},
    {"4 a host", 4, true, false},         {"4 a host, longest first", 4, true, true},
    {"8 a host", 8, true, false},         {"8 a host, longest first", 8, true, true},
    {"1, longest first", 1, false, true}, {"2", 2, false, false},
    {"2, longest first", 2, false, true}, {"4", 4, false, false},
    {"4, longest first", 4, false, true}, {"8", 8, false, false},
    {"8, longest first", 8, false, true},
};

static const double slack_s = 1e-9;
static const double same_frac = 1e-9;

enum phase { WAITING, SETUP, LIVE, STOPPED, HAND_OVER, DONE };

struct flow {
    size_t vm, from, to;
    const struct problem_cost *cost;
    double best_s; /* the whole migration's time alone on its path */
    enum phase phase;
    double rate;    /* bytes/s; 0 while it sends nothing */
    double left;    /* of the transfer, 1 .. 0 */
    double since_s; /* when `left` was true */
    double next_s;  /* when its phase ends at this rate */
    double stopped_s;
};

struct host_load {
    unsigned n_out, n_in_flight;
    double free_bytes;
};

struct race {
    const struct problem *problem;
    const struct rival *rival;
    struct rival_result *result;
    struct fair_share *shares;
    size_t n_flows, n_ended, n_in_flight, longest_path;
    double least_bytes_per_s; /* the lowest bandwidth that any cost is known for */
    struct flow *flows;       /* in the order in which they are started */
    struct host_load *hosts;
    double now_s;
    bool rates_stale;
};

static int compare_longest(const void *left, const void *right) {
    const struct flow *a = left, *b = right;
    if (a->best_s != b->best_s)
        return a->best_s > b->best_s ? -1 : 1;
    return a->vm < b->vm ? -1 : a->vm > b->vm;
}

static void add_flows(struct race *race, const size_t *to) {
    const struct problem *problem = race->problem;
    for (size_t host = 0; host < problem->n_hosts; host++)
        race->hosts[host].free_bytes = problem->hosts[host].memory_bytes;
    for (size_t i = 0; i < problem->n_vms; i++) {
        const struct problem_vm *vm = &problem->vms[i];
        race->hosts[vm->host].free_bytes -= vm->memory_bytes;
        if (!vm->moves || to[i] == vm->host)
            continue;
        const struct problem_cost *cost = &vm->cost[PROBLEM_P95];
        size_t n_arcs = 0;
        (void)problem_path(problem, vm->host, to[i], &n_arcs);
        if (n_arcs > race->longest_path)
            race->longest_path = n_arcs;
        if (cost->n_points > 0)
            race->least_bytes_per_s = fmin(race->least_bytes_per_s, cost->points[0].bandwidth_bytes_per_s);
        race->flows[race->n_flows++] = (struct flow){
            .vm = i,
            .from = vm->host,
            .to = to[i],
            .cost = cost,
            .best_s = problem_cost_duration_s(cost, problem_path_bandwidth(problem, i, vm->host, to[i])),
            .left = 1,
        };
    }
    if (race->rival->longest_first)
        qsort(race->flows, race->n_flows, sizeof(*race->flows), compare_longest);
}

static bool has_slot(const struct race *race, const struct flow *flow) {
    const struct rival *rival = race->rival;
    if (rival->n_slots == 0)
        return true;
    const unsigned cap_from = race->problem->hosts[flow->from].max_migrations;
    const unsigned cap_to = race->problem->hosts[flow->to].max_migrations;
    const size_t used = rival->per_host ? race->hosts[flow->from].n_out : race->n_in_flight;
    return used < rival->n_slots && (cap_from == 0 || race->hosts[flow->from].n_in_flight < cap_from) &&
           (cap_to == 0 || race->hosts[flow->to].n_in_flight < cap_to);
}

/* In order, past those whose memory does not fit yet. */
static void start_waiting(struct race *race) {
    for (size_t i = 0; i < race->n_flows; i++) {
        struct flow *flow = &race->flows[i];
        const double bytes = race->problem->vms[flow->vm].memory_bytes;
        if (flow->phase != WAITING || !has_slot(race, flow) || race->hosts[flow->to].free_bytes < bytes)
            continue;
        race->hosts[flow->to].free_bytes -= bytes;
        race->hosts[flow->to].n_in_flight++;
        race->hosts[flow->from].n_in_flight++;
        race->hosts[flow->from].n_out++;
        race->n_in_flight++;
        flow->phase = SETUP;
        flow->since_s = race->now_s;
        flow->next_s = race->now_s + flow->cost->pre_s;
    }
}

/* Seconds of a whole transfer at the rate, and of its stop-and-copy. Below its lowest point: the bytes of that point,
 * where the guest stands or the point is the lowest that was predicted at all; else it does not converge. */
static void whole_at(const struct race *race, const struct flow *flow, double rate, double *whole_s, double *stop_s) {
    const struct problem_cost_point *lowest = &flow->cost->points[0];
    const double lowest_rate = lowest->bandwidth_bytes_per_s;
    const bool holds = flow->phase == STOPPED || lowest_rate <= race->least_bytes_per_s * (1 + same_frac);
    struct problem_cost_point point;
    if (!problem_cost_at(flow->cost, rate, &point)) {
        point.live_s = holds ? lowest->live_s * lowest_rate / rate : INFINITY;
        point.stop_s = holds ? lowest->stop_s * lowest_rate / rate : 0;
    }
    *whole_s = point.live_s + point.stop_s;
    *stop_s = point.stop_s;
}

static void set_rate(struct race *race, struct flow *flow, double rate) {
    double whole_s = INFINITY, stop_s = 0;
    if (flow->rate > 0) {
        whole_at(race, flow, flow->rate, &whole_s, &stop_s);
        flow->left = fmax(0, flow->left - (race->now_s - flow->since_s) / whole_s);
    }
    flow->since_s = race->now_s;
    flow->rate = rate;
    whole_at(race, flow, rate, &whole_s, &stop_s);
    const double gone_s = race->now_s + (flow->left > 0 ? flow->left * whole_s : 0);
    flow->next_s = flow->phase == LIVE ? fmax(race->now_s, gone_s - stop_s) : gone_s;
}

static void finish(struct race *race, struct flow *flow) {
    const struct problem_vm *vm = &race->problem->vms[flow->vm];
    flow->phase = DONE;
    race->hosts[flow->from].free_bytes += vm->memory_bytes;
    race->hosts[flow->from].n_in_flight--;
    race->hosts[flow->from].n_out--;
    race->hosts[flow->to].n_in_flight--;
    race->n_in_flight--;
    race->n_ended++;
    race->result->n_broken += race->now_s - flow->stopped_s > vm->downtime_budget_s + slack_s;
    race->result->makespan_s = race->now_s;
}

static void next_phase(struct race *race, struct flow *flow) {
    size_t n_arcs = 0;
    const uint32_t *path = problem_path(race->problem, flow->from, flow->to, &n_arcs);
    switch (flow->phase) {
    case SETUP:
        flow->phase = LIVE;
        fair_share_enter(race->shares, (size_t)(flow - race->flows), path, n_arcs);
        race->rates_stale = true;
        flow->next_s = INFINITY; /* until it has a rate */
        return;
    case LIVE:
        flow->phase = STOPPED;
        flow->stopped_s = race->now_s;
        set_rate(race, flow, flow->rate);
        return;
    case STOPPED:
        flow->phase = HAND_OVER;
        flow->rate = 0;
        fair_share_leave(race->shares, (size_t)(flow - race->flows));
        race->rates_stale = true;
        flow->next_s = race->now_s + flow->cost->post_s;
        return;
    case HAND_OVER:
        finish(race, flow);
        return;
    case WAITING:
    case DONE:
        return;
    }
}

static bool is_in_flight(const struct flow *flow) {
    return flow->phase != WAITING && flow->phase != DONE;
}

static void divide(struct race *race) {
    fair_share_divide(race->shares);
    for (size_t i = 0; i < race->n_flows; i++) {
        struct flow *flow = &race->flows[i];
        if (flow->phase != LIVE && flow->phase != STOPPED)
            continue;
        const double rate = fair_share_rate(race->shares, i);
        if (rate != flow->rate)
            set_rate(race, flow, rate);
    }
    race->rates_stale = false;
}

static void run(struct race *race) {
    for (;;) {
        const size_t n_ended = race->n_ended;
        for (size_t i = 0; i < race->n_flows; i++)
            if (is_in_flight(&race->flows[i]) && race->flows[i].next_s <= race->now_s)
                next_phase(race, &race->flows[i]);
        if (race->now_s == 0 || race->n_ended > n_ended)
            start_waiting(race);
        if (race->rates_stale)
            divide(race);
        double next_s = INFINITY;
        for (size_t i = 0; i < race->n_flows; i++)
            if (is_in_flight(&race->flows[i]))
                next_s = fmin(next_s, race->flows[i].next_s);
        if (!isfinite(next_s))
            return; /* all have ended, or none of the others ever will */
        race->now_s = fmax(race->now_s, next_s);
    }
}

static void count_unfinished(struct race *race) {
    for (size_t i = 0; i < race->n_flows; i++) {
        if (race->flows[i].phase == DONE)
            continue;
        race->result->n_unfinished++;
        race->result->n_broken += isfinite(race->problem->vms[race->flows[i].vm].downtime_budget_s) ? 1 : 0;
        race->result->makespan_s = INFINITY;
    }
}

enum dc_status rival_run(const struct problem *problem, const size_t *to, const struct rival *rival,
                         struct rival_result *result_out, struct dc_error *err) {
    *result_out = (struct rival_result){0};
    struct race race = {.problem = problem, .rival = rival, .result = result_out, .least_bytes_per_s = INFINITY};
    race.flows = calloc(problem->n_vms + 1, sizeof(*race.flows));
    race.hosts = calloc(problem->n_hosts + 1, sizeof(*race.hosts));
    enum dc_status rc = DC_OK;
    if (race.flows == NULL || race.hosts == NULL) {
        rc = error_set_nomem(err);
        goto out;
    }
    add_flows(&race, to);
    rc = fair_share_new(problem, race.n_flows, race.longest_path, &race.shares, err);
    if (rc != DC_OK)
        goto out;
    run(&race);
    count_unfinished(&race);
out:
    fair_share_free(&race.shares);
    free(race.flows);
    free(race.hosts);
    return rc;
}
