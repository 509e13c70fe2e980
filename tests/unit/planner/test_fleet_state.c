/* The fleet's state: ages, moves, and the merge with a topology document. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/fleet_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID_1 "11111111-1111-4111-8111-111111111111"
#define UUID_2 "22222222-2222-4222-8222-222222222222"
#define UUID_3 "33333333-3333-4333-8333-333333333333"

static const double interval_ms = 1000;
static const struct fleet_clock start = {.monotonic_ms = 1e6, .unix_ms = 1790000000000};

static struct fleet_clock after(double ms) {
    return (struct fleet_clock){start.monotonic_ms + ms, start.unix_ms + (int64_t)ms};
}

/* VMs are written as "1r": number and state (r running, p paused). */
static void say(struct fleet_state *state, const char *host, const char *const *vms, struct fleet_clock now) {
    static char uuids[][MSG_UUID_BYTES] = {UUID_1, UUID_2, UUID_3};
    static char names[][8] = {"vm1", "vm2", "vm3"};
    struct dc_error err = DC_ERROR_NONE;
    struct fleet_vm said[3];
    struct msg_snapshot snapshot = {.taken_unix_ms = now.unix_ms, .vms = said};
    snapshot.host = (struct fleet_host){.name = (char *)(uintptr_t)host, .cpus = 8, .memory_bytes = 64e9};
    for (; vms[snapshot.n_vms] != NULL; snapshot.n_vms++) {
        const int i = vms[snapshot.n_vms][0] - '1';
        said[snapshot.n_vms] =
            (struct fleet_vm){.uuid = uuids[i],
                              .name = names[i],
                              .memory_bytes = 4e9,
                              .downtime_budget_ms = FLEET_UNSET,
                              .state = vms[snapshot.n_vms][1] == 'p' ? FLEET_VM_PAUSED : FLEET_VM_RUNNING};
    }
    assert_int_equal(fleet_state_snapshot(state, host, &snapshot, now, &err), DC_OK);
}

#define SAY(state, host, now, ...) say(state, host, (const char *const[]){__VA_ARGS__}, now)

static enum dc_status predict(struct fleet_state *state, const char *host, const char *uuid, const char *boot_id,
                              uint64_t sample_number, double bytes) {
    struct prediction_point point = {.bandwidth_bytes_per_s = 1e8, .bytes = bytes, .converges = true};
    struct dirty_point dirty = {1, 100};
    struct msg_prediction prediction = {.sample_number = sample_number,
                                        .zero_pages = 7,
                                        .prediction = {.made_unix_ms = 5, .n_points = 1, .points = &point},
                                        .p50 = {1, &dirty},
                                        .p95 = {1, &dirty}};
    (void)snprintf(prediction.vm, sizeof(prediction.vm), "%s", uuid);
    return fleet_state_predict(state, host, boot_id, &prediction, start, NULL);
}

static struct fleet export_at(const struct fleet_state *state, struct fleet_clock now) {
    struct dc_error err = DC_ERROR_NONE;
    struct fleet fleet;
    assert_int_equal(fleet_state_export(state, now, &fleet, &err), DC_OK);
    return fleet;
}

static enum fleet_freshness freshness_at(const struct fleet_state *state, const char *host, double ms) {
    struct fleet fleet = export_at(state, after(ms));
    const long index = fleet_doc_find_host(&fleet, host);
    assert_true(index >= 0);
    const enum fleet_freshness freshness = fleet.hosts[index].freshness;
    fleet_doc_dispose(&fleet);
    return freshness;
}

/* Host and predicted bytes of a VM; NULL where it is gone. */
static const char *place_of(const struct fleet_state *state, const char *uuid, double *bytes_out) {
    struct fleet fleet = export_at(state, start);
    const long vm = fleet_doc_find_vm(&fleet, uuid);
    *bytes_out = vm >= 0 && fleet.vms[vm].prediction.n_points == 1 ? fleet.vms[vm].prediction.points[0].bytes : 0;
    static char host[64];
    if (vm >= 0)
        (void)snprintf(host, sizeof(host), "%s", fleet.hosts[fleet.vms[vm].host].name);
    fleet_doc_dispose(&fleet);
    return vm >= 0 ? host : NULL;
}

