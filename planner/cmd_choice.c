/* decamp consolidate, rebalance and rolling: which VMs move is left open. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"
#include "planner/cmd_plan.h"

static enum dc_status run(const struct cli *cli, enum goal_kind kind, enum cli_exit *exit_out, struct dc_error *err) {
    struct goal goal;
    goal_init(&goal);
    goal.kind = kind;
    goal.choice = cli->choice;
    enum dc_status rc = cmd_plan_add_hosts(cli, &goal, err);
    if (rc == DC_OK)
        rc = cmd_plan_run(cli, &goal, exit_out, err);
    goal_dispose(&goal);
    return rc;
}

enum dc_status cmd_consolidate(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    return run(cli, GOAL_CONSOLIDATE, exit_out, err);
}

enum dc_status cmd_rebalance(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    return run(cli, GOAL_REBALANCE, exit_out, err);
}

enum dc_status cmd_rolling(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    return run(cli, GOAL_ROLLING, exit_out, err);
}
