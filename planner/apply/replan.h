/*
 * Planning the rest of a plan anew, when a part of it could not be done.
 *
 * In:  the plan, what became of its steps and of those before (the journal), and the fleet. Out: another
 *      plan for what is left of the question, from where the VMs are now.
 *
 * The question is the first plan's: with less time, without the hosts that could not be migrated to, and without the
 * VMs that cannot be moved. The journal tells them apart: a VM that failed to move to two hosts is taken for the one at
 * fault, else the host is. A question that left open what moves (consolidate, rebalance, rolling) is not asked again
 * while half of its answer stands: there the moves that are left are planned anew.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/executor.h"
#include "proto/fleet_doc.h"

/* Puts every VM where the journal says that it was moved to. */
DC_WARN_UNUSED enum dc_status replan_place(struct journal *journal, struct fleet *fleet, struct dc_error *err);

/* VMs that were given up and have not been moved since. */
DC_WARN_UNUSED enum dc_status replan_given_up(struct journal *journal, size_t *n_vms_out, struct dc_error *err);

/* A step among those left that goes to a host where, by the journal, nothing can be migrated to. SIZE_MAX: none does.
 */
DC_WARN_UNUSED enum dc_status replan_find_doomed(struct journal *journal, const struct plan *plan, const bool *is_left,
                                                 size_t *step_out, struct dc_error *err);

struct replan_request {
    struct journal *journal;
    const struct plan *plan; /* the newest revision */
    const struct executor *executor;
    double elapsed_ms; /* since the first one began, off its deadline */
    double search_limit_ms;
    bool may_be_late; /* where no plan keeps the deadline, one that does not will do */
};

/* `fleet` must have been placed. The new plan may have no steps, or be infeasible. */
DC_WARN_UNUSED enum dc_status replan_make(const struct replan_request *request, const struct fleet *fleet,
                                          struct plan *plan_out, struct dc_error *err);

/* Tells, in a sentence for each VM, what is other in `next` than in the rest of `plan`: at most a screenful. */
void replan_tell(const struct plan *plan, const struct executor *executor, const struct plan *next,
                 void (*tell)(void *context, const char *text), void *context);
