/* The fleet document: reading, defaults, writing. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_doc.h"

#include "tests/unit/proto/doc_patch.h"
#include "tests/unit/proto/fleet_texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void read_good(const char *text, struct fleet *fleet) {
    struct dc_error err = DC_ERROR_NONE;
    const enum dc_status rc = fleet_doc_read(text, strlen(text), fleet, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, DC_OK);
}

static void test_reads_hosts_and_network(void **state) {
    struct fleet fleet;
    (void)state;
    read_good(fleet_text_full, &fleet);
    assert_int_equal(fleet.taken_unix_ms, 1790000000000);
    assert_int_equal(fleet.n_hosts, 3);
    const struct fleet_host *host = &fleet.hosts[0];
    assert_string_equal(host->name, "h1");
    assert_true(host->boot_s == 90.5 && host->reserved_memory_bytes == 4294967296.0 && host->max_migrations == 4);
    assert_int_equal(host->freshness, FLEET_LATE);
    assert_int_equal(host->seen_unix_ms, 1789999999000);
    assert_string_equal(host->cpu_features[1], "sse4");
    assert_string_equal(host->labels[1].key, "zone");
    assert_string_equal(host->labels[1].value, "");
    assert_int_equal(fleet.hosts[1].state, FLEET_HOST_MAINTENANCE);
    assert_int_equal(fleet.hosts[2].state, FLEET_HOST_OFF);
    assert_true(fleet.switches[0].capacity_bytes_per_s == FLEET_UNSET);
    assert_true(fleet.switches[1].capacity_bytes_per_s == 5e9);
    assert_int_equal(fleet.n_links, 4);
    assert_false(fleet.links[0].between[0].is_switch);
    assert_true(fleet.links[1].between[0].is_switch);
    assert_int_equal(fleet.links[1].between[1].index, 1);
    assert_true(fleet.links[0].goodput_frac == 0.9 && fleet.links[1].goodput_frac == 0.94);
    fleet_doc_dispose(&fleet);
    fleet_doc_dispose(&fleet);
}

static void test_reads_vms_and_rules(void **state) {
    struct fleet fleet;
    (void)state;
    read_good(fleet_text_full, &fleet);
    const struct fleet_vm *vm = &fleet.vms[0];
    assert_int_equal(vm->state, FLEET_VM_PAUSED);
    assert_true(vm->downtime_budget_ms == 300 && vm->priority == -1.5);
    assert_true(vm->has_policy && vm->policy.auto_converge && vm->policy.downtime_limit_ms == 200);
    assert_true(vm->policy.max_bandwidth_bytes_per_s == 134217728);
    assert_int_equal(vm->profile.kind, DIRTY_PROFILE_CURVE);
    assert_int_equal(vm->profile.n_bursts, 2);
    assert_true(vm->profile.bursts[0].curve.points[1].pages == 900); /* raised: counter noise */
    assert_int_equal(vm->prediction.n_points, 2);
    assert_false(vm->prediction.points[0].converges);
    assert_true(vm->prediction.points[1].converges);
    assert_true(vm->has_overhead && vm->overhead.suspend_pages == 12);
    assert_true(vm->storage[0].local);
    assert_true(vm->storage[0].allocated_bytes == 8000 && vm->storage[0].block_bytes == 512);
    assert_true(vm->storage[0].written.points[1].pages == 4);
    assert_true(vm->storage[1].allocated_bytes == 0 && vm->storage[1].block_bytes == 0);
    assert_int_equal(vm->storage[1].written.n_points, 0);
    assert_string_equal(fleet.vms[1].name, "u2");
    assert_int_equal(fleet.vms[1].policy.max_rounds, 7);
    assert_true(fleet.vms[1].policy.target_dirty_pages == 50);
    assert_true(fleet.vms[1].policy.max_bandwidth_bytes_per_s == 0);
    assert_int_equal(fleet.vms[1].profile.kind, DIRTY_PROFILE_RATE);
    assert_int_equal(fleet.vms[2].profile.kind, DIRTY_PROFILE_QUANTILES);
    assert_int_equal(fleet.vms[2].profile.p50.n_points, 2);
    assert_int_equal(fleet.vms[2].profile.n_hours, 1);
    assert_int_equal(fleet.vms[2].profile.hours[0].basis, DIRTY_BASIS_HOUR_OF_DAY);
    assert_int_equal(fleet.n_rules, 3);
    assert_true(fleet.rules[0].continuous && fleet.rules[0].hard && !fleet.rules[1].hard);
    assert_int_equal(fleet.rules[1].vms[0], 0);
    assert_int_equal(fleet.rules[1].hosts[1], 2);
    assert_int_equal(fleet.rules[2].max, 1);
    fleet_doc_dispose(&fleet);
}

