/* EVENT, HOLD and RELEASE: what happens to VMs, and what the planner asks about them. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_event.h"

#include "proto/msg_hold.h"
#include "proto/msg_release.h"
#include "tests/unit/proto/msg_tweak.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"

MSG_TWEAK_DEFINE_READ(event)
MSG_TWEAK_DEFINE_READ(hold)
MSG_TWEAK_DEFINE_READ(release)

static char instance_text[] = "instance";
static char peer_text[] = "h2";

static const struct msg_event ended = {
    .type = MSG_EVENT_MIGRATION_ENDED,
    .at_unix_ms = INT64_C(1700000000123),
    .instance_id = instance_text,
    .event_number = 41,
    .vm = UUID,
    .peer_host = peer_text,
    .migration_ms = 12345.5,
    .downtime_ms = 310,
    .bytes = 4294967296.0,
    .n_rounds = 6,
    .suspended_unix_ms = INT64_C(1700000000100),
    .resumed_unix_ms = INT64_C(1700000000410),
    .succeeded = true,
};

static void test_event_goes_round(void **state) {
    (void)state;
    struct msg_buffer buffer = {0};
    struct msg_event back;
    assert_int_equal(msg_event_write(&ended, &buffer, NULL), DC_OK);
    assert_int_equal(msg_event_read(buffer.bytes, buffer.n_bytes, &back, NULL), DC_OK);
    assert_int_equal(back.type, MSG_EVENT_MIGRATION_ENDED);
    assert_true(back.at_unix_ms == ended.at_unix_ms);
    assert_string_equal(back.instance_id, instance_text);
    assert_int_equal(back.event_number, 41);
    assert_string_equal(back.vm, UUID);
    assert_string_equal(back.peer_host, "h2");
    assert_true(back.migration_ms == 12345.5);
    assert_true(back.downtime_ms == 310);
    assert_true(back.bytes == 4294967296.0);
    assert_int_equal(back.n_rounds, 6);
    assert_true(back.suspended_unix_ms == ended.suspended_unix_ms);
    assert_true(back.resumed_unix_ms == ended.resumed_unix_ms);
    assert_true(back.bandwidth_bytes_per_s == 0);
    assert_true(back.succeeded);
    msg_event_dispose(&back);

    const struct msg_event added = {
        .type = MSG_EVENT_VM_ADDED, .at_unix_ms = 1, .instance_id = instance_text, .event_number = 1, .vm = UUID};
    assert_int_equal(msg_event_write(&added, &buffer, NULL), DC_OK);
    assert_int_equal(msg_event_read(buffer.bytes, buffer.n_bytes, &back, NULL), DC_OK);
    assert_int_equal(back.type, MSG_EVENT_VM_ADDED);
    assert_null(back.peer_host);
    assert_true(back.migration_ms < 0 && back.downtime_ms < 0 && back.bytes < 0);
    assert_int_equal(back.n_rounds, 0);
    assert_true(back.suspended_unix_ms == 0 && back.resumed_unix_ms == 0);
    assert_false(back.succeeded);
    msg_event_dispose(&back);

    struct msg_event began = added;
    began.type = MSG_EVENT_MIGRATION_BEGAN;
    began.bandwidth_bytes_per_s = 5e7;
    assert_int_equal(msg_event_write(&began, &buffer, NULL), DC_OK);
    assert_int_equal(msg_event_read(buffer.bytes, buffer.n_bytes, &back, NULL), DC_OK);
    assert_true(back.bandwidth_bytes_per_s == 5e7);
    msg_event_dispose(&back);
    msg_buffer_dispose(&buffer);
}

static void test_event_refuses(void **state) {
    (void)state;
    static const struct msg_tweak tweaks[] = {
        TWEAK_DROP("peer_host", NULL),
        TWEAK_DROP("downtime_ms", NULL),
        TWEAK_DROP("n_rounds", NULL),
        TWEAK_DROP("resumed_unix_ms", NULL),
        TWEAK("n_rounds", "\xcd\x27\x12", "n_rounds: expected a number from 1 to 10001"),
        TWEAK("n_rounds", "\xca\x3f\x00\x00\x00", "n_rounds: expected"), /* 0.5 */
        TWEAK("suspended_unix_ms", "\xff", "suspended_unix_ms: expected"),
        TWEAK("vm",
              "\xd9\x24"
              "01234567-89AB-CDEF-0123-456789ABCDEF",
              NULL),
        TWEAK("type", "\xa8vm-moved", "type: expected one of vm-added, vm-removed, migration-began, migration-ended"),
        TWEAK("type", "\x01", "type: expected one of"),
        TWEAK_DROP("type", "type: missing"),
        TWEAK("vm", "\xa3web", "vm: expected a uuid of 36 characters"),
        TWEAK("event_number", "\xff", "event_number: expected a number from 0"),
        TWEAK("migration_ms", "\xff", "migration_ms: expected a number from 0"),
        TWEAK("bytes", "\xcb\x7e\x37\xe4\x3c\x88\x00\x75\x9c", "bytes: expected a number from 0"), /* 1e300 */
        TWEAK("succeeded", "\x01", "succeeded: expected true or false"),
        TWEAK_DROP("succeeded", "succeeded: missing"),
        TWEAK("peer_host", "\xa0", "peer_host: expected 1 to 255 bytes"),
    };
    struct msg_buffer buffer = {0};
    assert_int_equal(msg_event_write(&ended, &buffer, NULL), DC_OK);
    MSG_TWEAK_CHECK(&buffer, read_event, tweaks);
    msg_tweak_check_truncated(&buffer, read_event);
    msg_buffer_dispose(&buffer);
}

