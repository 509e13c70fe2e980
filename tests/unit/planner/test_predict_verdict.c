/* Verdicts: what ended a migration, at the edges between them. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/predict_verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MEMORY_PAGES = 262144 };

/* The verdict on a guest that dirties at a constant rate, up to its working set. */
static enum predict_verdict verdict_on(const char *policy, double pages_per_s, double working_set_pages,
                                       enum prediction_model model) {
    const struct dirty_profile profile = {
        .kind = DIRTY_PROFILE_RATE, .pages_per_s = pages_per_s, .working_set_pages = working_set_pages};
    struct prediction_input input = {
        .memory_pages = MEMORY_PAGES,
        .profile = &profile,
        .overhead = {.post_ms = 100, .suspend_pages = 200},
        .model = model,
    };
    const double bandwidth = 4104 * 10000.0; /* 10000 pages/s */
    struct prediction prediction;
    enum predict_verdict verdict;
    assert_int_equal(stop_policy_init(&input.policy, policy, NULL), DC_OK);
    assert_int_equal(prediction_make(&input, &bandwidth, 1, 0, &prediction, NULL), DC_OK);
    assert_int_equal(predict_verdict_of(&input, &prediction.points[0], &verdict, NULL), DC_OK);
    prediction_dispose(&prediction);
    return verdict;
}

static void tells_what_ended_a_xen_migration(void **state) {
    (void)state;
    assert_int_equal(verdict_on("xen-v2", 0, 0, PREDICTION_HIST), PREDICT_CONVERGES);
    assert_int_equal(verdict_on("xen-v2", 100, 0, PREDICTION_HIST), PREDICT_CONVERGES); /* a hundredth each round */
    assert_int_equal(verdict_on("xen-v2", 8000, 0, PREDICTION_HIST), PREDICT_ROUND_LIMIT);
    assert_int_equal(verdict_on("xen-v2", 12000, 0, PREDICTION_HIST), PREDICT_FORCED);
    /* All of a small working set is dirty again after each round: no more rounds help. */
    assert_int_equal(verdict_on("xen-v2", 12000, 5000, PREDICTION_HIST), PREDICT_FORCED);
    /* Fewer than the policy's 50 pages are nothing to fight over, with those of the suspend. */
    assert_int_equal(verdict_on("xen-v2", 1e9, 40, PREDICTION_HIST), PREDICT_CONVERGES);
}

static void avg_is_judged_by_its_own_rate(void **state) {
    (void)state;
    /* Over one second 300 pages; in shorter windows 30 times as fast. */
    assert_int_equal(verdict_on("xen-v2", 9000, 300, PREDICTION_AVG), PREDICT_CONVERGES);
    assert_int_equal(verdict_on("xen-v2", 9000, 300, PREDICTION_HIST), PREDICT_ROUND_LIMIT);
}

static void qemu_converges_or_never_ends(void **state) {
    (void)state;
    assert_int_equal(verdict_on("qemu", 8000, 0, PREDICTION_HIST), PREDICT_CONVERGES);
    assert_int_equal(verdict_on("qemu", 20000, 0, PREDICTION_HIST), PREDICT_ENDLESS);
    assert_int_equal(verdict_on("qemu", 20000, 1000, PREDICTION_HIST), PREDICT_CONVERGES); /* fits the limit */
}

static void all_verdicts_have_a_text(void **state) {
    (void)state;
    for (int i = PREDICT_CONVERGES; i <= PREDICT_ENDLESS; i++) {
        assert_non_null(predict_verdict_text((enum predict_verdict)i));
        assert_int_equal(predict_verdict_is_bad((enum predict_verdict)i), i >= PREDICT_FORCED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_ended_a_xen_migration),
        cmocka_unit_test(avg_is_judged_by_its_own_rate),
        cmocka_unit_test(qemu_converges_or_never_ends),
        cmocka_unit_test(all_verdicts_have_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