static void test_reads_what_was_learned(void **state) {
    struct fleet fleet;
    (void)state;
    read_good(fleet_text_full, &fleet);
    assert_int_equal(fleet.n_calibration, 2);
    assert_null(fleet.calibration[0].from);
    assert_int_equal(fleet.calibration[0].n, 12);
    assert_true(fleet.calibration[0].pre_ms == 41.5 && fleet.calibration[0].spread_frac == 0.015);
    assert_string_equal(fleet.calibration[1].from, "h1");
    assert_null(fleet.calibration[1].to);
    assert_int_equal(fleet.n_observations, 2);
    const struct fleet_observation *seen = &fleet.observations[0];
    assert_string_equal(seen->to, "h2");
    assert_true(seen->migration_ms == 45123.5 && seen->downtime_ms == 120 && seen->startup_ms == 400);
    assert_true(seen->succeeded && seen->predicted.converges);
    assert_true(seen->predicted.migration_ms.p95 == 46000 && seen->predicted.goodput_frac == 0.9);
    assert_true(seen->suspended_unix_ms == 1789998045000);
    const struct fleet_observation *failed = &fleet.observations[1];
    assert_true(failed->migration_ms == FLEET_UNSET && failed->bytes == FLEET_UNSET);
    assert_true(failed->predicted.bandwidth_bytes_per_s == 0);
    assert_null(failed->to);
    assert_false(fleet.vms[0].overhead_is_agents);
    assert_true(fleet.links[0].has_goodput && !fleet.links[1].has_goodput);
    fleet_doc_dispose(&fleet);
    char *text = doc_patch(fleet_text_full, "vms.0.overhead.from_agent", "true");
    read_good(text, &fleet);
    assert_true(fleet.vms[0].overhead_is_agents);
    fleet_doc_dispose(&fleet);
    free(text);
}

static void test_one_observation_goes_round(void **state) {
    struct fleet fleet;
    struct fleet_observation copy;
    struct fleet_observation back;
    struct dc_error err = DC_ERROR_NONE;
    char *first = NULL;
    char *second = NULL;
    (void)state;
    read_good(fleet_text_full, &fleet);
    for (size_t i = 0; i < fleet.n_observations; i++) {
        assert_int_equal(fleet_observation_copy(&fleet.observations[i], &copy, &err), DC_OK);
        assert_int_equal(fleet_observation_write(&copy, &first, &err), DC_OK);
        assert_int_equal(fleet_observation_read(first, strlen(first), &back, &err), DC_OK);
        assert_int_equal(fleet_observation_write(&back, &second, &err), DC_OK);
        assert_string_equal(first, second);
        fleet_observation_dispose(&copy);
        fleet_observation_dispose(&back);
        free(first);
        free(second);
    }
    fleet_doc_dispose(&fleet);
    static const char nameless[] = "{\"format\": \"decamp/observation\", \"format_version\": \"1.0\"}";
    assert_int_equal(fleet_observation_read(nameless, strlen(nameless), &back, &err), DC_EINVAL);
    assert_null(back.vm);
}

