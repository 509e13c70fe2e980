/*
 * QEMU's counters of the PostgreSQL guest, and the curve behind them.
 *
 * Between the last look before a sync and the first after it, with s bytes sent:
 *   newly dirtied = remaining after - remaining before + s
 * That is W(T) of the round that lasted T, less the pages that were still queued
 * and were dirtied again: of a queue q, left over l of it,
 *   W(T) = newly dirtied + l / q * (q + W(T) - W(T_q + T)),  W(T_q) = q,
 * solved by a few rounds of substitution.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/accuracy_postgres.h"

#include "tests/bench/accuracy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 256, N_SUBSTITUTIONS = 4 };

static const double PAGE_BYTES = 4096;
static const double PAGE_WIRE_BYTES = 4096 + 8;
static const double ZERO_WIRE_BYTES = 9;
static const double LOOK_S = 0.2;
static const double WINDOW_S = 0.1; /* QEMU sends up to its cap at the start of each */
static const double DOWNTIME_LIMIT_S = 0.3;
static const double SHORTEST_S = 0.3;       /* rounds below it fall between two looks */
static const double SAME_WINDOW_FRAC = 1.1; /* rounds of about one length are one point */

/* Calls `take` with each line of a CSV file but its head. */
static void each_line(const char *path, void (*take)(const char *line, struct postgres_data *data),
                      struct postgres_data *data) {
    FILE *file = fopen(path, "r");
    char line[LINE_BYTES];
    if (file == NULL || fgets(line, sizeof(line), file) == NULL)
        accuracy_fail("%s: cannot be read", path);
    while (fgets(line, sizeof(line), file) != NULL)
        take(line, data);
    (void)fclose(file);
}

static void take_run(const char *line, struct postgres_data *data) {
    if (data->n == POSTGRES_MAX_RUNS)
        accuracy_fail("more than %d runs", POSTGRES_MAX_RUNS);
    struct postgres_run *run = &data->runs[data->n++];
    double total_ms, downtime_ms, memory_bytes;
    const int n = sscanf(line, "%47[^,],%u,completed,%lf,%lf,%*f,%lf,%lf,%*f,%lf,%*d,%lf", run->scenario, &run->number,
                         &total_ms, &downtime_ms, &run->bytes, &run->precopy_bytes, &run->zero_pages, &memory_bytes);
    if (n != 8)
        accuracy_fail("no summary of a completed run: %s", line);
    run->total_s = total_ms / 1000;
    run->downtime_s = downtime_ms / 1000;
    run->memory_pages = memory_bytes / PAGE_BYTES;
}

static struct postgres_run *find_run(struct postgres_data *data, const char *scenario, unsigned number) {
    for (size_t i = 0; i < data->n; i++) {
        if (data->runs[i].number == number && strcmp(data->runs[i].scenario, scenario) == 0)
            return &data->runs[i];
    }
    accuracy_fail("rounds of run %u of %s, which has no summary", number, scenario);
}

static void take_round(const char *line, struct postgres_data *data) {
    char scenario[POSTGRES_TEXT_BYTES];
    unsigned number;
    double first_ms, last_ms;
    struct postgres_round round;
    const int n = sscanf(line, "%47[^,],%u,%u,%lf,%lf,%lf,%lf,%lf,%lf", scenario, &number, &round.sync, &first_ms,
                         &last_ms, &round.remaining_first_bytes, &round.remaining_last_bytes,
                         &round.transferred_first_bytes, &round.transferred_last_bytes);
    if (n != 9)
        accuracy_fail("no round: %s", line);
    round.first_s = first_ms / 1000;
    round.last_s = last_ms / 1000;
    struct postgres_run *run = find_run(data, scenario, number);
    if (run->n_rounds == POSTGRES_MAX_ROUNDS)
        accuracy_fail("run %u of %s: more than %d rounds", number, scenario, POSTGRES_MAX_ROUNDS);
    run->rounds[run->n_rounds++] = round;
}

void accuracy_postgres_load(struct postgres_data *data_out) {
    data_out->n = 0;
    each_line(TEST_DATA_DIR "/qemu-postgres/qemu_runs_summary.csv", take_run, data_out);
    each_line(TEST_DATA_DIR "/qemu-postgres/qemu_runs_iterations.csv", take_round, data_out);
}

double accuracy_postgres_rate(const struct postgres_run *run) {
    const struct postgres_round *first = &run->rounds[0];
    return (first->transferred_last_bytes - first->transferred_first_bytes) / (first->last_s - first->first_s);
}

double accuracy_postgres_zero_pages(const struct postgres_run *run) {
    const struct postgres_round *first = &run->rounds[0];
    const double sent_pages = run->memory_pages - first->remaining_last_bytes / PAGE_BYTES;
    const double zero_bytes = sent_pages * ZERO_WIRE_BYTES;
    const double normal_pages = (first->transferred_last_bytes - zero_bytes) / (PAGE_WIRE_BYTES - ZERO_WIRE_BYTES);
    return run->memory_pages * (1 - normal_pages / sent_pages);
}

/* When the round's sync came: once the queue was below the threshold, after
 * the last look at it and before the next. */
