/* decamp evacuate HOST...: every VM leaves these hosts. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"
#include "planner/cmd_plan.h"

enum dc_status cmd_evacuate(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct goal goal;
    goal_init(&goal);
    enum dc_status rc = cmd_plan_add_hosts(cli, &goal, err);
    if (rc == DC_OK)
        rc = cmd_plan_run(cli, &goal, exit_out, err);
    goal_dispose(&goal);
    return rc;
}
