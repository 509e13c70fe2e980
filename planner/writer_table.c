/* Records as a table for people, by libsmartcols: numbers to the right with
 * their units, headings bold on a terminal. Cells are kept until the list ends, so that
 * columns nobody filled can be left out. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/writer.h"

#include "base/units.h"
#include "base/vec.h"

#include <libsmartcols.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CELL_BYTES = 3 * UNITS_TEXT_BYTES + 8 };

struct table_writer {
    struct writer writer;
    FILE *stream;
    bool wide;
    bool colour;
    const struct writer_field *fields;
    size_t n_fields;
    size_t n_cells, capacity; /* n_fields a row */
    char **cells;             /* NULL: not known */
};

static void drop_cells(struct table_writer *self) {
    for (size_t i = 0; i < self->n_cells; i++)
        free(self->cells[i]);
    self->n_cells = 0;
}

static enum dc_status table_begin(struct writer *writer, const char *key, const struct writer_field *fields,
                                  size_t n_fields, struct dc_error *err) {
    struct table_writer *self = (struct table_writer *)writer;
    (void)key;
    (void)err;
    drop_cells(self);
    self->fields = fields;
    self->n_fields = n_fields;
    return DC_OK;
}

/* "1:23.4": minutes without end, so that a column of moments lines up. */
static void format_clock(double ms, char *cell, size_t cell_bytes) {
    const double tenths = floor(ms / 100 + 0.5);
    (void)snprintf(cell, cell_bytes, "%.0f:%04.1f", floor(tenths / 600), fmod(tenths, 600) / 10);
}

/* Both figures in the unit of the larger: "120 / 310 ms", "3.9 / 4.2 s". */
static void format_quantiles(double p50_ms, double p95_ms, char *cell) {
    char p50[UNITS_TEXT_BYTES], p95[UNITS_TEXT_BYTES];
    if (p95_ms < 999.5) {
        (void)snprintf(cell, CELL_BYTES, "%.0f / %.0f ms", p50_ms, p95_ms);
    } else if (p95_ms < 600e3) {
        (void)snprintf(cell, CELL_BYTES, "%.1f / %.1f s", p50_ms / 1e3, p95_ms / 1e3);
    } else {
        format_clock(p50_ms, p50, sizeof(p50));
        format_clock(p95_ms, p95, sizeof(p95));
        (void)snprintf(cell, CELL_BYTES, "%s / %s", p50, p95);
    }
}

/* "28:09": minutes and seconds. */
static void format_minutes(double ms, char *text, size_t text_bytes) {
    const double seconds = floor(ms / 1e3 + 0.5);
    (void)snprintf(text, text_bytes, "%.0f:%02.0f", floor(seconds / 60), fmod(seconds, 60));
}

/* All in the unit of the largest; one figure where they do not differ. */
static void format_spread(const struct writer_value *value, char *cell) {
    char p50[UNITS_TEXT_BYTES], p90[UNITS_TEXT_BYTES], p95[UNITS_TEXT_BYTES];
    if (value->p95 <= value->number) {
        (void)units_format_duration(value->number, cell, CELL_BYTES);
    } else if (value->p95 < 999.5) {
        (void)snprintf(cell, CELL_BYTES, "%.0f / %.0f / %.0f ms", value->number, value->p90, value->p95);
    } else if (value->p95 < 600e3) {
        (void)snprintf(cell, CELL_BYTES, "%.1f / %.1f / %.1f s", value->number / 1e3, value->p90 / 1e3,
                       value->p95 / 1e3);
    } else {
        format_minutes(value->number, p50, sizeof(p50));
        format_minutes(value->p90, p90, sizeof(p90));
        format_minutes(value->p95, p95, sizeof(p95));
        (void)snprintf(cell, CELL_BYTES, "%s / %s / %s", p50, p90, p95);
    }
}

/* "Tue 14:00" in the local time zone. */
static void format_time(double unix_ms, char *cell) {
    const time_t seconds = (time_t)floor(unix_ms / 1e3);
    struct tm local;
    if (localtime_r(&seconds, &local) == NULL || strftime(cell, CELL_BYTES, "%a %H:%M", &local) == 0)
        (void)snprintf(cell, CELL_BYTES, "%.0f", unix_ms);
}

