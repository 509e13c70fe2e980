/* Whole files: limits, missing ones, and replacement that leaves nothing behind. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/file_text.h"

#include "tests/unit/base/temp_folder.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_reads(void **state) {
    char path[TEMP_PATH_BYTES];
    char *text = NULL;
    size_t n_bytes = 0;
    temp_folder_put(temp_folder_path(state, "a", path), "hello\n", 0600);
    assert_int_equal(file_text_read(path, 6, &text, &n_bytes, NULL), DC_OK);
    assert_int_equal(n_bytes, 6);
    assert_string_equal(text, "hello\n");
    free(text);
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(file_text_read(path, 5, &text, &n_bytes, &err), DC_ELIMIT);
    assert_null(text);
    assert_non_null(strstr(error_text(&err), "/a: longer than 5 bytes"));
    temp_folder_put(path, "", 0600);
    assert_int_equal(file_text_read(path, 5, &text, &n_bytes, NULL), DC_OK);
    assert_int_equal(n_bytes, 0);
    assert_string_equal(text, "");
    free(text);
}

static void test_large(void **state) {
    enum { LARGE = 300 * 1000 };
    char path[TEMP_PATH_BYTES];
    char *large = malloc(LARGE + 1);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    large[LARGE] = '\0';
    char *text = NULL;
    size_t n_bytes = 0;
    temp_folder_path(state, "large", path);
    assert_int_equal(file_text_write_atomic(path, large, LARGE, NULL), DC_OK);
    assert_int_equal(file_text_read(path, LARGE, &text, &n_bytes, NULL), DC_OK);
    assert_int_equal(n_bytes, LARGE);
    assert_string_equal(text, large);
    free(text);
    free(large);
}

static void test_missing(void **state) {
    char path[TEMP_PATH_BYTES];
    char *text = NULL;
    size_t n_bytes = 0;
    struct dc_error err = DC_ERROR_NONE;
    temp_folder_path(state, "none", path);
    assert_int_equal(file_text_read(path, 10, &text, &n_bytes, &err), DC_ENOTFOUND);
    assert_non_null(strstr(error_text(&err), "/none: no such file"));
    assert_int_equal(file_text_read(*state, 10, &text, &n_bytes, NULL), DC_EIO); /* a folder */
}

static void test_replaces(void **state) {
    char path[TEMP_PATH_BYTES];
    char *text = NULL;
    size_t n_bytes = 0;
    temp_folder_put(temp_folder_path(state, "a", path), "old and longer", 0600);
    assert_int_equal(file_text_write_atomic(path, "new", 3, NULL), DC_OK);
    assert_int_equal(file_text_read(path, 100, &text, &n_bytes, NULL), DC_OK);
    assert_string_equal(text, "new");
    free(text);
    assert_int_equal(temp_folder_count(state), 1);
}

static void test_link_stays(void **state) {
    char path[TEMP_PATH_BYTES];
    char link[TEMP_PATH_BYTES];
    char *text = NULL;
    size_t n_bytes = 0;
    struct stat info;
    temp_folder_put(temp_folder_path(state, "a", path), "old", 0600);
    assert_int_equal(symlink("a", temp_folder_path(state, "link", link)), 0);
    assert_int_equal(file_text_write_atomic(link, "new", 3, NULL), DC_OK);
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(file_text_read(path, 100, &text, &n_bytes, NULL), DC_OK);
    assert_string_equal(text, "new");
    free(text);
    assert_int_equal(temp_folder_count(state), 2);
}

static void test_failure_leaves_nothing(void **state) {
    char path[TEMP_PATH_BYTES];
    struct dc_error err = DC_ERROR_NONE;
    temp_folder_path(state, "no-such-folder/a", path);
    assert_int_equal(file_text_write_atomic(path, "new", 3, &err), DC_EIO);
    assert_non_null(strstr(error_text(&err), "cannot be written"));
    assert_int_equal(temp_folder_count(state), 0);
}

static void test_writes_to_devices(void **state) {
    (void)state;
    assert_int_equal(file_text_write_atomic("/dev/null", "new", 3, NULL), DC_OK);
    struct stat info;
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, temp_folder_setup, temp_folder_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(test_reads),
        WITH_FOLDER(test_large),
        WITH_FOLDER(test_missing),
        WITH_FOLDER(test_replaces),
        WITH_FOLDER(test_link_stays),
        WITH_FOLDER(test_failure_leaves_nothing),
        cmocka_unit_test(test_writes_to_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
