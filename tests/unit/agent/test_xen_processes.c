/* The toolstacks' processes in a /proc made up here: what their command lines, starts, bytes and streams tell. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_processes.h"

#include "scratch_dir.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

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

static void add_file(const char *pid, const char *name, const char *text, size_t n_bytes) {
    char path[64], full[SCRATCH_PATH_BYTES];
    (void)mkdir(scratch_path(pid, full), 0700);
    (void)snprintf(path, sizeof(path), "%s/%s", pid, name);
    assert_int_equal(scratch_write(path, text, n_bytes), 0);
}

/* Arguments separated by one blank each; two blanks: an empty one between. */
static void add_process(const char *pid, const char *line) {
    char text[256];
    const size_t n = strlen(line) + 1;
    memcpy(text, line, n);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == ' ')
            text[i] = '\0';
    }
    add_file(pid, "cmdline", text, n);
}

static void add_stream(const char *pid, const char *fd, const char *target) {
    char path[64], full[SCRATCH_PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%s/fd", pid);
    (void)mkdir(scratch_path(path, full), 0700);
    (void)snprintf(path, sizeof(path), "%s/fd/%s", pid, fd);
    assert_int_equal(symlink(target, scratch_path(path, full)), 0);
}

struct found {
    struct xen_process process;
    int n;
};

static bool keep(void *context, const struct xen_process *process, const struct xen_cmdline *cmdline) {
    struct found *found = context;
    (void)cmdline;
    found->process = *process;
    found->n++;
    return true;
}

static struct found find(void) {
    struct found found = {.n = 0};
    xen_processes_each(scratch_dir, keep, &found);
    return found;
}

static void test_xl_migrate(void **state) {
    (void)state;
    static const struct {
        const char *line, *subject, *peer;
    } cases[] = {
        {"xl migrate web1 h2", "web1", "h2"},
        {"/usr/sbin/xl -v migrate -C x.cfg --live web1 root@h2.example", "web1", "h2.example"},
        {"xl migrate web1", "web1", ""},
        {"xl migrate", "", ""},
        {"xl migrate -s", "", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        add_process("7", cases[i].line);
        const struct found found = find();
        assert_int_equal(found.n, 1);
        assert_int_equal(found.process.role, XEN_PROCESS_COMMAND);
        assert_true(found.process.is_migration);
        assert_string_equal(found.process.subject, cases[i].subject);
        assert_string_equal(found.process.peer, cases[i].peer);
        assert_false(found.process.has_domid);
        assert_int_equal(found.process.pid, 7);
    }
}

/* With -s '' the host is a shell command, one argument with blanks in it. */
static void test_a_shell_command_is_no_peer(void **state) {
    (void)state;
    static const char line[] = "xl\0migrate\0-s\0\0"
                               "12\0throttle 8192 | xl migrate-receive";
    add_file("7", "cmdline", line, sizeof(line));
    const struct found found = find();
    assert_string_equal(found.process.subject, "12");
    assert_true(found.process.has_domid && found.process.domid == 12);
    assert_string_equal(found.process.peer, "");
}

static void test_others_are_passed_over(void **state) {
    (void)state;
    add_process("1", "/sbin/init");
    add_process("2", "xl migrate-receive");
    add_process("3", "xl restore web1.save");
    add_process("4", "xl list migrate");
    add_process("5", "xl");
    add_process("self", "xl migrate web1 h2");
    add_file("6", "cmdline", "", 0);
    assert_int_equal(find().n, 0);
}

static void test_a_save_is_no_migration(void **state) {
    (void)state;
    add_process("7", "xl save web1 web1.save");
    assert_false(find().process.is_migration);
    add_process("7", "/usr/lib/xen-4.17/bin/libxl-save-helper --save-domain 9 -1 3 1 0");
    add_stream("7", "9", "/var/lib/web1.save");
    struct found found = find();
    assert_int_equal(found.n, 1);
    assert_false(found.process.is_migration);
    add_process("7", "/usr/lib/xen-4.17/bin/libxl-save-helper --save-domain 10 -1 3 1 0");
    add_stream("7", "10", "socket:[1234]");
    found = find();
    assert_true(found.process.is_migration && found.process.has_domid);
    assert_int_equal(found.process.domid, 3);
    assert_int_equal(found.process.role, XEN_PROCESS_SAVE);
    add_process("7", "libxl-save-helper --restore-domain 0 1 8 3 0");
    found = find();
    assert_int_equal(found.process.role, XEN_PROCESS_RESTORE);
    assert_int_equal(found.process.domid, 8);
}

static void test_cut_command_lines(void **state) {
    (void)state;
    static const char *const lines[] = {"libxl-save-helper", "libxl-save-helper --save-domain",
                                        "libxl-save-helper --save-domain 9 -1",
                                        "libxl-save-helper --save-domain 9 -1 99999999999999999999"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        add_process("7", lines[i]);
        const struct found found = find();
        assert_int_equal(found.n, 1);
        assert_false(found.process.has_domid);
    }
}

static void test_xapi(void **state) {
    (void)state;
    add_process("7", "/usr/libexec/xen/bin/emu-manager --domid 5 --live true --mode hvm_save");
    struct found found = find();
    assert_int_equal(found.process.role, XEN_PROCESS_SAVE);
    assert_int_equal(found.process.domid, 5);
    add_process("7", "/usr/lib/xen/bin/xenguest -mode hvm_restore -domid 6");
    found = find();
    assert_int_equal(found.process.role, XEN_PROCESS_RESTORE);
    assert_int_equal(found.process.domid, 6);
}

/* A stat whose process began `age_ms` ago; its name has blanks and a bracket. */
static void add_stat(const char *pid, double age_ms) {
    struct timespec now;
    char text[256];
    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &now), 0);
    const double up_ms = (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
    const int n =
        snprintf(text, sizeof(text), "7 (x l) a) S 1 7 7 0 -1 4194560 98 0 0 0 1 2 0 0 20 0 1 0 %.0f 2314240\n",
                 (up_ms - age_ms) * (double)sysconf(_SC_CLK_TCK) / 1e3);
    add_file(pid, "stat", text, (size_t)n);
}

static void test_age_and_bytes(void **state) {
    (void)state;
    static const char io[] = "rchar: 10\nwchar: 123456789\nsyscr: 1\n", later[] = "rchar: 10\nwchar: 223456789\n";
    add_process("7", "xl migrate web1 h2");
    struct found found = find();
    assert_true(found.process.age_ms < 0 && found.process.written_bytes < 0);
    add_stat("7", 0);
    add_file("7", "io", io, sizeof(io) - 1);
    found = find();
    assert_true(found.process.age_ms >= 0 && found.process.age_ms < 5000);
    assert_int_equal(found.process.parent_pid, 1);
    assert_true(found.process.written_bytes == 123456789);
    add_file("7", "io", later, sizeof(later) - 1);
    assert_true(xen_processes_again(scratch_dir, &found.process));
    assert_true(found.process.written_bytes == 223456789);
    add_file("7", "cmdline", "", 0); /* a zombie */
    assert_false(xen_processes_again(scratch_dir, &found.process));
    found.process.pid = 8;
    assert_false(xen_processes_again(scratch_dir, &found.process));
    assert_false(xen_processes_again("/nowhere", &found.process));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        TEST(test_xl_migrate),
        TEST(test_a_shell_command_is_no_peer),
        TEST(test_others_are_passed_over),
        TEST(test_a_save_is_no_migration),
        TEST(test_cut_command_lines),
        TEST(test_xapi),
        TEST(test_age_and_bytes),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