static void format_number(enum writer_kind kind, const struct writer_value *value, char *cell) {
    switch (kind) {
    case WRITER_TEXT:
        return;
    case WRITER_COUNT:
        (void)snprintf(cell, CELL_BYTES, "%.0f", value->number);
        return;
    case WRITER_NUMBER:
        (void)snprintf(cell, CELL_BYTES, "%.1f", value->number);
        return;
    case WRITER_BOOL:
        (void)snprintf(cell, CELL_BYTES, "%s", value->number != 0 ? "yes" : "no");
        return;
    case WRITER_BYTES:
        (void)units_format_bytes(value->number, cell, CELL_BYTES);
        return;
    case WRITER_RATE:
        (void)units_format_rate(value->number, cell, CELL_BYTES);
        return;
    case WRITER_DURATION:
        (void)units_format_duration(value->number, cell, CELL_BYTES);
        return;
    case WRITER_QUANTILES:
        format_quantiles(value->number, value->p95, cell);
        return;
    case WRITER_SPREAD:
        format_spread(value, cell);
        return;
    case WRITER_RATIO:
        (void)snprintf(cell, CELL_BYTES, "%.3g", value->number);
        return;
    case WRITER_PERCENT:
        (void)snprintf(cell, CELL_BYTES, "%+.1f %%", value->number * 100);
        return;
    case WRITER_SHARE:
        (void)snprintf(cell, CELL_BYTES, "%.1f %%", value->number * 100);
        return;
    case WRITER_TIME:
        format_time(value->number, cell);
        return;
    case WRITER_CLOCK:
        format_clock(value->number, cell, CELL_BYTES);
        return;
    }
}

static enum dc_status table_row(struct writer *writer, const struct writer_value *values, struct dc_error *err) {
    struct table_writer *self = (struct table_writer *)writer;
    if (!vec_reserve((void **)&self->cells, &self->capacity, self->n_cells + self->n_fields, sizeof(*self->cells)))
        return error_set_nomem(err);
    for (size_t i = 0; i < self->n_fields; i++) {
        char number[CELL_BYTES] = "";
        char **cell = &self->cells[self->n_cells++];
        *cell = NULL;
        if (!values[i].known)
            continue;
        format_number(self->fields[i].kind, &values[i], number);
        *cell = strdup(self->fields[i].kind == WRITER_TEXT ? values[i].text : number);
        if (*cell == NULL)
            return error_set_nomem(err);
    }
    return DC_OK;
}

static bool is_filled(const struct table_writer *self, size_t field) {
    for (size_t i = field; i < self->n_cells; i += self->n_fields) {
        if (self->cells[i] != NULL)
            return true;
    }
    return false;
}

static bool is_shown(const struct table_writer *self, size_t field) {
    return (self->wide || !self->fields[field].wide) && is_filled(self, field);
}

/* The shown columns in order; false when out of memory. */
static bool add_columns(const struct table_writer *self, struct libscols_table *table) {
    for (size_t i = 0; i < self->n_fields; i++) {
        if (!is_shown(self, i))
            continue;
        const bool left = self->fields[i].kind == WRITER_TEXT || self->fields[i].kind == WRITER_BOOL;
        struct libscols_column *column =
            scols_table_new_column(table, self->fields[i].heading, 0, left ? 0 : SCOLS_FL_RIGHT);
        if (column == NULL)
            return false;
        if (self->colour)
            (void)scols_cell_set_color(scols_column_get_header(column), "bold");
    }
    return true;
}

static bool add_lines(const struct table_writer *self, struct libscols_table *table) {
    for (size_t row = 0; row < self->n_cells; row += self->n_fields) {
        struct libscols_line *line = scols_table_new_line(table, NULL);
        size_t column = 0;
        for (size_t i = 0; line != NULL && i < self->n_fields; i++) {
            if (!is_shown(self, i))
                continue;
            const char *cell = self->cells[row + i] != NULL ? self->cells[row + i] : "-";
            if (scols_line_set_data(line, column++, cell) != 0)
                return false;
        }
        if (line == NULL)
            return false;
    }
    return true;
}

static enum dc_status table_end(struct writer *writer, struct dc_error *err) {
    struct table_writer *self = (struct table_writer *)writer;
    if (self->n_cells == 0)
        return DC_OK;
    struct libscols_table *table = scols_new_table();
    if (table == NULL)
        return error_set_nomem(err);
    (void)scols_table_set_stream(table, self->stream);
    (void)scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
    (void)scols_table_set_column_separator(table, "  ");
    (void)scols_table_enable_colors(table, self->colour);
    const bool ok = add_columns(self, table) && add_lines(self, table) && scols_print_table(table) == 0;
    scols_unref_table(table);
    drop_cells(self);
    return ok ? DC_OK : error_set_nomem(err);
}

static enum dc_status table_line(struct writer *writer, const char *text, struct dc_error *err) {
    struct table_writer *self = (struct table_writer *)writer;
    if (fprintf(self->stream, "%s\n", text) < 0)
        return error_set(err, DC_EIO, "cannot write a line");
    return DC_OK;
}

static enum dc_status table_finish(struct writer *writer, struct dc_error *err) {
    (void)writer;
    (void)err;
    return DC_OK;
}

static void table_free(struct writer *writer) {
    struct table_writer *self = (struct table_writer *)writer;
    drop_cells(self);
    free(self->cells);
    free(self);
}

enum dc_status writer_table_new(FILE *stream, bool wide, bool colour, struct writer **writer_out,
                                struct dc_error *err) {
    static const struct writer_class vtable = {table_begin, table_row, table_end, table_line, table_finish, table_free};
    struct table_writer *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return error_set_nomem(err);
    *self = (struct table_writer){.writer.vtable = &vtable, .stream = stream, .wide = wide, .colour = colour};
    *writer_out = &self->writer;
    return DC_OK;
}
