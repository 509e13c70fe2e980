/*
 * Groups of a history by the hour: the test for a daily cycle, the curves of
 * the hours to come, and predictions from them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/season.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

enum {
    HOURS_A_WEEK = 168,
    MIN_BURSTS = 2, /* of an hour's group; fewer have no spread at all */
};

static const int64_t HOUR_MS = INT64_C(3600) * 1000;
static const double TWO_WEEKS_S = 14.0 * 86400;
static const double COMPARED_WINDOW_S = 8;     /* as long as a round of a busy guest; half the usual curve lies below */
static const double CHANCE_OF_AN_ERROR = 0.01; /* of calling a history cyclic that is not */
static const double MEDIAN = 0.50;
static const double HIGH = 0.95;

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* Local hours since 1970. */
static int64_t hour_number(int64_t unix_ms, int utc_offset_s) {
    return floor_div(unix_ms + (int64_t)utc_offset_s * 1000, HOUR_MS);
}

static size_t hour_within(int64_t hour, int64_t period) {
    return (size_t)(hour - floor_div(hour, period) * period);
}

static bool has_time(const struct dirty_burst *burst) {
    return burst->at_unix_ms > 0;
}

/* --- the test for a cycle --- */

/* The mean of the bursts of one hour of one day. */
struct cell {
    int64_t hour;
    double sum;
    size_t n;
};

/* How much a VM dirties, on a scale on which "twice as much" is one distance. */
static double activity(const struct dirty_burst *burst) {
    return log(dirty_curve_pages(&burst->curve, COMPARED_WINDOW_S, INFINITY) + 1);
}

static int compare_cells(const void *left, const void *right) {
    const int64_t a = ((const struct cell *)left)->hour;
    const int64_t b = ((const struct cell *)right)->hour;
    return (a > b) - (a < b);
}

/* Cells of one burst each. */
static size_t burst_cells(const struct dirty_profile *profile, int utc_offset_s, struct cell *cells) {
    size_t n = 0;
    for (size_t i = 0; i < profile->n_bursts; i++) {
        if (has_time(&profile->bursts[i]))
            cells[n++] = (struct cell){hour_number(profile->bursts[i].at_unix_ms, utc_offset_s),
                                       activity(&profile->bursts[i]), 1};
    }
    qsort(cells, n, sizeof(*cells), compare_cells);
    return n;
}

/* Cells of one hour in one, in place. */
static size_t join_cells(struct cell *cells, size_t n) {
    size_t n_joined = 0;
    for (size_t i = 0; i < n; i++) {
        if (n_joined > 0 && cells[n_joined - 1].hour == cells[i].hour) {
            cells[n_joined - 1].sum += cells[i].sum;
            cells[n_joined - 1].n += cells[i].n;
        } else {
            cells[n_joined++] = cells[i];
        }
    }
    return n_joined;
}

static size_t count_days(const struct cell *cells, size_t n) {
    size_t n_days = 0;
    for (size_t i = 0; i < n; i++)
        n_days += i == 0 || floor_div(cells[i].hour, SEASON_HOURS) != floor_div(cells[i - 1].hour, SEASON_HOURS);
    return n_days;
}

/* The probability of differences as large as those between the hours of the day, were
 * there none; 1 where there are too few cells to tell. */
static double chance_of(const struct cell *cells, size_t n) {
    double sum[SEASON_HOURS] = {0}, squares = 0, total = 0;
    size_t count[SEASON_HOURS] = {0}, n_hours = 0;
    for (size_t i = 0; i < n; i++) {
        const double mean = cells[i].sum / (double)cells[i].n;
        const size_t hour = hour_within(cells[i].hour, SEASON_HOURS);
        n_hours += count[hour] == 0;
        count[hour]++;
        sum[hour] += mean;
        total += mean;
        squares += mean * mean;
    }
    if (n_hours < 2 || n <= n_hours)
        return 1;
    double of_hours = 0;
    for (size_t hour = 0; hour < SEASON_HOURS; hour++)
        of_hours += count[hour] > 0 ? sum[hour] * sum[hour] / (double)count[hour] : 0;
    const double between = of_hours - total * total / (double)n;
    /* A history without any noise is rounding away from 0 / 0. */
    const double within = fmax(squares - of_hours, 1e-12 * squares);
    if (!(between > 1e-9 * squares))
        return 1;
    const double free_between = (double)(n_hours - 1);
    const double free_within = (double)(n - n_hours);
    return gsl_cdf_fdist_Q(between / free_between / (within / free_within), free_between, free_within);
}

