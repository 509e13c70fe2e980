/* decamp apply PLAN: runs it, and says how it went beside what was expected. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/apply.h"
#include "planner/cmd.h"
#include "planner/cmd_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double default_max_age_ms = 3600e3;
static const double watch_interval_ms = 3000;

static const struct writer_field step_fields[] = {
    {"step", "#", WRITER_COUNT, false},
    {"vm", "UUID", WRITER_TEXT, true},
    {"vm_name", "VM", WRITER_TEXT, false},
    {"action", "ACTION", WRITER_TEXT, true},
    {"from", "FROM", WRITER_TEXT, false},
    {"to", "TO", WRITER_TEXT, false},
    {"state", "STATE", WRITER_TEXT, false},
    {"attempts", "TRIES", WRITER_COUNT, true},
    {"start_ms", "START", WRITER_CLOCK, false},
    {"end_ms", "END", WRITER_CLOCK, false},
    {"planned_migration_ms", "MIGRATION p50/95", WRITER_QUANTILES, false},
    {"migration_ms", "TOOK", WRITER_DURATION, false},
    {"planned_downtime_ms", "DOWNTIME p50/95", WRITER_QUANTILES, false},
    {"downtime_ms", "WAS", WRITER_DURATION, false},
    {"bytes", "SENT", WRITER_BYTES, true},
    {"reason", "WHY", WRITER_TEXT, false},
};

enum { N_STEP_FIELDS = sizeof(step_fields) / sizeof(step_fields[0]) };

static struct writer_value text_or_unknown(const char *text) {
    return text[0] != '\0' ? writer_text(text) : WRITER_UNKNOWN;
}

static struct writer_value known(double number) {
    return number >= 0 ? writer_number(number) : WRITER_UNKNOWN;
}

static const char *const state_texts[] = {[EXECUTOR_WAITS] = "left",
                                          [EXECUTOR_RUNS] = "unknown",
                                          [EXECUTOR_SETTLES] = "unknown",
                                          [EXECUTOR_DONE] = "done",
                                          [EXECUTOR_FAILED] = "failed"};

static enum dc_status write_step(struct writer *writer, const struct plan_step *step, const struct executor_step *was,
                                 struct dc_error *err) {
    const bool is_migration = step->vm[0] != '\0';
    const bool is_done = was->state == EXECUTOR_DONE;
    const double took_ms = was->migration_ms >= 0                                          ? was->migration_ms
                           : is_done && was->begun_ms >= 0 && was->end_ms >= was->begun_ms ? was->end_ms - was->begun_ms
                                                                                           : -1;
    const struct writer_value values[N_STEP_FIELDS] = {
        writer_number(step->id),
        text_or_unknown(step->vm),
        writer_text(is_migration ? step->vm_name : plan_doc_action_text(step->action)),
        writer_text(plan_doc_action_text(step->action)),
        text_or_unknown(step->from),
        text_or_unknown(step->to),
        writer_text(state_texts[was->state]),
        writer_number(was->attempt),
        known(was->begun_ms),
        is_done ? known(was->end_ms) : WRITER_UNKNOWN,
        is_migration ? writer_quantiles(step->migration_ms.p50, step->migration_ms.p95) : WRITER_UNKNOWN,
        is_done ? known(took_ms) : WRITER_UNKNOWN,
        is_migration ? writer_quantiles(step->downtime_ms.p50, step->downtime_ms.p95) : WRITER_UNKNOWN,
        is_done ? known(was->downtime_ms) : WRITER_UNKNOWN,
        is_done ? known(was->bytes) : WRITER_UNKNOWN,
        text_or_unknown(was->reason),
    };
    return writer_row(writer, values, err);
}

/* A revision that another one took up: only what it began. */
static enum dc_status write_part(struct writer *writer, const struct apply_part *part, bool is_last,
                                 struct dc_error *err) {
    enum dc_status rc = writer_begin(writer, "steps", step_fields, N_STEP_FIELDS, err);
    for (size_t i = 0; rc == DC_OK && i < part->plan.n_steps; i++)
        if (is_last || part->steps[i].state != EXECUTOR_WAITS)
            rc = write_step(writer, &part->plan.steps[i], &part->steps[i], err);
    return rc == DC_OK ? writer_end(writer, err) : rc;
}

