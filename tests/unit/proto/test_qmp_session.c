/* A QEMU made of strings: who is answered, with what, and how a conversation ends. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/qmp_session.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}"

struct talk {
    struct qmp_session *session;
    char written[512];
    int n_ready, n_events, n_answers;
    char last_event[32];
    double event_unix_ms;
    char answers[256]; /* statuses, and what came back */
};

static void on_write(void *context, const char *bytes, size_t n_bytes) {
    struct talk *talk = context;
    const size_t n = strlen(talk->written);
    assert_true(n + n_bytes < sizeof(talk->written));
    memcpy(talk->written + n, bytes, n_bytes);
    talk->written[n + n_bytes] = '\0';
}

static void on_ready(void *context) {
    ((struct talk *)context)->n_ready++;
}

static void on_event(void *context, const struct qmp_message *message) {
    struct talk *talk = context;
    talk->n_events++;
    talk->event_unix_ms = message->at_unix_ms;
    (void)snprintf(talk->last_event, sizeof(talk->last_event), "%s", message->name);
}

static void on_answer(void *context, const json_t *value, const struct dc_error *err) {
    struct talk *talk = context;
    const size_t n = strlen(talk->answers);
    talk->n_answers++;
    if (value != NULL)
        (void)snprintf(talk->answers + n, sizeof(talk->answers) - n, "[%d]",
                       (int)json_integer_value(json_object_get(value, "n")));
    else
        (void)snprintf(talk->answers + n, sizeof(talk->answers) - n, "[%s]", error_text(err));
}

static enum dc_status take(struct talk *talk, const char *line, struct dc_error *err) {
    return qmp_session_take(talk->session, line, strlen(line), err);
}

static void must_take(struct talk *talk, const char *line) {
    struct dc_error err = DC_ERROR_NONE;
    if (take(talk, line, &err) != DC_OK)
        fail_msg("%s: %s", line, error_text(&err));
}

static void must_not_take(struct talk *talk, const char *line, enum dc_status status) {
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(take(talk, line, &err), status);
    assert_true(err.text[0] != '\0');
}

static void begin(struct talk *talk) {
    *talk = (struct talk){.n_ready = 0};
    const struct qmp_session_events events = {talk, on_write, on_ready, on_event};
    talk->session = qmp_session_new(&events);
    assert_non_null(talk->session);
}

static void negotiate(struct talk *talk) {
    begin(talk);
    must_take(talk, GREETING);
    must_take(talk, "{\"return\": {}, \"id\": 1}");
    talk->written[0] = '\0';
}

