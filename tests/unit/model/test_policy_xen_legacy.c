/*
 * Xen 3.0 to 4.5: against a page by page simulation of xc_domain_save's loop,
 * against the paper's bounds, and the fitted model against recorded pages.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/precopy.h"

#include "random_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "assert_near.h"

static const double PAGE = 4104;
static struct dirty_curve idle;

static struct precopy_vm legacy_vm(double memory_pages, const struct dirty_curve *curve) {
    struct precopy_vm vm = {.memory_pages = memory_pages, .curve = curve};
    assert_int_equal(stop_policy_init(&vm.policy, "xen-legacy", NULL), DC_OK);
    return vm;
}

static struct precopy_result run(const struct precopy_vm *vm, double bytes_per_s) {
    const struct bandwidth_step step = {.bytes_per_s = bytes_per_s};
    struct precopy_result result;
    struct dc_error err = DC_ERROR_NONE;
    if (precopy_simulate(vm, &step, 1, &result, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    return result;
}

static double all_pages(const struct precopy_result *result) {
    double pages = 0;
    for (size_t i = 0; i < result->n_trace; i++)
        pages += result->trace[i].pages;
    return pages;
}

/* The paper's micro-benchmark: nothing dirty at 1 Gbit/s, downtime all post overhead, 314 ms. */
static void test_idle_has_the_downtime_floor(void **state) {
    (void)state;
    struct precopy_vm vm = legacy_vm(262144, &idle);
    vm.overhead = (struct migration_overhead){.pre_ms = 200, .post_ms = 314};
    const struct precopy_result result = run(&vm, 125e6);
    assert_int_equal(result.n_rounds, 3); /* everything, nothing, nothing */
    assert_near(result.bytes, 262144 * PAGE + 256 * 4, 1e-3);
    assert_near(result.downtime_s, 0.314, 1e-9);
    assert_near(result.migration_s, 0.2 + result.bytes / 125e6 + 0.314, 1e-9);
    assert_int_equal(result.redirty_basis, REDIRTY_CURVE);
}

static void test_holes_cost_their_headers_and_count(void **state) {
    (void)state;
    struct precopy_vm vm = legacy_vm(10000, &idle);
    vm.policy.gfn_count = 14096;
    const struct precopy_result result = run(&vm, 1e7);
    assert_near(result.bytes, 10000 * PAGE + 10 * 4 + 4096 * 8 + 4 * 4, 1e-3);
}

/* xc_domain_save's loop, one page at a time, on a link of constant speed. */
struct oracle {
    const struct dirty_trace *trace;
    double bytes_per_s;
    double now_s;
    double clean_s;
    bool *to_send;
    size_t n_rounds;
    double pages[PRECOPY_TRACE_ROUNDS];
    double bytes;
};

static bool is_dirty(const struct oracle *oracle, size_t page) {
    const double interval_s = oracle->trace->interval_s;
    const double from = oracle->clean_s / interval_s, to = oracle->now_s / interval_s;
    for (uint64_t k = (uint64_t)from; (double)k < to; k++) {
        const double at = (double)k + dirty_trace_moment(page, k);
        if (bitmap_has(dirty_trace_interval(oracle->trace, k), page) && from <= at && at < to)
            return true;
    }
    return false;
}

static void oracle_round(struct oracle *oracle, bool last, size_t *skipped) {
    const size_t n_pages = oracle->trace->n_pages;
    bool *to_skip = calloc(n_pages, sizeof(bool));
    assert_non_null(to_skip);
    double sent = 0;
    for (size_t page = 0; page < n_pages;) {
        size_t batch = 0;
        for (size_t i = page; i < n_pages && !last; i++) /* only what lies ahead matters */
            to_skip[i] = oracle->to_send[i] && is_dirty(oracle, i);
        for (; batch < 1024 && page < n_pages; page++) {
            *skipped += oracle->to_send[page] && to_skip[page];
            batch += oracle->to_send[page] && !to_skip[page];
        }
        const double bytes = batch > 0 ? 4 + (double)batch * PAGE : 0;
        oracle->now_s += bytes / oracle->bytes_per_s;
        oracle->bytes += bytes;
        sent += (double)batch;
    }
    oracle->pages[oracle->n_rounds++] = sent;
    free(to_skip);
}

static void oracle_run(struct oracle *oracle) {
    const size_t n_pages = oracle->trace->n_pages;
    double total_sent = 0;
    bool last = false;
    for (;;) {
        size_t skipped = 0;
        oracle_round(oracle, last, &skipped);
        if (last)
            return;
        const double sent = oracle->pages[oracle->n_rounds - 1];
        total_sent += sent;
        last = oracle->n_rounds >= 29 || sent + (double)skipped < 50 || total_sent > 3 * (double)n_pages;
        for (size_t page = 0; page < n_pages; page++)
            oracle->to_send[page] = is_dirty(oracle, page);
        oracle->clean_s = oracle->now_s;
    }
}