static double sync_s(const struct postgres_run *run, size_t i) {
    const double rate = accuracy_postgres_rate(run);
    const double over_bytes = run->rounds[i].remaining_last_bytes - rate * DOWNTIME_LIMIT_S;
    const double windows = fmax(ceil(over_bytes / (rate * WINDOW_S)), 0);
    const double next_look_s = i + 1 < run->n_rounds ? run->rounds[i + 1].first_s : run->total_s;
    return fmin(run->rounds[i].last_s + windows * WINDOW_S, next_look_s);
}

double accuracy_postgres_first_sync_s(const struct postgres_run *run) {
    return sync_s(run, 0);
}

/* One round as a point of the curve. */
struct sample {
    double window_s;
    double fresh_pages;
    double left_pages;  /* of the queue, when it ended */
    double queue_pages; /* when it began */
    double pages;       /* W(window) */
};

/* Round `i` and the sync after it; false where looks were too rare to tell. */
static bool sample_of(const struct postgres_run *run, size_t i, struct sample *sample_out) {
    const struct postgres_round *round = &run->rounds[i];
    const struct postgres_round *next = &run->rounds[i + 1];
    const double to_s = sync_s(run, i);
    const double from_s = i > 0 ? sync_s(run, i - 1) : round->first_s - LOOK_S;
    const double sent_bytes = next->transferred_first_bytes - round->transferred_last_bytes;
    const double sent_pages = sent_bytes / PAGE_WIRE_BYTES;
    const double sent_before_bytes = fmin(sent_bytes, accuracy_postgres_rate(run) * (to_s - round->last_s));
    const double fresh_bytes = next->remaining_first_bytes - round->remaining_last_bytes + sent_pages * PAGE_BYTES;
    *sample_out = (struct sample){
        .window_s = to_s - from_s,
        .fresh_pages = fmax(fresh_bytes / PAGE_BYTES, 0),
        .left_pages = fmax(round->remaining_last_bytes - sent_before_bytes, 0) / PAGE_BYTES,
        .queue_pages = i > 0 ? round->remaining_first_bytes / PAGE_BYTES : run->memory_pages,
    };
    sample_out->queue_pages = fmax(sample_out->queue_pages, sample_out->left_pages);
    sample_out->pages = sample_out->fresh_pages;
    return next->sync == round->sync + 1 && next->remaining_first_bytes > 0 && sample_out->window_s >= SHORTEST_S;
}

static int by_window(const void *left, const void *right) {
    const double a = ((const struct sample *)left)->window_s;
    const double b = ((const struct sample *)right)->window_s;
    return (a > b) - (a < b);
}

/* The samples' points; of those of about one window the mean. Returns how many. */
static size_t points_of(const struct sample *samples, size_t n, struct dirty_point *points) {
    size_t n_points = 0;
    for (size_t i = 0; i < n;) {
        double window_s = 0, pages = 0;
        size_t k = i;
        for (; k < n && samples[k].window_s <= SAME_WINDOW_FRAC * samples[i].window_s; k++) {
            window_s += samples[k].window_s;
            pages += samples[k].pages;
        }
        const double count = (double)(k - i);
        const double before = n_points > 0 ? points[n_points - 1].pages : 0;
        points[n_points++] = (struct dirty_point){window_s / count, fmax(pages / count, before)};
        i = k;
    }
    return n_points;
}

/* What was dirtied again while still queued, by the curve as known so far. */
static void substitute(const struct dirty_curve *curve, const struct postgres_run *run, struct sample *sample) {
    const double max_pages = run->memory_pages;
    const double dirtied = dirty_curve_pages(curve, sample->window_s, max_pages);
    const double left_frac = sample->left_pages / sample->queue_pages;
    if (sample->queue_pages >= run->memory_pages) { /* the first round's queue is everything */
        sample->pages = sample->fresh_pages / (1 - left_frac);
        return;
    }
    const double queue_window_s = dirty_curve_window_s(curve, sample->queue_pages);
    const double both =
        fmax(dirty_curve_pages(curve, queue_window_s + sample->window_s, max_pages), sample->queue_pages);
    const double again = fmax(sample->queue_pages + dirtied - both, 0);
    sample->pages = sample->fresh_pages + fmin(again * left_frac, dirtied);
}

void accuracy_postgres_curve(const struct postgres_run *run, double until_s, struct dirty_profile *profile) {
    struct sample samples[POSTGRES_MAX_ROUNDS];
    struct dirty_point points[POSTGRES_MAX_ROUNDS];
    size_t n = 0;
    for (size_t i = 0; i + 1 < run->n_rounds && run->rounds[i + 1].first_s <= until_s; i++)
        n += sample_of(run, i, &samples[n]);
    qsort(samples, n, sizeof(samples[0]), by_window);
    struct dirty_curve curve = {.points = points, .n_points = points_of(samples, n, points)};
    for (int k = 0; k < N_SUBSTITUTIONS; k++) {
        for (size_t i = 0; i < n; i++)
            substitute(&curve, run, &samples[i]);
        curve.n_points = points_of(samples, n, points);
    }
    struct dc_error err = DC_ERROR_NONE;
    if (dirty_profile_add(profile, 0, &curve, &err) != DC_OK)
        accuracy_fail("run %u of %s: %s", run->number, run->scenario, error_text(&err));
}
