/* Disks that move with their VM: closed forms, a mirror block by block, and what never ends. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/storage.h"

#include "model/precopy.h"
#include "random_vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_near.h"

enum { N_DISK_POINTS = 10 };

static const double GIB = 1073741824;

static struct stop_policy policy_of(const char *name) {
    struct stop_policy policy;
    assert_int_equal(stop_policy_init(&policy, name, NULL), DC_OK);
    return policy;
}

static struct storage_cost cost_of(const char *policy_name, const struct storage_disk *disk, double bytes_per_s) {
    const struct stop_policy policy = policy_of(policy_name);
    const struct storage storage = {.n_disks = 1, .disks = disk};
    return storage_cost_at(&storage, &policy, bytes_per_s);
}

static void test_idle_disk_takes_its_allocated_bytes(void **state) {
    (void)state;
    const struct storage_disk thin = {.size_bytes = 20 * GIB, .allocated_bytes = 4 * GIB, .local = true};
    const struct storage_disk full = {.size_bytes = 20 * GIB, .local = true};
    const char *const policies[] = {"qemu", "xapi"};
    for (size_t i = 0; i < 2; i++) {
        assert_near(cost_of(policies[i], &thin, 1e8).duration_s, 4 * GIB / 1e8, 1e-9);
        assert_near(cost_of(policies[i], &thin, 1e8).bytes, 4 * GIB, 1e-3);
        assert_near(cost_of(policies[i], &full, 1e8).duration_s, 20 * GIB / 1e8, 1e-9);
        assert_true(cost_of(policies[i], &full, 1e8).converges);
    }
}

/* A constant rate w on a disk too large for blocks to be written twice. */
static void test_constant_rate_in_closed_form(void **state) {
    (void)state;
    const double bandwidth = 1e8;
    for (int i = 0; i < 10; i++) {
        const double busy_frac = 0.05 + 0.1 * i;
        const struct storage_disk disk = {.size_bytes = 1000 * GIB,
                                          .allocated_bytes = 10 * GIB,
                                          .local = true,
                                          .write_bytes_per_s = busy_frac * bandwidth};
        const double bulk_s = 10 * GIB / bandwidth;
        const struct storage_cost recopied = cost_of("qemu", &disk, bandwidth);
        const struct storage_cost mirrored = cost_of("xapi", &disk, bandwidth);
        assert_true(recopied.converges && mirrored.converges);
        assert_near(recopied.duration_s, bulk_s * (1 - busy_frac / 2) / (1 - busy_frac), 0.03 * recopied.duration_s);
        assert_near(recopied.bytes, recopied.duration_s * bandwidth, 1e-6 * recopied.bytes);
        assert_near(mirrored.duration_s, bulk_s / (1 - busy_frac), 1e-6 * mirrored.duration_s);
        assert_near(mirrored.bytes, mirrored.duration_s * bandwidth, 1e-6 * mirrored.bytes);
        assert_near(mirrored.mirror_bytes_per_s, disk.write_bytes_per_s, 0);
        assert_near(recopied.mirror_bytes_per_s, disk.write_bytes_per_s, 0);
    }
}

static void test_writes_beyond_the_bandwidth_never_end(void **state) {
    (void)state;
    const struct storage_disk disk = {
        .size_bytes = 500 * GIB, .allocated_bytes = 10 * GIB, .local = true, .write_bytes_per_s = 1.2e8};
    assert_false(cost_of("qemu", &disk, 1.1e8).converges);
    assert_false(cost_of("xapi", &disk, 1.1e8).converges);
    assert_true(cost_of("qemu", &disk, 1.3e8).converges);
    assert_true(cost_of("xapi", &disk, 1.3e8).converges);
}

static void test_what_stays_costs_nothing(void **state) {
    (void)state;
    struct storage_disk disk = {.size_bytes = GIB, .local = true, .write_bytes_per_s = 1e6};
    const struct storage storage = {.n_disks = 1, .disks = &disk};
    assert_ptr_equal(storage_first_local(&storage), &disk);
    assert_near(cost_of("xen-v2", &disk, 1e8).duration_s, 0, 0);
    assert_near(cost_of("xen-legacy", &disk, 1e8).bytes, 0, 0);
    disk.local = false;
    assert_null(storage_first_local(&storage));
    assert_near(cost_of("qemu", &disk, 1e8).duration_s, 0, 0);
    assert_near(cost_of("qemu", &disk, 1e8).mirror_bytes_per_s, 0, 0);
    assert_true(cost_of("qemu", &disk, 1e8).converges);
}

