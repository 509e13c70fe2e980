/* Which function answers which goal. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/choose.h"

static enum dc_status dispatch(struct staging *staging, struct dc_error *err) {
    switch (staging->goal->kind) {
    case GOAL_CONSOLIDATE:
        return choose_consolidate(staging, err);
    case GOAL_REBALANCE:
        return choose_rebalance(staging, err);
    case GOAL_ROLLING:
        return choose_rolling(staging, err);
    case GOAL_EVACUATE:
    case GOAL_SCHEDULE:
    case GOAL_N_KINDS:
        break;
    }
    return error_set(err, DC_EINTERNAL, "choose: the goal leaves no choice");
}

enum dc_status choose(const struct fleet *fleet, const struct goal *goal, const struct solve_options *options,
                      struct plan *plan_out, struct dc_error *err) {
    struct staging staging;
    enum dc_status rc = staging_init(&staging, fleet, goal, options, plan_out, err);
    if (rc == DC_OK)
        rc = dispatch(&staging, err);
    staging_dispose(&staging);
    if (rc != DC_OK)
        plan_doc_dispose(plan_out);
    return rc;
}
