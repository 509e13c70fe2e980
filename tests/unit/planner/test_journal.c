/* A journal that is closed and opened again, locked, and damaged. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PLAN_ID "0123456789abcdef"

struct fixture {
    char folder[64];
    char seen[512]; /* entries read, in words */
};

static int make_folder(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (fixture == NULL)
        return -1;
    (void)snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/journal-test-XXXXXX");
    *state = fixture;
    return mkdtemp(fixture->folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state) {
    struct fixture *fixture = *state;
    static const char *const files[] = {"journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "lock", ""};
    char path[256];
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/state/" PLAN_ID "/%s", fixture->folder, files[i]);
        (void)remove(path);
    }
    (void)snprintf(path, sizeof(path), "%s/state", fixture->folder);
    (void)remove(path);
    const int r = rmdir(fixture->folder);
    free(fixture);
    return r;
}

static enum dc_status open_journal(const struct fixture *fixture, const char *id, struct journal **journal_out,
                                   struct dc_error *err) {
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/state", fixture->folder);
    return journal_open(path, id, journal_out, err);
}

static struct journal *must_open(const struct fixture *fixture) {
    struct dc_error err = DC_ERROR_NONE;
    struct journal *journal = NULL;
    if (open_journal(fixture, PLAN_ID, &journal, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    return journal;
}

static enum dc_status see(void *context, const struct journal_entry *entry, struct dc_error *err) {
    struct fixture *fixture = context;
    const size_t n = strlen(fixture->seen);
    (void)err;
    assert_true(entry->at_unix_ms > 1600000000000);
    (void)snprintf(fixture->seen + n, sizeof(fixture->seen) - n, "%s %u.%u try %u %s %s>%s %s;",
                   journal_kind_text(entry->kind), entry->revision, entry->step, entry->attempt, entry->vm, entry->from,
                   entry->to, entry->text);
    return DC_OK;
}

static void write_entry(struct journal *journal, enum journal_kind kind, unsigned step, const char *text) {
    struct dc_error err = DC_ERROR_NONE;
    const struct journal_entry entry = {
        .kind = kind, .revision = 1, .step = step, .attempt = 2, .vm = "u", .from = "a", .to = "b", .text = text};
    if (journal_write(journal, &entry, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
}

static void test_what_was_written_is_there_again(void **state) {
    struct fixture *fixture = *state;
    struct dc_error err = DC_ERROR_NONE;
    struct journal *journal = must_open(fixture);
    unsigned n = 7;
    char *text = NULL;
    assert_int_equal(journal_count(journal, &n, &err), DC_OK);
    assert_int_equal(n, 0);
    assert_int_equal(journal_plan(journal, 0, &text, &err), DC_ENOTFOUND);
    assert_null(text);
    assert_int_equal(journal_add_plan(journal, "{\"first\": 1}", "first", NULL), DC_OK);
    assert_int_equal(journal_add_plan(journal, "{\"second\": 2}", "it failed", NULL), DC_OK);
    write_entry(journal, JOURNAL_INTENT, 1, "migrate");
    write_entry(journal, JOURNAL_STUCK, 1, "it's \"odd\"; --");
    journal_close(&journal);
    assert_null(journal);

    journal = must_open(fixture);
    assert_int_equal(journal_count(journal, &n, NULL), DC_OK);
    assert_int_equal(n, 2);
    assert_int_equal(journal_plan(journal, 1, &text, NULL), DC_OK);
    assert_string_equal(text, "{\"second\": 2}");
    free(text);
    assert_int_equal(journal_read(journal, see, fixture, NULL), DC_OK);
    assert_string_equal(fixture->seen, "intent 1.1 try 2 u a>b migrate;stuck 1.1 try 2 u a>b it's \"odd\"; --;");
    journal_close(&journal);
}

static void test_one_at_a_time(void **state) {
    const struct fixture *fixture = *state;
    struct dc_error err = DC_ERROR_NONE;
    struct journal *journal = must_open(fixture), *second = NULL;
    assert_int_equal(open_journal(fixture, PLAN_ID, &second, &err), DC_EBUSY);
    assert_null(second);
    journal_close(&journal);
    journal = must_open(fixture);
    journal_close(&journal);
}

static void test_an_id_that_would_leave_its_folder(void **state) {
    const struct fixture *fixture = *state;
    static const char *const ids[] = {"", "../../etc", "ABC", "12/34"};
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct dc_error err = DC_ERROR_NONE;
        struct journal *journal = NULL;
        assert_int_equal(open_journal(fixture, ids[i], &journal, &err), DC_EINVAL);
        assert_null(journal);
    }
}

static void test_a_damaged_file(void **state) {
    const struct fixture *fixture = *state;
    struct dc_error err = DC_ERROR_NONE;
    struct journal *journal = must_open(fixture);
    char path[256];
    (void)snprintf(path, sizeof(path), "%s/journal.sqlite", journal_dir(journal));
    journal_close(&journal);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 200; i++)
        assert_true(fputs("this is no database, whatever its name says\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(open_journal(fixture, PLAN_ID, &journal, &err), DC_EIO);
    assert_non_null(strstr(error_text(&err), "journal.sqlite"));
    assert_null(journal);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_written_is_there_again, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_one_at_a_time, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_an_id_that_would_leave_its_folder, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_damaged_file, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
