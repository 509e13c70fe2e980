/* decamp predict --curve: the two curves of Akoush et al. (MASCOTS 2010),
 * migration time and downtime against bandwidth and against dirty rate, with the
 * region where the migration stops converging.
 *
 * Dirty rates: the recorded history played f times as fast, W_f(t) = W(f t):
 * the same pages, dirtied sooner. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/predict.h"

#include "base/units.h"
#include "planner/predict_verdict.h"
#include "planner/text_chart.h"

#include <langinfo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { N_POINTS = 17, SPAN = 256, CHART_COLUMNS = 80, CHART_MOST_COLUMNS = 110, CHART_ROWS = 8 };

static const double SLOWEST_FACTOR = 1.0 / 16; /* of the recorded dirty rate; the fastest is its inverse */

enum {
    COLUMN_BANDWIDTH,
    COLUMN_FACTOR,
    COLUMN_RATE,
    COLUMN_MIGRATION,
    COLUMN_DOWNTIME,
    COLUMN_BYTES,
    COLUMN_ROUNDS,
    COLUMN_VERDICT,
    N_COLUMNS,
};

static const struct writer_field columns[N_COLUMNS] = {
    [COLUMN_BANDWIDTH] = {"bandwidth_bytes_per_s", "BANDWIDTH", WRITER_RATE, false},
    [COLUMN_FACTOR] = {"rate_factor", "TIMES", WRITER_RATIO, false},
    [COLUMN_RATE] = {"dirty_rate_pages_per_s", "DIRTY PAGES/s", WRITER_COUNT, false},
    [COLUMN_MIGRATION] = {"migration_ms", "MIGRATION p50/90/95", WRITER_SPREAD, false},
    [COLUMN_DOWNTIME] = {"downtime_ms", "DOWNTIME p50/90/95", WRITER_SPREAD, false},
    [COLUMN_BYTES] = {"bytes", "SENT", WRITER_BYTES, false},
    [COLUMN_ROUNDS] = {"rounds", "ROUNDS", WRITER_COUNT, false},
    [COLUMN_VERDICT] = {"verdict", "VERDICT", WRITER_TEXT, false},
};

/* The curve as it was computed. */
struct curve {
    bool by_rate;
    double x[N_POINTS];     /* bytes/s, or the factor of the dirty rate */
    double rates[N_POINTS]; /* by_rate: pages/s, the mean over windows of 1 s */
    struct prediction_point points[N_POINTS];
    enum predict_verdict verdicts[N_POINTS];
    bool shaded[N_POINTS];
    enum predict_verdict worst;
};

static enum dc_status add_row(struct curve *curve, size_t i, struct predict_report *report, struct dc_error *err) {
    const struct prediction_point *point = &curve->points[i];
    const enum predict_verdict verdict = curve->verdicts[i];
    struct writer_value values[N_COLUMNS] = {
        [COLUMN_MIGRATION] = predict_report_spread(&point->migration_ms),
        [COLUMN_DOWNTIME] = predict_report_spread(&point->downtime_ms),
        [COLUMN_BYTES] = writer_number(point->bytes),
        [COLUMN_ROUNDS] = writer_number(point->n_rounds),
        [COLUMN_VERDICT] = writer_text(predict_verdict_text(verdict)),
    };
    if (curve->by_rate) {
        values[COLUMN_FACTOR] = writer_number(curve->x[i]);
        values[COLUMN_RATE] = writer_number(curve->rates[i]);
    } else {
        values[COLUMN_BANDWIDTH] = writer_number(point->bandwidth_bytes_per_s);
    }
    curve->shaded[i] = predict_verdict_is_bad(verdict);
    curve->worst = verdict > curve->worst ? verdict : curve->worst;
    return predict_report_row(report, values, err);
}

static void quicken(struct dirty_curve *curve, double factor) {
    for (size_t i = 0; i < curve->n_points; i++)
        curve->points[i].window_s /= factor;
}

static enum dc_status predict_at_rate(const struct predict_question *question, double factor, double *rate_out,
                                      struct prediction_point *point_out, enum predict_verdict *verdict_out,
                                      struct dc_error *err) {
    struct prediction_input input = forecast_input(question->vm);
    struct dirty_profile profile = {0};
    struct prediction prediction = {0};
    enum dc_status rc = dirty_profile_copy(input.profile, &profile, err);
    if (rc == DC_OK) {
        for (size_t i = 0; i < profile.n_bursts; i++)
            quicken(&profile.bursts[i].curve, factor);
        quicken(&profile.p50, factor);
        quicken(&profile.p95, factor);
        profile.pages_per_s *= factor;
        input.profile = &profile;
        *rate_out = dirty_profile_average_rate(&profile, 1);
        rc = forecast_predict(question->vm, &input, &question->bandwidth_bytes_per_s, 1, &prediction, err);
    }
    if (rc == DC_OK) {
        *point_out = prediction.points[0];
        rc = predict_verdict_of(&input, point_out, verdict_out, err);
    }
    prediction_dispose(&prediction);
    dirty_profile_dispose(&profile);
    return rc;
}

