/* The sticky cursor: paths of errors, the first error wins, no key twice. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_reader.h"

#include "proto/msg_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define OPEN(reader, bytes) msg_reader_open(reader, bytes, sizeof(bytes) - 1)

static void assert_error(struct msg_reader *reader, enum dc_status status, const char *text) {
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(msg_reader_close(reader, &err), status);
    assert_int_equal(err.status, status);
    assert_string_equal(error_text(&err), text);
}

static void test_first_error_sticks(void **state) {
    (void)state;
    struct msg_reader reader;
    const struct msg_map map = OPEN(&reader, "\x83\xa1x\x05\xa1y\xa2no\xa1z\x07");
    assert_true(msg_reader_number(&map, "x", 0, 10) == 5);
    assert_true(msg_reader_number(&map, "y", 0, 10) == 0);
    assert_true(msg_reader_failed(&map));
    assert_true(msg_reader_number(&map, "z", 0, 10) == 0);
    assert_null(msg_reader_name(&map, "absent"));
    assert_int_equal(msg_reader_array(&map, "x", 1, 2).n_items, 0);
    assert_null(msg_reader_alloc(&map, 4, 4));
    assert_error(&reader, DC_EINVAL, "y: expected a number");
}

static void test_paths(void **state) {
    (void)state;
    struct msg_reader reader;
    const struct msg_map map = OPEN(&reader, "\x81\xa3vms\x92\xc0\x81\xa6policy\x81\xa5"
                                             "disks\x91\x80");
    const struct msg_array vms = msg_reader_array(&map, "vms", 1, 2);
    const struct msg_map vm = msg_array_map(&vms, 1);
    const struct msg_map policy = msg_reader_map(&vm, "policy");
    const struct msg_array disks = msg_reader_array(&policy, "disks", 0, 9);
    const struct msg_map disk = msg_array_map(&disks, 0);
    assert_null(msg_reader_name(&disk, "name"));
    assert_error(&reader, DC_EINVAL, "vms[1].policy.disks[0].name: missing; expected a name");
}

static void test_no_key_twice(void **state) {
    (void)state;
    struct msg_reader reader;
    (void)OPEN(&reader, "\x82\xa1x\x01\xa1x\x02");
    assert_error(&reader, DC_EINVAL, "(map): key \"x\" stands twice");
    const struct msg_map map = OPEN(&reader, "\x81\xa1m\x83\xa1x\x01\xa1y\x01\xa1x\x02");
    (void)msg_reader_map(&map, "m");
    assert_error(&reader, DC_EINVAL, "m.(map): key \"x\" stands twice");
}

static void test_too_many_keys(void **state) {
    (void)state;
    struct msg_buffer buffer = {0};
    struct msg_writer writer;
    struct msg_reader reader;
    char key[8] = "k00";
    msg_writer_init(&writer, &buffer);
    for (int i = 0; i < MSG_MAX_KEYS + 1; i++) {
        key[1] = (char)('0' + i / 10);
        key[2] = (char)('0' + i % 10);
        msg_writer_uint(&writer, key, 1);
    }
    assert_int_equal(msg_writer_finish(&writer, NULL), DC_ELIMIT);
    assert_int_equal(buffer.n_bytes, 0);
    /* 65 empty keys, by hand: the count is looked at before the keys */
    unsigned char bytes[3 + 2 * 65] = {0xde, 0, 65};
    for (size_t i = 0; i < 65; i++) {
        bytes[3 + 2 * i] = 0xa0;
        bytes[4 + 2 * i] = 0xc0;
    }
    (void)msg_reader_open(&reader, bytes, sizeof(bytes));
    assert_error(&reader, DC_EINVAL, "(map): 65 keys; at most 64 are allowed");
    msg_buffer_dispose(&buffer);
}

static void test_fallbacks(void **state) {
    (void)state;
    struct msg_reader reader;
    const struct msg_map map = OPEN(&reader, "\x82\xa4none\xc0\xa4"
                                             "flag\xc3");
    assert_false(msg_reader_has(&map, "none"));
    assert_true(msg_reader_has(&map, "flag"));
    assert_true(msg_reader_number_or(&map, "none", 0, 1, -1) == -1);
    assert_true(msg_reader_number_or(&map, "absent", 0, 1, -2) == -2);
    assert_true(msg_reader_bool_or(&map, "none", true));
    assert_true(msg_reader_bool(&map, "flag"));
    assert_null(msg_reader_name_or_null(&map, "none"));
    assert_int_equal(msg_reader_array(&map, "absent", 0, 5).n_items, 0);
    assert_int_equal(msg_reader_map(&map, "absent").n_entries, 0);
    assert_int_equal(msg_reader_close(&reader, NULL), DC_OK);
}

static void test_numbers(void **state) {
    (void)state;
    struct msg_buffer buffer = {0};
    struct msg_writer writer;
    struct msg_reader reader;
    msg_writer_init(&writer, &buffer);
    msg_writer_number(&writer, "whole", 4294967296.0);
    msg_writer_number(&writer, "negative", -3);
    msg_writer_number(&writer, "part", 0.1);
    msg_writer_number(&writer, "huge", 1e300);
    assert_int_equal(msg_writer_finish(&writer, NULL), DC_OK);
    /* a whole number takes the short form */
    assert_non_null(memmem(buffer.bytes, buffer.n_bytes, "\xa5whole\xcf\0\0\0\1\0\0\0\0", 15));
    assert_non_null(memmem(buffer.bytes, buffer.n_bytes, "\xa8negative\xfd", 10));
    const struct msg_map map = msg_reader_open(&reader, buffer.bytes, buffer.n_bytes);
    assert_true(msg_reader_number(&map, "whole", 0, 1e10) == 4294967296.0);
    assert_true(msg_reader_number(&map, "negative", -3, 0) == -3);
    assert_true(msg_reader_number(&map, "part", 0, 1) == 0.1);
    assert_true(msg_reader_number(&map, "huge", 0, 1e300) == 1e300);
    assert_int_equal(msg_reader_close(&reader, NULL), DC_OK);
    msg_buffer_dispose(&buffer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_error_sticks), cmocka_unit_test(test_paths),
        cmocka_unit_test(test_no_key_twice),       cmocka_unit_test(test_too_many_keys),
        cmocka_unit_test(test_fallbacks),          cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
