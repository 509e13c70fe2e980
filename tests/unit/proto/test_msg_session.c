/* The messages that open, keep and end a session: round trips, and what each key refuses. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_bye.h"
#include "proto/msg_credit.h"
#include "proto/msg_hello.h"
#include "proto/msg_reject.h"
#include "proto/msg_resync.h"
#include "proto/msg_status.h"
#include "proto/msg_welcome.h"
#include "tests/unit/proto/msg_tweak.h"

MSG_TWEAK_DEFINE_READ(hello)
MSG_TWEAK_DEFINE_READ(welcome)
MSG_TWEAK_DEFINE_READ(reject)
MSG_TWEAK_DEFINE_READ(credit)
MSG_TWEAK_DEFINE_READ(resync)
MSG_TWEAK_DEFINE_READ(status)
MSG_TWEAK_DEFINE_READ(bye)

static char version_text[] = "0.1.0";
static char host_text[] = "h1";
static char boot_text[] = "boot";
static char instance_text[] = "instance";
static char reason_text[] = "a reason";
static char code_text[] = "version";
static char sample_text[] = "sample";
static char hold_text[] = "hold";
static char *capability_texts[] = {sample_text, hold_text};

static const struct msg_hello hello = {
    .protocol_min = 1,
    .protocol_max = 2,
    .version = version_text,
    .host = host_text,
    .boot_id = boot_text,
    .instance_id = instance_text,
    .n_capabilities = 2,
    .capabilities = capability_texts,
};

static void test_hello_goes_round(void **state) {
    (void)state;
    struct msg_buffer buffer = {0};
    struct msg_hello back;
    assert_int_equal(msg_hello_write(&hello, &buffer, NULL), DC_OK);
    assert_int_equal(msg_hello_read(buffer.bytes, buffer.n_bytes, &back, NULL), DC_OK);
    assert_int_equal(back.protocol_min, 1);
    assert_int_equal(back.protocol_max, 2);
    assert_string_equal(back.version, version_text);
    assert_string_equal(back.host, host_text);
    assert_string_equal(back.boot_id, boot_text);
    assert_string_equal(back.instance_id, instance_text);
    assert_int_equal(back.n_capabilities, 2);
    assert_string_equal(back.capabilities[0], "sample");
    assert_string_equal(back.capabilities[1], "hold");
    msg_hello_dispose(&back);
    msg_buffer_dispose(&buffer);
    msg_buffer_dispose(&buffer);
}

/* The bytes of GRAMMAR.md's example. */
static void test_example_of_the_grammar(void **state) {
    (void)state;
    static const char hello_bytes[] = "\xde\x00\x07\xac"
                                      "protocol_min\x01\xac"
                                      "protocol_max\x01\xa7"
                                      "version\xa5"
                                      "0.1.0\xa4"
                                      "host\xa2"
                                      "h1\xa7"
                                      "boot_id\xa3"
                                      "b-1\xab"
                                      "instance_id\xa3"
                                      "i-1\xac"
                                      "capabilities\x91\xa4"
                                      "hold";
    static const char welcome_bytes[] = "\xde\x00\x04\xa8"
                                        "protocol\x01\xa7"
                                        "version\xa5"
                                        "0.1.0\xa6"
                                        "credit@\xb2"
                                        "status_interval_ms\xcd\x13\x88";
    static char boot[] = "b-1";
    static char instance[] = "i-1";
    struct msg_hello said = hello;
    said.protocol_max = 1;
    said.boot_id = boot;
    said.instance_id = instance;
    said.n_capabilities = 1;
    said.capabilities = &capability_texts[1];
    const struct msg_welcome answer = {
        .protocol = 1, .version = version_text, .credit = 64, .status_interval_ms = 5000};
    struct msg_buffer buffer = {0};
    assert_int_equal(msg_hello_write(&said, &buffer, NULL), DC_OK);
    assert_int_equal(buffer.n_bytes, sizeof(hello_bytes) - 1);
    assert_memory_equal(buffer.bytes, hello_bytes, buffer.n_bytes);
    assert_int_equal(msg_welcome_write(&answer, &buffer, NULL), DC_OK);
    assert_int_equal(buffer.n_bytes, sizeof(welcome_bytes) - 1);
    assert_memory_equal(buffer.bytes, welcome_bytes, buffer.n_bytes);
    msg_buffer_dispose(&buffer);
}

