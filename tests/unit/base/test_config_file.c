/* Configuration files: every complaint names file, line and key. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/config_file.h"

#include "tests/unit/base/config_example.h"
#include "tests/unit/base/temp_folder.h"

#include <string.h>

static enum dc_status load(void **state, const char *text, struct config_example *target, struct dc_error *err) {
    char path[TEMP_PATH_BYTES];
    temp_folder_put(temp_folder_path(state, "c.yaml", path), text, 0644);
    return config_file_load(path, &config_example_table, target, err);
}

static void test_loads(void **state) {
    struct config_example target = {0};
    struct dc_error err = DC_ERROR_NONE;
    const char *text = "# an example\n"
                       "store_path: /var/lib/decamp # trailing\n"
                       "note: \"quoted: yes\"\n"
                       "n_workers: 8\n"
                       "verbose: true\n"
                       "\n"
                       "interval_ms: 10s\n"
                       "output: 'json'\n";
    if (load(state, text, &target, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    assert_string_equal(target.store_path, "/var/lib/decamp");
    assert_string_equal(target.note, "quoted: yes");
    assert_int_equal(target.n_workers, 8);
    assert_true(target.verbose);
    assert_true(target.interval_ms == 10000);
    assert_int_equal(target.output, 2);
    assert_true(target.buffer_bytes == 1048576); /* its default */
    options_dispose(&config_example_table, &target);
}

static void test_complains(void **state) {
    static const struct {
        const char *text;
        enum dc_status status;
        const char *expected;
    } rows[] = {
        {"", DC_EINVAL, "c.yaml: store_path: required, but not set"},
        {"# only a comment\n", DC_EINVAL, "store_path: required"},
        {"---\n", DC_EINVAL, "store_path: required"},
        {"store_path: /a\nn_workers: 0\n", DC_ERANGE, "c.yaml:2: n_workers: \"0\": expected 1 to 64"},
        {"store_path: /a\n\nn_workers: -1\n", DC_EINVAL, "c.yaml:3: n_workers: \"-1\": expected a whole number"},
        {"store_path: /a\nn_workrs: 1\n", DC_ENOTFOUND, "c.yaml:2: n_workrs: unknown key; did you mean n_workers?"},
        {"store_path: /a\nstore_path: /b\n", DC_EEXIST, "c.yaml:2: store_path: given twice"},
        {"store_path: /a\nn_workers: [1, 2]\n", DC_EPARSE, "c.yaml:2: n_workers: expected one plain value"},
        {"store_path:\n  inner: 1\n", DC_EPARSE, "c.yaml:2: store_path: expected one plain value"},
        {"store_path: &a /a\nnote: *a\n", DC_EPARSE, "c.yaml:2: note: expected one plain value"},
        {"store_path: /a\nnote:\n", DC_EINVAL, "c.yaml:2: note: has no value"},
        {"- a\n", DC_EPARSE, "c.yaml:1: expected lines of \"key: value\""},
        {"just text\n", DC_EPARSE, "c.yaml:1: expected lines of \"key: value\""},
        {"[a]: b\n", DC_EPARSE, "c.yaml:1: expected a plain key"},
        {"store_path: /a\n\tnote: x\n", DC_EPARSE, "c.yaml:2: "},
        {"store_path: \"open\n", DC_EPARSE, "c.yaml:"},
        {"store_path: /a\n---\nnote: x\n", DC_EPARSE, "c.yaml:2: expected one document, found a second"},
        {"store_path: \"a\\0b\"\n", DC_EPARSE, "c.yaml:1: store_path: holds a NUL character"},
        {"\"note\\0\": b\n", DC_EPARSE, "c.yaml:1: note: holds a NUL character"},
        {"store_path: \xff\n", DC_EPARSE, "c.yaml:"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config_example target = {0};
        struct dc_error err = DC_ERROR_NONE;
        if (load(state, rows[i].text, &target, &err) != rows[i].status)
            fail_msg("row %zu: %s", i, error_text(&err));
        if (strstr(error_text(&err), rows[i].expected) == NULL)
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, error_text(&err), rows[i].expected);
        assert_null(target.store_path);
        assert_null(target.note);
    }
}

static void test_missing(void **state) {
    struct config_example target = {0};
    struct dc_error err = DC_ERROR_NONE;
    char path[TEMP_PATH_BYTES];
    temp_folder_path(state, "none.yaml", path);
    assert_int_equal(config_file_load(path, &config_example_table, &target, &err), DC_ENOTFOUND);
    assert_non_null(strstr(error_text(&err), "none.yaml: no such file"));
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, temp_folder_setup, temp_folder_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_loads),
        WITH_FOLDER(test_complains),
        WITH_FOLDER(test_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
