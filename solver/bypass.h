/*
 * Bypass hops: VMs that wait for each other's memory in a circle are let past
 * each other by parking some of them on another host on their way.
 *
 * In:  problem, destinations, an order that could not start all of its VMs, or not well, and the decoder of its last
 *      decode.
 * Out: a detour (solver/detour.h) with an order in which more of them start, or that ends earlier; or none.
 *
 * What is short is memory, so who parks where is decided on memory alone, in
 * waves: by a greedy that lets move whatever fits, and by integer programming on a small core;
 * what the decoder then makes of it counts.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/detour.h"
#include "solver/milp.h"
#include "solver/search.h"

struct bypass_options {
    struct milp_limits milp;
    struct search_options search; /* its n_decodes: for each detour that is tried */
};

struct bypass {
    bool found; /* better than without */
    struct detour detour;
    struct decode_order order; /* of the detour's movers */
    bool *stuck;               /* per VM of the problem: does not arrive, the best way known */
};

/* `order` is that of the last decode of `decoder`, made for `problem` and `to`, both of which must outlive what comes
 * out. VMs under rules that bind VMs to each other are not parked. */
DC_WARN_UNUSED enum dc_status bypass_find(const struct problem *problem, const long *to, const struct decoder *decoder,
                                          const struct decode_order *order, const struct bypass_options *options,
                                          struct bypass *bypass_out, struct dc_error *err);
void bypass_dispose(struct bypass *bypass);
