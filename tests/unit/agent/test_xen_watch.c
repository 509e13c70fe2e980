/* When the watch looks, on a real loop with a fake list and a /proc made up here. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_watch.h"

#include "base/log.h"
#include "scratch_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define UUID "11111111-1111-1111-1111-111111111111"

struct fixture {
    uv_loop_t loop;
    uv_timer_t timer;
    struct xen_watch *watch;
    bool is_closed, cannot_list;
    int n_lists, suspend_at, go_at; /* at the n-th list; 0: never */
    int n_began, n_ended;
    double downtime_ms, bytes;
};

static bool list(void *context, struct xen_domains *domains_out) {
    struct fixture *fixture = context;
    struct xen_domain domain = {.domid = 3, .uuid = UUID, .name = strdup("web1"), .n_online_vcpus = 1};
    fixture->n_lists++;
    domain.is_shutdown = domain.is_suspended = fixture->suspend_at != 0 && fixture->n_lists >= fixture->suspend_at;
    domain.is_dying = fixture->go_at != 0 && fixture->n_lists >= fixture->go_at;
    if (!fixture->cannot_list)
        return xen_domains_add(domains_out, &domain);
    free(domain.name);
    return false;
}

static void on_migration(void *context, const struct source_migration *migration) {
    struct fixture *fixture = context;
    assert_string_equal(migration->vm, UUID);
    fixture->n_began += !migration->has_ended;
    fixture->n_ended += migration->has_ended && migration->succeeded;
    fixture->downtime_ms = migration->downtime_ms;
    fixture->bytes = migration->bytes;
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
    if (scratch_make() == NULL || uv_loop_init(&fixture->loop) != 0 ||
        uv_timer_init(&fixture->loop, &fixture->timer) != 0)
        return -1;
    const struct xen_watch_config config = {.host = "h1",
                                            .proc_dir = scratch_dir,
                                            .context = fixture,
                                            .list = list,
                                            .migration = on_migration,
                                            .closed = on_closed};
    return xen_watch_open(&fixture->loop, &config, &fixture->watch, NULL);
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    xen_watch_close(fixture->watch);
    uv_close((uv_handle_t *)&fixture->timer, NULL);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    const int r = uv_loop_close(&fixture->loop);
    const bool is_closed = fixture->is_closed;
    free(fixture);
    scratch_remove();
    return r == 0 && is_closed ? 0 : -1;
}

static void on_stop(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

static void run_for(struct fixture *fixture, uint64_t ms) {
    uv_update_time(&fixture->loop);
    (void)uv_timer_start(&fixture->timer, on_stop, ms, 0);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
}

static void refresh(struct fixture *fixture) {
    struct xen_domains domains = {.n = 0};
    if (list(fixture, &domains))
        xen_watch_look(fixture->watch, &domains);
    xen_domains_dispose(&domains);
}

static void add_helper(void) {
    static const char cmdline[] = "libxl-save-helper\0--save-domain\0"
                                  "9\0-1\0"
                                  "3",
                      io[] = "wchar: 4096\n";
    char path[SCRATCH_PATH_BYTES];
    (void)mkdir(scratch_path("77", path), 0700);
    assert_int_equal(scratch_write("77/io", io, sizeof(io) - 1), 0);
    assert_int_equal(scratch_write("77/cmdline", cmdline, sizeof(cmdline)), 0);
}

static void test_costs_nothing_when_nothing_happens(void **state) {
    struct fixture *fixture = *state;
    refresh(fixture);
    run_for(fixture, 200);
    assert_int_equal(fixture->n_lists, 1); /* the test's own */
}

static void test_looks_closely_while_a_vm_is_held(void **state) {
    struct fixture *fixture = *state;
    xen_watch_hold(fixture->watch, UUID, true);
    xen_watch_hold(fixture->watch, UUID, true);
    run_for(fixture, 400);
    assert_in_range(fixture->n_lists, 4, 9);
    xen_watch_hold(fixture->watch, UUID, false);
    xen_watch_hold(fixture->watch, UUID, false);
    run_for(fixture, 120); /* one more look at most */
    const int n_lists = fixture->n_lists;
    run_for(fixture, 200);
    assert_int_equal(fixture->n_lists, n_lists);
    assert_int_equal(fixture->n_began, 0);
}

static void test_follows_a_migration_without_a_hold(void **state) {
    struct fixture *fixture = *state;
    add_helper();
    refresh(fixture);
    assert_int_equal(fixture->n_began, 1);
    run_for(fixture, 200);
    assert_in_range(fixture->n_lists, 3, 6);
    fixture->suspend_at = fixture->n_lists + 2;
    fixture->go_at = fixture->suspend_at + 10; /* looks 10 ms apart from then on */
    run_for(fixture, 900);
    assert_int_equal(fixture->n_ended, 1);
    assert_true(fixture->downtime_ms >= 90 && fixture->downtime_ms < 500);
    assert_true(fixture->bytes == 4096);
    const int n_lists = fixture->n_lists;
    run_for(fixture, 200);
    assert_int_equal(fixture->n_lists, n_lists);
}

static void test_goes_on_when_the_list_cannot_be_had(void **state) {
    struct fixture *fixture = *state;
    fixture->cannot_list = true;
    xen_watch_hold(fixture->watch, UUID, true);
    run_for(fixture, 200);
    assert_in_range(fixture->n_lists, 2, 5);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_costs_nothing_when_nothing_happens),
        TEST(test_looks_closely_while_a_vm_is_held),
        TEST(test_follows_a_migration_without_a_hold),
        TEST(test_goes_on_when_the_list_cannot_be_had),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