static enum dc_status compute_by_rate(const struct predict_question *question, struct curve *curve,
                                      struct dc_error *err) {
    enum dc_status rc = DC_OK;
    prediction_grid(SLOWEST_FACTOR, 1 / SLOWEST_FACTOR, N_POINTS, curve->x);
    for (size_t i = 0; rc == DC_OK && i < N_POINTS; i++)
        rc = predict_at_rate(question, curve->x[i], &curve->rates[i], &curve->points[i], &curve->verdicts[i], err);
    return rc;
}

/* A published prediction says no more than whether it converges. */
static enum dc_status judge_points(const struct predict_question *question, struct curve *curve, struct dc_error *err) {
    const struct prediction_input input = forecast_input(question->vm);
    const bool simulated = forecast_has_profile(question->vm) && !question->wish.from_prediction;
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < N_POINTS; i++) {
        if (simulated)
            rc = predict_verdict_of(&input, &curve->points[i], &curve->verdicts[i], err);
        else
            curve->verdicts[i] = curve->points[i].converges ? PREDICT_CONVERGES : PREDICT_ENDLESS;
    }
    return rc;
}

static enum dc_status compute_by_bandwidth(const struct predict_question *question, struct curve *curve,
                                           struct predict_report *report, struct dc_error *err) {
    struct forecast forecast;
    struct forecast_wish wish = question->wish;
    prediction_grid(question->bandwidth_bytes_per_s / SPAN, question->bandwidth_bytes_per_s, N_POINTS, curve->x);
    wish.n_bandwidths = N_POINTS;
    wish.bandwidths_bytes_per_s = curve->x;
    enum dc_status rc = forecast_make(question->fleet, question->vm, &wish, &forecast, err);
    if (rc != DC_OK)
        return rc;
    memcpy(curve->points, forecast.prediction.points, N_POINTS * sizeof(curve->points[0]));
    rc = judge_points(question, curve, err);
    if (rc == DC_OK && forecast.lowest_bytes_per_s > 0)
        rc = predict_report_fact(report, "lowest_bandwidth_bytes_per_s", WRITER_RATE,
                                 writer_number(forecast.lowest_bytes_per_s), err);
    char budget[UNITS_TEXT_BYTES], lowest[UNITS_TEXT_BYTES];
    (void)units_format_duration(question->max_downtime_ms, budget, sizeof(budget));
    (void)units_format_rate(forecast.lowest_bytes_per_s, lowest, sizeof(lowest));
    if (rc == DC_OK && question->max_downtime_ms > 0 && forecast.lowest_bytes_per_s > 0)
        rc = predict_report_note(report, err, "a downtime of %s (p95) is kept from %s on", budget, lowest);
    else if (rc == DC_OK && question->max_downtime_ms > 0)
        rc = predict_report_note(report, err, "a downtime of %s (p95) is kept at no bandwidth", budget);
    forecast_dispose(&forecast);
    return rc;
}

/* Where on the curve it stops converging: in words and as facts. */
static enum dc_status add_region(const struct curve *curve, struct predict_report *report, struct dc_error *err) {
    const char *what =
        curve->worst == PREDICT_ENDLESS ? "does not converge" : "stops converging: only a limit of its policy ends it";
    char text[UNITS_TEXT_BYTES];
    size_t first = 0;
    size_t last = N_POINTS;
    while (first < N_POINTS && !curve->shaded[first])
        first++;
    while (last > 0 && !curve->shaded[last - 1])
        last--;
    if (first == N_POINTS)
        return predict_report_note(report, err,
                                   "it converges, or still shrinks when a limit ends it, everywhere on this curve");
    if (curve->by_rate) {
        const enum dc_status rc = predict_report_fact(report, "not_convergent_from_rate_factor", WRITER_RATIO,
                                                      writer_number(curve->x[first]), err);
        return rc != DC_OK ? rc
                           : predict_report_note(report, err, "from %.3g times the recorded dirty rate on it %s",
                                                 curve->x[first], what);
    }
    const enum dc_status rc = predict_report_fact(report, "not_convergent_up_to_bytes_per_s", WRITER_RATE,
                                                  writer_number(curve->x[last - 1]), err);
    return rc != DC_OK ? rc
                       : predict_report_note(report, err, "up to %s it %s",
                                             units_format_rate(curve->x[last - 1], text, sizeof(text)), what);
}

