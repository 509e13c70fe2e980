/* A recorded burst: what is accepted, what it adds up to, its speed. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/dirty_trace.h"

#include "random_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "assert_near.h"

static uint64_t *words_new(size_t n) {
    uint64_t *words = calloc(n, sizeof(words[0]));
    assert_non_null(words);
    return words;
}

/* Three intervals of 70 pages: {0, 69}, {0, 1}, {}. */
static struct dirty_trace small_trace(void) {
    uint64_t *words = words_new(6);
    struct dirty_trace trace;
    bitmap_set(words, 0);
    bitmap_set(words, 69);
    bitmap_set(words + 2, 0);
    bitmap_set(words + 2, 1);
    assert_int_equal(dirty_trace_init(&trace, 0.5, 70, words, 3, NULL), DC_OK);
    return trace;
}

static void test_adds_up(void **state) {
    (void)state;
    struct dirty_trace trace = small_trace();
    assert_int_equal(trace.n_words, 2);
    assert_int_equal(trace.n_ever, 3);
    assert_int_equal(bitmap_count(trace.ever, 2), 3);
    assert_int_equal(trace.curve.n_points, 3);
    const double pages[] = {2, 3, 3};
    for (size_t k = 0; k < 3; k++) {
        assert_near(trace.curve.points[k].window_s, 0.5 * (double)(k + 1), 1e-12);
        assert_near(trace.curve.points[k].pages, pages[k], 0);
    }
    assert_true(bitmap_has(dirty_trace_interval(&trace, 1), 1));
    assert_ptr_equal(dirty_trace_interval(&trace, 7), dirty_trace_interval(&trace, 1)); /* cyclic */
    dirty_trace_dispose(&trace);
    dirty_trace_dispose(&trace);
    assert_int_equal(trace.n_intervals, 0);
}

static void test_clone_is_deep(void **state) {
    (void)state;
    struct dirty_trace trace = small_trace();
    struct dirty_trace *clone;
    assert_int_equal(dirty_trace_clone(&trace, &clone, NULL), DC_OK);
    assert_ptr_not_equal(clone->words, trace.words);
    assert_memory_equal(clone->words, trace.words, 6 * sizeof(uint64_t));
    dirty_trace_dispose(&trace);
    assert_int_equal(clone->n_ever, 3);
    dirty_trace_free(&clone);
    assert_null(clone);
    dirty_trace_free(&clone);
}

static void test_nonsense_is_refused(void **state) {
    (void)state;
    static const struct {
        double interval_s;
        size_t n_pages;
        size_t n_intervals;
        uint64_t last_word;
        const char *text;
    } cases[] = {
        {0, 64, 1, 0, "bitmaps of 0 s"},
        {NAN, 64, 1, 0, "bitmaps of nan s"},
        {1e6, 64, 1, 0, "0.001 to 3600 s"},
        {1, 0, 1, 0, "bitmaps of 0 pages"},
        {1, DIRTY_TRACE_MAX_PAGES + 1, 1, 0, "expected 1 to 268435456"},
        {1, 64, 0, 0, "no bitmap"},
        {1, 63, 1, (uint64_t)1 << 63, "bitmap 0 has bits past its 63 pages"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t *words = words_new(1);
        struct dirty_trace trace;
        struct dc_error err = DC_ERROR_NONE;
        words[0] = cases[i].last_word;
        assert_int_equal(
            dirty_trace_init(&trace, cases[i].interval_s, cases[i].n_pages, words, cases[i].n_intervals, &err),
            DC_EINVAL);
        assert_non_null(strstr(error_text(&err), cases[i].text));
        assert_null(trace.words);
    }
}

static void test_moments_are_spread_evenly(void **state) {
    (void)state;
    enum { BINS = 8, PAGES = 4000, INTERVALS = 5 };
    unsigned bins[BINS] = {0};
    for (size_t page = 0; page < PAGES; page++) {
        for (uint64_t k = 0; k < INTERVALS; k++) {
            const double moment = dirty_trace_moment(page, k);
            assert_true(moment >= 0 && moment < 1);
            assert_near(dirty_trace_moment(page, k), moment, 0);
            bins[(size_t)(moment * BINS)]++;
        }
    }
    for (size_t i = 0; i < BINS; i++)
        assert_near(bins[i], (double)PAGES * INTERVALS / BINS, 250); /* five sigma */
}

static void test_speed(void **state) {
    (void)state;
    uint64_t random = random_seed();
    const struct random_region region = {0, 900, 0.3};
    struct dirty_trace trace = random_trace(&random, 0.5, 1000, 40, &region, 1);
    assert_near(dirty_trace_speed(&trace, &trace.curve), 1, 0);
    struct dirty_point points[40];
    struct dirty_curve twice = {.n_points = 40, .points = points};
    for (size_t i = 0; i < 40; i++)
        points[i] = (struct dirty_point){trace.curve.points[i].window_s / 2, trace.curve.points[i].pages};
    assert_near(dirty_trace_speed(&trace, &twice), 2, 1e-12);
    const struct dirty_curve unknown = {0};
    assert_near(dirty_trace_speed(&trace, &unknown), 1, 0);
    struct dirty_point at_once[] = {{0, 500}, {1, 500}};
    const struct dirty_curve jump = {.n_points = 2, .points = at_once};
    assert_near(dirty_trace_speed(&trace, &jump), 1, 0);
    dirty_trace_dispose(&trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adds_up),
        cmocka_unit_test(test_clone_is_deep),
        cmocka_unit_test(test_nonsense_is_refused),
        cmocka_unit_test(test_moments_are_spread_evenly),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
