/* What is sent next: order, credit, conflation, and starting over. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/outbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum dc_status write_snapshot(void *context, struct msg_buffer *buffer, struct dc_error *err) {
    (void)buffer;
    (void)err;
    ++*(int *)context;
    return DC_OK;
}

struct fixture {
    struct outbox *outbox;
    struct msg_buffer buffer;
    int n_snapshots;
};

static int setup(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    *state = fixture;
    return outbox_new("boot", "instance", write_snapshot, &fixture->n_snapshots, &fixture->outbox, NULL) == DC_OK ? 0
                                                                                                                  : -1;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    outbox_free(&fixture->outbox);
    outbox_free(&fixture->outbox);
    msg_buffer_dispose(&fixture->buffer);
    free(fixture);
    return 0;
}

static const char *vm_name(unsigned i) {
    static char uuid[MSG_UUID_BYTES];
    (void)snprintf(uuid, sizeof(uuid), "00000000-0000-0000-0000-%012u", i);
    return uuid;
}

static void put(struct fixture *fixture, unsigned vm, uint64_t sample_number) {
    struct msg_prediction prediction = {.sample_number = sample_number, .n_bursts = 1};
    (void)snprintf(prediction.vm, sizeof(prediction.vm), "%s", vm_name(vm));
    prediction.prediction.points = calloc(1, sizeof(*prediction.prediction.points));
    prediction.prediction.n_points = 1;
    *prediction.prediction.points = (struct prediction_point){.bandwidth_bytes_per_s = 1e6,
                                                              .migration_ms = {1, 2, 2},
                                                              .downtime_ms = {1, 2, 2},
                                                              .bytes = 1,
                                                              .n_rounds = 1,
                                                              .converges = true};
    struct dirty_curve *const curves[] = {&prediction.p50, &prediction.p95};
    for (size_t i = 0; i < 2; i++) {
        curves[i]->points = calloc(1, sizeof(struct dirty_point));
        curves[i]->n_points = 1;
        curves[i]->points[0] = (struct dirty_point){1, 1};
    }
    assert_int_equal(outbox_put(fixture->outbox, &prediction, NULL), DC_OK);
    assert_null(prediction.prediction.points); /* moved */
}

