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

#define BOOT_ID "22222222-2222-2222-2222-222222222222"

enum { DOMID = 3, N_WINDOWS = 4 };
static const double windows_s[N_WINDOWS] = {0.01, 0.02, 0.04, 0.08};

struct fixture {
    uv_loop_t loop;
    struct xen_bursts *bursts;
    char state_dir[SCRATCH_PATH_BYTES], proc_dir[SCRATCH_PATH_BYTES];
    char called[64]; /* one letter a call: E(nable) C(lean) P(eek) O(ff) */
    bool is_on;
    int fail_on, fail_clean, fail_peek, fail_off; /* an errno to answer */
    int gone_from;                                /* the n-th call and all after it answer ESRCH; 0: never */
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

static bool is_gone(const struct fixture *fixture) {
    return fixture->gone_from != 0 && strlen(fixture->called) >= (size_t)fixture->gone_from;
}

static void add_save_process(void) {
    char path[SCRATCH_PATH_BYTES];
    static const char cmdline[] = "libxl-save-helper\0--save-domain\0"
                                  "9\0"
                                  "-1\0"
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
    if (is_gone(fixture))
        return ESRCH;
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
    if (is_gone(fixture))
        return ESRCH;
    if (fixture->fail_off != 0)
        return fixture->fail_off;
    fixture->is_on = false;
    return 0;
}

static int clean(void *context, uint32_t domid) {
    struct fixture *fixture = context;
    (void)domid;
    note(fixture, 'C');
    return is_gone(fixture) ? ESRCH : fixture->fail_clean;
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
    return is_gone(fixture) ? ESRCH : fixture->fail_peek;
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
        mkdir(scratch_path("proc", fixture->proc_dir), 0700) != 0 || scratch_boot_id(BOOT_ID) != 0 ||
        uv_loop_init(&fixture->loop) != 0)
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

static void add_mark(const char *boot_id) {
    assert_int_equal(scratch_write(MARK, boot_id, strlen(boot_id)), 0);
}

/* As at a start where the domain is here (or not), suspended or not. */
static void recover(struct fixture *fixture, const char *name, bool is_suspended, bool is_listed) {
    struct xen_domain domain = {
        .domid = DOMID, .uuid = UUID, .name = (char *)name, .n_online_vcpus = 1, .is_suspended = is_suspended};
    const struct xen_domains domains = {.items = &domain, .n = is_listed};
    memset(fixture->called, 0, sizeof(fixture->called));
    xen_bursts_recover(fixture->bursts, &domains);
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
    add_mark(BOOT_ID);
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    run(fixture);
    assert_string_equal(fixture->called, "EOECPPPPO");
    assert_false(has_mark());
}

static void test_a_mark_of_an_earlier_boot_is_not_believed(void **state) {
    struct fixture *fixture = *state;
    static const char *const others[] = {"33333333-3333-3333-3333-333333333333", ""};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        fixture->is_on = true; /* somebody else's */
        add_mark(others[i]);
        assert_int_equal(begin(fixture, "web1"), DC_EBUSY);
        assert_string_equal(fixture->called, "E");
        assert_true(fixture->is_on);
        assert_false(has_mark());
        add_mark(others[i]);
        recover(fixture, "web1", false, true);
        assert_string_equal(fixture->called, "");
        assert_false(has_mark());
    }
}

static void test_a_start_turns_off_what_a_killed_agent_left_on(void **state) {
    struct fixture *fixture = *state;
    fixture->is_on = true;
    add_mark(BOOT_ID);
    recover(fixture, "web1", false, true);
    assert_string_equal(fixture->called, "O");
    assert_false(fixture->is_on);
    assert_false(has_mark());
    recover(fixture, "web1", false, true);
    assert_string_equal(fixture->called, ""); /* once */
    add_mark(BOOT_ID);
    recover(fixture, "web1", false, false); /* it went meanwhile */
    assert_string_equal(fixture->called, "");
    assert_false(has_mark());
}

