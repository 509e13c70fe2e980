/*
 * Max-min fair shares: how flows that know nothing of each other divide links.
 *
 * Progressive filling: all rates grow alike until an arc is full, its flows keep what they have,
 * and so on with the others (Bertsekas and Gallager, Data Networks, section 6.5.2).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

struct fair_share;

/* For flows 0 .. n_flows-1 over the problem's arcs, which it lends; none of them sends at first. */
DC_WARN_UNUSED enum dc_status fair_share_new(const struct problem *problem, size_t n_flows, size_t longest_path,
                                             struct fair_share **shares_out, struct dc_error *err);
void fair_share_free(struct fair_share **shares);

/* A flow begins, on a path of 1 .. longest_path arcs, lent until it leaves. */
void fair_share_enter(struct fair_share *shares, size_t flow, const uint32_t *path, size_t n_arcs);
void fair_share_leave(struct fair_share *shares, size_t flow);

/* Divides all arcs anew. */
void fair_share_divide(struct fair_share *shares);

/* bytes/s of a flow that sends, as of the last division. */
double fair_share_rate(const struct fair_share *shares, size_t flow);