static void assert_place(const struct fleet_state *state, const char *uuid, const char *host, double bytes) {
    double found_bytes = 0;
    const char *found = place_of(state, uuid, &found_bytes);
    if (host == NULL) {
        assert_null(found);
        return;
    }
    assert_non_null(found);
    assert_string_equal(found, host);
    assert_true(found_bytes == bytes);
}

static int set_up(void **state) {
    *state = fleet_state_new(interval_ms);
    return *state != NULL ? 0 : -1;
}

static int tear_down(void **state) {
    struct fleet_state *fleet_state = *state;
    fleet_state_free(&fleet_state);
    fleet_state_free(&fleet_state);
    return 0;
}

static void test_ages(void **context) {
    struct fleet_state *state = *context;
    SAY(state, "h1", start, "1r", NULL);
    assert_int_equal(freshness_at(state, "h1", 0), FLEET_FRESH);
    assert_int_equal(freshness_at(state, "h1", 1999), FLEET_FRESH);
    assert_int_equal(freshness_at(state, "h1", 2001), FLEET_LATE);
    assert_int_equal(freshness_at(state, "h1", 3001), FLEET_STALE);
    assert_int_equal(freshness_at(state, "h1", 10001), FLEET_LOST);
    assert_int_equal(fleet_state_seen(state, "h1", after(10001), NULL), DC_OK);
    assert_int_equal(freshness_at(state, "h1", 10001), FLEET_FRESH);
    fleet_state_bye(state, "h1");
    assert_int_equal(freshness_at(state, "h1", 10001), FLEET_LATE);
    fleet_state_bye(state, "nobody");
}

static void test_restored_hosts_are_late_at_least(void **context) {
    struct fleet_state *state = *context;
    SAY(state, "h1", start, "1r", NULL);
    SAY(state, "h2", start, "2r", NULL);
    assert_int_equal(fleet_state_restore_host(state, "h1", start.unix_ms - 500, start, NULL), DC_OK);
    assert_int_equal(fleet_state_restore_host(state, "h2", start.unix_ms - 60000, start, NULL), DC_OK);
    assert_int_equal(freshness_at(state, "h1", 0), FLEET_LATE);
    assert_int_equal(freshness_at(state, "h2", 0), FLEET_LOST);
    assert_int_equal(fleet_state_hello(state, "h2", "i", after(1), NULL), DC_OK);
    assert_int_equal(freshness_at(state, "h2", 1), FLEET_FRESH);
    /* a clock that was set back gives no age below zero */
    assert_int_equal(fleet_state_restore_host(state, "h1", start.unix_ms + 60000, start, NULL), DC_OK);
    assert_int_equal(freshness_at(state, "h1", 3500), FLEET_STALE);
}

static void test_snapshot_replaces_the_set_and_keeps_predictions(void **context) {
    struct fleet_state *state = *context;
    SAY(state, "h1", start, "1r", "2r", NULL);
    assert_int_equal(predict(state, "h1", UUID_1, "b", 1, 100), DC_OK);
    assert_int_equal(predict(state, "h1", UUID_2, "b", 1, 200), DC_OK);
    assert_int_equal(predict(state, "h1", UUID_3, "b", 1, 300), DC_ENOTFOUND);
    assert_int_equal(predict(state, "h2", UUID_1, "b", 1, 300), DC_ENOTFOUND);
    SAY(state, "h1", start, "1r", "3r", NULL);
    assert_place(state, UUID_1, "h1", 100);
    assert_place(state, UUID_2, NULL, 0);
    assert_place(state, UUID_3, "h1", 0);
    SAY(state, "h2", start, "2r", NULL); /* turns up elsewhere */
    assert_place(state, UUID_2, "h2", 200);
    SAY(state, "h2", start, "2r", "1r", NULL); /* claimed before the other lets go */
    assert_place(state, UUID_1, "h2", 100);
    SAY(state, "h1", start, "3r", NULL);
    assert_place(state, UUID_1, "h2", 100);
    SAY(state, "h1", start, NULL);
    assert_place(state, UUID_3, NULL, 0);
}