static char *format_factor(double value, char *text, size_t text_bytes) {
    (void)snprintf(text, text_bytes, "x %.3g", value);
    return text;
}

/* Of the terminal that standard output is; 0 where it is none. */
static size_t terminal_columns(const struct cli *cli) {
    struct winsize size;
    if (cli->out_path != NULL || isatty(STDOUT_FILENO) != 1)
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return CHART_COLUMNS;
    return size.ws_col < CHART_MOST_COLUMNS ? size.ws_col : CHART_MOST_COLUMNS;
}

static char *draw(const struct curve *curve, bool downtime, size_t terminal) {
    double p50[N_POINTS], p95[N_POINTS];
    for (size_t i = 0; i < N_POINTS; i++) {
        const struct prediction_point *point = &curve->points[i];
        p50[i] = downtime ? point->downtime_ms.p50 : point->migration_ms.p50;
        p95[i] = downtime ? point->downtime_ms.p95 : point->migration_ms.p95;
    }
    const struct text_chart chart = {
        .title = downtime ? "downtime (p50 and p95)" : "migration time (p50 and p95)",
        .n_points = N_POINTS,
        .x = curve->x,
        .n_lines = 2,
        .y = {p50, p95},
        .shaded = curve->shaded,
        .format_x = curve->by_rate ? format_factor : units_format_rate,
        .format_y = units_format_duration,
        .columns = terminal,
        .rows = CHART_ROWS,
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
    };
    return text_chart_draw(&chart);
}

static enum dc_status add_chart(const struct predict_question *question, const struct curve *curve,
                                struct predict_report *report, struct dc_error *err) {
    const size_t terminal = terminal_columns(question->cli);
    if (terminal == 0)
        return DC_OK;
    char *migration = draw(curve, false, terminal);
    char *downtime = draw(curve, true, terminal);
    const bool ok = migration != NULL && downtime != NULL &&
                    asprintf(&report->chart, "%s\n%s\nagainst %s, both axes logarithmic%s", migration, downtime,
                             curve->by_rate ? "the dirty rate, times the recorded one" : "the bandwidth",
                             predict_verdict_is_bad(curve->worst) ? "; shaded: it does not converge" : "") >= 0;
    if (!ok)
        report->chart = NULL;
    free(migration);
    free(downtime);
    return ok ? DC_OK : error_set_nomem(err);
}

enum dc_status predict_curve(const struct predict_question *question, struct predict_report *report,
                             struct dc_error *err) {
    struct curve curve = {.by_rate = question->cli->predict.curve == CLI_CURVE_RATE};
    char bandwidth[UNITS_TEXT_BYTES];
    enum dc_status rc = predict_report_init(report, "curve", "points", columns, N_COLUMNS, err);
    if (rc == DC_OK)
        rc = predict_report_fact(report, "against", WRITER_TEXT,
                                 writer_text(curve.by_rate ? "dirty_rate" : "bandwidth"), err);
    if (rc == DC_OK && question->max_downtime_ms > 0)
        rc = predict_report_fact(report, "max_downtime_ms", WRITER_DURATION, writer_number(question->max_downtime_ms),
                                 err);
    if (rc == DC_OK && curve.by_rate)
        rc = predict_report_head(report, err, "at %s; dirty rates: the recorded history played so many times as fast",
                                 units_format_rate(question->bandwidth_bytes_per_s, bandwidth, sizeof(bandwidth)));
    if (rc == DC_OK && curve.by_rate)
        rc = predict_report_fact(report, "bandwidth_bytes_per_s", WRITER_RATE,
                                 writer_number(question->bandwidth_bytes_per_s), err);
    if (rc == DC_OK)
        rc = curve.by_rate ? compute_by_rate(question, &curve, err)
                           : compute_by_bandwidth(question, &curve, report, err);
    for (size_t i = 0; rc == DC_OK && i < N_POINTS; i++)
        rc = add_row(&curve, i, report, err);
    if (rc == DC_OK)
        rc = add_region(&curve, report, err);
    return rc == DC_OK ? add_chart(question, &curve, report, err) : rc;
}
