/* Observed migrations: told by one agent or by two, lost, repeated, restored; and what is learned from them. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/observation_log.h"

#include "planner/fleet_calibrate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/model/assert_near.h"

#define UUID_1 "11111111-1111-4111-8111-111111111111"
#define BEGAN_UNIX_MS INT64_C(1790000000000)

/* Three hosts on one switch; the VM's agent counts on a hand-over of 40 ms. */
static const char fleet_text[] =
    "{\"format\": \"decamp/fleet\", \"format_version\": \"1.0\", \"taken_unix_ms\": 1790000000000,"
    " \"hosts\": [{\"name\": \"h1\", \"memory_bytes\": 64000000000}, {\"name\": \"h2\", \"memory_bytes\": 64000000000},"
    "             {\"name\": \"h3\", \"memory_bytes\": 64000000000}],"
    " \"switches\": [{\"name\": \"s\"}],"
    " \"links\": [{\"name\": \"h1-nic\", \"between\": [\"h1\", \"s\"], \"capacity_bytes_per_s\": 125000000},"
    "             {\"name\": \"h2-nic\", \"between\": [\"h2\", \"s\"], \"capacity_bytes_per_s\": 125000000},"
    "             {\"name\": \"h3-nic\", \"between\": [\"h3\", \"s\"], \"capacity_bytes_per_s\": 12500000}],"
    " \"vms\": [{\"uuid\": \"" UUID_1 "\", \"name\": \"web1\", \"host\": \"h1\", \"memory_bytes\": 4000000000,"
    "            \"policy\": {\"name\": \"xen-v2\"}, \"overhead\": {\"post_ms\": 40, \"from_agent\": true},"
    "            \"prediction\": {\"made_unix_ms\": 1789999990000, \"grid\": ["
    "             {\"bandwidth_bytes_per_s\": 10000000, \"migration_ms\": {\"p50\": 400040, \"p95\": 410000},"
    "              \"downtime_ms\": {\"p50\": 140, \"p95\": 160}, \"bytes\": 4000000000, \"rounds\": 6},"
    "             {\"bandwidth_bytes_per_s\": 1000000000, \"migration_ms\": {\"p50\": 4040, \"p95\": 4100},"
    "              \"downtime_ms\": {\"p50\": 41, \"p95\": 45}, \"bytes\": 4000000000, \"rounds\": 5}]}}]}";

struct fixture {
    char path[64];
    struct store *store;
    struct observation_log *log;
    struct fleet_clock now;
    struct fleet fleet; /* as exported last */
};

static void open_log(struct fixture *fixture) {
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(store_open(fixture->path, &fixture->store, &err), DC_OK);
    fixture->log = observation_log_new(fixture->store);
    assert_non_null(fixture->log);
}

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    (void)snprintf(fixture->path, sizeof(fixture->path), "/tmp/test_observation.XXXXXX");
    const int fd = mkstemp(fixture->path);
    if (fd < 0)
        return -1;
    (void)close(fd);
    fixture->now = fleet_clock_now();
    fixture->now.unix_ms = BEGAN_UNIX_MS;
    open_log(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    fleet_doc_dispose(&fixture->fleet);
    observation_log_free(&fixture->log);
    observation_log_free(&fixture->log);
    store_close(&fixture->store);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char path[80];
        (void)snprintf(path, sizeof(path), "%s%s", fixture->path, suffixes[i]);
        (void)unlink(path);
    }
    free(fixture);
    return 0;
}

static struct fleet read_fleet(void) {
    struct dc_error err = DC_ERROR_NONE;
    struct fleet fleet;
    assert_int_equal(fleet_doc_read(fleet_text, strlen(fleet_text), &fleet, &err), DC_OK);
    return fleet;
}

static void pass(struct fixture *fixture, double ms) {
    fixture->now.monotonic_ms += ms;
    fixture->now.unix_ms += (int64_t)ms;
}

