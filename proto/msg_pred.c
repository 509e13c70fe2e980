/*
 * PRED: grids and curves as columns, one array a quantity, which takes a third
 * of the bytes that a map a point would.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_pred.h"

#include "proto/msg_reader.h"
#include "proto/msg_writer.h"

#include <stdlib.h>

static const double max_number = (double)MSG_MAX_NUMBER;

/* The numbers of a point, with their keys, in the order of the wire. */
static const struct {
    const char *key;
    size_t offset;
    const char *stand_in; /* where agents may leave it out: read that instead */
} grid_columns[] = {
    {"bandwidth_bytes_per_s", offsetof(struct prediction_point, bandwidth_bytes_per_s), NULL},
    {"migration_p50_ms", offsetof(struct prediction_point, migration_ms.p50), NULL},
    {"migration_p90_ms", offsetof(struct prediction_point, migration_ms.p90), "migration_p95_ms"},
    {"migration_p95_ms", offsetof(struct prediction_point, migration_ms.p95), NULL},
    {"downtime_p50_ms", offsetof(struct prediction_point, downtime_ms.p50), NULL},
    {"downtime_p90_ms", offsetof(struct prediction_point, downtime_ms.p90), "downtime_p95_ms"},
    {"downtime_p95_ms", offsetof(struct prediction_point, downtime_ms.p95), NULL},
    {"bytes", offsetof(struct prediction_point, bytes), NULL},
};

enum { N_GRID_COLUMNS = sizeof(grid_columns) / sizeof(grid_columns[0]) };

static double *column_field(struct prediction_point *point, size_t column) {
    return (double *)(void *)((char *)point + grid_columns[column].offset);
}

static double column_value(const struct prediction_point *point, size_t column) {
    return *(const double *)(const void *)((const char *)point + grid_columns[column].offset);
}

static void write_grid(struct msg_writer *writer, const struct prediction *prediction) {
    const size_t n = prediction->n_points;
    msg_writer_open_map(writer, "grid");
    for (size_t column = 0; column < N_GRID_COLUMNS; column++) {
        msg_writer_array(writer, grid_columns[column].key, n, MSG_MAX_POINTS);
        for (size_t i = 0; i < n; i++)
            msg_writer_item_number(writer, column_value(&prediction->points[i], column));
    }
    msg_writer_array(writer, "n_rounds", n, MSG_MAX_POINTS);
    for (size_t i = 0; i < n; i++)
        msg_writer_item_number(writer, prediction->points[i].n_rounds);
    msg_writer_array(writer, "converges", n, MSG_MAX_POINTS);
    for (size_t i = 0; i < n; i++)
        msg_writer_item_bool(writer, prediction->points[i].converges);
    msg_writer_close_map(writer);
}

static void check_quantiles(const struct msg_map *grid, const char *p90_key, const char *p95_key, size_t i,
                            const struct prediction_quantiles *quantiles) {
    if (quantiles->p95 < quantiles->p50)
        msg_reader_fail(grid, p95_key, (long)i, "expected at least the p50");
    else if (quantiles->p90 < quantiles->p50 || quantiles->p90 > quantiles->p95)
        msg_reader_fail(grid, p90_key, (long)i, "expected the p50 to the p95");
}

/* The planner's search stands on grids that ascend in bandwidth and along which nothing grows. */
static void check_grid(const struct msg_map *grid, const struct prediction *prediction) {
    for (size_t i = 0; i < prediction->n_points && !msg_reader_failed(grid); i++) {
        const struct prediction_point *point = &prediction->points[i];
        check_quantiles(grid, "migration_p90_ms", "migration_p95_ms", i, &point->migration_ms);
        check_quantiles(grid, "downtime_p90_ms", "downtime_p95_ms", i, &point->downtime_ms);
        if (i == 0)
            continue;
        if (point->bandwidth_bytes_per_s <= point[-1].bandwidth_bytes_per_s)
            msg_reader_fail(grid, "bandwidth_bytes_per_s", (long)i, "expected more than the bandwidth before it");
        for (size_t column = 1; column < N_GRID_COLUMNS; column++) {
            if (column_value(point, column) > column_value(&point[-1], column))
                msg_reader_fail(grid, grid_columns[column].key, (long)i, "grows with the bandwidth");
        }
        if (point[-1].converges && !point->converges)
            msg_reader_fail(grid, "converges", (long)i, "expected true, as at the bandwidth before it");
    }
}

