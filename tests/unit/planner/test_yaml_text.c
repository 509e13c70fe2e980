/* Texts in YAML: escaped whatever they hold. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/export/yaml_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void puts_as(const char *text, const char *expected) {
    char *written = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&written, &n_bytes);
    assert_non_null(stream);
    yaml_text_put(stream, text);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(written, expected);
    free(written);
}

static void names_are_escaped(void **state) {
    (void)state;
    puts_as("", "!unsafe \"\"");
    puts_as("web1", "!unsafe \"web1\"");
    puts_as("a \"b\" \\ {{ c }}", "!unsafe \"a \\\"b\\\" \\\\ {{ c }}\"");
    puts_as("1\n2\t\x7f", "!unsafe \"1\\U0000000A2\\U00000009\\U0000007F\"");
    puts_as("ü\xc2\x85€", "!unsafe \"\\U000000FC\\U00000085\\U000020AC\"");
    puts_as("😀", "!unsafe \"\\U0001F600\"");
}

static void what_is_no_utf8_is_replaced(void **state) {
    (void)state;
    puts_as("a\x80z", "!unsafe \"a\\U0000FFFDz\"");
    puts_as("a\xe2\x82", "!unsafe \"a\\U0000FFFD\"");
    puts_as("\xf0\x9f", "!unsafe \"\\U0000FFFD\"");
}

static void blocks_are_indented(void **state) {
    (void)state;
    char *written = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&written, &n_bytes);
    assert_non_null(stream);
    yaml_text_put_block(stream, "#!x\n\n  y\nz", 2);
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(written, "  #!x\n\n    y\n  z\n");
    free(written);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_escaped),
        cmocka_unit_test(what_is_no_utf8_is_replaced),
        cmocka_unit_test(blocks_are_indented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
