/*
 * The network of a question: arcs with their usable capacity.
 *
 * In:  links and switches of the fleet. Out: problem.arcs.
 *      usable = capacity x goodput - background, in each direction.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/question.h"

/* Fills n_nodes and arcs; a link without usable capacity becomes a warning. */
DC_WARN_UNUSED enum dc_status question_net_build(struct question *question, struct dc_error *err);

/* The most bandwidth that `host` can send, and that any receiving host can take: an upper
 * limit of every path from it, known before routes are. */
double question_net_best_bandwidth(const struct problem *problem, size_t host);

/* The usable bandwidth of the host's best link; 0 without one. */
double question_net_nic(const struct fleet *fleet, size_t host);