static void test_fills_in_what_is_left_out(void **state) {
    struct fleet fleet;
    (void)state;
    read_good(fleet_text_minimal, &fleet);
    const struct fleet_host *host = &fleet.hosts[0];
    assert_true(host->state == FLEET_HOST_ON && host->boot_s == 120 && host->shutdown_s == 30);
    assert_true(host->idle_watts == 150 && host->peak_watts == 300 && host->max_migrations == 0);
    assert_int_equal(fleet.n_switches, 1);
    assert_string_equal(fleet.switches[0].name, "switch-2"); /* a host is called "switch" */
    assert_int_equal(fleet.n_links, 2);
    assert_string_equal(fleet.links[1].name, "switch-nic");
    assert_true(fleet.links[1].capacity_bytes_per_s == 1.25e9 && fleet.links[1].goodput_frac == 0.94);
    const struct fleet_vm *vm = &fleet.vms[0];
    assert_string_equal(vm->name, "u1");
    assert_true(vm->vcpus == 1 && vm->downtime_budget_ms == FLEET_UNSET && vm->state == FLEET_VM_RUNNING);
    assert_false(vm->has_policy);
    assert_string_equal(vm->policy.policy->name, "xen-v2");
    assert_false(vm->has_overhead);
    assert_int_equal(vm->profile.kind, DIRTY_PROFILE_NONE);
    fleet_doc_dispose(&fleet);
}

static void test_defaults_of_the_document(void **state) {
    struct fleet fleet;
    (void)state;
    char *text = doc_patch(fleet_text_minimal, "defaults",
                           "{\"host\": {\"max_migrations\": 2, \"memory_bytes\": 5},"
                           " \"link\": {\"capacity_bytes_per_s\": 1000, \"goodput_frac\": 0.5},"
                           " \"vm\": {\"downtime_budget_ms\": 250, \"policy\": {\"name\": \"qemu\"},"
                           "          \"overhead\": {\"post_ms\": 9}}}");
    read_good(text, &fleet);
    assert_true(fleet.hosts[0].memory_bytes == 1000 && fleet.hosts[0].max_migrations == 2);
    assert_true(fleet.links[0].capacity_bytes_per_s == 1000 && fleet.links[0].goodput_frac == 0.5);
    assert_true(fleet.vms[0].downtime_budget_ms == 250 && fleet.vms[0].overhead.post_ms == 9);
    assert_string_equal(fleet.vms[0].policy.policy->name, "qemu");
    fleet_doc_dispose(&fleet);
    char *unset = doc_patch(text, "vms.0.downtime_budget_ms", "null");
    read_good(unset, &fleet);
    assert_true(fleet.vms[0].downtime_budget_ms == FLEET_UNSET);
    fleet_doc_dispose(&fleet);
    free(unset);
    free(text);
}

static void test_takes_a_higher_minor_and_unknown_keys(void **state) {
    struct fleet fleet;
    (void)state;
    char *newer = doc_patch(fleet_text_full, "format_version", "\"1.7\"");
    char *unknown = doc_patch(newer, "vms.0.colour", "{\"deep\": [1, 2]}");
    read_good(unknown, &fleet);
    fleet_doc_dispose(&fleet);
    free(newer);
    free(unknown);
}

static void test_reads_files(void **state) {
    struct fleet fleet;
    struct dc_error err = DC_ERROR_NONE;
    (void)state;
    char path[] = "/tmp/test_fleet_doc_XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    assert_true(fputs(fleet_text_full, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(fleet_doc_read_file(path, &fleet, &err), DC_OK);
    fleet_doc_dispose(&fleet);
    assert_int_equal(truncate(path, 20), 0);
    assert_int_equal(fleet_doc_read_file(path, &fleet, &err), DC_EPARSE);
    assert_memory_equal(err.text, path, strlen(path));
    assert_int_equal(unlink(path), 0);
    err = DC_ERROR_NONE;
    assert_int_equal(fleet_doc_read_file(path, &fleet, &err), DC_ENOTFOUND);
    assert_memory_equal(err.text, path, strlen(path));
}

static char *write_good(struct fleet *fleet) {
    struct dc_error err = DC_ERROR_NONE;
    char *text = NULL;
    const enum dc_status rc = fleet_doc_write(fleet, &text, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, DC_OK);
    return text;
}

