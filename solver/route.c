/*
 * Routes by breadth-first search from each source. All nodes of one level are
 * left before any of the next, so when a node is left its width (the best
 * narrowest arc over all shortest paths to it) is final.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/route.h"

#include "base/vec.h"

#include <math.h>
#include <stdlib.h>

static const uint32_t no_arc = UINT32_MAX;

struct search {
    size_t *out_begin; /* arcs by the node they leave, ascending in number */
    uint32_t *out_arcs;
    uint32_t *backplane; /* per node */
    size_t *level;       /* per node, SIZE_MAX where not reached */
    double *width;
    uint32_t *reached_by; /* the arc into it */
    size_t *queue;
};

struct route_store {
    uint32_t *arcs;
    size_t n_arcs, capacity;
};

static void search_dispose(struct search *search) {
    free(search->out_begin);
    free(search->out_arcs);
    free(search->backplane);
    free(search->level);
    free(search->width);
    free(search->reached_by);
    free(search->queue);
}

static bool search_init(struct search *search, const struct problem *problem) {
    const size_t n = problem->n_nodes;
    *search = (struct search){
        .out_begin = calloc(n + 2, sizeof(*search->out_begin)),
        .out_arcs = calloc(problem->n_arcs + 1, sizeof(*search->out_arcs)),
        .backplane = calloc(n, sizeof(*search->backplane)),
        .level = calloc(n, sizeof(*search->level)),
        .width = calloc(n, sizeof(*search->width)),
        .reached_by = calloc(n, sizeof(*search->reached_by)),
        .queue = calloc(n, sizeof(*search->queue)),
    };
    return search->out_begin != NULL && search->out_arcs != NULL && search->backplane != NULL &&
           search->level != NULL && search->width != NULL && search->reached_by != NULL && search->queue != NULL;
}

/* Sorts the arcs by the node they leave (counting sort); a node's narrowest loop is its backplane. */
static void index_arcs(struct search *search, const struct problem *problem) {
    for (size_t node = 0; node < problem->n_nodes; node++)
        search->backplane[node] = no_arc;
    for (uint32_t i = 0; i < problem->n_arcs; i++) {
        const struct problem_arc *arc = &problem->arcs[i];
        uint32_t *backplane = &search->backplane[arc->from_node];
        if (arc->from_node != arc->to_node)
            search->out_begin[arc->from_node + 2]++;
        else if (*backplane == no_arc || arc->capacity_bytes_per_s < problem->arcs[*backplane].capacity_bytes_per_s)
            *backplane = i;
    }
    for (size_t node = 0; node < problem->n_nodes; node++)
        search->out_begin[node + 2] += search->out_begin[node + 1];
    for (uint32_t i = 0; i < problem->n_arcs; i++)
        if (problem->arcs[i].from_node != problem->arcs[i].to_node)
            search->out_arcs[search->out_begin[problem->arcs[i].from_node + 1]++] = i;
}

static void leave_node(struct search *search, const struct problem *problem, size_t node, size_t *n_queued) {
    double width = search->width[node];
    if (search->backplane[node] != no_arc)
        width = fmin(width, problem->arcs[search->backplane[node]].capacity_bytes_per_s);
    for (size_t k = search->out_begin[node]; k < search->out_begin[node + 1]; k++) {
        const uint32_t arc = search->out_arcs[k];
        const size_t next = problem->arcs[arc].to_node;
        const double next_width = fmin(width, problem->arcs[arc].capacity_bytes_per_s);
        if (search->level[next] == SIZE_MAX) {
            search->level[next] = search->level[node] + 1;
            search->width[next] = -1;
            search->queue[(*n_queued)++] = next;
        }
        if (search->level[next] != search->level[node] + 1)
            continue;
        if (next_width > search->width[next] || (next_width == search->width[next] && arc < search->reached_by[next])) {
            search->width[next] = next_width;
            search->reached_by[next] = arc;
        }
    }
}

static void search_from(struct search *search, const struct problem *problem, size_t source) {
    for (size_t node = 0; node < problem->n_nodes; node++)
        search->level[node] = SIZE_MAX;
    search->level[source] = 0;
    search->width[source] = INFINITY;
    search->queue[0] = source;
    size_t n_queued = 1;
    for (size_t i = 0; i < n_queued; i++)
        if (search->queue[i] == source || search->queue[i] >= problem->n_hosts)
            leave_node(search, problem, search->queue[i], &n_queued);
}

