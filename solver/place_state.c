/*
 * Building, changing and reading a placement's state. Bytes are whole numbers, so adding and
 * taking off leave no trace of rounding.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/place_state.h"

#include "base/vec.h"

#include <math.h>
#include <stdlib.h>

static const double cpu_tolerance_cores = 1e-6;

void place_state_dispose(struct place_state *state) {
    free(state->items);
    free(state->item_movers);
    free(state->free_bytes);
    free(state->free_cores);
    free(state->busy_s);
    free(state->spread_rules);
    free(state->spread_count);
    free(state->in_spread);
    free(state->lonely_rules);
    free(state->lonely_count[0]);
    free(state->lonely_count[1]);
    free(state->in_lonely);
    *state = (struct place_state){0};
}

static const struct problem_vm *mover_vm(const struct place_state *state, size_t mover) {
    return &state->problem->vms[state->candidates->vm[mover]];
}

/* Adds `sign` times the mover's volume to every arc on its path. */
static void load_arcs(struct place_state *state, size_t mover, size_t host, double sign) {
    const struct candidate *candidate = candidates_at(state->candidates, mover, host);
    if (candidate == NULL || candidate->volume_bytes <= 0)
        return;
    size_t n_arcs = 0;
    const uint32_t *arcs = problem_path(state->problem, mover_vm(state, mover)->host, host, &n_arcs);
    for (size_t i = 0; i < n_arcs; i++)
        state->busy_s[arcs[i]] += sign * candidate->volume_bytes / state->problem->arcs[arcs[i]].capacity_bytes_per_s;
}

static void count_rules(struct place_state *state, size_t mover, size_t host, bool add) {
    for (size_t s = 0; s < state->n_spreads; s++) {
        unsigned *count = &state->spread_count[s * state->problem->n_hosts + host];
        if (state->in_spread[s * state->candidates->n_movers + mover] != 0)
            *count = add ? *count + 1 : *count - 1;
    }
    for (size_t l = 0; l < state->n_lonelies; l++) {
        const unsigned side = state->in_lonely[l * state->candidates->n_movers + mover];
        unsigned *count = &state->lonely_count[side][l * state->problem->n_hosts + host];
        *count = add ? *count + 1 : *count - 1;
    }
}

void place_state_put(struct place_state *state, struct place_item *item, size_t host) {
    for (size_t i = item->begin; i < item->begin + item->n; i++) {
        load_arcs(state, state->item_movers[i], host, 1);
        count_rules(state, state->item_movers[i], host, true);
    }
    state->free_bytes[host] -= item->memory_bytes;
    state->free_cores[host] -= item->cpu_cores;
    item->host = (long)host;
}

void place_state_take(struct place_state *state, struct place_item *item) {
    size_t host = (size_t)item->host;
    for (size_t i = item->begin; i < item->begin + item->n; i++) {
        load_arcs(state, state->item_movers[i], host, -1);
        count_rules(state, state->item_movers[i], host, false);
    }
    state->free_bytes[host] += item->memory_bytes;
    state->free_cores[host] += item->cpu_cores;
    item->host = PROBLEM_ANY;
}

bool place_state_is_candidate(const struct place_state *state, const struct place_item *item, size_t host) {
    if (item->only_host != PROBLEM_ANY && (size_t)item->only_host != host)
        return false;
    for (size_t i = item->begin; i < item->begin + item->n; i++) {
        if (candidates_at(state->candidates, state->item_movers[i], host) == NULL)
            return false;
    }
    return true;
}

static bool spread_allows(const struct place_state *state, const struct place_item *item, size_t host) {
    for (size_t s = 0; s < state->n_spreads; s++) {
        unsigned n = 0;
        for (size_t i = item->begin; i < item->begin + item->n; i++)
            n += state->in_spread[s * state->candidates->n_movers + state->item_movers[i]];
        if (n > 0 && n + state->spread_count[s * state->problem->n_hosts + host] > 1)
            return false;
    }
    return true;
}

long place_state_lonely_against(const struct place_state *state, const struct place_item *item, size_t host) {
    for (size_t l = 0; l < state->n_lonelies; l++) {
        bool comes[2] = {false, false}; /* others, VMs of the rule */
        for (size_t i = item->begin; i < item->begin + item->n; i++)
            comes[state->in_lonely[l * state->candidates->n_movers + state->item_movers[i]]] = true;
        const size_t at = l * state->problem->n_hosts + host;
        if ((comes[0] && comes[1]) || (comes[0] && state->lonely_count[1][at] > 0) ||
            (comes[1] && state->lonely_count[0][at] > 0))
            return (long)state->lonely_rules[l];
    }
    return PROBLEM_ANY;
}

