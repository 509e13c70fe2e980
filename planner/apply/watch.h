/*
 * Watching whether a plan that runs still fits: the fleet, and the deadline.
 *
 * In:  the plan, how far it is, and now and then the fleet as it is. Out: once, why what has not begun should be
 * planned anew; and what is noticed otherwise.
 *
 * A VM that was to move and is gone or elsewhere, a destination that is off, gone or silent, or one that another step
 * could not migrate to: two looks in a row must say so, since a VM that moves may be listed nowhere for a moment. A
 * step that overran its p95 counts where the deadline will be missed for it. Nothing is stopped for a plan that would
 * be no better: a new one is made first, as if what is under way had ended.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/executor.h"
#include "proto/fleet_doc.h"

struct watch;

struct watch_config {
    uv_loop_t *loop;
    const struct plan *plan; /* lent, as the executor and the journal are */
    const struct executor *executor;
    struct journal *journal;
    double elapsed_before_ms; /* from the first revision's beginning to this one's */
    double interval_ms;
    void *context;
    enum dc_status (*load_fleet)(void *context, struct fleet *fleet_out, struct dc_error *err);
    /* Both texts are lent. `stale` comes once, from the loop; close the watch at any time after. */
    void (*note)(void *context, const char *text);
    void (*stale)(void *context, const char *reason);
};

DC_WARN_UNUSED enum dc_status watch_open(const struct watch_config *config, struct watch **watch_out,
                                         struct dc_error *err);

/* Its memory goes in a later turn of the loop. NULL is let be. */
void watch_close(struct watch *watch);
