/* Calibration: true parameters come back from noisy and contaminated observations, never from too few. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/calibration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/model/assert_near.h"
#include "tests/unit/model/random_vm.h"

enum { MAX_SAMPLES = 64, N_TRIALS = 200 };
#define GIGABIT 125e6

/* What a pair of hosts really is like. */
struct truth {
    double pre_ms, post_ms, goodput_frac, noise_frac;
};

static double normal(uint64_t *random) {
    double sum = -6;
    for (size_t i = 0; i < 12; i++)
        sum += random_between(random, 0, 1);
    return sum;
}

/* One migration of 0.1 to 16 GB over a gigabit. */
static struct calibration_sample observe(const struct truth *truth, uint64_t *random) {
    struct calibration_sample sample = {
        .from = "h1", .to = "h2", .nominal_bytes_per_s = GIGABIT, .startup_ms = -1, .usual_post_ms = 100};
    sample.bytes = exp(random_between(random, log(1e8), log(16e9)));
    sample.stop_bytes = sample.bytes * random_between(random, 0, 0.02);
    const double rate = truth->goodput_frac * GIGABIT * (1 + truth->noise_frac * normal(random));
    sample.migration_ms = truth->pre_ms + truth->post_ms + 1e3 * sample.bytes / rate;
    sample.downtime_ms = truth->post_ms + 1e3 * sample.stop_bytes / rate + 5 * fabs(normal(random));
    return sample;
}

/* What goes wrong in real life: another load on the link, a stuck hand-over, a clock that jumped. */
static void contaminate(struct calibration_sample *sample, uint64_t *random) {
    sample->migration_ms *= random_between(random, 2, 6);
    sample->downtime_ms += random_between(random, 1000, 20000);
}

static struct calibration learn_one(const struct calibration_sample *samples, size_t n, const char *from,
                                    const char *to) {
    struct calibration *entries = NULL;
    size_t n_entries = 0;
    assert_int_equal(calibration_learn(samples, n, &entries, &n_entries, NULL), DC_OK);
    const struct calibration *found = calibration_find(entries, n_entries, from, to);
    struct calibration copy = found != NULL ? *found : (struct calibration){.n = 0};
    copy.from = copy.to = NULL;
    calibration_free(&entries, &n_entries);
    return copy;
}

static void test_recovers_the_truth(void **state) {
    (void)state;
    static const struct truth truth = {.pre_ms = 320, .post_ms = 85, .goodput_frac = 0.88, .noise_frac = 0.01};
    struct calibration_sample samples[40];
    uint64_t random = random_seed();
    for (size_t i = 0; i < 40; i++)
        samples[i] = observe(&truth, &random);
    const struct calibration learned = learn_one(samples, 40, "h1", "h2");
    assert_int_equal(learned.n, 40);
    assert_near(learned.pre_ms, 320, 40);
    assert_near(learned.post_ms, 85, 15);
    assert_near(learned.goodput_frac, 0.88, 0.01);
    assert_near(learned.spread_frac, 0.01, 0.008);
}

/* Bytes that were other than predicted are no fault of the path, and part of the spread all the same. */
static void test_spread_counts_unforeseen_bytes(void **state) {
    (void)state;
    static const struct truth truth = {.pre_ms = 320, .post_ms = 85, .goodput_frac = 0.88, .noise_frac = 0.001};
    struct calibration_sample samples[200];
    uint64_t random = random_seed();
    for (size_t i = 0; i < 200; i++) {
        samples[i] = observe(&truth, &random);
        samples[i].predicted_bytes = samples[i].bytes / (1 + 0.08 * normal(&random));
    }
    const struct calibration learned = learn_one(samples, 200, "h1", "h2");
    assert_near(learned.goodput_frac, 0.88, 0.01);
    assert_near(learned.spread_frac, 0.08, 0.02);
    for (size_t i = 0; i < 200; i++)
        samples[i].predicted_bytes = 0; /* not known: the observed ones stand in */
    assert_true(learn_one(samples, 200, "h1", "h2").spread_frac < 0.01);
}

