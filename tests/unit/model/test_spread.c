/* The prediction limit: by hand, at the ends, and its coverage of normal samples. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/spread.h"

#include "random_vm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "assert_near.h"

static void test_by_hand(void **state) {
    (void)state;
    const double ratios[] = {1.00, 1.02, 1.04}; /* mean 0.02, s 0.02, t(0.95; 2) = 2.91999 */
    assert_near(spread_high_deviate * spread_of_ratios(ratios, 3), 0.02 + 2.91999 * 0.02 * sqrt(4.0 / 3), 1e-6);
}

static void test_ends(void **state) {
    (void)state;
    const double same[] = {1.1, 1.1};
    const double short_ones[] = {0.8, 0.8, 0.8};
    assert_near(spread_of_ratios(same, 0), 0, 0);
    assert_near(spread_of_ratios(same, 1), 0, 0);
    assert_near(spread_high_deviate * spread_of_ratios(same, 2), 0.1, 1e-12);
    assert_near(spread_of_ratios(short_ones, 3), 0, 0); /* all faster than predicted: p95 needs no more room */
}

/* About normal: the sum of 12 uniform numbers. */
static double random_ratio(uint64_t *random) {
    double sum = -6;
    for (int i = 0; i < 12; i++)
        sum += random_between(random, 0, 1);
    return 1 + 0.03 * sum;
}

static void test_property_covers_the_next(void **state) {
    (void)state;
    enum { N = 9, TRIALS = 20000 };
    uint64_t random = random_seed();
    int n_covered = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        double ratios[N];
        for (int i = 0; i < N; i++)
            ratios[i] = random_ratio(&random);
        n_covered += random_ratio(&random) <= 1 + spread_high_deviate * spread_of_ratios(ratios, N);
    }
    assert_near((double)n_covered / TRIALS, 0.95, 0.01);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_property_covers_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
