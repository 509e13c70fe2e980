/* Bursts on a fake Xen: what is called, in which order, and when hands stay off. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_burst.h"

#include "base/log.h"
#include "scratch_dir.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

#define UUID "11111111-1111-1111-1111-111111111111"
#define MARK "state/log-dirty-3-" UUID

enum { DOMID = 3, N_WINDOWS = 4 };
static const double windows_s[N_WINDOWS] = {0.01, 0.02, 0.04, 0.08};

struct fixture {
    uv_loop_t loop;
    struct xen_bursts *bursts;
    char state_dir[SCRATCH_PATH_BYTES], proc_dir[SCRATCH_PATH_BYTES];
    char called[64]; /* one letter a call: E(nable) C(lean) P(eek) O(ff) */
    bool is_on;
    int fail_on, fail_clean, fail_peek; /* an errno to answer */
    double pages;
    int fall_at_peek, sign_at_peek; /* n: at the n-th PEEK; 0: never */
    int n_peeks, n_done;
    bool is_closed, got_curve;
    struct dirty_point points[N_WINDOWS];
    char why[ERROR_TEXT_BYTES];
};

static void note(struct fixture *fixture, char call) {
    const size_t n = strlen(fixture->called);
    assert_true(n + 1 < sizeof(fixture->called));
    fixture->called[n] = call;
}

static void add_save_process(void) {
    char path[SCRATCH_PATH_BYTES];
    static const char cmdline[] = "libxl-save-helper\0--save-domain\0"
                                  "9\0"
                                  "3";
    (void)mkdir(scratch_path("proc/77", path), 0700);
    assert_int_equal(scratch_write("proc/77/cmdline", cmdline, sizeof(cmdline)), 0);
}

static void end_save_process(void) {
    char path[SCRATCH_PATH_BYTES];
    (void)unlink(scratch_path("proc/77/cmdline", path));
    (void)rmdir(scratch_path("proc/77", path));
}

static int log_dirty_on(void *context, uint32_t domid) {
    struct fixture *fixture = context;
    assert_int_equal(domid, DOMID);
    note(fixture, 'E');
    if (fixture->fail_on != 0)
        return fixture->fail_on;
    if (fixture->is_on)
        return EINVAL;
    fixture->is_on = true;
    return 0;
}

static int log_dirty_off(void *context, uint32_t domid) {
    struct fixture *fixture = context;
    (void)domid;
    note(fixture, 'O');
    fixture->is_on = false;
    return 0;
}

static int clean(void *context, uint32_t domid) {
    struct fixture *fixture = context;
    (void)domid;
    note(fixture, 'C');
    return fixture->fail_clean;
}

static int peek(void *context, uint32_t domid, double *pages_out) {
    struct fixture *fixture = context;
    (void)domid;
    note(fixture, 'P');
    fixture->n_peeks++;
    fixture->pages = fixture->n_peeks == fixture->fall_at_peek ? 1 : fixture->pages + 100;
    *pages_out = fixture->pages;
    if (fixture->n_peeks == fixture->sign_at_peek)
        add_save_process();
    return fixture->fail_peek;
}

static void on_done(void *context, const char *uuid, const struct dirty_curve *curve, const struct dc_error *err) {
    struct fixture *fixture = context;
    assert_string_equal(uuid, UUID);
    fixture->n_done++;
    fixture->got_curve = curve != NULL;
    if (curve != NULL) {
        assert_int_equal(curve->n_points, N_WINDOWS);
        memcpy(fixture->points, curve->points, sizeof(fixture->points));
    } else {
        (void)snprintf(fixture->why, sizeof(fixture->why), "%s", error_text(err));
    }
}

static void on_closed(void *context) {
    ((struct fixture *)context)->is_closed = true;
}

static void quiet(void *context, enum log_level level, const char *line) {
    (void)context;
    (void)level;
    (void)line;
}

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    log_set_hook(quiet, NULL);
    if (scratch_make() == NULL || mkdir(scratch_path("state", fixture->state_dir), 0700) != 0 ||
        mkdir(scratch_path("proc", fixture->proc_dir), 0700) != 0 || uv_loop_init(&fixture->loop) != 0)
        return -1;
    const struct xen_burst_config config = {
        .state_dir = fixture->state_dir,
        .proc_dir = fixture->proc_dir,
        .calls = {fixture, log_dirty_on, log_dirty_off, clean, peek},
        .context = fixture,
        .done = on_done,
        .closed = on_closed,
    };
    return xen_bursts_open(&fixture->loop, &config, &fixture->bursts, NULL);
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    xen_bursts_close(fixture->bursts);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    const int r = uv_loop_close(&fixture->loop);
    const bool is_closed = fixture->is_closed;
    free(fixture);
    scratch_remove();
    return r == 0 && is_closed ? 0 : -1;
}

static bool has_mark(void) {
    char path[SCRATCH_PATH_BYTES];
    return access(scratch_path(MARK, path), F_OK) == 0;
}

static enum dc_status begin(struct fixture *fixture, const char *name) {
    memset(fixture->called, 0, sizeof(fixture->called));
    return xen_bursts_begin(fixture->bursts, DOMID, UUID, name, windows_s, N_WINDOWS, NULL);
}

static void run(struct fixture *fixture) {
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
}

