/*
 * Reasons are looked for from the narrowest to the widest: a rule, the VM alone
 * on an allowed host, what the others left.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/place_explain.h"

#include "base/vec.h"

#include <math.h>
#include <stdlib.h>

bool place_explain_is_known(const struct solution *solution, size_t vm) {
    for (size_t i = 0; i < solution->n_conflicts; i++) {
        if (solution->conflicts[i].vm == (long)vm)
            return true;
    }
    return false;
}

/* The ban or fence that keeps `vm` off `host`, or PROBLEM_ANY. */
static long banning_rule(const struct problem *problem, size_t vm, size_t host) {
    for (size_t r = 0; r < problem->n_rules; r++) {
        const struct problem_rule *rule = &problem->rules[r];
        bool on_it = vec_has(rule->hosts, rule->n_hosts, host);
        if (!vec_has(rule->vms, rule->n_vms, vm))
            continue;
        if ((rule->type == PROBLEM_BAN && on_it) || (rule->type == PROBLEM_FENCE && !on_it))
            return (long)r;
    }
    for (size_t r = 0; r < problem->n_rules; r++) /* the group that was chosen lies elsewhere */
        if (problem->rules[r].type == PROBLEM_AMONG && vec_has(problem->rules[r].vms, problem->rules[r].n_vms, vm))
            return (long)r;
    return PROBLEM_ANY;
}

static bool is_wanted(const struct problem_vm *vm, size_t host) {
    return host != vm->host && (vm->to == PROBLEM_ANY || (size_t)vm->to == host);
}

enum dc_status place_explain_no_candidate(const struct problem *problem, size_t vm, struct solution *solution,
                                          struct dc_error *err) {
    const struct problem_vm *it = &problem->vms[vm];
    struct solution_conflict conflict = {CONFLICT_NO_HOST, (long)vm, it->to, PROBLEM_ANY, 0, 0, 0};
    double floor = problem_cost_floor(&it->cost[PROBLEM_P95], it->downtime_budget_s), widest = 0;
    long allowed_host = PROBLEM_ANY;
    if (isinf(floor) || place_explain_is_known(solution, vm))
        return DC_OK;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        if (!is_wanted(it, host))
            continue;
        if (problem->allowed[vm * problem->n_hosts + host] == 0) {
            long rule = problem->hosts[host].receives ? banning_rule(problem, vm, host) : PROBLEM_ANY;
            conflict.rule = rule == PROBLEM_ANY ? conflict.rule : rule;
            continue;
        }
        double bandwidth = problem_path_bandwidth(problem, vm, it->host, host);
        if (allowed_host == PROBLEM_ANY || bandwidth > widest)
            allowed_host = (long)host;
        widest = fmax(widest, bandwidth);
    }
    if (allowed_host == PROBLEM_ANY) {
        if (it->to != PROBLEM_ANY && conflict.rule != PROBLEM_ANY)
            conflict.kind = CONFLICT_RULE;
        return solution_add_conflict(solution, &conflict, err);
    }
    conflict.rule = PROBLEM_ANY;
    conflict.host = allowed_host;
    conflict.kind = widest > 0 ? CONFLICT_BANDWIDTH : CONFLICT_NO_PATH;
    conflict.needed = floor;
    conflict.available = widest;
    return solution_add_conflict(solution, &conflict, err);
}

/* What the item meets on the hosts it may go to. */
struct room {
    long memory_host, cpu_host;     /* where most is left of each; PROBLEM_ANY: nowhere to go */
    double memory_bytes, cpu_cores; /* left there; cores: of hosts with memory enough */
    long ruled_out_host;            /* has memory and CPU, but a rule about those who are there forbids it */
};

static struct room look_for_room(const struct place_state *state, const struct place_item *item) {
    struct room room = {PROBLEM_ANY, PROBLEM_ANY, -INFINITY, -INFINITY, PROBLEM_ANY};
    for (size_t host = 0; host < state->problem->n_hosts; host++) {
        if (!place_state_is_candidate(state, item, host))
            continue;
        if (state->free_bytes[host] > room.memory_bytes) {
            room.memory_bytes = state->free_bytes[host];
            room.memory_host = (long)host;
        }
        if (item->memory_bytes > state->free_bytes[host])
            continue;
        if (state->free_cores[host] > room.cpu_cores) {
            room.cpu_cores = state->free_cores[host];
            room.cpu_host = (long)host;
        }
        if (room.ruled_out_host == PROBLEM_ANY && place_state_fits(state, item, host, true))
            room.ruled_out_host = (long)host;
    }
    return room;
}

