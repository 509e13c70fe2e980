/*
 * A curve as a chart of text: both axes logarithmic, labelled with units, a
 * region shaded.
 *
 * In:  points (x ascending, above 0), formats of the labels, the size in
 *      characters. Out: lines of text, in Braille dots where the locale has
 *      UTF-8, else in ASCII.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Writes a value with its unit into `text`; returns `text`. */
typedef char *(*text_chart_format_fn)(double value, char *text, size_t text_bytes);

enum { TEXT_CHART_MOST_LINES = 3 };

struct text_chart {
    const char *title;
    size_t n_points;
    const double *x; /* ascending */
    size_t n_lines;
    const double *y[TEXT_CHART_MOST_LINES]; /* n_points each; what is not above 0 lies on the lower edge */
    const bool *shaded;                     /* n_points; the region around each */
    text_chart_format_fn format_x;
    text_chart_format_fn format_y;
    size_t columns; /* of the whole, labels included; at least TEXT_CHART_LEAST_COLUMNS are used */
    size_t rows;    /* of the plot alone */
    bool utf8;
};

enum { TEXT_CHART_LEAST_COLUMNS = 40, TEXT_CHART_MOST_ROWS = 40, TEXT_CHART_MOST_COLUMNS = 200 };

/* The chart, each line ended; heap, the caller frees it. NULL when out of
 * memory, or with less than two points. */
char *text_chart_draw(const struct text_chart *chart);
