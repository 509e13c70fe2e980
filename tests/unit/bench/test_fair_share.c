/* Shares against figures worked out by hand, and the two conditions of max-min fairness on random ones. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/fair_share.h"
#include "tests/bench/workload.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_rate(const struct fair_share *shares, size_t flow, double rate) {
    assert_true(fabs(fair_share_rate(shares, flow) - rate) < 1e-9);
}

static void test_two_arcs(void **state) {
    (void)state;
    struct problem_arc arcs[] = {{0, 1, 0, 10}, {1, 2, 1, 12}};
    const struct problem problem = {.n_arcs = 2, .arcs = arcs};
    const uint32_t both[] = {0, 1}, second[] = {1};
    struct fair_share *shares = NULL;
    assert_int_equal(fair_share_new(&problem, 4, 2, &shares, NULL), DC_OK);
    fair_share_enter(shares, 0, both, 2);
    fair_share_enter(shares, 1, both, 1);
    fair_share_enter(shares, 2, both, 1);
    fair_share_enter(shares, 3, second, 1);
    fair_share_divide(shares);
    assert_rate(shares, 0, 10.0 / 3);
    assert_rate(shares, 1, 10.0 / 3);
    assert_rate(shares, 3, 12 - 10.0 / 3);
    fair_share_leave(shares, 1);
    fair_share_leave(shares, 3);
    fair_share_divide(shares);
    assert_rate(shares, 0, 5);
    assert_rate(shares, 2, 5);
    fair_share_free(&shares);
    assert_null(shares);
}

enum { N_ARCS = 12, N_FLOWS = 40, LONGEST = 3 };

/* No arc carries more than it can; each flow has a full arc on which none has more than it. */
static void check_fair(const struct problem *problem, const struct fair_share *shares, uint32_t (*paths)[LONGEST]) {
    for (size_t flow = 0; flow < N_FLOWS; flow++) {
        bool has_bottleneck = false;
        for (size_t k = 0; k < LONGEST; k++) {
            double sum = 0, most = 0;
            for (size_t other = 0; other < N_FLOWS; other++)
                for (size_t i = 0; i < LONGEST; i++)
                    if (paths[other][i] == paths[flow][k]) {
                        sum += fair_share_rate(shares, other);
                        most = fmax(most, fair_share_rate(shares, other));
                    }
            const double capacity = problem->arcs[paths[flow][k]].capacity_bytes_per_s;
            assert_true(sum <= capacity * (1 + 1e-9));
            has_bottleneck =
                has_bottleneck || (sum >= capacity * (1 - 1e-9) && fair_share_rate(shares, flow) >= most * (1 - 1e-9));
        }
        assert_true(has_bottleneck);
    }
}

static void test_random(void **state) {
    (void)state;
    uint64_t random = 1;
    for (int round = 0; round < 50; round++) {
        struct problem_arc arcs[N_ARCS];
        uint32_t paths[N_FLOWS][LONGEST];
        const struct problem problem = {.n_arcs = N_ARCS, .arcs = arcs};
        struct fair_share *shares = NULL;
        for (size_t i = 0; i < N_ARCS; i++)
            arcs[i] = (struct problem_arc){i, i + 1, i, workload_uniform(&random, 1, 10)};
        assert_int_equal(fair_share_new(&problem, N_FLOWS, LONGEST, &shares, NULL), DC_OK);
        for (size_t flow = 0; flow < N_FLOWS; flow++) {
            const uint32_t first = (uint32_t)(workload_random(&random) % N_ARCS);
            for (uint32_t k = 0; k < LONGEST; k++)
                paths[flow][k] = (first + k * (1 + first % 3)) % N_ARCS;
            fair_share_enter(shares, flow, paths[flow], LONGEST);
        }
        fair_share_divide(shares);
        check_fair(&problem, shares, paths);
        fair_share_free(&shares);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_arcs), cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
