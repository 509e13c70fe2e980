/* Names that would be more than text in a page: as HTML, in attributes, as JSON in a script. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/html_text.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef void (*put_fn)(FILE *stream, const char *text);

/* What `put` makes of `text`; the caller frees it. */
static char *put_out(put_fn put, const char *text) {
    char *out = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&out, &n_bytes);
    assert_non_null(stream);
    put(stream, text);
    assert_int_equal(fclose(stream), 0);
    return out;
}

static void check(put_fn put, const char *text, const char *expected) {
    char *out = put_out(put, text);
    assert_string_equal(out, expected);
    free(out);
}

static void markup_is_text(void **state) {
    (void)state;
    check(html_text_put, "</script><img src=x onerror=\"a('b')\">&amp;",
          "&lt;/script&gt;&lt;img src=x onerror=&quot;a(&#39;b&#39;)&quot;&gt;&amp;amp;");
    check(html_text_put, "", "");
}

static void letters_of_any_script_stay(void **state) {
    (void)state;
    check(html_text_put, "gr\xc3\xbcn \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80",
          "gr\xc3\xbcn \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80");
}

static void what_is_not_seen_is_shown_by_its_number(void **state) {
    (void)state;
    check(html_text_put, "a\nb\tc\x7f", "a[U+000A]b[U+0009]c[U+007F]");
    check(html_text_put,
          "a\xe2\x80\xae"
          "b",
          "a[U+202E]b");
    check(html_text_put, "\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\xc2\x85", "[U+2028][U+2029][U+FEFF][U+0085]");
    check(html_text_put, "\xe2\x80\xa7\xe2\x80\xaf", "\xe2\x80\xa7\xe2\x80\xaf"); /* the neighbours of that range */
}

/* Such bytes do not come from documents, which are checked; none is read beyond the end, none becomes markup. */
static void broken_utf8_ends_nothing(void **state) {
    (void)state;
    check(html_text_put, "\xe2<b>", "\xe2&lt;b&gt;");
    check(html_text_put, "\xf0", "\xf0");
    check(html_text_put, "\xe2\x80", "\xe2[U+0080]");
}

static void json_stays_the_same_json(void **state) {
    (void)state;
    static const char json[] = "{\"</script><!--\":\"a&b \xe2\x80\xa8\xe2\x80\xae \\u003c \xc3\xbc\"}";
    char *out = put_out(html_text_put_json, json);
    assert_null(strpbrk(out, "<>&"));
    assert_null(strstr(out, "\xe2\x80"));
    json_t *before = json_loads(json, 0, NULL), *after = json_loads(out, 0, NULL);
    assert_non_null(before);
    assert_true(json_equal(before, after));
    json_decref(before);
    json_decref(after);
    free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markup_is_text),
        cmocka_unit_test(letters_of_any_script_stay),
        cmocka_unit_test(what_is_not_seen_is_shown_by_its_number),
        cmocka_unit_test(broken_utf8_ends_nothing),
        cmocka_unit_test(json_stays_the_same_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
