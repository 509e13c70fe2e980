/* The error object: the first error wins, context goes in front, texts are cut and never run over. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static void test_first_wins(void **state) {
    (void)state;
    struct dc_error err = DC_ERROR_NONE;
    assert_string_equal(error_text(&err), "success");
    assert_int_equal(error_set(&err, DC_EINVAL, "the %s", "first"), DC_EINVAL);
    assert_int_equal(error_set(&err, DC_EIO, "the second"), DC_EIO);
    assert_int_equal(err.status, DC_EINVAL);
    assert_string_equal(error_text(&err), "the first");
}

static void test_context(void **state) {
    (void)state;
    struct dc_error err = DC_ERROR_NONE;
    (void)error_set(&err, DC_ERANGE, "too large");
    assert_int_equal(error_prefix(&err, "line %d", 7), DC_ERANGE);
    assert_int_equal(error_prefix(&err, "file.yaml"), DC_ERANGE);
    assert_string_equal(error_text(&err), "file.yaml: line 7: too large");
}

static void test_system_errors(void **state) {
    (void)state;
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(error_set_errno(&err, ENOENT, "%s", "x"), DC_EIO);
    assert_int_equal(err.os_errno, ENOENT);
    assert_string_equal(error_text(&err), "x: No such file or directory");
    err = DC_ERROR_NONE;
    assert_int_equal(error_set_errno(&err, ENOMEM, "x"), DC_ENOMEM);
    err = DC_ERROR_NONE;
    assert_int_equal(error_set_nomem(&err), DC_ENOMEM);
    assert_string_equal(error_text(&err), "out of memory");
}

static void test_nobody_listens(void **state) {
    (void)state;
    assert_int_equal(error_set(NULL, DC_EBUSY, "x"), DC_EBUSY);
    assert_int_equal(error_set_errno(NULL, EIO, "x"), DC_EIO);
    assert_int_equal(error_prefix(NULL, "x"), DC_EINTERNAL);
}

static void test_long_texts_are_cut(void **state) {
    (void)state;
    char text[2 * ERROR_TEXT_BYTES];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    struct dc_error err = DC_ERROR_NONE;
    (void)error_set(&err, DC_EIO, "%s", text);
    assert_int_equal(strlen(err.text), ERROR_TEXT_BYTES - 1);
    (void)error_prefix(&err, "%s", "front");
    assert_int_equal(strlen(err.text), ERROR_TEXT_BYTES - 1);
    assert_memory_equal(err.text, "front: aaa", 10);
}

static void test_every_status_has_a_text(void **state) {
    (void)state;
    for (int status = 0; status >= DC_EINTERNAL; status--)
        assert_string_not_equal(status_text((enum dc_status)status), "unknown status");
    assert_string_equal(status_text((enum dc_status) - 1000), "unknown status");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_wins),         cmocka_unit_test(test_context),
        cmocka_unit_test(test_system_errors),      cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_long_texts_are_cut), cmocka_unit_test(test_every_status_has_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
