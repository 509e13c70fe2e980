/* The order on links: who sends before whom, without what others imply. Times in ms. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/link_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MOST_STEPS = 6 };

struct world {
    struct plan plan;
    struct plan_step steps[MOST_STEPS];
    struct plan_rate rates[MOST_STEPS][2];
    char *paths[MOST_STEPS][2];
    struct link_order order;
};

/* A step that sends from `first_ms` to `last_ms`, and starts and ends 100 ms around that. */
static void add(struct world *world, double first_ms, double last_ms, char *link, char *other) {
    const size_t i = world->plan.n_steps++;
    world->plan.steps = world->steps;
    world->rates[i][0] = (struct plan_rate){first_ms, 1e8};
    world->rates[i][1] = (struct plan_rate){last_ms, 0};
    world->paths[i][0] = link;
    world->paths[i][1] = other;
    world->steps[i] = (struct plan_step){.id = (unsigned)i + 1,
                                         .start_ms = first_ms - 100,
                                         .end_ms = last_ms + 100,
                                         .n_rates = 2,
                                         .rates = world->rates[i],
                                         .n_path = 2,
                                         .path = world->paths[i]};
}

static void order(struct world *world) {
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(link_order_init(&world->order, &world->plan, &err), DC_OK);
}

/* `follows` as a sum of powers of two. */
static unsigned follows(const struct world *world, size_t step) {
    unsigned sum = 0;
    for (size_t i = 0; i < world->order.follows[step].n; i++)
        sum |= 1U << world->order.follows[step].items[i];
    return sum;
}

static char link_a[] = "a", link_b[] = "b", link_c[] = "c", link_d[] = "d", link_e[] = "e";

static void one_after_the_other_is_a_chain(void **state) {
    (void)state;
    struct world world = {0};
    add(&world, 1000, 2000, link_a, link_b);
    add(&world, 2000, 3000, link_a, link_c); /* the first still hands over when it starts */
    add(&world, 3001, 4000, link_a, link_d);
    order(&world);
    assert_int_equal(follows(&world, 0), 0);
    assert_int_equal(follows(&world, 1), 1);
    assert_int_equal(follows(&world, 2), 2); /* the first is implied */
    link_order_dispose(&world.order);
}

static void what_sends_at_once_is_not_ordered(void **state) {
    (void)state;
    struct world world = {0};
    add(&world, 1000, 3000, link_a, link_b);
    add(&world, 2000, 4000, link_a, link_c);
    add(&world, 3500, 5000, link_a, link_d); /* with the second, after the first */
    add(&world, 5000, 6000, link_a, link_e);
    add(&world, 5000, 6000, link_c, link_d);
    order(&world);
    assert_int_equal(follows(&world, 1), 0);
    assert_int_equal(follows(&world, 2), 1);
    assert_int_equal(follows(&world, 3), 2 | 4); /* the second ends after the third begins: neither implies the other */
    assert_int_equal(follows(&world, 4), 2 | 4); /* on one link each */
    link_order_dispose(&world.order);
}

static void strangers_and_what_sends_nothing_are_free(void **state) {
    (void)state;
    struct world world = {0};
    add(&world, 1000, 2000, link_a, link_b);
    add(&world, 3000, 4000, link_c, link_d);
    add(&world, 5000, 5000, link_c, link_d);
    add(&world, 5000, 5000, link_c, link_d); /* of two at the same moment none waits */
    order(&world);
    assert_int_equal(follows(&world, 1), 0);
    assert_int_equal(follows(&world, 2), 2);
    assert_int_equal(follows(&world, 3), 2);
    link_order_dispose(&world.order);
    const struct plan empty = {0};
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(link_order_init(&world.order, &empty, &err), DC_OK);
    assert_int_equal(world.order.n_steps, 0);
    link_order_dispose(&world.order);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_after_the_other_is_a_chain),
        cmocka_unit_test(what_sends_at_once_is_not_ordered),
        cmocka_unit_test(strangers_and_what_sends_nothing_are_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
