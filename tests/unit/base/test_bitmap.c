/* Bitmap kernels against bit by bit loops, at every length around their blocks. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/bitmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_WORDS = 200, MARGIN = 8 };

static uint64_t next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state ^ *state >> 29;
}

static void fill(uint64_t *words, uint64_t *state) {
    for (size_t i = 0; i < MOST_WORDS + MARGIN; i++)
        words[i] = next(state);
}

static size_t count_bits(const uint64_t *words, size_t n_words) {
    size_t n = 0;
    for (size_t bit = 0; bit < n_words * BITMAP_WORD_BITS; bit++)
        n += bitmap_has(words, bit);
    return n;
}

static void test_bits_and_words(void **state) {
    (void)state;
    uint64_t words[3] = {0};
    assert_int_equal(bitmap_words(0), 0);
    assert_int_equal(bitmap_words(1), 1);
    assert_int_equal(bitmap_words(64), 1);
    assert_int_equal(bitmap_words(65), 2);
    bitmap_set(words, 0);
    bitmap_set(words, 63);
    bitmap_set(words, 130);
    assert_int_equal(words[0], 0x8000000000000001u);
    assert_int_equal(words[1], 0);
    assert_int_equal(words[2], 4);
    assert_true(bitmap_has(words, 130));
    assert_false(bitmap_has(words, 129));
}

static void test_fill_sets_only_its_bits(void **state) {
    (void)state;
    for (size_t n_bits = 0; n_bits <= 192; n_bits++) {
        uint64_t words[4] = {0, 0, 0, 0};
        bitmap_fill(words, n_bits);
        assert_int_equal(count_bits(words, 4), n_bits);
        assert_true(n_bits == 0 || bitmap_has(words, n_bits - 1));
    }
}

static void test_kernels_equal_loops(void **state) {
    (void)state;
    uint64_t random = 20260718;
    for (size_t n = 0; n <= MOST_WORDS; n++) {
        uint64_t a[MOST_WORDS + MARGIN], b[MOST_WORDS + MARGIN], out[MOST_WORDS + MARGIN], before[MOST_WORDS + MARGIN];
        fill(a, &random);
        fill(b, &random);
        fill(out, &random);
        /* Words need no more than their own alignment. */
        const uint64_t *from = a + n % 3;
        assert_int_equal(bitmap_count(from, n), count_bits(from, n));

        memcpy(before, out, sizeof(out));
        const size_t n_left = bitmap_and_not(out, from, b, n);
        assert_int_equal(n_left, count_bits(out, n));
        for (size_t i = 0; i < MOST_WORDS + MARGIN; i++)
            assert_int_equal(out[i], i < n ? (from[i] & ~b[i]) : before[i]);

        memcpy(before, b, sizeof(b));
        bitmap_or(b, from, n);
        for (size_t i = 0; i < MOST_WORDS + MARGIN; i++)
            assert_int_equal(b[i], i < n ? (before[i] | from[i]) : before[i]);
    }
}

static void test_and_not_in_place(void **state) {
    (void)state;
    uint64_t random = 4711;
    uint64_t a[MOST_WORDS + MARGIN], b[MOST_WORDS + MARGIN], apart[MOST_WORDS + MARGIN];
    fill(a, &random);
    fill(b, &random);
    memcpy(apart, a, sizeof(a));
    const size_t n = bitmap_and_not(apart, a, b, MOST_WORDS);
    assert_int_equal(bitmap_and_not(a, a, b, MOST_WORDS), n);
    assert_memory_equal(a, apart, sizeof(a));
}

static void test_all_set_and_none(void **state) {
    (void)state;
    uint64_t words[MOST_WORDS];
    memset(words, 0xff, sizeof(words));
    assert_int_equal(bitmap_count(words, MOST_WORDS), MOST_WORDS * BITMAP_WORD_BITS);
    memset(words, 0, sizeof(words));
    assert_int_equal(bitmap_count(words, MOST_WORDS), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_and_words),      cmocka_unit_test(test_fill_sets_only_its_bits),
        cmocka_unit_test(test_kernels_equal_loops), cmocka_unit_test(test_and_not_in_place),
        cmocka_unit_test(test_all_set_and_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