static long rule_against(const struct place_state *state, const struct place_item *item, size_t host) {
    long any = place_state_lonely_against(state, item, host);
    if (any != PROBLEM_ANY)
        return any;
    for (size_t s = 0; s < state->n_spreads; s++) {
        for (size_t i = item->begin; i < item->begin + item->n; i++) {
            if (state->in_spread[s * state->candidates->n_movers + state->item_movers[i]] == 0)
                continue;
            any = (long)state->spread_rules[s];
            if (state->spread_count[s * state->problem->n_hosts + host] > 0)
                return any;
        }
    }
    return any;
}

static long gather_rule(const struct problem *problem, size_t vm) {
    for (size_t r = 0; r < problem->n_rules; r++) {
        if (problem->rules[r].type == PROBLEM_GATHER && vec_has(problem->rules[r].vms, problem->rules[r].n_vms, vm))
            return (long)r;
    }
    return PROBLEM_ANY;
}

static struct solution_conflict explain_item(const struct place_state *state, const struct place_item *item) {
    struct room room = look_for_room(state, item);
    struct solution_conflict conflict = {CONFLICT_MEMORY, PROBLEM_ANY, PROBLEM_ANY, PROBLEM_ANY, 0, 0, 0};
    if (room.memory_host == PROBLEM_ANY) { /* each VM has candidates, but all of a gather rule have none in common */
        conflict.kind = CONFLICT_RULE;
        conflict.rule = gather_rule(state->problem, state->candidates->vm[state->item_movers[item->begin]]);
    } else if (room.ruled_out_host != PROBLEM_ANY) {
        conflict.kind = CONFLICT_RULE;
        conflict.host = room.ruled_out_host;
        conflict.rule = rule_against(state, item, (size_t)room.ruled_out_host);
    } else if (room.cpu_host != PROBLEM_ANY) {
        conflict.kind = CONFLICT_CPU;
        conflict.host = room.cpu_host;
        conflict.needed = item->cpu_cores;
        conflict.available = fmax(0, room.cpu_cores);
    } else {
        conflict.host = room.memory_host;
        conflict.needed = item->memory_bytes;
        conflict.available = fmax(0, room.memory_bytes);
    }
    return conflict;
}

/* Everybody's memory against that of all hosts that are anybody's candidate. */
static enum dc_status explain_together(const struct place_state *state, struct solution *solution,
                                       struct dc_error *err) {
    struct solution_conflict conflict = {CONFLICT_MEMORY, PROBLEM_ANY, PROBLEM_ANY, PROBLEM_ANY, 0, 0, 0};
    for (size_t i = 0; i < state->n_items; i++)
        conflict.needed += state->items[i].memory_bytes;
    for (size_t host = 0; host < state->problem->n_hosts; host++) {
        double there_bytes = 0;
        bool wanted = false;
        for (size_t i = 0; i < state->n_items; i++) {
            wanted = wanted || place_state_is_candidate(state, &state->items[i], host);
            there_bytes += state->items[i].host == (long)host ? state->items[i].memory_bytes : 0;
        }
        if (wanted)
            conflict.available += fmax(0, state->free_bytes[host] + there_bytes);
    }
    return conflict.needed > conflict.available ? solution_add_conflict(solution, &conflict, err) : DC_OK;
}

enum dc_status place_explain_unplaced(const struct place_state *state, struct solution *solution,
                                      struct dc_error *err) {
    enum dc_status rc = DC_OK;
    bool memory = false;
    for (size_t i = 0; rc == DC_OK && i < state->n_items; i++) {
        const struct place_item *item = &state->items[i];
        if (item->host != PROBLEM_ANY)
            continue;
        struct solution_conflict conflict = explain_item(state, item);
        memory = memory || conflict.kind == CONFLICT_MEMORY;
        for (size_t k = item->begin; rc == DC_OK && k < item->begin + item->n; k++) {
            conflict.vm = (long)state->candidates->vm[state->item_movers[k]];
            if (!place_explain_is_known(solution, (size_t)conflict.vm))
                rc = solution_add_conflict(solution, &conflict, err);
        }
    }
    return rc == DC_OK && memory ? explain_together(state, solution, err) : rc;
}