static unsigned next_kind(struct fixture *fixture) {
    unsigned kind = 99;
    struct dc_error err = DC_ERROR_NONE;
    if (outbox_next(fixture->outbox, &kind, &fixture->buffer, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    return kind;
}

/* Takes and confirms the next message, which must be a PRED. */
static void take_pred(struct fixture *fixture, struct msg_pred *pred_out) {
    assert_int_equal(next_kind(fixture), MSG_PRED);
    struct dc_error err = DC_ERROR_NONE;
    if (msg_pred_read(fixture->buffer.bytes, fixture->buffer.n_bytes, pred_out, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    outbox_sent(fixture->outbox);
}

static void test_says_nothing_without_credit(void **state) {
    struct fixture *fixture = *state;
    put(fixture, 1, 1);
    assert_int_equal(next_kind(fixture), 0);
    outbox_restart(fixture->outbox, 1);
    assert_int_equal(next_kind(fixture), MSG_SNAPSHOT);
    assert_int_equal(next_kind(fixture), MSG_SNAPSHOT); /* until it is sent */
    outbox_sent(fixture->outbox);
    assert_int_equal(next_kind(fixture), 0);
    outbox_grant(fixture->outbox, 1);
    assert_int_equal(next_kind(fixture), MSG_PRED);
    outbox_sent(fixture->outbox);
    assert_int_equal(fixture->n_snapshots, 2);
    outbox_grant(fixture->outbox, UINT64_MAX);
    outbox_grant(fixture->outbox, UINT64_MAX);
    assert_int_equal(next_kind(fixture), 0); /* all was said */
}

static void add_event(struct fixture *fixture, enum msg_event_type type, const char *vm) {
    struct msg_event event = {.type = type, .at_unix_ms = 1000, .migration_ms = -1, .downtime_ms = -1, .bytes = -1};
    memcpy(event.vm, vm, strnlen(vm, sizeof(event.vm) - 1));
    outbox_event(fixture->outbox, &event);
}

static void test_sends_snapshot_events_snapshot_predictions(void **state) {
    struct fixture *fixture = *state;
    put(fixture, 1, 1);
    add_event(fixture, MSG_EVENT_VM_ADDED, vm_name(1));
    outbox_restart(fixture->outbox, 100);
    const unsigned expected[] = {MSG_SNAPSHOT, MSG_EVENT, MSG_SNAPSHOT, MSG_PRED, 0};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(next_kind(fixture), expected[i]);
        outbox_sent(fixture->outbox);
    }
    add_event(fixture, MSG_EVENT_VM_REMOVED, vm_name(1));
    assert_int_equal(next_kind(fixture), MSG_EVENT);
    outbox_sent(fixture->outbox);
    assert_int_equal(next_kind(fixture), MSG_SNAPSHOT);
}

static void test_keeps_one_newest_prediction_a_vm(void **state) {
    struct fixture *fixture = *state;
    for (uint64_t i = 1; i <= 5; i++)
        put(fixture, 1, i);
    put(fixture, 2, 1);
    assert_int_equal(outbox_n_conflated(fixture->outbox), 4);
    outbox_restart(fixture->outbox, 100);
    outbox_sent(fixture->outbox); /* nothing was given: nothing happens */
    assert_int_equal(next_kind(fixture), MSG_SNAPSHOT);
    outbox_sent(fixture->outbox);
    struct msg_pred pred;
    take_pred(fixture, &pred);
    assert_int_equal(pred.n_predictions, 2);
    assert_int_equal(pred.predictions[0].sample_number, 5); /* the first in the queue keeps its place */
    msg_pred_dispose(&pred);
    assert_int_equal(next_kind(fixture), 0);
    put(fixture, 2, 2);
    assert_int_equal(outbox_n_conflated(fixture->outbox), 4); /* the old one was sent */
}

static void test_one_replaced_between_giving_and_sending_still_waits(void **state) {
    struct fixture *fixture = *state;
    outbox_restart(fixture->outbox, 100);
    assert_int_equal(next_kind(fixture), MSG_SNAPSHOT);
    outbox_sent(fixture->outbox);
    put(fixture, 1, 1);
    assert_int_equal(next_kind(fixture), MSG_PRED);
    put(fixture, 1, 2);
    outbox_sent(fixture->outbox);
    struct msg_pred pred;
    take_pred(fixture, &pred);
    assert_int_equal(pred.predictions[0].sample_number, 2);
    msg_pred_dispose(&pred);
}

static void test_starts_over_with_everything(void **state) {
    struct fixture *fixture = *state;
    put(fixture, 1, 1);
    add_event(fixture, MSG_EVENT_VM_ADDED, vm_name(1));
    for (int session = 0; session < 2; session++) {
        outbox_restart(fixture->outbox, 100);
        const unsigned expected[] = {MSG_SNAPSHOT, MSG_EVENT, MSG_SNAPSHOT, MSG_PRED, 0};
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(next_kind(fixture), expected[i]);
            outbox_sent(fixture->outbox);
        }
        outbox_suspend(fixture->outbox);
        assert_int_equal(next_kind(fixture), 0);
    }
}

static void test_batches_and_forgets(void **state) {
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < OUTBOX_PRED_BATCH + 5; i++)
        put(fixture, i, 1);
    outbox_forget(fixture->outbox, vm_name(0));
    outbox_forget(fixture->outbox, vm_name(777777)); /* nobody */
    outbox_restart(fixture->outbox, 100);
    assert_int_equal(next_kind(fixture), MSG_SNAPSHOT);
    outbox_sent(fixture->outbox);
    struct msg_pred pred;
    take_pred(fixture, &pred);
    assert_int_equal(pred.n_predictions, OUTBOX_PRED_BATCH);
    assert_string_equal(pred.boot_id, "boot");
    for (size_t i = 0; i < pred.n_predictions; i++)
        assert_string_not_equal(pred.predictions[i].vm, vm_name(0));
    msg_pred_dispose(&pred);
    take_pred(fixture, &pred);
    assert_int_equal(pred.n_predictions, 4);
    msg_pred_dispose(&pred);
}

static void test_keeps_the_newest_events(void **state) {
    struct fixture *fixture = *state;
    for (int i = 0; i < OUTBOX_EVENTS + 10; i++)
        add_event(fixture, MSG_EVENT_VM_REMOVED, vm_name(1));
    outbox_restart(fixture->outbox, 1000);
    assert_int_equal(next_kind(fixture), MSG_SNAPSHOT);
    outbox_sent(fixture->outbox);
    for (uint64_t number = 11; number <= OUTBOX_EVENTS + 10; number++) {
        assert_int_equal(next_kind(fixture), MSG_EVENT);
        struct msg_event event;
        assert_int_equal(msg_event_read(fixture->buffer.bytes, fixture->buffer.n_bytes, &event, NULL), DC_OK);
        assert_int_equal(event.event_number, number);
        assert_string_equal(event.instance_id, "instance");
        msg_event_dispose(&event);
        outbox_sent(fixture->outbox);
    }
    assert_int_equal(next_kind(fixture), MSG_SNAPSHOT);
    outbox_sent(fixture->outbox);
    assert_int_equal(next_kind(fixture), 0);
}

static void test_an_event_keeps_what_was_observed(void **state) {
    struct fixture *fixture = *state;
    char peer[] = "h2";
    struct msg_event event = {.type = MSG_EVENT_MIGRATION_ENDED,
                              .at_unix_ms = 1000,
                              .peer_host = peer,
                              .migration_ms = 5000,
                              .downtime_ms = 70,
                              .bytes = 1e9,
                              .succeeded = true,
                              .suspended_unix_ms = 930};
    memcpy(event.vm, vm_name(1), strlen(vm_name(1)));
    outbox_event(fixture->outbox, &event);
    peer[0] = 'x'; /* the caller's again */
    outbox_restart(fixture->outbox, 10);
    assert_int_equal(next_kind(fixture), MSG_SNAPSHOT);
    outbox_sent(fixture->outbox);
    assert_int_equal(next_kind(fixture), MSG_EVENT);
    struct msg_event read;
    assert_int_equal(msg_event_read(fixture->buffer.bytes, fixture->buffer.n_bytes, &read, NULL), DC_OK);
    assert_string_equal(read.peer_host, "h2");
    assert_true(read.succeeded && read.migration_ms == 5000 && read.downtime_ms == 70 && read.bytes == 1e9);
    assert_int_equal(read.suspended_unix_ms, 930);
    msg_event_dispose(&read);
    for (int i = 0; i < OUTBOX_EVENTS; i++) /* its place is taken, and its text freed */
        add_event(fixture, MSG_EVENT_VM_ADDED, vm_name(1));
}

static void test_drops_what_cannot_be_written(void **state) {
    struct fixture *fixture = *state;
    outbox_restart(fixture->outbox, 10);
    add_event(fixture, MSG_EVENT_VM_ADDED, "no uuid");
    put(fixture, 1, 1);
    assert_int_equal(next_kind(fixture), MSG_SNAPSHOT);
    outbox_sent(fixture->outbox);
    unsigned kind = 0;
    assert_int_not_equal(outbox_next(fixture->outbox, &kind, &fixture->buffer, NULL), DC_OK);
    outbox_drop(fixture->outbox);
    assert_int_equal(next_kind(fixture), MSG_SNAPSHOT);
    outbox_sent(fixture->outbox);
    assert_int_equal(next_kind(fixture), MSG_PRED);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_says_nothing_without_credit),      TEST(test_sends_snapshot_events_snapshot_predictions),
        TEST(test_keeps_one_newest_prediction_a_vm), TEST(test_one_replaced_between_giving_and_sending_still_waits),
        TEST(test_starts_over_with_everything),      TEST(test_batches_and_forgets),
        TEST(test_keeps_the_newest_events),          TEST(test_an_event_keeps_what_was_observed),
        TEST(test_drops_what_cannot_be_written),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