bool place_state_fits(const struct place_state *state, const struct place_item *item, size_t host, bool ignore_rules) {
    return item->memory_bytes <= state->free_bytes[host] &&
           item->cpu_cores <= state->free_cores[host] + cpu_tolerance_cores &&
           (ignore_rules ||
            (spread_allows(state, item, host) && place_state_lonely_against(state, item, host) == PROBLEM_ANY));
}

double place_state_item_busy_s(const struct place_state *state, const struct place_item *item) {
    double busy_s = 0;
    for (size_t i = item->begin; i < item->begin + item->n; i++) {
        size_t mover = state->item_movers[i], n_arcs = 0;
        const uint32_t *arcs = problem_path(state->problem, mover_vm(state, mover)->host, (size_t)item->host, &n_arcs);
        for (size_t k = 0; k < n_arcs; k++) {
            if (state->busy_s[arcs[k]] > busy_s && !candidates_is_common(state->candidates, mover, arcs[k]))
                busy_s = state->busy_s[arcs[k]];
        }
    }
    return busy_s;
}

double place_state_peak_s(const struct place_state *state, size_t *arc_out) {
    double peak_s = 0;
    for (size_t arc = 0; arc < state->problem->n_arcs; arc++) {
        if (state->busy_s[arc] <= peak_s)
            continue;
        peak_s = state->busy_s[arc];
        if (arc_out != NULL)
            *arc_out = arc;
    }
    return peak_s;
}

size_t place_state_n_unplaced(const struct place_state *state) {
    size_t n = 0;
    for (size_t i = 0; i < state->n_items; i++)
        n += state->items[i].host == PROBLEM_ANY;
    return n;
}

/* VMs that hold room whatever is decided here: those that stay, those whose
 * destination is given, and (strict) those that have yet to leave. */
static void take_room(struct place_state *state, const size_t *mover_of, const bool *fixed, const bool *pinned,
                      bool strict) {
    const struct problem *problem = state->problem;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        state->free_bytes[host] = problem->hosts[host].memory_bytes;
        state->free_cores[host] = problem->hosts[host].cpu_cores > 0 ? problem->hosts[host].cpu_cores : INFINITY;
    }
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        const struct problem_vm *it = &problem->vms[vm];
        size_t mover = mover_of[vm];
        bool stays = mover == SIZE_MAX || pinned[mover];
        if (stays || strict)
            state->free_bytes[it->host] -= it->memory_bytes;
        if (stays)
            state->free_cores[it->host] -= it->cpu_cores;
        if (stays || !fixed[mover])
            continue;
        state->free_bytes[it->to] -= it->memory_bytes;
        state->free_cores[it->to] -= it->cpu_cores;
        load_arcs(state, mover, (size_t)it->to, 1);
    }
}

static enum dc_status init_spreads(struct place_state *state, const size_t *mover_of, const bool *fixed,
                                   const bool *pinned, bool strict, struct dc_error *err) {
    const struct problem *problem = state->problem;
    size_t n_movers = state->candidates->n_movers;
    state->spread_rules = calloc(problem->n_rules + 1, sizeof *state->spread_rules);
    if (state->spread_rules == NULL)
        return error_set_nomem(err);
    for (size_t rule = 0; rule < problem->n_rules; rule++) {
        if (problem->rules[rule].type == PROBLEM_SPREAD)
            state->spread_rules[state->n_spreads++] = rule;
    }
    state->spread_count = calloc(state->n_spreads * problem->n_hosts + 1, sizeof *state->spread_count);
    state->in_spread = calloc(state->n_spreads * n_movers + 1, 1);
    if (state->spread_count == NULL || state->in_spread == NULL)
        return error_set_nomem(err);
    for (size_t s = 0; s < state->n_spreads; s++) {
        const struct problem_rule *rule = &problem->rules[state->spread_rules[s]];
        unsigned *count = &state->spread_count[s * problem->n_hosts];
        for (size_t i = 0; i < rule->n_vms; i++) {
            const struct problem_vm *vm = &problem->vms[rule->vms[i]];
            size_t mover = mover_of[rule->vms[i]];
            bool stays = mover == SIZE_MAX || pinned[mover];
            if (stays || (strict && rule->continuous))
                count[vm->host]++;
            if (!stays && fixed[mover])
                count[vm->to]++;
            if (mover != SIZE_MAX)
                state->in_spread[s * n_movers + mover] = 1;
        }
    }
    return DC_OK;
}

