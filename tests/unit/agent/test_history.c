/* The ring of bursts: bounded, numbered across restarts, there after SIGKILL. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/history.h"

#include "scratch_dir.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/log.h"

#define VM "11111111-1111-1111-1111-111111111111"
#define OTHER_VM "22222222-2222-2222-2222-222222222222"

static int make_dir(void **state) {
    (void)state;
    return scratch_make() != NULL ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

static struct history *open_history(size_t n_keep) {
    struct history *history = NULL;
    struct dc_error err = DC_ERROR_NONE;
    if (history_open(scratch_dir, n_keep, &history, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    return history;
}

static uint64_t add(struct history *history, const char *vm, int64_t at_unix_ms, double pages) {
    struct dirty_point points[] = {{1, pages}, {60, 10 * pages}};
    const struct dirty_curve curve = {.n_points = 2, .points = points};
    uint64_t sample_number = 0;
    struct dc_error err = DC_ERROR_NONE;
    if (history_add(history, vm, at_unix_ms, &curve, &sample_number, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    return sample_number;
}

static uint64_t load(struct history *history, const char *vm, size_t n_most, struct dirty_profile *profile_out) {
    uint64_t sample_number = 0;
    struct dc_error err = DC_ERROR_NONE;
    if (history_load(history, vm, n_most, profile_out, &sample_number, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    return sample_number;
}

static void test_keeps_the_newest_bursts_of_each_vm(void **state) {
    (void)state;
    struct history *history = open_history(3);
    for (int i = 1; i <= 5; i++)
        assert_int_equal(add(history, VM, 1000 * i, i), i);
    assert_int_equal(add(history, OTHER_VM, 1, 7), 1);

    struct dirty_profile profile;
    assert_int_equal(load(history, VM, 100, &profile), 5);
    assert_int_equal(profile.kind, DIRTY_PROFILE_CURVE);
    assert_int_equal(profile.n_bursts, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(profile.bursts[i].at_unix_ms, 3000 + 1000 * (int)i);
        assert_int_equal(profile.bursts[i].curve.n_points, 2);
        assert_true(profile.bursts[i].curve.points[1].pages == 30.0 + 10.0 * (double)i);
    }
    dirty_profile_dispose(&profile);
    assert_int_equal(load(history, VM, 2, &profile), 5);
    assert_int_equal(profile.n_bursts, 2);
    assert_int_equal(profile.bursts[0].at_unix_ms, 4000);
    dirty_profile_dispose(&profile);
    history_free(&history);
    history_free(&history);
}

static void test_nothing_known_is_an_empty_profile(void **state) {
    (void)state;
    struct history *history = open_history(3);
    struct dirty_profile profile;
    assert_int_equal(load(history, VM, 10, &profile), 0);
    assert_int_equal(profile.kind, DIRTY_PROFILE_NONE);
    history_free(&history);
}

static void test_survives_sigkill(void **state) {
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        struct history *history = open_history(10);
        for (int i = 1; i <= 4; i++)
            (void)add(history, VM, i, i);
        (void)kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));

    struct history *history = open_history(10);
    struct dirty_profile profile;
    assert_int_equal(load(history, VM, 10, &profile), 4);
    assert_int_equal(profile.n_bursts, 4);
    dirty_profile_dispose(&profile);
    assert_int_equal(add(history, VM, 5, 5), 5); /* numbers go on */
    history_free(&history);
}

static void test_a_smaller_bound_takes_effect_with_the_next_burst(void **state) {
    (void)state;
    struct history *history = open_history(10);
    for (int i = 1; i <= 8; i++)
        (void)add(history, VM, i, i);
    history_free(&history);
    history = open_history(2);
    (void)add(history, VM, 9, 9);
    struct dirty_profile profile;
    (void)load(history, VM, 100, &profile);
    assert_int_equal(profile.n_bursts, 2);
    dirty_profile_dispose(&profile);
    history_free(&history);
}

static void test_prunes_vms_that_went(void **state) {
    (void)state;
    struct history *history = open_history(10);
    (void)add(history, VM, 1000, 1);
    (void)add(history, OTHER_VM, 1000, 1);
    (void)add(history, OTHER_VM, 5000, 1);
    assert_int_equal(history_prune(history, 3000, NULL), DC_OK);
    struct dirty_profile profile;
    (void)load(history, VM, 10, &profile);
    assert_int_equal(profile.n_bursts, 0);
    (void)load(history, OTHER_VM, 10, &profile);
    assert_int_equal(profile.n_bursts, 2);
    dirty_profile_dispose(&profile);
    history_free(&history);
}

static void test_refuses_a_file_that_is_no_history(void **state) {
    (void)state;
    static const char text[] = "these are somebody's notes, long enough to be no empty database file at all";
    assert_int_equal(scratch_write("history.sqlite", text, sizeof(text)), 0);
    struct history *history = NULL;
    struct dc_error err = DC_ERROR_NONE;
    assert_int_not_equal(history_open(scratch_dir, 3, &history, &err), DC_OK);
    assert_null(history);
    assert_non_null(strstr(error_text(&err), "history.sqlite"));
    char path[SCRATCH_PATH_BYTES];
    struct stat info;
    assert_int_equal(stat(scratch_path("history.sqlite", path), &info), 0);
    assert_int_equal(info.st_size, sizeof(text));
}

static void test_refuses_a_missing_folder_and_an_empty_burst(void **state) {
    (void)state;
    struct history *history = NULL;
    struct dc_error err = DC_ERROR_NONE;
    char path[SCRATCH_PATH_BYTES];
    assert_int_equal(history_open(scratch_path("nowhere", path), 3, &history, &err), DC_EIO);
    history = open_history(3);
    uint64_t sample_number = 0;
    const struct dirty_curve empty = {.n_points = 0};
    assert_int_equal(history_add(history, VM, 1, &empty, &sample_number, NULL), DC_EINVAL);
    history_free(&history);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        TEST(test_keeps_the_newest_bursts_of_each_vm),
        TEST(test_nothing_known_is_an_empty_profile),
        TEST(test_survives_sigkill),
        TEST(test_a_smaller_bound_takes_effect_with_the_next_burst),
        TEST(test_prunes_vms_that_went),
        TEST(test_refuses_a_file_that_is_no_history),
        TEST(test_refuses_a_missing_folder_and_an_empty_burst),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
