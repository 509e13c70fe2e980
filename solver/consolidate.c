/*
 * Emptying hosts in an order: each host's VMs go, largest first, to the fullest
 * hosts that are on and have room; a host that cannot be emptied keeps all its VMs.
 * The order is by what is to move, shaken from the second pass on. Counted, never timed.
 *
 * The least number of hosts on: those that must stay on, and of the others the
 * largest until memory and cores are enough.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/consolidate.h"

#include "solver/consolidate_state.h"

#include <math.h>
#include <stdlib.h>

enum { N_PASSES = 24, N_BOOTS = 8 };

static const size_t most_looks = 30000000; /* about a second */

struct attempt {
    struct consolidate_state *state;
    size_t n_order;
    size_t *order; /* hosts that may be switched off */
    double *key;   /* per host */
    size_t *items; /* scratch: those of a host */
    uint64_t random;
};

void consolidate_result_dispose(struct consolidate_result *result) {
    free(result->to);
    free(result->off);
    free(result->booted);
    *result = (struct consolidate_result){0};
}

bool consolidate_is_used(const struct consolidate_state *state, size_t host) {
    const struct consolidate_host *it = &state->options->hosts[host];
    return state->packing.n_on[host] > state->n_base[host] || (it->is_on && !it->may_change);
}

bool consolidate_is_on(const struct consolidate_state *state, size_t host) {
    return state->opened[host] || consolidate_is_used(state, host);
}

static double joules_of(const struct consolidate_state *state) {
    const struct consolidate_options *options = state->options;
    const struct packing *packing = &state->packing;
    double joules = options->joules_per_byte * packing->moved_bytes + options->joules_per_vm * (double)packing->n_moved;
    for (size_t host = 0; host < packing->problem->n_hosts; host++) {
        const struct consolidate_host *it = &options->hosts[host];
        const bool on = consolidate_is_used(state, host);
        joules += on ? it->idle_watts * options->horizon_s : 0;
        joules += on != it->is_on ? it->change_joules : 0;
    }
    for (size_t i = 0; i < packing->n_items; i++) {
        const struct packing_item *item = &packing->items[i];
        if (!item->fixed)
            joules += options->hosts[item->host].watts_per_core * item->cpu_cores * options->horizon_s;
    }
    return joules;
}

struct consolidate_score consolidate_score(const struct consolidate_state *state) {
    const struct consolidate_options *options = state->options;
    struct consolidate_score score = {.bytes = state->packing.moved_bytes};
    size_t n_off = 0;
    for (size_t host = 0; host < state->packing.problem->n_hosts; host++) {
        const struct consolidate_host *it = &options->hosts[host];
        const bool on = consolidate_is_used(state, host);
        score.primary += on;
        n_off += it->is_on && !on;
    }
    if (options->objective == CONSOLIDATE_POWER_OFF)
        score.primary = n_off < options->n_off ? (double)(options->n_off - n_off) : 0;
    if (options->objective == CONSOLIDATE_ENERGY)
        score.primary = joules_of(state);
    return score;
}

bool consolidate_is_better(const struct consolidate_score *a, const struct consolidate_score *b) {
    const double slack = 1e-9 * fmax(fabs(a->primary), fabs(b->primary));
    if (fabs(a->primary - b->primary) > slack)
        return a->primary < b->primary;
    return a->bytes < b->bytes;
}

void consolidate_keep(struct consolidate_state *state) {
    const struct consolidate_score score = consolidate_score(state);
    if (!consolidate_is_better(&score, &state->best))
        return;
    state->best = score;
    for (size_t i = 0; i < state->packing.n_items; i++)
        state->best_host[i] = state->packing.items[i].host;
}

void consolidate_restore(struct consolidate_state *state) {
    packing_undo(&state->packing, 0);
    for (size_t i = 0; i < state->packing.n_items; i++)
        if (state->best_host[i] != state->packing.items[i].host &&
            !packing_move(&state->packing, i, state->best_host[i]))
            state->out_of_memory = true;
}

static bool move(struct consolidate_state *state, size_t item, size_t host) {
    if (packing_move(&state->packing, item, host))
        return true;
    state->out_of_memory = true;
    return false;
}

