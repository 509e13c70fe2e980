/*
 * The pace of a plan that is run: when a step may begin and how fast it may send, by what really happened so far
 * instead of by the clock.
 *
 * In:  the plan, and of each of its steps whether it began, ended, how much it has left to send. Out: may this step
 *      begin; its bandwidth cap.
 *
 * A plan says more than its `after`: two migrations that share a link and do not send at the same time in the plan
 * shall not do so when the first takes longer. But the second may begin while the first still hands over: as long
 * before the first one's last byte as its own first byte takes. And where the plan changes a migration's share of the
 * link because another one begins or ends, it is changed when that one does.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "proto/plan_doc.h"

/* Of one step, as it stands. */
struct pace_step {
    bool has_begun;
    bool has_ended;         /* and has done what it should */
    bool is_over;           /* it has ended, has failed, or will never begin */
    double elapsed_ms;      /* since it began */
    double since_end_ms;    /* since it ended */
    double sending_left_ms; /* until its last byte, as far as is known; INFINITY: not known */
};

struct pace;

/* `plan` is lent for the pace's life. */
DC_WARN_UNUSED enum dc_status pace_new(const struct plan *plan, struct pace **pace_out, struct dc_error *err);
void pace_free(struct pace **pace);

/* May step i of the plan begin, by the others? `elapsed_ms`: since the plan began. */
bool pace_may_begin(const struct pace *pace, size_t i, const struct pace_step *steps, double elapsed_ms);

/* The cap of step i, which has begun. bytes/s. */
double pace_bandwidth(const struct pace *pace, size_t i, const struct pace_step *steps);

/* What waits for a step that is over and did not do what it should is over, too. */
void pace_spread(const struct pace *pace, struct pace_step *steps);