static void hear(struct fixture *fixture, const char *host, struct msg_event event) {
    struct dc_error err = DC_ERROR_NONE;
    struct fleet fleet = read_fleet();
    memcpy(event.vm, UUID_1, sizeof(event.vm));
    event.at_unix_ms = fixture->now.unix_ms;
    assert_int_equal(observation_log_event(fixture->log, &fleet, host, &event, fixture->now, &err), DC_OK);
    fleet_doc_dispose(&fleet);
}

static struct msg_event began(const char *peer, double bandwidth_bytes_per_s) {
    return (struct msg_event){.type = MSG_EVENT_MIGRATION_BEGAN,
                              .peer_host = (char *)(uintptr_t)peer,
                              .bandwidth_bytes_per_s = bandwidth_bytes_per_s};
}

static struct msg_event ended(const char *peer, double migration_ms, double downtime_ms, double bytes) {
    return (struct msg_event){.type = MSG_EVENT_MIGRATION_ENDED,
                              .peer_host = (char *)(uintptr_t)peer,
                              .succeeded = true,
                              .migration_ms = migration_ms,
                              .downtime_ms = downtime_ms,
                              .bytes = bytes};
}

static void order(struct fixture *fixture, const char *to, double bandwidth_bytes_per_s, double for_ms) {
    struct fleet fleet = read_fleet();
    const struct foresight_wish wish = {to, bandwidth_bytes_per_s};
    assert_int_equal(observation_log_order(fixture->log, &fleet, 0, &wish, for_ms, fixture->now, NULL), DC_OK);
    fleet_doc_dispose(&fleet);
}

/* The observations that ended, as documents tell them. */
static const struct fleet_observation *look(struct fixture *fixture, size_t expected_n) {
    fleet_doc_dispose(&fixture->fleet);
    fixture->fleet = read_fleet();
    assert_int_equal(observation_log_export(fixture->log, true, &fixture->fleet, NULL), DC_OK);
    assert_int_equal(fixture->fleet.n_observations, expected_n);
    return fixture->fleet.observations;
}

static enum dc_status nothing_of_hosts(void *context, const char *name, const void *bytes, size_t n_bytes,
                                       int64_t seen_unix_ms, struct dc_error *err) {
    (void)context, (void)name, (void)bytes, (void)n_bytes, (void)seen_unix_ms, (void)err;
    return DC_OK;
}

static enum dc_status nothing_of_vms(void *context, const char *uuid, const char *host, const void *bytes,
                                     size_t n_bytes, int64_t seen_unix_ms, struct dc_error *err) {
    (void)context, (void)uuid, (void)host, (void)bytes, (void)n_bytes, (void)seen_unix_ms, (void)err;
    return DC_OK;
}

static enum dc_status restore_one(void *context, int64_t number, int stage, const char *text, struct dc_error *err) {
    struct fixture *fixture = context;
    return observation_log_restore(fixture->log, number, stage, text, err);
}

static void restart(struct fixture *fixture) {
    const struct store_visitor visitor = {
        .context = fixture, .host = nothing_of_hosts, .vm = nothing_of_vms, .observation = restore_one};
    assert_int_equal(store_commit(fixture->store, NULL), DC_OK);
    observation_log_free(&fixture->log);
    store_close(&fixture->store);
    open_log(fixture);
    assert_int_equal(store_restore(fixture->store, &visitor, NULL), DC_OK);
    assert_int_equal(observation_log_learn(fixture->log, NULL), DC_OK);
}