static void read_grid(const struct msg_map *map, struct prediction *prediction) {
    const struct msg_map grid = msg_reader_map(map, "grid");
    const size_t n = msg_reader_array(&grid, grid_columns[0].key, 1, MSG_MAX_POINTS).n_items;
    prediction->points = msg_reader_alloc(map, n, sizeof(*prediction->points));
    prediction->n_points = prediction->points != NULL ? n : 0;
    if (prediction->n_points == 0)
        return;
    for (size_t column = 0; column < N_GRID_COLUMNS; column++) {
        const char *key = grid_columns[column].key;
        if (grid_columns[column].stand_in != NULL && !msg_reader_has(&grid, key))
            key = grid_columns[column].stand_in;
        const struct msg_array values = msg_reader_array(&grid, key, n, n);
        for (size_t i = 0; i < n; i++)
            *column_field(&prediction->points[i], column) =
                msg_array_number(&values, i, column == 0 ? 1 : 0, max_number);
    }
    const struct msg_array rounds = msg_reader_array(&grid, "n_rounds", n, n);
    const struct msg_array converges = msg_reader_array(&grid, "converges", n, n);
    for (size_t i = 0; i < n; i++) {
        prediction->points[i].n_rounds = (unsigned)msg_array_uint(&rounds, i, MSG_MAX_ROUNDS + 1);
        prediction->points[i].converges = msg_array_bool(&converges, i);
    }
    check_grid(&grid, prediction);
}

static void write_curve(struct msg_writer *writer, const char *key, const struct dirty_curve *curve) {
    msg_writer_open_map(writer, key);
    msg_writer_array(writer, "window_s", curve->n_points, MSG_MAX_POINTS);
    for (size_t i = 0; i < curve->n_points; i++)
        msg_writer_item_number(writer, curve->points[i].window_s);
    msg_writer_array(writer, "pages", curve->n_points, MSG_MAX_POINTS);
    for (size_t i = 0; i < curve->n_points; i++)
        msg_writer_item_number(writer, curve->points[i].pages);
    msg_writer_close_map(writer);
}

static void read_curve(const struct msg_map *map, const char *key, struct dirty_curve *curve) {
    if (!msg_reader_has(map, key))
        msg_reader_fail(map, key, -1, "missing; expected a map");
    const struct msg_map columns = msg_reader_map(map, key);
    const struct msg_array windows = msg_reader_array(&columns, "window_s", 0, MSG_MAX_POINTS);
    const size_t n = windows.n_items;
    const struct msg_array pages = msg_reader_array(&columns, "pages", n, n);
    curve->points = msg_reader_alloc(map, n, sizeof(*curve->points));
    curve->n_points = curve->points != NULL ? n : 0;
    for (size_t i = 0; i < curve->n_points; i++) {
        struct dirty_point *point = &curve->points[i];
        point->window_s = msg_array_number(&windows, i, 0, max_number);
        point->pages = msg_array_number(&pages, i, 0, max_number);
        if (i > 0 && point->window_s <= point[-1].window_s)
            msg_reader_fail(&columns, "window_s", (long)i, "expected more than the window before it");
        if (i > 0 && point->pages < point[-1].pages)
            msg_reader_fail(&columns, "pages", (long)i, "expected at least the pages before them");
    }
}

static void write_hours(struct msg_writer *writer, const struct msg_prediction *item) {
    if (item->n_hours == 0)
        return;
    msg_writer_array(writer, "hours", item->n_hours, MSG_MAX_HOURS);
    for (size_t i = 0; i < item->n_hours; i++) {
        const struct dirty_hour *hour = &item->hours[i];
        msg_writer_open_map(writer, NULL);
        msg_writer_int(writer, "start_unix_ms", hour->start_unix_ms);
        msg_writer_line(writer, "basis", dirty_basis_texts[hour->basis]);
        msg_writer_uint(writer, "n_bursts", hour->n_bursts);
        write_curve(writer, "p50", &hour->p50);
        write_curve(writer, "p95", &hour->p95);
        msg_writer_close_map(writer);
    }
}

static void read_hours(const struct msg_map *map, struct msg_prediction *item) {
    const struct msg_array array = msg_reader_array(map, "hours", 0, MSG_MAX_HOURS);
    item->hours = msg_reader_alloc(map, array.n_items, sizeof(*item->hours));
    item->n_hours = item->hours != NULL ? array.n_items : 0;
    for (size_t i = 0; i < item->n_hours && !msg_reader_failed(map); i++) {
        const struct msg_map from = msg_array_map(&array, i);
        struct dirty_hour *hour = &item->hours[i];
        hour->start_unix_ms = msg_reader_unix_ms(&from, "start_unix_ms");
        hour->basis = (enum dirty_basis)msg_reader_choice(&from, "basis", dirty_basis_texts);
        hour->n_bursts = (size_t)msg_reader_uint(&from, "n_bursts", 0, UINT32_MAX);
        read_curve(&from, "p50", &hour->p50);
        read_curve(&from, "p95", &hour->p95);
        if (i > 0 && hour->start_unix_ms <= hour[-1].start_unix_ms)
            msg_reader_fail(&from, "start_unix_ms", -1, "expected later than the hour before it");
        if (hour->p50.n_points == 0 || hour->p95.n_points == 0)
            msg_reader_fail(&from, "p50", -1, "expected curves of at least one point");
    }
}

