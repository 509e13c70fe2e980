/* Signs of a migration: names, and the command lines in a /proc made up here. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_signs.h"

#include "scratch_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int make_dir(void **state) {
    (void)state;
    return scratch_make() != NULL ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    scratch_remove();
    return 0;
}

/* A process whose arguments are separated by blanks in `line`. */
static void add_process(const char *pid, const char *line) {
    char text[256], path[SCRATCH_PATH_BYTES], name[64];
    const size_t n = strlen(line) + 1;
    memcpy(text, line, n);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == ' ')
            text[i] = '\0';
    }
    assert_int_equal(mkdir(scratch_path(pid, path), 0700), 0);
    (void)snprintf(name, sizeof(name), "%s/cmdline", pid);
    assert_int_equal(scratch_write(name, text, n), 0);
}

static void test_names(void **state) {
    (void)state;
    assert_true(xen_signs_in_name("web1--incoming"));
    assert_true(xen_signs_in_name("web1--migratedaway"));
    assert_false(xen_signs_in_name("web1-v2")); /* people call VMs so */
    assert_false(xen_signs_in_name("web1"));
    assert_false(xen_signs_in_name("--incoming-web"));
    assert_false(xen_signs_in_name(""));
}

static void test_nothing_runs(void **state) {
    (void)state;
    add_process("1", "/sbin/init");
    add_process("20", "xl list");
    add_process("21", "/usr/bin/vi migrate.txt");
    add_process("self", "xl migrate web1 h2");
    assert_int_equal(xen_signs_in_processes(scratch_dir, 3, "web1"), XEN_SIGNS_NONE);
    assert_int_equal(xen_signs_in_processes("/nowhere", 3, "web1"), XEN_SIGNS_NONE);
}

static void test_xl_that_stays_with_a_domain_that_came(void **state) {
    (void)state;
    add_process("20", "xl migrate-receive");
    add_process("21", "/usr/sbin/xl restore /var/lib/web1.save");
    assert_int_equal(xen_signs_in_processes(scratch_dir, 3, "web1"), XEN_SIGNS_NONE);
    add_process("22", "libxl-save-helper --restore-domain 0 1 7 5");
    assert_int_equal(xen_signs_in_processes(scratch_dir, 3, "web1"), XEN_SIGNS_OTHER);
}

static void test_a_save_helper_names_the_domain_by_number(void **state) {
    (void)state;
    add_process("77", "/usr/lib/xen-4.17/bin/libxl-save-helper --save-domain 9 -1 3 1 0");
    assert_int_equal(xen_signs_in_processes(scratch_dir, 3, "web1"), XEN_SIGNS_THIS);
    assert_int_equal(xen_signs_in_processes(scratch_dir, 4, "web2"), XEN_SIGNS_OTHER);
}

static void test_xl_migrate_names_it_by_name(void **state) {
    (void)state;
    add_process("5", "xl migrate web2 h2");
    add_process("77", "/usr/sbin/xl migrate --live web1 h2");
    assert_int_equal(xen_signs_in_processes(scratch_dir, 300, "web1"), XEN_SIGNS_THIS);
    assert_int_equal(xen_signs_in_processes(scratch_dir, 301, "web3"), XEN_SIGNS_OTHER);
}

static void test_an_empty_argument_is_one_like_others(void **state) {
    (void)state;
    add_process("5", "xl migrate -s  web1 throttle"); /* -s '' */
    assert_int_equal(xen_signs_in_processes(scratch_dir, 300, "web1"), XEN_SIGNS_THIS);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        TEST(test_nothing_runs),
        TEST(test_xl_that_stays_with_a_domain_that_came),
        TEST(test_a_save_helper_names_the_domain_by_number),
        TEST(test_xl_migrate_names_it_by_name),
        TEST(test_an_empty_argument_is_one_like_others),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