static void test_prediction_is_frozen_at_the_beginning(void **state) {
    struct fixture *fixture = *state;
    hear(fixture, "h1", began("h2", 0));
    (void)look(fixture, 0); /* not before it ended */
    pass(fixture, 36000);
    hear(fixture, "h1", ended("h2", 35500, 180, 4.1e9));
    const struct fleet_observation *seen = look(fixture, 1);
    assert_string_equal(seen->from, "h1");
    assert_string_equal(seen->to, "h2");
    assert_string_equal(seen->name, "web1");
    assert_string_equal(seen->policy, "xen-v2");
    assert_true(seen->began_unix_ms == BEGAN_UNIX_MS && seen->succeeded);
    assert_near(seen->migration_ms, 35500, 0);
    assert_near(seen->bytes, 4.1e9, 0);
    assert_near(seen->predicted.bandwidth_bytes_per_s, 125e6 * 0.94, 1); /* the path, as nobody asked */
    assert_near(seen->predicted.migration_ms.p50, 4e12 / (125e6 * 0.94) + 40, 1);
    assert_near(seen->predicted.goodput_frac, 0.94, 1e-9);
    assert_near(seen->predicted.post_ms, 40, 0);
    assert_true(seen->predicted.made_unix_ms == 1789999990000);
    assert_true(seen->startup_ms < 0 && seen->n_rounds < 0);
}

static void test_order_says_where_and_how_fast(void **state) {
    struct fixture *fixture = *state;
    order(fixture, "h3", 50e6, 60000); /* the path to h3 is narrower than asked */
    order(fixture, "h2", 50e6, 60000); /* another mind */
    pass(fixture, 400);
    hear(fixture, "h1", began("h2", 0));
    order(fixture, "h2", 10e6, 60000); /* a HOLD prolonged under way changes nothing */
    pass(fixture, 80000);
    hear(fixture, "h1", ended(NULL, -1, -1, -1));
    const struct fleet_observation *seen = look(fixture, 1);
    assert_near(seen->predicted.bandwidth_bytes_per_s, 50e6, 0);
    assert_near(seen->bandwidth_bytes_per_s, 50e6, 0);
    assert_near(seen->startup_ms, 400, 0);
    assert_near(seen->migration_ms, 80000, 0); /* by the source's own clock */
    assert_string_equal(seen->to, "h2");
    assert_true(seen->ordered_unix_ms == BEGAN_UNIX_MS);
}

static void test_narrow_path_limits(void **state) {
    struct fixture *fixture = *state;
    hear(fixture, "h1", began("h3", 50e6));
    hear(fixture, "h1", ended("h3", 1000, -1, -1));
    assert_near(look(fixture, 1)->predicted.bandwidth_bytes_per_s, 12.5e6 * 0.94, 1);
}

static void test_two_agents_tell_of_one_migration(void **state) {
    struct fixture *fixture = *state;
    hear(fixture, "h2", began(NULL, 0)); /* the target sees it first */
    pass(fixture, 50);
    hear(fixture, "h1", began("h2", 0));
    pass(fixture, 35000);
    struct msg_event target = ended("h1", -1, -1, -1);
    target.resumed_unix_ms = fixture->now.unix_ms;
    hear(fixture, "h2", target);
    pass(fixture, 200);
    struct msg_event source = ended("h2", 34900, -1, 4.2e9);
    source.suspended_unix_ms = target.resumed_unix_ms - 150;
    source.n_rounds = 6;
    hear(fixture, "h1", source);
    const struct fleet_observation *seen = look(fixture, 1);
    assert_string_equal(seen->from, "h1");
    assert_string_equal(seen->to, "h2");
    assert_near(seen->downtime_ms, 150, 0);
    assert_near(seen->migration_ms, 34900, 0);
    assert_near(seen->n_rounds, 6, 0);
    assert_true(seen->began_unix_ms == BEGAN_UNIX_MS + 50); /* the source's word */
    assert_near(seen->predicted.migration_ms.p50, 4e12 / (125e6 * 0.94) + 40, 1);
    pass(fixture, 61000);
    hear(fixture, "h2", ended("h1", 1, 1, 1)); /* too late to be of this one, and not the source's word */
    assert_near(look(fixture, 1)->migration_ms, 34900, 0);
}

