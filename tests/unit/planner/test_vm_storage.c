/* Disks of a fleet's VM: which keep it where it is, and published predictions with disks added. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/vm_storage.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N_POINTS = 3 };

/* A VM whose agent has published what moving 10 GB of idle memory takes, and which has two disks. */
struct world {
    struct fleet_vm vm;
    struct prediction_point points[N_POINTS];
    struct storage_disk disks[2];
};

static char vm_name[] = "vm1";
static char shared_name[] = "sda";
static char local_name[] = "sdb";

static struct prediction_point point(double bytes_per_s) {
    const double ms = 1e3 * 10e9 / bytes_per_s;
    return (struct prediction_point){.bandwidth_bytes_per_s = bytes_per_s,
                                     .migration_ms = {ms, 1.1 * ms, 1.2 * ms},
                                     .downtime_ms = {10, 20, 30},
                                     .bytes = 10e9,
                                     .n_rounds = 3,
                                     .converges = true};
}

static void make(struct world *world, const char *policy, double write_bytes_per_s) {
    *world = (struct world){
        .vm = {.name = vm_name, .has_policy = true, .n_storage = 2},
        .points = {point(1e8), point(2e8), point(1e9)},
        .disks = {{.name = shared_name, .size_bytes = 9e12},
                  {.name = local_name, .size_bytes = 20e9, .local = true, .write_bytes_per_s = write_bytes_per_s}},
    };
    world->vm.storage = world->disks;
    world->vm.prediction = (struct prediction){.n_points = N_POINTS, .points = world->points};
    assert_int_equal(stop_policy_init(&world->vm.policy, policy, NULL), DC_OK);
}

static void only_a_local_disk_under_xl_is_an_obstacle(void **state) {
    (void)state;
    struct world world;
    make(&world, "xen-v2", 0);
    assert_ptr_equal(vm_storage_obstacle(&world.vm), &world.disks[1]);
    assert_null(vm_storage_unknown(&world.vm));
    world.vm.state = FLEET_VM_SHUTOFF;
    assert_null(vm_storage_obstacle(&world.vm));
    assert_ptr_equal(vm_storage_unknown(&world.vm), &world.disks[1]);
    make(&world, "xen-legacy", 0);
    assert_non_null(vm_storage_obstacle(&world.vm));
    world.disks[1].local = false;
    assert_null(vm_storage_obstacle(&world.vm));
    make(&world, "qemu", 0);
    assert_null(vm_storage_obstacle(&world.vm));
    make(&world, "xapi", 0);
    assert_null(vm_storage_obstacle(&world.vm));
    world.vm.has_policy = false;
    assert_ptr_equal(vm_storage_unknown(&world.vm), &world.disks[1]);
    assert_true(vm_storage_cost(&world.vm, 1e9).converges);
}

static void idle_disks_delay_what_was_published(void **state) {
    (void)state;
    struct world world;
    struct prediction prediction;
    make(&world, "qemu", 0);
    assert_int_equal(vm_storage_prediction(&world.vm, &prediction, NULL), DC_OK);
    for (size_t i = 0; i < N_POINTS; i++) {
        const struct prediction_point *from = &world.points[i];
        const double disk_ms = 1e3 * 20e9 / from->bandwidth_bytes_per_s;
        assert_true(fabs(prediction.points[i].migration_ms.p50 - from->migration_ms.p50 - disk_ms) < 1);
        assert_true(fabs(prediction.points[i].migration_ms.p95 - from->migration_ms.p95 - disk_ms) < 1);
        assert_true(prediction.points[i].downtime_ms.p95 == from->downtime_ms.p95);
        assert_true(fabs(prediction.points[i].bytes - 30e9) < 1);
        assert_true(prediction.points[i].converges);
    }
    prediction_dispose(&prediction);
}

/* At 2e8 mirroring takes half: the disk takes 20e9 / 1e8 s, and so does memory from then on. At 1e8 it takes all. */
static void mirrored_writes_slow_the_memory(void **state) {
    (void)state;
    struct world world;
    struct prediction prediction;
    make(&world, "xapi", 1e8);
    assert_int_equal(vm_storage_prediction(&world.vm, &prediction, NULL), DC_OK);
    assert_false(prediction.points[0].converges);
    assert_true(prediction.points[1].converges);
    assert_true(fabs(prediction.points[1].migration_ms.p50 - 300e3) < 1);
    assert_true(prediction.points[1].bandwidth_bytes_per_s == 2e8);
    assert_true(fabs(prediction.points[1].bytes - 60e9) < 0.01e9);
    prediction_dispose(&prediction);
}

static void other_predictions_are_as_published(void **state) {
    (void)state;
    struct world world;
    struct prediction prediction;
    make(&world, "qemu", 1e6);
    world.disks[1].local = false;
    assert_int_equal(vm_storage_prediction(&world.vm, &prediction, NULL), DC_OK);
    assert_memory_equal(prediction.points, world.points, sizeof(world.points));
    prediction_dispose(&prediction);
    world.disks[1].size_bytes = NAN;
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(vm_storage_prediction(&world.vm, &prediction, &err), DC_EINVAL);
    assert_non_null(strstr(error_text(&err), "VM vm1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_local_disk_under_xl_is_an_obstacle),
        cmocka_unit_test(idle_disks_delay_what_was_published),
        cmocka_unit_test(mirrored_writes_slow_the_memory),
        cmocka_unit_test(other_predictions_are_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
