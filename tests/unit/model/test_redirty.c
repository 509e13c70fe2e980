/* The hot/warm/cold fit: what it finds again, where it gives up, and what is dirtied again. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/redirty.h"

#include "random_vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "assert_near.h"

enum { N_POINTS = 22 };

static double mixture(const struct redirty_class *classes, size_t n, double window_s) {
    double pages = 0;
    for (size_t i = 0; i < n; i++)
        pages += classes[i].pages * (1 - exp(-classes[i].writes_per_s * window_s));
    return pages;
}

/* What an agent would record of `classes` and a sweep of `swept` pages at 300 a second. */
static struct dirty_curve record(const struct redirty_class *classes, size_t n, double swept,
                                 struct dirty_point *points) {
    for (size_t i = 0; i < N_POINTS; i++) {
        const double window_s = 0.125 * pow(480, (double)i / (N_POINTS - 1));
        points[i] = (struct dirty_point){window_s, floor(mixture(classes, n, window_s) + fmin(swept, 300 * window_s))};
    }
    return (struct dirty_curve){.n_points = N_POINTS, .points = points};
}

static void test_property_finds_mixtures_again(void **state) {
    (void)state;
    uint64_t random = random_seed();
    for (int i = 0; i < 60; i++) {
        const struct redirty_class classes[] = {
            {random_between(&random, 100, 2000), random_between(&random, 1, 8)},
            {random_between(&random, 1000, 20000), random_between(&random, 0.1, 0.8)},
            {random_between(&random, 20000, 200000), random_between(&random, 0.005, 0.05)},
        };
        struct dirty_point points[N_POINTS];
        const struct dirty_curve curve = record(classes, 3, 0, points);
        struct redirty redirty;
        redirty_fit(&curve, 1e6, &redirty);
        assert_int_equal(redirty.basis, REDIRTY_FITTED);
        assert_true(redirty.worst_frac < 0.04);
        for (int w = 0; w < N_POINTS; w++) { /* not at the points themselves */
            const double window_s = 0.1 * pow(600, (double)w / N_POINTS);
            const double pages = mixture(classes, 3, window_s);
            assert_near(redirty_pages(&redirty, window_s), pages, 0.05 * pages);
        }
        const struct redirty_window window = redirty_window_of(&redirty, &curve, 1e6, 10);
        for (int a = 0; a < 7; a++) {
            const double after_s = 0.2 * pow(2, a);
            double again = 0;
            for (size_t c = 0; c < 3; c++)
                again += mixture(&classes[c], 1, 10) * (1 - exp(-classes[c].writes_per_s * after_s));
            const double frac = again / mixture(classes, 3, 10);
            assert_near(redirty_again_frac(&window, after_s), frac, 0.06);
        }
    }
}

static void test_sweep_is_no_mixture(void **state) {
    (void)state;
    struct dirty_point points[N_POINTS];
    const struct dirty_curve curve = record(NULL, 0, 4096, points);
    struct redirty redirty;
    redirty_fit(&curve, 24576, &redirty);
    assert_int_equal(redirty.basis, REDIRTY_CURVE);
    /* A sweep in order comes back to its first page once it is through all: not before 4096 / 300 s. */
    const struct redirty_window window = redirty_window_of(&redirty, &curve, 24576, 5);
    assert_near(window.pages, 1500, 30);
    assert_near(redirty_again_frac(&window, 2), 0, 0.02);
    assert_near(redirty_again_frac(&window, 8.66), 0, 0.05);
    assert_near(redirty_again_frac(&window, 13.66), 1, 0.05);
}

static void test_of_all_memory(void **state) {
    (void)state;
    const struct redirty_class class = {4096, 0.5};
    struct dirty_point points[N_POINTS];
    for (int swept = 0; swept < 2; swept++) {
        const struct dirty_curve curve = record(&class, swept == 0, swept == 0 ? 0 : 4096, points);
        struct redirty redirty;
        redirty_fit(&curve, 24576, &redirty);
        const struct redirty_window all = redirty_window_of(&redirty, &curve, 24576, INFINITY);
        assert_near(all.pages, 24576, 0);
        for (size_t i = 0; i < N_POINTS; i += 3)
            assert_near(redirty_again_frac(&all, points[i].window_s), points[i].pages / 24576, 0.002);
    }
}

static void test_classes_fit_into_memory(void **state) {
    (void)state;
    struct dirty_point points[N_POINTS];
    const struct redirty_class class = {20000, 0.2};
    const struct dirty_curve curve = record(&class, 1, 0, points);
    struct redirty redirty;
    redirty_fit(&curve, 10000, &redirty);
    double pages = 0;
    for (size_t i = 0; i < REDIRTY_CLASSES; i++)
        pages += redirty.classes[i].pages;
    assert_true(pages <= 10000 * (1 + 1e-12));
}

static void test_little_is_known(void **state) {
    (void)state;
    struct dirty_point points[] = {{1, 1000}, {2, 1000}};
    const struct dirty_curve two = {.n_points = 2, .points = points};
    const struct dirty_curve none = {0};
    struct redirty redirty;
    redirty_fit(&two, 5000, &redirty);
    assert_int_equal(redirty.basis, REDIRTY_CURVE);
    redirty_fit(&none, 5000, &redirty);
    assert_int_equal(redirty.basis, REDIRTY_CURVE);
    const struct redirty_window window = redirty_window_of(&redirty, &none, 5000, 3);
    assert_near(redirty_again_frac(&window, 1), 0, 0);

    struct dirty_point idle[N_POINTS];
    const struct dirty_curve nothing = record(NULL, 0, 0, idle);
    redirty_fit(&nothing, 5000, &redirty);
    assert_int_equal(redirty.basis, REDIRTY_FITTED);
    assert_near(redirty_pages(&redirty, 100), 0, 0);
}

static void test_texts(void **state) {
    (void)state;
    assert_string_equal(redirty_basis_text(REDIRTY_NONE), "");
    assert_string_equal(redirty_basis_text(REDIRTY_BITMAPS), "bitmaps");
    assert_string_equal(redirty_basis_text(REDIRTY_FITTED), "fitted model");
    assert_string_equal(redirty_basis_text(REDIRTY_CURVE), "curve");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_property_finds_mixtures_again),
        cmocka_unit_test(test_sweep_is_no_mixture),
        cmocka_unit_test(test_of_all_memory),
        cmocka_unit_test(test_classes_fit_into_memory),
        cmocka_unit_test(test_little_is_known),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
