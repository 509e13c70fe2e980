/*
 * The search: as good as brute force on small sets, the same for the same
 * seed, and never without an order.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/clock.h"
#include "solver/search.h"
#include "tests/unit/solver/small_problem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { MAX_VMS = 48, N_MOVERS = 5 };

struct arena {
    struct problem problem;
    long to[MAX_VMS];
    size_t vms[MAX_VMS];
    double threshold_fracs[MAX_VMS];
    struct decode_order order;
    struct decoder *decoder;
};

static void arena_init(struct arena *arena, uint64_t seed, size_t n_movers) {
    struct dc_error err = DC_ERROR_NONE;
    arena->problem = small_evacuation(seed, 6, 2, n_movers, 1, 0.3);
    for (size_t host = 0; host < 6; host++)
        arena->problem.hosts[host].max_migrations = 2;
    if (problem_freeze(&arena->problem, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    arena->order = (struct decode_order){0, arena->vms, arena->threshold_fracs};
    for (size_t vm = 0; vm < arena->problem.n_vms; vm++) {
        arena->to[vm] = (long)arena->problem.vms[vm].host;
        if (!arena->problem.vms[vm].moves)
            continue;
        arena->to[vm] = 2 + (long)(small_random(&seed) % 4);
        arena->vms[arena->order.n++] = vm;
    }
    assert_int_equal(decoder_new(&arena->problem, arena->to, PROBLEM_P95, &arena->decoder, &err), DC_OK);
}

static void arena_dispose(struct arena *arena) {
    decoder_free(&arena->decoder);
    problem_dispose(&arena->problem);
}

static struct search_result search(struct arena *arena, const struct search_options *options) {
    struct search_result result;
    struct dc_error err = DC_ERROR_NONE;
    if (search_order(&arena->problem, PROBLEM_P95, arena->to, arena->decoder, options, &arena->order, &result, &err) !=
        DC_OK)
        fail_msg("%s", error_text(&err));
    return result;
}

/* The best makespan over all orders (Heap's algorithm) with every choice of thresholds 0, 1/2, 1. */
static double best_thresholds(struct arena *arena, struct decode_order *order) {
    double best_s = INFINITY;
    for (size_t code = 0; code < 243; code++) {
        for (size_t i = 0, rest = code; i < N_MOVERS; i++, rest /= 3)
            order->threshold_frac[i] = (double)(rest % 3) / 2;
        best_s = fmin(best_s, decoder_makespan(arena->decoder, order));
    }
    return best_s;
}

static double brute_force(struct arena *arena) {
    size_t vms[N_MOVERS], counters[N_MOVERS] = {0};
    double threshold_fracs[N_MOVERS];
    struct decode_order order = {N_MOVERS, vms, threshold_fracs};
    memcpy(vms, arena->vms, sizeof(vms));
    double best_s = best_thresholds(arena, &order);
    for (size_t i = 1; i < N_MOVERS;) {
        if (counters[i] >= i) {
            counters[i++] = 0;
            continue;
        }
        const size_t other = i % 2 == 0 ? 0 : counters[i];
        const size_t vm = vms[other];
        vms[other] = vms[i];
        vms[i] = vm;
        best_s = fmin(best_s, best_thresholds(arena, &order));
        counters[i]++;
        i = 1;
    }
    return best_s;
}

static void test_as_good_as_brute_force(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct arena arena;
        arena_init(&arena, seed, N_MOVERS);
        const double best_s = brute_force(&arena);
        const struct search_options options = {.seed = seed, .end_s = INFINITY};
        const struct search_result result = search(&arena, &options);
        if (result.score.makespan_s > best_s * 1.003)
            fail_msg("seed %d: %g s, where brute force finds %g s", (int)seed, result.score.makespan_s, best_s);
        assert_true(decoder_makespan(arena.decoder, &arena.order) == result.score.makespan_s);
        arena_dispose(&arena);
    }
}

static void test_same_seed_same_order(void **state) {
    (void)state;
    struct arena one, two;
    arena_init(&one, 3, 20);
    arena_init(&two, 3, 20);
    const struct search_options options = {.seed = 42, .n_decodes = 200, .end_s = INFINITY};
    const struct search_result a = search(&one, &options);
    const struct search_result b = search(&two, &options);
    assert_int_equal(a.n_decodes, b.n_decodes);
    assert_memory_equal(&a.score, &b.score, sizeof(a.score));
    assert_memory_equal(one.vms, two.vms, 20 * sizeof(*one.vms));
    assert_memory_equal(one.threshold_fracs, two.threshold_fracs, 20 * sizeof(*one.threshold_fracs));
    arena_dispose(&one);
    arena_dispose(&two);
}

static void test_every_vm_is_in_the_order_once(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 5, 20);
    const struct search_options options = {.seed = 9, .n_decodes = 300, .end_s = INFINITY};
    (void)search(&arena, &options);
    bool seen[MAX_VMS] = {false};
    assert_int_equal(arena.order.n, 20);
    for (size_t i = 0; i < arena.order.n; i++) {
        assert_false(seen[arena.vms[i]]);
        seen[arena.vms[i]] = true;
        assert_true(arena.threshold_fracs[i] >= 0 && arena.threshold_fracs[i] <= 1);
    }
    arena_dispose(&arena);
}

static void test_cut_off_still_has_an_order(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 7, 20);
    const atomic_bool cancel = true;
    struct search_options options = {.seed = 1, .end_s = INFINITY, .cancel = &cancel};
    struct search_result result = search(&arena, &options);
    assert_true(result.cancelled && result.n_decodes == 1 && isfinite(result.score.makespan_s));
    options = (struct search_options){.seed = 1, .end_s = clock_monotonic_s() - 1};
    result = search(&arena, &options);
    assert_true(result.time_limit_hit && result.n_decodes == 1);
    arena_dispose(&arena);
}

static void test_stops_on_the_bound(void **state) {
    (void)state;
    struct arena arena;
    arena_init(&arena, 7, 20);
    const struct search_options options = {.seed = 1, .bound_s = 1e6, .end_s = INFINITY};
    assert_int_equal(search(&arena, &options).n_decodes, 1);
    arena_dispose(&arena);
}

static void test_objectives_count_in_their_order(void **state) {
    (void)state;
    const struct decode_score base = {0, 100, 2, 10, 1e9, 500};
    struct decode_score other = base;
    assert_false(search_is_better(&other, &base, 100));
    other.makespan_s = 99;
    other.downtime_worst_s = 9;
    assert_true(search_is_better(&other, &base, 99));
    other.makespan_s = 100.05; /* the same; its downtime is worse */
    assert_false(search_is_better(&other, &base, 100));
    other.downtime_worst_s = 1;
    assert_true(search_is_better(&other, &base, 100));
    other.n_unstarted = 1;
    assert_false(search_is_better(&other, &base, 100));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_good_as_brute_force),
        cmocka_unit_test(test_same_seed_same_order),
        cmocka_unit_test(test_every_vm_is_in_the_order_once),
        cmocka_unit_test(test_cut_off_still_has_an_order),
        cmocka_unit_test(test_stops_on_the_bound),
        cmocka_unit_test(test_objectives_count_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
