/* Bad fleet documents, one row each: what is changed in a good one, and the line it must give. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_doc.h"

#include "tests/unit/proto/doc_patch.h"
#include "tests/unit/proto/fleet_texts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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
    {"defaults", "[]", "defaults: expected an object, got an empty array", 0},
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
    {"vms.0.policy", "[]", "vms[0].policy: expected an object, got an empty array", 0},
    {"vms.0.policy.name", NULL, "vms[0].policy.name: expected the name of a stop policy, got nothing", 0},
    {"vms.0.policy.name", "\"vmotion\"",
     "vms[0].policy.name: unknown policy \"vmotion\"; known: xen-v2, xen-legacy, xapi, qemu", 0},
    {"vms.0.policy.auto_converge", "1", "vms[0].policy.auto_converge: expected true or false, got 1", 0},
    {"vms.0.policy.throttle_max_frac", "1",
     "vms[0].policy.throttle_max_frac: expected a number >= 0 and <= 0.99, got 1", 0},
    {"vms.0.policy.postcopy", "\"yes\"",
     "vms[0].policy.postcopy: expected \"never\", \"at_once\" or \"after_round\", got \"yes\"", 0},
    {"vms.0.policy.max_rounds", "-1", "vms[0].policy.max_rounds: expected an integer >= 0 and <= 1000000, got -1", 0},
    {"defaults", "{\"vm\": {\"policy\": {\"name\": \"x\"}}}",
     "vms[2].policy.name (from defaults.vm): unknown policy \"x\"; known: xen-v2, xen-legacy, xapi, qemu", 0},
    {"vms.0.overhead.from_agent", "1", "vms[0].overhead.from_agent: expected true or false, got 1", 0},
    {"calibration", "{}", "calibration: expected an array, got an object", 0},
    {"calibration.0", "1", "calibration[0]: expected an object, got 1", 0},
    {"calibration.1.n", NULL, "calibration[1].n: expected an integer >= 0, got nothing", 0},
    {"calibration.0.goodput_frac", "1.01", "calibration[0].goodput_frac: expected a number > 0 and <= 1, got 1.01", 0},
    {"calibration.0.from", "7", "calibration[0].from: expected a string that is not empty, got 7", 0},
    {"observations.0.vm", NULL, "observations[0].vm: expected a string that is not empty, got nothing", 0},
    {"observations.1.succeeded", "null", "observations[1].succeeded: expected true or false, got null", 0},
    {"observations.0.bytes", "-1", "observations[0].bytes: expected an integer >= 0 or null, got -1", 0},
    {"observations.0.predicted.bytes", NULL, "observations[0].predicted.bytes: expected an integer >= 0, got nothing",
     0},
    {"observations.0.predicted.downtime_ms", NULL,
     "observations[0].predicted.downtime_ms: expected an object with p50 and p95, got nothing", 0},
    {"vms.0.overhead.pre_ms", "-1", "vms[0].overhead.pre_ms: expected an integer >= 0, got -1", 0},
    {"vms.0.storage.0.size_bytes", "-1", "vms[0].storage[0].size_bytes: expected an integer >= 0, got -1", 0},
    {"vms.0.storage.0.block_bytes", "0", "vms[0].storage[0].block_bytes: expected an integer >= 1 or null, got 0", 0},
    {"vms.0.storage.0.profile", "[]",
     "vms[0].storage[0].profile: expected an array of at least one [window in seconds, pages], got an empty array", 0},
    {"vms.0.storage.0.profile.1.0", "1",
     "vms[0].storage[0].profile[1][0]: expected a number > 1 (windows ascend), got 1", 0},
    {"vms.0.storage.0", "[]", "vms[0].storage[0]: expected an object, got an empty array", 0},
};

static const struct bad_case bad_models[] = {
    {"vms.0.profile.kind", "\"guess\"",
     "vms[0].profile.kind: expected \"curve\", \"rate\" or \"quantiles\", got \"guess\"", 0},
    {"vms.0.profile.bursts", "[]", "vms[0].profile.bursts: expected an array of at least one burst, got an empty array",
     0},
    {"vms.0.profile.bursts.1.points", "[]",
     "vms[0].profile.bursts[1].points: expected an array of at least one [window in seconds, pages], got an empty "
     "array",
     0},
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
    {"rules.0.vms", "[]", "rules[0].vms: expected at least one VM, got an empty array", 0},
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
        char *text = doc_patch(fleet_text_full, cases[i].path, cases[i].value);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refuses_bad_frames), cmocka_unit_test(test_refuses_bad_hosts_and_network),
        cmocka_unit_test(test_refuses_bad_vms),    cmocka_unit_test(test_refuses_bad_models),
        cmocka_unit_test(test_refuses_bad_rules),  cmocka_unit_test(test_refuses_what_is_no_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