static void write_prediction(struct msg_writer *writer, const struct msg_prediction *item) {
    msg_writer_open_map(writer, NULL);
    msg_writer_uuid(writer, "vm", item->vm);
    msg_writer_uint(writer, "sample_number", item->sample_number);
    msg_writer_int(writer, "made_unix_ms", item->prediction.made_unix_ms);
    msg_writer_number(writer, "zero_pages", item->zero_pages);
    msg_writer_uint(writer, "n_bursts", item->n_bursts);
    write_grid(writer, &item->prediction);
    write_curve(writer, "p50", &item->p50);
    write_curve(writer, "p95", &item->p95);
    write_hours(writer, item);
    msg_writer_close_map(writer);
}

static void read_prediction(const struct msg_map *map, struct msg_prediction *item) {
    msg_reader_uuid(map, "vm", item->vm);
    item->sample_number = msg_reader_uint(map, "sample_number", 0, (uint64_t)MSG_MAX_NUMBER);
    item->prediction.made_unix_ms = msg_reader_unix_ms(map, "made_unix_ms");
    item->zero_pages = msg_reader_number(map, "zero_pages", 0, max_number);
    item->n_bursts = (size_t)msg_reader_uint(map, "n_bursts", 0, UINT32_MAX);
    read_grid(map, &item->prediction);
    read_curve(map, "p50", &item->p50);
    read_curve(map, "p95", &item->p95);
    read_hours(map, item);
}

enum dc_status msg_pred_write(const struct msg_pred *msg, struct msg_buffer *buffer, struct dc_error *err) {
    struct msg_writer writer;
    msg_writer_init(&writer, buffer);
    msg_writer_name(&writer, "boot_id", msg->boot_id);
    msg_writer_array(&writer, "predictions", msg->n_predictions, MSG_MAX_PREDICTIONS);
    for (size_t i = 0; i < msg->n_predictions; i++)
        write_prediction(&writer, &msg->predictions[i]);
    return msg_writer_finish(&writer, err);
}

enum dc_status msg_pred_read(const void *bytes, size_t n_bytes, struct msg_pred *msg_out, struct dc_error *err) {
    struct msg_reader reader;
    const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
    *msg_out = (struct msg_pred){0};
    msg_out->boot_id = msg_reader_name(&map, "boot_id");
    const struct msg_array array = msg_reader_array(&map, "predictions", 1, MSG_MAX_PREDICTIONS);
    msg_out->predictions = msg_reader_alloc(&map, array.n_items, sizeof(*msg_out->predictions));
    msg_out->n_predictions = msg_out->predictions != NULL ? array.n_items : 0;
    for (size_t i = 0; i < msg_out->n_predictions && !msg_reader_failed(&map); i++) {
        const struct msg_map item = msg_array_map(&array, i);
        read_prediction(&item, &msg_out->predictions[i]);
    }
    const enum dc_status rc = msg_reader_close(&reader, err);
    if (rc != DC_OK)
        msg_pred_dispose(msg_out);
    return rc;
}

enum dc_status msg_prediction_copy(const struct msg_prediction *prediction, struct msg_prediction *copy_out,
                                   struct dc_error *err) {
    struct msg_prediction copy = *prediction;
    copy.prediction = (struct prediction){0};
    copy.p50 = (struct dirty_curve){0};
    copy.p95 = (struct dirty_curve){0};
    copy.hours = NULL;
    enum dc_status rc = prediction_copy(&prediction->prediction, &copy.prediction, err);
    if (rc == DC_OK)
        rc = dirty_curve_copy(&prediction->p50, &copy.p50, err);
    if (rc == DC_OK)
        rc = dirty_curve_copy(&prediction->p95, &copy.p95, err);
    if (rc == DC_OK)
        rc = dirty_hours_copy(prediction->hours, prediction->n_hours, &copy.hours, err);
    copy.n_hours = copy.hours != NULL ? prediction->n_hours : 0;
    if (rc != DC_OK)
        msg_prediction_dispose(&copy);
    *copy_out = copy;
    return rc;
}

void msg_prediction_dispose(struct msg_prediction *prediction) {
    prediction_dispose(&prediction->prediction);
    dirty_curve_dispose(&prediction->p50);
    dirty_curve_dispose(&prediction->p95);
    dirty_hours_free(&prediction->hours, &prediction->n_hours);
    *prediction = (struct msg_prediction){.sample_number = 0};
}

void msg_pred_dispose(struct msg_pred *msg) {
    free(msg->boot_id);
    for (size_t i = 0; i < msg->n_predictions; i++)
        msg_prediction_dispose(&msg->predictions[i]);
    free(msg->predictions);
    *msg = (struct msg_pred){0};
}