/* Writes the path backwards behind the others, then turns it round. */
static bool store_path(const struct search *search, const struct problem *problem, size_t source, size_t to,
                       struct route_store *store) {
    if (to == source || search->level[to] == SIZE_MAX)
        return true;
    if (!vec_reserve((void **)&store->arcs, &store->capacity, store->n_arcs + 2 * search->level[to],
                     sizeof(*store->arcs)))
        return false;
    const size_t begin = store->n_arcs;
    for (size_t node = to; node != source;) {
        if (node != to && search->backplane[node] != no_arc)
            store->arcs[store->n_arcs++] = search->backplane[node];
        store->arcs[store->n_arcs++] = search->reached_by[node];
        node = problem->arcs[search->reached_by[node]].from_node;
    }
    for (size_t i = begin, k = store->n_arcs; i + 1 < k; i++) {
        const uint32_t arc = store->arcs[i];
        store->arcs[i] = store->arcs[--k];
        store->arcs[k] = arc;
    }
    return true;
}

/* Of the receiving hosts without a row, that with the most memory free; SIZE_MAX: none. */
static size_t find_park(const struct problem *problem, const double *free_bytes) {
    size_t best = SIZE_MAX;
    for (size_t host = 0; host < problem->n_hosts; host++)
        if (problem->hosts[host].receives && problem->route_row[host] == SIZE_MAX &&
            (best == SIZE_MAX || free_bytes[host] > free_bytes[best]))
            best = host;
    return best;
}

/* Memory can only be short in a circle where a host that VMs leave also receives. */
static bool may_need_parks(const struct problem *problem) {
    for (size_t host = 0; host < problem->n_hosts; host++)
        if (problem->hosts[host].receives && problem->route_row[host] != SIZE_MAX)
            return true;
    return false;
}

/* Numbers the rows; returns how many there are, SIZE_MAX without memory. */
static size_t number_rows(struct problem *problem) {
    double *free_bytes = calloc(problem->n_hosts + 1, sizeof(*free_bytes));
    size_t n_rows = 0;
    if (free_bytes == NULL)
        return SIZE_MAX;
    problem_free_bytes(problem, free_bytes);
    for (size_t host = 0; host < problem->n_hosts; host++)
        problem->route_row[host] = SIZE_MAX;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        size_t *row = &problem->route_row[problem->vms[vm].host];
        if (problem->vms[vm].moves && *row == SIZE_MAX)
            *row = n_rows++ * (problem->n_hosts + 1);
    }
    const size_t n_parks = may_need_parks(problem) ? PROBLEM_MAX_PARKS : 0;
    for (size_t park = 0; park < n_parks; park++) {
        const size_t host = find_park(problem, free_bytes);
        if (host == SIZE_MAX)
            break;
        problem->route_row[host] = n_rows++ * (problem->n_hosts + 1);
    }
    free(free_bytes);
    return n_rows;
}

enum dc_status route_fill(struct problem *problem, struct dc_error *err) {
    struct search search = {0};
    struct route_store store = {0};
    enum dc_status rc = DC_OK;
    free(problem->route_row);
    free(problem->route_begin);
    free(problem->route_arcs);
    problem->route_begin = NULL;
    problem->route_arcs = NULL;
    problem->route_row = calloc(problem->n_hosts, sizeof(*problem->route_row));
    if (problem->route_row == NULL || problem->n_arcs >= no_arc)
        return error_set_nomem(err);
    const size_t n_rows = number_rows(problem);
    if (n_rows != SIZE_MAX)
        problem->route_begin = calloc(n_rows * (problem->n_hosts + 1) + 1, sizeof(*problem->route_begin));
    if (problem->route_begin == NULL || !search_init(&search, problem)) {
        rc = error_set_nomem(err);
        goto out;
    }
    index_arcs(&search, problem);
    for (size_t source = 0; source < problem->n_hosts; source++) {
        if (problem->route_row[source] == SIZE_MAX)
            continue;
        search_from(&search, problem, source);
        size_t *row = &problem->route_begin[problem->route_row[source]];
        for (size_t to = 0; to < problem->n_hosts; to++) {
            row[to] = store.n_arcs;
            if (!store_path(&search, problem, source, to, &store)) {
                rc = error_set_nomem(err);
                goto out;
            }
        }
        row[problem->n_hosts] = store.n_arcs;
    }
out:
    problem->route_arcs = store.arcs;
    search_dispose(&search);
    return rc;
}
