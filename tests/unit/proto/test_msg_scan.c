/* The pre-scan: what it lets through, and each lie that it does not. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_scan.h"

#include "proto/msg.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

struct row {
    const char *bytes;
    size_t n_bytes;
    enum dc_status status;
    const char *expected; /* part of the text */
};

#define ROW(bytes, status, expected) \
    { bytes, sizeof(bytes) - 1, status, expected }

static void check(const struct row *rows, size_t n_rows) {
    for (size_t i = 0; i < n_rows; i++) {
        struct dc_error err = DC_ERROR_NONE;
        const enum dc_status rc = msg_scan(rows[i].bytes, rows[i].n_bytes, &err);
        if (rc != rows[i].status || err.status != rc)
            fail_msg("row %zu: status %d, %s", i, (int)rc, error_text(&err));
        if (rows[i].expected != NULL && strstr(error_text(&err), rows[i].expected) == NULL)
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, error_text(&err), rows[i].expected);
    }
}

static void test_accepts(void **state) {
    (void)state;
    static const struct row rows[] = {
        ROW("\x80", DC_OK, NULL),
        ROW("\xde\x00\x00", DC_OK, NULL),
        ROW("\xdf\x00\x00\x00\x01\xa1x\xc0", DC_OK, NULL),
        ROW("\x81\xa1x\xff", DC_OK, NULL),                     /* fixint -1 */
        ROW("\x82\xa1x\xc2\xa1y\xc3", DC_OK, NULL),            /* booleans */
        ROW("\x81\xa1x\xca\x3f\x80\x00\x00", DC_OK, NULL),     /* float 32 */
        ROW("\x81\xa1x\xcb\x3f\xf0\0\0\0\0\0\0", DC_OK, NULL), /* float 64 */
        ROW("\x81\xa1x\xcf\xff\xff\xff\xff\xff\xff\xff\xff", DC_OK, NULL),
        ROW("\x81\xa1x\xd0\x80", DC_OK, NULL),
        ROW("\x81\xa1x\xd9\x02\xc3\xa9", DC_OK, NULL),             /* str 8 */
        ROW("\x81\xa1x\xc4\x02\xff\xfe", DC_OK, NULL),             /* bin: of a later version */
        ROW("\x81\xa1x\x93\x01\x80\x90", DC_OK, NULL),             /* empty map and array within */
        ROW("\x81\xa1x\x91\x91\x91\x91\x91\x91\x90", DC_OK, NULL), /* eight levels */
    };
    check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_refuses_shapes(void **state) {
    (void)state;
    static const struct row rows[] = {
        ROW("", DC_EPARSE, "ends too early"),
        ROW("\x90", DC_EPARSE, "expected a map"),
        ROW("\x01", DC_EPARSE, "expected a map"),
        ROW("\x80\x80", DC_EPARSE, "byte 1: 1 bytes after the map"),
        ROW("\x81\xa1x", DC_EPARSE, "byte 3: ends too early"),
        ROW("\x81\x01\x01", DC_EPARSE, "byte 1: expected a string as the key"),
        ROW("\x81\xa1x\x81\xc0\xc0", DC_EPARSE, "byte 4: expected a string as the key"),
        ROW("\x81\xa1x\xc1", DC_EPARSE, "type 0xc1"),
        ROW("\x81\xa1x\xd4\x01\x02", DC_EPARSE, "type 0xd4"),             /* fixext 1 */
        ROW("\x81\xa1x\xc7\x01\x01\x02", DC_EPARSE, "type 0xc7"),         /* ext 8 */
        ROW("\x81\xa1x\xd6\xff\x00\x00\x00\x00", DC_EPARSE, "type 0xd6"), /* timestamp */
        ROW("\x81\xa1x\x91\x91\x91\x91\x91\x91\x91\x90", DC_ELIMIT, "byte 10: deeper than 8 levels"),
        ROW("\x81\xa1x\x91\x91\x91\x91\x91\x91\x91\x80", DC_ELIMIT, "deeper"),
    };
    check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_refuses_lies_about_lengths(void **state) {
    (void)state;
    static const struct row rows[] = {
        ROW("\xdf\xff\xff\xff\xff", DC_EPARSE, "claims 4294967295 items where 0 bytes are left"),
        ROW("\xdf\x80\x00\x00\x00\xa1x\xc0", DC_EPARSE, "claims"),
        ROW("\x81\xa1x\xdd\xff\xff\xff\xff", DC_EPARSE, "byte 3: claims 4294967295 items"),
        ROW("\x81\xa1x\xdb\xff\xff\xff\xff", DC_EPARSE, "an item of 4294967295 bytes where 0 are left"),
        ROW("\x81\xa1x\xc6\xff\xff\xff\xff", DC_EPARSE, "an item of 4294967295 bytes"),
        ROW("\x81\xa1x\xdc\x00", DC_EPARSE, "ends within a length"),
        ROW("\x81\xa1x\xcd\x00", DC_EPARSE, "an item of 2 bytes where 1 are left"),
        /* Each count fits what is left, but not together with what the outer levels await. */
        ROW("\x82\xa1x\x93\x01\x02\xa1y\x01", DC_EPARSE, NULL),
        ROW("\x83\xa1x\x94\x01\x02\xa1y", DC_EPARSE, "claims"),
    };
    check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_refuses_values(void **state) {
    (void)state;
    static const struct row rows[] = {
        ROW("\x81\xa1x\xcb\x7f\xf8\0\0\0\0\0\0", DC_EPARSE, "byte 3: a number that is not finite"), /* NaN */
        ROW("\x81\xa1x\xcb\x7f\xf0\0\0\0\0\0\0", DC_EPARSE, "not finite"),
        ROW("\x81\xa1x\xcb\xff\xf0\0\0\0\0\0\0", DC_EPARSE, "not finite"),
        ROW("\x81\xa1x\xca\x7f\xc0\x00\x00", DC_EPARSE, "not finite"),
        ROW("\x81\xa1x\xa2\xc3(", DC_EPARSE, "byte 3: a string that is not UTF-8"),
        ROW("\x81\xa1x\xa2\xc0\x80", DC_EPARSE, "not UTF-8"),         /* overlong NUL */
        ROW("\x81\xa1x\xa3\xed\xa0\x80", DC_EPARSE, "not UTF-8"),     /* surrogate */
        ROW("\x81\xa1x\xa4\xf4\x90\x80\x80", DC_EPARSE, "not UTF-8"), /* past U+10FFFF */
        ROW("\x81\xa1\xff\xc0", DC_EPARSE, "not UTF-8"),              /* in a key */
    };
    check(rows, sizeof(rows) / sizeof(rows[0]));
}

static void test_limits_size(void **state) {
    (void)state;
    /* {"x": bin of just so many bytes} */
    unsigned char *bytes = calloc(1, MSG_MAX_BYTES + 1);
    assert_non_null(bytes);
    const uint32_t n = MSG_MAX_BYTES - 8;
    const unsigned char head[] = {0x81,
                                  0xa1,
                                  'x',
                                  0xc6,
                                  (unsigned char)(n >> 24),
                                  (unsigned char)(n >> 16 & 0xff),
                                  (unsigned char)(n >> 8 & 0xff),
                                  (unsigned char)(n & 0xff)};
    memcpy(bytes, head, sizeof(head));
    assert_int_equal(msg_scan(bytes, MSG_MAX_BYTES, NULL), DC_OK);
    assert_int_equal(msg_scan(bytes, MSG_MAX_BYTES + 1, NULL), DC_ELIMIT);
    free(bytes);
}

/* Whatever the bytes: an answer, and no reading past them (the sanitizers watch). */
static void test_survives_noise(void **state) {
    (void)state;
    uint64_t seed = 20101;
    for (int round = 0; round < 20000; round++) {
        unsigned char *bytes = malloc(24);
        assert_non_null(bytes);
        for (size_t i = 0; i < 24; i++) {
            seed = seed * 6364136223846793005U + 1442695040888963407U;
            bytes[i] = (unsigned char)(seed >> 56);
        }
        bytes[0] = (unsigned char)(0x80 | (bytes[0] & 0x03));
        const enum dc_status rc = msg_scan(bytes, (size_t)(round % 25), NULL);
        assert_true(rc == DC_OK || rc == DC_EPARSE || rc == DC_ELIMIT);
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses_shapes),
        cmocka_unit_test(test_refuses_lies_about_lengths),
        cmocka_unit_test(test_refuses_values),
        cmocka_unit_test(test_limits_size),
        cmocka_unit_test(test_survives_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
