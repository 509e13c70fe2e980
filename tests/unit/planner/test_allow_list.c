/* The allow-list: what it takes, and which line it complains about. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/allow_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define KEY_C "cccccccccccccccccccccccccccccccccccccccc"
#define KEY_HASH "#aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa#"

static enum dc_status load(const char *text, struct allow_list *list_out, struct dc_error *err) {
    char path[] = "/tmp/test_allow_list.XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    const enum dc_status rc = allow_list_load(path, list_out, err);
    (void)unlink(path);
    return rc;
}

static void test_hosts_of_keys(void **state) {
    struct dc_error err = DC_ERROR_NONE;
    struct allow_list list;
    (void)state;
    const char *text = "# agents\n\n  h1\t" KEY_A "\r\nh2 " KEY_B "\n# rotation\nh1 " KEY_HASH;
    assert_int_equal(load(text, &list, &err), DC_OK);
    assert_int_equal(list.n_entries, 3);
    assert_string_equal(allow_list_host(&list, KEY_A), "h1");
    assert_string_equal(allow_list_host(&list, KEY_B), "h2");
    assert_string_equal(allow_list_host(&list, KEY_HASH), "h1");
    assert_null(allow_list_host(&list, KEY_C));
    allow_list_dispose(&list);
    allow_list_dispose(&list);
}

static void test_empty_list_allows_nobody(void **state) {
    struct dc_error err = DC_ERROR_NONE;
    struct allow_list list;
    (void)state;
    assert_int_equal(load("", &list, &err), DC_OK);
    assert_null(allow_list_host(&list, KEY_A));
    assert_null(allow_list_host(&list, ""));
    allow_list_dispose(&list);
}

static void test_errors_name_the_line(void **state) {
    static const struct {
        const char *text;
        const char *complaint;
    } cases[] = {
        {"h1\n", ":1: expected HOST"},
        {"\nh1 short\n", ":2: expected HOST"},
        {"h1 " KEY_A "a\n", ":1: expected HOST"},
        {"h1 \"" KEY_A "\n", ":1: expected HOST"},
        {"h1 " KEY_A " more\n", ":1: expected HOST"},
        {"h1 " KEY_A "\nh2 " KEY_A "\n", ":2: this key already stands for host h1"},
        {"h1 " KEY_A "\nh1 " KEY_A "\n", ":2: this key already stands for host h1"},
        {"h1 " KEY_A "\nh1 " KEY_B "\nh1 " KEY_C "\n", ":3: host h1 has 2 keys already"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dc_error err = DC_ERROR_NONE;
        struct allow_list list;
        assert_int_equal(load(cases[i].text, &list, &err), DC_EINVAL);
        assert_non_null(strstr(error_text(&err), cases[i].complaint));
        assert_int_equal(list.n_entries, 0);
    }
}

static void test_missing_file(void **state) {
    struct dc_error err = DC_ERROR_NONE;
    struct allow_list list;
    (void)state;
    assert_int_equal(allow_list_load("/nowhere/allowed", &list, &err), DC_EIO);
    assert_non_null(strstr(error_text(&err), "/nowhere/allowed"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts_of_keys),
        cmocka_unit_test(test_empty_list_allows_nobody),
        cmocka_unit_test(test_errors_name_the_line),
        cmocka_unit_test(test_missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