static void test_uuids_are_lowered(void **state) {
    (void)state;
    struct msg_event upper = ended;
    memcpy(upper.vm, "01234567-89AB-CDEF-0123-456789ABCDEF", MSG_UUID_BYTES);
    struct msg_buffer buffer = {0};
    struct msg_event back;
    assert_int_equal(msg_event_write(&upper, &buffer, NULL), DC_OK);
    assert_int_equal(msg_event_read(buffer.bytes, buffer.n_bytes, &back, NULL), DC_OK);
    assert_string_equal(back.vm, UUID);
    msg_event_dispose(&back);
    msg_buffer_dispose(&buffer);
}

static void test_writer_refuses(void **state) {
    (void)state;
    struct msg_buffer buffer = {0};
    struct dc_error err = DC_ERROR_NONE;
    struct msg_event bad = ended;
    bad.instance_id = NULL;
    assert_int_equal(msg_event_write(&bad, &buffer, &err), DC_EINVAL);
    assert_non_null(strstr(error_text(&err), "instance_id"));
    assert_int_equal(buffer.n_bytes, 0);
    bad = ended;
    memcpy(bad.vm, "web1", 5);
    assert_int_equal(msg_event_write(&bad, &buffer, NULL), DC_EINVAL);
    bad = ended;
    bad.migration_ms = __builtin_inf();
    assert_int_equal(msg_event_write(&bad, &buffer, NULL), DC_EINVAL);
    /* and is of use again afterwards */
    assert_int_equal(msg_event_write(&ended, &buffer, NULL), DC_OK);
    assert_true(buffer.n_bytes > 0);
    msg_buffer_dispose(&buffer);
}

static void test_hold_and_release(void **state) {
    (void)state;
    static const struct msg_tweak tweaks[] = {
        TWEAK("vms", "\x90", "vms: expected an array of 1 to 4096 items, got 0"),
        TWEAK("vms.1", "\xa1x", "vms[1]: expected a uuid of 36 characters"),
        TWEAK("vms", "\xc0", "vms: missing"),
    };
    static const struct msg_tweak hold_tweaks[] = {
        TWEAK("for_ms", "\x00", "for_ms: expected a number from 1 to 86400000"),
        TWEAK("for_ms", "\xce\x05\x26\x5c\x01", "for_ms: expected a number from 1 to 86400000"),
    };
    static char vms[][MSG_UUID_BYTES] = {UUID, "11111111-2222-3333-4444-555555555555"};
    const struct msg_hold hold = {.n_vms = 2, .vms = vms, .for_ms = 60000};
    const struct msg_release release = {.n_vms = 2, .vms = vms};
    struct msg_buffer buffer = {0};
    struct msg_hold hold_back;
    struct msg_release release_back;
    assert_int_equal(msg_hold_write(&hold, &buffer, NULL), DC_OK);
    assert_int_equal(msg_hold_read(buffer.bytes, buffer.n_bytes, &hold_back, NULL), DC_OK);
    assert_int_equal(hold_back.n_vms, 2);
    assert_string_equal(hold_back.vms[0], vms[0]);
    assert_string_equal(hold_back.vms[1], vms[1]);
    assert_int_equal(hold_back.for_ms, 60000);
    msg_hold_dispose(&hold_back);
    MSG_TWEAK_CHECK(&buffer, read_hold, tweaks);
    MSG_TWEAK_CHECK(&buffer, read_hold, hold_tweaks);
    msg_tweak_check_truncated(&buffer, read_hold);
    assert_int_equal(msg_release_write(&release, &buffer, NULL), DC_OK);
    assert_int_equal(msg_release_read(buffer.bytes, buffer.n_bytes, &release_back, NULL), DC_OK);
    assert_int_equal(release_back.n_vms, 2);
    assert_string_equal(release_back.vms[1], vms[1]);
    msg_release_dispose(&release_back);
    MSG_TWEAK_CHECK(&buffer, read_release, tweaks);
    msg_buffer_dispose(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_event_goes_round),  cmocka_unit_test(test_event_refuses),
        cmocka_unit_test(test_uuids_are_lowered), cmocka_unit_test(test_writer_refuses),
        cmocka_unit_test(test_hold_and_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
