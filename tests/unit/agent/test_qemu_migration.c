/* Events in the order in which QEMU 7.2 sends them, and in orders in which it should not. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/qemu_migration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define VM "11111111-1111-1111-1111-111111111111"

static enum qemu_migration_news event(struct qemu_migration *migration, const char *name, const char *status,
                                      double at_unix_ms) {
    json_t *data = status != NULL ? json_pack("{s:s}", "status", status) : NULL;
    const struct qmp_message message = {.kind = QMP_EVENT, .name = name, .data = data, .at_unix_ms = at_unix_ms};
    const enum qemu_migration_news news = qemu_migration_event(migration, &message);
    json_decref(data);
    return news;
}

static void begin(struct qemu_migration *migration) {
    *migration = (struct qemu_migration){.is_out = false};
    assert_int_equal(event(migration, "MIGRATION", "setup", 1000), QEMU_MIGRATION_BEGAN);
    assert_int_equal(event(migration, "MIGRATION", "active", 1010), QEMU_MIGRATION_NOTHING);
}

static void test_one_that_succeeds(void **state) {
    (void)state;
    struct qemu_migration migration;
    struct source_migration told;
    begin(&migration);
    told = qemu_migration_tell(&migration, QEMU_MIGRATION_BEGAN, VM);
    assert_false(told.has_ended);
    assert_int_equal(told.at_unix_ms, 1000);
    assert_int_equal(event(&migration, "STOP", NULL, 5000), QEMU_MIGRATION_NOTHING);
    assert_int_equal(event(&migration, "MIGRATION", "completed", 5300), QEMU_MIGRATION_ENDED);
    json_t *early = json_pack("{s:s, s:i}", "status", "completed", "total-time", 0);
    assert_int_equal(qemu_migration_end(&migration, early, VM, &told), DC_EBUSY);
    json_t *counted = json_pack("{s:s, s:i, s:i, s:{s:i}}", "status", "completed", "total-time", 4280, "downtime", 290,
                                "ram", "transferred", 99000000);
    assert_int_equal(qemu_migration_end(&migration, counted, VM, &told), DC_OK);
    assert_true(told.has_ended && told.succeeded);
    assert_float_equal(told.migration_ms, 4280, 0);
    assert_float_equal(told.downtime_ms, 290, 0);
    assert_float_equal(told.bytes, 99000000, 0);
    assert_int_equal(told.suspended_unix_ms, 5000);
    assert_int_equal(told.resumed_unix_ms, 0); /* elsewhere */
    assert_false(migration.is_out);
    json_decref(early);
    json_decref(counted);
}

static void test_one_that_fails_runs_again_here(void **state) {
    (void)state;
    struct qemu_migration migration;
    struct source_migration told;
    begin(&migration);
    (void)event(&migration, "STOP", NULL, 5000);
    assert_int_equal(event(&migration, "RESUME", NULL, 5200), QEMU_MIGRATION_NOTHING);
    assert_int_equal(event(&migration, "MIGRATION", "failed", 5210), QEMU_MIGRATION_ENDED);
    json_t *answer = json_pack("{s:s}", "status", "failed");
    assert_int_equal(qemu_migration_end(&migration, answer, VM, &told), DC_OK);
    json_decref(answer);
    assert_false(told.succeeded);
    assert_float_equal(told.migration_ms, 4210, 0);
    assert_int_equal(told.resumed_unix_ms, 5200);
}

static void test_one_that_was_announced(void **state) {
    (void)state;
    static const struct {
        double ordered_unix_ms, began_unix_ms, migration_ms;
    } rows[] = {{700, 700, 4580}, {0, 1000, 4280}, {1500, 1000, 4280}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct qemu_migration migration = {.ordered_unix_ms = rows[i].ordered_unix_ms};
        struct source_migration told;
        assert_int_equal(event(&migration, "MIGRATION", "setup", 1000), QEMU_MIGRATION_BEGAN);
        told = qemu_migration_tell(&migration, QEMU_MIGRATION_BEGAN, VM);
        assert_int_equal(told.at_unix_ms, rows[i].began_unix_ms);
        (void)event(&migration, "MIGRATION", "completed", 5300);
        json_t *counted = json_pack("{s:s, s:i}", "status", "completed", "total-time", 4280);
        assert_int_equal(qemu_migration_end(&migration, counted, VM, &told), DC_OK);
        assert_float_equal(told.migration_ms, rows[i].migration_ms, 0);
        json_decref(counted);
    }
}

