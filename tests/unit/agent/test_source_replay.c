/* The replay source: which VMs, in which order and when their bursts come. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/source.h"

#include "base/log.h"
#include "scratch_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define VM1 "11111111-1111-1111-1111-111111111111"
#define VM2 "22222222-2222-2222-2222-222222222222"
#define VM3 "33333333-3333-3333-3333-333333333333"

/* VM1: three bursts of 2 s, 30 s and 60 s apart; VM2: no recording; VM3: on another host. */
static const char document[] =
    "{\"format\": \"decamp/fleet\", \"format_version\": \"1.0\", \"taken_unix_ms\": 0, \"hosts\": ["
    "{\"name\": \"h1\", \"state\": \"on\", \"cpus\": 8, \"memory_bytes\": 68719476736},"
    "{\"name\": \"h2\", \"state\": \"on\", \"cpus\": 8, \"memory_bytes\": 68719476736}], \"vms\": ["
    "{\"uuid\": \"" VM1 "\", \"name\": \"one\", \"host\": \"h1\", \"state\": \"running\", \"memory_bytes\": 1073741824,"
    " \"vcpus\": 2, \"downtime_budget_ms\": 700, \"policy\": {\"name\": \"qemu\", \"downtime_limit_ms\": 250},"
    " \"overhead\": {\"pre_ms\": 11}, \"profile\": {\"kind\": \"curve\", \"zero_pages\": 77, \"bursts\": ["
    "{\"at_unix_ms\": 100000, \"points\": [[1, 10], [2, 20]]},"
    "{\"at_unix_ms\": 130000, \"points\": [[1, 11], [2, 21]]},"
    "{\"at_unix_ms\": 190000, \"points\": [[1, 12], [2, 22]]}]}},"
    "{\"uuid\": \"" VM2 "\", \"name\": \"two\", \"host\": \"h1\", \"state\": \"running\", \"memory_bytes\": 1073741824,"
    " \"vcpus\": 1},"
    "{\"uuid\": \"" VM3 "\", \"name\": \"three\", \"host\": \"h2\", \"state\": \"running\","
    " \"memory_bytes\": 1073741824, \"vcpus\": 1}]}";

struct fixture {
    uv_loop_t loop;
    struct source *source;
    char path[SCRATCH_PATH_BYTES];
    double pages[16]; /* at 1 s, of the bursts that came */
    size_t n_bursts;
};

static void on_vms_changed(void *context) {
    (void)context;
    fail();
}

static void on_burst_done(void *context, const char *vm, const struct dirty_curve *curve, const struct dc_error *err) {
    struct fixture *fixture = context;
    assert_string_equal(vm, VM1);
    assert_null(err);
    assert_true(fixture->n_bursts < 16);
    fixture->pages[fixture->n_bursts++] = curve->points[0].pages;
}

static void quiet(void *context, enum log_level level, const char *line) {
    (void)context;
    (void)level;
    (void)line;
}

static enum dc_status open_source(struct fixture *fixture, const char *host, double speed, struct dc_error *err) {
    const struct source_config config = {
        .host = host, .replay_file = fixture->path, .replay_speed = speed, .sample_interval_ms = 600000};
    const struct source_events events = {
        .context = fixture, .vms_changed = on_vms_changed, .burst_done = on_burst_done};
    return source_replay_ops.open(&fixture->loop, &config, &events, &fixture->source, err);
}

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    log_set_hook(quiet, NULL);
    if (scratch_make() == NULL || scratch_write("fleet.json", document, sizeof(document) - 1) != 0)
        return -1;
    (void)scratch_path("fleet.json", fixture->path);
    return uv_loop_init(&fixture->loop);
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    if (fixture->source != NULL)
        source_replay_ops.close(fixture->source);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    const int r = uv_loop_close(&fixture->loop);
    free(fixture);
    scratch_remove();
    return r;
}

