/* One format a kind. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/writer_cell.h"

#include "base/units.h"
#include "base/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* "1:23.4": minutes without end, so that a column of moments lines up. */
static void format_clock(double ms, char *cell, size_t cell_bytes) {
    const double tenths = floor(ms / 100 + 0.5);
    (void)snprintf(cell, cell_bytes, "%.0f:%04.1f", floor(tenths / 600), fmod(tenths, 600) / 10);
}

/* Both figures in the unit of the larger: "120 / 310 ms", "3.9 / 4.2 s". */
static void format_quantiles(double p50_ms, double p95_ms, char *cell) {
    char p50[UNITS_TEXT_BYTES], p95[UNITS_TEXT_BYTES];
    if (p95_ms < 999.5) {
        (void)snprintf(cell, WRITER_CELL_BYTES, "%.0f / %.0f ms", p50_ms, p95_ms);
    } else if (p95_ms < 600e3) {
        (void)snprintf(cell, WRITER_CELL_BYTES, "%.1f / %.1f s", p50_ms / 1e3, p95_ms / 1e3);
    } else {
        format_clock(p50_ms, p50, sizeof(p50));
        format_clock(p95_ms, p95, sizeof(p95));
        (void)snprintf(cell, WRITER_CELL_BYTES, "%s / %s", p50, p95);
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
        (void)units_format_duration(value->number, cell, WRITER_CELL_BYTES);
    } else if (value->p95 < 999.5) {
        (void)snprintf(cell, WRITER_CELL_BYTES, "%.0f / %.0f / %.0f ms", value->number, value->p90, value->p95);
    } else if (value->p95 < 600e3) {
        (void)snprintf(cell, WRITER_CELL_BYTES, "%.1f / %.1f / %.1f s", value->number / 1e3, value->p90 / 1e3,
                       value->p95 / 1e3);
    } else {
        format_minutes(value->number, p50, sizeof(p50));
        format_minutes(value->p90, p90, sizeof(p90));
        format_minutes(value->p95, p95, sizeof(p95));
        (void)snprintf(cell, WRITER_CELL_BYTES, "%s / %s / %s", p50, p90, p95);
    }
}

/* "Tue 14:00" in the local time zone. */
static void format_time(double unix_ms, char *cell) {
    const time_t seconds = (time_t)floor(unix_ms / 1e3);
    struct tm local;
    if (localtime_r(&seconds, &local) == NULL || strftime(cell, WRITER_CELL_BYTES, "%a %H:%M", &local) == 0)
        (void)snprintf(cell, WRITER_CELL_BYTES, "%.0f", unix_ms);
}

static void format_number(enum writer_kind kind, const struct writer_value *value, char *cell) {
    switch (kind) {
    case WRITER_TEXT:
        cell[0] = '\0';
        return;
    case WRITER_COUNT:
        (void)snprintf(cell, WRITER_CELL_BYTES, "%.0f", value->number);
        return;
    case WRITER_NUMBER:
        (void)snprintf(cell, WRITER_CELL_BYTES, "%.1f", value->number);
        return;
    case WRITER_BOOL:
        (void)snprintf(cell, WRITER_CELL_BYTES, "%s", value->number != 0 ? "yes" : "no");
        return;
    case WRITER_BYTES:
        (void)units_format_bytes(value->number, cell, WRITER_CELL_BYTES);
        return;
    case WRITER_RATE:
        (void)units_format_rate(value->number, cell, WRITER_CELL_BYTES);
        return;
    case WRITER_DURATION:
        (void)units_format_duration(value->number, cell, WRITER_CELL_BYTES);
        return;
    case WRITER_QUANTILES:
        format_quantiles(value->number, value->p95, cell);
        return;
    case WRITER_SPREAD:
        format_spread(value, cell);
        return;
    case WRITER_RATIO:
        (void)snprintf(cell, WRITER_CELL_BYTES, "%.3g", value->number);
        return;
    case WRITER_PERCENT:
        (void)snprintf(cell, WRITER_CELL_BYTES, "%+.1f %%", value->number * 100);
        return;
    case WRITER_SHARE:
        (void)snprintf(cell, WRITER_CELL_BYTES, "%.1f %%", value->number * 100);
        return;
    case WRITER_TIME:
        format_time(value->number, cell);
        return;
    case WRITER_CLOCK:
        format_clock(value->number, cell, WRITER_CELL_BYTES);
        return;
    }
}

const char *writer_cell_text(enum writer_kind kind, const struct writer_value *value, char number[WRITER_CELL_BYTES]) {
    if (kind == WRITER_TEXT)
        return value->text;
    format_number(kind, value, number);
    return number;
}

void writer_cells_clear(struct writer_cells *list) {
    for (size_t i = 0; i < list->n_cells; i++)
        free(list->cells[i]);
    list->n_cells = 0;
}

void writer_cells_dispose(struct writer_cells *list) {
    writer_cells_clear(list);
    free(list->cells);
    *list = (struct writer_cells){.n_cells = 0};
}

void writer_cells_begin(struct writer_cells *list, const struct writer_field *fields, size_t n_fields) {
    writer_cells_clear(list);
    list->fields = fields;
    list->n_fields = n_fields;
}

enum dc_status writer_cells_add(struct writer_cells *list, const struct writer_value *values, struct dc_error *err) {
    char number[WRITER_CELL_BYTES];
    if (!vec_reserve((void **)&list->cells, &list->capacity, list->n_cells + list->n_fields, sizeof(*list->cells)))
        return error_set_nomem(err);
    for (size_t i = 0; i < list->n_fields; i++) {
        char **cell = &list->cells[list->n_cells++];
        *cell = NULL;
        if (!values[i].known)
            continue;
        *cell = strdup(writer_cell_text(list->fields[i].kind, &values[i], number));
        if (*cell == NULL)
            return error_set_nomem(err);
    }
    return DC_OK;
}

bool writer_cells_is_filled(const struct writer_cells *list, size_t field) {
    for (size_t i = field; i < list->n_cells; i += list->n_fields) {
        if (list->cells[i] != NULL)
            return true;
    }
    return false;
}

bool writer_cells_is_left(const struct writer_cells *list, size_t field) {
    return list->fields[field].kind == WRITER_TEXT || list->fields[field].kind == WRITER_BOOL;
}
