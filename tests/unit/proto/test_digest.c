/* Digests against the vectors of FIPS 180-2. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_published_vectors(void **state) {
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    char text[DIGEST_TEXT_BYTES];
    (void)state;
    digest_sha256_text("", 0, text);
    assert_string_equal(text, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    digest_sha256_text("abc", 3, text);
    assert_string_equal(text, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest_sha256_text(two_blocks, strlen(two_blocks), text);
    assert_string_equal(text, "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_a_million_bytes(void **state) {
    char text[DIGEST_TEXT_BYTES];
    const size_t n = 1000000;
    char *bytes = malloc(n);
    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'a', n);
    digest_sha256_text(bytes, n, text);
    assert_string_equal(text, "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_a_million_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
