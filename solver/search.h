/*
 * The search for an order: first the orders a person would think of, each with several
 * thresholds, then local search from the best.
 *
 * Deterministic for a seed: its budget is counted in decodes. Time limit and
 * cancel only cut it off.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/decode.h"
#include "solver/solve.h"

struct search_options {
    uint64_t seed;
    double bound_s;    /* what no schedule can be below; close to it the search ends */
    size_t n_decodes;  /* 0: by the number of VMs */
    double end_s;      /* on the monotonic clock, a cut-off; INFINITY: none */
    double n_reserved; /* decodes' worth of time to leave before that */
    const atomic_bool *cancel;
    /* NULL, or called with the best score so far each time it has got better. */
    void (*on_better)(void *context, const struct decode_score *score);
    void *context;
};

struct search_result {
    struct decode_score score;
    size_t n_decodes;
    bool time_limit_hit, cancelled;
};

/* How many decodes a set of `n_vms` is worth: about a tenth of a second at 50
 * VMs, about a second at 1000, ten at 10,000. */
size_t search_budget(size_t n_vms);

/* Better in the order of the objectives, with `least_makespan_s` known to be
 * possible: makespans within 0.1% of it are equal. */
bool search_is_better(const struct decode_score *a, const struct decode_score *b, double least_makespan_s);

/* Fills `order` with the VMs it holds already (`order->vm`, in any order) in the
 * best order found, and their thresholds. */
DC_WARN_UNUSED enum dc_status search_order(const struct problem *problem, enum problem_quantile quantile,
                                           const long *to, struct decoder *decoder,
                                           const struct search_options *options, struct decode_order *order,
                                           struct search_result *result_out, struct dc_error *err);

/* Improves `order` (with its thresholds) by local search for `options->n_decodes` decodes. */
DC_WARN_UNUSED enum dc_status search_improve(struct decoder *decoder, const struct search_options *options,
                                             struct decode_order *order, struct search_result *result,
                                             struct dc_error *err);