static void test_a_start_leaves_it_to_a_migration(void **state) {
    struct fixture *fixture = *state;
    fixture->is_on = true;
    add_mark(BOOT_ID);
    add_save_process();
    recover(fixture, "web1", false, true);
    end_save_process();
    assert_string_equal(fixture->called, "");
    recover(fixture, "web1--migratedaway", false, true);
    assert_string_equal(fixture->called, "");
    recover(fixture, "web1", true, true);
    assert_string_equal(fixture->called, "");
    assert_true(fixture->is_on);
    assert_true(has_mark());
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

static void test_marks_of_domains_that_are_gone_are_dropped(void **state) {
    struct fixture *fixture = *state;
    struct xen_domain domain = {.domid = DOMID, .uuid = UUID};
    const struct xen_domains here = {.items = &domain, .n = 1}, gone = {.n = 0};
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    xen_bursts_drop_marks(fixture->bursts, &gone);
    assert_true(has_mark()); /* of a burst that runs */
    fixture->fail_peek = EBUSY;
    run(fixture);
    xen_bursts_drop_marks(fixture->bursts, &here);
    assert_true(has_mark());
    domain.domid++; /* it was rebooted */
    xen_bursts_drop_marks(fixture->bursts, &here);
    assert_false(has_mark());
}

/* E C P P P P O: at each of them it may be gone. */
static void test_a_domain_vanishes_at_every_step(void **state) {
    struct fixture *fixture = *state;
    static const char *const called[] = {"E", "ECO", "ECPO", "ECPPO", "ECPPPO", "ECPPPPO", "ECPPPPO"};
    for (int at = 1; at <= 7; at++) {
        fixture->gone_from = at;
        fixture->n_done = fixture->n_peeks = 0;
        fixture->is_on = false;
        const enum dc_status rc = begin(fixture, "web1");
        assert_int_equal(rc, at <= 2 ? DC_ENOTFOUND : DC_OK);
        run(fixture);
        assert_string_equal(fixture->called, called[at - 1]);
        assert_int_equal(fixture->n_done, at <= 2 ? 0 : 1);
        assert_int_equal(fixture->n_done == 1 && fixture->got_curve, at == 7);
        assert_false(has_mark());
    }
}

static void test_what_cannot_be_turned_off_stays_marked(void **state) {
    struct fixture *fixture = *state;
    fixture->fail_off = EAGAIN;
    assert_int_equal(begin(fixture, "web1"), DC_OK);
    run(fixture);
    assert_true(fixture->got_curve);
    assert_true(has_mark());
    fixture->fail_off = 0;
    recover(fixture, "web1", false, true);
    assert_string_equal(fixture->called, "O");
    assert_false(has_mark());
}

static void test_dom0_is_never_sampled(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(xen_bursts_begin(fixture->bursts, 0, UUID, "Domain-0", windows_s, N_WINDOWS, NULL),
                     DC_EUNSUPPORTED);
    assert_string_equal(fixture->called, "");
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
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(xen_bursts_begin(fixture->bursts, DOMID, UUID, "web1", windows_s, N_WINDOWS, &err),
                     DC_EUNSUPPORTED);
    assert_non_null(strstr(error_text(&err), "shadow"));
    assert_false(has_mark());
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_burst),
        TEST(test_somebody_elses_log_dirty_is_left_alone),
        TEST(test_what_a_killed_agent_left_on_is_taken_back),
        TEST(test_a_mark_of_an_earlier_boot_is_not_believed),
        TEST(test_a_start_turns_off_what_a_killed_agent_left_on),
        TEST(test_a_start_leaves_it_to_a_migration),
        TEST(test_a_domain_in_migration_is_not_touched),
        TEST(test_a_migration_that_begins_gets_log_dirty),
        TEST(test_a_counter_that_fell_means_hands_off),
        TEST(test_a_suspended_domain_means_hands_off),
        TEST(test_one_burst_at_a_time),
        TEST(test_marks_of_domains_that_are_gone_are_dropped),
        TEST(test_cancel_and_close_turn_it_off),
        TEST(test_failures_turn_it_off_again),
        TEST(test_a_domain_without_log_dirty),
        TEST(test_a_domain_vanishes_at_every_step),
        TEST(test_what_cannot_be_turned_off_stays_marked),
        TEST(test_dom0_is_never_sampled),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
