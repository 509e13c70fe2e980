/* SNAPSHOT and the parts it carries: round trip, deep copies, and what it refuses. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_snapshot.h"

#include "proto/fleet_parts.h"
#include "tests/unit/proto/msg_tweak.h"

#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define OTHER_UUID "11111111-2222-3333-4444-555555555555"

MSG_TWEAK_DEFINE_READ(snapshot)

static char avx_text[] = "avx2";
static char sse_text[] = "sse4_2";
static char *features[] = {avx_text, sse_text};
static struct fleet_label labels[] = {{(char[]){"rack"}, (char[]){"r1"}}, {(char[]){"note"}, (char[]){""}}};
static struct storage_disk disks[] = {
    {.name = (char[]){"disk0"}, .size_bytes = 1e10, .local = true, .write_bytes_per_s = 1.5e6}};

static void fill(struct msg_snapshot *msg, struct fleet_vm vms[2]) {
    *msg = (struct msg_snapshot){
        .taken_unix_ms = INT64_C(1700000000123),
        .host = {.name = (char *)"h1",
                 .state = FLEET_HOST_MAINTENANCE,
                 .cpus = 32,
                 .memory_bytes = 137438953472.0,
                 .reserved_memory_bytes = 4294967296.0,
                 .idle_watts = 150.5,
                 .max_migrations = 4,
                 .n_cpu_features = 2,
                 .cpu_features = features,
                 .n_labels = 2,
                 .labels = labels},
        .n_vms = 2,
        .vms = vms,
    };
    vms[0] = (struct fleet_vm){.uuid = (char *)UUID,
                               .name = (char *)"web1",
                               .state = FLEET_VM_PAUSED,
                               .memory_bytes = 4294967296.0,
                               .vcpus = 2,
                               .cpu_cores_used = 0.75,
                               .downtime_budget_ms = 300,
                               .priority = -1,
                               .n_cpu_features = 1,
                               .cpu_features = features,
                               .n_labels = 1,
                               .labels = labels,
                               .has_policy = true,
                               .has_overhead = true,
                               .overhead = {.pre_ms = 10, .post_ms = 314, .in_flight_bytes = 4e6, .suspend_pages = 12},
                               .n_storage = 1,
                               .storage = disks};
    assert_int_equal(stop_policy_init(&vms[0].policy, "xen-v2", NULL), DC_OK);
    vms[0].policy.gfn_count = 1048576;
    vms[0].policy.max_rounds = 4;
    vms[0].policy.throttle_increment_frac = 0.25;
    vms[0].policy.postcopy = STOP_POLICY_POSTCOPY_AT_ONCE;
    vms[1] = (struct fleet_vm){.uuid = (char *)OTHER_UUID,
                               .name = (char *)"db",
                               .memory_bytes = 1073741824.0,
                               .vcpus = 1,
                               .downtime_budget_ms = FLEET_UNSET};
}

static void assert_first_vm(const struct fleet_vm *vm) {
    assert_string_equal(vm->uuid, UUID);
    assert_string_equal(vm->name, "web1");
    assert_int_equal(vm->state, FLEET_VM_PAUSED);
    assert_true(vm->memory_bytes == 4294967296.0);
    assert_true(vm->vcpus == 2 && vm->cpu_cores_used == 0.75);
    assert_true(vm->downtime_budget_ms == 300 && vm->priority == -1);
    assert_int_equal(vm->n_cpu_features, 1);
    assert_string_equal(vm->cpu_features[0], "avx2");
    assert_int_equal(vm->n_labels, 1);
    assert_string_equal(vm->labels[0].value, "r1");
    assert_true(vm->has_policy && vm->has_overhead);
    assert_string_equal(vm->policy.policy->name, "xen-v2");
    assert_int_equal(vm->policy.max_rounds, 4);
    assert_true(vm->policy.gfn_count == 1048576 && vm->policy.target_dirty_pages == 50);
    assert_true(vm->policy.throttle_increment_frac == 0.25);
    assert_int_equal(vm->policy.postcopy, STOP_POLICY_POSTCOPY_AT_ONCE);
    assert_true(vm->overhead.pre_ms == 10 && vm->overhead.post_ms == 314);
    assert_true(vm->overhead.in_flight_bytes == 4e6 && vm->overhead.suspend_pages == 12);
    assert_int_equal(vm->n_storage, 1);
    assert_string_equal(vm->storage[0].name, "disk0");
    assert_true(vm->storage[0].size_bytes == 1e10 && vm->storage[0].local);
    assert_true(vm->storage[0].write_bytes_per_s == 1.5e6);
}

static void test_goes_round(void **state) {
    (void)state;
    struct fleet_vm vms[2];
    struct msg_snapshot msg;
    struct msg_snapshot back;
    struct msg_buffer buffer = {0};
    fill(&msg, vms);
    assert_int_equal(msg_snapshot_write(&msg, &buffer, NULL), DC_OK);
    assert_int_equal(msg_snapshot_read(buffer.bytes, buffer.n_bytes, &back, NULL), DC_OK);
    assert_true(back.taken_unix_ms == msg.taken_unix_ms);
    assert_string_equal(back.host.name, "h1");
    assert_int_equal(back.host.state, FLEET_HOST_MAINTENANCE);
    assert_true(back.host.cpus == 32 && back.host.memory_bytes == 137438953472.0);
    assert_true(back.host.reserved_memory_bytes == 4294967296.0);
    assert_true(back.host.idle_watts == 150.5 && back.host.peak_watts == 0);
    assert_int_equal(back.host.max_migrations, 4);
    assert_int_equal(back.host.n_cpu_features, 2);
    assert_string_equal(back.host.cpu_features[1], "sse4_2");
    assert_int_equal(back.host.n_labels, 2);
    assert_string_equal(back.host.labels[0].key, "rack");
    assert_string_equal(back.host.labels[1].value, "");
    assert_int_equal(back.n_vms, 2);
    assert_first_vm(&back.vms[0]);
    assert_string_equal(back.vms[1].uuid, OTHER_UUID);
    assert_true(back.vms[1].downtime_budget_ms == FLEET_UNSET);
    assert_false(back.vms[1].has_policy || back.vms[1].has_overhead);
    assert_int_equal(back.vms[1].profile.kind, DIRTY_PROFILE_NONE);
    msg_snapshot_dispose(&back);
    msg_tweak_check_truncated(&buffer, read_snapshot);
    msg_buffer_dispose(&buffer);
}

static void test_refuses(void **state) {
    (void)state;
    static const struct msg_tweak tweaks[] = {
        TWEAK("vms", "\x90", NULL),
        TWEAK("vms.0.of_a_later_version", "\x91\xc0", NULL),
        TWEAK("vms.0.policy", "\x81\xa4name\xa4qemu", NULL),
        TWEAK("vms.0.overhead", "\x80", NULL),
        TWEAK("host.max_migrations", "\xc0", NULL),
        TWEAK_DROP("vms", "vms: missing; expected an array"),
        TWEAK("vms", "\x80", "vms: expected an array"),
        TWEAK("taken_unix_ms", "\xff", "taken_unix_ms: expected a number from 0"),
        TWEAK_DROP("host", "host.name: missing"),
        TWEAK("host.name", "\xa0", "host.name: expected 1 to 255 bytes"),
        TWEAK("host.state",
              "\xa6"
              "asleep",
              "host.state: expected one of on, off, maintenance"),
        TWEAK("host.memory_bytes", "\xff", "host.memory_bytes: expected a number from 1"),
        TWEAK("host.reserved_memory_bytes", "\xff", "host.reserved_memory_bytes: expected a number from 0"),
        TWEAK("host.max_migrations", "\xff", "host.max_migrations: expected a number from 0"),
        TWEAK("host.labels", "\x90", "host.labels: expected a map"),
        TWEAK("host.labels.rack", "\x01", "host.labels.rack: expected at most 1023 bytes"),
        TWEAK("host.labels", "\x82\xa1x\xa1y\xa1x\xa1z", "host.labels.(map): key \"x\" stands twice"),
        TWEAK("host.labels", "\x81\xa0\xa1y", "host.labels.(key)[0]: expected 1 to 255 bytes"),
        TWEAK_DROP("vms.1.uuid", "vms[1].uuid: missing"),
        TWEAK("vms.1.uuid", "\xd9\x24" UUID, "vms: uuid " UUID " stands twice"),
        TWEAK("vms.0.memory_bytes", "\x00", "vms[0].memory_bytes: expected a number from 1"),
        TWEAK("vms.0.vcpus", "\xff", "vms[0].vcpus: expected a number from 0"),
        TWEAK("vms.0.state",
              "\xa7"
              "crashed",
              "vms[0].state: expected one of running"),
        TWEAK("vms.0.downtime_budget_ms", "\xff", "vms[0].downtime_budget_ms: expected a number from 0"),
        TWEAK("vms.0.policy.name", "\xa3xyz", "vms[0].policy.name: "),
        TWEAK_DROP("vms.0.policy.name", "vms[0].policy.name: missing"),
        TWEAK("vms.0.policy.max_rounds", "\xce\xff\xff\xff\xff",
              "policy.max_rounds: expected a number from 0 to 10000"),
        TWEAK("vms.0.policy.auto_converge", "\x00", "policy.auto_converge: expected true or false"),
        TWEAK("vms.0.policy.throttle_max_frac", "\x01", "policy.throttle_max_frac: expected a number from 0 to 0.99"),
        TWEAK("vms.0.policy.postcopy", "\xa1x", "policy.postcopy: expected one of never, at_once, after_round"),
        TWEAK("vms.0.overhead.post_ms", "\xff", "vms[0].overhead.post_ms: expected a number from 0"),
        TWEAK("vms.0.storage.0.size_bytes", "\xff", "vms[0].storage[0].size_bytes: expected a number from 0"),
        TWEAK_DROP("vms.0.storage.0.name", "vms[0].storage[0].name: missing"),
        TWEAK("vms.0", "\x01", "vms[0]: expected a map"),
    };
    struct fleet_vm vms[2];
    struct msg_snapshot msg;
    struct msg_buffer buffer = {0};
    fill(&msg, vms);
    assert_int_equal(msg_snapshot_write(&msg, &buffer, NULL), DC_OK);
    MSG_TWEAK_CHECK(&buffer, read_snapshot, tweaks);
    msg_buffer_dispose(&buffer);
}

static void test_writer_refuses(void **state) {
    (void)state;
    struct fleet_vm vms[2];
    struct msg_snapshot msg;
    struct msg_buffer buffer = {0};
    fill(&msg, vms);
    vms[1].name = (char *)"bad\xff";
    assert_int_equal(msg_snapshot_write(&msg, &buffer, NULL), DC_EINVAL);
    fill(&msg, vms);
    vms[0].policy.policy = NULL;
    assert_int_equal(msg_snapshot_write(&msg, &buffer, NULL), DC_EINVAL);
    fill(&msg, vms);
    struct fleet_label many[MSG_MAX_KEYS + 1];
    char keys[MSG_MAX_KEYS + 1][4];
    for (int i = 0; i <= MSG_MAX_KEYS; i++) {
        keys[i][0] = (char)('a' + i / 10);
        keys[i][1] = (char)('0' + i % 10);
        keys[i][2] = '\0';
        many[i] = (struct fleet_label){keys[i], keys[i]};
    }
    msg.host.labels = many;
    msg.host.n_labels = MSG_MAX_KEYS;
    assert_int_equal(msg_snapshot_write(&msg, &buffer, NULL), DC_OK);
    assert_int_equal(read_snapshot(buffer.bytes, buffer.n_bytes, NULL), DC_OK);
    msg.host.n_labels = MSG_MAX_KEYS + 1;
    assert_int_equal(msg_snapshot_write(&msg, &buffer, NULL), DC_ELIMIT);
    msg_buffer_dispose(&buffer);
}

static void test_parts_are_copied(void **state) {
    (void)state;
    struct fleet_vm vms[2];
    struct msg_snapshot msg;
    fill(&msg, vms);
    struct prediction_point point = {.bandwidth_bytes_per_s = 1e8, .bytes = 1e9};
    struct dirty_point dirty = {0.125, 900};
    vms[0].prediction = (struct prediction){.n_points = 1, .points = &point};
    vms[0].profile = (struct dirty_profile){.kind = DIRTY_PROFILE_QUANTILES, .p50 = {1, &dirty}, .p95 = {1, &dirty}};
    struct fleet_vm vm;
    assert_int_equal(fleet_parts_copy_vm(&vms[0], &vm, NULL), DC_OK);
    assert_first_vm(&vm);
    assert_ptr_not_equal(vm.name, vms[0].name);
    assert_ptr_not_equal(vm.prediction.points, &point);
    assert_true(vm.prediction.points[0].bytes == 1e9);
    assert_true(vm.profile.p95.points[0].pages == 900);
    fleet_parts_dispose_vm(&vm);
    fleet_parts_dispose_vm(&vm);
    assert_null(vm.uuid);
    assert_int_equal(fleet_parts_copy_vm(&vms[1], &vm, NULL), DC_OK);
    assert_null(vm.labels);
    fleet_parts_dispose_vm(&vm);

    struct fleet_host host;
    assert_int_equal(fleet_parts_copy_host(&msg.host, &host, NULL), DC_OK);
    assert_string_equal(host.name, "h1");
    assert_ptr_not_equal(host.name, msg.host.name);
    assert_string_equal(host.labels[0].value, "r1");
    assert_string_equal(host.cpu_features[1], "sse4_2");
    fleet_parts_dispose_host(&host);
    fleet_parts_dispose_host(&host);
    assert_null(host.name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_round),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_writer_refuses),
        cmocka_unit_test(test_parts_are_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