static void test_an_arrival(void **state) {
    (void)state;
    struct qemu_migration migration = {.is_awaited = true};
    assert_int_equal(event(&migration, "MIGRATION", "setup", 900), QEMU_MIGRATION_NOTHING); /* of the incoming side */
    assert_int_equal(event(&migration, "MIGRATION", "active", 950), QEMU_MIGRATION_NOTHING);
    assert_int_equal(event(&migration, "RESUME", NULL, 5400), QEMU_MIGRATION_ARRIVED);
    const struct source_migration told = qemu_migration_tell(&migration, QEMU_MIGRATION_ARRIVED, VM);
    assert_true(told.has_ended && told.succeeded);
    assert_int_equal(told.resumed_unix_ms, 5400);
    assert_int_equal(event(&migration, "MIGRATION", "completed", 5410), QEMU_MIGRATION_NOTHING);
    assert_int_equal(event(&migration, "RESUME", NULL, 9000), QEMU_MIGRATION_NOTHING); /* of a pause, later */
}

static void test_a_qemu_that_ends_in_the_middle(void **state) {
    (void)state;
    struct qemu_migration migration;
    struct source_migration told;
    begin(&migration);
    assert_true(qemu_migration_break(&migration, 3000));
    assert_int_equal(qemu_migration_end(&migration, NULL, VM, &told), DC_OK);
    assert_false(told.succeeded);
    assert_float_equal(told.migration_ms, 2000, 0);
    assert_float_equal(told.bytes, -1, 0);
    assert_false(qemu_migration_break(&migration, 4000)); /* told */
}

static void test_a_qemu_that_ends_before_it_was_asked(void **state) {
    (void)state;
    struct qemu_migration migration;
    struct source_migration told;
    begin(&migration);
    (void)event(&migration, "STOP", NULL, 5000);
    (void)event(&migration, "MIGRATION", "completed", 5300);
    assert_true(qemu_migration_break(&migration, 9000));
    assert_int_equal(qemu_migration_end(&migration, NULL, VM, &told), DC_OK);
    assert_true(told.succeeded);
    assert_float_equal(told.migration_ms, 4300, 0);
    assert_int_equal(told.at_unix_ms, 5300);
}

static void test_stops_and_resumes_without_a_migration(void **state) {
    (void)state;
    struct qemu_migration migration = {.is_out = false};
    assert_int_equal(event(&migration, "STOP", NULL, 1), QEMU_MIGRATION_NOTHING);
    assert_int_equal(event(&migration, "RESUME", NULL, 2), QEMU_MIGRATION_NOTHING);
    assert_int_equal(event(&migration, "MIGRATION", "completed", 3), QEMU_MIGRATION_NOTHING);
    assert_int_equal(event(&migration, "MIGRATION", NULL, 4), QEMU_MIGRATION_NOTHING);
    assert_int_equal(event(&migration, "SHUTDOWN", NULL, 5), QEMU_MIGRATION_NOTHING);
    assert_false(qemu_migration_break(&migration, 6));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_succeeds),
        cmocka_unit_test(test_one_that_fails_runs_again_here),
        cmocka_unit_test(test_one_that_was_announced),
        cmocka_unit_test(test_an_arrival),
        cmocka_unit_test(test_a_qemu_that_ends_in_the_middle),
        cmocka_unit_test(test_a_qemu_that_ends_before_it_was_asked),
        cmocka_unit_test(test_stops_and_resumes_without_a_migration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
