/* Items by union of the gather rules; a host's items as a list. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/packing.h"

#include "base/vec.h"

#include <math.h>
#include <stdlib.h>

static const double slack_bytes = 0.5; /* memory is in whole bytes: less than one is rounding */
static const double slack_cores = 1e-6;

void packing_dispose(struct packing *packing) {
    free(packing->items);
    free(packing->item_vms);
    free(packing->first);
    free(packing->n_on);
    free(packing->free_bytes);
    free(packing->free_cores);
    free(packing->spread_rule);
    free(packing->spread_count);
    free(packing->in_spread);
    free(packing->log);
    *packing = (struct packing){0};
}

static bool allocate(struct packing *packing) {
    const struct problem *problem = packing->problem;
    packing->items = calloc(problem->n_vms + 1, sizeof(*packing->items));
    packing->item_vms = calloc(problem->n_vms + 1, sizeof(*packing->item_vms));
    packing->first = calloc(problem->n_hosts + 1, sizeof(*packing->first));
    packing->n_on = calloc(problem->n_hosts + 1, sizeof(*packing->n_on));
    packing->free_bytes = calloc(problem->n_hosts + 1, sizeof(*packing->free_bytes));
    packing->free_cores = calloc(problem->n_hosts + 1, sizeof(*packing->free_cores));
    packing->spread_rule = calloc(problem->n_rules + 1, sizeof(*packing->spread_rule));
    return packing->items != NULL && packing->item_vms != NULL && packing->first != NULL && packing->n_on != NULL &&
           packing->free_bytes != NULL && packing->free_cores != NULL && packing->spread_rule != NULL;
}

/* Gives each VM the lowest VM it is gathered with, directly or by others. */
static void find_leaders(const struct problem *problem, size_t *leader) {
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        leader[vm] = vm;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < problem->n_rules; i++) {
            const struct problem_rule *rule = &problem->rules[i];
            size_t least = SIZE_MAX;
            for (size_t k = 0; rule->type == PROBLEM_GATHER && k < rule->n_vms; k++)
                least = leader[rule->vms[k]] < least ? leader[rule->vms[k]] : least;
            for (size_t k = 0; rule->type == PROBLEM_GATHER && k < rule->n_vms; k++) {
                changed = changed || leader[rule->vms[k]] != least;
                leader[rule->vms[k]] = least;
            }
        }
    }
}

static void add_vm(struct packing *packing, struct packing_item *item, size_t vm) {
    const struct problem_vm *it = &packing->problem->vms[vm];
    if (item->n == 0)
        item->home = item->host = it->host;
    packing->item_vms[item->begin + item->n++] = vm;
    item->memory_bytes += it->memory_bytes;
    item->cpu_cores += it->cpu_cores;
    item->fixed = item->fixed || !it->moves || it->host != item->home;
}

/* Items in the order of their first VM. */
static void make_items(struct packing *packing, const size_t *leader, size_t *size_of) {
    const size_t n_vms = packing->problem->n_vms;
    size_t n_before = 0;
    for (size_t vm = 0; vm < n_vms; vm++)
        size_of[leader[vm]]++;
    for (size_t vm = 0; vm < n_vms; vm++) {
        if (leader[vm] != vm)
            continue;
        struct packing_item *item = &packing->items[packing->n_items++];
        item->begin = n_before;
        n_before += size_of[vm];
        for (size_t other = vm; item->n < size_of[vm]; other++)
            if (leader[other] == vm)
                add_vm(packing, item, other);
    }
}

static void link_item(struct packing *packing, size_t index) {
    struct packing_item *item = &packing->items[index];
    item->before = PACKING_NONE;
    item->next = packing->first[item->host];
    if (item->next != PACKING_NONE)
        packing->items[item->next].before = (long)index;
    packing->first[item->host] = (long)index;
    packing->n_on[item->host]++;
}

static void unlink_item(struct packing *packing, size_t index) {
    const struct packing_item *item = &packing->items[index];
    if (item->next != PACKING_NONE)
        packing->items[item->next].before = item->before;
    if (item->before != PACKING_NONE)
        packing->items[item->before].next = item->next;
    else
        packing->first[item->host] = item->next;
    packing->n_on[item->host]--;
}

/* A VM that is fixed by its gathering's lying apart counts where it is. */
static void fill_hosts(struct packing *packing) {
    const struct problem *problem = packing->problem;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        packing->first[host] = PACKING_NONE;
        packing->free_bytes[host] = problem->hosts[host].memory_bytes;
        packing->free_cores[host] = problem->hosts[host].cpu_cores > 0 ? problem->hosts[host].cpu_cores : INFINITY;
    }
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        packing->free_bytes[problem->vms[vm].host] -= problem->vms[vm].memory_bytes;
        packing->free_cores[problem->vms[vm].host] -= problem->vms[vm].cpu_cores;
    }
    for (size_t item = packing->n_items; item-- > 0;)
        link_item(packing, item);
}