static void must_open(struct fixture *fixture, double speed) {
    struct dc_error err = DC_ERROR_NONE;
    if (open_source(fixture, "h1", speed, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
}

static void test_shows_the_vms_of_its_host(void **state) {
    struct fixture *fixture = *state;
    must_open(fixture, 1);
    assert_string_equal(source_replay_ops.host(fixture->source)->name, "h1");
    size_t n_vms = 0;
    const struct source_vm *vms = source_replay_ops.vms(fixture->source, &n_vms);
    assert_int_equal(n_vms, 2);
    assert_string_equal(vms[0].facts.uuid, VM1);
    assert_true(vms[0].zero_pages == 77);
    assert_true(vms[0].facts.downtime_budget_ms == 700);
    assert_true(vms[0].facts.overhead.pre_ms == 11);
    assert_string_equal(vms[0].facts.policy.policy->name, "qemu");
    assert_true(vms[0].facts.policy.downtime_limit_ms == 250);
    assert_int_equal(vms[0].facts.profile.kind, DIRTY_PROFILE_NONE);
    assert_string_equal(vms[1].facts.uuid, VM2);
}

static double next_ms(struct fixture *fixture) {
    return source_replay_ops.next_burst_ms(fixture->source, VM1);
}

static void begin(struct fixture *fixture) {
    assert_int_equal(source_replay_ops.begin_burst(fixture->source, VM1, NULL, 0, NULL), DC_OK);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
}

static void test_replays_in_order_round_and_round_at_the_recorded_spacing(void **state) {
    struct fixture *fixture = *state;
    must_open(fixture, 100);
    const double spacings_ms[] = {300, 600, 450, 300}; /* after the last: the mean */
    assert_true(next_ms(fixture) == 0);
    for (size_t i = 0; i < 4; i++) {
        uv_update_time(&fixture->loop);
        const uint64_t before = uv_now(&fixture->loop);
        begin(fixture);
        assert_int_equal(fixture->n_bursts, i + 1);
        assert_true(fixture->pages[i] == 10 + (double)(i % 3));
        uv_update_time(&fixture->loop);
        const uint64_t took_ms = uv_now(&fixture->loop) - before;
        if (i == 0)
            assert_true(took_ms < 15); /* as if it had just ended */
        else
            assert_true(took_ms >= 19); /* 2 s at 100 times the speed */
        assert_true(next_ms(fixture) == spacings_ms[i]);
    }
}

static void test_a_speed_beyond_sense_is_slowed_down(void **state) {
    struct fixture *fixture = *state;
    must_open(fixture, 1e6);
    begin(fixture);
    assert_true(next_ms(fixture) == 100);
}

static void test_a_cancelled_burst_does_not_come(void **state) {
    struct fixture *fixture = *state;
    must_open(fixture, 100);
    assert_int_equal(source_replay_ops.begin_burst(fixture->source, VM1, NULL, 0, NULL), DC_OK);
    source_replay_ops.cancel_burst(fixture->source, VM1);
    source_replay_ops.cancel_burst(fixture->source, VM2);
    source_replay_ops.cancel_burst(fixture->source, "nobody");
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    assert_int_equal(fixture->n_bursts, 0);
}

static void test_vms_that_cannot_be_replayed(void **state) {
    struct fixture *fixture = *state;
    must_open(fixture, 1);
    assert_int_equal(source_replay_ops.begin_burst(fixture->source, VM2, NULL, 0, NULL), DC_EUNSUPPORTED);
    assert_int_equal(source_replay_ops.begin_burst(fixture->source, VM3, NULL, 0, NULL), DC_ENOTFOUND);
}

static void test_errors_name_the_file(void **state) {
    struct fixture *fixture = *state;
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(open_source(fixture, "h9", 1, &err), DC_ENOTFOUND);
    assert_non_null(strstr(error_text(&err), "fleet.json"));
    assert_non_null(strstr(error_text(&err), "h9"));
    (void)scratch_path("missing.json", fixture->path);
    err = DC_ERROR_NONE;
    assert_int_not_equal(open_source(fixture, "h1", 1, &err), DC_OK);
    assert_non_null(strstr(error_text(&err), "missing.json"));
    assert_null(fixture->source);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_shows_the_vms_of_its_host),
        TEST(test_replays_in_order_round_and_round_at_the_recorded_spacing),
        TEST(test_a_speed_beyond_sense_is_slowed_down),
        TEST(test_a_cancelled_burst_does_not_come),
        TEST(test_vms_that_cannot_be_replayed),
        TEST(test_errors_name_the_file),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
