/* decamp demo: a made-up fleet, for trying everything else without a cluster. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"
#include "planner/cmd_fleet.h"
#include "planner/demo_fleet.h"

enum { DEFAULT_HOSTS = 12, DEFAULT_SEED = 1 };

enum dc_status cmd_demo(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    const size_t n_hosts = cli->demo_hosts > 0 ? cli->demo_hosts : DEFAULT_HOSTS;
    const struct demo_fleet_size size = {.n_hosts = n_hosts,
                                         .n_vms = cli->has_demo_vms ? cli->demo_vms : n_hosts * DEMO_FLEET_VMS_PER_HOST,
                                         .seed = cli->has_seed ? cli->seed : DEFAULT_SEED};
    json_t *fleet = NULL;
    *exit_out = CLI_EXIT_OK;
    enum dc_status rc = demo_fleet_make(&size, &fleet, err);
    if (rc == DC_OK)
        rc = cmd_fleet_emit(cli, fleet, err);
    json_decref(fleet);
    return rc;
}
