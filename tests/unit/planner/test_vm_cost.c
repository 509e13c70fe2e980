/* Costs of one VM: from published grids, capped, and never optimistic. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/vm_cost.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MIB = 1 << 20 };

static struct prediction_point point(double mib_per_s, double migration_ms, double downtime_ms, bool converges) {
    return (struct prediction_point){.bandwidth_bytes_per_s = mib_per_s * MIB,
                                     .migration_ms = {migration_ms / 2, migration_ms, migration_ms},
                                     .downtime_ms = {downtime_ms / 2, downtime_ms, downtime_ms},
                                     .converges = converges};
}

static struct problem_cost cost_of(const struct fleet_vm *vm, struct prediction_point *points, size_t n) {
    const struct prediction prediction = {.n_points = n, .points = points};
    struct problem_cost cost;
    assert_int_equal(vm_cost_points(vm, &prediction, PROBLEM_P95, &cost, NULL), DC_OK);
    return cost;
}

static void takes_the_overheads_off(void **state) {
    (void)state;
    const struct fleet_vm vm = {.has_overhead = true, .overhead = {.pre_ms = 300, .post_ms = 100}};
    struct prediction_point points[] = {point(10, 20400, 1100, true)};
    struct problem_cost cost = cost_of(&vm, points, 1);
    assert_true(cost.pre_s == 0.3 && cost.post_s == 0.1);
    assert_true(fabs(cost.points[0].stop_s - 1) < 1e-9);
    assert_true(fabs(cost.points[0].live_s - 19) < 1e-9);
    free(cost.points);
}

static void keeps_only_what_converges(void **state) {
    (void)state;
    const struct fleet_vm vm = {0};
    struct prediction_point points[] = {point(10, 90000, 900, false), point(20, 30000, 500, true)};
    struct problem_cost cost = cost_of(&vm, points, 2);
    assert_int_equal(cost.n_points, 1);
    assert_true(cost.points[0].bandwidth_bytes_per_s == 20 * MIB);
    free(cost.points);
    cost = cost_of(&vm, points, 1);
    assert_int_equal(cost.n_points, 0);
    free(cost.points);
}

/* 10 MiB/s x 10 s sends less than 20 MiB/s x 8 s: the lower bandwidth cannot be so cheap. */
static void never_lets_bytes_grow_with_bandwidth(void **state) {
    (void)state;
    const struct fleet_vm vm = {0};
    struct prediction_point points[] = {point(10, 10000, 100, true), point(20, 8000, 300, true)};
    struct problem_cost cost = cost_of(&vm, points, 2);
    assert_true(fabs(cost.points[0].live_s + cost.points[0].stop_s - 16) < 1e-9);
    assert_true(fabs(cost.points[0].stop_s - 0.3) < 1e-9);
    assert_true(fabs(cost.points[1].live_s + cost.points[1].stop_s - 8) < 1e-9);
    free(cost.points);
}

static void wastes_nothing_beyond_its_cap(void **state) {
    (void)state;
    const struct fleet_vm vm = {.has_policy = true, .policy = {.max_bandwidth_bytes_per_s = 30.0 * MIB}};
    struct prediction_point points[] = {point(10, 10000, 100, true), point(20, 5000, 100, true),
                                        point(40, 3400, 100, true)};
    assert_true(vm_cost_cap(&vm) == 30.0 * MIB);
    struct problem_cost cost = cost_of(&vm, points, 3);
    assert_int_equal(cost.n_points, 2);
    free(cost.points);
    cost = cost_of(&vm, points + 2, 1); /* a grid that begins beyond it stands for the cap */
    assert_int_equal(cost.n_points, 1);
    assert_true(cost.points[0].bandwidth_bytes_per_s == 30.0 * MIB);
    free(cost.points);
    const struct fleet_vm free_vm = {0};
    assert_true(isinf(vm_cost_cap(&free_vm)));
}

static void says_what_it_was_computed_from(void **state) {
    (void)state;
    char name[] = "web1";
    struct fleet_vm vm = {.name = name, .memory_bytes = 1024.0 * MIB, .state = FLEET_VM_RUNNING};
    struct prediction prediction;
    enum vm_cost_source source;
    assert_int_equal(vm_cost_predict(&vm, 1e9, &prediction, &source, NULL), DC_OK);
    assert_int_equal(source, VM_COST_UNKNOWN);
    prediction_dispose(&prediction);

    assert_int_equal(stop_policy_init(&vm.policy, "xen-v2", NULL), DC_OK);
    vm.has_policy = true;
    assert_int_equal(vm_cost_predict(&vm, 1e9, &prediction, &source, NULL), DC_OK);
    assert_int_equal(source, VM_COST_WORST_CASE);
    prediction_dispose(&prediction);

    vm.profile = (struct dirty_profile){.kind = DIRTY_PROFILE_RATE, .pages_per_s = 10, .working_set_pages = 1000};
    assert_int_equal(vm_cost_predict(&vm, 1e9, &prediction, &source, NULL), DC_OK);
    assert_int_equal(source, VM_COST_PROFILE);
    assert_true(prediction.points[prediction.n_points - 1].bandwidth_bytes_per_s > 1e9);
    prediction_dispose(&prediction);

    struct prediction_point published[] = {point(10, 10000, 100, true)};
    vm.prediction = (struct prediction){.n_points = 1, .points = published};
    assert_int_equal(vm_cost_predict(&vm, 1e9, &prediction, &source, NULL), DC_OK);
    assert_int_equal(source, VM_COST_PREDICTION);
    prediction_dispose(&prediction);

    vm.state = FLEET_VM_SHUTOFF;
    assert_int_equal(vm_cost_predict(&vm, 1e9, &prediction, &source, NULL), DC_OK);
    assert_int_equal(source, VM_COST_NOTHING);
    assert_int_equal(prediction.n_points, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_overheads_off),
        cmocka_unit_test(keeps_only_what_converges),
        cmocka_unit_test(never_lets_bytes_grow_with_bandwidth),
        cmocka_unit_test(wastes_nothing_beyond_its_cap),
        cmocka_unit_test(says_what_it_was_computed_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
