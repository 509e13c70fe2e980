/* Lists of domains: which one stands for a VM, and what the planner is told of it. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_domains.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID_1 "11111111-1111-1111-1111-111111111111"
#define UUID_2 "22222222-2222-2222-2222-222222222222"

/* One that runs. */
static struct xen_domain *add(struct xen_domains *domains, uint32_t domid, const char *uuid, const char *name) {
    struct xen_domain domain = {.domid = domid,
                                .name = name != NULL ? strdup(name) : NULL,
                                .n_online_vcpus = 2,
                                .memory_bytes = 1e9,
                                .gfn_count = 300000};
    memcpy(domain.uuid, uuid, strlen(uuid));
    assert_true(xen_domains_add(domains, &domain));
    return &domains->items[domains->n - 1];
}

static struct source_vm *vms_of(const struct xen_domains *domains, const struct xen_domains *before, size_t *n_out) {
    struct xen_vm_defaults defaults = {.overhead = {.pre_ms = 7}};
    assert_int_equal(stop_policy_init(&defaults.policy, "xen-v2", NULL), DC_OK);
    struct source_vm *vms = NULL;
    assert_true(xen_domains_vms(domains, before, &defaults, &vms, n_out));
    return vms;
}

static void test_the_facts_of_a_vm(void **state) {
    (void)state;
    struct xen_domains before = {.n = 0}, now = {.n = 0};
    (void)add(&before, 3, UUID_1, "web1"); /* with no time used, read at 0 */
    struct xen_domain *domain = add(&now, 3, UUID_1, "web1");
    domain->cpu_time_ns = 3000;
    domain->cpu_read_ns = 2000;
    size_t n = 0;
    struct source_vm *vms = vms_of(&now, &before, &n);
    assert_int_equal(n, 1);
    assert_string_equal(vms[0].facts.uuid, UUID_1);
    assert_string_equal(vms[0].facts.name, "web1");
    assert_int_equal(vms[0].facts.state, FLEET_VM_RUNNING);
    assert_true(vms[0].facts.memory_bytes == 1e9 && vms[0].facts.vcpus == 2);
    assert_true(vms[0].facts.cpu_cores_used == 1.5);
    assert_true(vms[0].facts.policy.gfn_count == 300000 && vms[0].facts.overhead.pre_ms == 7);
    free(vms);
    xen_domains_dispose(&before);
    xen_domains_dispose(&now);
    xen_domains_dispose(&now);
}

static enum fleet_vm_state state_of(const struct xen_domains *domains) {
    size_t n = 0;
    struct source_vm *vms = vms_of(domains, domains, &n);
    assert_int_equal(n, 1);
    const enum fleet_vm_state state = vms[0].facts.state;
    free(vms);
    return state;
}

static void test_a_name_alone_is_no_migration(void **state) {
    (void)state;
    struct xen_domains domains = {.n = 0};
    (void)add(&domains, 3, UUID_1, "web1-v2");
    assert_int_equal(state_of(&domains), FLEET_VM_RUNNING);
    assert_false(xen_domains_migrates(&domains, &domains.items[0]));
    struct xen_domain *old = add(&domains, 2, UUID_2, "web1"); /* another VM, the one before */
    assert_false(xen_domains_migrates(&domains, &domains.items[0]));
    memcpy(old->uuid, UUID_1, sizeof(UUID_1)); /* the same one: its two ends */
    assert_true(xen_domains_migrates(&domains, &domains.items[0]));
    assert_true(xen_domains_migrates(&domains, &domains.items[1]));
    old->is_dying = true;
    assert_false(xen_domains_migrates(&domains, &domains.items[0]));
    xen_domains_dispose(&domains);
}

static void test_states(void **state) {
    (void)state;
    struct xen_domains domains = {.n = 0};
    struct xen_domain *domain = add(&domains, 3, UUID_1, "web1");
    domain->is_paused = true;
    assert_int_equal(state_of(&domains), FLEET_VM_PAUSED);
    assert_false(xen_domain_runs(domain));
    domain->is_paused = false;
    assert_true(xen_domain_runs(domain));
    domain->is_shutdown = domain->is_suspended = true;
    assert_int_equal(state_of(&domains), FLEET_VM_MIGRATING);
    assert_false(xen_domain_runs(domain));
    xen_domains_dispose(&domains);
}

/* SNAPSHOT has every uuid once: a planner refuses one that stands twice. */
static void test_two_ends_are_one_vm(void **state) {
    (void)state;
    struct xen_domains domains = {.n = 0};
    (void)add(&domains, 3, UUID_1, "web1");
    (void)add(&domains, 4, UUID_2, "db1");
    (void)add(&domains, 5, UUID_1, "web1--incoming");
    size_t n = 0;
    struct source_vm *vms = vms_of(&domains, &domains, &n);
    assert_int_equal(n, 2);
    assert_string_equal(vms[0].facts.name, "web1");
    assert_int_equal(vms[0].facts.state, FLEET_VM_MIGRATING);
    assert_int_equal(vms[1].facts.state, FLEET_VM_RUNNING);
    assert_int_equal(xen_domains_of_vm(&domains, UUID_1)->domid, 3);
    free(vms);
    domains.items[0].is_dying = true;
    assert_int_equal(xen_domains_of_vm(&domains, UUID_1)->domid, 5);
    assert_int_equal(xen_domains_at(&domains, 3, UUID_1)->domid, 3);
    assert_null(xen_domains_at(&domains, 3, UUID_2));
    xen_domains_dispose(&domains);
}

static void test_what_is_not_there_yet_or_any_more(void **state) {
    (void)state;
    struct xen_domains domains = {.n = 0};
    (void)add(&domains, 3, UUID_1, NULL);
    assert_null(xen_domains_of_vm(&domains, UUID_1));
    struct xen_domain *domain = add(&domains, 4, UUID_2, "web1");
    domain->n_online_vcpus = 0;
    assert_null(xen_domains_of_vm(&domains, UUID_2));
    domain->n_online_vcpus = 1;
    assert_non_null(xen_domains_of_vm(&domains, UUID_2));
    domain->is_shutdown = true; /* not by a suspend */
    assert_null(xen_domains_of_vm(&domains, UUID_2));
    xen_domains_dispose(&domains);
}

static void test_same_vms(void **state) {
    (void)state;
    struct xen_domains a = {.n = 0}, b = {.n = 0};
    (void)add(&a, 3, UUID_1, "web1");
    struct xen_domain *domain = add(&b, 3, UUID_1, "web1");
    size_t n_a = 0, n_b = 0;
    struct source_vm *vms_a = vms_of(&a, &a, &n_a), *vms_b = vms_of(&b, &b, &n_b);
    assert_true(xen_domains_same_vms(vms_a, n_a, vms_b, n_b));
    assert_false(xen_domains_same_vms(vms_a, n_a, vms_b, 0));
    free(vms_b);
    domain->memory_bytes = 2e9;
    vms_b = vms_of(&b, &b, &n_b);
    assert_false(xen_domains_same_vms(vms_a, n_a, vms_b, n_b));
    free(vms_a);
    free(vms_b);
    xen_domains_dispose(&a);
    xen_domains_dispose(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_facts_of_a_vm),
        cmocka_unit_test(test_a_name_alone_is_no_migration),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_two_ends_are_one_vm),
        cmocka_unit_test(test_what_is_not_there_yet_or_any_more),
        cmocka_unit_test(test_same_vms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
