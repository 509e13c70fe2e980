/* PEEK and CLEAN of a replayed burst against a page by page search of it. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/dirty_replay.h"

#include "random_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N_PAGES = 200, N_WORDS = 4, N_INTERVALS = 6 };

static const double INTERVAL_S = 0.25;

/* Is `page` written in [from, to), times in intervals? */
static bool is_written(const struct dirty_trace *trace, size_t page, double from, double to) {
    for (uint64_t k = (uint64_t)from; (double)k < to; k++) {
        const double at = (double)k + dirty_trace_moment(page, k);
        if (bitmap_has(dirty_trace_interval(trace, k), page) && from <= at && at < to)
            return true;
    }
    return false;
}

static void check_peek(const struct dirty_replay *replay, double from, double to) {
    for (size_t page = 0; page < N_PAGES; page++) {
        const uint64_t word = dirty_replay_peek(replay, page / BITMAP_WORD_BITS);
        const bool dirty = word >> (page % BITMAP_WORD_BITS) & 1;
        if (dirty != is_written(replay->trace, page, from, to))
            fail_msg("page %zu from %g to %g: dirty %d", page, from, to, dirty);
    }
}

static void test_property_equals_a_search(void **state) {
    (void)state;
    uint64_t random = random_seed();
    for (int i = 0; i < 200; i++) {
        const struct random_region regions[] = {{0, 50, random_between(&random, 0, 8)},
                                                {20, N_PAGES, random_between(&random, 0, 0.5)}};
        struct dirty_trace trace = random_trace(&random, INTERVAL_S, N_PAGES, N_INTERVALS, regions, 2);
        const double speed = random_between(&random, 0.2, 4);
        struct dirty_replay replay;
        double clean_at = 0, time_s = 0;
        assert_int_equal(dirty_replay_init(&replay, &trace, speed, NULL), DC_OK);
        for (int step = 0; step < 20; step++) {
            const bool leap = random_between(&random, 0, 1) < 0.2; /* past the burst's end */
            time_s += random_between(&random, 0, leap ? 3 : 0.2);
            const double now = time_s * speed / INTERVAL_S;
            dirty_replay_advance(&replay, time_s);
            check_peek(&replay, clean_at, now);
            if (random_between(&random, 0, 1) < 0.3) {
                uint64_t words[N_WORDS];
                const size_t n = dirty_replay_clean(&replay, words);
                size_t expected = 0;
                for (size_t page = 0; page < N_PAGES; page++) {
                    assert_int_equal(bitmap_has(words, page), is_written(&trace, page, clean_at, now));
                    expected += bitmap_has(words, page);
                }
                assert_int_equal(n, expected);
                clean_at = now;
                check_peek(&replay, clean_at, now); /* nothing */
            }
        }
        dirty_replay_dispose(&replay);
        dirty_trace_dispose(&trace);
    }
}

static void test_no_time_is_too_long(void **state) {
    (void)state;
    uint64_t random = random_seed();
    const struct random_region region = {0, N_PAGES, 0.5};
    struct dirty_trace trace = random_trace(&random, INTERVAL_S, N_PAGES, N_INTERVALS, &region, 1);
    struct dirty_replay replay;
    uint64_t words[N_WORDS];
    assert_int_equal(dirty_replay_init(&replay, &trace, 1, NULL), DC_OK);
    dirty_replay_advance(&replay, 1e9);
    assert_int_equal(dirty_replay_clean(&replay, words), trace.n_ever);
    dirty_replay_advance(&replay, 1e300);
    assert_int_equal(dirty_replay_clean(&replay, words), trace.n_ever);
    assert_memory_equal(words, trace.ever, sizeof(words));
    dirty_replay_dispose(&replay);
    dirty_replay_dispose(&replay);
    dirty_trace_dispose(&trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_property_equals_a_search),
        cmocka_unit_test(test_no_time_is_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
