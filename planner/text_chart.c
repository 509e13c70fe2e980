/* Dots on a grid of 2 x 4 a character (Braille), or of one (ASCII). */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/text_chart.h"

#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_COLUMNS = 14, BRAILLE_X = 2, BRAILLE_Y = 4, ROOMY_COLUMNS = 3 * LABEL_COLUMNS };

static const double LOWEST_FRAC = 1e-6; /* of the largest value: what is smaller lies on the edge */

struct range {
    double low; /* logarithms */
    double high;
};

struct canvas {
    const struct text_chart *chart;
    size_t columns, rows;  /* in characters */
    size_t dots_x, dots_y; /* a character */
    struct range x, y;
    unsigned char *cells; /* a bit a dot, rows from the top */
};

static double clamped_log(double value, const struct range *range) {
    return value > 0 ? fmin(fmax(log(value), range->low), range->high) : range->low;
}

static struct range range_of_y(const struct text_chart *chart) {
    double most = 0;
    double least = INFINITY;
    for (size_t line = 0; line < chart->n_lines; line++) {
        for (size_t i = 0; i < chart->n_points; i++) {
            most = fmax(most, chart->y[line][i]);
            least = chart->y[line][i] > 0 ? fmin(least, chart->y[line][i]) : least;
        }
    }
    if (!(most > 0))
        return (struct range){log(0.5), log(2)};
    struct range range = {log(fmax(least, most * LOWEST_FRAC)), log(most)};
    if (range.high - range.low < log(1.5)) { /* nearly flat: through the middle */
        range.low -= log(1.5);
        range.high += log(1.5);
    }
    return range;
}

/* The point below or at the position `at` (a logarithm) of the x axis. */
static size_t segment_at(const struct text_chart *chart, double at) {
    size_t i = 0;
    while (i + 2 < chart->n_points && log(chart->x[i + 1]) <= at)
        i++;
    return i;
}

static double line_at(const struct canvas *canvas, const double *y, double at) {
    const size_t i = segment_at(canvas->chart, at);
    const double low = log(canvas->chart->x[i]);
    const double high = log(canvas->chart->x[i + 1]);
    const double frac = fmin(fmax((at - low) / (high - low), 0), 1);
    return clamped_log(y[i], &canvas->y) * (1 - frac) + clamped_log(y[i + 1], &canvas->y) * frac;
}

static bool shaded_at(const struct canvas *canvas, double at) {
    const size_t i = segment_at(canvas->chart, at);
    const double middle = (log(canvas->chart->x[i]) + log(canvas->chart->x[i + 1])) / 2;
    return canvas->chart->shaded[at < middle ? i : i + 1];
}

static double position(const struct canvas *canvas, size_t dot) {
    const double n = (double)(canvas->columns * canvas->dots_x);
    return canvas->x.low + (canvas->x.high - canvas->x.low) * ((double)dot + 0.5) / n;
}

static void set_dot(struct canvas *canvas, size_t x, size_t y) {
    static const unsigned char braille[BRAILLE_Y][BRAILLE_X] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    const size_t cell = y / canvas->dots_y * canvas->columns + x / canvas->dots_x;
    canvas->cells[cell] |= braille[y % canvas->dots_y][x % canvas->dots_x];
}

static size_t dot_row(const struct canvas *canvas, double value) {
    const double n = (double)(canvas->rows * canvas->dots_y);
    const double frac = (canvas->y.high - value) / (canvas->y.high - canvas->y.low);
    return (size_t)fmin(fmax(floor(frac * n), 0), n - 1);
}

/* One dot a column, joined by the dots between it and the one before. */
static void draw_line(struct canvas *canvas, const double *y) {
    size_t before = 0;
    for (size_t x = 0; x < canvas->columns * canvas->dots_x; x++) {
        const size_t row = dot_row(canvas, line_at(canvas, y, position(canvas, x)));
        if (x == 0)
            before = row;
        const size_t from = row < before ? row : before < row ? before + 1 : row;
        const size_t to = row < before ? before - 1 : row;
        for (size_t i = from; i <= to; i++)
            set_dot(canvas, x, i);
        before = row;
    }
}

