/* The fleet document: reading, defaults, every kind of bad input, writing. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_doc.h"

#include "tests/unit/proto/doc_patch.h"

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

/* Everything the format has, once. */
static const char full[] =
    "{\"format\": \"decamp/fleet\", \"format_version\": \"1.0\", \"taken_unix_ms\": 1790000000000,"
    " \"hosts\": ["
    "  {\"name\": \"h1\", \"state\": \"on\", \"cpus\": 32, \"memory_bytes\": 68719476736,"
    "   \"reserved_memory_bytes\": 4294967296, \"boot_s\": 90.5, \"shutdown_s\": 20, \"idle_watts\": 100,"
    "   \"peak_watts\": 250, \"max_migrations\": 4, \"seen_unix_ms\": 1789999999000, \"freshness\": \"late\","
    "   \"cpu_features\": [\"avx2\", \"sse4\"], \"labels\": {\"rack\": \"r1\", \"zone\": \"\"}},"
    "  {\"name\": \"h2\", \"state\": \"maintenance\", \"memory_bytes\": 68719476736},"
    "  {\"name\": \"h3\", \"state\": \"off\", \"memory_bytes\": 68719476736}],"
    " \"switches\": [{\"name\": \"tor1\", \"capacity_bytes_per_s\": null},"
    "                {\"name\": \"core\", \"capacity_bytes_per_s\": 5000000000}],"
    " \"links\": ["
    "  {\"name\": \"h1-nic\", \"between\": [\"h1\", \"tor1\"], \"capacity_bytes_per_s\": 125000000,"
    "   \"goodput_frac\": 0.9, \"background_bytes_per_s\": 1000000.5},"
    "  {\"name\": \"h2-nic\", \"between\": [\"tor1\", \"h2\"], \"capacity_bytes_per_s\": 125000000},"
    "  {\"name\": \"up\", \"between\": [\"tor1\", \"core\"], \"capacity_bytes_per_s\": 1250000000},"
    "  {\"name\": \"h3-nic\", \"between\": [\"h3\", \"core\"], \"capacity_bytes_per_s\": 125000000}],"
    " \"vms\": ["
    "  {\"uuid\": \"u1\", \"name\": \"web1\", \"host\": \"h1\", \"state\": \"paused\", \"memory_bytes\": 4294967296,"
    "   \"vcpus\": 2, \"cpu_cores_used\": 0.7, \"downtime_budget_ms\": 300, \"priority\": -1.5,"
    "   \"seen_unix_ms\": 1789999999500, \"cpu_features\": [\"avx2\"], \"labels\": {\"app\": \"shop\"},"
    "   \"policy\": {\"name\": \"qemu\", \"downtime_limit_ms\": 200, \"max_bandwidth_bytes_per_s\": 134217728,"
    "                \"auto_converge\": true},"
    "   \"profile\": {\"kind\": \"curve\", \"zero_pages\": 1000, \"bursts\": ["
    "     {\"at_unix_ms\": 1789999000000, \"points\": [[0.125, 900], [0.25, 850], [1, 3000]]},"
    "     {\"at_unix_ms\": 0, \"points\": [[0.5, 10]]}]},"
    "   \"prediction\": {\"made_unix_ms\": 1789999100000, \"grid\": ["
    "     {\"bandwidth_bytes_per_s\": 50000000.25, \"migration_ms\": {\"p50\": 90000, \"p95\": 95000},"
    "      \"downtime_ms\": {\"p50\": 200, \"p95\": 260}, \"bytes\": 4500000000, \"rounds\": 5, \"converges\": false},"
    "     {\"bandwidth_bytes_per_s\": 100000000, \"migration_ms\": {\"p50\": 44000, \"p95\": 46000},"
    "      \"downtime_ms\": {\"p50\": 100, \"p95\": 130}, \"bytes\": 4400000000, \"rounds\": 4}]},"
    "   \"overhead\": {\"pre_ms\": 200, \"post_ms\": 30, \"in_flight_bytes\": 1000000, \"suspend_pages\": 12},"
    "   \"storage\": [{\"name\": \"disk0\", \"size_bytes\": 10737418240, \"local\": true,"
    "                  \"write_bytes_per_s\": 2000000}]},"
    "  {\"uuid\": \"u2\", \"host\": \"h1\", \"memory_bytes\": 1073741824, \"policy\": {\"name\": \"xen-v2\","
    "   \"max_rounds\": 7}, \"profile\": {\"kind\": \"rate\", \"pages_per_s\": 12.5, \"working_set_pages\": 4096}},"
    "  {\"uuid\": \"u3\", \"name\": \"twin\", \"host\": \"h2\", \"memory_bytes\": 1073741824,"
    "   \"profile\": {\"kind\": \"quantiles\", \"zero_pages\": 5, \"p50\": [[1, 10], [2, 15]], \"p95\": [[1, 40]]}},"
    "  {\"uuid\": \"u4\", \"name\": \"twin\", \"host\": \"h3\", \"state\": \"shutoff\", \"memory_bytes\": 1}],"
    " \"rules\": ["
    "  {\"type\": \"spread\", \"vms\": [\"u1\", \"u2\"], \"continuous\": true},"
    "  {\"type\": \"fence\", \"vms\": [\"web1\"], \"hosts\": [\"h1\", \"h3\"], \"hard\": false},"
    "  {\"type\": \"max_online\", \"hosts\": [\"h1\", \"h2\"], \"max\": 1}]}";

