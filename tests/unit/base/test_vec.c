/* Growth of plain arrays, up to sizes that cannot be. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

static void test_grows_and_keeps(void **state) {
    (void)state;
    void *items = NULL;
    size_t capacity = 0;
    size_t n_moves = 0;
    for (size_t n = 1; n <= 1000; n++) {
        const size_t before = capacity;
        assert_true(vec_reserve(&items, &capacity, n, sizeof(size_t)));
        assert_true(capacity >= n);
        n_moves += capacity != before;
        ((size_t *)items)[n - 1] = n;
    }
    for (size_t n = 1; n <= 1000; n++)
        assert_int_equal(((size_t *)items)[n - 1], n);
    assert_true(n_moves <= 8); /* geometric */
    const void *same = items;
    assert_true(vec_reserve(&items, &capacity, 10, sizeof(size_t)));
    assert_ptr_equal(items, same);
    free(items);
}

static void test_refuses_overflow(void **state) {
    (void)state;
    void *items = malloc(8);
    void *const old = items;
    size_t capacity = 1;
    assert_false(vec_reserve(&items, &capacity, SIZE_MAX, 8));
    assert_false(vec_reserve(&items, &capacity, SIZE_MAX / 8 + 1, 16));
    assert_ptr_equal(items, old);
    assert_int_equal(capacity, 1);
    free(items);
}

static void test_has(void **state) {
    const size_t items[] = {4, 0, 7};
    (void)state;
    assert_true(vec_has(items, 3, 7));
    assert_false(vec_has(items, 2, 7));
    assert_false(vec_has(NULL, 0, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grows_and_keeps),
        cmocka_unit_test(test_refuses_overflow),
        cmocka_unit_test(test_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
