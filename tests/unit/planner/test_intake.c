/* The conversation with agents, without sockets. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/intake.h"

#include "base/log.h"
#include "proto/msg_credit.h"
#include "proto/msg_reject.h"
#include "proto/msg_welcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const double interval_ms = 1000;

struct fixture {
    struct intake intake;
    double now_ms;
    enum msg_kind sent; /* the last answer, 0: none */
    unsigned char sent_to;
    char code[32];   /* of a REJECT */
    uint64_t credit; /* of a WELCOME or CREDIT */
    unsigned n_sent;
    unsigned n_heard;
    enum msg_kind heard;
    char heard_host[32];
};

static void on_heard(void *context, const struct intake_message *message) {
    struct fixture *fixture = context;
    fixture->n_heard++;
    fixture->heard = message->kind;
    (void)snprintf(fixture->heard_host, sizeof(fixture->heard_host), "%s", message->host);
}

static void on_send(void *context, const struct session_peer *to, enum msg_kind kind, const void *bytes,
                    size_t n_bytes) {
    struct fixture *fixture = context;
    fixture->sent = kind;
    fixture->sent_to = to->bytes[0];
    fixture->n_sent++;
    if (kind == MSG_REJECT) {
        struct msg_reject msg;
        assert_int_equal(msg_reject_read(bytes, n_bytes, &msg, NULL), DC_OK);
        (void)snprintf(fixture->code, sizeof(fixture->code), "%s", msg.code);
        msg_reject_dispose(&msg);
    } else if (kind == MSG_WELCOME) {
        struct msg_welcome msg;
        assert_int_equal(msg_welcome_read(bytes, n_bytes, &msg, NULL), DC_OK);
        assert_int_equal(msg.status_interval_ms, 1000);
        fixture->credit = msg.credit;
        msg_welcome_dispose(&msg);
    } else if (kind == MSG_CREDIT) {
        struct msg_credit msg;
        assert_int_equal(msg_credit_read(bytes, n_bytes, &msg, NULL), DC_OK);
        fixture->credit += msg.credit;
        msg_credit_dispose(&msg);
    }
}

static void no_log(void *context, enum log_level level, const char *line) {
    unsigned *n_lines = context;
    (void)level;
    (void)line;
    if (n_lines != NULL)
        (*n_lines)++;
}

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    const struct intake_callbacks callbacks = {.context = fixture, .heard = on_heard, .send = on_send};
    intake_init(&fixture->intake, &callbacks, interval_ms);
    fixture->now_ms = 1e6;
    log_set_hook(no_log, NULL);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    intake_dispose(&fixture->intake);
    free(fixture);
    log_set_hook(NULL, NULL);
    return 0;
}

static void send_bytes(struct fixture *fixture, unsigned char peer, const char *host, unsigned char kind,
                       const void *bytes, size_t n_bytes) {
    const struct intake_frames frames = {.peer = {.n_bytes = 1, .bytes = {peer}},
                                         .host = host,
                                         .address = "test",
                                         .n_frames = 2,
                                         .kind = &kind,
                                         .kind_bytes = 1,
                                         .map = bytes,
                                         .map_bytes = n_bytes};
    fixture->sent = 0;
    intake_receive(&fixture->intake, &frames, fixture->now_ms);
}

static void send_hello(struct fixture *fixture, unsigned char peer, const char *host, const char *claimed,
                       const char *instance, unsigned protocol) {
    struct msg_buffer buffer = {0};
    static char version[] = "v", boot[] = "b";
    const struct msg_hello hello = {.protocol_min = protocol,
                                    .protocol_max = protocol,
                                    .version = version,
                                    .boot_id = boot,
                                    .host = (char *)(uintptr_t)claimed,
                                    .instance_id = (char *)(uintptr_t)instance};
    assert_int_equal(msg_hello_write(&hello, &buffer, NULL), DC_OK);
    send_bytes(fixture, peer, host, MSG_HELLO, buffer.bytes, buffer.n_bytes);
    msg_buffer_dispose(&buffer);
}

static void greet(struct fixture *fixture, unsigned char peer, const char *host, const char *instance) {
    send_hello(fixture, peer, host, host, instance, 1);
    assert_int_equal(fixture->sent, MSG_WELCOME);
    assert_int_equal(fixture->heard, MSG_HELLO);
}

