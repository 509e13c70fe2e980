/* The plan document. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/plan_doc.h"

#include "tests/unit/proto/doc_patch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char good[] =
    "{\"format\": \"decamp/plan\", \"format_version\": \"1.0\", \"id\": \"p1\","
    " \"goal\": {\"verb\": \"evacuate\", \"hosts\": [\"h1\"]}, \"fleet_digest\": \"sha256:00\","
    " \"made_unix_ms\": 1790000000000, \"seed\": 7, \"status\": \"feasible\","
    " \"makespan_ms\": {\"p50\": 9000, \"p95\": 10000}, \"lower_bound_ms\": 9800, \"gap_frac\": 0.0204,"
    " \"bound\": {\"kind\": \"link\", \"link\": \"h1-nic\"}, \"bytes\": 5000000000, \"downtime_total_ms\": 400,"
    " \"downtime_worst_ms\": 300,"
    " \"steps\": ["
    "  {\"id\": 1, \"action\": \"migrate\", \"vm\": \"u1\", \"vm_name\": \"web1\", \"from\": \"h1\", \"to\": \"h4\","
    "   \"hop\": true, \"after\": [], \"start_ms\": 0, \"end_ms\": 5200, \"bandwidth_bytes_per_s\": 117000000,"
    "   \"rates\": [[0, 117000000], [2600, 58500000.5], [5200, 0]], \"path\": [\"h1-nic\", \"h4-nic\"],"
    "   \"migration_ms\": {\"p50\": 5000, \"p95\": 5200}, \"downtime_ms\": {\"p50\": 200, \"p95\": 300},"
    "   \"bytes\": 456000000, \"rounds\": 5},"
    "  {\"id\": 2, \"action\": \"cold_migrate\", \"vm\": \"u2\", \"from\": \"h1\", \"to\": \"h3\", \"after\": [1],"
    "   \"not_before_ms\": 100, \"start_ms\": 5200, \"end_ms\": 10000},"
    "  {\"id\": 9, \"action\": \"shutdown\", \"from\": \"h1\", \"after\": [1, 2], \"start_ms\": 10000,"
    "   \"end_ms\": 40000}],"
    " \"hosts_off\": [\"h1\"], \"energy\": {\"saved\": 1}, \"conflicts\": [{\"what\": \"x\"}], \"warnings\": [\"w\"]}";

static void read_good(const char *text, struct plan *plan) {
    struct dc_error err = DC_ERROR_NONE;
    const enum dc_status rc = plan_doc_read(text, strlen(text), plan, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, DC_OK);
}

static void test_reads_a_plan(void **state) {
    struct plan plan;
    (void)state;
    read_good(good, &plan);
    assert_string_equal(plan.id, "p1");
    assert_int_equal(plan.seed, 7);
    assert_int_equal(plan.status, PLAN_FEASIBLE);
    assert_true(plan.makespan_ms.p95 == 10000 && plan.gap_frac == 0.0204);
    assert_int_equal(plan.n_steps, 3);
    const struct plan_step *step = &plan.steps[0];
    assert_string_equal(step->vm_name, "web1");
    assert_true(step->hop);
    assert_int_equal(step->n_rates, 3);
    assert_true(step->rates[1].from_ms == 2600 && step->rates[1].bytes_per_s == 58500000.5);
    assert_string_equal(step->path[1], "h4-nic");
    assert_true(step->downtime_ms.p95 == 300);
    assert_int_equal(step->n_rounds, 5);
    assert_string_equal(plan.steps[1].vm_name, "u2"); /* without a name */
    assert_true(plan.steps[1].not_before_ms == 100);
    assert_string_equal(plan.steps[2].vm, "");
    assert_string_equal(plan.steps[2].to, "");
    assert_int_equal(plan.steps[2].after[1], 2);
    assert_string_equal(plan.hosts_off[0], "h1");
    assert_string_equal(json_string_value(json_object_get(plan.bound, "link")), "h1-nic");
    assert_int_equal(json_array_size(plan.conflicts), 1);
    plan_doc_dispose(&plan);
    plan_doc_dispose(&plan);
}

static void check_round_trip(const char *text) {
    struct plan plan, copy;
    struct dc_error err = DC_ERROR_NONE;
    char *once = NULL;
    char *twice = NULL;
    read_good(text, &plan);
    assert_int_equal(plan_doc_write(&plan, &once, &err), DC_OK);
    read_good(once, &copy);
    assert_int_equal(plan_doc_write(&copy, &twice, &err), DC_OK);
    assert_string_equal(once, twice);
    assert_int_equal(plan.seed, copy.seed);
    plan_doc_dispose(&plan);
    plan_doc_dispose(&copy);
    free(once);
    free(twice);
}

static void test_writing_is_stable(void **state) {
    (void)state;
    check_round_trip(good);
    check_round_trip("{\"format\": \"decamp/plan\", \"format_version\": \"1.9\", \"status\": \"infeasible\","
                     " \"steps\": [], \"gap_frac\": null}");
}

static void test_seeds_of_64_bits(void **state) {
    struct plan plan;
    char *text = doc_patch(good, "seed", "\"18446744073709551615\"");
    (void)state;
    read_good(text, &plan);
    assert_true(plan.seed == UINT64_MAX);
    plan_doc_dispose(&plan);
    check_round_trip(text);
    free(text);
}

static void test_no_bound_is_no_gap(void **state) {
    struct plan plan;
    struct dc_error err = DC_ERROR_NONE;
    char *text = NULL;
    (void)state;
    read_good(good, &plan);
    plan.gap_frac = INFINITY;
    assert_int_equal(plan_doc_write(&plan, &text, &err), DC_OK);
    assert_non_null(strstr(text, "\"gap_frac\": null"));
    plan_doc_dispose(&plan);
    free(text);
}

