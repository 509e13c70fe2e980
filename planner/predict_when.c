/* decamp predict --when: the best hour of the next 24 to start in, from a
 * history whose bursts say when they were taken. The hours begin with the one in which the
 * fleet was asked for, by the local clock. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/predict.h"

#include "base/units.h"
#include "model/calibration.h"
#include "model/season.h"

#include <time.h>

enum {
    COLUMN_START,
    COLUMN_MIGRATION,
    COLUMN_DOWNTIME,
    COLUMN_BURSTS,
    COLUMN_BASIS,
    COLUMN_CONVERGES,
    COLUMN_BEST,
    N_COLUMNS,
};

static const struct writer_field columns[N_COLUMNS] = {
    [COLUMN_START] = {"start_unix_ms", "START", WRITER_TIME, false},
    [COLUMN_MIGRATION] = {"migration_ms", "MIGRATION p50/90/95", WRITER_SPREAD, false},
    [COLUMN_DOWNTIME] = {"downtime_ms", "DOWNTIME p50/90/95", WRITER_SPREAD, false},
    [COLUMN_BURSTS] = {"n_bursts", "BURSTS", WRITER_COUNT, false},
    [COLUMN_BASIS] = {"basis", "BASIS", WRITER_TEXT, false},
    [COLUMN_CONVERGES] = {"converges", "CONVERGES", WRITER_BOOL, false},
    [COLUMN_BEST] = {"best", "BEST", WRITER_BOOL, false},
};

struct day {
    size_t n_hours;
    struct season_hour hours[SEASON_HOURS];
    size_t best;    /* n_hours: none */
    bool is_cyclic; /* some hour rests on its own bursts, not on those of all hours */
};

static enum dc_status forecast_day(const struct predict_question *question, struct season_clock clock, struct day *day,
                                   struct dc_error *err) {
    const struct prediction_input input = forecast_input(question->vm);
    const enum dc_status rc =
        season_forecast(&input, question->bandwidth_bytes_per_s, clock, day->hours, &day->n_hours, err);
    if (rc != DC_OK)
        return error_prefix(err, "cannot say when VM %s migrates best", question->vm->name);
    for (size_t i = 0; i < day->n_hours; i++) {
        struct prediction_point *point = &day->hours[i].point;
        point->migration_ms = calibration_widen(point->migration_ms, question->vm->spread_frac);
        point->downtime_ms = calibration_widen(point->downtime_ms, question->vm->spread_frac);
        day->is_cyclic |= day->hours[i].basis != DIRTY_BASIS_ALL;
    }
    day->best = day->is_cyclic ? season_best(day->hours, day->n_hours, question->max_downtime_ms) : day->n_hours;
    return DC_OK;
}

static enum dc_status add_hour(const struct day *day, size_t i, struct predict_report *report, struct dc_error *err) {
    const struct season_hour *hour = &day->hours[i];
    const struct writer_value values[N_COLUMNS] = {
        [COLUMN_START] = writer_number((double)hour->start_unix_ms),
        [COLUMN_MIGRATION] = predict_report_spread(&hour->point.migration_ms),
        [COLUMN_DOWNTIME] = predict_report_spread(&hour->point.downtime_ms),
        [COLUMN_BURSTS] = writer_number((double)hour->n_bursts),
        [COLUMN_BASIS] = writer_text(dirty_basis_texts[hour->basis]),
        [COLUMN_CONVERGES] = writer_number(hour->point.converges),
        [COLUMN_BEST] = writer_number(i == day->best),
    };
    return predict_report_row(report, values, err);
}