static void test_gone_vms_are_forgotten_after_a_while(void **context) {
    struct fleet_state *state = *context;
    SAY(state, "h1", start, "1r", NULL);
    assert_int_equal(predict(state, "h1", UUID_1, "b", 1, 100), DC_OK);
    SAY(state, "h1", start, NULL);
    SAY(state, "h1", after(3601e3), NULL);
    SAY(state, "h1", after(3602e3), "1r", NULL);
    assert_place(state, UUID_1, "h1", 0);
}

static void test_gone_vms_are_bounded_in_number(void **context) {
    enum { N_VMS = 4096, N_SNAPSHOTS = 18 };
    static char name[] = "vm";
    static char uuids[N_VMS][MSG_UUID_BYTES];
    static struct fleet_vm said[N_VMS];
    static char host[] = "h2";
    struct fleet_state *state = *context;
    SAY(state, "h1", start, "1r", NULL);
    assert_int_equal(predict(state, "h1", UUID_1, "b", 1, 100), DC_OK);
    SAY(state, "h1", start, NULL);
    for (int n = 1; n <= N_SNAPSHOTS; n++) { /* each of VMs that were never seen */
        const struct msg_snapshot snapshot = {
            .host = {.name = host, .cpus = 8, .memory_bytes = 64e9}, .n_vms = N_VMS, .vms = said};
        for (int i = 0; i < N_VMS; i++) {
            (void)snprintf(uuids[i], sizeof(uuids[i]), "%08x-0000-4000-8000-%012x", (unsigned)n, (unsigned)i);
            said[i] =
                (struct fleet_vm){.uuid = uuids[i], .name = name, .memory_bytes = 1, .downtime_budget_ms = FLEET_UNSET};
        }
        assert_int_equal(fleet_state_snapshot(state, host, &snapshot, after(n), NULL), DC_OK);
    }
    SAY(state, "h1", after(1000), "1r", NULL);
    assert_place(state, UUID_1, "h1", 0);
    assert_place(state, uuids[0], "h2", 0);
}

static void test_arriving_vm_stays_with_its_source(void **context) {
    struct fleet_state *state = *context;
    SAY(state, "h1", start, "1r", NULL);
    SAY(state, "h2", start, "1p", NULL);
    assert_place(state, UUID_1, "h1", 0);
    fleet_state_bye(state, "h1");
    SAY(state, "h2", start, "1p", NULL);
    assert_place(state, UUID_1, "h2", 0);
}

/* The new host may list a VM before the old one has left off doing so, in whatever order they speak. */
static void test_moved_vm_is_its_new_hosts(void **context) {
    struct fleet_state *state = *context;
    SAY(state, "h1", start, "1r", "2r", NULL);
    SAY(state, "h2", start, "1r", NULL);
    assert_place(state, UUID_1, "h2", 0);
    SAY(state, "h1", start, "1r", "2r", NULL);
    SAY(state, "h1", start, "2r", NULL);
    assert_place(state, UUID_1, "h2", 0);
    SAY(state, "h2", start, NULL, NULL);
    assert_place(state, UUID_1, NULL, 0); /* h1 gave up its claim */
    SAY(state, "h3", start, "2p", NULL);
    assert_place(state, UUID_2, "h1", 0);
    SAY(state, "h1", start, NULL, NULL);
    assert_place(state, UUID_2, "h3", 0);
    SAY(state, "h1", start, "2r", NULL);
    fleet_state_bye(state, "h3");
    SAY(state, "h1", start, NULL, NULL);
    assert_place(state, UUID_2, NULL, 0); /* who has gone silent claims nothing */
}

