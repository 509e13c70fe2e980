/*
 * Seed orders: the orders a person would think of, for the search to start from.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/decode.h"

enum seed_order_key {
    SEED_ORDER_LONGEST,    /* alone, at its best bandwidth */
    SEED_ORDER_VOLUME,     /* most bytes */
    SEED_ORDER_BOTTLENECK, /* over the busiest arc, then most bytes */
    SEED_ORDER_ROOM,       /* off the fullest host, so that others fit there */
    SEED_ORDER_DOWNTIME,   /* longest */
    SEED_ORDER_SHORTEST,
    SEED_ORDER_N_KEYS,
};

/* Sorts `vms` by the key; equals by priority, then number. */
DC_WARN_UNUSED enum dc_status seed_order_sort(const struct problem *problem, enum problem_quantile quantile,
                                              const long *to, enum seed_order_key key, size_t n, size_t *vms,
                                              struct dc_error *err);
