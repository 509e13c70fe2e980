/* decamp evacuate HOST...: every VM leaves these hosts. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"
#include "planner/cmd_plan.h"

#include <stdlib.h>
#include <string.h>

static enum dc_status copy_hosts(const struct cli *cli, struct goal *goal, struct dc_error *err) {
    goal->hosts = calloc(cli->arguments.n + 1, sizeof(*goal->hosts));
    if (goal->hosts == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < cli->arguments.n; i++) {
        goal->hosts[i] = strdup(cli->arguments.items[i]);
        if (goal->hosts[i] == NULL)
            return error_set_nomem(err);
        goal->n_hosts++;
    }
    return DC_OK;
}

enum dc_status cmd_evacuate(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct goal goal;
    goal_init(&goal);
    enum dc_status rc = copy_hosts(cli, &goal, err);
    if (rc == DC_OK)
        rc = cmd_plan_run(cli, &goal, exit_out, err);
    goal_dispose(&goal);
    return rc;
}