static void send_status(struct fixture *fixture, unsigned char peer, const char *host) {
    struct msg_buffer buffer = {0};
    const struct msg_status status = {.at_unix_ms = 1};
    assert_int_equal(msg_status_write(&status, &buffer, NULL), DC_OK);
    send_bytes(fixture, peer, host, MSG_STATUS, buffer.bytes, buffer.n_bytes);
    msg_buffer_dispose(&buffer);
}

static void send_event(struct fixture *fixture, unsigned char peer, const char *host) {
    struct msg_buffer buffer = {0};
    static char instance[] = "i";
    const struct msg_event event = {.instance_id = instance,
                                    .vm = "11111111-1111-4111-8111-111111111111",
                                    .migration_ms = -1,
                                    .downtime_ms = -1,
                                    .bytes = -1};
    assert_int_equal(msg_event_write(&event, &buffer, NULL), DC_OK);
    send_bytes(fixture, peer, host, MSG_EVENT, buffer.bytes, buffer.n_bytes);
    msg_buffer_dispose(&buffer);
}

static void test_hello_comes_first(void **state) {
    struct fixture *fixture = *state;
    send_status(fixture, 1, "h1");
    assert_int_equal(fixture->sent, MSG_RESYNC);
    send_status(fixture, 1, "h1");
    assert_int_equal(fixture->sent, 0); /* asked already */
    fixture->now_ms += 1001;
    send_status(fixture, 1, "h1");
    assert_int_equal(fixture->sent, MSG_RESYNC);
    assert_int_equal(fixture->n_heard, 0);
    assert_int_equal(fixture->intake.counters.before_hello, 3);
    greet(fixture, 1, "h1", "i1");
    send_status(fixture, 1, "h1");
    assert_int_equal(fixture->heard, MSG_STATUS);
    assert_string_equal(fixture->heard_host, "h1");
    assert_true(intake_is_connected(&fixture->intake, "h1", fixture->now_ms));
    assert_false(intake_is_connected(&fixture->intake, "h1", fixture->now_ms + 3001));
    assert_false(intake_is_connected(&fixture->intake, "h2", fixture->now_ms));
}

static void test_hellos_that_are_rejected(void **state) {
    struct fixture *fixture = *state;
    send_hello(fixture, 1, "h1", "h2", "i1", 1);
    assert_int_equal(fixture->sent, MSG_REJECT);
    assert_string_equal(fixture->code, "host");
    send_hello(fixture, 1, "h1", "h1", "i1", 2);
    assert_string_equal(fixture->code, "version");
    assert_int_equal(fixture->n_heard, 0);
    assert_int_equal(fixture->intake.counters.rejected, 2);
}

static void test_newest_instance_wins(void **state) {
    struct fixture *fixture = *state;
    greet(fixture, 1, "h1", "i1");
    greet(fixture, 2, "h1", "i1"); /* the same agent, reconnected: nobody is rejected */
    assert_int_equal(fixture->intake.counters.rejected, 0);
    greet(fixture, 3, "h1", "i2");
    assert_int_equal(fixture->intake.counters.rejected, 1);
    assert_string_equal(fixture->code, "duplicate");
    send_hello(fixture, 2, "h1", "h1", "i1", 1);
    assert_int_equal(fixture->sent, MSG_REJECT);
    assert_int_equal(fixture->sent_to, 2);
    send_status(fixture, 3, "h1");
    assert_int_equal(fixture->heard, MSG_STATUS);
    fixture->now_ms += 3001; /* the newer has died: the older may come back */
    greet(fixture, 4, "h1", "i1");
    greet(fixture, 5, "h2", "i9");
}

static void test_malformed_messages_mute(void **state) {
    struct fixture *fixture = *state;
    greet(fixture, 1, "h1", "i1");
    for (int i = 1; i < INTAKE_MAX_MALFORMED; i++) {
        send_bytes(fixture, 1, "h1", MSG_STATUS, "\xc1", 1);
        assert_int_equal(fixture->sent, 0);
    }
    send_bytes(fixture, 1, "h1", MSG_WELCOME, "\x80", 1); /* a planner's own kind */
    assert_int_equal(fixture->sent, MSG_REJECT);
    assert_string_equal(fixture->code, "malformed");
    const unsigned n_heard = fixture->n_heard;
    send_status(fixture, 1, "h1");
    send_bytes(fixture, 1, "h1", 200, "", 0);
    assert_int_equal(fixture->n_heard, n_heard);
    assert_int_equal(fixture->intake.counters.muted, 2);
    assert_int_equal(fixture->intake.counters.malformed, INTAKE_MAX_MALFORMED);
    greet(fixture, 1, "h1", "i1");
    send_status(fixture, 1, "h1");
    assert_int_equal(fixture->heard, MSG_STATUS);
}