static void test_hello_refuses(void **state) {
    (void)state;
    static const struct msg_tweak tweaks[] = {
        TWEAK("of_a_later_version", "\x81\xa1x\xc4\x01\xff", NULL),
        TWEAK("protocol_max", "\xcb\x40\0\0\0\0\0\0\0", NULL), /* 2.0 */
        TWEAK_DROP("capabilities", NULL),
        TWEAK("capabilities", "\xc0", NULL),
        TWEAK_DROP("host", "host: missing"),
        TWEAK("host", "\xc0", "host: missing"),
        TWEAK("host", "\x01", "host: expected 1 to 255 bytes"),
        TWEAK("host", "\xa0", "host: expected 1 to 255 bytes"),
        TWEAK("host", "\xa2h\n", "host: expected 1 to 255 bytes"),
        TWEAK("host", "\xa3h\0x", "host: expected 1 to 255 bytes"),
        TWEAK("host", "\xc4\x01h", "host: expected 1 to 255 bytes"),
        TWEAK("protocol_min", "\x00", "protocol_min: expected a number from 1 to 65535, got 0"),
        TWEAK("protocol_min", "\xff", "protocol_min: expected a number"),
        TWEAK("protocol_min", "\x03", "protocol_max: expected at least protocol_min, 3"),
        TWEAK("protocol_max", "\xcb\x3f\xf8\0\0\0\0\0\0", "protocol_max: expected a whole number, got 1.5"),
        TWEAK("protocol_max", "\xa1\x31", "protocol_max: expected a number"),
        TWEAK("protocol_max", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "protocol_max: expected a number from"),
        TWEAK("capabilities", "\x80", "capabilities: expected an array"),
        TWEAK("capabilities", "\x91\x01", "capabilities[0]: expected 1 to 255 bytes"),
        TWEAK("capabilities.1", "\xa0", "capabilities[1]: expected 1 to 255 bytes"),
        TWEAK("capabilities", "\xdc\x00\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
              "capabilities: expected an array of 0 to 32 items, got 33"),
    };
    struct msg_buffer buffer = {0};
    assert_int_equal(msg_hello_write(&hello, &buffer, NULL), DC_OK);
    MSG_TWEAK_CHECK(&buffer, read_hello, tweaks);
    msg_tweak_check_truncated(&buffer, read_hello);
    msg_buffer_dispose(&buffer);
}

static void test_welcome(void **state) {
    (void)state;
    static const struct msg_tweak tweaks[] = {
        TWEAK("protocol", "\x00", "protocol: expected a number from 1"),
        TWEAK_DROP("version", "version: missing"),
        TWEAK("credit", "\x00", "credit: expected a number from 1 to 1000000"),
        TWEAK("credit", "\xce\x00\x0f\x42\x41", "credit: expected a number from 1 to 1000000"),
        TWEAK("status_interval_ms", "\x63", "status_interval_ms: expected a number from 100 to 3600000"),
    };
    const struct msg_welcome msg = {.protocol = 1, .version = version_text, .credit = 256, .status_interval_ms = 5000};
    struct msg_buffer buffer = {0};
    struct msg_welcome back;
    assert_int_equal(msg_welcome_write(&msg, &buffer, NULL), DC_OK);
    assert_int_equal(msg_welcome_read(buffer.bytes, buffer.n_bytes, &back, NULL), DC_OK);
    assert_int_equal(back.protocol, 1);
    assert_string_equal(back.version, version_text);
    assert_int_equal(back.credit, 256);
    assert_int_equal(back.status_interval_ms, 5000);
    msg_welcome_dispose(&back);
    MSG_TWEAK_CHECK(&buffer, read_welcome, tweaks);
    msg_tweak_check_truncated(&buffer, read_welcome);
    msg_buffer_dispose(&buffer);
}

static void test_reject(void **state) {
    (void)state;
    static const struct msg_tweak tweaks[] = {
        TWEAK("reason", "\xa0", NULL),
        TWEAK("reason", "\xa1\x07", "reason: expected at most 1023 bytes"),
        TWEAK("code", "\xa0", "code: expected 1 to 255 bytes"),
        TWEAK_DROP("protocol_max", "protocol_max: missing"),
    };
    const struct msg_reject msg = {.reason = reason_text, .code = code_text, .protocol_min = 1, .protocol_max = 3};
    struct msg_buffer buffer = {0};
    struct msg_reject back;
    assert_int_equal(msg_reject_write(&msg, &buffer, NULL), DC_OK);
    assert_int_equal(msg_reject_read(buffer.bytes, buffer.n_bytes, &back, NULL), DC_OK);
    assert_string_equal(back.reason, reason_text);
    assert_string_equal(back.code, code_text);
    assert_int_equal(back.protocol_min, 1);
    assert_int_equal(back.protocol_max, 3);
    msg_reject_dispose(&back);
    MSG_TWEAK_CHECK(&buffer, read_reject, tweaks);
    msg_tweak_check_truncated(&buffer, read_reject);
    msg_buffer_dispose(&buffer);
}

