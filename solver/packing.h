/*
 * Packing: which VM sits on which host, before any time is looked at; what the
 * choice of the VMs to move is made on.
 *
 * In:  a problem (it need not be frozen: hosts, VMs, rules and `allowed` are read) in which `moves`
 *      says which VMs may move. Out: a state that is changed one item at a time, and can be
 *      taken back to a mark.
 *
 * An item is a VM, or all VMs of a gather rule. Items of which some VM may not
 * move, or whose VMs are on several hosts, are fixed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

enum { PACKING_NONE = -1 };

struct packing_item {
    size_t begin, n; /* its VMs: packing.item_vms[begin ...] */
    double memory_bytes, cpu_cores;
    size_t home; /* where it is before the plan */
    size_t host;
    long next, before; /* others on the same host, or PACKING_NONE */
    bool fixed;
};

struct packing_move {
    size_t item, from;
};

struct packing {
    const struct problem *problem;
    size_t n_items;
    struct packing_item *items;
    size_t *item_vms;
    long *first;              /* per host: the first of its items, or PACKING_NONE */
    size_t *n_on;             /* per host: its items */
    double *free_bytes;       /* per host; below 0 where it is too full already */
    double *free_cores;       /* per host; INFINITY: not limited */
    size_t n_spreads;         /* of the problem's rules */
    size_t *spread_rule;      /* the problem's numbers */
    unsigned *spread_count;   /* [spread * n_hosts + host] */
    unsigned char *in_spread; /* [spread * n_items + item]: how many of its VMs */
    double moved_bytes;       /* of the items that are not at home */
    size_t n_moved;           /* VMs that are not at home */
    size_t n_log, log_capacity;
    struct packing_move *log; /* what was moved, in order */
    size_t n_looks;           /* calls of packing_fits(), the measure of work */
};

DC_WARN_UNUSED enum dc_status packing_init(const struct problem *problem, struct packing *packing_out,
                                           struct dc_error *err);
void packing_dispose(struct packing *packing);

/* Is there room for the item on `host`, another than its own, and no rule against it? At home only memory and
 * cores count. */
bool packing_fits(struct packing *packing, size_t item, size_t host);

/* False when out of memory. */
DC_WARN_UNUSED bool packing_move(struct packing *packing, size_t item, size_t host);

/* Undoes all moves since the log had `n_log` entries. */
void packing_undo(struct packing *packing, size_t n_log);
