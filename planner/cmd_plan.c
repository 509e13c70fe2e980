/* Planning offline (the solver runs here, with progress on a terminal) and online (the
 * daemon runs it). */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd_plan.h"

#include "base/units.h"
#include "planner/answer.h"
#include "planner/api_client.h"
#include "planner/interrupt.h"
#include "planner/page/plan_page.h"
#include "planner/plan_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { TOKEN_BYTES = 17 };

static enum dc_status set_limits(const struct cli *cli, struct goal *goal, struct dc_error *err) {
    goal->deadline_ms = cli->deadline_ms;
    goal->max_downtime_ms = cli->max_downtime_ms;
    goal->max_parallel = cli->max_parallel;
    goal->risk_frac = cli->risk_frac;
    goal->explain = cli->explain;
    for (size_t i = 0; i < cli->relax.n; i++) {
        const struct relax *relax = &cli->relax.items[i];
        const enum dc_status rc = relax_add(&goal->relax, relax->kind, relax->name, relax->to, err);
        if (rc != DC_OK)
            return rc;
    }
    if (cli->has_seed)
        goal->seed = cli->seed;
    if (cli->time_limit_ms > 0)
        goal->time_limit_ms = cli->time_limit_ms;
    goal->exclude = calloc(cli->exclude.n + 1, sizeof(*goal->exclude));
    if (goal->exclude == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < cli->exclude.n; i++) {
        goal->exclude[i] = strdup(cli->exclude.items[i]);
        if (goal->exclude[i] == NULL)
            return error_set_nomem(err);
        goal->n_exclude++;
    }
    return DC_OK;
}

/* One line that is written over on a terminal; lines where --verbose asks for them elsewhere. */
static void show_progress(void *context, const struct solve_progress *progress) {
    const bool *terminal = context;
    char makespan[UNITS_TEXT_BYTES], bound[UNITS_TEXT_BYTES];
    (void)fprintf(stderr, "%s%.1f s: makespan %s, bound %s, gap %.2f %%%s", *terminal ? "\r" : "", progress->elapsed_s,
                  units_format_duration(1e3 * progress->makespan_s, makespan, sizeof(makespan)),
                  units_format_duration(1e3 * progress->bound_s, bound, sizeof(bound)), 100 * progress->gap_frac,
                  *terminal ? " \033[K" : "\n");
}

static enum dc_status plan_offline(const struct cli *cli, const struct goal *goal, struct fleet *fleet,
                                   struct plan *plan_out, struct dc_error *err) {
    bool terminal = !cli->quiet && isatty(STDERR_FILENO) == 1;
    const bool wanted = terminal || (cli->verbose && !cli->quiet);
    const struct solve_options options = {
        .cancel = interrupt_watch(), .on_progress = wanted ? show_progress : NULL, .context = &terminal};
    enum dc_status rc = cli_load_fleet(cli, fleet, err);
    if (rc == DC_OK)
        rc = answer(fleet, goal, &options, plan_out, err);
    if (terminal)
        (void)fputs("\r\033[K", stderr);
    return rc;
}

/* By which this question, and no other, can be interrupted. */
static enum dc_status make_token(char token[static TOKEN_BYTES], struct dc_error *err) {
    uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return error_set_errno(err, errno, "no random bytes");
    (void)snprintf(token, TOKEN_BYTES, "%016" PRIx64, random);
    return DC_OK;
}

static enum dc_status plan_online(const struct cli *cli, const struct goal *goal, struct fleet *fleet,
                                  struct plan *plan_out, struct dc_error *err) {
    json_t *json = NULL;
    char *text = NULL;
    char token[TOKEN_BYTES];
    struct api_reply reply = {0};
    enum dc_status rc = goal_to_json(goal, &json, err);
    if (rc == DC_OK)
        rc = make_token(token, err);
    if (rc != DC_OK)
        goto out;
    (void)json_object_set_new(json, "token", json_string(token));
    text = json_dumps(json, JSON_COMPACT);
    rc = text == NULL ? error_set_nomem(err)
                      : api_client_plan(cli->socket_path, text, token, interrupt_watch(), &reply, err);
    if (rc == DC_OK)
        rc = plan_doc_read(reply.body, reply.n_bytes, plan_out, err);
    /* Only the memory column and a page's capacities come from the fleet: a plan without it is a plan. */
    if (rc == DC_OK && cli->format != CLI_JSON)
        (void)!cli_load_fleet(cli, fleet, NULL);
out:
    api_reply_dispose(&reply);
    free(text);
    json_decref(json);
    return rc;
}

enum dc_status cmd_plan_emit(const struct cli *cli, const struct plan *plan, const struct fleet *fleet,
                             struct dc_error *err) {
    enum dc_status rc;
    if (cli->format == CLI_JSON || cli->format == CLI_HTML) {
        char *text = NULL;
        rc = cli->format == CLI_JSON ? plan_doc_write(plan, &text, err) : plan_page_write(plan, fleet, &text, err);
        if (rc == DC_OK)
            rc = cli_emit(cli, text, err);
        free(text);
        return rc;
    }
    struct cli_page page;
    rc = cli_page_open(cli, &page, err);
    if (rc != DC_OK)
        return rc;
    rc = plan_table_write(plan, fleet, page.writer, err);
    if (rc == DC_OK)
        rc = cli_page_emit(cli, &page, err);
    cli_page_dispose(&page);
    return rc;
}

enum dc_status cmd_plan_run(const struct cli *cli, struct goal *goal, enum cli_exit *exit_out, struct dc_error *err) {
    struct fleet fleet = {0};
    struct plan plan = {0};
    enum dc_status rc = set_limits(cli, goal, err);
    if (rc == DC_OK)
        rc = cli->fleet_path != NULL ? plan_offline(cli, goal, &fleet, &plan, err)
                                     : plan_online(cli, goal, &fleet, &plan, err);
    if (rc == DC_OK)
        rc = cmd_plan_emit(cli, &plan, fleet.n_hosts > 0 ? &fleet : NULL, err);
    if (rc == DC_OK && (plan.status == PLAN_PARTIAL || plan.status == PLAN_INFEASIBLE))
        *exit_out = CLI_EXIT_INFEASIBLE;
    plan_doc_dispose(&plan);
    fleet_doc_dispose(&fleet);
    return rc;
}

enum dc_status cmd_plan_load(const struct cli *cli, const char *name, struct plan *plan_out, struct dc_error *err) {
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

enum dc_status cmd_plan_add_hosts(const struct cli *cli, struct goal *goal, struct dc_error *err) {
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