static bool allocate_lonelies(struct place_state *state) {
    const struct problem *problem = state->problem;
    state->lonely_rules = calloc(problem->n_rules + 1, sizeof *state->lonely_rules);
    if (state->lonely_rules == NULL)
        return false;
    for (size_t rule = 0; rule < problem->n_rules; rule++)
        if (problem->rules[rule].type == PROBLEM_LONELY)
            state->lonely_rules[state->n_lonelies++] = rule;
    for (int side = 0; side < 2; side++)
        state->lonely_count[side] = calloc(state->n_lonelies * problem->n_hosts + 1, sizeof(unsigned));
    state->in_lonely = calloc(state->n_lonelies * state->candidates->n_movers + 1, 1);
    return state->lonely_count[0] != NULL && state->lonely_count[1] != NULL && state->in_lonely != NULL;
}

static enum dc_status init_lonelies(struct place_state *state, const size_t *mover_of, const bool *fixed,
                                    const bool *pinned, bool strict, struct dc_error *err) {
    const struct problem *problem = state->problem;
    if (!allocate_lonelies(state))
        return error_set_nomem(err);
    for (size_t l = 0; l < state->n_lonelies; l++) {
        const struct problem_rule *rule = &problem->rules[state->lonely_rules[l]];
        for (size_t vm = 0; vm < problem->n_vms; vm++) {
            const bool member = vec_has(rule->vms, rule->n_vms, vm);
            const size_t mover = mover_of[vm];
            const bool stays = mover == SIZE_MAX || pinned[mover];
            unsigned *count = &state->lonely_count[member][l * problem->n_hosts];
            if (stays || (strict && rule->continuous))
                count[problem->vms[vm].host]++;
            if (!stays && fixed[mover])
                count[problem->vms[vm].to]++;
            if (mover != SIZE_MAX)
                state->in_lonely[l * state->candidates->n_movers + mover] = member;
        }
    }
    return DC_OK;
}

/* Makes one set of two; returns the lower of their numbers, which is that of its lowest mover. */
static size_t join(size_t *item_of, size_t n_movers, size_t a, size_t b) {
    const size_t into = a < b ? a : b, from = a < b ? b : a;
    for (size_t k = 0; k < n_movers; k++)
        item_of[k] = item_of[k] == from ? into : item_of[k];
    return into;
}

/* Joins movers that gather rules want on one host: item_of[] gets the lowest mover of each set. */
static void join_gathered(const struct place_state *state, const size_t *mover_of, const bool *fixed,
                          const bool *pinned, size_t *item_of) {
    const struct problem *problem = state->problem;
    for (size_t r = 0; r < problem->n_rules; r++) {
        const struct problem_rule *rule = &problem->rules[r];
        size_t first = SIZE_MAX;
        for (size_t i = 0; rule->type == PROBLEM_GATHER && i < rule->n_vms; i++) {
            const size_t mover = mover_of[rule->vms[i]];
            if (mover == SIZE_MAX || pinned[mover] || fixed[mover])
                continue;
            first =
                first == SIZE_MAX ? item_of[mover] : join(item_of, state->candidates->n_movers, first, item_of[mover]);
        }
    }
}

/* Where the rest of a joined set is, by its lowest mover: those of its rules that stay, or whose destination is given.
 */
static void find_only_hosts(const struct place_state *state, const size_t *mover_of, const bool *fixed,
                            const bool *pinned, const size_t *item_of, long *only_host) {
    const struct problem *problem = state->problem;
    for (size_t r = 0; r < problem->n_rules; r++) {
        const struct problem_rule *rule = &problem->rules[r];
        size_t set = SIZE_MAX;
        long where = PROBLEM_ANY;
        for (size_t i = 0; rule->type == PROBLEM_GATHER && i < rule->n_vms; i++) {
            const struct problem_vm *vm = &problem->vms[rule->vms[i]];
            const size_t mover = mover_of[rule->vms[i]];
            if (mover == SIZE_MAX || pinned[mover])
                where = (long)vm->host;
            else if (fixed[mover])
                where = vm->to;
            else
                set = item_of[mover];
        }
        if (set != SIZE_MAX && where != PROBLEM_ANY)
            only_host[set] = where;
    }
}

static int compare_items(const void *left, const void *right) {
    const struct place_item *a = left, *b = right;
    if (a->memory_bytes > b->memory_bytes || a->memory_bytes < b->memory_bytes)
        return a->memory_bytes > b->memory_bytes ? -1 : 1;
    return a->begin < b->begin ? -1 : a->begin > b->begin;
}

