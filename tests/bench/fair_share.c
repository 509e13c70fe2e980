/*
 * Progressive filling with a heap of arcs by what each has left for every flow that is still open. That only grows
 * while others are fixed, so a key in the heap may be too low and is looked at again when its turn comes.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/fair_share.h"

#include <math.h>
#include <stdlib.h>

struct sender {
    const uint32_t *path;
    size_t n_arcs;
    size_t position; /* in `sending` */
    bool is_fixed;
    double rate;
};

struct arc_share {
    double left;     /* of its capacity, for the open ones */
    size_t n_open;   /* flows on it that are not fixed yet */
    size_t begin, n; /* its flows, in `crossing` */
};

struct heap_entry {
    double share;
    size_t arc;
};

struct fair_share {
    const struct problem *problem;
    struct sender *senders;
    size_t n_sending, n_heap;
    size_t *sending;
    size_t *crossing;
    struct arc_share *arcs;
    struct heap_entry *heap;
};

enum dc_status fair_share_new(const struct problem *problem, size_t n_flows, size_t longest_path,
                              struct fair_share **shares_out, struct dc_error *err) {
    struct fair_share *shares = calloc(1, sizeof(*shares));
    *shares_out = shares;
    if (shares == NULL)
        return error_set_nomem(err);
    shares->problem = problem;
    shares->senders = calloc(n_flows + 1, sizeof(*shares->senders));
    shares->sending = calloc(n_flows + 1, sizeof(*shares->sending));
    shares->crossing = calloc(n_flows * longest_path + 1, sizeof(*shares->crossing));
    shares->arcs = calloc(problem->n_arcs + 1, sizeof(*shares->arcs));
    shares->heap = calloc(problem->n_arcs + 1, sizeof(*shares->heap));
    if (shares->senders == NULL || shares->sending == NULL || shares->crossing == NULL || shares->arcs == NULL ||
        shares->heap == NULL) {
        fair_share_free(shares_out);
        return error_set_nomem(err);
    }
    return DC_OK;
}

void fair_share_free(struct fair_share **shares) {
    if (*shares == NULL)
        return;
    free((*shares)->senders);
    free((*shares)->sending);
    free((*shares)->crossing);
    free((*shares)->arcs);
    free((*shares)->heap);
    free(*shares);
    *shares = NULL;
}

void fair_share_enter(struct fair_share *shares, size_t flow, const uint32_t *path, size_t n_arcs) {
    shares->senders[flow] = (struct sender){.path = path, .n_arcs = n_arcs, .position = shares->n_sending};
    shares->sending[shares->n_sending++] = flow;
}

void fair_share_leave(struct fair_share *shares, size_t flow) {
    const size_t position = shares->senders[flow].position;
    const size_t last = shares->sending[--shares->n_sending];
    shares->sending[position] = last;
    shares->senders[last].position = position;
}

static void sink(struct fair_share *shares, size_t at) {
    const struct heap_entry entry = shares->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= shares->n_heap)
            break;
        if (child + 1 < shares->n_heap && shares->heap[child + 1].share < shares->heap[child].share)
            child++;
        if (entry.share <= shares->heap[child].share)
            break;
        shares->heap[at] = shares->heap[child];
        at = child;
    }
    shares->heap[at] = entry;
}

/* Which flows cross which arc. */
static void list_crossing(struct fair_share *shares) {
    for (size_t arc = 0; arc < shares->problem->n_arcs; arc++)
        shares->arcs[arc] = (struct arc_share){.left = shares->problem->arcs[arc].capacity_bytes_per_s};
    for (size_t k = 0; k < shares->n_sending; k++) {
        struct sender *sender = &shares->senders[shares->sending[k]];
        sender->is_fixed = false;
        for (size_t i = 0; i < sender->n_arcs; i++)
            shares->arcs[sender->path[i]].n_open++;
    }
    size_t begin = 0;
    for (size_t arc = 0; arc < shares->problem->n_arcs; arc++) {
        shares->arcs[arc].begin = begin;
        begin += shares->arcs[arc].n_open;
    }
    for (size_t k = 0; k < shares->n_sending; k++) {
        const struct sender *sender = &shares->senders[shares->sending[k]];
        for (size_t i = 0; i < sender->n_arcs; i++) {
            struct arc_share *arc = &shares->arcs[sender->path[i]];
            shares->crossing[arc->begin + arc->n++] = shares->sending[k];
        }
    }
}

static void fix(struct fair_share *shares, struct sender *sender, double share) {
    sender->is_fixed = true;
    sender->rate = share;
    for (size_t i = 0; i < sender->n_arcs; i++) {
        struct arc_share *arc = &shares->arcs[sender->path[i]];
        arc->left = fmax(0, arc->left - share);
        arc->n_open--;
    }
}

void fair_share_divide(struct fair_share *shares) {
    list_crossing(shares);
    shares->n_heap = 0;
    for (size_t i = 0; i < shares->problem->n_arcs; i++) {
        const struct arc_share *arc = &shares->arcs[i];
        if (arc->n_open > 0)
            shares->heap[shares->n_heap++] = (struct heap_entry){arc->left / (double)arc->n_open, i};
    }
    for (size_t at = shares->n_heap / 2; at-- > 0;)
        sink(shares, at);
    while (shares->n_heap > 0) {
        const struct arc_share *arc = &shares->arcs[shares->heap[0].arc];
        const double share = arc->n_open > 0 ? arc->left / (double)arc->n_open : 0;
        if (arc->n_open > 0 && share > shares->heap[0].share) {
            shares->heap[0].share = share;
            sink(shares, 0);
            continue;
        }
        for (size_t i = 0; i < arc->n && arc->n_open > 0; i++) {
            struct sender *sender = &shares->senders[shares->crossing[arc->begin + i]];
            if (!sender->is_fixed)
                fix(shares, sender, share);
        }
        shares->heap[0] = shares->heap[--shares->n_heap];
        sink(shares, 0);
    }
}

double fair_share_rate(const struct fair_share *shares, size_t flow) {
    return shares->senders[flow].rate;
}
