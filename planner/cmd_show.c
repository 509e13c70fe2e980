/* decamp show PLAN: a plan from a file, or from the daemon by its id. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/api_client.h"
#include "planner/cmd.h"
#include "planner/cmd_plan.h"

#include <string.h>
#include <unistd.h>

static enum dc_status load_plan(const struct cli *cli, const char *name, struct plan *plan_out, struct dc_error *err) {
    if (strcmp(name, "-") == 0 || access(name, F_OK) == 0 || cli->fleet_path != NULL)
        return plan_doc_read_file(name, plan_out, err);
    *plan_out = (struct plan){0};
    struct api_reply reply;
    enum dc_status rc = api_client_plan_by_id(cli->socket_path, name, &reply, err);
    if (rc != DC_OK)
        return rc;
    rc = plan_doc_read(reply.body, reply.n_bytes, plan_out, err);
    api_reply_dispose(&reply);
    return rc;
}

enum dc_status cmd_show(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct plan plan = {0};
    struct fleet fleet = {0};
    *exit_out = CLI_EXIT_OK;
    enum dc_status rc = load_plan(cli, cli->arguments.items[0], &plan, err);
    if (rc == DC_OK && cli->fleet_path != NULL)
        rc = cli_load_fleet(cli, &fleet, err);
    if (rc == DC_OK)
        rc = cmd_plan_emit(cli, &plan, fleet.n_hosts > 0 ? &fleet : NULL, err);
    plan_doc_dispose(&plan);
    fleet_doc_dispose(&fleet);
    return rc;
}