static const char minimal[] = "{\"format\": \"decamp/fleet\", \"format_version\": \"1.0\","
                              " \"hosts\": [{\"name\": \"h1\", \"memory_bytes\": 1000}, {\"name\": \"switch\", "
                              "\"memory_bytes\": 1000}],"
                              " \"vms\": [{\"uuid\": \"u1\", \"host\": \"h1\", \"memory_bytes\": 10}]}";

static void read_good(const char *text, struct fleet *fleet) {
    struct dc_error err = DC_ERROR_NONE;
    const enum dc_status rc = fleet_doc_read(text, strlen(text), fleet, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, DC_OK);
}

static void test_reads_hosts_and_network(void **state) {
    struct fleet fleet;
    (void)state;
    read_good(full, &fleet);
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
    read_good(full, &fleet);
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
    assert_string_equal(fleet.vms[1].name, "u2");
    assert_int_equal(fleet.vms[1].policy.max_rounds, 7);
    assert_true(fleet.vms[1].policy.target_dirty_pages == 50);
    assert_true(fleet.vms[1].policy.max_bandwidth_bytes_per_s == 0);
    assert_int_equal(fleet.vms[1].profile.kind, DIRTY_PROFILE_RATE);
    assert_int_equal(fleet.vms[2].profile.kind, DIRTY_PROFILE_QUANTILES);
    assert_int_equal(fleet.vms[2].profile.p50.n_points, 2);
    assert_int_equal(fleet.n_rules, 3);
    assert_true(fleet.rules[0].continuous && fleet.rules[0].hard && !fleet.rules[1].hard);
    assert_int_equal(fleet.rules[1].vms[0], 0);
    assert_int_equal(fleet.rules[1].hosts[1], 2);
    assert_int_equal(fleet.rules[2].max, 1);
    fleet_doc_dispose(&fleet);
}

