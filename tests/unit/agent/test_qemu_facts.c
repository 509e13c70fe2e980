/* What QEMU 7.2 answers, and answers that no QEMU should give. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/qemu_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const answers[QEMU_FACTS_QUERIES] = {
    "{\"name\": \"web\"}",
    "{\"UUID\": \"11111111-2222-3333-4444-555555555555\"}",
    "{\"base-memory\": 1073741824, \"plugged-memory\": 536870912}",
    "[{\"cpu-index\": 0, \"thread-id\": 100}, {\"cpu-index\": 1, \"thread-id\": 101}]",
    "{\"enabled\": true, \"present\": true}",
    "{\"status\": \"running\", \"running\": true, \"singlestep\": false}",
    "{}",
    "{\"downtime-limit\": 250, \"max-bandwidth\": 134217728, \"max-cpu-throttle\": 90}",
    "[{\"capability\": \"xbzrle\", \"state\": false}, {\"capability\": \"auto-converge\", \"state\": true}]",
};

static enum dc_status take(struct qemu_facts *facts, size_t query, const char *text, struct dc_error *err) {
    json_t *value = json_loads(text, 0, NULL);
    assert_non_null(value);
    const enum dc_status rc = qemu_facts_take(facts, query, value, err);
    json_decref(value);
    return rc;
}

static size_t query_called(const char *name) {
    for (size_t i = 0; i < QEMU_FACTS_QUERIES; i++)
        if (strcmp(qemu_facts_queries[i], name) == 0)
            return i;
    fail_msg("%s is not asked", name);
    return 0;
}

static void take_all(struct qemu_facts *facts) {
    *facts = (struct qemu_facts){.name = NULL};
    for (size_t i = 0; i < QEMU_FACTS_QUERIES; i++) {
        struct dc_error err = DC_ERROR_NONE;
        if (take(facts, i, answers[i], &err) != DC_OK)
            fail_msg("%s", error_text(&err));
    }
}

static void test_facts(void **state) {
    (void)state;
    struct qemu_facts facts, same;
    take_all(&facts);
    assert_string_equal(facts.name, "web");
    assert_string_equal(facts.uuid, "11111111-2222-3333-4444-555555555555");
    assert_float_equal(facts.memory_bytes, 1610612736.0, 0);
    assert_int_equal(facts.n_vcpus, 2);
    assert_int_equal(facts.threads[1], 101);
    assert_true(facts.has_kvm);
    assert_int_equal(facts.state, QEMU_RUNS);
    assert_false(facts.migrates);
    assert_string_equal(facts.policy.policy->name, "qemu");
    assert_float_equal(facts.policy.downtime_limit_ms, 250, 0);
    assert_float_equal(facts.policy.max_bandwidth_bytes_per_s, 134217728, 0);
    assert_true(facts.policy.auto_converge);
    assert_float_equal(facts.policy.throttle_trigger_frac, 0, 0); /* not said: QEMU's default */
    assert_float_equal(facts.policy.throttle_max_frac, 0.9, 1e-9);
    take_all(&same);
    assert_true(qemu_facts_same(&facts, &same));
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(take(&same, query_called("query-name"), "{}", &err), DC_OK);
    assert_null(same.name);
    assert_false(qemu_facts_same(&facts, &same));
    qemu_facts_dispose(&facts);
    qemu_facts_dispose(&same);
}

static void test_states(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum qemu_state state;
    } rows[] = {{"running", QEMU_RUNS},         {"paused", QEMU_PAUSED},    {"prelaunch", QEMU_PAUSED},
                {"io-error", QEMU_PAUSED},      {"suspended", QEMU_PAUSED}, {"inmigrate", QEMU_INCOMING},
                {"postmigrate", QEMU_LEFT},     {"shutdown", QEMU_LEFT},    {"finish-migrate", QEMU_RUNS},
                {"guest-panicked", QEMU_PAUSED}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct qemu_facts facts = {.name = NULL};
        struct dc_error err = DC_ERROR_NONE;
        char text[64];
        (void)snprintf(text, sizeof(text), "{\"status\": \"%s\"}", rows[i].text);
        assert_int_equal(take(&facts, query_called("query-status"), text, &err), DC_OK);
        assert_int_equal(facts.state, rows[i].state);
    }
}

static void test_migrates(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool migrates;
    } rows[] = {{"{}", false},
                {"{\"status\": \"none\"}", false},
                {"{\"status\": \"completed\"}", false},
                {"{\"status\": \"failed\"}", false},
                {"{\"status\": \"setup\"}", true},
                {"{\"status\": \"active\"}", true},
                {"{\"status\": \"device\"}", true},
                {"{\"status\": \"postcopy-active\"}", true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct qemu_facts facts = {.name = NULL};
        struct dc_error err = DC_ERROR_NONE;
        assert_int_equal(take(&facts, query_called("query-migrate"), rows[i].text, &err), DC_OK);
        assert_int_equal(facts.migrates, rows[i].migrates);
    }
}

static void test_a_guest_without_a_uuid(void **state) {
    (void)state;
    struct qemu_facts facts = {.name = NULL};
    struct dc_error err = DC_ERROR_NONE;
    const char *nil = "{\"UUID\": \"00000000-0000-0000-0000-000000000000\"}";
    assert_int_equal(take(&facts, query_called("query-uuid"), nil, &err), DC_OK);
    assert_string_equal(facts.uuid, "");
}

static void test_nonsense_names_the_query(void **state) {
    (void)state;
    static const struct {
        const char *query, *text;
    } rows[] = {
        {"query-uuid", "{}"},
        {"query-uuid", "{\"UUID\": \"short\"}"},
        {"query-memory-size-summary", "{\"base-memory\": -1}"},
        {"query-memory-size-summary", "{\"base-memory\": \"much\"}"},
        {"query-cpus-fast", "{}"},
        {"query-status", "{\"status\": 7}"},
        {"query-migrate-parameters", "{}"},
        {"query-migrate-parameters", "{\"downtime-limit\": -5}"},
        {"query-migrate-capabilities", "{}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct qemu_facts facts = {.name = NULL};
        struct dc_error err = DC_ERROR_NONE;
        assert_int_equal(take(&facts, query_called(rows[i].query), rows[i].text, &err), DC_EPARSE);
        assert_non_null(strstr(error_text(&err), rows[i].query));
        assert_non_null(strstr(error_text(&err), "expected"));
        qemu_facts_dispose(&facts);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_migrates),
        cmocka_unit_test(test_a_guest_without_a_uuid),
        cmocka_unit_test(test_nonsense_names_the_query),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