/* The fullest host that is on and has room for the item; home before others; or PACKING_NONE. */
static long best_fit(struct consolidate_state *state, size_t item, size_t but) {
    struct packing *packing = &state->packing;
    const size_t home = packing->items[item].home;
    long best = PACKING_NONE;
    if (home != but && consolidate_is_on(state, home) && packing_fits(packing, item, home))
        return (long)home;
    for (size_t host = 0; host < packing->problem->n_hosts; host++) {
        if (host == but || !consolidate_is_on(state, host) ||
            (best != PACKING_NONE && packing->free_bytes[host] >= packing->free_bytes[best]) ||
            !packing_fits(packing, item, host))
            continue;
        best = (long)host;
    }
    return best;
}

/* Pushes a smaller item of `host` on, so that `item` fits there. */
static bool make_room(struct consolidate_state *state, size_t item, size_t host, size_t but) {
    struct packing *packing = &state->packing;
    const double lacking_bytes = packing->items[item].memory_bytes - packing->free_bytes[host];
    for (long other = packing->first[host]; other != PACKING_NONE; other = packing->items[other].next) {
        const struct packing_item *it = &packing->items[other];
        if (it->fixed || it->memory_bytes >= packing->items[item].memory_bytes || it->memory_bytes < lacking_bytes)
            continue;
        const size_t n_log = packing->n_log;
        const long to = best_fit(state, (size_t)other, but);
        if (to == PACKING_NONE || to == (long)host || !move(state, (size_t)other, (size_t)to))
            continue;
        if (packing_fits(packing, item, host) && move(state, item, host))
            return true;
        packing_undo(packing, n_log);
        return false; /* the list has changed its order */
    }
    return false;
}

static bool push_in(struct consolidate_state *state, size_t item, size_t but) {
    for (size_t host = 0; host < state->packing.problem->n_hosts && state->packing.n_looks < most_looks; host++)
        if (host != but && consolidate_is_used(state, host) && make_room(state, item, host, but))
            return true;
    return false;
}