static void test_fills_in_what_is_left_out(void **state) {
    struct fleet fleet;
    (void)state;
    read_good(minimal, &fleet);
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
    char *text = doc_patch(minimal, "defaults",
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

struct bad_case {
    const char *path;
    const char *value; /* JSON, NULL: removed */
    const char *error; /* the whole line, or its beginning if it ends with "*" */
    enum dc_status rc; /* DC_OK stands for DC_EINVAL */
};

static const struct bad_case bad_frames[] = {
    {"format", "\"decamp/plan\"", "format: expected \"decamp/fleet\", got \"decamp/plan\"", 0},
    {"format", NULL, "format: expected \"decamp/fleet\", got nothing", 0},
    {"format_version", "\"2.0\"", "format_version: expected a version 1.x, got \"2.0\"", DC_EVERSION},
    {"format_version", "\"10.0\"", "format_version: expected a version 1.x, got \"10.0\"", DC_EVERSION},
    {"format_version", "\"99999999999999999999.0\"", "format_version: expected a version 1.x*", DC_EVERSION},
    {"format_version", "1.0", "format_version: expected \"MAJOR.MINOR\" such as \"1.0\", got 1", 0},
    {"format_version", "\"1\"", "format_version: expected \"MAJOR.MINOR\"*", 0},
    {"format_version", "\"1.0b\"", "format_version: expected \"MAJOR.MINOR\"*", 0},
    {"taken_unix_ms", "-1", "taken_unix_ms: expected an integer >= 0, got -1", 0},
    {"hosts", NULL, "hosts: expected an array, got nothing", 0},
    {"hosts", "{}", "hosts: expected an array, got an object", 0},
    {"vms", NULL, "vms: expected an array, got nothing", 0},
    {"rules", "null", "rules: expected an array, got null", 0},
    {"defaults", "[]", "defaults: expected an object, got an array", 0},
    {"defaults", "{\"vm\": 1}", "defaults.vm: expected an object, got 1", 0},
};

static const struct bad_case bad_nodes[] = {
    {"hosts.1.name", "\"h1\"", "hosts[1].name: duplicate of hosts[0].name", 0},
    {"hosts.1.name", "\"\"", "hosts[1].name: expected a string that is not empty, got \"\"", 0},
    {"hosts.0.state", "\"up\"", "hosts[0].state: expected \"on\", \"off\" or \"maintenance\", got \"up\"", 0},
    {"hosts.0.memory_bytes", "0", "hosts[0].memory_bytes: expected an integer >= 1, got 0", 0},
    {"hosts.0.memory_bytes", "1.5", "hosts[0].memory_bytes: expected an integer >= 1, got 1.5", 0},
    {"hosts.0.memory_bytes", "9007199254740992",
     "hosts[0].memory_bytes: expected an integer >= 1 below 2^53, got 9007199254740992", 0},
    {"hosts.0.memory_bytes", "1e300", "hosts[0].memory_bytes: expected an integer >= 1 below 2^53, got 1e+300", 0},
    {"hosts.0.reserved_memory_bytes", "68719476737",
     "hosts[0].reserved_memory_bytes: expected at most memory_bytes = 68719476736, got 68719476737", 0},
    {"hosts.0.max_migrations", "-1", "hosts[0].max_migrations: expected an integer >= 0, got -1", 0},
    {"hosts.0.cpu_features", "[\"a\", 5]", "hosts[0].cpu_features[1]: expected a string that is not empty, got 5", 0},
    {"hosts.0.labels", "{\"rack\": 1}", "hosts[0].labels.rack: expected a string, got 1", 0},
    {"hosts.0.freshness", "\"old\"",
     "hosts[0].freshness: expected \"fresh\", \"late\", \"stale\" or \"lost\", got \"old\"", 0},
    {"hosts.2", "7", "hosts[2]: expected an object, got 7", 0},
    {"switches.0.name", "\"h2\"", "switches[0].name: duplicate of hosts[1].name", 0},
    {"switches.1.name", "\"tor1\"", "switches[1].name: duplicate of switches[0].name", 0},
    {"switches.1.capacity_bytes_per_s", "0", "switches[1].capacity_bytes_per_s: expected a number > 0 or null, got 0",
     0},
    {"links.0.between", "[\"h1\", \"x\"]", "links[0].between[1]: unknown host or switch \"x\"", 0},
    {"links.0.between", "[\"h1\", \"h1\"]", "links[0].between: expected two different ends, got \"h1\"", 0},
    {"links.0.between", "[\"h1\"]", "links[0].between: expected an array of two names of hosts or switches, got 1", 0},
    {"links.0.between", NULL, "links[0].between: expected an array of two names of hosts or switches, got 0", 0},
    {"links.0.between", "[3, \"h1\"]", "links[0].between[0]: expected the name of a host or switch, got 3", 0},
    {"links.1.name", "\"h1-nic\"", "links[1].name: duplicate of links[0].name", 0},
    {"links.0.capacity_bytes_per_s", NULL, "links[0].capacity_bytes_per_s: expected a number > 0, got nothing", 0},
    {"links.0.goodput_frac", "0", "links[0].goodput_frac: expected a number > 0 and <= 1, got 0", 0},
    {"links.0.goodput_frac", "1.01", "links[0].goodput_frac: expected a number > 0 and <= 1, got 1.01", 0},
    {"links.0.background_bytes_per_s", "112500000",
     "links[0].background_bytes_per_s: expected a number below capacity_bytes_per_s x goodput_frac = 112500000, got "
     "112500000",
     0},
    {"defaults", "{\"link\": {\"goodput_frac\": 2}}",
     "links[1].goodput_frac (from defaults.link): expected a number > 0 and <= 1, got 2", 0},
};

static const struct bad_case bad_vms[] = {
    {"vms.1.uuid", "\"u1\"", "vms[1].uuid: duplicate of vms[0].uuid", 0},
    {"vms.1.uuid", NULL, "vms[1].uuid: expected a string that is not empty, got nothing", 0},
    {"vms.1.host", "\"h9\"", "vms[1].host: unknown host \"h9\"", 0},
    {"vms.1.host", "\"tor1\"", "vms[1].host: unknown host \"tor1\"", 0},
    {"vms.1.host", "\"a\\nb\"", "vms[1].host: unknown host \"a?b\"", 0},
    {"vms.1.host", NULL, "vms[1].host: expected the name of a host, got nothing", 0},
    {"vms.3.memory_bytes", "-5", "vms[3].memory_bytes: expected an integer >= 1, got -5", 0},
    {"vms.3.memory_bytes", "\"5\"", "vms[3].memory_bytes: expected an integer >= 1, got \"5\"", 0},
    {"vms.0.downtime_budget_ms", "-1", "vms[0].downtime_budget_ms: expected an integer >= 0 or null, got -1", 0},
    {"vms.0.state", "3", "vms[0].state: expected \"running\", \"paused\", \"shutoff\" or \"migrating\", got 3", 0},
    {"vms.0.policy", "[]", "vms[0].policy: expected an object, got an array", 0},
    {"vms.0.policy.name", NULL, "vms[0].policy.name: expected the name of a stop policy, got nothing", 0},
    {"vms.0.policy.name", "\"xapi\"",
     "vms[0].policy.name: policy \"xapi\" is not supported by this version; known: xen-v2, qemu", DC_EUNSUPPORTED},
    {"vms.0.policy.name", "\"vmotion\"", "vms[0].policy.name: unknown policy \"vmotion\"; known: xen-v2, qemu", 0},
    {"vms.0.policy.auto_converge", "1", "vms[0].policy.auto_converge: expected true or false, got 1", 0},
    {"vms.0.policy.max_rounds", "-1", "vms[0].policy.max_rounds: expected an integer >= 0 and <= 1000000, got -1", 0},
    {"defaults", "{\"vm\": {\"policy\": {\"name\": \"x\"}}}",
     "vms[2].policy.name (from defaults.vm): unknown policy \"x\"; known: xen-v2, qemu", 0},
    {"vms.0.overhead.pre_ms", "-1", "vms[0].overhead.pre_ms: expected an integer >= 0, got -1", 0},
    {"vms.0.storage.0.size_bytes", "-1", "vms[0].storage[0].size_bytes: expected an integer >= 0, got -1", 0},
    {"vms.0.storage.0", "[]", "vms[0].storage[0]: expected an object, got an array", 0},
};

static const struct bad_case bad_models[] = {
    {"vms.0.profile.kind", "\"guess\"",
     "vms[0].profile.kind: expected \"curve\", \"rate\" or \"quantiles\", got \"guess\"", 0},
    {"vms.0.profile.bursts", "[]", "vms[0].profile.bursts: expected an array of at least one burst, got an array", 0},
    {"vms.0.profile.bursts.1.points", "[]",
     "vms[0].profile.bursts[1].points: expected an array of at least one [window in seconds, pages], got an array", 0},
    {"vms.0.profile.bursts.0.points.1.0", "0.125",
     "vms[0].profile.bursts[0].points[1][0]: expected a number > 0.125 (windows ascend), got 0.125", 0},
    {"vms.0.profile.bursts.0.points.0.0", "0", "vms[0].profile.bursts[0].points[0][0]: expected a number > 0, got 0",
     0},
    {"vms.0.profile.bursts.0.points.0.1", "-1",
     "vms[0].profile.bursts[0].points[0][1]: expected an integer >= 0, got -1", 0},
    {"vms.0.profile.bursts.0.points.0", "[1, 2, 3]",
     "vms[0].profile.bursts[0].points[0]: expected [window in seconds, pages], got an array", 0},
    {"vms.1.profile.pages_per_s", "-3", "vms[1].profile.pages_per_s: expected a number >= 0, got -3", 0},
    {"vms.2.profile.p95", NULL,
     "vms[2].profile.p95: expected an array of at least one [window in seconds, pages], got nothing", 0},
    {"vms.0.prediction.grid", NULL, "vms[0].prediction.grid: expected an array of at least one point, got nothing", 0},
    {"vms.0.prediction.grid.1.bandwidth_bytes_per_s", "50000000.25",
     "vms[0].prediction.grid[1].bandwidth_bytes_per_s: expected a number > 50000000.25 (bandwidths ascend), got "
     "50000000.25",
     0},
    {"vms.0.prediction.grid.0.bandwidth_bytes_per_s", "0",
     "vms[0].prediction.grid[0].bandwidth_bytes_per_s: expected a number > 0, got 0", 0},
    {"vms.0.prediction.grid.0.downtime_ms.p95", NULL,
     "vms[0].prediction.grid[0].downtime_ms.p95: expected an integer >= 0, got nothing", 0},
    {"vms.0.prediction.grid.0.migration_ms", NULL,
     "vms[0].prediction.grid[0].migration_ms: expected an object with p50 and p95, got nothing", 0},
};

static const struct bad_case bad_rules[] = {
    {"rules.0.type", "\"near\"", "rules[0].type: expected \"spread\", \"gather\",*", 0},
    {"rules.0.type", NULL, "rules[0].type: expected \"spread\",*", 0},
    {"rules.0.vms.1", "\"u9\"", "rules[0].vms[1]: unknown VM \"u9\"", 0},
    {"rules.0.vms.1", "\"twin\"", "rules[0].vms[1]: several VMs are called \"twin\": give the uuid", 0},
    {"rules.0.vms.1", "\"web1\"", "rules[0].vms[1]: duplicate of vms[0]", 0},
    {"rules.0.vms.1", "1", "rules[0].vms[1]: expected a name, got 1", 0},
    {"rules.0.vms", "[]", "rules[0].vms: expected at least one VM, got an array", 0},
    {"rules.1.hosts.1", "\"h1\"", "rules[1].hosts[1]: duplicate of hosts[0]", 0},
    {"rules.1.hosts.1", "\"tor1\"", "rules[1].hosts[1]: unknown host \"tor1\"", 0},
    {"rules.1.hosts", NULL, "rules[1].hosts: expected at least one host, got nothing", 0},
    {"rules.2.max", NULL, "rules[2].max: expected an integer >= 0, got nothing", 0},
};

static void check_bad_text(const char *text, size_t n_bytes, const char *error, enum dc_status rc) {
    struct fleet fleet;
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(fleet_doc_read(text, n_bytes, &fleet, &err), rc);
    const size_t n = strlen(error);
    if (n > 0 && error[n - 1] == '*')
        assert_memory_equal(err.text, error, n - 1);
    else
        assert_string_equal(err.text, error);
    assert_null(strchr(err.text, '\n'));
    assert_null(fleet.hosts);
    assert_int_equal(fleet.n_vms, 0);
}

static void check_bad(const struct bad_case *cases, size_t n_cases) {
    for (size_t i = 0; i < n_cases; i++) {
        char *text = doc_patch(full, cases[i].path, cases[i].value);
        assert_non_null(text);
        check_bad_text(text, strlen(text), cases[i].error, cases[i].rc != DC_OK ? cases[i].rc : DC_EINVAL);
        free(text);
    }
}

#define CHECK_BAD(cases) check_bad(cases, sizeof(cases) / sizeof((cases)[0]))

static void test_refuses_bad_frames(void **state) {
    (void)state;
    CHECK_BAD(bad_frames);
}

static void test_refuses_bad_hosts_and_network(void **state) {
    (void)state;
    CHECK_BAD(bad_nodes);
}

static void test_refuses_bad_vms(void **state) {
    (void)state;
    CHECK_BAD(bad_vms);
}

static void test_refuses_bad_models(void **state) {
    (void)state;
    CHECK_BAD(bad_models);
}

static void test_refuses_bad_rules(void **state) {
    (void)state;
    CHECK_BAD(bad_rules);
}

static void test_refuses_what_is_no_json(void **state) {
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "{\"format\": NaN}",
        "{\"format\": Infinity}",
        "{\"a\": 1, \"a\": 2}",
        "{\"a\": \"\xff\"}",
        "{\"a\": \"\xc0\xaf\"}",
        "{\"a\": 1e999}",
        "{\"a\": 99999999999999999999}",
        "{\"a\": 01}",
        "{} {}",
        "{}x",
        "{\"a\": \"\\u0000\"}",
        "nonsense\nnonsense",
        "\xef\xbb\xbf{}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        check_bad_text(texts[i], strlen(texts[i]), "*", DC_EPARSE);
    check_bad_text("{\"a\": 1, \"a\": 2}", 16, "line 1, column 12: duplicate object key*", DC_EPARSE);
    check_bad_text("[1]", 3, "expected an object, got an array", DC_EINVAL);
    check_bad_text("5", 1, "*", DC_EPARSE);
    check_bad_text("{}\0", 3, "*", DC_EPARSE);
    char deep[10000];
    memset(deep, '[', sizeof(deep));
    check_bad_text(deep, sizeof(deep), "*", DC_EPARSE);
}

static void test_takes_a_higher_minor_and_unknown_keys(void **state) {
    struct fleet fleet;
    (void)state;
    char *newer = doc_patch(full, "format_version", "\"1.7\"");
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
    assert_true(fputs(full, file) >= 0);
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
    static const char *const texts[] = {full, minimal};
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
    read_good(full, &fleet);
    char *text = write_good(&fleet);
    read_good(text, &copy);
    assert_int_equal(copy.hosts[0].freshness, FLEET_LATE);
    assert_true(copy.links[0].background_bytes_per_s == 1000000.5);
    assert_true(copy.vms[0].profile.bursts[0].curve.points[0].window_s == 0.125);
    assert_true(copy.vms[0].prediction.points[0].bandwidth_bytes_per_s == 50000000.25);
    assert_false(copy.vms[0].prediction.points[0].converges);
    assert_true(copy.vms[0].policy.auto_converge && copy.vms[0].policy.max_bandwidth_bytes_per_s == 134217728);
    assert_int_equal(copy.vms[1].policy.max_rounds, 7);
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
    read_good(full, &fleet);
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
    read_good(full, &fleet);
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
    read_good(full, &fleet);
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
        cmocka_unit_test(test_fills_in_what_is_left_out),
        cmocka_unit_test(test_defaults_of_the_document),
        cmocka_unit_test(test_refuses_bad_frames),
        cmocka_unit_test(test_refuses_bad_hosts_and_network),
        cmocka_unit_test(test_refuses_bad_vms),
        cmocka_unit_test(test_refuses_bad_models),
        cmocka_unit_test(test_refuses_bad_rules),
        cmocka_unit_test(test_refuses_what_is_no_json),
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
