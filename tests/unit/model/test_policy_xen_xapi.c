/* XAPI's end of the live stage, where it differs from Xen's own and where not. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/precopy.h"

#include "random_vm.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "assert_near.h"

static struct precopy_result run(struct precopy_vm *vm, const char *policy, double bytes_per_s) {
    const double gfn_count = vm->policy.gfn_count;
    const struct bandwidth_step step = {.bytes_per_s = bytes_per_s};
    struct precopy_result result;
    assert_int_equal(stop_policy_init(&vm->policy, policy, NULL), DC_OK);
    vm->policy.gfn_count = gfn_count;
    assert_int_equal(precopy_simulate(vm, &step, 1, &result, NULL), DC_OK);
    return result;
}

static void test_property_as_xen_v2_but_for_tiny_guests(void **state) {
    (void)state;
    uint64_t random = random_seed();
    struct dirty_point points[RANDOM_POINTS];
    struct dirty_curve curve;
    bool seen[7] = {false};
    for (int i = 0; i < 500; i++) {
        struct precopy_vm vm = random_vm(&random, "xapi", points, &curve);
        const double bandwidth = pow(10, random_between(&random, 5, 12));
        const struct precopy_result xapi = run(&vm, "xapi", bandwidth);
        const struct precopy_result xen = run(&vm, "xen-v2", bandwidth);
        assert_int_equal(xapi.n_rounds, xen.n_rounds);
        assert_near(xapi.migration_s, xen.migration_s, 0);
        assert_near(xapi.downtime_s, xen.downtime_s, 0);
        assert_int_equal(xapi.redirty_basis, REDIRTY_NONE);
        assert_true(xapi.n_rounds <= 6);
        seen[xapi.n_rounds] = true;
    }
    assert_true(seen[3] && seen[6]);
}

static void test_first_round_is_never_the_last(void **state) {
    (void)state;
    const struct dirty_curve idle = {0};
    struct precopy_vm vm = {.memory_pages = 40, .curve = &idle};
    assert_int_equal(run(&vm, "xen-v2", 1e6).n_rounds, 2);
    assert_int_equal(run(&vm, "xapi", 1e6).n_rounds, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_property_as_xen_v2_but_for_tiny_guests),
        cmocka_unit_test(test_first_round_is_never_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