enum dc_status season_find_cycle(const struct dirty_profile *profile, int utc_offset_s, struct season_cycle *cycle_out,
                                 struct dc_error *err) {
    *cycle_out = (struct season_cycle){.p_value = 1};
    if (profile->kind != DIRTY_PROFILE_CURVE)
        return DC_OK;
    struct cell *cells = calloc(profile->n_bursts + 1, sizeof(*cells));
    if (cells == NULL)
        return error_set_nomem(err);
    size_t n = burst_cells(profile, utc_offset_s, cells);
    cycle_out->n_days = count_days(cells, n);
    /* Of one day alone, the bursts within an hour must do for its spread. */
    if (cycle_out->n_days > 1)
        n = join_cells(cells, n);
    cycle_out->span_s = n > 0 ? (double)(cells[n - 1].hour - cells[0].hour) * 3600 : 0;
    cycle_out->p_value = chance_of(cells, n);
    cycle_out->is_cyclic = cycle_out->p_value < CHANCE_OF_AN_ERROR;
    free(cells);
    return DC_OK;
}

/* --- the hours to come --- */

/* A history while hours are picked from it. */
struct history {
    const struct dirty_profile *profile;
    int utc_offset_s;
    struct season_cycle cycle;
    struct dirty_profile group; /* lent bursts in an own array with room for all */
    enum dirty_basis basis;     /* of the group */
};

static void history_dispose(struct history *history) {
    free(history->group.bursts);
}

static enum dc_status history_init(struct history *history, const struct dirty_profile *profile, int utc_offset_s,
                                   struct dc_error *err) {
    *history = (struct history){.profile = profile, .utc_offset_s = utc_offset_s};
    history->group = (struct dirty_profile){.kind = DIRTY_PROFILE_CURVE, .zero_pages = profile->zero_pages};
    history->group.bursts = calloc(profile->n_bursts + 1, sizeof(history->group.bursts[0]));
    if (history->group.bursts == NULL) {
        (void)error_set_nomem(err);
        return DC_ENOMEM;
    }
    const enum dc_status rc = season_find_cycle(profile, utc_offset_s, &history->cycle, err);
    if (rc == DC_OK && history->cycle.n_days == 0)
        return error_set(err, DC_ENOTFOUND, "no burst of the history says when it was taken");
    return rc;
}

/* The bursts of `basis` for the local hour `hour` become the group. */
static void take_group(struct history *history, enum dirty_basis basis, int64_t hour) {
    static const int64_t periods[] = {
        [DIRTY_BASIS_HOUR_OF_WEEK] = HOURS_A_WEEK, [DIRTY_BASIS_HOUR_OF_DAY] = SEASON_HOURS, [DIRTY_BASIS_ALL] = 1};
    const size_t wanted = hour_within(hour, periods[basis]);
    history->basis = basis;
    history->group.n_bursts = 0;
    const struct dirty_burst *burst = history->profile->bursts;
    for (size_t i = 0; i < history->profile->n_bursts; i++, burst++) {
        if (has_time(burst) &&
            hour_within(hour_number(burst->at_unix_ms, history->utc_offset_s), periods[basis]) == wanted)
            history->group.bursts[history->group.n_bursts++] = *burst;
    }
}

/* The narrowest group that has enough bursts. */
static void choose_group(struct history *history, int64_t hour) {
    if (history->cycle.is_cyclic && history->cycle.span_s >= TWO_WEEKS_S) {
        take_group(history, DIRTY_BASIS_HOUR_OF_WEEK, hour);
        if (history->group.n_bursts >= MIN_BURSTS)
            return;
    }
    if (history->cycle.is_cyclic) {
        take_group(history, DIRTY_BASIS_HOUR_OF_DAY, hour);
        if (history->group.n_bursts >= MIN_BURSTS)
            return;
    }
    take_group(history, DIRTY_BASIS_ALL, hour);
}

static int64_t start_of(int64_t hour, int utc_offset_s) {
    return hour * HOUR_MS - (int64_t)utc_offset_s * 1000;
}