/* The source's words come late: two agents have two connections. */
static void test_target_overtakes_source(void **state) {
    struct fixture *fixture = *state;
    order(fixture, "h2", 50e6, 60000);
    pass(fixture, 80000);
    hear(fixture, "h2", ended("h1", -1, 90, -1));
    fixture->now.unix_ms -= 79000; /* the event's own time */
    hear(fixture, "h1", began("h2", 0));
    fixture->now.unix_ms += 79000;
    hear(fixture, "h1", ended("h2", -1, 70, 4.2e9));
    const struct fleet_observation *seen = look(fixture, 1);
    assert_near(seen->migration_ms, 79000, 0);
    assert_near(seen->downtime_ms, 90, 0); /* of two words the first */
    assert_near(seen->bytes, 4.2e9, 0);
    assert_near(seen->predicted.bandwidth_bytes_per_s, 50e6, 0);
}

/* xl is told an address: the target shows by its own agent's word. */
static void test_peer_that_is_no_host(void **state) {
    struct fixture *fixture = *state;
    order(fixture, "h2", 50e6, 60000);
    hear(fixture, "h1", began("192.0.2.7", 0));
    hear(fixture, "h1", ended("192.0.2.7", 90000, -1, -1));
    assert_string_equal(look(fixture, 1)->to, "h2"); /* as ordered */
    pass(fixture, 61000);
    hear(fixture, "h1", began("192.0.2.7", 50e6));
    hear(fixture, "h1", ended("192.0.2.7", 91000, -1, -1));
    assert_null(look(fixture, 2)[1].to);
    hear(fixture, "h1", (struct msg_event){.type = MSG_EVENT_VM_ADDED});
    assert_null(look(fixture, 2)[1].to);
    hear(fixture, "h3", (struct msg_event){.type = MSG_EVENT_VM_ADDED});
    assert_string_equal(look(fixture, 2)[1].to, "h3");
}

static void test_within_one_host(void **state) {
    struct fixture *fixture = *state;
    hear(fixture, "h1", began("h1", 500e6));
    hear(fixture, "h1", ended("h1", 9000, 60, -1));
    const struct fleet_observation *seen = look(fixture, 1);
    assert_string_equal(seen->to, "h1");
    assert_near(seen->predicted.bandwidth_bytes_per_s, 500e6, 0);
}

static void test_migration_that_never_ends(void **state) {
    struct fixture *fixture = *state;
    order(fixture, "h2", 0, 5000);
    pass(fixture, 5001);
    assert_int_equal(observation_log_expire(fixture->log, fixture->now, NULL), DC_OK);
    (void)look(fixture, 0); /* an order that nothing followed is forgotten */
    order(fixture, "h2", 0, 5000);
    assert_int_equal(observation_log_release(fixture->log, UUID_1, fixture->now, NULL), DC_OK);
    hear(fixture, "h1", began("h2", 0));
    assert_int_equal(observation_log_release(fixture->log, UUID_1, fixture->now, NULL), DC_OK);
    pass(fixture, 59000);
    assert_int_equal(observation_log_expire(fixture->log, fixture->now, NULL), DC_OK);
    (void)look(fixture, 0);
    pass(fixture, 2000);
    assert_int_equal(observation_log_expire(fixture->log, fixture->now, NULL), DC_OK);
    const struct fleet_observation *seen = look(fixture, 1);
    assert_false(seen->succeeded);
    assert_true(seen->migration_ms < 0);
    hear(fixture, "h1", ended("h2", 40000, 100, -1)); /* after all */
    seen = look(fixture, 1);
    assert_true(seen->succeeded);
    assert_near(seen->migration_ms, 40000, 0);
}

static void test_end_without_a_beginning(void **state) {
    struct fixture *fixture = *state;
    hear(fixture, "h2", ended("h1", 5000, 10, -1)); /* not the source: not counted, it may tell yet */
    (void)look(fixture, 0);
    hear(fixture, "h1", ended("h2", 5000, 10, -1));
    const struct fleet_observation *seen = look(fixture, 1);
    assert_near(seen->migration_ms, 5000, 0);
    assert_true(seen->predicted.bandwidth_bytes_per_s == 0); /* nothing is predicted afterwards */
}

