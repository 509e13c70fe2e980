/* Errors of predictions: signs, quantiles, who is chosen, what does not count. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/accuracy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/model/assert_near.h"

enum { N = 12 };

/* Predicted 1000 ms (p95 1100); observed 1000, 1010, ... 1090, then a failed and an unpredicted one. */
static void make(struct fleet_observation *seen, struct fleet *fleet) {
    static char uuid[] = "u1";
    static char name[] = "web1";
    static char other[] = "web2";
    for (size_t i = 0; i < N; i++) {
        seen[i] = (struct fleet_observation){.vm = uuid,
                                             .name = i % 2 == 0 ? name : other,
                                             .began_unix_ms = 1000 + (int64_t)i,
                                             .migration_ms = 1000 + 10 * (double)i,
                                             .downtime_ms = FLEET_UNSET,
                                             .bytes = 50,
                                             .succeeded = true};
        seen[i].predicted = (struct fleet_foresight){
            .bandwidth_bytes_per_s = 1, .migration_ms = {.p50 = 1000, .p95 = 1050}, .bytes = 100};
    }
    seen[N - 2].succeeded = false;
    seen[N - 1].predicted.bandwidth_bytes_per_s = 0;
    *fleet = (struct fleet){.n_observations = N, .observations = seen};
}

static void test_judges(void **state) {
    (void)state;
    struct fleet_observation seen[N];
    struct fleet fleet;
    struct accuracy accuracy;
    const struct accuracy_choice all = {.vm = NULL};
    make(seen, &fleet);
    assert_int_equal(accuracy_judge(&fleet, &all, ACCURACY_MIGRATION, &accuracy, NULL), DC_OK);
    assert_int_equal(accuracy.n, 10);
    assert_near(accuracy.bias_frac, (1000.0 / 1040 + 1000.0 / 1050) / 2 - 1, 1e-9);
    assert_near(accuracy.median_frac, -accuracy.bias_frac, 1e-9);
    assert_near(accuracy.p90_frac, 1 - 0.9 * 1000 / 1080 - 0.1 * 1000 / 1090, 1e-3);
    assert_near(accuracy.within_p95_frac, 0.6, 1e-9);
    assert_true(accuracy.has_p95);
    assert_int_equal(accuracy_judge(&fleet, &all, ACCURACY_BYTES, &accuracy, NULL), DC_OK);
    assert_near(accuracy.bias_frac, 1, 1e-9); /* twice too much */
    assert_false(accuracy.has_p95);
    assert_int_equal(accuracy_judge(&fleet, &all, ACCURACY_DOWNTIME, &accuracy, NULL), DC_OK);
    assert_int_equal(accuracy.n, 0);
}

static void test_chooses(void **state) {
    (void)state;
    struct fleet_observation seen[N];
    struct fleet fleet;
    struct accuracy accuracy;
    make(seen, &fleet);
    const struct accuracy_choice web1 = {.vm = "web1", .since_unix_ms = 1004};
    assert_int_equal(accuracy_judge(&fleet, &web1, ACCURACY_MIGRATION, &accuracy, NULL), DC_OK);
    assert_int_equal(accuracy.n, 3);
    const struct accuracy_choice uuid = {.vm = "u1"};
    assert_true(accuracy_chooses(&uuid, &seen[N - 1]));
    const struct accuracy_choice nobody = {.vm = "u2"};
    assert_false(accuracy_chooses(&nobody, &seen[0]));
    double error_frac = 0;
    assert_false(accuracy_error(&seen[N - 2], ACCURACY_MIGRATION, &error_frac));
    assert_false(accuracy_error(&seen[N - 1], ACCURACY_MIGRATION, &error_frac));
    seen[0].began_unix_ms = 0; /* never told: its order stands for it */
    seen[0].ordered_unix_ms = 1004;
    assert_true(accuracy_chooses(&web1, &seen[0]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judges),
        cmocka_unit_test(test_chooses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
