/* The moves document. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/moves_doc.h"

#include "tests/unit/proto/doc_patch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char good[] = "{\"format\": \"decamp/moves\", \"format_version\": \"1.0\", \"moves\": ["
                           "{\"vm\": \"web1\", \"to\": \"h4\"}, {\"vm\": \"web2\", \"to\": \"h4\", \"why\": \"x\"}]}";

static void test_reads_moves(void **state) {
    struct moves moves;
    struct dc_error err = DC_ERROR_NONE;
    (void)state;
    assert_int_equal(moves_doc_read(good, strlen(good), &moves, &err), DC_OK);
    assert_int_equal(moves.n_moves, 2);
    assert_string_equal(moves.moves[1].vm, "web2");
    assert_string_equal(moves.moves[1].to, "h4");
    moves_doc_dispose(&moves);
    moves_doc_dispose(&moves);
    assert_int_equal(moves.n_moves, 0);
}

static void test_refuses_bad_moves(void **state) {
    static const struct {
        const char *path, *value, *error;
    } cases[] = {
        {"format", "\"decamp/fleet\"", "format: expected \"decamp/moves\", got \"decamp/fleet\""},
        {"moves", NULL, "moves: expected an array, got nothing"},
        {"moves", "{}", "moves: expected an array, got an object"},
        {"moves.1", "[]", "moves[1]: expected an object, got an empty array"},
        {"moves.1.vm", "\"web1\"", "moves[1].vm: duplicate of moves[0].vm"},
        {"moves.1.to", NULL, "moves[1].to: expected a string that is not empty, got nothing"},
        {"moves.0.vm", "1", "moves[0].vm: expected a string that is not empty, got 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct moves moves;
        struct dc_error err = DC_ERROR_NONE;
        char *text = doc_patch(good, cases[i].path, cases[i].value);
        assert_non_null(text);
        assert_int_equal(moves_doc_read(text, strlen(text), &moves, &err), DC_EINVAL);
        assert_string_equal(err.text, cases[i].error);
        assert_null(moves.moves);
        free(text);
    }
}

static void test_names_the_file(void **state) {
    struct moves moves;
    struct dc_error err = DC_ERROR_NONE;
    (void)state;
    assert_int_equal(moves_doc_read_file("/nonexistent/moves.json", &moves, &err), DC_ENOTFOUND);
    assert_memory_equal(err.text, "/nonexistent/moves.json", 23);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_moves),
        cmocka_unit_test(test_refuses_bad_moves),
        cmocka_unit_test(test_names_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
