/* Plans: a solution made by hand, written out with names and milliseconds. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_build.h"

#include "planner/plan_conflict.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
    struct fleet fleet;
    struct goal goal;
    struct question question;
};

static int set_up(void **state) {
    struct dc_error err = DC_ERROR_NONE;
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    json_t *json = json_loads("{\"verb\":\"evacuate\",\"hosts\":[\"h1\"]}", 0, NULL);
    assert_int_equal(goal_from_json(json, &world->goal, NULL), DC_OK);
    json_decref(json);
    if (fleet_doc_read_file(TEST_DATA_DIR "/fleets/rules.json", &world->fleet, &err) != DC_OK ||
        question_init(&world->fleet, &world->goal, &world->question, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    struct world *world = *state;
    question_dispose(&world->question);
    goal_dispose(&world->goal);
    fleet_doc_dispose(&world->fleet);
    free(world);
    return 0;
}

static const char *text_at(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static void writes_names_and_milliseconds(void **state) {
    struct world *world = *state;
    struct solution_rate rates[] = {{0.2, 1e9 + 0.7}, {2.5, 5e8}, {5, 0}};
    size_t after[] = {0};
    struct solution_step steps[] = {
        {.vm = 4, .from = 0, .to = 2, .start_s = 0, .end_s = 2, .downtime_s = 0.2, .bytes = 1e9},
        {.vm = 0,
         .from = 0,
         .to = 3,
         .start_s = 2.0004,
         .end_s = 7.1,
         .downtime_s = 0.31,
         .downtime_p50_s = 0.2,
         .duration_p50_s = 4.9,
         .bytes = 4.4e9,
         .n_rates = 3,
         .rates = rates,
         .n_after = 1,
         .after = after},
    };
    const struct solution solution = {
        .status = SOLUTION_FEASIBLE,
        .makespan_s = {6.9, 7.1},
        .bound = {.kind = SOLUTION_BOUND_ARC,
                  .value_s = 7.0005,
                  .setup_s = 0.2,
                  .volume_bytes = 5e9,
                  .capacity_bytes_per_s = 1.175e9,
                  .tail_s = 0.1},
        .gap_frac = 0.014,
        .n_steps = 2,
        .steps = steps,
    };
    struct plan plan;
    assert_int_equal(plan_build(&world->question, &solution, &plan, NULL), DC_OK);
    assert_int_equal(plan.status, PLAN_FEASIBLE);
    assert_int_equal(plan.n_steps, 2);
    const struct plan_step *step = &plan.steps[1];
    assert_int_equal(step->id, 2);
    assert_string_equal(step->vm_name, "web1");
    assert_string_equal(step->to, "h4");
    assert_int_equal(step->after[0], 1);
    assert_true(step->start_ms == 2000 && step->end_ms == 7100);
    assert_true(step->migration_ms.p50 == 4900 && step->migration_ms.p95 == 5100);
    assert_true(step->downtime_ms.p50 == 200 && step->downtime_ms.p95 == 310);
    assert_true(step->bandwidth_bytes_per_s == 1e9 && step->n_rates == 3);
    assert_int_equal(step->n_path, 2);
    assert_string_equal(step->path[0], "h1-nic");
    assert_string_equal(step->path[1], "h4-nic");
    assert_true(plan.lower_bound_ms == 7000 && plan.downtime_worst_ms == 310 && plan.downtime_total_ms == 510);
    assert_string_equal(text_at(plan.bound, "kind"), "link");
    assert_string_equal(text_at(plan.bound, "link"), "h1-nic");
    assert_string_equal(text_at(plan.bound, "direction"), "h1->tor1");
    assert_int_equal(json_array_size(plan.warnings), 0);
    plan_doc_dispose(&plan);
}

static void words_every_conflict(void **state) {
    struct world *world = *state;
    for (int kind = CONFLICT_NO_CONVERGENCE; kind <= CONFLICT_DEADLOCK; kind++) {
        for (int known = 0; known < 2; known++) {
            const struct solution_conflict conflict = {.kind = (enum solution_conflict_kind)kind,
                                                       .vm = known ? 2 : PROBLEM_ANY,
                                                       .host = known ? 1 : PROBLEM_ANY,
                                                       .rule = known ? 0 : PROBLEM_ANY,
                                                       .needed = known ? 3.5 : INFINITY,
                                                       .available = 2,
                                                       .best = known ? 4 : 0};
            json_t *json = plan_conflict_json(&world->question, &conflict);
            assert_non_null(json);
            assert_true(strlen(text_at(json, "what")) > 20);
            assert_true(json_is_object(json_object_get(json, "needs")));
            assert_true(json_is_array(json_object_get(json, "relax")));
            json_decref(json);
        }
    }
    const struct solution_conflict lacking = {.kind = CONFLICT_MEMORY,
                                              .vm = 2,
                                              .host = 1,
                                              .rule = PROBLEM_ANY,
                                              .needed = 16.0 * (1 << 30),
                                              .available = 12.0 * (1 << 30)};
    json_t *json = plan_conflict_json(&world->question, &lacking);
    assert_string_equal(text_at(json, "what"),
                        "VM db1 needs 16.0 GiB of memory; host h2 has 12.0 GiB free: 4.00 GiB lacking");
    json_decref(json);
}

/* A VM that the question had to leave out makes the plan partial. */
static void a_left_out_vm_makes_it_partial(void **state) {
    struct world *world = *state;
    struct solution_step step = {.vm = 4, .from = 0, .to = 2, .end_s = 2};
    struct solution solution = {.status = SOLUTION_OPTIMAL, .n_steps = 1, .steps = &step};
    json_t *conflict = json_pack("{s:s}", "what", "left out");
    (void)json_array_append_new(world->question.conflicts, conflict);
    struct plan plan;
    assert_int_equal(plan_build(&world->question, &solution, &plan, NULL), DC_OK);
    assert_int_equal(plan.status, PLAN_PARTIAL);
    plan_doc_dispose(&plan);
    solution.n_steps = 0;
    assert_int_equal(plan_build(&world->question, &solution, &plan, NULL), DC_OK);
    assert_int_equal(plan.status, PLAN_INFEASIBLE);
    plan_doc_dispose(&plan);
    (void)json_array_clear(world->question.conflicts);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_names_and_milliseconds),
        cmocka_unit_test(words_every_conflict),
        cmocka_unit_test(a_left_out_vm_makes_it_partial),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
