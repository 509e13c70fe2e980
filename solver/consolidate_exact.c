/*
 * Branch and bound: items one after the other, largest first, each at home or on
 * any host that has room. Cut where what is decided already costs as much as the best.
 *
 * The undecided items hold room at home meanwhile, so a branch takes them all off first.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/consolidate_state.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_ITEMS = 12, MAX_CELLS = 96 };

static const size_t max_nodes = 400000;

struct branching {
    struct consolidate_state *state;
    size_t n;
    size_t item[MAX_ITEMS]; /* largest memory first */
    size_t host[MAX_ITEMS];
    size_t *n_there;    /* per host: fixed items, and those decided */
    double *free_bytes; /* per host, after those */
    double *free_cores;
    size_t n_nodes;
    bool stopped;
};

static struct packing_item *item_at(const struct branching *branching, size_t depth) {
    return &branching->state->packing.items[branching->item[depth]];
}

static bool is_host_on(const struct branching *branching, size_t host) {
    const struct consolidate_host *it = &branching->state->options->hosts[host];
    return branching->n_there[host] > 0 || (it->is_on && !it->may_change);
}

/* What the decided items cost at least. */
static struct consolidate_score bound_of(const struct branching *branching, size_t depth) {
    const struct consolidate_options *options = branching->state->options;
    const struct problem *problem = branching->state->packing.problem;
    struct consolidate_score bound = {0};
    size_t n_kept = 0, n_changeable = 0;
    double joules = 0;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        const struct consolidate_host *it = &options->hosts[host];
        const bool on = is_host_on(branching, host);
        n_changeable += it->is_on && it->may_change;
        n_kept += on && it->is_on && it->may_change;
        bound.primary += on;
        joules += on ? it->idle_watts * options->horizon_s : 0;
        joules += on && !it->is_on ? it->change_joules : 0;
    }
    for (size_t i = 0; i < depth; i++) {
        const struct packing_item *item = item_at(branching, i);
        const bool moved = branching->host[i] != item->home;
        bound.bytes += moved ? item->memory_bytes : 0;
        joules += moved ? options->joules_per_byte * item->memory_bytes + options->joules_per_vm * (double)item->n : 0;
        joules += options->hosts[branching->host[i]].watts_per_core * item->cpu_cores * options->horizon_s;
    }
    if (options->objective == CONSOLIDATE_POWER_OFF)
        bound.primary = fmax(0, (double)options->n_off - (double)(n_changeable - n_kept));
    if (options->objective == CONSOLIDATE_ENERGY)
        bound.primary = joules;
    return bound;
}

/* A rule's VMs among the fixed and decided items. */
static bool rules_allow(const struct branching *branching, size_t depth, size_t host) {
    const struct packing *packing = &branching->state->packing;
    for (size_t s = 0; s < packing->n_spreads; s++) {
        unsigned n = packing->in_spread[s * packing->n_items + branching->item[depth]];
        if (n == 0)
            continue;
        for (size_t i = 0; i < packing->n_items; i++)
            n += packing->items[i].fixed && packing->items[i].host == host
                     ? packing->in_spread[s * packing->n_items + i]
                     : 0U;
        for (size_t i = 0; i < depth; i++)
            n += branching->host[i] == host ? packing->in_spread[s * packing->n_items + branching->item[i]] : 0U;
        if (n > 1)
            return false;
    }
    return true;
}

static bool may_go(const struct branching *branching, size_t depth, size_t host) {
    const struct packing *packing = &branching->state->packing;
    const struct packing_item *item = item_at(branching, depth);
    if (branching->free_bytes[host] + 0.5 < item->memory_bytes || branching->free_cores[host] + 1e-6 < item->cpu_cores)
        return false;
    for (size_t k = 0; host != item->home && k < item->n; k++)
        if (packing->problem->allowed[packing->item_vms[item->begin + k] * packing->problem->n_hosts + host] == 0)
            return false;
    return rules_allow(branching, depth, host);
}