static void test_a_burst(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    assert_true(has_mark());
    run(fixture);
    assert_string_equal(fixture->called, "ECPPPPO");
    assert_true(fixture->got_curve);
    for (size_t i = 0; i < N_WINDOWS; i++) {
        assert_true(fixture->points[i].window_s >= windows_s[i]);
        assert_true(fixture->points[i].pages == 100.0 * (double)(i + 1));
    }
    assert_false(has_mark());
}

static void test_somebody_elses_log_dirty_is_left_alone(void **state) {
    struct fixture *fixture = *state;
    fixture->is_on = true;
    assert_int_equal(begin(fixture, "web1"), DC_EBUSY);
    assert_string_equal(fixture->called, "E");
    assert_true(fixture->is_on);
    assert_false(has_mark());
}

static void test_what_a_killed_agent_left_on_is_taken_back(void **state) {
    struct fixture *fixture = *state;
    fixture->is_on = true;
    assert_int_equal(scratch_write(MARK, "", 0), 0);
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    run(fixture);
    assert_string_equal(fixture->called, "EOECPPPPO");
    assert_false(has_mark());
}

static void test_a_domain_in_migration_is_not_touched(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, "web1--incoming"), DC_EBUSY);
    assert_string_equal(fixture->called, "");
    add_save_process();
    assert_int_equal(begin(fixture, "web1"), DC_EBUSY);
    assert_string_equal(fixture->called, "");
}

static void test_a_migration_that_begins_gets_log_dirty(void **state) {
    struct fixture *fixture = *state;
    fixture->sign_at_peek = 2;
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    run(fixture);
    assert_string_equal(fixture->called, "ECPP"); /* neither PEEK nor OFF */
    assert_int_equal(fixture->n_done, 1);
    assert_false(fixture->got_curve);
    assert_true(has_mark()); /* ours to take back, should the migration come to nothing */
    end_save_process();
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    run(fixture);
    assert_string_equal(fixture->called, "EOECPPPPO");
}

static void test_a_counter_that_fell_means_hands_off(void **state) {
    struct fixture *fixture = *state;
    fixture->fall_at_peek = 3;
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    run(fixture);
    assert_string_equal(fixture->called, "ECPPP");
    assert_false(fixture->got_curve);
    assert_non_null(strstr(fixture->why, "somebody else"));
    assert_false(has_mark());
}

static void test_a_suspended_domain_means_hands_off(void **state) {
    struct fixture *fixture = *state;
    fixture->fail_peek = EBUSY;
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    run(fixture);
    assert_string_equal(fixture->called, "ECP");
    assert_true(has_mark());
}

static void test_one_burst_at_a_time(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    assert_int_equal(begin(fixture, "web1"), DC_EBUSY);
    assert_string_equal(fixture->called, "");
    run(fixture);
    assert_string_equal(fixture->called, "PPPPO");
    assert_int_equal(fixture->n_done, 1);
}

static bool is_here(void *context, uint32_t domid, const char *uuid) {
    assert_int_equal(domid, DOMID);
    assert_string_equal(uuid, UUID);
    return *(const bool *)context;
}

static void test_marks_of_domains_that_are_gone_are_dropped(void **state) {
    struct fixture *fixture = *state;
    bool here = false;
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    xen_bursts_drop_marks(fixture->bursts, is_here, &here);
    assert_true(has_mark()); /* of a burst that runs */
    fixture->fail_peek = EBUSY;
    run(fixture);
    here = true;
    xen_bursts_drop_marks(fixture->bursts, is_here, &here);
    assert_true(has_mark());
    here = false;
    xen_bursts_drop_marks(fixture->bursts, is_here, &here);
    assert_false(has_mark());
}

static void test_cancel_and_close_turn_it_off(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    xen_bursts_cancel(fixture->bursts, UUID);
    xen_bursts_cancel(fixture->bursts, UUID);
    assert_string_equal(fixture->called, "ECO");
    run(fixture);
    assert_int_equal(fixture->n_done, 0);
    assert_int_equal(begin(fixture, "web1"), DC_OK); /* teardown closes in the middle of it */
}

static void test_failures_turn_it_off_again(void **state) {
    struct fixture *fixture = *state;
    fixture->fail_clean = ENOMEM;
    assert_int_not_equal(begin(fixture, "web1"), DC_OK);
    assert_string_equal(fixture->called, "ECO");
    fixture->fail_clean = 0;
    fixture->fail_peek = EIO;
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    run(fixture);
    assert_string_equal(fixture->called, "ECPO");
    assert_false(fixture->got_curve);
    assert_false(has_mark());
}

static void test_a_domain_without_log_dirty(void **state) {
    struct fixture *fixture = *state;
    fixture->fail_on = EOPNOTSUPP;
    assert_int_equal(begin(fixture, "web1"), DC_EUNSUPPORTED);
    assert_false(has_mark());
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_burst),
        TEST(test_somebody_elses_log_dirty_is_left_alone),
        TEST(test_what_a_killed_agent_left_on_is_taken_back),
        TEST(test_a_domain_in_migration_is_not_touched),
        TEST(test_a_migration_that_begins_gets_log_dirty),
        TEST(test_a_counter_that_fell_means_hands_off),
        TEST(test_a_suspended_domain_means_hands_off),
        TEST(test_one_burst_at_a_time),
        TEST(test_marks_of_domains_that_are_gone_are_dropped),
        TEST(test_cancel_and_close_turn_it_off),
        TEST(test_failures_turn_it_off_again),
        TEST(test_a_domain_without_log_dirty),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
