/* decamp show PLAN: a plan from a file, or from the daemon by its id. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/log.h"
#include "planner/api_client.h"
#include "planner/cmd.h"
#include "planner/cmd_plan.h"
#include "planner/fleet_calibrate.h"

#include <string.h>

/* The fleet that the daemon made the plan from, for a page's capacities and budgets; empty where there is no daemon, or
 * it does not know the plan: a page can do without. */
static void ask_for_fleet(const struct cli *cli, const struct plan *plan, struct fleet *fleet) {
    struct api_reply reply;
    if (api_client_plan_fleet(cli->socket_path, plan->id, &reply, NULL) != DC_OK)
        return;
    if (fleet_doc_read(reply.body, reply.n_bytes, fleet, NULL) == DC_OK)
        fleet_calibrate(fleet);
    api_reply_dispose(&reply);
}

static enum dc_status load_fleet(const struct cli *cli, const struct plan *plan, struct fleet *fleet,
                                 struct dc_error *err) {
    if (cli->fleet_path == NULL) {
        if (cli->format == CLI_HTML && plan->id[0] != '\0')
            ask_for_fleet(cli, plan, fleet);
        return DC_OK;
    }
    const enum dc_status rc = cli_load_fleet(cli, fleet, err);
    if (rc == DC_OK && cli->format == CLI_HTML && strcmp(plan->fleet_digest, fleet->digest) != 0)
        log_warn("%s is not the fleet that the plan was made from: its capacities and budgets may be others",
                 cli->fleet_path);
    return rc;
}

enum dc_status cmd_show(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct plan plan = {0};
    struct fleet fleet = {0};
    *exit_out = CLI_EXIT_OK;
    enum dc_status rc = cmd_plan_load(cli, cli->arguments.items[0], &plan, err);
    if (rc == DC_OK)
        rc = load_fleet(cli, &plan, &fleet, err);
    if (rc == DC_OK)
        rc = cmd_plan_emit(cli, &plan, fleet.n_hosts > 0 ? &fleet : NULL, err);
    plan_doc_dispose(&plan);
    fleet_doc_dispose(&fleet);
    return rc;
}