/* How sure it is that the hours differ; only bursts can tell. */
static enum dc_status add_cycle(const struct predict_question *question, struct season_clock clock,
                                struct predict_report *report, struct dc_error *err) {
    struct season_cycle cycle;
    if (question->vm->profile.kind != DIRTY_PROFILE_CURVE)
        return DC_OK;
    enum dc_status rc = season_find_cycle(&question->vm->profile, clock.utc_offset_s, &cycle, err);
    if (rc == DC_OK)
        rc = predict_report_fact(report, "cycle_p_value", WRITER_RATIO, writer_number(cycle.p_value), err);
    if (rc == DC_OK)
        rc = predict_report_note(report, err,
                                 "history: %zu bursts on %zu day%s; such differences between the hours come by chance "
                                 "with a probability of %.2g",
                                 question->vm->profile.n_bursts, cycle.n_days, cycle.n_days == 1 ? "" : "s",
                                 cycle.p_value);
    return rc;
}

static enum dc_status add_verdict(const struct predict_question *question, const struct day *day,
                                  struct predict_report *report, struct dc_error *err) {
    char downtime[UNITS_TEXT_BYTES];
    if (!day->is_cyclic)
        return predict_report_note(report, err,
                                   "no hour is known to be better than another: the history shows no "
                                   "daily cycle, or is too short for one");
    if (day->best < day->n_hours)
        return predict_report_fact(report, "best_start_unix_ms", WRITER_TIME,
                                   writer_number((double)day->hours[day->best].start_unix_ms), err);
    *question->exit_out = CLI_EXIT_INFEASIBLE;
    if (question->max_downtime_ms > 0)
        return predict_report_note(report, err, "in no hour does it converge and stay within a downtime of %s (p95)",
                                   units_format_duration(question->max_downtime_ms, downtime, sizeof(downtime)));
    return predict_report_note(report, err, "in no hour does it converge");
}

static enum dc_status add_facts(const struct predict_question *question, const struct day *day,
                                struct predict_report *report, struct dc_error *err) {
    char rate[UNITS_TEXT_BYTES];
    const double bandwidth = question->bandwidth_bytes_per_s;
    enum dc_status rc =
        predict_report_fact(report, "bandwidth_bytes_per_s", WRITER_RATE, writer_number(bandwidth), err);
    if (rc == DC_OK && question->max_downtime_ms > 0)
        rc = predict_report_fact(report, "max_downtime_ms", WRITER_DURATION, writer_number(question->max_downtime_ms),
                                 err);
    if (rc == DC_OK)
        rc = predict_report_fact(report, "cyclic", WRITER_BOOL, writer_number(day->is_cyclic), err);
    if (rc == DC_OK)
        rc = predict_report_head(report, err, "at %s, by the local clock; best: the shortest migration (p95)%s",
                                 units_format_rate(bandwidth, rate, sizeof(rate)),
                                 question->max_downtime_ms > 0 ? " that keeps the downtime budget" : "");
    return rc;
}

/* Seconds that local time is ahead of UTC at `unix_ms`. */
static int utc_offset_s(int64_t unix_ms) {
    const time_t seconds = (time_t)(unix_ms / 1000);
    struct tm local;
    return localtime_r(&seconds, &local) != NULL ? (int)local.tm_gmtoff : 0;
}

enum dc_status predict_when(const struct predict_question *question, struct predict_report *report,
                            struct dc_error *err) {
    const int64_t now_unix_ms = question->fleet->taken_unix_ms;
    const struct season_clock clock = {.now_unix_ms = now_unix_ms, .utc_offset_s = utc_offset_s(now_unix_ms)};
    struct day day = {0};
    enum dc_status rc = predict_report_init(report, "when", "hours", columns, N_COLUMNS, err);
    if (rc == DC_OK && now_unix_ms <= 0)
        return error_set(err, DC_EINVAL, "--when: the fleet document does not say when it was taken");
    if (rc == DC_OK)
        rc = forecast_day(question, clock, &day, err);
    if (rc == DC_OK)
        rc = add_facts(question, &day, report, err);
    for (size_t i = 0; rc == DC_OK && i < day.n_hours; i++)
        rc = add_hour(&day, i, report, err);
    if (rc == DC_OK)
        rc = add_cycle(question, clock, report, err);
    return rc == DC_OK ? add_verdict(question, &day, report, err) : rc;
}
