/* Small plans on one link: who waits for whom, and when shares change. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/pace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { MOST_STEPS = 4 };

static char link_name[] = "h1-nic", other_link[] = "h9-nic";

struct fixture {
    struct plan plan;
    struct plan_step steps[MOST_STEPS];
    struct plan_rate rates[MOST_STEPS][3];
    char *paths[MOST_STEPS][1];
    unsigned after[MOST_STEPS][1];
    struct pace_step standings[MOST_STEPS];
    struct pace *pace;
};

/* A step that sends from `first_ms` to `last_ms`; it begins 300 ms before and ends 100 ms after. */
static struct plan_step *add(struct fixture *fixture, double first_ms, double last_ms) {
    const size_t i = fixture->plan.n_steps++;
    fixture->plan.steps = fixture->steps;
    fixture->paths[i][0] = link_name;
    fixture->rates[i][0] = (struct plan_rate){first_ms, 100};
    fixture->rates[i][1] = (struct plan_rate){last_ms, 0};
    fixture->standings[i] = (struct pace_step){.sending_left_ms = INFINITY};
    fixture->steps[i] = (struct plan_step){.id = (unsigned)i + 1,
                                           .after = fixture->after[i],
                                           .start_ms = first_ms - 300,
                                           .end_ms = last_ms + 100,
                                           .bandwidth_bytes_per_s = 100,
                                           .n_rates = 2,
                                           .rates = fixture->rates[i],
                                           .n_path = 1,
                                           .path = fixture->paths[i]};
    return &fixture->steps[i];
}