static enum dc_status init_items(struct place_state *state, const size_t *mover_of, const bool *fixed,
                                 const bool *pinned, struct dc_error *err) {
    size_t n_movers = state->candidates->n_movers, n = 0;
    size_t *item_of = calloc(n_movers + 1, sizeof *item_of);
    size_t *set_size = calloc(n_movers + 1, sizeof *set_size);
    long *only_host = calloc(n_movers + 1, sizeof *only_host);
    state->items = calloc(n_movers + 1, sizeof *state->items);
    state->item_movers = calloc(n_movers + 1, sizeof *state->item_movers);
    enum dc_status rc = DC_OK;
    if (item_of == NULL || set_size == NULL || only_host == NULL || state->items == NULL ||
        state->item_movers == NULL) {
        rc = error_set_nomem(err);
        goto out;
    }
    for (size_t mover = 0; mover < n_movers; mover++) {
        item_of[mover] = mover;
        only_host[mover] = PROBLEM_ANY;
    }
    join_gathered(state, mover_of, fixed, pinned, item_of);
    find_only_hosts(state, mover_of, fixed, pinned, item_of, only_host);
    for (size_t mover = 0; mover < n_movers; mover++)
        set_size[item_of[mover]]++;
    for (size_t first = 0; first < n_movers; first++) {
        if (item_of[first] != first || fixed[first] || pinned[first])
            continue;
        struct place_item item = {.begin = n, .only_host = only_host[first], .host = PROBLEM_ANY};
        for (size_t mover = first; mover < n_movers && n - item.begin < set_size[first]; mover++) {
            if (item_of[mover] != first)
                continue;
            state->item_movers[n++] = mover;
            item.memory_bytes += mover_vm(state, mover)->memory_bytes;
            item.cpu_cores += mover_vm(state, mover)->cpu_cores;
        }
        item.n = n - item.begin;
        state->items[state->n_items++] = item;
    }
    qsort(state->items, state->n_items, sizeof *state->items, compare_items);
out:
    free(item_of);
    free(set_size);
    free(only_host);
    return rc;
}

/* What every placement has in common: arcs all paths of a VM take, and the
 * longest single migration. */
static enum dc_status init_target(struct place_state *state, struct dc_error *err) {
    const struct candidates *candidates = state->candidates;
    double *busy_s = calloc(state->problem->n_arcs + 1, sizeof *busy_s);
    if (busy_s == NULL)
        return error_set_nomem(err);
    state->target_s = 1e-3;
    for (size_t mover = 0; mover < candidates->n_movers; mover++) {
        double volume_bytes = INFINITY, duration_s = INFINITY;
        for (size_t i = candidates->begin[mover]; i < candidates->begin[mover + 1]; i++) {
            volume_bytes = fmin(volume_bytes, candidates->items[i].volume_bytes);
            duration_s = fmin(duration_s, candidates->items[i].duration_s);
        }
        if (isfinite(duration_s))
            state->target_s = fmax(state->target_s, duration_s);
        for (size_t i = candidates->common_begin[mover]; i < candidates->common_begin[mover + 1]; i++) {
            uint32_t arc = candidates->common_arcs[i];
            busy_s[arc] += volume_bytes / state->problem->arcs[arc].capacity_bytes_per_s;
            state->target_s = fmax(state->target_s, busy_s[arc]);
        }
    }
    free(busy_s);
    return DC_OK;
}

enum dc_status place_state_init(struct place_state *state, const struct problem *problem,
                                const struct candidates *candidates, const bool *fixed, const bool *pinned, bool strict,
                                struct dc_error *err) {
    *state = (struct place_state){.problem = problem, .candidates = candidates};
    state->free_bytes = calloc(problem->n_hosts + 1, sizeof *state->free_bytes);
    state->free_cores = calloc(problem->n_hosts + 1, sizeof *state->free_cores);
    state->busy_s = calloc(problem->n_arcs + 1, sizeof *state->busy_s);
    size_t *mover_of = calloc(problem->n_vms + 1, sizeof *mover_of);
    enum dc_status rc = DC_OK;
    if (state->free_bytes == NULL || state->free_cores == NULL || state->busy_s == NULL || mover_of == NULL) {
        rc = error_set_nomem(err);
        goto out;
    }
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        mover_of[vm] = SIZE_MAX;
    for (size_t mover = 0; mover < candidates->n_movers; mover++)
        mover_of[candidates->vm[mover]] = mover;
    take_room(state, mover_of, fixed, pinned, strict);
    rc = init_spreads(state, mover_of, fixed, pinned, strict, err);
    if (rc == DC_OK)
        rc = init_lonelies(state, mover_of, fixed, pinned, strict, err);
    if (rc == DC_OK)
        rc = init_items(state, mover_of, fixed, pinned, err);
    if (rc == DC_OK)
        rc = init_target(state, err);
out:
    free(mover_of);
    if (rc != DC_OK)
        place_state_dispose(state);
    return rc;
}
