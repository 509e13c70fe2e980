/* Key files: what is a key, who may read a secret, and never a key in a complaint. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/key_file.h"

#include "tests/unit/base/temp_folder.h"

#include <string.h>

/* The client's secret key of ZeroMQ RFC 26's examples, and one that begins with '#'. */
#define KEY "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
#define HASH_KEY "#:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

static enum dc_status read_text(void **state, const char *text, mode_t mode, bool secret, char key[41],
                                struct dc_error *err) {
    char path[TEMP_PATH_BYTES];
    temp_folder_put(temp_folder_path(state, "k", path), text, mode);
    const enum dc_status rc = key_file_read(path, secret, key, err);
    (void)unlink(path);
    return rc;
}

static void test_keys(void **state) {
    (void)state;
    assert_true(key_file_is_key(KEY));
    assert_false(key_file_is_key(""));
    assert_false(key_file_is_key(KEY "0"));
    assert_false(key_file_is_key("D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%c\""));
}

static void test_reads(void **state) {
    static const struct {
        const char *text, *key;
    } good[] = {
        {KEY "\n", KEY},           {KEY, KEY}, {"# the planner's\n\n" KEY "\r\n", KEY}, {"#\n  " KEY "  \n# end", KEY},
        {HASH_KEY "\n", HASH_KEY},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        char key[KEY_FILE_TEXT_BYTES];
        struct dc_error err = DC_ERROR_NONE;
        if (read_text(state, good[i].text, 0644, false, key, &err) != DC_OK)
            fail_msg("row %zu: %s", i, error_text(&err));
        assert_string_equal(key, good[i].key);
    }
}

static void test_refuses(void **state) {
    static const struct {
        const char *text, *expected;
    } bad[] = {
        {"", "holds no key"},
        {"# nothing\n", "holds no key"},
        {"short\n", "/k:1: expected a key of 40 Z85 characters, got 5"},
        {"\n" KEY "0\n", "/k:2: expected a key of 40 Z85 characters, got 41"},
        {"D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%c~", "some are not Z85"},
        {KEY "\n" KEY "\n", "/k:2: a second key"},
        {KEY " mine\n", "/k:1: expected a key alone on its line"},
        {"public: " KEY, "expected a key alone"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char key[KEY_FILE_TEXT_BYTES];
        struct dc_error err = DC_ERROR_NONE;
        assert_int_equal(read_text(state, bad[i].text, 0600, true, key, &err), DC_EPARSE);
        if (strstr(error_text(&err), bad[i].expected) == NULL)
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, error_text(&err), bad[i].expected);
        assert_null(strstr(error_text(&err), "D:)Q"));
        assert_string_equal(key, "");
    }
    char huge[8192];
    memset(huge, '\n', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    char key[KEY_FILE_TEXT_BYTES];
    assert_int_equal(read_text(state, huge, 0600, true, key, NULL), DC_EPARSE);
}

static void test_permissions(void **state) {
    static const mode_t open_modes[] = {0640, 0604, 0620, 0601, 0644, 0666};
    char key[KEY_FILE_TEXT_BYTES];
    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        struct dc_error err = DC_ERROR_NONE;
        assert_int_equal(read_text(state, KEY, open_modes[i], true, key, &err), DC_EACCES);
        assert_non_null(strstr(error_text(&err), "run: chmod 600 "));
        assert_int_equal(read_text(state, KEY, open_modes[i], false, key, NULL), DC_OK);
    }
    assert_int_equal(read_text(state, KEY, 0600, true, key, NULL), DC_OK);
    assert_int_equal(read_text(state, KEY, 0400, true, key, NULL), DC_OK);
    char path[TEMP_PATH_BYTES];
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(key_file_read(temp_folder_path(state, "none", path), true, key, &err), DC_ENOTFOUND);
    assert_int_equal(key_file_read(*state, false, key, NULL), DC_EINVAL); /* a folder */
}

static void test_writes(void **state) {
    char path[TEMP_PATH_BYTES];
    char key[KEY_FILE_TEXT_BYTES];
    struct stat info;
    const mode_t old_mask = umask(077);
    assert_int_equal(key_file_write(temp_folder_path(state, "public", path), false, KEY, NULL), DC_OK);
    (void)umask(0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0644);
    assert_int_equal(key_file_write(temp_folder_path(state, "secret", path), true, KEY, NULL), DC_OK);
    (void)umask(old_mask);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(key_file_read(path, true, key, NULL), DC_OK);
    assert_string_equal(key, KEY);
    assert_int_equal(key_file_write(path, true, HASH_KEY, NULL), DC_EEXIST);
    assert_int_equal(key_file_read(path, true, key, NULL), DC_OK);
    assert_string_equal(key, KEY);
    assert_int_equal(key_file_write(temp_folder_path(state, "bad", path), true, "short", NULL), DC_EINVAL);
    assert_int_equal(temp_folder_count(state), 2);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, temp_folder_setup, temp_folder_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),   WITH_FOLDER(test_reads),  WITH_FOLDER(test_refuses),
        WITH_FOLDER(test_permissions), WITH_FOLDER(test_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
