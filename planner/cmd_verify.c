/* decamp verify PLAN: what breaks when the plan is run on the fleet. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"
#include "planner/plan_check.h"

static const struct writer_field sentence_fields[] = {{"what", "WHAT", WRITER_TEXT, false}};

/* As lines for people, as a list in JSON. */
static enum dc_status write_sentences(struct writer *writer, const char *key, const char *label, bool as_list,
                                      const json_t *sentences, struct dc_error *err) {
    size_t i;
    const json_t *sentence;
    enum dc_status rc = as_list ? writer_begin(writer, key, sentence_fields, 1, err) : DC_OK;
    json_array_foreach(sentences, i, sentence) {
        const struct writer_value value = writer_text(json_string_value(sentence));
        if (rc == DC_OK)
            rc = as_list ? writer_row(writer, &value, err) : writer_line(writer, err, "%-10s %s", label, value.text);
    }
    return rc == DC_OK && as_list ? writer_end(writer, err) : rc;
}

static enum dc_status write_check(const struct cli *cli, const struct plan *plan, const struct plan_check *check,
                                  struct dc_error *err) {
    const bool as_list = cli->format == CLI_JSON;
    const size_t n = json_array_size(check->violations);
    struct cli_page page;
    enum dc_status rc = cli_page_open(cli, &page, err);
    if (rc != DC_OK)
        return rc;
    rc = write_sentences(page.writer, "violations", "violation", as_list, check->violations, err);
    if (rc == DC_OK)
        rc = write_sentences(page.writer, "warnings", "warning", as_list, check->warnings, err);
    if (rc == DC_OK)
        rc = writer_line(page.writer, err, "plan %s: %zu steps replayed, %zu violation%s", plan->id, plan->n_steps, n,
                         n == 1 ? "" : "s");
    if (rc == DC_OK)
        rc = cli_page_emit(cli, &page, err);
    cli_page_dispose(&page);
    return rc;
}

enum dc_status cmd_verify(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct plan plan = {0};
    struct fleet fleet = {0};
    struct plan_check check = {0};
    enum dc_status rc = plan_doc_read_file(cli->arguments.items[0], &plan, err);
    if (rc == DC_OK)
        rc = cli_load_fleet(cli, &fleet, err);
    if (rc == DC_OK)
        rc = plan_check_run(&plan, &fleet, &check, err);
    if (rc == DC_OK)
        rc = write_check(cli, &plan, &check, err);
    if (rc == DC_OK && json_array_size(check.violations) > 0)
        *exit_out = CLI_EXIT_INFEASIBLE;
    plan_check_dispose(&check);
    fleet_doc_dispose(&fleet);
    plan_doc_dispose(&plan);
    return rc;
}