static void put_cell(FILE *stream, const struct canvas *canvas, size_t row, size_t column) {
    const unsigned char dots = canvas->cells[row * canvas->columns + column];
    const bool shaded = shaded_at(canvas, position(canvas, column * canvas->dots_x));
    if (!canvas->chart->utf8)
        (void)fputc(dots != 0 ? '*' : shaded ? ':' : ' ', stream);
    else if (dots != 0) /* U+2800 + dots in UTF-8 */
        (void)fprintf(stream, "\xe2%c%c", 0xa0 | dots >> 6, 0x80 | (dots & 0x3f));
    else
        (void)fputs(shaded ? "\u2591" : " ", stream);
}

static void put_rows(FILE *stream, const struct canvas *canvas) {
    const struct text_chart *chart = canvas->chart;
    char text[UNITS_TEXT_BYTES];
    for (size_t row = 0; row < canvas->rows; row++) {
        const bool labelled = row == 0 || row == canvas->rows / 2 || row + 1 == canvas->rows;
        const double frac = ((double)row + 0.5) / (double)canvas->rows;
        const double value = exp(canvas->y.high - frac * (canvas->y.high - canvas->y.low));
        (void)fprintf(stream, "%*s ", LABEL_COLUMNS, labelled ? chart->format_y(value, text, sizeof(text)) : "");
        (void)fputs(chart->utf8 ? (labelled ? "\u2524" : "\u2502") : (labelled ? "+" : "|"), stream);
        for (size_t column = 0; column < canvas->columns; column++)
            put_cell(stream, canvas, row, column);
        (void)fputc('\n', stream);
    }
}

/* The lower axis: its ends and its middle. */
static void put_axis(FILE *stream, const struct canvas *canvas) {
    const struct text_chart *chart = canvas->chart;
    char low[UNITS_TEXT_BYTES], middle[UNITS_TEXT_BYTES], high[UNITS_TEXT_BYTES];
    (void)fprintf(stream, "%*s %s", LABEL_COLUMNS, "", chart->utf8 ? "\u2514" : "+");
    for (size_t i = 0; i < canvas->columns; i++)
        (void)fputs(chart->utf8 ? "\u2500" : "-", stream);
    (void)chart->format_x(exp(canvas->x.low), low, sizeof(low));
    (void)chart->format_x(exp((canvas->x.low + canvas->x.high) / 2), middle, sizeof(middle));
    (void)chart->format_x(exp(canvas->x.high), high, sizeof(high));
    const int columns = (int)canvas->columns;
    const int middle_end = columns / 2 + (int)strlen(middle) / 2;
    const bool roomy = columns >= ROOMY_COLUMNS; /* else the three would touch */
    (void)fprintf(stream, "\n%*s  %-*s%*s%*s\n", LABEL_COLUMNS, "", LABEL_COLUMNS, low,
                  roomy ? middle_end - LABEL_COLUMNS : 0, roomy ? middle : "",
                  columns - (roomy ? middle_end : LABEL_COLUMNS), high);
}

static void put_all(FILE *stream, const struct canvas *canvas) {
    (void)fprintf(stream, "%s\n", canvas->chart->title);
    put_rows(stream, canvas);
    put_axis(stream, canvas);
}

static size_t limited(size_t value, size_t least, size_t most) {
    return value < least ? least : value > most ? most : value;
}

char *text_chart_draw(const struct text_chart *chart) {
    char *text = NULL;
    size_t n_bytes = 0;
    if (chart->n_points < 2)
        return NULL;
    struct canvas canvas = {
        .chart = chart,
        .columns = limited(chart->columns, TEXT_CHART_LEAST_COLUMNS, TEXT_CHART_MOST_COLUMNS) - LABEL_COLUMNS - 2,
        .rows = limited(chart->rows, 1, TEXT_CHART_MOST_ROWS),
        .dots_x = chart->utf8 ? BRAILLE_X : 1,
        .dots_y = chart->utf8 ? BRAILLE_Y : 1,
        .x = {log(chart->x[0]), log(chart->x[chart->n_points - 1])},
        .y = range_of_y(chart),
    };
    canvas.cells = calloc(canvas.columns * canvas.rows, 1);
    FILE *stream = canvas.cells != NULL ? open_memstream(&text, &n_bytes) : NULL;
    if (stream != NULL) {
        for (size_t line = 0; line < chart->n_lines; line++)
            draw_line(&canvas, chart->y[line]);
        put_all(stream, &canvas);
        if (fclose(stream) != 0) {
            free(text);
            text = NULL;
        }
    }
    free(canvas.cells);
    return text;
}