static bool count_spreads(struct packing *packing, const size_t *item_of) {
    const struct problem *problem = packing->problem;
    for (size_t i = 0; i < problem->n_rules; i++)
        if (problem->rules[i].type == PROBLEM_SPREAD)
            packing->spread_rule[packing->n_spreads++] = i;
    packing->spread_count = calloc(packing->n_spreads * problem->n_hosts + 1, sizeof(*packing->spread_count));
    packing->in_spread = calloc(packing->n_spreads * packing->n_items + 1, 1);
    if (packing->spread_count == NULL || packing->in_spread == NULL)
        return false;
    for (size_t s = 0; s < packing->n_spreads; s++) {
        const struct problem_rule *rule = &problem->rules[packing->spread_rule[s]];
        for (size_t k = 0; k < rule->n_vms; k++) {
            packing->spread_count[s * problem->n_hosts + problem->vms[rule->vms[k]].host]++;
            unsigned char *n = &packing->in_spread[s * packing->n_items + item_of[rule->vms[k]]];
            *n = *n < 2 ? *n + 1 : 2; /* two never fit */
        }
    }
    return true;
}

enum dc_status packing_init(const struct problem *problem, struct packing *packing_out, struct dc_error *err) {
    *packing_out = (struct packing){.problem = problem};
    size_t *leader = calloc(problem->n_vms + 1, sizeof(*leader));
    size_t *scratch = calloc(problem->n_vms + 1, sizeof(*scratch));
    bool good = leader != NULL && scratch != NULL && allocate(packing_out);
    if (good) {
        find_leaders(problem, leader);
        make_items(packing_out, leader, scratch);
        fill_hosts(packing_out);
        for (size_t item = 0; item < packing_out->n_items; item++)
            for (size_t k = 0; k < packing_out->items[item].n; k++)
                scratch[packing_out->item_vms[packing_out->items[item].begin + k]] = item;
        good = count_spreads(packing_out, scratch);
    }
    free(leader);
    free(scratch);
    if (good)
        return DC_OK;
    packing_dispose(packing_out);
    return error_set_nomem(err);
}

static bool spreads_allow(const struct packing *packing, size_t item, size_t host) {
    for (size_t s = 0; s < packing->n_spreads; s++) {
        const unsigned own = packing->in_spread[s * packing->n_items + item];
        if (own > 0 && packing->spread_count[s * packing->problem->n_hosts + host] + own > 1)
            return false;
    }
    return true;
}

bool packing_fits(struct packing *packing, size_t item, size_t host) {
    const struct packing_item *it = &packing->items[item];
    const struct problem *problem = packing->problem;
    packing->n_looks++;
    if (host == it->host || packing->free_bytes[host] + slack_bytes < it->memory_bytes ||
        packing->free_cores[host] + slack_cores < it->cpu_cores)
        return false;
    if (host == it->home)
        return spreads_allow(packing, item, host);
    for (size_t k = 0; k < it->n; k++)
        if (problem->allowed[packing->item_vms[it->begin + k] * problem->n_hosts + host] == 0)
            return false;
    return spreads_allow(packing, item, host);
}

/* One move, not logged. */
static void relocate(struct packing *packing, size_t index, size_t host) {
    struct packing_item *item = &packing->items[index];
    const size_t n_hosts = packing->problem->n_hosts;
    const bool was_home = item->host == item->home;
    unlink_item(packing, index);
    packing->free_bytes[item->host] += item->memory_bytes;
    packing->free_cores[item->host] += item->cpu_cores;
    for (size_t s = 0; s < packing->n_spreads; s++) {
        const unsigned own = packing->in_spread[s * packing->n_items + index];
        packing->spread_count[s * n_hosts + item->host] -= own;
        packing->spread_count[s * n_hosts + host] += own;
    }
    item->host = host;
    packing->free_bytes[host] -= item->memory_bytes;
    packing->free_cores[host] -= item->cpu_cores;
    link_item(packing, index);
    const int change = (host != item->home) - !was_home;
    packing->moved_bytes += change * item->memory_bytes;
    packing->n_moved = change > 0   ? packing->n_moved + item->n
                       : change < 0 ? packing->n_moved - item->n
                                    : packing->n_moved;
}

bool packing_move(struct packing *packing, size_t item, size_t host) {
    if (!vec_reserve((void **)&packing->log, &packing->log_capacity, packing->n_log + 1, sizeof(*packing->log)))
        return false;
    packing->log[packing->n_log++] = (struct packing_move){item, packing->items[item].host};
    relocate(packing, item, host);
    return true;
}

void packing_undo(struct packing *packing, size_t n_log) {
    while (packing->n_log > n_log) {
        const struct packing_move *move = &packing->log[--packing->n_log];
        relocate(packing, move->item, move->from);
    }
}
