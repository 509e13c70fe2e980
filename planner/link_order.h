/*
 * The order of migrations on a link, as a plan has it.
 *
 * In:  a plan's steps: when each sends its first and its last byte (ms from the plan's start), over which links. Out:
 * of each step those whose last byte comes before its first on a link of its own; but for those that one of these comes
 * after already.
 *
 * A plan's `after` keeps memory, slots and rules, whatever times come out. What shares no bandwidth in the plan is kept
 * apart by this order: without it, all that may start at once would.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "proto/plan_doc.h"

/* Indices of the steps that one step follows. */
struct link_order_list {
    size_t n, capacity;
    size_t *items;
};

struct link_order {
    size_t n_steps;
    struct link_order_list *follows; /* per step */
};

/* The caller disposes it. DC_ENOMEM, upon which it is empty. */
DC_WARN_UNUSED enum dc_status link_order_init(struct link_order *order, const struct plan *plan, struct dc_error *err);
void link_order_dispose(struct link_order *order);

/* When a step's first and last byte are sent; its start and end where it sends nothing. */
double link_order_first_ms(const struct plan_step *step);
double link_order_last_ms(const struct plan_step *step);
