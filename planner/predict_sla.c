/* decamp predict --sla: how many migrations a month an availability has room for. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/predict.h"

#include "base/units.h"
#include "model/sla.h"

enum {
    COLUMN_BANDWIDTH,
    COLUMN_DOWNTIME,
    COLUMN_MIGRATION,
    COLUMN_PER_MONTH_P95,
    COLUMN_PER_MONTH_P50,
    COLUMN_CONVERGES,
    N_COLUMNS,
};

static const struct writer_field columns[N_COLUMNS] = {
    [COLUMN_BANDWIDTH] = {"bandwidth_bytes_per_s", "BANDWIDTH", WRITER_RATE, false},
    [COLUMN_DOWNTIME] = {"downtime_ms", "DOWNTIME p50/90/95", WRITER_SPREAD, false},
    [COLUMN_MIGRATION] = {"migration_ms", "MIGRATION p50/90/95", WRITER_SPREAD, true},
    [COLUMN_PER_MONTH_P95] = {"migrations_per_month_p95", "A MONTH (p95)", WRITER_COUNT, false},
    [COLUMN_PER_MONTH_P50] = {"migrations_per_month_p50", "A MONTH (p50)", WRITER_COUNT, false},
    [COLUMN_CONVERGES] = {"converges", "CONVERGES", WRITER_BOOL, false},
};

static enum dc_status add_point(const struct prediction_point *point, double allowance_ms,
                                struct predict_report *report, struct dc_error *err) {
    const struct prediction_quantiles *down = &point->downtime_ms;
    const struct prediction_quantiles *whole = &point->migration_ms;
    struct writer_value values[N_COLUMNS] = {
        [COLUMN_BANDWIDTH] = writer_number(point->bandwidth_bytes_per_s),
        [COLUMN_CONVERGES] = writer_number(point->converges),
    };
    if (point->converges) {
        values[COLUMN_DOWNTIME] = predict_report_spread(down);
        values[COLUMN_MIGRATION] = predict_report_spread(whole);
        values[COLUMN_PER_MONTH_P95] = writer_number(sla_migrations(allowance_ms, sla_month_ms, whole->p95, down->p95));
        values[COLUMN_PER_MONTH_P50] = writer_number(sla_migrations(allowance_ms, sla_month_ms, whole->p50, down->p50));
    }
    return predict_report_row(report, values, err);
}

static enum dc_status add_notes(const struct prediction *prediction, struct predict_report *report,
                                struct dc_error *err) {
    enum dc_status rc = predict_report_note(
        report, err, "assumed: a month of 30 days, in which no other downtime uses up the allowance");
    if (rc == DC_OK)
        rc = predict_report_note(report, err,
                                 "assumed: with p95 every migration is as bad as the worst in twenty, which is the "
                                 "worst case; with p50 every one is a typical one");
    for (size_t i = 0; rc == DC_OK && i < prediction->n_points; i++) {
        if (!prediction->points[i].converges)
            return predict_report_note(report, err, "where it does not converge, no migration fits: it never ends");
    }
    return rc;
}

enum dc_status predict_sla(const struct predict_question *question, struct predict_report *report,
                           struct dc_error *err) {
    const double frac = question->cli->predict.sla_frac;
    const double allowance_ms = sla_allowance_ms(frac, sla_month_ms);
    struct forecast forecast = {0};
    struct forecast_wish wish = question->wish;
    char allowance[UNITS_TEXT_BYTES];
    wish.nic_only = true;
    enum dc_status rc = predict_report_init(report, "sla", "points", columns, N_COLUMNS, err);
    if (rc == DC_OK)
        rc = forecast_make(question->fleet, question->vm, &wish, &forecast, err);
    if (rc == DC_OK)
        rc = predict_report_head(report, err, "availability %.10g %%: %s of downtime allowed in 30 days", frac * 100,
                                 units_format_duration(allowance_ms, allowance, sizeof(allowance)));
    if (rc == DC_OK)
        rc = predict_report_fact(report, "availability_frac", WRITER_PERCENT, writer_number(frac), err);
    if (rc == DC_OK)
        rc = predict_report_fact(report, "month_ms", WRITER_DURATION, writer_number(sla_month_ms), err);
    if (rc == DC_OK)
        rc = predict_report_fact(report, "allowance_ms", WRITER_DURATION, writer_number(allowance_ms), err);
    for (size_t i = 0; rc == DC_OK && i < forecast.prediction.n_points; i++)
        rc = add_point(&forecast.prediction.points[i], allowance_ms, report, err);
    if (rc == DC_OK)
        rc = add_notes(&forecast.prediction, report, err);
    forecast_dispose(&forecast);
    return rc;
}
