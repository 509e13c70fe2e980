/* decamp rebalance: no host loaded beyond a share, with the fewest moves. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"
#include "planner/cmd_plan.h"

enum dc_status cmd_rebalance(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct goal goal;
    goal_init(&goal);
    goal.kind = GOAL_REBALANCE;
    goal.choice = cli->choice;
    const enum dc_status rc = cmd_plan_run(cli, &goal, exit_out, err);
    goal_dispose(&goal);
    return rc;
}
