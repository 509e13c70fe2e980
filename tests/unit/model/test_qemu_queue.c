/* QEMU's queue: what taking pages costs, and what a sync adds. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/qemu_queue.h"

#include "random_vm.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "assert_near.h"

enum { PAGES = 10000, SET = 2000, N_POINTS = 200 };

/* Random writes at `SET` pages a second over a working set of SET pages. */
static void random_writes(struct dirty_point *points, struct dirty_curve *curve_out) {
    for (size_t i = 0; i < N_POINTS; i++) {
        points[i].window_s = 0.02 * (double)(i + 1);
        points[i].pages = SET * (1 - exp(-points[i].window_s));
    }
    *curve_out = (struct dirty_curve){.n_points = N_POINTS, .points = points};
}

static struct precopy_vm vm_of(const struct dirty_curve *curve) {
    struct precopy_vm vm = {.memory_pages = PAGES, .zero_pages = 4000, .curve = curve};
    assert_int_equal(stop_policy_init(&vm.policy, "qemu", NULL), DC_OK);
    return vm;
}

static void test_first_round_mixes_zero_pages(void **state) {
    (void)state;
    const struct dirty_curve idle = {.n_points = 0};
    const struct precopy_vm vm = vm_of(&idle);
    struct qemu_queue queue;
    qemu_queue_init(&queue, &vm);
    const double all = 6000 * 4104.0 + 4000 * 9.0;
    assert_near(qemu_queue_bytes(&queue, vm.policy.policy), all, 1e-6);
    assert_near(qemu_queue_take(&queue, vm.policy.policy, 1000), all / 10, 1e-6);
    assert_near(queue.zero_pages, 3600, 1e-9);
}

/* Pages of the first round that are still to go when they are dirtied cost nothing more. */
static void test_sync_of_the_first_round(void **state) {
    (void)state;
    struct dirty_point points[N_POINTS];
    struct dirty_curve curve;
    random_writes(points, &curve);
    const struct precopy_vm vm = vm_of(&curve);
    const struct precopy precopy = {.vm = &vm};
    struct qemu_queue queue;
    qemu_queue_init(&queue, &vm);
    (void)qemu_queue_take(&queue, vm.policy.policy, 7500);
    const double dirtied = SET * (1 - exp(-1));
    assert_near(qemu_queue_sync(&queue, &precopy, 1), dirtied * 0.75, 0.1);
    assert_near(queue.pages, 2500 + dirtied * 0.75, 0.1);
    assert_false(queue.whole_memory);
    assert_near(qemu_queue_take(&queue, vm.policy.policy, 1000), 1000 * 9.0, 1e-6); /* its zero pages go first */
}

/* Random writes: a page of the set is written in 0.5 s with 1 - exp(-0.5), queued or not. */
static void test_sync_counts_queued_pages_once(void **state) {
    (void)state;
    struct dirty_point points[N_POINTS];
    struct dirty_curve curve;
    random_writes(points, &curve);
    const struct precopy_vm vm = vm_of(&curve);
    const struct precopy precopy = {.vm = &vm};
    struct qemu_queue queue;
    qemu_queue_init_dirty(&queue, 1500);
    (void)qemu_queue_take(&queue, vm.policy.policy, 900);
    const double fresh = qemu_queue_sync(&queue, &precopy, 0.5);
    assert_near(fresh, (SET - 600) * (1 - exp(-0.5)), 1);
    assert_near(queue.pages, 600 + fresh, 1e-9);
    assert_near(queue.synced_pages, queue.pages, 0);
}

static void test_empty_queue_gets_everything(void **state) {
    (void)state;
    struct dirty_point points[N_POINTS];
    struct dirty_curve curve;
    random_writes(points, &curve);
    const struct precopy_vm vm = vm_of(&curve);
    const struct precopy precopy = {.vm = &vm};
    struct qemu_queue queue;
    qemu_queue_init_dirty(&queue, 0);
    assert_near(qemu_queue_sync(&queue, &precopy, 1), SET * (1 - exp(-1)), 0.1);
}

/* Whatever the curve: no sync adds more than was dirtied, less than nothing, or more than there is. */
static void test_property_sync_is_bounded(void **state) {
    (void)state;
    uint64_t random = random_seed();
    struct dirty_point points[RANDOM_POINTS];
    struct dirty_curve curve;
    for (int i = 0; i < 20000; i++) {
        const struct precopy_vm vm = random_vm(&random, "qemu", points, &curve);
        const struct precopy precopy = {.vm = &vm};
        struct qemu_queue queue;
        qemu_queue_init_dirty(&queue, random_between(&random, 0, vm.memory_pages));
        (void)qemu_queue_take(&queue, vm.policy.policy, queue.pages * random_between(&random, 0, 1));
        const double guest_s = pow(10, random_between(&random, -3, 3));
        const double fresh = qemu_queue_sync(&queue, &precopy, guest_s);
        assert_true(fresh >= 0 && fresh <= precopy_dirtied(&precopy, guest_s) * (1 + 1e-12));
        assert_true(queue.pages <= vm.memory_pages * (1 + 1e-12));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_round_mixes_zero_pages),  cmocka_unit_test(test_sync_of_the_first_round),
        cmocka_unit_test(test_sync_counts_queued_pages_once), cmocka_unit_test(test_empty_queue_gets_everything),
        cmocka_unit_test(test_property_sync_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
