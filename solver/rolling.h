/*
 * Rolling maintenance: in which groups, one after the other, hosts are emptied,
 * switched off and on again. The choice only; place and schedule come after.
 *
 * In:  a problem in which `moves` says which VMs may move, which hosts are to
 *      go, how long each is away. Out: a group for each of them, where the VMs of the first
 *      group may go, and how long it takes by estimate; and what no choice can be better than.
 *
 * By emptying hosts one after the other (best fit), for every size of group that makes another number
 * of them in several orders, the first by their bytes. VMs go to hosts that do not go or were back
 * already; to a host that is still to go only where nothing else is possible, or where asked.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

#include <stdatomic.h>

enum { ROLLING_NONE = -1 };

struct rolling_host {
    bool rolls;         /* is to go */
    double away_s;      /* from when it is empty until it is on again */
    double bytes_per_s; /* the most it can send */
};

struct rolling_options {
    const struct rolling_host *hosts;
    unsigned at_once; /* most hosts of a group; 0: not limited */
    bool returns;     /* VMs go back home after each group */
    bool lands;       /* VMs may land on hosts that are still to go wherever that makes a group larger */
    uint64_t seed;
    const atomic_bool *cancel; /* NULL: none */
};

struct rolling_result {
    size_t n_groups;
    size_t n_left;  /* hosts that no way was found to empty */
    long *group;    /* per host: 0 .., ROLLING_NONE where it does not go or is left */
    size_t *to;     /* per VM: where it is after the first group was emptied */
    double time_s;  /* estimate of the whole: hosts away, and memory at the best bandwidth */
    size_t n_moved; /* migrations in all */
};

DC_WARN_UNUSED enum dc_status rolling_choose(const struct problem *problem, const struct rolling_options *options,
                                             struct rolling_result *result_out, struct dc_error *err);
void rolling_result_dispose(struct rolling_result *result);

/* No choice makes do with fewer groups; SIZE_MAX: no choice empties them all. By memory: what hosts that stay on can
 * hold. With `sparing`, of choices in which no VM lands on a host that is still to go. */
DC_WARN_UNUSED enum dc_status rolling_least_groups(const struct problem *problem, const struct rolling_options *options,
                                                   bool sparing, size_t *least_out, struct dc_error *err);

/* No choice with that many groups is done before: each is away for as long as the shortest of its hosts, and one of
 * them as long as the longest of all. INFINITY for SIZE_MAX. */
double rolling_least_s(const struct problem *problem, const struct rolling_options *options, size_t n_groups);
