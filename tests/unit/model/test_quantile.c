/* Type-7 quantiles against hand-made values. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/quantile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_near.h"

static void test_interpolates(void **state) {
    (void)state;
    double values[] = {40, 10, 30, 20};
    quantile_sort(values, 4);
    assert_near(quantile_of_sorted(values, 4, 0), 10, 1e-12);
    assert_near(quantile_of_sorted(values, 4, 0.5), 25, 1e-12);
    assert_near(quantile_of_sorted(values, 4, 0.95), 38.5, 1e-12);
    assert_near(quantile_of_sorted(values, 4, 1), 40, 1e-12);
}

static void test_one_value_is_every_quantile(void **state) {
    (void)state;
    double value = 7;
    quantile_sort(&value, 1);
    assert_near(quantile_of_sorted(&value, 1, 0.5), 7, 0);
    assert_near(quantile_of_sorted(&value, 1, 0.95), 7, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interpolates),
        cmocka_unit_test(test_one_value_is_every_quantile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
