/* decamp export --to TARGET PLAN: a plan as a script or a playbook. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/log.h"
#include "planner/cmd.h"
#include "planner/cmd_plan.h"
#include "planner/export/export.h"

#include <stdlib.h>

enum dc_status cmd_export(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct plan plan = {0};
    char *text = NULL;
    *exit_out = CLI_EXIT_OK;
    enum dc_status rc = cmd_plan_load(cli, cli->arguments.items[0], &plan, err);
    if (rc == DC_OK)
        rc = export_plan(&plan, cli->export_target, cli->export_toolstack, cli->apply.max_age_ms, &text, err);
    if (rc == DC_OK && plan.status == PLAN_PARTIAL)
        log_warn("the plan is partial: it leaves out what its conflicts name");
    if (rc == DC_OK)
        rc = cli_emit(cli, text, err);
    free(text);
    plan_doc_dispose(&plan);
    return rc;
}