static void test_a_still_vm_writes_nothing(void **state) {
    (void)state;
    struct dirty_point points[] = {{1, 1e4}};
    const struct storage_disk disks[] = {
        {.size_bytes = GIB, .local = true, .write_bytes_per_s = 1e9},
        {.size_bytes = GIB, .local = true, .written = {.n_points = 1, .points = points}},
    };
    const struct storage storage = {.n_disks = 2, .disks = disks, .is_still = true};
    const struct stop_policy policy = policy_of("qemu");
    const struct storage_cost cost = storage_cost_at(&storage, &policy, 1e8);
    assert_true(cost.converges);
    assert_near(cost.duration_s, 2 * GIB / 1e8, 1e-6);
    assert_near(cost.mirror_bytes_per_s, 0, 0);
}

/* --- QEMU's mirror, block by block --- */

struct guest {
    size_t n_hot; /* blocks 0 to n_hot - 1, each as likely to be written */
    double writes_per_s;
    double next_s;
};

/* The writes until `now_s`, at exponential distances. */
static void write_blocks(struct guest *guest, unsigned char *dirty, double now_s, uint64_t *random) {
    while (guest->next_s <= now_s) {
        dirty[(size_t)random_between(random, 0, (double)guest->n_hot)] = 1;
        guest->next_s -= log(random_between(random, 1e-12, 1)) / guest->writes_per_s;
    }
}

/* Seconds until all `n` blocks are clean at one time. The hot ones lie anywhere: the
 * cursor goes by a fixed stride through the blocks, `n` has no factor of it. */
static double mirror_s(size_t n, struct guest guest, double bytes_per_s, uint64_t *random) {
    unsigned char *dirty = calloc(n, 1);
    assert_non_null(dirty);
    memset(dirty, 1, n);
    double now_s = 0;
    size_t n_clean = 0;
    for (size_t at = 0; n_clean < n; at = (at + 7919) % n) {
        write_blocks(&guest, dirty, now_s, random);
        n_clean++;
        if (dirty[at]) {
            dirty[at] = 0;
            now_s += STORAGE_BLOCK_BYTES / bytes_per_s;
            n_clean = 0;
        }
    }
    free(dirty);
    return now_s;
}

static void test_property_as_a_mirror_block_by_block(void **state) {
    (void)state;
    uint64_t random = random_seed();
    for (int i = 0; i < 12; i++) {
        const size_t n_blocks = 100003; /* 6.1 GiB */
        struct guest guest = {.n_hot = (size_t)random_between(&random, 2000, 90000)};
        const double bandwidth = random_between(&random, 5e7, 5e8);
        guest.writes_per_s = random_between(&random, 0.05, 0.8) * bandwidth / STORAGE_BLOCK_BYTES;
        struct dirty_point points[40];
        for (size_t k = 0; k < 40; k++) {
            points[k].window_s = 0.05 * pow(1.25, (double)k);
            points[k].pages =
                -(double)guest.n_hot * expm1(-guest.writes_per_s * points[k].window_s / (double)guest.n_hot);
        }
        const struct storage_disk disk = {.size_bytes = (double)n_blocks * STORAGE_BLOCK_BYTES,
                                          .local = true,
                                          .written = {.n_points = 40, .points = points}};
        const struct storage_cost cost = cost_of("qemu", &disk, bandwidth);
        const double actual_s = mirror_s(n_blocks, guest, bandwidth, &random);
        assert_true(cost.converges);
        assert_near(cost.duration_s, actual_s, 0.03 * actual_s);
    }
}

/* --- for any disks --- */