static void test_latest_sample_wins(void **context) {
    struct fleet_state *state = *context;
    SAY(state, "h1", start, "1r", NULL);
    assert_int_equal(fleet_state_hello(state, "h1", "i1", start, NULL), DC_OK);
    assert_int_equal(predict(state, "h1", UUID_1, "b", 5, 100), DC_OK);
    assert_int_equal(predict(state, "h1", UUID_1, "b", 4, 200), DC_EEXIST);
    assert_place(state, UUID_1, "h1", 100);
    assert_int_equal(predict(state, "h1", UUID_1, "b", 5, 300), DC_OK); /* once more is harmless */
    assert_int_equal(predict(state, "h1", UUID_1, "other boot", 1, 400), DC_OK);
    assert_int_equal(fleet_state_hello(state, "h1", "i1", start, NULL), DC_OK); /* reconnected */
    assert_int_equal(predict(state, "h1", UUID_1, "other boot", 0, 500), DC_EEXIST);
    assert_int_equal(fleet_state_hello(state, "h1", "i2", start, NULL), DC_OK); /* begun anew */
    assert_int_equal(predict(state, "h1", UUID_1, "other boot", 0, 600), DC_OK);
    assert_place(state, UUID_1, "h1", 600);
}

static void test_events(void **context) {
    struct fleet_state *state = *context;
    static char peer[] = "h2", unknown[] = "h9";
    struct msg_event event = {.type = MSG_EVENT_MIGRATION_BEGAN, .vm = UUID_1, .peer_host = peer};
    SAY(state, "h1", start, "1r", "2r", NULL);
    SAY(state, "h2", start, NULL);
    assert_int_equal(fleet_state_event(state, "h1", &event, start, NULL), DC_OK);
    event.type = MSG_EVENT_MIGRATION_ENDED;
    assert_int_equal(fleet_state_event(state, "h2", &event, start, NULL), DC_OK); /* not its VM */
    assert_int_equal(fleet_state_event(state, "h1", &event, start, NULL), DC_OK); /* failed */
    assert_place(state, UUID_1, "h1", 0);
    event.succeeded = true;
    event.peer_host = unknown;
    assert_int_equal(fleet_state_event(state, "h1", &event, start, NULL), DC_OK);
    assert_string_equal(fleet_state_host_of(state, UUID_1), "h1");
    event.peer_host = peer;
    assert_int_equal(fleet_state_event(state, "h1", &event, start, NULL), DC_OK);
    assert_string_equal(fleet_state_host_of(state, UUID_1), "h2");
    event = (struct msg_event){.type = MSG_EVENT_VM_REMOVED, .vm = UUID_2};
    assert_int_equal(fleet_state_event(state, "h1", &event, start, NULL), DC_OK);
    assert_null(fleet_state_host_of(state, UUID_2));
    event = (struct msg_event){.type = MSG_EVENT_VM_ADDED, .vm = UUID_3};
    assert_int_equal(fleet_state_event(state, "h1", &event, start, NULL), DC_OK);
    assert_null(fleet_state_host_of(state, UUID_3));
}

static void test_restored_vms(void **context) {
    struct fleet_state *state = *context;
    struct prediction_point point = {.bandwidth_bytes_per_s = 1e8, .bytes = 100};
    const struct msg_prediction prediction = {.vm = UUID_2, .prediction = {.n_points = 1, .points = &point}};
    SAY(state, "h1", start, "1r", "2r", NULL);
    SAY(state, "h2", start, NULL);
    assert_int_equal(fleet_state_restore_vm(state, UUID_1, NULL, NULL, NULL, 1, start, NULL), DC_OK);
    assert_int_equal(fleet_state_restore_vm(state, UUID_2, "h2", "b", &prediction, 1, start, NULL), DC_OK);
    assert_int_equal(fleet_state_restore_vm(state, UUID_3, "h1", NULL, NULL, 1, start, NULL), DC_OK);
    assert_place(state, UUID_1, NULL, 0);
    assert_place(state, UUID_2, "h2", 100);
    assert_place(state, UUID_3, NULL, 0); /* no SNAPSHOT described it */
}