/* Over many worlds: 12 to 40 observations, up to 30% of them spoilt. */
static void test_bears_contamination(void **state) {
    (void)state;
    uint64_t random = random_seed();
    for (size_t trial = 0; trial < N_TRIALS; trial++) {
        struct calibration_sample samples[MAX_SAMPLES];
        const struct truth truth = {.pre_ms = random_between(&random, 0, 800),
                                    .post_ms = random_between(&random, 10, 300),
                                    .goodput_frac = random_between(&random, 0.7, 0.97),
                                    .noise_frac = random_between(&random, 0, 0.015)};
        const size_t n = (size_t)random_between(&random, 12, 40);
        const size_t n_spoilt = (size_t)(random_between(&random, 0.2, 0.3) * (double)n);
        for (size_t i = 0; i < n; i++) {
            samples[i] = observe(&truth, &random);
            if (i < n_spoilt)
                contaminate(&samples[i], &random);
        }
        const struct calibration learned = learn_one(samples, n, "h1", "h2");
        assert_near(learned.goodput_frac, truth.goodput_frac, 0.025);
        assert_near(learned.post_ms, truth.post_ms, 40);
        assert_near(learned.pre_ms, truth.pre_ms, 200); /* 1% of noise on minutes is seconds */
        /* What matters in the end: the time of a usual migration of 4 GB. */
        const double true_ms = truth.pre_ms + truth.post_ms + 4e12 / (truth.goodput_frac * GIGABIT);
        const double said_ms = learned.pre_ms + learned.post_ms + 4e12 / (learned.goodput_frac * GIGABIT);
        assert_near(said_ms / true_ms, 1, 0.025);
    }
}

static void test_never_from_fewer_than_it_says(void **state) {
    (void)state;
    static const struct truth truth = {.pre_ms = 100, .post_ms = 50, .goodput_frac = 0.9, .noise_frac = 0};
    struct calibration_sample samples[5];
    uint64_t random = random_seed();
    struct calibration *entries = NULL;
    size_t n_entries = 0;
    for (size_t i = 0; i < 5; i++)
        samples[i] = observe(&truth, &random);
    samples[2].to = "h3";
    samples[3].to = "h3";
    samples[4].migration_ms = -1; /* of no use */
    assert_int_equal(calibration_learn(samples, 2, &entries, &n_entries, NULL), DC_OK);
    assert_int_equal(n_entries, 0);
    assert_null(calibration_find(entries, n_entries, "h1", "h2"));
    calibration_free(&entries, &n_entries);
    assert_int_equal(calibration_learn(samples, 5, &entries, &n_entries, NULL), DC_OK);
    assert_int_equal(n_entries, 2); /* all hosts, and from h1: no pair and no target was seen three times */
    const struct calibration *pair = calibration_find(entries, n_entries, "h1", "h2");
    assert_non_null(pair);
    assert_string_equal(pair->from, "h1");
    assert_null(pair->to);
    assert_int_equal(pair->n, 4);
    const struct calibration *other = calibration_find(entries, n_entries, "h9", "h8");
    assert_non_null(other);
    assert_null(other->from);
    calibration_free(&entries, &n_entries);
    calibration_free(&entries, &n_entries);
}

static void test_falls_back_from_pair_to_fleet(void **state) {
    (void)state;
    static const struct truth fast = {.pre_ms = 100, .post_ms = 50, .goodput_frac = 0.95};
    static const struct truth slow = {.pre_ms = 100, .post_ms = 200, .goodput_frac = 0.75};
    static char hosts[][4] = {"h1", "h2", "h3"};
    struct calibration_sample samples[MAX_SAMPLES];
    uint64_t random = random_seed();
    for (size_t i = 0; i < MAX_SAMPLES; i++) {
        const bool is_slow = i % 4 == 0;
        samples[i] = observe(is_slow ? &slow : &fast, &random);
        samples[i].from = hosts[is_slow ? 2 : i % 2];
        samples[i].to = hosts[is_slow ? 0 : 1 - i % 2];
    }
    assert_near(learn_one(samples, MAX_SAMPLES, "h3", "h1").goodput_frac, 0.75, 0.01);
    assert_near(learn_one(samples, MAX_SAMPLES, "h3", "h1").post_ms, 200, 15);
    assert_near(learn_one(samples, MAX_SAMPLES, "h3", "h2").goodput_frac, 0.75, 0.02); /* the source's */
    assert_near(learn_one(samples, MAX_SAMPLES, "h1", "h2").goodput_frac, 0.95, 0.01);
    assert_near(learn_one(samples, MAX_SAMPLES, "h1", NULL).goodput_frac, 0.95, 0.01);
    assert_int_equal(learn_one(samples, MAX_SAMPLES, "h7", "h8").n, MAX_SAMPLES);
}

