/* When bursts begin: staggered, within the budget, never on HOLD. The source is a fake on a real loop. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/sampler.h"

#include "base/log.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_VMS = 8 };

/* Bursts of the fake end when the test says so. */
struct source {
    unsigned n_begun[MAX_VMS], n_cancelled[MAX_VMS];
    bool runs[MAX_VMS];
    size_t n_running, most_running;
    enum dc_status answer;
    int n_asked;
    char told[64]; /* of holds: "+x" and "-x" */
    double windows_s[SAMPLER_WINDOWS];
};

struct fixture {
    uv_loop_t loop;
    uv_timer_t timer;
    struct source source;
    struct sampler *sampler;
    struct source_vm vms[MAX_VMS];
    char uuids[MAX_VMS][40];
    unsigned n_bursts;
    struct dirty_point last_points[SAMPLER_WINDOWS];
    size_t last_n_points;
};

static size_t index_of(const char *vm) {
    return (size_t)(vm[0] - '0');
}

static enum dc_status begin(struct source *source, const char *vm, const double *windows_s, size_t n_windows,
                            struct dc_error *err) {
    source->n_asked++;
    if (source->answer != DC_OK)
        return error_set(err, source->answer, "not this one");
    assert_int_equal(n_windows, SAMPLER_WINDOWS);
    memcpy(source->windows_s, windows_s, sizeof(source->windows_s));
    assert_false(source->runs[index_of(vm)]);
    source->runs[index_of(vm)] = true;
    source->n_begun[index_of(vm)]++;
    if (++source->n_running > source->most_running)
        source->most_running = source->n_running;
    return DC_OK;
}

static void cancel(struct source *source, const char *vm) {
    assert_true(source->runs[index_of(vm)]);
    source->runs[index_of(vm)] = false;
    source->n_cancelled[index_of(vm)]++;
    source->n_running--;
}

/* What the source is told must come after it let go of the VM. */
static void set_held(struct source *source, const char *vm, bool is_held) {
    assert_false(source->runs[index_of(vm) % MAX_VMS]);
    const size_t n = strlen(source->told);
    if (n + 3 < sizeof(source->told)) {
        source->told[n] = is_held ? '+' : '-';
        source->told[n + 1] = vm[0];
    }
}

static const struct source_ops fake_ops = {
    .name = "fake", .begin_burst = begin, .cancel_burst = cancel, .set_held = set_held};

static void on_burst(void *context, const char *vm, int64_t at_unix_ms, const struct dirty_curve *curve) {
    struct fixture *fixture = context;
    (void)vm;
    assert_true(at_unix_ms > 0);
    fixture->n_bursts++;
    fixture->last_n_points = curve->n_points;
    memcpy(fixture->last_points, curve->points, curve->n_points * sizeof(*curve->points));
}

static void quiet(void *context, enum log_level level, const char *line) {
    (void)context;
    (void)level;
    (void)line;
}

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    log_set_hook(quiet, NULL);
    for (size_t i = 0; i < MAX_VMS; i++) {
        (void)snprintf(fixture->uuids[i], sizeof(fixture->uuids[i]), "%zu", i);
        fixture->vms[i].facts.uuid = fixture->uuids[i];
    }
    *state = fixture;
    return uv_loop_init(&fixture->loop) == 0 && uv_timer_init(&fixture->loop, &fixture->timer) == 0 ? 0 : -1;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    sampler_close(&fixture->sampler);
    uv_close((uv_handle_t *)&fixture->timer, NULL);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    const int r = uv_loop_close(&fixture->loop);
    free(fixture);
    return r;
}

static void open_sampler(struct fixture *fixture, double interval_ms, double burst_ms, double budget_frac) {
    const struct sampler_config config = {.interval_ms = interval_ms, .burst_ms = burst_ms, .budget_frac = budget_frac};
    assert_int_equal(
        sampler_open(&fixture->loop, &config, &fake_ops, &fixture->source, on_burst, fixture, &fixture->sampler, NULL),
        DC_OK);
}

