/* Charts of text: shape, labels, shading, and points that are no good. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/text_chart.h"

#include "base/units.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 3 };
static const double x[N] = {1e6, 1e7, 1e8};
static const bool last_shaded[N] = {false, false, true};

static struct text_chart chart_of(const double *y, bool utf8) {
    return (struct text_chart){
        .title = "time",
        .n_points = N,
        .x = x,
        .n_lines = 1,
        .y = {y},
        .shaded = last_shaded,
        .format_x = units_format_rate,
        .format_y = units_format_duration,
        .columns = 40,
        .rows = 4,
        .utf8 = utf8,
    };
}

static void assert_draws(const struct text_chart *chart, const char *expected) {
    char *text = text_chart_draw(chart);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

/* Both axes are logarithmic: a power law is a straight line. */
static void draws_a_line(void **state) {
    (void)state;
    const double y[N] = {1e3, 1e4, 1e5};
    const struct text_chart ascii = chart_of(y, false);
    assert_draws(&ascii, "time\n"
                         "        56.2 s +                  ******\n"
                         "               |            ******::::::\n"
                         "         5.6 s +      ******      ::::::\n"
                         "         1.8 s +******            ::::::\n"
                         "               +------------------------\n"
                         "                8.00 Mbit/s   800 Mbit/s\n");
    const struct text_chart braille = chart_of(y, true);
    assert_draws(&braille, "time\n"
                           "        56.2 s ┤                  ⣀⡠⠤⠒⠊⠉\n"
                           "               │            ⣀⡠⠤⠒⠊⠉░░░░░░\n"
                           "         5.6 s ┤      ⣀⡠⠤⠒⠊⠉      ░░░░░░\n"
                           "         1.8 s ┤⣀⡠⠤⠒⠊⠉            ░░░░░░\n"
                           "               └────────────────────────\n"
                           "                8.00 Mbit/s   800 Mbit/s\n");
}

static size_t longest_line(const char *text) {
    size_t longest = 0;
    while (*text != '\0') {
        const size_t length = strcspn(text, "\n");
        longest = length > longest ? length : longest;
        text += length + (text[length] == '\n');
    }
    return longest;
}

/* Whatever the width and the values: every line fits, and joins of steep lines leave no gap. */
static void fits_its_width(void **state) {
    (void)state;
    const double steep[N] = {1e9, 1, 1e9};
    for (size_t columns = 1; columns < 300; columns += 7) {
        struct text_chart chart = chart_of(steep, false);
        chart.columns = columns;
        chart.rows = columns;
        char *text = text_chart_draw(&chart);
        const size_t width = columns < TEXT_CHART_LEAST_COLUMNS  ? TEXT_CHART_LEAST_COLUMNS
                             : columns > TEXT_CHART_MOST_COLUMNS ? TEXT_CHART_MOST_COLUMNS
                                                                 : columns;
        assert_non_null(text);
        assert_int_equal(longest_line(text), width);
        assert_true(strstr(text, "8.00 Mbit/s") != NULL && strstr(text, "800 Mbit/s") != NULL);
        assert_int_equal(strstr(text, "80.0 Mbit/s") != NULL, width >= 60);
        free(text);
    }
}

static void draws_several_lines(void **state) {
    (void)state;
    const double low[N] = {10, 10, 10};
    const double high[N] = {1000, 1000, 1000};
    struct text_chart chart = chart_of(low, false);
    chart.n_lines = 2;
    chart.y[1] = high;
    char *text = text_chart_draw(&chart);
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, "************************")) != NULL; at++)
        n++;
    assert_int_equal(n, 2);
    free(text);
}

static void survives_values_without_a_logarithm(void **state) {
    (void)state;
    static const double values[][N] = {{0, 0, 0}, {-1, 0, 5}, {NAN, NAN, NAN}, {0, NAN, 3}, {1e300, 1e-300, 1}};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const struct text_chart chart = chart_of(values[i], i % 2 == 0);
        char *text = text_chart_draw(&chart);
        assert_non_null(text);
        free(text);
    }
    struct text_chart one = chart_of(values[0], false);
    one.n_points = 1;
    assert_null(text_chart_draw(&one));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_a_line),
        cmocka_unit_test(fits_its_width),
        cmocka_unit_test(draws_several_lines),
        cmocka_unit_test(survives_values_without_a_logarithm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
