/* decamp accuracy [VM]: what was predicted and then observed, how far off that
 * was, and what calibration has learned from it. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/accuracy.h"
#include "planner/cmd.h"

enum {
    COLUMN_NAME,
    COLUMN_BEGAN,
    COLUMN_FROM,
    COLUMN_TO,
    COLUMN_MT_A,
    COLUMN_MT_P,
    COLUMN_MT_ERROR,
    COLUMN_DT_A,
    COLUMN_DT_P,
    COLUMN_DT_ERROR,
    COLUMN_SUCCEEDED,
    COLUMN_UUID,
    COLUMN_POLICY,
    COLUMN_BANDWIDTH,
    COLUMN_MT_P95,
    COLUMN_DT_P95,
    COLUMN_BYTES_A,
    COLUMN_BYTES_P,
    COLUMN_ROUNDS_A,
    COLUMN_ROUNDS_P,
    COLUMN_STARTUP,
    N_COLUMNS,
};

static const struct writer_field columns[N_COLUMNS] = {
    [COLUMN_NAME] = {"name", "VM", WRITER_TEXT, false},
    [COLUMN_BEGAN] = {"began_unix_ms", "BEGAN", WRITER_TIME, false},
    [COLUMN_FROM] = {"from", "FROM", WRITER_TEXT, false},
    [COLUMN_TO] = {"to", "TO", WRITER_TEXT, false},
    [COLUMN_MT_A] = {"migration_ms", "MT_A", WRITER_DURATION, false},
    [COLUMN_MT_P] = {"predicted_migration_ms", "MT_P", WRITER_DURATION, false},
    [COLUMN_MT_ERROR] = {"migration_error_frac", "ERR", WRITER_PERCENT, false},
    [COLUMN_DT_A] = {"downtime_ms", "DT_A", WRITER_DURATION, false},
    [COLUMN_DT_P] = {"predicted_downtime_ms", "DT_P", WRITER_DURATION, false},
    [COLUMN_DT_ERROR] = {"downtime_error_frac", "ERR", WRITER_PERCENT, false},
    [COLUMN_SUCCEEDED] = {"succeeded", "SUCCEEDED", WRITER_BOOL, true},
    [COLUMN_UUID] = {"vm", "UUID", WRITER_TEXT, true},
    [COLUMN_POLICY] = {"policy", "POLICY", WRITER_TEXT, true},
    [COLUMN_BANDWIDTH] = {"bandwidth_bytes_per_s", "PREDICTED AT", WRITER_RATE, true},
    [COLUMN_MT_P95] = {"predicted_migration_p95_ms", "MT_P p95", WRITER_DURATION, true},
    [COLUMN_DT_P95] = {"predicted_downtime_p95_ms", "DT_P p95", WRITER_DURATION, true},
    [COLUMN_BYTES_A] = {"bytes", "SENT", WRITER_BYTES, true},
    [COLUMN_BYTES_P] = {"predicted_bytes", "SENT P", WRITER_BYTES, true},
    [COLUMN_ROUNDS_A] = {"rounds", "ROUNDS", WRITER_COUNT, true},
    [COLUMN_ROUNDS_P] = {"predicted_rounds", "ROUNDS P", WRITER_COUNT, true},
    [COLUMN_STARTUP] = {"startup_ms", "START-UP", WRITER_DURATION, true},
};

static struct writer_value known_text(const char *text) {
    return text != NULL ? writer_text(text) : WRITER_UNKNOWN;
}

static struct writer_value known_number(double number) {
    return number >= 0 ? writer_number(number) : WRITER_UNKNOWN;
}

static struct writer_value error_of(const struct fleet_observation *seen, enum accuracy_figure figure) {
    double error_frac = 0;
    return accuracy_error(seen, figure, &error_frac) ? writer_number(error_frac) : WRITER_UNKNOWN;
}

static enum dc_status write_observation(const struct fleet_observation *seen, struct writer *writer,
                                        struct dc_error *err) {
    const struct fleet_foresight *predicted = &seen->predicted;
    struct writer_value values[N_COLUMNS] = {
        [COLUMN_NAME] = writer_text(seen->name != NULL ? seen->name : seen->vm),
        [COLUMN_BEGAN] = seen->began_unix_ms > 0 ? writer_number((double)seen->began_unix_ms) : WRITER_UNKNOWN,
        [COLUMN_FROM] = known_text(seen->from),
        [COLUMN_TO] = known_text(seen->to),
        [COLUMN_MT_A] = known_number(seen->migration_ms),
        [COLUMN_MT_ERROR] = error_of(seen, ACCURACY_MIGRATION),
        [COLUMN_DT_A] = known_number(seen->downtime_ms),
        [COLUMN_DT_ERROR] = error_of(seen, ACCURACY_DOWNTIME),
        [COLUMN_SUCCEEDED] = writer_number(seen->succeeded),
        [COLUMN_UUID] = writer_text(seen->vm),
        [COLUMN_POLICY] = known_text(seen->policy),
        [COLUMN_BYTES_A] = known_number(seen->bytes),
        [COLUMN_ROUNDS_A] = known_number(seen->n_rounds),
        [COLUMN_STARTUP] = known_number(seen->startup_ms),
    };
    if (predicted->bandwidth_bytes_per_s > 0) {
        values[COLUMN_BANDWIDTH] = writer_number(predicted->bandwidth_bytes_per_s);
        values[COLUMN_MT_P] = writer_number(predicted->migration_ms.p50);
        values[COLUMN_MT_P95] = writer_number(predicted->migration_ms.p95);
        values[COLUMN_DT_P] = writer_number(predicted->downtime_ms.p50);
        values[COLUMN_DT_P95] = writer_number(predicted->downtime_ms.p95);
        values[COLUMN_BYTES_P] = writer_number(predicted->bytes);
        values[COLUMN_ROUNDS_P] = writer_number(predicted->n_rounds);
    }
    return writer_row(writer, values, err);
}

/* Sets `*n_out` to how many were chosen. */
static enum dc_status write_observations(const struct fleet *fleet, const struct accuracy_choice *choice,
                                         struct writer *writer, size_t *n_out, struct dc_error *err) {
    enum dc_status rc = writer_begin(writer, "observations", columns, N_COLUMNS, err);
    *n_out = 0;
    for (size_t i = 0; rc == DC_OK && i < fleet->n_observations; i++) {
        if (!accuracy_chooses(choice, &fleet->observations[i]))
            continue;
        rc = write_observation(&fleet->observations[i], writer, err);
        (*n_out)++;
    }
    return rc == DC_OK ? writer_end(writer, err) : rc;
}