static void random_disk(uint64_t *random, struct dirty_point points[N_DISK_POINTS], struct storage_disk *disk) {
    *disk = (struct storage_disk){.size_bytes = random_between(random, 1e6, 1e11), .local = true};
    disk->allocated_bytes = disk->size_bytes * random_between(random, 0, 1);
    disk->write_bytes_per_s = pow(10, random_between(random, 3, 8.5));
    disk->block_bytes = STORAGE_BLOCK_BYTES;
    if (random_between(random, 0, 1) < 0.5)
        return;
    double pages_per_s = disk->write_bytes_per_s / STORAGE_BLOCK_BYTES;
    for (size_t i = 0; i < N_DISK_POINTS; i++) {
        const struct dirty_point before = i > 0 ? points[i - 1] : (struct dirty_point){0};
        points[i].window_s = 0.5 * pow(2, (double)i);
        points[i].pages = before.pages + pages_per_s * (points[i].window_s - before.window_s);
        pages_per_s *= random_between(random, 0.3, 1);
    }
    disk->written = (struct dirty_curve){.n_points = N_DISK_POINTS, .points = points};
}

static void test_property_never_more_with_more_bandwidth(void **state) {
    (void)state;
    uint64_t random = random_seed();
    const char *const policies[] = {"qemu", "xapi"};
    int n_endless = 0;
    for (int i = 0; i < 400; i++) {
        struct dirty_point points[2][N_DISK_POINTS];
        struct storage_disk disks[2];
        random_disk(&random, points[0], &disks[0]);
        random_disk(&random, points[1], &disks[1]);
        const struct storage storage = {.n_disks = 2, .disks = disks};
        const struct stop_policy policy = policy_of(policies[i % 2]);
        struct storage_cost before = {.duration_s = INFINITY, .bytes = INFINITY};
        for (int k = 0; k < 22; k++) {
            const double bandwidth = 1e6 * pow(1.7, k);
            const struct storage_cost cost = storage_cost_at(&storage, &policy, bandwidth);
            n_endless += !cost.converges;
            assert_true(cost.converges || !before.converges);
            assert_true(cost.bytes >= storage_allocated_bytes(&storage) * (1 - 1e-9));
            if (before.converges) {
                assert_true(cost.duration_s <= before.duration_s * (1 + 1e-9));
                assert_true(cost.bytes <= before.bytes * (1 + 1e-9));
            }
            before = cost;
        }
        assert_true(before.converges);
    }
    assert_true(n_endless > 100);
}

/* The disks, then memory with what the mirrored writes leave, then the stop with all of it. */
static void test_property_simulation_adds_the_disks(void **state) {
    (void)state;
    uint64_t random = random_seed();
    const char *const policies[] = {"qemu", "xapi"};
    for (int i = 0; i < 300; i++) {
        struct dirty_point points[RANDOM_POINTS], disk_points[N_DISK_POINTS];
        struct dirty_curve curve;
        struct storage_disk disk;
        struct precopy_vm vm = random_vm(&random, policies[i % 2], points, &curve);
        random_disk(&random, disk_points, &disk);
        const struct storage storage = {.n_disks = 1, .disks = &disk};
        const struct bandwidth_step step = {.bytes_per_s = pow(10, random_between(&random, 8, 9.5))};
        const struct storage_cost cost = storage_cost_at(&storage, &vm.policy, step.bytes_per_s);
        const struct bandwidth_step left = {.bytes_per_s = step.bytes_per_s - cost.mirror_bytes_per_s};
        struct precopy_result both, memory;
        if (!cost.converges)
            continue;
        assert_int_equal(precopy_simulate(&vm, &left, 1, &memory, NULL), DC_OK);
        vm.storage = storage;
        assert_int_equal(precopy_simulate(&vm, &step, 1, &both, NULL), DC_OK);
        assert_int_equal(both.n_rounds, memory.n_rounds);
        assert_near(both.storage_s, cost.duration_s, 1e-6 * cost.duration_s);
        assert_near(both.stop_copy_s, memory.stop_copy_s * left.bytes_per_s / step.bytes_per_s, 1e-6);
        const double live_s = memory.migration_s - memory.stop_copy_s;
        assert_near(both.migration_s, cost.duration_s + live_s + both.stop_copy_s, 1e-6 * both.migration_s);
        const double mirrored_s = live_s - (vm.overhead.pre_ms + vm.overhead.post_ms) / 1000;
        assert_near(both.storage_bytes, cost.bytes + cost.mirror_bytes_per_s * mirrored_s, 1e-6 * both.storage_bytes);
        assert_near(both.bytes, memory.bytes + both.storage_bytes, 1e-6 * both.bytes);
    }
}