static enum dc_status write_totals(struct writer *writer, const struct apply_result *result, struct dc_error *err) {
    size_t n_done = 0, n_failed = 0, n_left = 0;
    for (size_t p = 0; p < result->n_parts; p++) {
        const struct apply_part *part = &result->parts[p];
        for (size_t i = 0; i < part->plan.n_steps; i++) {
            n_done += part->steps[i].state == EXECUTOR_DONE;
            n_failed += part->steps[i].state == EXECUTOR_FAILED;
            n_left += p + 1 == result->n_parts && part->steps[i].state == EXECUTOR_WAITS;
        }
    }
    enum dc_status rc = writer_line(writer, err, "%s", "");
    if (rc == DC_OK && result->n_parts > 0)
        rc = writer_line(writer, err, "%s: %zu done, %zu failed, %zu left; %.1f s (%.1f s were forecast)",
                         result->is_whole ? "done" : "not all was done", n_done, n_failed, n_left,
                         result->elapsed_ms / 1e3, result->parts[0].plan.makespan_ms.p50 / 1e3);
    return rc;
}

static enum dc_status show_result(const struct cli *cli, const struct apply_result *result, struct dc_error *err) {
    struct cli_page page;
    if (cli->format == CLI_JSONL)
        return DC_OK; /* the events say it all */
    enum dc_status rc = cli_page_open(cli, &page, err);
    if (rc != DC_OK)
        return rc;
    for (size_t i = 0; rc == DC_OK && i < result->n_parts; i++)
        rc = write_part(page.writer, &result->parts[i], i + 1 == result->n_parts, err);
    if (rc == DC_OK)
        rc = write_totals(page.writer, result, err);
    if (rc == DC_OK)
        rc = cli_page_emit(cli, &page, err);
    cli_page_dispose(&page);
    return rc;
}

/* --state, else where programs of this user, or root's daemons, keep what shall last. NULL when out of memory. */
static char *choose_state_dir(const struct cli *cli) {
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char *path = NULL;
    int r = 0;
    if (cli->apply.state_path != NULL)
        return strdup(cli->apply.state_path);
    if (xdg != NULL && xdg[0] == '/')
        r = asprintf(&path, "%s/decamp", xdg);
    else if (geteuid() == 0 || home == NULL)
        return strdup("/var/lib/decamp/apply");
    else
        r = asprintf(&path, "%s/.local/state/decamp", home);
    return r < 0 ? NULL : path;
}

static enum dc_status load_fleet(void *context, struct fleet *fleet_out, struct dc_error *err) {
    return cli_load_fleet(context, fleet_out, err);
}

static enum dc_status find_driver(const struct cli *cli, const struct driver_ops **driver_out, struct dc_error *err) {
    *driver_out = cli->apply.driver != NULL ? driver_find(cli->apply.driver) : NULL;
    if (*driver_out != NULL)
        return DC_OK;
    (void)error_set(err, DC_EINVAL, "--driver: expected");
    for (size_t i = 0; driver_list[i] != NULL; i++) {
        const size_t n = strlen(err->text);
        (void)snprintf(err->text + n, sizeof(err->text) - n, "%s %s", i > 0 ? "," : "", driver_list[i]->name);
    }
    return DC_EINVAL;
}

enum dc_status cmd_apply(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct plan plan = {0};
    struct apply_result result = {0};
    const struct apply_view_config view_config = {
        .is_quiet = cli->quiet, .is_jsonl = cli->format == CLI_JSONL, .is_terminal = isatty(STDERR_FILENO) == 1};
    char *state_dir = choose_state_dir(cli);
    struct apply_view *view = apply_view_new(&view_config);
    struct apply_config config = {
        .driver_path = cli->apply.drivers_path,
        .state_dir = state_dir,
        .is_resumed = cli->apply.is_resumed,
        .may_replan = !cli->apply.keeps_plan,
        .watch_interval_ms = watch_interval_ms,
        .max_age_ms = cli->apply.max_age_ms > 0 ? cli->apply.max_age_ms : default_max_age_ms,
        .socket_path = cli->fleet_path == NULL ? cli->socket_path : NULL,
        .view = view,
        .context = (void *)cli, /* only read */
        .load_fleet = load_fleet,
    };
    executor_options_init(&config.options);
    if (cli->apply.has_retries)
        config.options.max_retries = cli->apply.retries;
    if (cli->apply.patience_ms > 0)
        executor_options_set_patience(&config.options, cli->apply.patience_ms);
    enum dc_status rc =
        state_dir == NULL || view == NULL ? error_set_nomem(err) : find_driver(cli, &config.driver, err);
    if (rc == DC_OK)
        rc = cmd_plan_load(cli, cli->arguments.items[0], &plan, err);
    if (rc == DC_OK)
        rc = apply_run(&config, &plan, &result, err);
    if (rc == DC_OK)
        rc = show_result(cli, &result, err);
    if (rc == DC_OK && !result.is_whole)
        *exit_out = CLI_EXIT_INFEASIBLE;
    apply_result_dispose(&result);
    plan_doc_dispose(&plan);
    apply_view_free(&view);
    free(state_dir);
    return rc;
}
