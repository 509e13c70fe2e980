/* UTF-8, lines, names and uuids at their edges. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static bool utf8(const char *text) {
    return msg_text_is_utf8(text, strlen(text));
}

static bool name(const char *text) {
    return msg_text_is_name(text, strlen(text));
}

static bool uuid(const char *text) {
    return msg_text_is_uuid(text, strlen(text));
}

static void test_utf8(void **state) {
    (void)state;
    assert_true(utf8(""));
    assert_true(utf8("plain"));
    assert_true(utf8("\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"));
    assert_false(utf8("\x80"));
    assert_false(utf8("\xc1\xbf"));
    assert_false(utf8("\xc3"));
    assert_false(utf8("\xe0\x9f\xbf"));
    assert_false(utf8("\xed\xa0\x80"));
    assert_false(utf8("\xf0\x8f\xbf\xbf"));
    assert_false(utf8("\xf4\x90\x80\x80"));
    assert_false(utf8("\xf5\x80\x80\x80"));
    assert_false(msg_text_is_utf8("\xe2\x82\xac", 2));
}

static void test_lines_and_names(void **state) {
    (void)state;
    char longest[MSG_MAX_NAME_BYTES + 2];
    memset(longest, 'n', sizeof(longest));
    assert_true(msg_text_is_name(longest, MSG_MAX_NAME_BYTES));
    assert_false(msg_text_is_name(longest, MSG_MAX_NAME_BYTES + 1));
    assert_true(name("web 1 / \xc3\xa9"));
    assert_false(name(""));
    assert_false(name("a\nb"));
    assert_false(name("a\x1b[31m"));
    assert_false(name("a\x7f"));
    assert_false(name("a\xc2\x9b")); /* CSI, the one-character escape */
    assert_false(msg_text_is_name("a\0b", 3));
    assert_true(msg_text_is_line("", 0, MSG_MAX_LINE_BYTES));
    assert_false(msg_text_is_line("abcd", 4, 3));
}

static void test_uuids(void **state) {
    (void)state;
    assert_true(uuid("01234567-89ab-cdef-0123-456789abcdef"));
    assert_true(uuid("01234567-89AB-CDEF-0123-456789ABCDEF"));
    assert_false(uuid(""));
    assert_false(uuid("01234567-89ab-cdef-0123-456789abcde"));
    assert_false(uuid("01234567-89ab-cdef-0123-456789abcdef0"));
    assert_false(uuid("01234567089ab-cdef-0123-456789abcdef"));
    assert_false(uuid("01234567-89ab-cdef-0123-456789abcdeg"));
    assert_false(uuid("0123456--89ab-cdef-0123-456789abcdef"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_lines_and_names),
        cmocka_unit_test(test_uuids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
