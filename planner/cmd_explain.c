/*
 * decamp explain PLAN: the plan's question, asked of the fleet again and
 * explained. A plan that stands is explained as it stands.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/answer.h"

#include "base/clock.h"
#include "planner/api_client.h"
#include "planner/cmd.h"
#include "planner/cmd_plan.h"
#include "planner/explain.h"
#include "planner/fleet_calibrate.h"
#include "planner/interrupt.h"
#include "planner/plan_reasons.h"
#include "solver/search.h"

#include <stdlib.h>
#include <string.h>

/* The fleet the plan was made from, where the daemon still has it; --fleet goes before. */
static enum dc_status load_fleet(const struct cli *cli, const struct plan *plan, struct fleet *fleet,
                                 struct dc_error *err) {
    struct api_reply reply;
    if (cli->fleet_path != NULL)
        return cli_load_fleet(cli, fleet, err);
    enum dc_status rc = api_client_plan_fleet(cli->socket_path, plan->id, &reply, err);
    if (rc != DC_OK)
        return rc;
    rc = fleet_doc_read(reply.body, reply.n_bytes, fleet, err);
    api_reply_dispose(&reply);
    if (rc == DC_OK)
        fleet_calibrate(fleet);
    return rc;
}

/* Conflicts are found anew: those in the document may be another version's. */
static enum dc_status explain(const struct fleet *fleet, struct plan *plan, struct dc_error *err) {
    struct goal goal;
    struct explainer explainer = {0};
    const struct solve_options options = {.cancel = interrupt_watch()};
    enum dc_status rc = goal_from_json(plan->goal, &goal, err);
    if (rc != DC_OK) {
        (void)error_prefix(err, "goal");
        return rc;
    }
    json_decref(plan->explanation);
    plan->explanation = NULL;
    if (plan_doc_is_whole(plan)) {
        rc = explain_init(&explainer, fleet, &goal, &options, clock_monotonic_s(), err);
        if (rc == DC_OK)
            rc = explain_plan(&explainer, plan, err);
    } else {
        plan_doc_dispose(plan);
        rc = answer(fleet, &goal, &options, plan, err);
    }
    explain_dispose(&explainer);
    goal_dispose(&goal);
    return rc;
}

static enum dc_status write_conflicts(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    size_t i, k;
    const json_t *conflict, *item;
    json_array_foreach(plan->conflicts, i, conflict) {
        if (rc == DC_OK)
            rc = writer_line(writer, err, "conflict     %s", json_string_value(json_object_get(conflict, "what")));
        json_array_foreach(json_object_get(conflict, "relax"), k, item) {
            if (rc == DC_OK)
                rc = plan_reasons_write_relax(item, "             ", writer, err);
        }
    }
    return rc;
}

/* Without the steps: those `show` prints. */
static enum dc_status write_reasons(const struct cli *cli, const struct plan *plan, struct dc_error *err) {
    if (cli->format == CLI_JSON)
        return cmd_plan_emit(cli, plan, NULL, err);
    struct cli_page page;
    enum dc_status rc = cli_page_open(cli, &page, err);
    if (rc != DC_OK)
        return rc;
    rc = writer_line(page.writer, err, "plan         %s, %s", plan->id, plan_doc_status_text(plan->status));
    if (rc == DC_OK)
        rc = write_conflicts(plan, page.writer, err);
    if (rc == DC_OK && plan->explanation != NULL)
        rc = plan_reasons_write(plan, page.writer, err);
    if (rc == DC_OK)
        rc = cli_page_emit(cli, &page, err);
    cli_page_dispose(&page);
    return rc;
}

enum dc_status cmd_explain(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct plan plan = {0};
    struct fleet fleet = {0};
    enum dc_status rc = cmd_plan_load(cli, cli->arguments.items[0], &plan, err);
    if (rc == DC_OK)
        rc = load_fleet(cli, &plan, &fleet, err);
    if (rc == DC_OK)
        rc = explain(&fleet, &plan, err);
    if (rc == DC_OK)
        rc = write_reasons(cli, &plan, err);
    if (rc == DC_OK && !plan_doc_is_whole(&plan))
        *exit_out = CLI_EXIT_INFEASIBLE;
    plan_doc_dispose(&plan);
    fleet_doc_dispose(&fleet);
    return rc;
}