static void must_send(struct talk *talk, const char *command, json_t *arguments, double until_ms) {
    struct dc_error err = DC_ERROR_NONE;
    if (qmp_session_send(talk->session, command, arguments, until_ms, on_answer, talk, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
}

static void test_negotiates_before_anything_else(void **state) {
    (void)state;
    struct talk talk;
    struct dc_error err = DC_ERROR_NONE;
    begin(&talk);
    assert_int_equal(qmp_session_send(talk.session, "stop", json_object(), 1, on_answer, &talk, &err), DC_EBUSY);
    must_take(&talk, GREETING);
    assert_string_equal(talk.written, "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
    assert_int_equal(talk.n_ready, 0);
    must_take(&talk, "{\"return\": {}, \"id\": 1}");
    assert_int_equal(talk.n_ready, 1);
    qmp_session_free(&talk.session);
    assert_null(talk.session);
}

static void test_answers_go_to_who_asked(void **state) {
    (void)state;
    struct talk talk;
    negotiate(&talk);
    must_send(&talk, "first", NULL, 10);
    must_send(&talk, "second", json_pack("{s:s}", "text", "\"quoted\"\n"), 10);
    assert_string_equal(talk.written,
                        "{\"execute\":\"first\",\"id\":2}\n"
                        "{\"execute\":\"second\",\"id\":3,\"arguments\":{\"text\":\"\\\"quoted\\\"\\n\"}}\n");
    must_take(&talk, "{\"return\": {\"n\": 33}, \"id\": 3}");
    must_take(&talk, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 2}");
    assert_string_equal(talk.answers, "[33][first: no]");
    qmp_session_free(&talk.session);
    assert_int_equal(talk.n_answers, 2);
}

static void test_events_come_in_between(void **state) {
    (void)state;
    struct talk talk;
    negotiate(&talk);
    must_take(&talk, "{\"timestamp\": {\"seconds\": 1700000000, \"microseconds\": 250000}, \"event\": \"STOP\"}");
    assert_string_equal(talk.last_event, "STOP");
    assert_float_equal(talk.event_unix_ms, 1700000000250.0, 0.01);
    must_take(&talk, "{\"timestamp\": {\"seconds\": -1, \"microseconds\": -1}, \"event\": \"RESUME\"}"); /* no clock */
    assert_float_equal(talk.event_unix_ms, 0, 0);
    assert_int_equal(talk.n_events, 2);
    qmp_session_free(&talk.session);
}

static void test_time_runs_out(void **state) {
    (void)state;
    struct talk talk;
    negotiate(&talk);
    assert_true(isinf(qmp_session_next_ms(talk.session)));
    must_send(&talk, "slow", NULL, 20);
    must_send(&talk, "slower", NULL, 30);
    assert_float_equal(qmp_session_next_ms(talk.session), 20, 0);
    qmp_session_expire(talk.session, 20);
    assert_string_equal(talk.answers, "[slow: QEMU does not answer]");
    must_take(&talk, "{\"return\": {\"n\": 1}, \"id\": 2}"); /* too late: nobody's */
    assert_int_equal(talk.n_answers, 1);
    qmp_session_free(&talk.session);
    assert_int_equal(talk.n_answers, 2); /* what is pending is answered at the end */
    assert_non_null(strstr(talk.answers, "[slower: the conversation with QEMU has ended]"));
}

static void test_what_is_no_qmp_ends_it(void **state) {
    (void)state;
    static const struct {
        const char *line;
        enum dc_status status;
    } wrong[] = {
        {"", DC_EPARSE},
        {"HTTP/1.1 200 OK", DC_EPARSE},
        {"[]", DC_EPARSE},
        {"{}", DC_EPARSE},
        {"{\"id\": 1}", DC_EPARSE},
        {"{\"event\": 1}", DC_EPARSE},
        {"{\"error\": {}}", DC_EPARSE},
        {"{\"return\": 1, \"return\": 2}", DC_EPARSE},
        {GREETING, DC_EINVAL},
        {"{\"return\": {}, \"id\": 77}", DC_EINVAL},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct talk talk;
        negotiate(&talk);
        must_not_take(&talk, wrong[i].line, wrong[i].status);
        qmp_session_free(&talk.session);
    }
    struct talk talk;
    begin(&talk);
    must_not_take(&talk, "{\"return\": {}, \"id\": 1}", DC_EINVAL); /* nobody has greeted */
    qmp_session_free(&talk.session);
}

static void test_a_refused_negotiation_ends_it(void **state) {
    (void)state;
    struct talk talk;
    begin(&talk);
    must_take(&talk, GREETING);
    must_not_take(&talk, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 1}", DC_EINVAL);
    assert_int_equal(talk.n_ready, 0);
    qmp_session_free(&talk.session);
}

static void test_commands_that_cannot_be_written(void **state) {
    (void)state;
    struct talk talk;
    struct dc_error err = DC_ERROR_NONE;
    negotiate(&talk);
    assert_int_equal(qmp_session_send(talk.session, "\xff", NULL, 1, on_answer, &talk, &err), DC_EINVAL);
    assert_string_equal(talk.written, "");
    qmp_session_free(&talk.session);
    assert_int_equal(talk.n_answers, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_negotiates_before_anything_else), cmocka_unit_test(test_answers_go_to_who_asked),
        cmocka_unit_test(test_events_come_in_between),          cmocka_unit_test(test_time_runs_out),
        cmocka_unit_test(test_what_is_no_qmp_ends_it),          cmocka_unit_test(test_a_refused_negotiation_ends_it),
        cmocka_unit_test(test_commands_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
