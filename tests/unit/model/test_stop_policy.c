/* The table of stop policies: names, defaults and the error for an unknown one. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/stop_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "assert_near.h"

static void test_rows_are_complete(void **state) {
    (void)state;
    size_t n = 0;
    for (const struct stop_policy_class *row; (row = stop_policy_at(n)) != NULL; n++) {
        assert_ptr_equal(stop_policy_find(row->name), row);
        assert_ptr_equal(row->defaults.policy, row);
        assert_non_null(row->summary);
        assert_non_null(row->run_live_rounds);
        assert_true(row->page_wire_bytes > 4096);
        assert_true(row->defaults.max_rounds > 0);
    }
    assert_int_equal(n, 4);
}

static void test_defaults_are_those_of_the_hypervisors(void **state) {
    (void)state;
    struct stop_policy policy;
    assert_int_equal(stop_policy_init(&policy, "xen-v2", NULL), DC_OK);
    assert_int_equal(policy.max_rounds, 5);
    assert_near(policy.target_dirty_pages, 50, 0);
    assert_int_equal(stop_policy_init(&policy, "xen-legacy", NULL), DC_OK);
    assert_int_equal(policy.max_rounds, 29);
    assert_near(policy.target_dirty_pages, 50, 0);
    assert_near(policy.max_factor, 3, 0);
    assert_int_equal(stop_policy_init(&policy, "xapi", NULL), DC_OK);
    assert_int_equal(policy.max_rounds, 5);
    assert_near(policy.target_dirty_pages, 50, 0);
    assert_int_equal(stop_policy_init(&policy, "qemu", NULL), DC_OK);
    assert_near(policy.downtime_limit_ms, 300, 0);
    assert_near(policy.max_bandwidth_bytes_per_s, 0, 0);
}

static void test_unknown_name_lists_the_known(void **state) {
    (void)state;
    struct stop_policy policy;
    struct dc_error err = DC_ERROR_NONE;
    assert_null(stop_policy_find("vmware"));
    assert_int_equal(stop_policy_init(&policy, "vmware", &err), DC_ENOTFOUND);
    assert_non_null(strstr(error_text(&err), "vmware"));
    assert_non_null(strstr(error_text(&err), "xen-v2, xen-legacy, xapi, qemu"));
    assert_null(policy.policy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_complete),
        cmocka_unit_test(test_defaults_are_those_of_the_hypervisors),
        cmocka_unit_test(test_unknown_name_lists_the_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