static void open_pace(struct fixture *fixture) {
    struct dc_error err = DC_ERROR_NONE;
    if (pace_new(&fixture->plan, &fixture->pace, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
}

static bool may_begin(const struct fixture *fixture, size_t i) {
    return pace_may_begin(fixture->pace, i, fixture->standings, 1e9);
}

static void test_the_next_begins_while_the_last_hands_over(void **state) {
    (void)state;
    struct fixture fixture = {.plan = {.n_steps = 0}};
    add(&fixture, 300, 4000);
    add(&fixture, 4000, 8000);
    open_pace(&fixture);
    assert_true(may_begin(&fixture, 0));
    assert_false(may_begin(&fixture, 1));
    fixture.standings[0] = (struct pace_step){.has_begun = true, .elapsed_ms = 60000, .sending_left_ms = 301};
    assert_false(may_begin(&fixture, 1)); /* however late it is */
    fixture.standings[0].sending_left_ms = 299;
    assert_true(may_begin(&fixture, 1));
    fixture.standings[0].sending_left_ms = INFINITY; /* a hypervisor that does not tell */
    assert_false(may_begin(&fixture, 1));
    fixture.standings[0].has_ended = fixture.standings[0].is_over = true;
    assert_true(may_begin(&fixture, 1));
    pace_free(&fixture.pace);
}

/* VMs that are shut off and have nothing to send. */
static void test_what_takes_no_time_waits_for_nobody(void **state) {
    (void)state;
    struct fixture fixture = {.plan = {.n_steps = 0}};
    for (size_t i = 0; i < 2; i++) {
        struct plan_step *step = add(&fixture, 0, 0);
        step->n_rates = 0;
        step->start_ms = step->end_ms = 0;
    }
    open_pace(&fixture);
    assert_true(may_begin(&fixture, 0));
    assert_true(may_begin(&fixture, 1));
    pace_free(&fixture.pace);
}

static void test_those_that_send_together_do(void **state) {
    (void)state;
    struct fixture fixture = {.plan = {.n_steps = 0}};
    add(&fixture, 300, 4000);
    add(&fixture, 2000, 6000);
    add(&fixture, 7000, 9000)->path[0] = other_link;
    open_pace(&fixture);
    assert_true(may_begin(&fixture, 1));
    assert_true(may_begin(&fixture, 2)); /* nobody else is on its link */
    pace_free(&fixture.pace);
}

static void test_after_waits_for_success(void **state) {
    (void)state;
    struct fixture fixture = {.plan = {.n_steps = 0}};
    add(&fixture, 300, 4000);
    struct plan_step *second = add(&fixture, 6000, 8000);
    second->path[0] = other_link;
    second->after[second->n_after++] = 1;
    second->delay_ms = 500;
    open_pace(&fixture);
    assert_false(may_begin(&fixture, 1));
    fixture.standings[0] = (struct pace_step){.is_over = true}; /* it failed */
    assert_false(may_begin(&fixture, 1));
    pace_spread(fixture.pace, fixture.standings);
    assert_true(fixture.standings[1].is_over);
    fixture.standings[1].is_over = false;
    fixture.standings[0] = (struct pace_step){.is_over = true, .has_ended = true, .since_end_ms = 499};
    assert_false(may_begin(&fixture, 1));
    fixture.standings[0].since_end_ms = 500;
    assert_true(may_begin(&fixture, 1));
    pace_spread(fixture.pace, fixture.standings);
    assert_false(fixture.standings[1].is_over);
    pace_free(&fixture.pace);
}

static void test_a_window_that_has_not_come(void **state) {
    (void)state;
    struct fixture fixture = {.plan = {.n_steps = 0}};
    add(&fixture, 5300, 9000)->not_before_ms = 5000;
    open_pace(&fixture);
    assert_false(pace_may_begin(fixture.pace, 0, fixture.standings, 4999));
    assert_true(pace_may_begin(fixture.pace, 0, fixture.standings, 5000));
    pace_free(&fixture.pace);
}

static void test_shares_change_with_what_changes_them(void **state) {
    (void)state;
    struct fixture fixture = {.plan = {.n_steps = 0}};
    struct plan_step *first = add(&fixture, 300, 6000);
    add(&fixture, 2000, 4000);
    first->rates[0].bytes_per_s = 100;
    fixture.rates[0][1] = (struct plan_rate){2000, 40}; /* the second one's first byte */
    fixture.rates[0][2] = (struct plan_rate){4000, 90}; /* its last */
    first->n_rates = 3;
    open_pace(&fixture);
    fixture.standings[0] = (struct pace_step){.has_begun = true, .elapsed_ms = 99999, .sending_left_ms = INFINITY};
    assert_float_equal(pace_bandwidth(fixture.pace, 0, fixture.standings), 100, 0); /* however late it is */
    fixture.standings[1] = (struct pace_step){.has_begun = true, .elapsed_ms = 299, .sending_left_ms = INFINITY};
    assert_float_equal(pace_bandwidth(fixture.pace, 0, fixture.standings), 100, 0);
    fixture.standings[1].elapsed_ms = 300;
    assert_float_equal(pace_bandwidth(fixture.pace, 0, fixture.standings), 40, 0);
    fixture.standings[1].is_over = true; /* well or not */
    assert_float_equal(pace_bandwidth(fixture.pace, 0, fixture.standings), 90, 0);
    pace_free(&fixture.pace);
}

static void test_a_change_that_nothing_explains_goes_by_time(void **state) {
    (void)state;
    struct fixture fixture = {.plan = {.n_steps = 0}};
    struct plan_step *only = add(&fixture, 300, 6000);
    fixture.rates[0][1] = (struct plan_rate){2000, 40};
    fixture.rates[0][2] = (struct plan_rate){6000, 0};
    only->n_rates = 3;
    open_pace(&fixture);
    fixture.standings[0] = (struct pace_step){.has_begun = true, .elapsed_ms = 1999};
    assert_float_equal(pace_bandwidth(fixture.pace, 0, fixture.standings), 100, 0);
    fixture.standings[0].elapsed_ms = 2000; /* it began at 0 */
    assert_float_equal(pace_bandwidth(fixture.pace, 0, fixture.standings), 40, 0);
    fixture.standings[0].elapsed_ms = 60000; /* later than planned it still sends */
    assert_float_equal(pace_bandwidth(fixture.pace, 0, fixture.standings), 40, 0);
    pace_free(&fixture.pace);
}

static void test_a_plan_that_names_no_step(void **state) {
    (void)state;
    struct fixture fixture = {.plan = {.n_steps = 0}};
    struct dc_error err = DC_ERROR_NONE;
    struct plan_step *only = add(&fixture, 300, 6000);
    only->after[only->n_after++] = 7;
    assert_int_equal(pace_new(&fixture.plan, &fixture.pace, &err), DC_EINVAL);
    assert_null(fixture.pace);
    only->after[0] = 1; /* itself */
    assert_int_equal(pace_new(&fixture.plan, &fixture.pace, &err), DC_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_next_begins_while_the_last_hands_over),
        cmocka_unit_test(test_what_takes_no_time_waits_for_nobody),
        cmocka_unit_test(test_those_that_send_together_do),
        cmocka_unit_test(test_after_waits_for_success),
        cmocka_unit_test(test_a_window_that_has_not_come),
        cmocka_unit_test(test_shares_change_with_what_changes_them),
        cmocka_unit_test(test_a_change_that_nothing_explains_goes_by_time),
        cmocka_unit_test(test_a_plan_that_names_no_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
