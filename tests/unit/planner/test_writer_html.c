/* Lists and lines as HTML: what is known is there, as text; what nobody filled is left out. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/writer_html.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct out {
    FILE *lists_stream, *lines_stream;
    char *lists, *lines;
    size_t n_lists_bytes, n_lines_bytes;
    struct writer *writer;
};

static int set_up(void **state) {
    struct out *out = calloc(1, sizeof(*out));
    assert_non_null(out);
    out->lists_stream = open_memstream(&out->lists, &out->n_lists_bytes);
    out->lines_stream = open_memstream(&out->lines, &out->n_lines_bytes);
    assert_true(out->lists_stream != NULL && out->lines_stream != NULL);
    assert_int_equal(writer_html_new(out->lists_stream, out->lines_stream, &out->writer, NULL), DC_OK);
    *state = out;
    return 0;
}

static int tear_down(void **state) {
    struct out *out = *state;
    writer_free(&out->writer);
    (void)fclose(out->lists_stream);
    (void)fclose(out->lines_stream);
    free(out->lists);
    free(out->lines);
    free(out);
    return 0;
}

/* Finishes; then `lists` and `lines` are what was written. */
static void finish(struct out *out) {
    assert_int_equal(writer_finish(out->writer, NULL), DC_OK);
    assert_int_equal(fflush(out->lists_stream), 0);
    assert_int_equal(fflush(out->lines_stream), 0);
}

static const struct writer_field fields[] = {
    {"id", "#", WRITER_COUNT, false},
    {"name", "A & B", WRITER_TEXT, false},
    {"never", "NEVER", WRITER_TEXT, false},
    {"rate", "RATE", WRITER_RATE, true},
};

static void a_list_is_a_table(void **state) {
    struct out *out = *state;
    const struct writer_value first[] = {writer_number(1), writer_text("<b>"), WRITER_UNKNOWN, writer_number(125e6)};
    const struct writer_value second[] = {writer_number(2), WRITER_UNKNOWN, WRITER_UNKNOWN, WRITER_UNKNOWN};
    assert_int_equal(writer_begin(out->writer, "steps", fields, 4, NULL), DC_OK);
    assert_int_equal(writer_row(out->writer, first, NULL), DC_OK);
    assert_int_equal(writer_row(out->writer, second, NULL), DC_OK);
    assert_int_equal(writer_end(out->writer, NULL), DC_OK);
    finish(out);
    assert_string_equal(out->lists,
                        "<table id=\"steps\">\n"
                        "<thead><tr><th class=\"n\">#</th><th>A &amp; B</th><th class=\"n\">RATE</th></tr>\n</thead>\n"
                        "<tbody>\n<tr><td class=\"n\">1</td><td>&lt;b&gt;</td><td class=\"n\">1.00 Gbit/s</td></tr>\n"
                        "<tr><td class=\"n\">2</td><td>-</td><td class=\"n\">-</td></tr>\n</tbody>\n</table>\n");
    assert_string_equal(out->lines, "");
}

static void an_empty_list_is_nothing(void **state) {
    struct out *out = *state;
    assert_int_equal(writer_begin(out->writer, "steps", fields, 4, NULL), DC_OK);
    assert_int_equal(writer_end(out->writer, NULL), DC_OK);
    finish(out);
    assert_string_equal(out->lists, "");
}

static void lines_say_what_they_are_about(void **state) {
    struct out *out = *state;
    static const char *const lines[] = {
        "",      "lower bound  20 s",     "conflict     VM <x>", "             -> --exclude x",
        "short", "a text without a label"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        assert_int_equal(writer_line(out->writer, NULL, "%s", lines[i]), DC_OK);
    finish(out);
    assert_string_equal(out->lines, "<dt>lower bound</dt><dd>20 s</dd>\n"
                                    "<dt class=\"bad\">conflict</dt><dd>VM &lt;x&gt;</dd>\n"
                                    "<dt></dt><dd>-&gt; --exclude x</dd>\n"
                                    "<dt></dt><dd>short</dd>\n"
                                    "<dt></dt><dd>a text without a label</dd>\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_is_a_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_empty_list_is_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_say_what_they_are_about, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