static void test_property_equals_the_page_by_page_loop(void **state) {
    (void)state;
    uint64_t random = random_seed();
    size_t n_skipping = 0, n_long = 0;
    for (int i = 0; i < 40; i++) {
        const size_t n_pages = (size_t)random_between(&random, 1500, 6000);
        const struct random_region regions[] = {
            {0, (size_t)random_between(&random, 1, 300), random_between(&random, 0, 30)},
            {(size_t)random_between(&random, 0, 1500), n_pages, random_between(&random, 0, 2)},
        };
        struct dirty_trace trace = random_trace(&random, 0.05, n_pages, 30, regions, 2);
        const struct precopy_vm vm = legacy_vm((double)n_pages, &trace.curve);
        struct precopy_vm recorded = vm;
        struct oracle oracle = {.trace = &trace, .bytes_per_s = pow(10, random_between(&random, 6.5, 8))};
        oracle.to_send = calloc(n_pages, sizeof(bool));
        assert_non_null(oracle.to_send);
        memset(oracle.to_send, true, n_pages);
        oracle_run(&oracle);
        recorded.trace = &trace;
        const struct precopy_result result = run(&recorded, oracle.bytes_per_s);
        assert_int_equal(result.redirty_basis, REDIRTY_BITMAPS);
        assert_int_equal(result.n_rounds, oracle.n_rounds);
        for (size_t r = 0; r < oracle.n_rounds; r++)
            assert_near(result.trace[r].pages, oracle.pages[r], 0);
        assert_near(result.bytes, oracle.bytes, 1e-3);
        assert_near(result.migration_s, oracle.now_s, 1e-6 * oracle.now_s);
        n_skipping += result.trace[0].pages < (double)n_pages;
        n_long += result.n_rounds > 5;
        free(oracle.to_send);
        dirty_trace_dispose(&trace);
    }
    assert_true(n_skipping > 20 && n_long > 10); /* they did exercise it */
}

/* The fitted model knows only W(t) of what was recorded page by page, spread over memory: of every 24
 * pages one is hot and four are warm. */
static void test_fitted_model_is_near_the_recorded_pages(void **state) {
    (void)state;
    enum { PAGES = 24576, INTERVALS = 240, STRIDE = 24, POINTS = 22 };
    uint64_t random = random_seed();
    static const double hot = 2, warm = 0.15, rates[] = {2e6, 4e6, 8e6, 16e6, 64e6};
    struct random_region regions[2 * PAGES / STRIDE];
    struct dirty_point points[POINTS];
    size_t n = 0;
    for (size_t from = 0; from < PAGES; from += STRIDE) {
        regions[n++] = (struct random_region){from, from + 1, hot};
        regions[n++] = (struct random_region){from + 1, from + 5, warm};
    }
    for (size_t i = 0; i < POINTS; i++) {
        const double window_s = 0.125 * pow(480, (double)i / (POINTS - 1));
        const double strides = (double)PAGES / STRIDE;
        points[i] = (struct dirty_point){window_s, -strides * (expm1(-hot * window_s) + 4 * expm1(-warm * window_s))};
    }
    const struct dirty_curve curve = {.n_points = POINTS, .points = points};
    struct dirty_trace trace = random_trace(&random, 0.125, PAGES, INTERVALS, regions, n);
    const struct precopy_vm fitted = legacy_vm(PAGES, &curve);
    struct precopy_vm recorded = legacy_vm(PAGES, &trace.curve);
    recorded.trace = &trace;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        const struct precopy_result truth = run(&recorded, rates[i]);
        const struct precopy_result model = run(&fitted, rates[i]);
        print_message("%4.0f MB/s: recorded %.2f s, %u rounds, downtime %.3f s; fitted %.2f s, %u, %.3f s\n",
                      rates[i] / 1e6, truth.migration_s, truth.n_rounds, truth.downtime_s, model.migration_s,
                      model.n_rounds, model.downtime_s);
        assert_int_equal(model.redirty_basis, REDIRTY_FITTED);
        assert_near(model.migration_s, truth.migration_s, 0.03 * truth.migration_s);
        assert_near(model.downtime_s, truth.downtime_s, 0.1 * truth.downtime_s + 100 * PAGE / rates[i]);
    }
    dirty_trace_dispose(&trace);
}

/* A fit handed in is used and gives the same as one made on the spot. */
static void test_fit_once_simulate_often(void **state) {
    (void)state;
    uint64_t random = random_seed();
    struct dirty_point points[RANDOM_POINTS];
    struct dirty_curve curve;
    struct precopy_vm vm = random_vm(&random, "xen-legacy", points, &curve);
    struct redirty redirty;
    const struct precopy_result fresh = run(&vm, 1e8);
    redirty_fit(&curve, vm.memory_pages, &redirty);
    vm.redirty = &redirty;
    const struct precopy_result cached = run(&vm, 1e8);
    assert_near(cached.migration_s, fresh.migration_s, 0);
    assert_near(cached.downtime_s, fresh.downtime_s, 0);
    redirty.basis = REDIRTY_FITTED;
    redirty.classes[0] = (struct redirty_class){vm.memory_pages, 1e3};         /* all is always dirty: all is skipped */
    assert_true(run(&vm, 1e8).trace[0].pages < 0.05 * vm.memory_pages + 1024); /* the first batch goes at once */
}