static int compare_items(const void *left, const void *right, void *context) {
    const struct packing_item *items = context;
    const size_t a = *(const size_t *)left, b = *(const size_t *)right;
    if (items[a].memory_bytes != items[b].memory_bytes)
        return items[a].memory_bytes > items[b].memory_bytes ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* All items off the host, or none of them. */
static bool empty_host(struct attempt *attempt, size_t host) {
    struct consolidate_state *state = attempt->state;
    struct packing *packing = &state->packing;
    const size_t n_log = packing->n_log;
    size_t n = 0;
    for (long item = packing->first[host]; item != PACKING_NONE; item = packing->items[item].next) {
        if (packing->items[item].fixed)
            return false;
        attempt->items[n++] = (size_t)item;
    }
    qsort_r(attempt->items, n, sizeof(*attempt->items), compare_items, packing->items);
    for (size_t i = 0; i < n; i++) {
        const long to = best_fit(state, attempt->items[i], host);
        if (to != PACKING_NONE ? move(state, attempt->items[i], (size_t)to) : push_in(state, attempt->items[i], host))
            continue;
        packing_undo(packing, n_log);
        return false;
    }
    return true;
}

static bool is_cancelled(const struct consolidate_state *state) {
    return state->out_of_memory || (state->options->cancel != NULL && atomic_load(state->options->cancel));
}

/* Empties what can be emptied and gains by it, in the attempt's order. */
static void empty_hosts(struct attempt *attempt) {
    struct consolidate_state *state = attempt->state;
    const struct consolidate_options *options = state->options;
    for (size_t i = 0; i < attempt->n_order && !is_cancelled(state); i++) {
        const size_t host = attempt->order[i];
        const struct consolidate_score before = consolidate_score(state);
        if (options->objective == CONSOLIDATE_POWER_OFF && before.primary <= 0)
            return;
        if (state->packing.n_on[host] == 0)
            continue;
        const size_t n_log = state->packing.n_log;
        if (state->packing.n_looks > most_looks || !empty_host(attempt, host))
            continue;
        const struct consolidate_score after = consolidate_score(state);
        if (!consolidate_is_better(&after, &before) && state->packing.n_on[host] == 0)
            packing_undo(&state->packing, n_log);
    }
}

static double next_uniform(uint64_t *random) {
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (double)(*random >> 40) / (double)(1u << 24);
}

static int compare_keys(const void *left, const void *right, void *context) {
    const double *key = context;
    const size_t a = *(const size_t *)left, b = *(const size_t *)right;
    if (key[a] != key[b])
        return key[a] < key[b] ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* By bytes to move; where energy counts, by bytes for a watt; shaken a little more each pass. */
static void set_order(struct attempt *attempt, unsigned pass) {
    const struct consolidate_state *state = attempt->state;
    const struct packing *packing = &state->packing;
    for (size_t i = 0; i < attempt->n_order; i++) {
        const size_t host = attempt->order[i];
        const double watts = state->options->hosts[host].idle_watts + 1;
        double bytes = 1;
        for (long item = packing->first[host]; item != PACKING_NONE; item = packing->items[item].next)
            bytes += packing->items[item].memory_bytes;
        attempt->key[host] = state->options->objective == CONSOLIDATE_ENERGY ? bytes / watts : bytes;
    }
    for (size_t i = 0; pass > 0 && i < packing->problem->n_hosts; i++) /* each host draws, in a fixed order */
        attempt->key[i] *= 1 + (double)pass / N_PASSES * (2 * next_uniform(&attempt->random) - 1);
    qsort_r(attempt->order, attempt->n_order, sizeof(*attempt->order), compare_keys, attempt->key);
}

/* Boots the largest hosts that are off as long as that pays. */
static void try_boots(struct attempt *attempt) {
    struct consolidate_state *state = attempt->state;
    const struct problem *problem = state->packing.problem;
    for (unsigned n = 0; n < N_BOOTS && !is_cancelled(state); n++) {
        size_t best = SIZE_MAX;
        for (size_t host = 0; host < problem->n_hosts; host++) {
            const struct consolidate_host *it = &state->options->hosts[host];
            if (!it->is_on && it->may_change && !state->opened[host] &&
                (best == SIZE_MAX || problem->hosts[host].memory_bytes > problem->hosts[best].memory_bytes))
                best = host;
        }
        if (best == SIZE_MAX)
            return;
        const struct consolidate_score before = state->best;
        state->opened[best] = true;
        consolidate_restore(state);
        set_order(attempt, 0);
        empty_hosts(attempt);
        consolidate_keep(state);
        if (!consolidate_is_better(&state->best, &before))
            return;
    }
}

static void search(struct attempt *attempt) {
    struct consolidate_state *state = attempt->state;
    for (unsigned pass = 0; pass < N_PASSES && !is_cancelled(state) && state->packing.n_looks < most_looks; pass++) {
        packing_undo(&state->packing, 0);
        set_order(attempt, pass);
        empty_hosts(attempt);
        consolidate_keep(state);
    }
    if (state->options->objective != CONSOLIDATE_POWER_OFF)
        try_boots(attempt);
}

/* How many of the largest of `amounts` it takes to cover `needed`. */
static size_t count_cover(double *amounts, size_t n, double needed) {
    size_t count = 0;
    while (needed > 0.5 && count < n) {
        size_t best = count;
        for (size_t i = count; i < n; i++)
            if (amounts[i] > amounts[best])
                best = i;
        const double kept = amounts[count];
        amounts[count] = amounts[best];
        amounts[best] = kept;
        needed -= amounts[count++];
    }
    return count;
}

static enum dc_status find_least_on(const struct consolidate_state *state, size_t *least_out, struct dc_error *err) {
    const struct problem *problem = state->packing.problem;
    double *amounts = calloc(problem->n_hosts + 1, sizeof(*amounts));
    if (amounts == NULL)
        return error_set_nomem(err);
    size_t n = 0, n_must = 0;
    double needed_bytes = 0;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        needed_bytes += problem->vms[vm].memory_bytes;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        const struct consolidate_host *it = &state->options->hosts[host];
        bool must = it->is_on && !it->may_change;
        double fixed_bytes = 0, all_bytes = 0;
        for (long i = state->packing.first[host]; i != PACKING_NONE; i = state->packing.items[i].next) {
            must = must || (it->is_on && state->packing.items[i].fixed);
            all_bytes += state->packing.items[i].memory_bytes;
            fixed_bytes += state->packing.items[i].fixed ? state->packing.items[i].memory_bytes : 0;
        }
        n_must += must;
        /* A host that is too full keeps at most what it has; one that is off what it has and no more is not on. */
        const double bytes = fmax(problem->hosts[host].memory_bytes, all_bytes);
        if (must)
            needed_bytes -= bytes;
        else if (it->may_change)
            amounts[n++] = bytes;
        needed_bytes -= !it->is_on ? fixed_bytes : 0;
    }
    *least_out = n_must + count_cover(amounts, n, needed_bytes);
    free(amounts);
    return DC_OK;
}

static enum dc_status write_result(struct consolidate_state *state, struct consolidate_result *result,
                                   struct dc_error *err) {
    const struct packing *packing = &state->packing;
    const struct problem *problem = packing->problem;
    result->to = calloc(problem->n_vms + 1, sizeof(*result->to));
    result->off = calloc(problem->n_hosts + 1, sizeof(*result->off));
    result->booted = calloc(problem->n_hosts + 1, sizeof(*result->booted));
    if (result->to == NULL || result->off == NULL || result->booted == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < packing->n_items; i++)
        for (size_t k = 0; k < packing->items[i].n; k++) {
            const size_t vm = packing->item_vms[packing->items[i].begin + k];
            result->to[vm] = packing->items[i].fixed ? problem->vms[vm].host : packing->items[i].host;
        }
    for (size_t host = 0; host < problem->n_hosts; host++) {
        const bool on = consolidate_is_used(state, host);
        result->off[host] = state->options->hosts[host].is_on && !on;
        result->booted[host] = !state->options->hosts[host].is_on && on;
        result->n_on += on;
        result->n_off += result->off[host];
    }
    return DC_OK;
}

static enum dc_status run(struct attempt *attempt, struct consolidate_result *result, struct dc_error *err) {
    struct consolidate_state *state = attempt->state;
    const struct consolidate_options *options = state->options;
    for (size_t host = 0; host < state->packing.problem->n_hosts; host++) {
        if (!options->hosts[host].is_on)
            state->n_base[host] = state->packing.n_on[host];
        else if (options->hosts[host].may_change)
            attempt->order[attempt->n_order++] = host;
    }
    enum dc_status rc = find_least_on(state, &result->least_on, err);
    if (rc != DC_OK)
        return rc;
    state->best = (struct consolidate_score){INFINITY, INFINITY};
    search(attempt);
    result->proved = consolidate_exact(state);
    consolidate_restore(state);
    if (state->out_of_memory)
        return error_set_nomem(err);
    rc = write_result(state, result, err);
    if (result->proved && options->objective == CONSOLIDATE_FEWEST)
        result->least_on = result->n_on;
    return rc;
}

enum dc_status consolidate(const struct problem *problem, const struct consolidate_options *options,
                           struct consolidate_result *result_out, struct dc_error *err) {
    struct consolidate_state state = {.options = options};
    struct attempt attempt = {.state = &state, .random = options->seed};
    *result_out = (struct consolidate_result){0};
    enum dc_status rc = packing_init(problem, &state.packing, err);
    if (rc != DC_OK)
        return rc;
    state.opened = calloc(problem->n_hosts + 1, sizeof(*state.opened));
    state.n_base = calloc(problem->n_hosts + 1, sizeof(*state.n_base));
    state.best_host = calloc(problem->n_vms + 1, sizeof(*state.best_host));
    attempt.order = calloc(problem->n_hosts + 1, sizeof(*attempt.order));
    attempt.key = calloc(problem->n_hosts + 1, sizeof(*attempt.key));
    attempt.items = calloc(problem->n_vms + 1, sizeof(*attempt.items));
    if (state.opened == NULL || state.n_base == NULL || state.best_host == NULL || attempt.order == NULL ||
        attempt.key == NULL || attempt.items == NULL)
        rc = error_set_nomem(err);
    else
        rc = run(&attempt, result_out, err);
    free(state.opened);
    free(state.n_base);
    free(state.best_host);
    free(attempt.order);
    free(attempt.key);
    free(attempt.items);
    packing_dispose(&state.packing);
    if (rc != DC_OK)
        consolidate_result_dispose(result_out);
    return rc;
}