static void test_writing_is_stable(void **state) {
    static const char *const texts[] = {fleet_text_full, fleet_text_minimal};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct fleet first, second;
        read_good(texts[i], &first);
        char *once = write_good(&first);
        char *again = write_good(&first);
        assert_string_equal(once, again);
        read_good(once, &second);
        assert_string_equal(first.digest, second.digest);
        char *twice = write_good(&second);
        assert_string_equal(once, twice);
        assert_string_equal(first.digest, second.digest);
        fleet_doc_dispose(&first);
        fleet_doc_dispose(&second);
        free(once);
        free(again);
        free(twice);
    }
}

static void test_writing_keeps_every_value(void **state) {
    struct fleet fleet, copy;
    (void)state;
    read_good(fleet_text_full, &fleet);
    char *text = write_good(&fleet);
    read_good(text, &copy);
    assert_int_equal(copy.hosts[0].freshness, FLEET_LATE);
    assert_true(copy.links[0].background_bytes_per_s == 1000000.5);
    assert_true(copy.vms[0].profile.bursts[0].curve.points[0].window_s == 0.125);
    assert_true(copy.vms[0].prediction.points[0].bandwidth_bytes_per_s == 50000000.25);
    assert_false(copy.vms[0].prediction.points[0].converges);
    assert_true(copy.vms[0].policy.auto_converge && copy.vms[0].policy.max_bandwidth_bytes_per_s == 134217728);
    assert_true(copy.vms[0].policy.throttle_initial_frac == 0.3 && copy.vms[0].policy.throttle_max_frac == 0);
    assert_int_equal(copy.vms[0].policy.postcopy, STOP_POLICY_POSTCOPY_AFTER_ROUND);
    assert_int_equal(copy.vms[1].policy.max_rounds, 7);
    assert_int_equal(copy.vms[2].profile.n_hours, 1);
    assert_int_equal(copy.vms[2].profile.hours[0].n_bursts, 9);
    assert_true(copy.vms[2].profile.hours[0].p95.points[0].pages == 6);
    assert_int_equal(copy.vms[1].policy.postcopy, STOP_POLICY_POSTCOPY_NEVER);
    assert_null(strstr(text, "\"never\""));
    assert_false(copy.vms[2].has_policy);
    assert_true(copy.vms[2].profile.p95.points[0].pages == 40);
    assert_int_equal(copy.vms[3].state, FLEET_VM_SHUTOFF);
    assert_int_equal(copy.rules[0].vms[1], 1);
    assert_false(copy.rules[1].hard);
    fleet_doc_dispose(&fleet);
    fleet_doc_dispose(&copy);
    free(text);
}

static void test_writing_rounds_milliseconds_and_pages(void **state) {
    struct fleet fleet, copy;
    (void)state;
    read_good(fleet_text_full, &fleet);
    fleet.vms[0].prediction.points[0].migration_ms.p50 = 90000.4;
    fleet.vms[0].profile.bursts[0].curve.points[2].pages = 2999.6;
    char *text = write_good(&fleet);
    read_good(text, &copy);
    assert_true(copy.vms[0].prediction.points[0].migration_ms.p50 == 90000);
    assert_true(copy.vms[0].profile.bursts[0].curve.points[2].pages == 3000);
    fleet_doc_dispose(&fleet);
    fleet_doc_dispose(&copy);
    free(text);
}

static void test_writing_refuses_what_json_cannot_say(void **state) {
    struct fleet fleet;
    struct dc_error err = DC_ERROR_NONE;
    char *text = NULL;
    (void)state;
    read_good(fleet_text_full, &fleet);
    fleet.vms[1].memory_bytes = 1.0 / 0.0;
    assert_int_equal(fleet_doc_write(&fleet, &text, &err), DC_EINVAL);
    assert_memory_equal(err.text, "vms[1]: ", 8);
    assert_null(text);
    fleet.vms[1].memory_bytes = 1;
    memcpy(fleet.hosts[2].name, "\xff", 1);
    err = DC_ERROR_NONE;
    assert_int_equal(fleet_doc_write(&fleet, &text, &err), DC_EINVAL);
    assert_memory_equal(err.text, "hosts[2]: ", 10);
    fleet_doc_dispose(&fleet);
}