enum dc_status season_curves(const struct dirty_profile *profile, struct season_clock clock,
                             struct dirty_hour hours_out[SEASON_HOURS], struct dc_error *err) {
    struct history history;
    size_t n = 0;
    enum dc_status rc = history_init(&history, profile, clock.utc_offset_s, err);
    const int64_t first = hour_number(clock.now_unix_ms, clock.utc_offset_s);
    for (; rc == DC_OK && n < SEASON_HOURS; n++) {
        choose_group(&history, first + (int64_t)n);
        hours_out[n] = (struct dirty_hour){.start_unix_ms = start_of(first + (int64_t)n, clock.utc_offset_s),
                                           .basis = history.basis,
                                           .n_bursts = history.group.n_bursts};
        rc = dirty_profile_quantile(&history.group, MEDIAN, &hours_out[n].p50, err);
        if (rc == DC_OK)
            rc = dirty_profile_quantile(&history.group, HIGH, &hours_out[n].p95, err);
    }
    for (; rc != DC_OK && n > 0; n--)
        dirty_hour_dispose(&hours_out[n - 1]);
    history_dispose(&history);
    return rc;
}

/* One point from `profile` in place of the input's own. */
static enum dc_status predict_hour(const struct prediction_input *input, const struct dirty_profile *profile,
                                   double bandwidth_bytes_per_s, struct prediction_point *point_out,
                                   struct dc_error *err) {
    struct prediction_input of_hour = *input;
    struct prediction prediction;
    of_hour.profile = profile;
    const enum dc_status rc = prediction_make(&of_hour, &bandwidth_bytes_per_s, 1, 0, &prediction, err);
    if (rc == DC_OK)
        *point_out = prediction.points[0];
    prediction_dispose(&prediction);
    return rc;
}

static enum dc_status forecast_history(const struct prediction_input *input, double bandwidth_bytes_per_s,
                                       struct season_clock clock, struct season_hour *hours, struct dc_error *err) {
    struct history history;
    enum dc_status rc = history_init(&history, input->profile, clock.utc_offset_s, err);
    const int64_t first = hour_number(clock.now_unix_ms, clock.utc_offset_s);
    for (int i = 0; rc == DC_OK && i < SEASON_HOURS; i++) {
        choose_group(&history, first + i);
        hours[i] = (struct season_hour){.start_unix_ms = start_of(first + i, clock.utc_offset_s),
                                        .basis = history.basis,
                                        .n_bursts = history.group.n_bursts};
        rc = predict_hour(input, &history.group, bandwidth_bytes_per_s, &hours[i].point, err);
    }
    history_dispose(&history);
    return rc;
}

/* The hours that an agent made of its history, as far as they have not passed. */
static enum dc_status forecast_hours(const struct prediction_input *input, double bandwidth_bytes_per_s,
                                     int64_t from_unix_ms, struct season_hour *hours, size_t *n_out,
                                     struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < input->profile->n_hours && *n_out < SEASON_HOURS; i++) {
        const struct dirty_hour *of = &input->profile->hours[i];
        if (of->start_unix_ms + HOUR_MS <= from_unix_ms)
            continue;
        const struct dirty_profile curves = {
            .kind = DIRTY_PROFILE_QUANTILES, .zero_pages = input->profile->zero_pages, .p50 = of->p50, .p95 = of->p95};
        struct season_hour *hour = &hours[(*n_out)++];
        *hour = (struct season_hour){.start_unix_ms = of->start_unix_ms, .basis = of->basis, .n_bursts = of->n_bursts};
        rc = predict_hour(input, &curves, bandwidth_bytes_per_s, &hour->point, err);
    }
    return rc;
}

enum dc_status season_forecast(const struct prediction_input *input, double bandwidth_bytes_per_s,
                               struct season_clock clock, struct season_hour hours_out[SEASON_HOURS], size_t *n_out,
                               struct dc_error *err) {
    *n_out = 0;
    enum dc_status rc = DC_OK;
    if (input->profile->kind == DIRTY_PROFILE_CURVE) {
        rc = forecast_history(input, bandwidth_bytes_per_s, clock, hours_out, err);
        *n_out = SEASON_HOURS;
    } else {
        rc = forecast_hours(input, bandwidth_bytes_per_s, clock.now_unix_ms, hours_out, n_out, err);
    }
    if (rc == DC_OK && *n_out == 0)
        rc = error_set(err, DC_ENOTFOUND, "its profile says nothing about the hours to come");
    return rc;
}

size_t season_best(const struct season_hour *hours, size_t n, double downtime_budget_ms) {
    size_t best = n;
    for (size_t i = 0; i < n; i++) {
        const struct prediction_point *point = &hours[i].point;
        if (!point->converges || (downtime_budget_ms > 0 && point->downtime_ms.p95 > downtime_budget_ms))
            continue;
        if (best == n || point->migration_ms.p95 < hours[best].point.migration_ms.p95)
            best = i;
    }
    return best;
}