static void test_restart_loses_nothing(void **state) {
    struct fixture *fixture = *state;
    hear(fixture, "h1", began("h2", 0));
    restart(fixture);
    pass(fixture, 36000);
    hear(fixture, "h1", ended("h2", 35500, 180, 4.1e9));
    restart(fixture);
    const struct fleet_observation *seen = look(fixture, 1);
    assert_near(seen->migration_ms, 35500, 0);
    assert_near(seen->predicted.migration_ms.p50, 4e12 / (125e6 * 0.94) + 40, 1);
    int64_t number = 0;
    assert_int_equal(store_put_observation(fixture->store, &number, 7, "{}", NULL), DC_OK);
    number = 0;
    assert_int_equal(store_put_observation(fixture->store, &number, 2, "no JSON", NULL), DC_OK);
    restart(fixture); /* what cannot be read is left out */
    (void)look(fixture, 1);
}

/* A path that carries 80% and a hand-over of 300 ms: the next predictions know. */
static void test_predictions_learn(void **state) {
    struct fixture *fixture = *state;
    double first_error = 0;
    double last_error = 0;
    for (int i = 0; i < 12; i++) {
        hear(fixture, "h1", began("h2", 0));
        const double migration_ms = 300 + 4e12 / (125e6 * 0.8);
        pass(fixture, migration_ms);
        hear(fixture, "h1", ended("h2", migration_ms, 300 + 1, 4e9));
        const struct fleet_observation *seen = &look(fixture, (size_t)i + 1)[i];
        last_error = seen->predicted.migration_ms.p50 / seen->migration_ms - 1;
        if (i == 0)
            first_error = last_error;
        pass(fixture, 61000);
    }
    assert_true(first_error < -0.1);
    assert_near(last_error, 0, 0.02);
    const struct calibration *learned =
        calibration_find(fixture->fleet.calibration, fixture->fleet.n_calibration, "h1", "h2");
    assert_non_null(learned);
    assert_int_equal(learned->n, 12);
    assert_near(learned->post_ms, 300, 10);
    assert_near(fixture->fleet.links[0].goodput_frac, learned->goodput_frac, 0.02);
    assert_near(fixture->fleet.links[2].goodput_frac, 0.8, 0.05); /* h3 was never seen: all hosts' */
}

/* 4 GB from h1 to `to`, that far after the first. */
static void remember(struct fixture *fixture, int64_t number, const char *to, double after_ms, double migration_ms) {
    struct fleet_observation seen = {.vm = (char *)(uintptr_t)UUID_1,
                                     .name = (char *)(uintptr_t) "web1",
                                     .from = (char *)(uintptr_t) "h1",
                                     .to = (char *)(uintptr_t)to,
                                     .began_unix_ms = BEGAN_UNIX_MS + (int64_t)after_ms,
                                     .migration_ms = migration_ms,
                                     .downtime_ms = 100,
                                     .bytes = 4e9,
                                     .n_rounds = 5,
                                     .succeeded = true,
                                     .predicted = {.bandwidth_bytes_per_s = 118e6,
                                                   .goodput_frac = 0.94,
                                                   .migration_ms = {40000, 41000, 42000},
                                                   .downtime_ms = {100, 110, 120},
                                                   .bytes = 4e9,
                                                   .n_rounds = 5,
                                                   .converges = true}};
    char *text = NULL;
    assert_int_equal(fleet_observation_write(&seen, &text, NULL), DC_OK);
    assert_int_equal(observation_log_restore(fixture->log, number, OBSERVATION_LOG_ENDED, text, NULL), DC_OK);
    free(text);
}

