/* decamp show PLAN: a plan from a file, or from the daemon by its id. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"
#include "planner/cmd_plan.h"

enum dc_status cmd_show(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct plan plan = {0};
    struct fleet fleet = {0};
    *exit_out = CLI_EXIT_OK;
    enum dc_status rc = cmd_plan_load(cli, cli->arguments.items[0], &plan, err);
    if (rc == DC_OK && cli->fleet_path != NULL)
        rc = cli_load_fleet(cli, &fleet, err);
    if (rc == DC_OK)
        rc = cmd_plan_emit(cli, &plan, fleet.n_hosts > 0 ? &fleet : NULL, err);
    plan_doc_dispose(&plan);
    fleet_doc_dispose(&fleet);
    return rc;
}
