/* Words of the shell: /bin/sh gives back what was quoted, byte for byte. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/shell_quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* `printf '%s|' WORD WORD` by /bin/sh, through as many shells within shells as `depth` says. */
static void comes_back(const char *text, unsigned depth) {
    char *word = shell_quote_text(text);
    char *command = NULL, *expected = NULL;
    char output[2048];
    assert_non_null(word);
    assert_true(asprintf(&command, "printf '%%s|' %s x%sy", word, word) > 0);
    assert_true(asprintf(&expected, "%s|x%sy|", text, text) > 0);
    for (unsigned i = 0; i < depth; i++) {
        char *inner = shell_quote_text(command);
        assert_non_null(inner);
        free(command);
        assert_true(asprintf(&command, "sh -c %s", inner) > 0);
        free(inner);
    }
    FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c): the shell is what is tested against */
    assert_non_null(pipe);
    const size_t n = fread(output, 1, sizeof(output) - 1, pipe);
    output[n] = '\0';
    assert_int_equal(pclose(pipe), 0);
    assert_string_equal(output, expected);
    free(expected);
    free(command);
    free(word);
}

static void hostile_names_come_back(void **state) {
    (void)state;
    static const char *const names[] = {
        "web1", "",        "it's",     "''",          "'",           "$(touch /tmp/never)",
        "`id`", "a;b&c",   "\"q\"",    "line\nbreak", "\n",          "*?[a]~",
        "b\\s", "${HOME}", "#comment", "t\ta",        "-rf /",       "'; exit 9; '",
        "\\'",  "!!",      "grün",     "日本語",      "a\rb\x1b[2J", "trailing\n\n"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (unsigned depth = 0; depth <= 2; depth++)
            comes_back(names[i], depth);
    }
}

static void every_byte_comes_back(void **state) {
    (void)state;
    char text[256];
    for (unsigned i = 0; i < 255; i++)
        text[i] = (char)(i + 1);
    text[255] = '\0';
    comes_back(text, 0);
    comes_back(text, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_names_come_back),
        cmocka_unit_test(every_byte_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
