/* Option tables: every type read, every bad text named with what was expected. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/options.h"

#include "tests/unit/base/config_example.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void test_defaults(void **state) {
    (void)state;
    struct config_example target = {0};
    assert_int_equal(options_set_defaults(&config_example_table, &target, NULL), DC_OK);
    assert_null(target.store_path);
    assert_string_equal(target.note, "none");
    assert_int_equal(target.n_workers, 2);
    assert_true(target.load_frac == 0.5);
    assert_false(target.verbose);
    assert_true(target.buffer_bytes == 1048576);
    assert_true(target.bandwidth_bytes_per_s == 125e6);
    assert_true(target.interval_ms == 5000);
    assert_int_equal(target.output, 1);
    options_dispose(&config_example_table, &target);
    options_dispose(&config_example_table, &target);
    assert_null(target.note);
}

static void test_sets(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {"store_path", "/a"}, {"store_path", "/b"},     {"n_workers", "64"},
        {"load_frac", "1"},   {"verbose", "Yes"},       {"buffer_bytes", "4096"},
        {"output", "json"},   {"interval_ms", "300ms"}, {"bandwidth_bytes_per_s", "10Gbit/s"},
    };
    struct config_example target = {0};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(options_set(&config_example_table, &target, texts[i][0], texts[i][1], NULL), DC_OK);
    assert_string_equal(target.store_path, "/b");
    assert_int_equal(target.n_workers, 64);
    assert_true(target.load_frac == 1);
    assert_true(target.verbose);
    assert_true(target.buffer_bytes == 4096);
    assert_int_equal(target.output, 2);
    assert_true(target.interval_ms == 300);
    assert_true(target.bandwidth_bytes_per_s == 1.25e9);
    assert_int_equal(options_set(&config_example_table, &target, "verbose", "off", NULL), DC_OK);
    assert_false(target.verbose);
    options_dispose(&config_example_table, &target);
}

static void test_refuses(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        enum dc_status status;
        const char *expected;
    } rows[] = {
        {"n_workers", "-1", DC_EINVAL, "n_workers: \"-1\": expected a whole number"},
        {"n_workers", "", DC_EINVAL, "expected a whole number"},
        {"n_workers", "3x", DC_EINVAL, "expected a whole number"},
        {"n_workers", "1e3", DC_EINVAL, "expected a whole number"},
        {"n_workers", "0", DC_ERANGE, "n_workers: \"0\": expected 1 to 64"},
        {"n_workers", "99999999999999999999", DC_ERANGE, "below 2^64"},
        {"load_frac", "nan", DC_EINVAL, "expected a number"},
        {"load_frac", "0.5 ", DC_EINVAL, "expected a number"},
        {"load_frac", "1.5", DC_ERANGE, "load_frac: \"1.5\": expected 0 to 1"},
        {"verbose", "maybe", DC_EINVAL, "expected true or false"},
        {"buffer_bytes", "1KiB", DC_ERANGE, "expected 4.00 KiB to 1.00 GiB"},
        {"buffer_bytes", "much", DC_EINVAL, "expected a size such as"},
        {"interval_ms", "5", DC_EINVAL, "expected a duration such as"},
        {"interval_ms", "5h", DC_ERANGE, "expected 100 ms to 1 h 00 min"},
        {"output", "yaml", DC_EINVAL, "output: \"yaml\": expected one of table, wide, json"},
        {"output", "", DC_EINVAL, "expected one of"},
        {"store_pat", "/a", DC_ENOTFOUND, "store_pat: unknown key; did you mean store_path?"},
        {"n_worker", "1", DC_ENOTFOUND, "did you mean n_workers?"},
        {"ontput", "json", DC_ENOTFOUND, "did you mean output?"},
        {"xyz", "1", DC_ENOTFOUND, "xyz: unknown key"},
        {"", "1", DC_ENOTFOUND, ": unknown key"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config_example target = {0};
        struct dc_error err = DC_ERROR_NONE;
        if (options_set(&config_example_table, &target, rows[i].name, rows[i].text, &err) != rows[i].status)
            fail_msg("row %zu: %s", i, error_text(&err));
        if (strstr(error_text(&err), rows[i].expected) == NULL)
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, error_text(&err), rows[i].expected);
        const struct config_example untouched = {0};
        assert_memory_equal(&target, &untouched, sizeof(target));
    }
}

static void test_no_far_suggestion(void **state) {
    (void)state;
    struct config_example target = {0};
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(options_set(&config_example_table, &target, "temperature", "1", &err), DC_ENOTFOUND);
    assert_string_equal(error_text(&err), "temperature: unknown key");
    char long_name[300];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(options_set(&config_example_table, &target, long_name, "1", NULL), DC_ENOTFOUND);
}

static void test_required(void **state) {
    (void)state;
    struct config_example target = {0};
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(options_check_required(&config_example_table, &target, &err), DC_EINVAL);
    assert_string_equal(error_text(&err), "store_path: required, but not set (where the store is)");
    assert_int_equal(options_set(&config_example_table, &target, "store_path", "", NULL), DC_OK);
    assert_int_equal(options_check_required(&config_example_table, &target, NULL), DC_EINVAL);
    assert_int_equal(options_set(&config_example_table, &target, "store_path", "/a", NULL), DC_OK);
    assert_int_equal(options_check_required(&config_example_table, &target, NULL), DC_OK);
    options_dispose(&config_example_table, &target);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),          cmocka_unit_test(test_sets),     cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_no_far_suggestion), cmocka_unit_test(test_required),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
