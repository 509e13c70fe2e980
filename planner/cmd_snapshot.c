/* decamp snapshot: the fleet document, as the daemon knows it now or knew it
 * when it made a plan, or as a file is understood (defaults filled in). */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/api_client.h"
#include "planner/cmd.h"

#include <stdlib.h>

enum dc_status cmd_snapshot(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    *exit_out = CLI_EXIT_OK;
    if (cli->fleet_path == NULL) {
        struct api_reply reply;
        enum dc_status rc = cli->arguments.n > 0
                                ? api_client_plan_fleet(cli->socket_path, cli->arguments.items[0], &reply, err)
                                : api_client_fleet(cli->socket_path, &reply, err);
        if (rc == DC_OK)
            rc = cli_emit(cli, reply.body, err);
        api_reply_dispose(&reply);
        return rc;
    }
    if (cli->arguments.n > 0) {
        *exit_out = CLI_EXIT_USAGE;
        return error_set(err, DC_EINVAL, "the fleet of plan %s is asked of the daemon: give no --fleet",
                         cli->arguments.items[0]);
    }
    struct fleet fleet = {0};
    char *text = NULL;
    enum dc_status rc = cli_read_fleet(cli, &fleet, err);
    if (rc == DC_OK)
        rc = fleet_doc_write(&fleet, &text, err);
    if (rc == DC_OK)
        rc = cli_emit(cli, text, err);
    free(text);
    fleet_doc_dispose(&fleet);
    return rc;
}
