/*
 * One way to do a rolling maintenance, as a whole plan: group by group the
 * solver's choice (solver/rolling.h) for the hosts that are left, of the fleet as the groups
 * before leave it; their evacuation, shutdowns and boots, and the way back home.
 *
 * In:  fleet, goal, hosts; whether VMs may land on hosts that are still to go.
 * Out: a plan without its status, and what is left.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/stage.h"
#include "solver/rolling.h"

struct rolling_way {
    bool lands; /* VMs may land on hosts that are still to go wherever that makes a group larger */
    bool given; /* VMs go where the choice puts them, not where they are sent the soonest */
};

struct rolling_attempt {
    struct staging staging; /* of `plan` */
    struct plan plan;
    struct rolling_way way;
    size_t n_promised;  /* groups of the first choice, where it leaves no host */
    size_t most_groups; /* the others are left */
    bool *waits;        /* per host: is still to go */
    bool *is_stuck;     /* per host: could not be emptied */
    size_t n_waiting, n_stuck, n_groups, n_landed;
    double *group_end_ms; /* per group, in the plan's time; [n_hosts] */
    json_t *hosts;        /* [{"host", "group", "off_ms", "on_ms"}, ...] */
    double time_limit_ms; /* of a question; 0: not known yet */
};

/* `goal` is the rolling one, `rolls` says per host whether it is to go. The conflicts of the hosts that could not be
 * emptied, and of VMs that could not go back, are in the plan. */
DC_WARN_UNUSED enum dc_status rolling_attempt_run(const struct staging *asked, const bool *rolls,
                                                  struct rolling_way way, size_t most_groups,
                                                  struct rolling_attempt *attempt_out, struct dc_error *err);
void rolling_attempt_dispose(struct rolling_attempt *attempt);

/* The goal's hosts as the solver's choice takes them; on the heap, NULL when out of memory. */
struct rolling_host *rolling_attempt_hosts(const struct staging *asked, const struct problem *problem,
                                           const bool *rolls);
