/*
 * The state of a placement under construction: which item sits where, what is
 * left of every host, how long every arc is busy.
 *
 * An item is one moving VM whose destination is open, or all such VMs of one
 * gather rule. Everything else (VMs that stay, destinations given) is in the state from the start.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/candidates.h"

struct place_item {
    size_t begin, n; /* its movers: place_state.item_movers[begin ...] */
    double memory_bytes, cpu_cores;
    long only_host; /* where others of its gather rule are, or PROBLEM_ANY */
    long host;      /* or PROBLEM_ANY */
};

struct place_state {
    const struct problem *problem;
    const struct candidates *candidates;
    size_t n_items;
    struct place_item *items; /* largest memory first */
    size_t *item_movers;
    double *free_bytes; /* per host */
    double *free_cores; /* per host; INFINITY: not limited */
    double *busy_s;     /* per arc: volume / capacity */
    size_t n_spreads;
    size_t *spread_rules;     /* the problem's numbers */
    unsigned *spread_count;   /* [spread * n_hosts + host] */
    unsigned char *in_spread; /* [spread * n_movers + mover] */
    size_t n_lonelies;
    size_t *lonely_rules;
    unsigned *lonely_count[2]; /* [lonely * n_hosts + host]: others, and VMs of the rule */
    unsigned char *in_lonely;  /* [lonely * n_movers + mover] */
    double target_s;           /* no placement has a busiest arc below it; > 0 */
};

/* Builds the state with no item placed. `fixed[mover]`: the destination is given and kept (it counts there);
 * `pinned[mover]`: stays where it is. `strict`: also VMs that will leave a host take room
 * there, so that no order can get stuck on memory. */
DC_WARN_UNUSED enum dc_status place_state_init(struct place_state *state, const struct problem *problem,
                                               const struct candidates *candidates, const bool *fixed,
                                               const bool *pinned, bool strict, struct dc_error *err);
void place_state_dispose(struct place_state *state);

/* Is there room, and no rule against it, on `host` for the item (not placed now)? `ignore_rules` looks at room only.
 */
bool place_state_fits(const struct place_state *state, const struct place_item *item, size_t host, bool ignore_rules);

/* The lonely rule that keeps the item off the host as it is now, or PROBLEM_ANY. */
long place_state_lonely_against(const struct place_state *state, const struct place_item *item, size_t host);

void place_state_put(struct place_state *state, struct place_item *item, size_t host);
void place_state_take(struct place_state *state, struct place_item *item);

/* May all of the item's VMs go to `host`, were it empty? */
bool place_state_is_candidate(const struct place_state *state, const struct place_item *item, size_t host);

/* The busiest arc of the item's paths to where it sits, in s; arcs that it takes wherever it goes are left out. */
double place_state_item_busy_s(const struct place_state *state, const struct place_item *item);

/* The busiest of all arcs, in s; its number in *arc_out (NULL: not wanted). */
double place_state_peak_s(const struct place_state *state, size_t *arc_out);

size_t place_state_n_unplaced(const struct place_state *state);