static void test_credit(void **state) {
    (void)state;
    static const struct msg_tweak tweaks[] = {
        TWEAK("credit", "\x00", "credit: expected a number from 1"),
        TWEAK("credit", "\xc3", "credit: expected a number"),
        TWEAK_DROP("credit", "credit: missing"),
    };
    const struct msg_credit msg = {.credit = 128};
    struct msg_buffer buffer = {0};
    struct msg_credit back;
    assert_int_equal(msg_credit_write(&msg, &buffer, NULL), DC_OK);
    assert_int_equal(msg_credit_read(buffer.bytes, buffer.n_bytes, &back, NULL), DC_OK);
    assert_int_equal(back.credit, 128);
    msg_credit_dispose(&back);
    MSG_TWEAK_CHECK(&buffer, read_credit, tweaks);
    msg_tweak_check_truncated(&buffer, read_credit);
    msg_buffer_dispose(&buffer);
}

static void test_resync_and_bye(void **state) {
    (void)state;
    static const struct msg_tweak tweaks[] = {
        TWEAK("reason", "\xa0", NULL),
        TWEAK("reason", "\x01", "reason: expected at most 1023 bytes"),
        TWEAK_DROP("reason", "reason: missing"),
    };
    const struct msg_resync resync = {.reason = reason_text};
    const struct msg_bye bye = {.reason = reason_text};
    struct msg_buffer buffer = {0};
    struct msg_resync resync_back;
    struct msg_bye bye_back;
    assert_int_equal(msg_resync_write(&resync, &buffer, NULL), DC_OK);
    assert_int_equal(msg_resync_read(buffer.bytes, buffer.n_bytes, &resync_back, NULL), DC_OK);
    assert_string_equal(resync_back.reason, reason_text);
    msg_resync_dispose(&resync_back);
    MSG_TWEAK_CHECK(&buffer, read_resync, tweaks);
    assert_int_equal(msg_bye_write(&bye, &buffer, NULL), DC_OK);
    assert_int_equal(msg_bye_read(buffer.bytes, buffer.n_bytes, &bye_back, NULL), DC_OK);
    assert_string_equal(bye_back.reason, reason_text);
    msg_bye_dispose(&bye_back);
    MSG_TWEAK_CHECK(&buffer, read_bye, tweaks);
    msg_tweak_check_truncated(&buffer, read_bye);
    msg_buffer_dispose(&buffer);
}

static void test_status(void **state) {
    (void)state;
    static const struct msg_tweak tweaks[] = {
        TWEAK("sampling_frac", "\x01", NULL),
        TWEAK("sampling_frac", "\x02", "sampling_frac: expected a number from 0 to 1, got 2"),
        TWEAK("n_vms", "\xff", "n_vms: expected a number from 0"),
        TWEAK("n_vms", "\xcb\x3f\xe0\0\0\0\0\0\0", "n_vms: expected a whole number, got 0.5"),
        TWEAK("at_unix_ms", "\xd3\x80\0\0\0\0\0\0\0", "at_unix_ms: expected a number"),
        TWEAK_DROP("n_held", "n_held: missing"),
    };
    const struct msg_status msg = {.at_unix_ms = INT64_C(1700000000123),
                                   .n_vms = 6,
                                   .n_bursts = 7,
                                   .n_conflated = 8,
                                   .n_held = 9,
                                   .sampling_frac = 0.125};
    struct msg_buffer buffer = {0};
    struct msg_status back;
    assert_int_equal(msg_status_write(&msg, &buffer, NULL), DC_OK);
    assert_int_equal(msg_status_read(buffer.bytes, buffer.n_bytes, &back, NULL), DC_OK);
    assert_true(back.at_unix_ms == msg.at_unix_ms);
    assert_int_equal(back.n_vms, 6);
    assert_int_equal(back.n_bursts, 7);
    assert_int_equal(back.n_conflated, 8);
    assert_int_equal(back.n_held, 9);
    assert_true(back.sampling_frac == 0.125);
    msg_status_dispose(&back);
    MSG_TWEAK_CHECK(&buffer, read_status, tweaks);
    msg_tweak_check_truncated(&buffer, read_status);
    msg_buffer_dispose(&buffer);
}

static void test_kinds(void **state) {
    (void)state;
    assert_string_equal(msg_kind_text(1), "HELLO");
    assert_string_equal(msg_kind_text(70), "RELEASE");
    assert_null(msg_kind_text(0));
    assert_null(msg_kind_text(7));
    assert_null(msg_kind_text(255));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hello_goes_round),
        cmocka_unit_test(test_hello_refuses),
        cmocka_unit_test(test_welcome),
        cmocka_unit_test(test_reject),
        cmocka_unit_test(test_credit),
        cmocka_unit_test(test_resync_and_bye),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_example_of_the_grammar),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