static void test_bandwidth_that_changes_during_the_copy(void **state) {
    (void)state;
    const struct dirty_curve idle = {0};
    const struct storage_disk disk = {.size_bytes = 10 * GIB, .local = true};
    const struct bandwidth_step steps[] = {{0, GIB / 10}, {50, GIB / 2}};
    const struct precopy_vm vm = {.memory_pages = 1000,
                                  .curve = &idle,
                                  .policy = policy_of("qemu"),
                                  .overhead = {.pre_ms = 5000},
                                  .storage = {.n_disks = 1, .disks = &disk}};
    struct precopy_result result;
    assert_int_equal(precopy_simulate(&vm, steps, 2, &result, NULL), DC_OK);
    /* 45 s at a tenth, the rest at a half. */
    assert_near(result.storage_s, 45 + 5.5 * 2, 1e-6);
    assert_near(result.storage_bytes, 10 * GIB, 1e-3);
}

static void test_a_cap_holds_for_disks_too(void **state) {
    (void)state;
    const struct storage_disk disk = {.size_bytes = 10 * GIB, .local = true};
    const struct storage storage = {.n_disks = 1, .disks = &disk};
    struct stop_policy policy = policy_of("qemu");
    policy.max_bandwidth_bytes_per_s = GIB / 10;
    assert_near(storage_cost_at(&storage, &policy, GIB).duration_s, 100, 1e-6);
}

static void test_copy_is_deep(void **state) {
    (void)state;
    char name[] = "vda";
    struct dirty_point points[] = {{1, 10}, {2, 15}};
    const struct storage_disk disk = {.name = name,
                                      .size_bytes = GIB,
                                      .local = true,
                                      .block_bytes = 4096,
                                      .written = {.n_points = 2, .points = points}};
    struct storage_disk copy;
    assert_int_equal(storage_disk_copy(&disk, &copy, NULL), DC_OK);
    name[0] = 'x';
    points[1].pages = 99;
    assert_string_equal(copy.name, "vda");
    assert_near(copy.written.points[1].pages, 15, 0);
    const struct storage storage = {.n_disks = 1, .disks = &copy};
    assert_near(storage_written_bytes(&storage, 2), 15 * 4096, 0);
    assert_near(storage_write_bytes_per_s(&storage), 10 * 4096, 0);
    storage_disk_dispose(&copy);
    storage_disk_dispose(&copy);
    assert_null(copy.name);
}

static void test_nonsense_is_refused(void **state) {
    (void)state;
    char name[] = "vda";
    const struct dirty_curve idle = {0};
    struct dirty_point at_once = {.window_s = 0, .pages = 1};
    const struct storage_disk bad[] = {
        {.name = name, .size_bytes = -1},
        {.name = name, .size_bytes = INFINITY},
        {.name = name, .size_bytes = GIB, .write_bytes_per_s = NAN},
        {.name = name, .size_bytes = GIB, .block_bytes = -4096},
        {.name = name, .size_bytes = GIB, .written = {.n_points = 1, .points = &at_once}},
    };
    const struct bandwidth_step step = {.bytes_per_s = 1e8};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct dc_error err = DC_ERROR_NONE;
        struct precopy_result result;
        const struct precopy_vm vm = {.memory_pages = 1,
                                      .curve = &idle,
                                      .policy = policy_of("qemu"),
                                      .storage = {.n_disks = 1, .disks = &bad[i]}};
        assert_int_equal(precopy_simulate(&vm, &step, 1, &result, &err), DC_EINVAL);
        assert_non_null(strstr(error_text(&err), "vda"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_disk_takes_its_allocated_bytes),
        cmocka_unit_test(test_constant_rate_in_closed_form),
        cmocka_unit_test(test_writes_beyond_the_bandwidth_never_end),
        cmocka_unit_test(test_what_stays_costs_nothing),
        cmocka_unit_test(test_a_still_vm_writes_nothing),
        cmocka_unit_test(test_property_as_a_mirror_block_by_block),
        cmocka_unit_test(test_property_never_more_with_more_bandwidth),
        cmocka_unit_test(test_property_simulation_adds_the_disks),
        cmocka_unit_test(test_bandwidth_that_changes_during_the_copy),
        cmocka_unit_test(test_a_cap_holds_for_disks_too),
        cmocka_unit_test(test_copy_is_deep),
        cmocka_unit_test(test_nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