static void test_rates_within_one_millisecond(void **state) {
    struct plan plan, copy;
    struct dc_error err = DC_ERROR_NONE;
    char *text = NULL;
    (void)state;
    read_good(good, &plan);
    plan.steps[0].rates[0].from_ms = 2599.8;
    assert_int_equal(plan_doc_write(&plan, &text, &err), DC_OK);
    read_good(text, &copy);
    assert_int_equal(copy.steps[0].n_rates, 2);
    assert_true(copy.steps[0].rates[0].from_ms == 2600 && copy.steps[0].rates[0].bytes_per_s == 58500000.5);
    plan_doc_dispose(&plan);
    plan_doc_dispose(&copy);
    free(text);
}

static void test_refuses_bad_plans(void **state) {
    static const struct {
        const char *path, *value, *error;
    } cases[] = {
        {"format", "\"decamp/fleet\"", "format: expected \"decamp/plan\", got \"decamp/fleet\""},
        {"status", "\"good\"",
         "status: expected \"optimal\", \"feasible\", \"partial\" or \"infeasible\", got \"good\""},
        {"seed", "-1", "seed: expected an integer >= 0 below 2^64, got -1"},
        {"seed", "\"99999999999999999999\"", "seed: expected an integer >= 0 below 2^64, got \"99999999999999999999\""},
        {"makespan_ms.p95", "-1", "makespan_ms.p95: expected an integer >= 0, got -1"},
        {"goal", "[]", "goal: expected an object, got an empty array"},
        {"steps", NULL, "steps: expected an array, got nothing"},
        {"steps.1.id", "1", "steps[1].id: duplicate of steps[0].id"},
        {"steps.1.id", "0", "steps[1].id: expected an integer >= 1, got 0"},
        {"steps.0.action", "\"teleport\"",
         "steps[0].action: expected \"migrate\", \"boot\", \"shutdown\" or \"cold_migrate\", got \"teleport\""},
        {"steps.0.vm", NULL, "steps[0].vm: expected the uuid of a VM, got nothing"},
        {"steps.0.from", NULL, "steps[0].from: expected the name of a host, got nothing"},
        {"steps.0.to", "null", "steps[0].to: expected the name of a host, got nothing"},
        {"steps.0.start_ms", "6000", "steps[0].end_ms: expected at least start_ms = 6000, got 5200"},
        {"steps.0.rates.1.0", "0", "steps[0].rates[1][0]: expected an integer >= 1 (times ascend), got 0"},
        {"steps.0.rates.1.1", "-1", "steps[0].rates[1][1]: expected a number >= 0 below 2^53, got -1"},
        {"steps.0.rates.1", "[1]",
         "steps[0].rates[1]: expected [from when in milliseconds, bytes per second], got an array"},
        {"steps.1.after.0", "5", "steps[1].after[0]: unknown step 5"},
        {"steps.1.after.0", "0", "steps[1].after[0]: expected the id of a step, got 0"},
        {"steps.1.after.0", "2",
         "steps[1].after: expected an order in which every step can start, but step 2 waits for ever"},
        {"steps.0.after", "[9]",
         "steps[0].after: expected an order in which every step can start, but step 1 waits for ever"},
        {"steps.0.path.0", "7", "steps[0].path[0]: expected a string that is not empty, got 7"},
        {"hosts_off", "\"h1\"", "hosts_off: expected an array, got \"h1\""},
        {"conflicts", "{}", "conflicts: expected an array, got an object"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plan plan;
        struct dc_error err = DC_ERROR_NONE;
        char *text = doc_patch(good, cases[i].path, cases[i].value);
        assert_non_null(text);
        assert_int_equal(plan_doc_read(text, strlen(text), &plan, &err), DC_EINVAL);
        assert_string_equal(err.text, cases[i].error);
        assert_null(plan.steps);
        free(text);
    }
}

static void test_refuses_what_is_no_plan(void **state) {
    struct plan plan;
    struct dc_error err = DC_ERROR_NONE;
    (void)state;
    assert_int_equal(plan_doc_read("", 0, &plan, &err), DC_EPARSE);
    err = DC_ERROR_NONE;
    char *text = doc_patch(good, "format_version", "\"2.0\"");
    assert_int_equal(plan_doc_read(text, strlen(text), &plan, &err), DC_EVERSION);
    free(text);
    err = DC_ERROR_NONE;
    assert_int_equal(plan_doc_read_file("/nonexistent/plan.json", &plan, &err), DC_ENOTFOUND);
}

static void test_steps_may_stand_in_any_order(void **state) {
    struct plan plan;
    (void)state;
    char *text = doc_patch(good, "steps.0.id", "2");
    char *swapped = doc_patch(text, "steps.1.id", "1");
    char *waits = doc_patch(swapped, "steps.0.after", "[1]");
    char *free_first = doc_patch(waits, "steps.1.after", "[]");
    read_good(free_first, &plan);
    plan_doc_dispose(&plan);
    free(text);
    free(swapped);
    free(waits);
    free(free_first);
}

static void test_texts(void **state) {
    (void)state;
    assert_string_equal(plan_doc_status_text(PLAN_PARTIAL), "partial");
    assert_string_equal(plan_doc_action_text(PLAN_COLD_MIGRATE), "cold_migrate");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_a_plan),
        cmocka_unit_test(test_writing_is_stable),
        cmocka_unit_test(test_seeds_of_64_bits),
        cmocka_unit_test(test_no_bound_is_no_gap),
        cmocka_unit_test(test_rates_within_one_millisecond),
        cmocka_unit_test(test_refuses_bad_plans),
        cmocka_unit_test(test_refuses_what_is_no_plan),
        cmocka_unit_test(test_steps_may_stand_in_any_order),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