static void test_snapshot_of_another_host_is_malformed(void **state) {
    struct fixture *fixture = *state;
    struct msg_buffer buffer = {0};
    static char name[] = "h2";
    const struct msg_snapshot snapshot = {.host = {.name = name, .cpus = 1, .memory_bytes = 1}};
    greet(fixture, 1, "h1", "i1");
    assert_int_equal(msg_snapshot_write(&snapshot, &buffer, NULL), DC_OK);
    send_bytes(fixture, 1, "h1", MSG_SNAPSHOT, buffer.bytes, buffer.n_bytes);
    assert_int_equal(fixture->intake.counters.malformed, 1);
    assert_int_equal(fixture->heard, MSG_HELLO);
    msg_buffer_dispose(&buffer);
}

static void test_credit(void **state) {
    struct fixture *fixture = *state;
    greet(fixture, 1, "h1", "i1");
    assert_int_equal(fixture->credit, INTAKE_CREDIT);
    for (int i = 0; i < 200; i++)
        send_status(fixture, 1, "h1"); /* free of charge */
    assert_int_equal(fixture->credit, INTAKE_CREDIT);
    for (int i = 0; i < 100; i++)
        send_event(fixture, 1, "h1");
    assert_int_equal(fixture->credit, INTAKE_CREDIT + 96);
    assert_int_equal(fixture->intake.counters.over_credit, 0);
}

static void test_bye_ends_the_session(void **state) {
    struct fixture *fixture = *state;
    struct msg_buffer buffer = {0};
    static char reason[] = "end";
    const struct msg_bye bye = {.reason = reason};
    greet(fixture, 1, "h1", "i1");
    assert_int_equal(msg_bye_write(&bye, &buffer, NULL), DC_OK);
    send_bytes(fixture, 1, "h1", MSG_BYE, buffer.bytes, buffer.n_bytes);
    assert_int_equal(fixture->heard, MSG_BYE);
    assert_false(intake_is_connected(&fixture->intake, "h1", fixture->now_ms));
    send_status(fixture, 1, "h1");
    assert_int_equal(fixture->sent, MSG_RESYNC);
    msg_buffer_dispose(&buffer);
}

static void test_hold_reaches_only_the_connected(void **state) {
    struct fixture *fixture = *state;
    char uuids[1][MSG_UUID_BYTES] = {"11111111-1111-4111-8111-111111111111"};
    const struct msg_hold hold = {.n_vms = 1, .vms = uuids, .for_ms = 5};
    const struct msg_release release = {.n_vms = 1, .vms = uuids};
    greet(fixture, 1, "h1", "i1");
    assert_int_equal(intake_hold(&fixture->intake, "h1", &hold, fixture->now_ms, NULL), DC_OK);
    assert_int_equal(fixture->sent, MSG_HOLD);
    assert_int_equal(intake_release(&fixture->intake, "h1", &release, fixture->now_ms, NULL), DC_OK);
    assert_int_equal(fixture->sent, MSG_RELEASE);
    assert_int_equal(intake_hold(&fixture->intake, "h2", &hold, fixture->now_ms, NULL), DC_EUNREACHABLE);
}

static void test_sessions_and_log_are_bounded(void **state) {
    struct fixture *fixture = *state;
    unsigned n_lines = 0;
    log_set_hook(no_log, &n_lines);
    greet(fixture, 0, "h1", "i1");
    for (int i = 0; i < 1000; i++) {
        fixture->now_ms += 1;
        send_bytes(fixture, (unsigned char)(1 + i % 200), "h1", 0, "", 0);
    }
    assert_true(fixture->intake.sessions.n_sessions <= SESSION_MAX_PER_HOST);
    assert_true(n_lines <= 25);
    n_lines = 0;
    for (int i = 0; i < 1000; i++) {
        greet(fixture, 0, "h1", "i1");
        if (i % 2 == 0)
            send_bytes(fixture, 0, "h1", MSG_BYE, "\x80", 1);
    }
    assert_true(n_lines <= 25);
    greet(fixture, 0, "h1", "i1");
    assert_non_null(session_greeted(&fixture->intake.sessions, "h1")); /* the greeted one never makes room */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hello_comes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hellos_that_are_rejected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_newest_instance_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_messages_mute, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_snapshot_of_another_host_is_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_credit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bye_ends_the_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hold_reaches_only_the_connected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sessions_and_log_are_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