/* Few observations move the prior only as far as they carry. */
static void test_prior_holds_against_little(void **state) {
    (void)state;
    struct calibration_sample samples[3];
    for (size_t i = 0; i < 3; i++)
        samples[i] = (struct calibration_sample){.from = "h1",
                                                 .to = "h2",
                                                 .nominal_bytes_per_s = GIGABIT,
                                                 .bytes = 1e9,
                                                 .migration_ms = 1e12 / (0.94 * GIGABIT) + 100,
                                                 .downtime_ms = -1,
                                                 .stop_bytes = -1,
                                                 .startup_ms = 40 + (double)i,
                                                 .usual_post_ms = 100};
    const struct calibration learned = learn_one(samples, 3, NULL, NULL);
    assert_near(learned.goodput_frac, 0.94, 1e-6); /* they say what the prior says */
    assert_near(learned.post_ms, 100, 1e-3);
    assert_near(learned.pre_ms, 0, 1e-3);
    assert_near(learned.startup_ms, 41, 1e-9);
    /* One size of VM cannot tell goodput from overhead: what is learned still explains the total. */
    for (size_t i = 0; i < 3; i++)
        samples[i].migration_ms *= 1.3;
    const struct calibration slower = learn_one(samples, 3, NULL, NULL);
    assert_near(slower.pre_ms + slower.post_ms + 1e12 / (slower.goodput_frac * GIGABIT), samples[0].migration_ms,
                0.05 * samples[0].migration_ms);
    assert_true(slower.goodput_frac < 0.94 && slower.pre_ms >= 0 && slower.post_ms >= 0);
}

/* Faster than the path should be: goodput ends at 1, overheads at 0. */
static void test_stays_within_what_can_be(void **state) {
    (void)state;
    static const struct truth truth = {.pre_ms = 0, .post_ms = 0, .goodput_frac = 1.2};
    struct calibration_sample samples[10];
    uint64_t random = random_seed();
    for (size_t i = 0; i < 10; i++)
        samples[i] = observe(&truth, &random);
    const struct calibration learned = learn_one(samples, 10, NULL, NULL);
    assert_near(learned.goodput_frac, 1, 1e-12);
    assert_true(learned.pre_ms >= 0 && learned.post_ms >= 0);
}

static void test_order_does_not_matter(void **state) {
    (void)state;
    static const struct truth truth = {.pre_ms = 150, .post_ms = 60, .goodput_frac = 0.9, .noise_frac = 0.02};
    struct calibration_sample samples[20], reversed[20];
    uint64_t random = random_seed();
    for (size_t i = 0; i < 20; i++)
        samples[i] = reversed[19 - i] = observe(&truth, &random);
    const struct calibration one = learn_one(samples, 20, "h1", "h2");
    const struct calibration other = learn_one(reversed, 20, "h1", "h2");
    assert_true(one.pre_ms == other.pre_ms && one.goodput_frac == other.goodput_frac);
    assert_true(one.post_ms == other.post_ms && one.spread_frac == other.spread_frac);
}

static void test_widens_upwards_only(void **state) {
    (void)state;
    const struct prediction_quantiles narrow = {.p50 = 1000, .p90 = 1000, .p95 = 1000};
    const struct prediction_quantiles wide = calibration_widen(narrow, 0.02);
    assert_near(wide.p50, 1000, 0);
    assert_near(wide.p90, 1025.6, 0.1);
    assert_near(wide.p95, 1032.9, 0.1);
    const struct prediction_quantiles own =
        calibration_widen((struct prediction_quantiles){.p50 = 1000, .p90 = 1020, .p95 = 1030}, 0);
    assert_near(own.p90, 1020, 1e-9);
    assert_near(own.p95, 1030, 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recovers_the_truth),
        cmocka_unit_test(test_spread_counts_unforeseen_bytes),
        cmocka_unit_test(test_bears_contamination),
        cmocka_unit_test(test_never_from_fewer_than_it_says),
        cmocka_unit_test(test_falls_back_from_pair_to_fleet),
        cmocka_unit_test(test_prior_holds_against_little),
        cmocka_unit_test(test_stays_within_what_can_be),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_widens_upwards_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