static void on_stop(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

static void run_for(struct fixture *fixture, uint64_t ms) {
    uv_update_time(&fixture->loop);
    (void)uv_timer_start(&fixture->timer, on_stop, ms, 0);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
}

static void end_burst(struct fixture *fixture, size_t vm) {
    struct dirty_point points[] = {{0.1, 10}, {1, 100}, {100, 1000}};
    const struct dirty_curve curve = {.n_points = 3, .points = points};
    fixture->source.runs[vm] = false;
    fixture->source.n_running--;
    sampler_burst_done(fixture->sampler, fixture->uuids[vm], &curve, NULL);
}

static void end_all_bursts(struct fixture *fixture) {
    for (size_t i = 0; i < MAX_VMS; i++) {
        if (fixture->source.runs[i])
            end_burst(fixture, i);
    }
}

static void test_windows_are_geometric(void **state) {
    (void)state;
    double windows_s[SAMPLER_WINDOWS];
    sampler_windows(60, windows_s);
    assert_true(windows_s[0] == SAMPLER_FIRST_WINDOW_S && windows_s[SAMPLER_WINDOWS - 1] == 60);
    for (size_t i = 2; i < SAMPLER_WINDOWS; i++)
        assert_true(fabs(windows_s[i] / windows_s[i - 1] - windows_s[1] / windows_s[0]) < 1e-9);
}

static void test_staggers_over_the_interval(void **state) {
    struct fixture *fixture = *state;
    open_sampler(fixture, 400, 300, 1);
    sampler_set_vms(fixture->sampler, fixture->vms, 4);
    run_for(fixture, 50);
    assert_int_equal(fixture->source.n_running, 1); /* the first at once */
    run_for(fixture, 100);
    assert_int_equal(fixture->source.n_running, 2);
    run_for(fixture, 220);
    assert_int_equal(fixture->source.n_running, 4);
}

static void test_keeps_the_budget_of_all(void **state) {
    struct fixture *fixture = *state;
    open_sampler(fixture, 20, 10, 0.5); /* of 4 VMs, 2 at a time */
    sampler_set_vms(fixture->sampler, fixture->vms, 4);
    for (int i = 0; i < 10; i++) {
        run_for(fixture, 30);
        end_all_bursts(fixture);
    }
    assert_int_equal(fixture->source.most_running, 2);
    for (size_t i = 0; i < 4; i++)
        assert_true(fixture->source.n_begun[i] >= 2); /* nobody starves */
    const struct sampler_stats stats = sampler_stats(fixture->sampler);
    assert_int_equal(stats.n_bursts, fixture->n_bursts);
    assert_true(stats.sampling_frac > 0 && stats.sampling_frac <= 0.5 + 1e-9);
}

static void test_one_vm_keeps_the_budget_too(void **state) {
    struct fixture *fixture = *state;
    open_sampler(fixture, 20, 20, 0.1); /* no more than a burst every 200 ms */
    sampler_set_vms(fixture->sampler, fixture->vms, 1);
    for (int i = 0; i < 10; i++) {
        run_for(fixture, 30);
        end_all_bursts(fixture);
    }
    assert_true(fixture->source.n_begun[0] == 2);
}

static void test_aligns_to_the_nominal_windows(void **state) {
    struct fixture *fixture = *state;
    open_sampler(fixture, 60000, 60000, 1);
    sampler_set_vms(fixture->sampler, fixture->vms, 1);
    run_for(fixture, 20);
    end_burst(fixture, 0);
    assert_int_equal(fixture->n_bursts, 1);
    assert_int_equal(fixture->last_n_points, SAMPLER_WINDOWS);
    assert_true(fixture->last_points[0].window_s == SAMPLER_FIRST_WINDOW_S);
    assert_true(fabs(fixture->last_points[0].pages - 12.5) < 1e-9);
}

static void test_hold_ends_a_burst_and_release_resumes(void **state) {
    struct fixture *fixture = *state;
    open_sampler(fixture, 20, 20, 1);
    sampler_set_vms(fixture->sampler, fixture->vms, 1);
    run_for(fixture, 20);
    assert_int_equal(fixture->source.n_begun[0], 1);
    assert_true(sampler_hold(fixture->sampler, "0", 60000));
    assert_int_equal(fixture->source.n_cancelled[0], 1);
    assert_true(sampler_hold(fixture->sampler, "0", 60000)); /* again: nothing */
    assert_int_equal(sampler_stats(fixture->sampler).n_held, 1);
    run_for(fixture, 100);
    assert_int_equal(fixture->source.n_begun[0], 1);
    sampler_release(fixture->sampler, "0");
    sampler_release(fixture->sampler, "0");
    run_for(fixture, 50);
    assert_int_equal(fixture->source.n_begun[0], 2);
    assert_int_equal(sampler_stats(fixture->sampler).n_held, 0);
    assert_string_equal(fixture->source.told, "+0-0");
}

static void test_hold_runs_out(void **state) {
    struct fixture *fixture = *state;
    open_sampler(fixture, 20, 20, 1);
    assert_true(sampler_hold(fixture->sampler, "0", 100)); /* before the VM is there */
    sampler_set_vms(fixture->sampler, fixture->vms, 1);
    run_for(fixture, 60);
    assert_int_equal(fixture->source.n_begun[0], 0);
    run_for(fixture, 120);
    assert_int_equal(fixture->source.n_begun[0], 1);
    assert_string_equal(fixture->source.told, "+0-0");
}

static void test_too_many_holds_stop_all_sampling(void **state) {
    struct fixture *fixture = *state;
    open_sampler(fixture, 20, 20, 1);
    char uuid[40];
    for (int i = 0; i < SAMPLER_MAX_HOLDS; i++) {
        (void)snprintf(uuid, sizeof(uuid), "x%d", i);
        assert_true(sampler_hold(fixture->sampler, uuid, 60000));
    }
    assert_false(sampler_hold(fixture->sampler, "one more", 60000));
    sampler_set_vms(fixture->sampler, fixture->vms, 1);
    run_for(fixture, 60);
    assert_int_equal(fixture->source.n_begun[0], 0);
    sampler_release(fixture->sampler, "x7");
    run_for(fixture, 30);
    assert_int_equal(fixture->source.n_begun[0], 1);
}

static void test_asks_again_where_the_source_was_busy(void **state) {
    struct fixture *fixture = *state;
    open_sampler(fixture, 200, 100, 1);
    fixture->source.answer = DC_EBUSY;
    sampler_set_vms(fixture->sampler, fixture->vms, 1);
    run_for(fixture, 30);
    fixture->source.answer = DC_OK;
    run_for(fixture, 60);
    assert_int_equal(fixture->source.n_begun[0], 1);
}

static void test_never_asks_again_where_it_cannot_be(void **state) {
    struct fixture *fixture = *state;
    open_sampler(fixture, 20, 20, 1);
    fixture->source.answer = DC_EUNSUPPORTED;
    sampler_set_vms(fixture->sampler, fixture->vms, 1);
    run_for(fixture, 30);
    fixture->source.answer = DC_OK;
    run_for(fixture, 100);
    sampler_set_vms(fixture->sampler, fixture->vms, 2); /* another came: that does not help the first */
    run_for(fixture, 50);
    assert_int_equal(fixture->source.n_begun[0], 0);
    assert_int_equal(fixture->source.n_begun[1], 1);
    assert_int_equal(fixture->source.n_asked, 2);
}

static void test_vms_come_and_go(void **state) {
    struct fixture *fixture = *state;
    open_sampler(fixture, 30, 20, 1);
    sampler_set_vms(fixture->sampler, fixture->vms, 2);
    run_for(fixture, 60);
    sampler_set_vms(fixture->sampler, fixture->vms + 1, 1); /* 0 went in the middle of its burst */
    const unsigned n_begun = fixture->source.n_begun[0];
    end_burst(fixture, 0);
    assert_int_equal(fixture->n_bursts, 0); /* of nobody */
    run_for(fixture, 100);
    assert_int_equal(fixture->source.n_begun[0], n_begun);
}

static void test_a_failed_burst_is_not_passed_on(void **state) {
    struct fixture *fixture = *state;
    open_sampler(fixture, 30, 20, 1);
    sampler_set_vms(fixture->sampler, fixture->vms, 1);
    run_for(fixture, 20);
    struct dc_error err = DC_ERROR_NONE;
    (void)error_set(&err, DC_EBUSY, "it migrates");
    fixture->source.runs[0] = false;
    fixture->source.n_running--;
    sampler_burst_done(fixture->sampler, "0", NULL, &err);
    assert_int_equal(fixture->n_bursts, 0);
    run_for(fixture, 60);
    assert_int_equal(fixture->source.n_begun[0], 2);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows_are_geometric),
        TEST(test_staggers_over_the_interval),
        TEST(test_keeps_the_budget_of_all),
        TEST(test_one_vm_keeps_the_budget_too),
        TEST(test_aligns_to_the_nominal_windows),
        TEST(test_hold_ends_a_burst_and_release_resumes),
        TEST(test_hold_runs_out),
        TEST(test_too_many_holds_stop_all_sampling),
        TEST(test_asks_again_where_the_source_was_busy),
        TEST(test_never_asks_again_where_it_cannot_be),
        TEST(test_vms_come_and_go),
        TEST(test_a_failed_burst_is_not_passed_on),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
