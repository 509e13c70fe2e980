/*
 * What all planning verbs share: ask, then print the plan.
 *
 * In:  the command line and a goal without its limits. Out: the plan, as a
 *      table or as its document; exit code 3 where it is partial or infeasible.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/cli.h"
#include "planner/goal.h"
#include "proto/plan_doc.h"

/* Sets the goal's limits from the options, answers it offline or by the
 * daemon, puts the plan out. */
DC_WARN_UNUSED enum dc_status cmd_plan_run(const struct cli *cli, struct goal *goal, enum cli_exit *exit_out,
                                           struct dc_error *err);

/* Puts a plan out in the format asked for. `fleet` may be NULL. */
DC_WARN_UNUSED enum dc_status cmd_plan_emit(const struct cli *cli, const struct plan *plan, const struct fleet *fleet,
                                            struct dc_error *err);

/* A plan from a file (- is standard input), or from the daemon by its id. */
DC_WARN_UNUSED enum dc_status cmd_plan_load(const struct cli *cli, const char *name, struct plan *plan_out,
                                            struct dc_error *err);

/* Copies the command line's arguments as the goal's hosts. */
DC_WARN_UNUSED enum dc_status cmd_plan_add_hosts(const struct cli *cli, struct goal *goal, struct dc_error *err);