static void finish(struct branching *branching) {
    struct consolidate_state *state = branching->state;
    for (size_t i = 0; i < branching->n; i++)
        if (item_at(branching, i)->host != branching->host[i] &&
            !packing_move(&state->packing, branching->item[i], branching->host[i]))
            state->out_of_memory = true;
    consolidate_keep(state);
    packing_undo(&state->packing, 0);
}

static void branch(struct branching *branching, size_t depth) {
    const struct consolidate_score bound = bound_of(branching, depth);
    if (!consolidate_is_better(&bound, &branching->state->best))
        return;
    if (depth == branching->n) {
        finish(branching);
        return;
    }
    const struct packing_item *item = item_at(branching, depth);
    const size_t n_hosts = branching->state->packing.problem->n_hosts;
    for (size_t i = 0; i <= n_hosts && !branching->stopped; i++) {
        const size_t host = i == 0 ? item->home : i - 1; /* home first */
        if ((i > 0 && host == item->home) || !may_go(branching, depth, host))
            continue;
        if (++branching->n_nodes > max_nodes) {
            branching->stopped = true;
            return;
        }
        branching->host[depth] = host;
        branching->n_there[host]++;
        branching->free_bytes[host] -= item->memory_bytes;
        branching->free_cores[host] -= item->cpu_cores;
        branch(branching, depth + 1);
        branching->n_there[host]--;
        branching->free_bytes[host] += item->memory_bytes;
        branching->free_cores[host] += item->cpu_cores;
    }
}

static int compare_sizes(const void *left, const void *right, void *context) {
    const struct packing_item *items = context;
    const size_t a = *(const size_t *)left, b = *(const size_t *)right;
    if (items[a].memory_bytes != items[b].memory_bytes)
        return items[a].memory_bytes > items[b].memory_bytes ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* Few items, and nothing broken before the plan: what stays must fit as what moves does. */
static bool is_suitable(const struct packing *packing, size_t n_movable) {
    const struct problem *problem = packing->problem;
    if (n_movable > MAX_ITEMS || n_movable * problem->n_hosts > MAX_CELLS)
        return false;
    for (size_t host = 0; host < problem->n_hosts; host++)
        if (packing->free_bytes[host] < 0 || packing->free_cores[host] < 0)
            return false;
    for (size_t i = 0; i < packing->n_spreads * problem->n_hosts; i++)
        if (packing->spread_count[i] > 1)
            return false;
    return true;
}

static void start(struct branching *branching) {
    struct packing *packing = &branching->state->packing;
    for (size_t host = 0; host < packing->problem->n_hosts; host++) {
        branching->free_bytes[host] = packing->free_bytes[host];
        branching->free_cores[host] = packing->free_cores[host];
    }
    for (size_t i = 0; i < packing->n_items; i++) {
        const struct packing_item *item = &packing->items[i];
        if (item->fixed) {
            branching->n_there[item->host] += branching->state->options->hosts[item->host].is_on;
            continue;
        }
        branching->item[branching->n++] = i;
        branching->free_bytes[item->home] += item->memory_bytes;
        branching->free_cores[item->home] += item->cpu_cores;
    }
    qsort_r(branching->item, branching->n, sizeof(branching->item[0]), compare_sizes, packing->items);
    branch(branching, 0);
}

bool consolidate_exact(struct consolidate_state *state) {
    const size_t n_hosts = state->packing.problem->n_hosts;
    size_t n_movable = 0;
    packing_undo(&state->packing, 0);
    for (size_t i = 0; i < state->packing.n_items; i++)
        n_movable += !state->packing.items[i].fixed;
    if (!is_suitable(&state->packing, n_movable))
        return false;
    struct branching branching = {.state = state};
    branching.n_there = calloc(n_hosts + 1, sizeof(*branching.n_there));
    branching.free_bytes = calloc(n_hosts + 1, sizeof(*branching.free_bytes));
    branching.free_cores = calloc(n_hosts + 1, sizeof(*branching.free_cores));
    if (branching.n_there != NULL && branching.free_bytes != NULL && branching.free_cores != NULL)
        start(&branching);
    else
        state->out_of_memory = true;
    free(branching.n_there);
    free(branching.free_bytes);
    free(branching.free_cores);
    return !branching.stopped && !state->out_of_memory;
}
