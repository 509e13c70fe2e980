/*
 * What the two ways to consolidate (emptying hosts in an order, branch and
 * bound) share: the packing and what a state of it is worth.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/consolidate.h"
#include "solver/packing.h"

/* Less is better, `primary` first. */
struct consolidate_score {
    double primary; /* hosts on; hosts still to be switched off; joules */
    double bytes;
};

struct consolidate_state {
    const struct consolidate_options *options;
    struct packing packing;
    size_t *n_base;    /* per host that is off: its items, all fixed; 0 for the others */
    bool *opened;      /* per host: on for this attempt though it is empty */
    size_t *best_host; /* per item */
    struct consolidate_score best;
    bool out_of_memory;
};

/* Is the host on, for its VMs or because it may not be switched off? */
bool consolidate_is_used(const struct consolidate_state *state, size_t host);

/* The same, or opened for this attempt. */
bool consolidate_is_on(const struct consolidate_state *state, size_t host);

struct consolidate_score consolidate_score(const struct consolidate_state *state);
bool consolidate_is_better(const struct consolidate_score *a, const struct consolidate_score *b);

/* Remembers the state if it is the best so far. */
void consolidate_keep(struct consolidate_state *state);

/* Puts the packing back to the best state. */
void consolidate_restore(struct consolidate_state *state);

/* Branch and bound over all items; true if it went through to the end (the best
 * is then the best there is). Only for few items. */
bool consolidate_exact(struct consolidate_state *state);