static enum dc_status write_accuracy(const struct fleet *fleet, const struct accuracy_choice *choice,
                                     struct writer *writer, struct dc_error *err) {
    static const struct writer_field fields[] = {
        {"figure", "FIGURE", WRITER_TEXT, false},
        {"n", "N", WRITER_COUNT, false},
        {"median_error_frac", "MEDIAN ERR", WRITER_SHARE, false},
        {"p90_error_frac", "90TH", WRITER_SHARE, false},
        {"bias_frac", "BIAS", WRITER_PERCENT, false},
        {"within_p95_frac", "WITHIN p95", WRITER_SHARE, false},
    };
    static const char *const names[ACCURACY_N_FIGURES] = {"migration time", "downtime", "bytes"};
    enum dc_status rc = writer_begin(writer, "accuracy", fields, sizeof(fields) / sizeof(fields[0]), err);
    for (unsigned i = 0; rc == DC_OK && i < ACCURACY_N_FIGURES; i++) {
        struct accuracy accuracy;
        rc = accuracy_judge(fleet, choice, (enum accuracy_figure)i, &accuracy, err);
        if (rc != DC_OK || accuracy.n == 0)
            continue;
        const struct writer_value values[] = {
            writer_text(names[i]),
            writer_number((double)accuracy.n),
            writer_number(accuracy.median_frac),
            writer_number(accuracy.p90_frac),
            writer_number(accuracy.bias_frac),
            accuracy.has_p95 ? writer_number(accuracy.within_p95_frac) : WRITER_UNKNOWN,
        };
        rc = writer_row(writer, values, err);
    }
    return rc == DC_OK ? writer_end(writer, err) : rc;
}

static enum dc_status write_calibration(const struct fleet *fleet, struct writer *writer, struct dc_error *err) {
    static const struct writer_field fields[] = {
        {"from", "FROM", WRITER_TEXT, false},
        {"to", "TO", WRITER_TEXT, false},
        {"n", "LEARNED FROM", WRITER_COUNT, false},
        {"pre_ms", "PRE", WRITER_DURATION, false},
        {"post_ms", "POST", WRITER_DURATION, false},
        {"goodput_frac", "GOODPUT", WRITER_RATIO, false},
        {"startup_ms", "START-UP", WRITER_DURATION, false},
        {"spread_frac", "SPREAD", WRITER_RATIO, false},
    };
    enum dc_status rc = writer_begin(writer, "calibration", fields, sizeof(fields) / sizeof(fields[0]), err);
    for (size_t i = 0; rc == DC_OK && i < fleet->n_calibration; i++) {
        const struct calibration *learned = &fleet->calibration[i];
        const struct writer_value values[] = {
            known_text(learned->from),          known_text(learned->to),
            writer_number((double)learned->n),  writer_number(learned->pre_ms),
            writer_number(learned->post_ms),    writer_number(learned->goodput_frac),
            writer_number(learned->startup_ms), writer_number(learned->spread_frac),
        };
        rc = writer_row(writer, values, err);
    }
    return rc == DC_OK ? writer_end(writer, err) : rc;
}

static enum dc_status write_all(const struct fleet *fleet, const struct accuracy_choice *choice, struct writer *writer,
                                struct dc_error *err) {
    size_t n = 0;
    enum dc_status rc = write_observations(fleet, choice, writer, &n, err);
    if (rc == DC_OK && n == 0 && choice->vm != NULL)
        return error_set(err, DC_ENOTFOUND, "no migration of a VM called %s was observed", choice->vm);
    if (rc == DC_OK && n == 0)
        rc = writer_line(writer, err, "no migration was observed");
    if (rc == DC_OK && n > 0)
        rc = writer_line(writer, err, "%s", "");
    if (rc == DC_OK)
        rc = write_accuracy(fleet, choice, writer, err);
    if (rc == DC_OK && n > 0 && fleet->n_calibration > 0)
        rc = writer_line(writer, err, "%s", "");
    return rc == DC_OK ? write_calibration(fleet, writer, err) : rc;
}

enum dc_status cmd_accuracy(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct accuracy_choice choice = {.vm = cli->arguments.n > 0 ? cli->arguments.items[0] : NULL};
    struct fleet fleet = {0};
    struct cli_page page = {0};
    *exit_out = CLI_EXIT_OK;
    enum dc_status rc = cli_read_fleet(cli, &fleet, err);
    if (rc == DC_OK && cli->since_ms > 0)
        choice.since_unix_ms = fleet.taken_unix_ms - (int64_t)cli->since_ms;
    if (rc == DC_OK)
        rc = cli_page_open(cli, &page, err);
    if (rc == DC_OK)
        rc = write_all(&fleet, &choice, page.writer, err);
    if (rc == DC_OK)
        rc = cli_page_emit(cli, &page, err);
    cli_page_dispose(&page);
    fleet_doc_dispose(&fleet);
    return rc;
}
