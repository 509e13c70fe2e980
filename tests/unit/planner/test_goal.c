/* Goals: to JSON and back, and what is refused by path. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/goal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct goal read_goal(const char *text, enum dc_status expected, const char *expected_text) {
    struct dc_error err = DC_ERROR_NONE;
    struct goal goal;
    json_t *json = json_loads(text, 0, NULL);
    assert_non_null(json);
    assert_int_equal(goal_from_json(json, &goal, &err), expected);
    if (expected_text != NULL)
        assert_non_null(strstr(error_text(&err), expected_text));
    json_decref(json);
    return goal;
}

static void round_trip(const char *text) {
    struct goal goal = read_goal(text, DC_OK, NULL);
    json_t *json = NULL;
    assert_int_equal(goal_to_json(&goal, &json, NULL), DC_OK);
    char *again = json_dumps(json, JSON_COMPACT);
    assert_string_equal(again, text);
    free(again);
    json_decref(json);
    goal_dispose(&goal);
    goal_dispose(&goal);
}

static void keeps_what_was_asked(void **state) {
    (void)state;
    round_trip("{\"verb\":\"evacuate\",\"hosts\":[\"h1\",\"h2\"],\"exclude\":[\"h3\"],\"deadline_ms\":1800000,"
               "\"max_downtime_ms\":500,\"max_parallel\":4,\"seed\":7,\"time_limit_ms\":2000}");
    round_trip(
        "{\"verb\":\"schedule\",\"moves\":[{\"vm\":\"web1\",\"to\":\"h4\"}],\"seed\":1,\"time_limit_ms\":10000}");
}

static void defaults_what_was_not(void **state) {
    (void)state;
    struct goal goal = read_goal("{\"verb\":\"evacuate\",\"hosts\":[\"h1\"],\"unknown\":true}", DC_OK, NULL);
    assert_int_equal(goal.seed, 1);
    assert_true(goal.time_limit_ms == 10000);
    assert_true(goal.deadline_ms == 0);
    goal_dispose(&goal);
}

static void names_what_is_wrong(void **state) {
    (void)state;
    read_goal("[]", DC_EINVAL, "goal: expected an object");
    read_goal("{\"verb\":\"fly\"}", DC_EINVAL, "verb: expected");
    read_goal("{\"verb\":\"evacuate\"}", DC_EINVAL, "hosts: expected");
    read_goal("{\"verb\":\"evacuate\",\"hosts\":[]}", DC_EINVAL, "hosts: expected");
    read_goal("{\"verb\":\"evacuate\",\"hosts\":[\"h1\",3]}", DC_EINVAL, "hosts[1]: expected a name");
    read_goal("{\"verb\":\"evacuate\",\"hosts\":[\"h1\"],\"deadline_ms\":-1}", DC_ERANGE, "deadline_ms");
    read_goal("{\"verb\":\"evacuate\",\"hosts\":[\"h1\"],\"seed\":\"x\"}", DC_EINVAL, "seed: expected a number");
    read_goal("{\"verb\":\"evacuate\",\"hosts\":[\"h1\"],\"max_parallel\":1e99}", DC_ERANGE, "max_parallel");
    read_goal("{\"verb\":\"schedule\",\"moves\":[{\"vm\":\"a\"}]}", DC_EINVAL, "moves[0].to");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_was_asked),
        cmocka_unit_test(defaults_what_was_not),
        cmocka_unit_test(names_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