static void test_without_topology_every_host_has_a_nic(void **context) {
    struct fleet_state *state = *context;
    SAY(state, "h2", start, "1r", NULL);
    SAY(state, "h1", start, NULL);
    assert_int_equal(fleet_state_seen(state, "h0", start, NULL), DC_OK); /* heard, not described */
    struct fleet fleet = export_at(state, start);
    assert_int_equal(fleet.n_hosts, 2);
    assert_string_equal(fleet.hosts[0].name, "h1");
    assert_int_equal(fleet.n_switches, 1);
    assert_int_equal(fleet.n_links, 2);
    assert_string_equal(fleet.links[0].name, "h1-nic");
    assert_int_equal(fleet.taken_unix_ms, start.unix_ms);
    char *text = NULL;
    struct fleet again;
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(fleet_doc_write(&fleet, &text, &err), DC_OK);
    assert_int_equal(fleet_doc_read(text, strlen(text), &again, &err), DC_OK);
    assert_string_equal(again.hosts[again.vms[0].host].name, "h2");
    free(text);
    fleet_doc_dispose(&again);
    fleet_doc_dispose(&fleet);
}

static const char topology_text[] =
    "{\"format\": \"decamp/fleet\", \"format_version\": \"1.0\", \"taken_unix_ms\": 1, \"hosts\": ["
    " {\"name\": \"h2\", \"state\": \"on\", \"cpus\": 4, \"memory_bytes\": 1000000000, \"max_migrations\": 2,"
    "  \"reserved_memory_bytes\": 5, \"labels\": {\"rack\": \"r2\"}},"
    " {\"name\": \"spare\", \"state\": \"off\", \"cpus\": 4, \"memory_bytes\": 1000000000}],"
    " \"switches\": [{\"name\": \"tor\", \"capacity_bytes_per_s\": null}],"
    " \"links\": [{\"name\": \"l2\", \"between\": [\"h2\", \"tor\"], \"capacity_bytes_per_s\": 5000},"
    "  {\"name\": \"l3\", \"between\": [\"spare\", \"tor\"], \"capacity_bytes_per_s\": 4000}],"
    " \"vms\": [{\"uuid\": \"" UUID_3 "\", \"name\": \"vm3\", \"host\": \"spare\", \"memory_bytes\": 1000000},"
    "  {\"uuid\": \"" UUID_1 "\", \"name\": \"vm1\", \"host\": \"h2\", \"memory_bytes\": 1000000, \"priority\": 3,"
    "   \"downtime_budget_ms\": 77, \"labels\": {\"app\": \"shop\"}},"
    "  {\"uuid\": \"" UUID_2 "\", \"name\": \"vm2\", \"host\": \"h2\", \"memory_bytes\": 1000000}],"
    " \"rules\": [{\"type\": \"spread\", \"vms\": [\"" UUID_1 "\", \"" UUID_2 "\"], \"hosts\": []},"
    "  {\"type\": \"ban\", \"vms\": [\"" UUID_2 "\"], \"hosts\": [\"h2\"]},"
    "  {\"type\": \"fence\", \"vms\": [\"" UUID_3 "\", \"" UUID_2 "\"], \"hosts\": [\"spare\"]}]}";