static void test_migrations_that_hindered_each_other_teach_nothing(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < 4; i++)
        remember(fixture, i + 1, i % 2 == 0 ? "h2" : "h3", 0, 150e3);
    assert_int_equal(observation_log_learn(fixture->log, NULL), DC_OK);
    assert_int_equal(look(fixture, 4) != NULL && fixture->fleet.n_calibration > 0, 0);
    for (int i = 0; i < 4; i++) /* each begins while the one before hands over */
        remember(fixture, i + 5, "h2", 200e3 + 38e3 * i, 40e3);
    assert_int_equal(observation_log_learn(fixture->log, NULL), DC_OK);
    (void)look(fixture, 8);
    const struct calibration *learned =
        calibration_find(fixture->fleet.calibration, fixture->fleet.n_calibration, "h1", "h2");
    assert_non_null(learned);
    assert_int_equal(learned->n, 4);
}

static void test_what_was_never_observed_is_not_certain(void **state) {
    (void)state;
    struct fleet fleet = read_fleet();
    calibration_free(&fleet.calibration, &fleet.n_calibration);
    const struct prediction_quantiles was = fleet.vms[0].prediction.points[1].migration_ms;
    fleet.vms[0].overhead_is_agents = false; /* then the operator knows */
    fleet_calibrate(&fleet);
    assert_near(fleet.vms[0].prediction.points[1].migration_ms.p95, was.p95, 0);
    fleet.vms[0].overhead_is_agents = true;
    fleet_calibrate(&fleet);
    const double model_ms = 1.6449 * calibration_usual_spread_frac * was.p50;
    assert_near(fleet.vms[0].prediction.points[1].migration_ms.p50, was.p50, 0);
    assert_near(fleet.vms[0].prediction.points[1].migration_ms.p95, was.p50 + hypot(was.p95 - was.p50, model_ms), 1);
    assert_near(fleet.vms[0].spread_frac, calibration_usual_spread_frac, 0);
    fleet_doc_dispose(&fleet);
}

static void test_calibration_leaves_what_a_document_gives(void **state) {
    struct fixture *fixture = *state;
    struct calibration learned = {.n = 5, .pre_ms = 100, .post_ms = 240.4, .goodput_frac = 0.8, .spread_frac = 0.1};
    struct fleet fleet = read_fleet();
    (void)fixture;
    free(fleet.calibration);
    fleet.calibration = calloc(1, sizeof(learned));
    assert_non_null(fleet.calibration);
    fleet.calibration[0] = learned;
    fleet.n_calibration = 1;
    fleet.vms[0].overhead_is_agents = false; /* the operator's word */
    fleet_calibrate(&fleet);
    assert_near(fleet.vms[0].overhead.post_ms, 40, 0);
    assert_near(fleet.vms[0].prediction.points[1].migration_ms.p50, 4040, 0);
    fleet.vms[0].overhead_is_agents = true;
    fleet_calibrate(&fleet);
    assert_near(fleet.vms[0].overhead.pre_ms, 100, 0);
    assert_near(fleet.vms[0].overhead.post_ms, 240, 0);
    assert_near(fleet.vms[0].prediction.points[1].migration_ms.p50, 4340, 0);
    assert_near(fleet.vms[0].prediction.points[1].downtime_ms.p50, 241, 0);
    assert_near(fleet.vms[0].prediction.points[1].migration_ms.p95, 4340 + hypot(60, 1.6449 * 434), 1);
    fleet.links[0].has_goodput = true;
    fleet_calibrate_links(&fleet);
    assert_near(fleet.links[0].goodput_frac, 0.94, 0);
    assert_near(fleet.links[1].goodput_frac, 0.8, 0);
    fleet_doc_dispose(&fleet);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_prediction_is_frozen_at_the_beginning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_says_where_and_how_fast, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_narrow_path_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_agents_tell_of_one_migration, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_target_overtakes_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_peer_that_is_no_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_within_one_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_migration_that_never_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end_without_a_beginning, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_restart_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_predictions_learn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_migrations_that_hindered_each_other_teach_nothing, set_up, tear_down),
        cmocka_unit_test(test_what_was_never_observed_is_not_certain),
        cmocka_unit_test_setup_teardown(test_calibration_leaves_what_a_document_gives, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
