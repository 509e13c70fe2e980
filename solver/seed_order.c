/* Each order is a sort by one figure per VM, largest first. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/seed_order.h"

#include <math.h>
#include <stdlib.h>

struct entry {
    size_t vm;
    double key, second, priority;
};

struct figures {
    double best;   /* bytes/s */
    double volume; /* bytes */
    double duration_s, downtime_s;
};

static struct figures figures_of(const struct problem *problem, enum problem_quantile quantile, size_t vm, long to) {
    const struct problem_cost *cost = &problem->vms[vm].cost[quantile];
    struct figures figures = {.best = problem_path_bandwidth(problem, vm, problem->vms[vm].host, (size_t)to)};
    struct problem_cost_point point = {0};
    (void)problem_cost_at(cost, figures.best, &point); /* zeros where there is nothing to send */
    figures.volume = figures.best * (point.live_s + point.stop_s);
    figures.duration_s = cost->pre_s + point.live_s + point.stop_s + cost->post_s;
    figures.downtime_s = point.stop_s + cost->post_s;
    return figures;
}

static int compare_entries(const void *left, const void *right) {
    const struct entry *a = left;
    const struct entry *b = right;
    if (a->key != b->key)
        return a->key > b->key ? -1 : 1;
    if (a->second != b->second)
        return a->second > b->second ? -1 : 1;
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    return a->vm < b->vm ? -1 : a->vm > b->vm;
}

/* Seconds that each arc is busy in all, on `busy_s[n_arcs]`. */
static void sum_arcs(const struct problem *problem, enum problem_quantile quantile, const long *to, size_t n,
                     const size_t *vms, double *busy_s) {
    for (size_t i = 0; i < n; i++) {
        size_t n_arcs = 0;
        const uint32_t *path = problem_path(problem, problem->vms[vms[i]].host, (size_t)to[vms[i]], &n_arcs);
        const double volume = figures_of(problem, quantile, vms[i], to[vms[i]]).volume;
        for (size_t k = 0; k < n_arcs; k++)
            busy_s[path[k]] += volume / problem->arcs[path[k]].capacity_bytes_per_s;
    }
}

static double busiest_arc(const struct problem *problem, size_t vm, long to, const double *busy_s) {
    size_t n_arcs = 0;
    const uint32_t *path = problem_path(problem, problem->vms[vm].host, (size_t)to, &n_arcs);
    double most = 0;
    for (size_t k = 0; k < n_arcs; k++)
        most = fmax(most, busy_s[path[k]]);
    return most;
}

static void set_key(struct entry *entry, enum seed_order_key key, const struct figures *figures, double busiest_s,
                    double free_bytes) {
    entry->second = figures->volume;
    switch (key) {
    case SEED_ORDER_LONGEST:
        entry->key = figures->duration_s;
        return;
    case SEED_ORDER_SHORTEST:
        entry->key = -figures->duration_s;
        return;
    case SEED_ORDER_BOTTLENECK:
        entry->key = busiest_s;
        return;
    case SEED_ORDER_ROOM:
        entry->key = -free_bytes;
        return;
    case SEED_ORDER_DOWNTIME:
        entry->key = figures->downtime_s;
        return;
    case SEED_ORDER_VOLUME:
    case SEED_ORDER_N_KEYS:
        break;
    }
    entry->key = figures->volume;
}

enum dc_status seed_order_sort(const struct problem *problem, enum problem_quantile quantile, const long *to,
                               enum seed_order_key key, size_t n, size_t *vms, struct dc_error *err) {
    struct entry *entries = calloc(n + 1, sizeof(*entries));
    double *busy_s = calloc(problem->n_arcs + 1, sizeof(*busy_s));
    double *free_bytes = calloc(problem->n_hosts + 1, sizeof(*free_bytes));
    enum dc_status rc = DC_OK;
    if (entries == NULL || busy_s == NULL || free_bytes == NULL) {
        rc = error_set_nomem(err);
        goto out;
    }
    sum_arcs(problem, quantile, to, n, vms, busy_s);
    problem_free_bytes(problem, free_bytes);
    for (size_t i = 0; i < n; i++) {
        const size_t vm = vms[i];
        const struct figures figures = figures_of(problem, quantile, vm, to[vm]);
        entries[i] = (struct entry){.vm = vm, .priority = problem->vms[vm].priority};
        set_key(&entries[i], key, &figures, busiest_arc(problem, vm, to[vm], busy_s),
                free_bytes[problem->vms[vm].host]);
    }
    qsort(entries, n, sizeof(*entries), compare_entries);
    for (size_t i = 0; i < n; i++)
        vms[i] = entries[i].vm;
out:
    free(entries);
    free(busy_s);
    free(free_bytes);
    return rc;
}
