/* Numbers with units: what is read, what is refused, what is printed. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

typedef enum dc_status (*parse_fn)(const char *text, double *value_out, struct dc_error *err);
typedef char *(*format_fn)(double value, char *text, size_t text_bytes);

static void assert_parsed(parse_fn parse, const char *text, double expected) {
    double value = -1;
    struct dc_error err = DC_ERROR_NONE;
    if (parse(text, &value, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    if (value != expected)
        fail_msg("\"%s\": %.17g, expected %.17g", text, value, expected);
}

static void assert_refused(parse_fn parse, const char *text) {
    double value = -1;
    struct dc_error err = DC_ERROR_NONE;
    if (parse(text, &value, &err) != DC_EINVAL)
        fail_msg("\"%s\" was taken for %g", text, value);
    assert_non_null(strstr(error_text(&err), "expected"));
    assert_true(value == -1);
}

static void assert_formatted(format_fn format, double value, const char *expected) {
    char text[UNITS_TEXT_BYTES];
    assert_string_equal(format(value, text, sizeof(text)), expected);
}

static void test_bytes(void **state) {
    (void)state;
    assert_parsed(units_parse_bytes, "0", 0);
    assert_parsed(units_parse_bytes, "512", 512);
    assert_parsed(units_parse_bytes, "96MiB", 100663296);
    assert_parsed(units_parse_bytes, "1.5 GiB", 1610612736);
    assert_parsed(units_parse_bytes, "2GB", 2e9);
    assert_parsed(units_parse_bytes, "1T", 1099511627776.0);
    static const char *const bad[] = {"", "GiB", "-1", "1 parsec", "1GiBs", "nan", "inf", "0x10", "1e999", "1 2"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_refused(units_parse_bytes, bad[i]);
}

static void test_rates(void **state) {
    (void)state;
    assert_parsed(units_parse_rate, "125000000", 125e6);
    assert_parsed(units_parse_rate, "1Gbit/s", 125e6);
    assert_parsed(units_parse_rate, "100Mbit", 12.5e6);
    assert_parsed(units_parse_rate, "120MiB/s", 125829120);
    assert_refused(units_parse_rate, "1GiB");
    assert_refused(units_parse_rate, "fast");
}

static void test_durations(void **state) {
    (void)state;
    assert_parsed(units_parse_duration, "300ms", 300);
    assert_parsed(units_parse_duration, "30s", 30e3);
    assert_parsed(units_parse_duration, "30m", 1800e3);
    assert_parsed(units_parse_duration, "30min", 1800e3);
    assert_parsed(units_parse_duration, "2h", 7200e3);
    assert_parsed(units_parse_duration, "1d", 86400e3);
    assert_refused(units_parse_duration, "30"); /* of what? */
    assert_refused(units_parse_duration, "-1s");
}

static void test_formats(void **state) {
    (void)state;
    assert_formatted(units_format_bytes, 0, "0 B");
    assert_formatted(units_format_bytes, 1023, "1023 B");
    assert_formatted(units_format_bytes, 1023.6, "1.00 KiB");
    assert_formatted(units_format_bytes, 1610612736, "1.50 GiB");
    assert_formatted(units_format_bytes, 96e6, "91.6 MiB");
    assert_formatted(units_format_rate, 125e6, "1.00 Gbit/s");
    assert_formatted(units_format_rate, 117.5e6, "940 Mbit/s");
    assert_formatted(units_format_duration, 0, "0 ms");
    assert_formatted(units_format_duration, 420, "420 ms");
    assert_formatted(units_format_duration, 12345, "12.3 s");
    assert_formatted(units_format_duration, 59999, "1 min 00 s");
    assert_formatted(units_format_duration, 245e3, "4 min 05 s");
    assert_formatted(units_format_duration, 7380e3, "2 h 03 min");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
