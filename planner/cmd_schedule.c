/* decamp schedule --moves FILE: the destinations are chosen, the times are not. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"
#include "planner/cmd_plan.h"

enum dc_status cmd_schedule(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct goal goal;
    goal_init(&goal);
    goal.kind = GOAL_SCHEDULE;
    enum dc_status rc = DC_OK;
    if (cli->moves_path == NULL) {
        *exit_out = CLI_EXIT_USAGE;
        (void)fprintf(stderr, "decamp schedule: which VM goes where? --moves FILE is missing\n");
        return DC_OK;
    }
    rc = moves_doc_read_file(cli->moves_path, &goal.moves, err);
    if (rc == DC_OK)
        rc = cmd_plan_run(cli, &goal, exit_out, err);
    goal_dispose(&goal);
    return rc;
}