static void check_bounds(const struct precopy_vm *vm, const struct precopy_result *result, double bytes_per_s) {
    const double overhead_s = (vm->overhead.pre_ms + vm->overhead.post_ms) / 1000;
    const double memory_s = vm->memory_pages * PAGE / bytes_per_s;
    const double frames = fmax(vm->memory_pages, vm->policy.gfn_count); /* the sent limit is 3 times these */
    const double most_pages = 3 * frames + 2 * vm->memory_pages;        /* 5 V where there are no holes */
    const double headers_s = (4 * (most_pages / 1024 + 30 * 64) + 9 * (frames - vm->memory_pages)) / bytes_per_s;
    assert_true(result->n_rounds >= 2 && result->n_rounds <= 30);
    assert_true(all_pages(result) >= vm->memory_pages * (1 - 1e-9));
    assert_true(all_pages(result) < most_pages);
    assert_true(result->migration_s >= overhead_s + memory_s * (1 - 1e-9));
    assert_true(result->migration_s <= overhead_s + most_pages * PAGE / bytes_per_s + headers_s);
    assert_true(result->downtime_s * 1000 >= vm->overhead.post_ms * (1 - 1e-9));
    const double in_flight_s = vm->overhead.in_flight_bytes / bytes_per_s;
    assert_true(result->downtime_s <= vm->overhead.post_ms / 1000 + memory_s + headers_s + in_flight_s + 1e-9);
    assert_true(result->converges);
}

/* V/L <= migration time - overheads <= (5 V - 1 page)/L, post <= downtime <= post + V/L, 29 live rounds. */
static void test_property_the_papers_bounds(void **state) {
    (void)state;
    uint64_t random = random_seed();
    struct dirty_point points[RANDOM_POINTS];
    struct dirty_curve curve;
    unsigned most_rounds = 0;
    double most_factor = 0;
    for (int i = 0; i < 1000; i++) {
        struct precopy_vm vm = random_vm(&random, "xen-legacy", points, &curve);
        const double bandwidth = pow(10, random_between(&random, 6, 10.5));
        if (i % 2 == 0)
            vm.policy.gfn_count = 0;
        const struct precopy_result result = run(&vm, bandwidth);
        check_bounds(&vm, &result, bandwidth);
        most_rounds = result.n_rounds > most_rounds ? result.n_rounds : most_rounds;
        most_factor = fmax(most_factor, all_pages(&result) / vm.memory_pages);
    }
    assert_int_equal(most_rounds, 30); /* the limit is reached, or it would not be tested */
    assert_true(most_factor > 3);
}

static void test_limits_are_the_policys(void **state) {
    (void)state;
    struct dirty_point points[] = {{0.1, 400}, {1000, 400}};
    const struct dirty_curve curve = {.n_points = 2, .points = points};
    struct precopy_vm vm = legacy_vm(10000, &curve);
    assert_int_equal(run(&vm, 1e7).n_rounds, 30);
    vm.policy.max_rounds = 7;
    assert_int_equal(run(&vm, 1e7).n_rounds, 8);
    vm.policy.target_dirty_pages = 500;
    assert_int_equal(run(&vm, 1e7).n_rounds, 3);
    vm.policy.target_dirty_pages = 50;
    vm.policy.max_factor = 1.01; /* reached by the first round and three of some hundred pages */
    const struct precopy_result result = run(&vm, 1e7);
    assert_true(result.n_rounds < 8);
    assert_true(all_pages(&result) - result.trace[result.n_rounds - 1].pages > 10100);
}

/* Bitmaps of fewer frames than the guest's memory, and of more. */
static void test_bitmaps_need_not_be_as_large_as_memory(void **state) {
    (void)state;
    uint64_t random = random_seed();
    const struct random_region region = {3000, 3600, 1};
    struct dirty_trace trace = random_trace(&random, 0.1, 5000, 20, &region, 1);
    struct precopy_vm vm = legacy_vm(8000, &trace.curve);
    vm.trace = &trace;
    const struct precopy_result larger = run(&vm, 1e8);
    assert_near(larger.trace[0].pages, 8000, 300);
    assert_true(larger.trace[0].pages < 8000 && all_pages(&larger) >= 8000);
    vm.memory_pages = 2000;
    vm.policy.gfn_count = 5000;
    const struct precopy_result smaller = run(&vm, 1e8);
    assert_near(smaller.trace[0].pages, 2000, 300);
    assert_true(all_pages(&smaller) >= 2000);
    dirty_trace_dispose(&trace);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_has_the_downtime_floor),
        cmocka_unit_test(test_holes_cost_their_headers_and_count),
        cmocka_unit_test(test_property_equals_the_page_by_page_loop),
        cmocka_unit_test(test_fitted_model_is_near_the_recorded_pages),
        cmocka_unit_test(test_fit_once_simulate_often),
        cmocka_unit_test(test_property_the_papers_bounds),
        cmocka_unit_test(test_limits_are_the_policys),
        cmocka_unit_test(test_bitmaps_need_not_be_as_large_as_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