static void test_finds_by_name(void **state) {
    struct fleet fleet;
    (void)state;
    read_good(fleet_text_full, &fleet);
    assert_int_equal(fleet_doc_find_host(&fleet, "h3"), 2);
    assert_int_equal(fleet_doc_find_host(&fleet, "tor1"), FLEET_NO_INDEX);
    assert_int_equal(fleet_doc_find_vm(&fleet, "u4"), 3);
    assert_int_equal(fleet_doc_find_vm(&fleet, "web1"), 0);
    assert_int_equal(fleet_doc_find_vm(&fleet, "twin"), FLEET_NO_INDEX);
    assert_int_equal(fleet_doc_find_vm(&fleet, "x"), FLEET_NO_INDEX);
    assert_string_equal(fleet_doc_host_state_text(FLEET_HOST_MAINTENANCE), "maintenance");
    assert_string_equal(fleet_doc_vm_state_text(FLEET_VM_MIGRATING), "migrating");
    assert_string_equal(fleet_doc_freshness_text(FLEET_LOST), "lost");
    assert_string_equal(fleet_doc_rule_text(FLEET_RULE_MAX_ONLINE), "max_online");
    fleet_doc_dispose(&fleet);
}

/* 10,000 VMs with a grid of 16 points each: seconds would be felt at every question. */
static void test_reads_a_large_fleet_fast(void **state) {
    enum { N_VMS = 10000, N_POINTS = 16, LIMIT_S = 10 };
    char *text = NULL;
    size_t n_bytes = 0;
    struct fleet fleet;
    (void)state;
    FILE *out = open_memstream(&text, &n_bytes);
    assert_non_null(out);
    (void)fprintf(out, "{\"format\": \"decamp/fleet\", \"format_version\": \"1.0\", \"hosts\": [");
    for (int i = 0; i < 500; i++)
        (void)fprintf(out, "%s{\"name\": \"h%d\", \"memory_bytes\": 1000000000000}", i > 0 ? "," : "", i);
    (void)fprintf(out, "], \"vms\": [");
    for (int i = 0; i < N_VMS; i++) {
        (void)fprintf(out, "%s{\"uuid\": \"u%d\", \"host\": \"h%d\", \"memory_bytes\": 4294967296,", i > 0 ? "," : "",
                      i, i % 500);
        (void)fprintf(out, "\"prediction\": {\"grid\": [");
        for (int j = 1; j <= N_POINTS; j++)
            (void)fprintf(out,
                          "%s{\"bandwidth_bytes_per_s\": %d, \"migration_ms\": {\"p50\": 1000, \"p95\": 1100},"
                          "\"downtime_ms\": {\"p50\": 100, \"p95\": 110}, \"bytes\": 4400000000}",
                          j > 1 ? "," : "", j * 1000000);
        (void)fprintf(out, "]}}");
    }
    (void)fprintf(out, "]}");
    assert_int_equal(fclose(out), 0);
    const clock_t before = clock();
    read_good(text, &fleet);
    const double took_s = (double)(clock() - before) / CLOCKS_PER_SEC;
    print_message("%.1f MB read in %.2f s\n", (double)n_bytes / 1e6, took_s);
    assert_int_equal(fleet.n_vms, N_VMS);
    assert_true(took_s < LIMIT_S); /* generous: sanitizers and loaded machines */
    fleet_doc_dispose(&fleet);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_hosts_and_network),
        cmocka_unit_test(test_reads_vms_and_rules),
        cmocka_unit_test(test_reads_what_was_learned),
        cmocka_unit_test(test_one_observation_goes_round),
        cmocka_unit_test(test_fills_in_what_is_left_out),
        cmocka_unit_test(test_defaults_of_the_document),
        cmocka_unit_test(test_takes_a_higher_minor_and_unknown_keys),
        cmocka_unit_test(test_reads_files),
        cmocka_unit_test(test_writing_is_stable),
        cmocka_unit_test(test_writing_keeps_every_value),
        cmocka_unit_test(test_writing_rounds_milliseconds_and_pages),
        cmocka_unit_test(test_writing_refuses_what_json_cannot_say),
        cmocka_unit_test(test_finds_by_name),
        cmocka_unit_test(test_reads_a_large_fleet_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