static void test_topology_is_merged(void **context) {
    struct fleet_state *state = *context;
    struct dc_error err = DC_ERROR_NONE;
    struct fleet topology;
    assert_int_equal(fleet_doc_read(topology_text, strlen(topology_text), &topology, &err), DC_OK);
    fleet_state_set_topology(state, &topology);
    assert_int_equal(topology.n_hosts, 0);
    struct fleet fleet = export_at(state, start);
    assert_int_equal(fleet.n_vms, 3); /* no agent spoke: the document's word */
    assert_int_equal(fleet.hosts[0].freshness, FLEET_LOST);
    fleet_doc_dispose(&fleet);

    SAY(state, "h2", start, "1r", NULL);
    SAY(state, "h1", start, NULL);
    fleet = export_at(state, start);
    assert_int_equal(fleet.n_hosts, 3);
    assert_string_equal(fleet.hosts[0].name, "h2"); /* the document's order, then the others */
    assert_true(fleet.hosts[0].memory_bytes == 64e9 && fleet.hosts[0].cpus == 8);
    assert_true(fleet.hosts[0].max_migrations == 2 && fleet.hosts[0].reserved_memory_bytes == 5);
    assert_string_equal(fleet.hosts[0].labels[0].value, "r2");
    assert_int_equal(fleet.hosts[0].freshness, FLEET_FRESH);
    assert_int_equal(fleet.hosts[1].state, FLEET_HOST_OFF);
    assert_string_equal(fleet.hosts[2].name, "h1");
    assert_int_equal(fleet.n_links, 3);
    assert_true(fleet.links[2].capacity_bytes_per_s == 4000); /* the lowest that the document knows */
    assert_int_equal(fleet.links[2].between[0].index, 2);

    assert_int_equal(fleet.n_vms, 2); /* vm2 is not on h2 any more, vm3's host has no agent */
    const struct fleet_vm *vm = &fleet.vms[fleet_doc_find_vm(&fleet, UUID_1)];
    assert_true(vm->memory_bytes == 4e9 && vm->downtime_budget_ms == 77 && vm->priority == 3);
    assert_string_equal(vm->labels[0].key, "app");
    assert_int_equal(fleet.n_rules, 2); /* the ban has no VM left */
    assert_int_equal(fleet.rules[0].n_vms, 1);
    assert_string_equal(fleet.vms[fleet.rules[0].vms[0]].uuid, UUID_1);
    assert_int_equal(fleet.rules[1].type, FLEET_RULE_FENCE);
    assert_string_equal(fleet.vms[fleet.rules[1].vms[0]].uuid, UUID_3);
    assert_string_equal(fleet.hosts[fleet.rules[1].hosts[0]].name, "spare");
    fleet_doc_dispose(&fleet);

    SAY(state, "spare", start, NULL); /* its agent speaks: it is on, and empty */
    fleet = export_at(state, start);
    assert_int_equal(fleet.hosts[1].state, FLEET_HOST_ON);
    assert_int_equal(fleet.n_vms, 1);
    fleet_doc_dispose(&fleet);
}

static void test_export_stands_alone(void **context) {
    struct fleet_state *state = *context;
    SAY(state, "h1", start, "1r", NULL);
    assert_int_equal(predict(state, "h1", UUID_1, "b", 1, 100), DC_OK);
    struct fleet fleet = export_at(state, start);
    SAY(state, "h1", start, "2r", NULL);
    assert_int_equal(fleet.n_vms, 1);
    assert_string_equal(fleet.vms[0].name, "vm1");
    assert_int_equal(fleet.vms[0].profile.kind, DIRTY_PROFILE_QUANTILES);
    assert_true(fleet.vms[0].profile.zero_pages == 7 && fleet.vms[0].profile.p95.n_points == 1);
    fleet_doc_dispose(&fleet);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_restored_hosts_are_late_at_least, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_snapshot_replaces_the_set_and_keeps_predictions, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gone_vms_are_forgotten_after_a_while, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gone_vms_are_bounded_in_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_arriving_vm_stays_with_its_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_moved_vm_is_its_new_hosts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_latest_sample_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_restored_vms, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_topology_every_host_has_a_nic, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_topology_is_merged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_export_stands_alone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
