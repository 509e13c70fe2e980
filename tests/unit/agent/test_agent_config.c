/* The agent's configuration: defaults, and errors that name file, line and key. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/agent_config.h"

#include "agent/source_module.h"
#include "scratch_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define REQUIRED \
    "host: h1\nplanner: tcp://127.0.0.1:1\nplanner_public_key_file: a\nsecret_key_file: b\nsource: replay\n"

static int make_dir(void **state) {
    (void)state;
    return scratch_make() != NULL ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

static enum dc_status load(const char *text, struct agent_config *config_out, struct dc_error *err) {
    char path[SCRATCH_PATH_BYTES];
    assert_int_equal(scratch_write("agent.yaml", text, strlen(text)), 0);
    return agent_config_load(scratch_path("agent.yaml", path), config_out, err);
}

static void test_defaults(void **state) {
    (void)state;
    struct agent_config config;
    struct dc_error err = DC_ERROR_NONE;
    if (load(REQUIRED "replay_file: f.json\n", &config, &err) != DC_OK)
        fail_msg("%s", error_text(&err));
    assert_string_equal(config.host, "h1");
    assert_int_equal(config.source, AGENT_SOURCE_REPLAY);
    assert_true(config.replay_speed == 1);
    assert_int_equal(config.history_bursts, 2016);
    assert_true(config.sample_interval_ms == 600e3);
    assert_true(config.burst_duration_ms == 60e3);
    assert_true(config.grid_low_bytes_per_s == 5e6);
    assert_true(config.grid_high_bytes_per_s == 3.2e9);
    assert_int_equal(config.grid_points, 20);
    assert_string_equal(config.state_dir, "/var/lib/decamp");
    assert_string_equal(agent_config_xen_policy(&config), "xen-v2");
    agent_config_dispose(&config);
    agent_config_dispose(&config);
}

static void test_the_toolstacks_policy(void **state) {
    (void)state;
    static const char *const names[] = {"xen-v2", "xapi", "xen-legacy"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char text[512];
        struct agent_config config;
        (void)snprintf(text, sizeof(text), REQUIRED "replay_file: f\nxen_policy: %s\n", names[i]);
        assert_int_equal(load(text, &config, NULL), DC_OK);
        assert_string_equal(agent_config_xen_policy(&config), names[i]);
        agent_config_dispose(&config);
    }
}

static void test_errors_name_line_and_key(void **state) {
    (void)state;
    static const struct {
        const char *text, *named;
    } bad[] = {
        {REQUIRED "replay_file: f\nreplay_speed: -1\n", "agent.yaml:7: replay_speed"},
        {REQUIRED "replay_file: f\ngrid_points: 65\n", "agent.yaml:7: grid_points"},
        {REQUIRED "replay_fil: f\n", "agent.yaml:6: replay_fil"},
        {REQUIRED, "replay_file"},
        {REQUIRED "replay_file: f\ngrid_low: 1GB/s\ngrid_high: 1MB/s\n", "grid_low"},
        {REQUIRED "replay_file: f\nxen_policy: qemu\n", "agent.yaml:7: xen_policy"},
        {REQUIRED "replay_file: f\nsample_interval: 10s\n", "burst_duration"},
        {"host: h1\n", "planner"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct agent_config config;
        struct dc_error err = DC_ERROR_NONE;
        assert_int_not_equal(load(bad[i].text, &config, &err), DC_OK);
        if (strstr(error_text(&err), bad[i].named) == NULL || strstr(error_text(&err), "agent.yaml") == NULL)
            fail_msg("\"%s\" does not name %s", error_text(&err), bad[i].named);
        assert_null(config.host);
    }
}

static void test_a_missing_module_is_named(void **state) {
    (void)state;
    struct source_module module;
    struct dc_error err = DC_ERROR_NONE;
    assert_int_equal(source_module_load(scratch_dir, "xen", &module, &err), DC_EUNSUPPORTED);
    assert_non_null(strstr(error_text(&err), "source_xen.so"));
    assert_non_null(strstr(error_text(&err), "is this a Xen dom0?"));
    source_module_unload(&module);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_the_toolstacks_policy, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_errors_name_line_and_key, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_a_missing_module_is_named, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
