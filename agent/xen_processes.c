/* Command lines, and what /proc/PID/{stat,io,fd} say of the processes that have one of ours. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_processes.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Of the fields after the name, which is the second: ppid is field 4, starttime field 22. */
enum { PATH_BYTES = 512, STAT_FIELDS_TO_PARENT = 2, STAT_FIELDS_TO_START = 20 };

/* Steps through the arguments; NULL after the last. */
static const char *next_word(const struct xen_cmdline *cmdline, const char *word) {
    const char *next = word + strlen(word) + 1;
    return next < cmdline->bytes + cmdline->n_bytes ? next : NULL;
}

bool xen_cmdline_has(const struct xen_cmdline *cmdline, const char *word) {
    for (const char *at = cmdline->bytes; at != NULL; at = next_word(cmdline, at)) {
        if (strcmp(at, word) == 0)
            return true;
    }
    return false;
}

/* "/usr/sbin/xl" and "xl" alike. */
static bool is_program(const char *argument, const char *program) {
    const char *slash = strrchr(argument, '/');
    return strcmp(slash != NULL ? slash + 1 : argument, program) == 0;
}

static bool read_number(const char *text, uint32_t *number_out) {
    char *end = NULL;
    if (text == NULL || !isdigit((unsigned char)*text))
        return false;
    const unsigned long number = strtoul(text, &end, 10);
    *number_out = (uint32_t)number;
    return *end == '\0' && number <= UINT32_MAX;
}

static void copy_name(char out[XEN_PROCESS_NAME_BYTES], const char *text) {
    const size_t n = strlen(text);
    if (n < XEN_PROCESS_NAME_BYTES)
        memcpy(out, text, n + 1);
}

/* xl's host argument may be a whole shell command (with -s ''), and ssh's has a user: only a plain name counts. */
static void copy_peer(char out[XEN_PROCESS_NAME_BYTES], const char *text) {
    const char *at = strrchr(text, '@');
    text = at != NULL ? at + 1 : text;
    if (text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:")] == '\0')
        copy_name(out, text);
}

/* xl [options] migrate [options] DOMAIN HOST. Not migrate-receive and restore: they stay as long as the domain that
 * came lives, to reboot it; while it comes, libxl-save-helper runs. */
static bool read_xl(const struct xen_cmdline *cmdline, struct xen_process *process) {
    static const char *const verbs[] = {"migrate", "save", "remus", NULL};
    const char *verb = next_word(cmdline, cmdline->bytes);
    while (verb != NULL && *verb == '-')
        verb = next_word(cmdline, verb);
    size_t i = 0;
    while (verb != NULL && verbs[i] != NULL && strcmp(verb, verbs[i]) != 0)
        i++;
    if (verb == NULL || verbs[i] == NULL)
        return false;
    process->role = XEN_PROCESS_COMMAND;
    process->is_migration = i == 0;
    for (const char *word = next_word(cmdline, verb); word != NULL; word = next_word(cmdline, word)) {
        const bool takes_value = strcmp(word, "-C") == 0 || strcmp(word, "-s") == 0;
        if (takes_value)
            word = next_word(cmdline, word);
        if (word == NULL)
            break;
        if (takes_value || *word == '-')
            continue;
        if (process->subject[0] != '\0') {
            copy_peer(process->peer, word);
            break;
        }
        copy_name(process->subject, word);
    }
    process->has_domid = read_number(process->subject, &process->domid);
    return true;
}

/* A stream in a file is no migration: a socket or a pipe reads "socket:[...]". */
static bool is_file(int proc_fd, long pid, const char *fd) {
    char path[PATH_BYTES], target[2] = "";
    (void)snprintf(path, sizeof(path), "%ld/fd/%s", pid, fd);
    return readlinkat(proc_fd, path, target, 1) == 1 && target[0] == '/';
}

/* libxl-save-helper --save-domain|--restore-domain STREAM_FD BACK_FD DOMID ..., libxl_save_callout.c since Xen 4.9. */
static bool read_helper(int proc_fd, const struct xen_cmdline *cmdline, struct xen_process *process) {
    const char *words[5] = {cmdline->bytes};
    for (size_t i = 1; i < 5 && words[i - 1] != NULL; i++)
        words[i] = next_word(cmdline, words[i - 1]);
    process->role =
        words[1] != NULL && strcmp(words[1], "--restore-domain") == 0 ? XEN_PROCESS_RESTORE : XEN_PROCESS_SAVE;
    process->has_domid = read_number(words[4], &process->domid);
    process->is_migration = words[2] == NULL || !is_file(proc_fd, process->pid, words[2]);
    return true;
}

/* XAPI's: -domid N and -mode hvm_save, hvm_restore and the like, with one dash or two. */
static bool read_xapi(const struct xen_cmdline *cmdline, struct xen_process *process) {
    process->role = XEN_PROCESS_SAVE;
    process->is_migration = true;
    for (const char *word = cmdline->bytes; word != NULL; word = next_word(cmdline, word)) {
        const char *value = next_word(cmdline, word);
        if (value != NULL && (strcmp(word, "-domid") == 0 || strcmp(word, "--domid") == 0))
            process->has_domid = read_number(value, &process->domid);
        if (value != NULL && (strcmp(word, "-mode") == 0 || strcmp(word, "--mode") == 0) &&
            strstr(value, "restore") != NULL)
            process->role = XEN_PROCESS_RESTORE;
    }
    return true;
}

static bool read_role(int proc_fd, const struct xen_cmdline *cmdline, struct xen_process *process) {
    if (is_program(cmdline->bytes, "xl"))
        return read_xl(cmdline, process);
    if (is_program(cmdline->bytes, "libxl-save-helper"))
        return read_helper(proc_fd, cmdline, process);
    if (is_program(cmdline->bytes, "xenguest") || is_program(cmdline->bytes, "emu-manager"))
        return read_xapi(cmdline, process);
    return false;
}

/* The first bytes of PID/NAME as a text; how many, or -1. */
static ssize_t read_file(int proc_fd, long pid, const char *name, char *text_out, size_t n_most) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof(path), "%ld/%s", pid, name);
    const int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const ssize_t n = read(fd, text_out, n_most - 1);
    (void)close(fd);
    text_out[n > 0 ? n : 0] = '\0';
    return n;
}

/* The parent, and the age from starttime, which is in clock ticks since the boot. */
static void read_stat(int proc_fd, struct xen_process *process) {
    char text[1024];
    struct timespec now;
    process->parent_pid = 0;
    process->age_ms = -1;
    if (read_file(proc_fd, process->pid, "stat", text, sizeof(text)) <= 0 || clock_gettime(CLOCK_BOOTTIME, &now) != 0)
        return;
    const char *at = strrchr(text, ')'); /* the name may hold anything */
    for (int i = 0; at != NULL && i < STAT_FIELDS_TO_START; i++) {
        at = strchr(at + 1, ' ');
        if (at != NULL && i + 1 == STAT_FIELDS_TO_PARENT)
            process->parent_pid = strtol(at, NULL, 10);
    }
    if (at == NULL)
        return;
    const double started_ms = strtod(at, NULL) * 1e3 / (double)sysconf(_SC_CLK_TCK);
    const double age_ms = (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6 - started_ms;
    process->age_ms = age_ms > 0 ? age_ms : 0;
}

static double read_written_bytes(int proc_fd, long pid) {
    char text[1024];
    static const char key[] = "wchar: ";
    if (read_file(proc_fd, pid, "io", text, sizeof(text)) <= 0)
        return -1;
    const char *at = strstr(text, key);
    return at != NULL ? strtod(at + sizeof(key) - 1, NULL) : -1;
}

static bool read_process(int proc_fd, const char *pid, struct xen_cmdline *cmdline, struct xen_process *process_out) {
    *process_out = (struct xen_process){.pid = strtol(pid, NULL, 10)};
    const ssize_t n = read_file(proc_fd, process_out->pid, "cmdline", cmdline->bytes, sizeof(cmdline->bytes));
    if (n <= 0)
        return false;
    cmdline->n_bytes = (size_t)n; /* a long one is cut within an argument */
    if (!read_role(proc_fd, cmdline, process_out))
        return false;
    read_stat(proc_fd, process_out);
    process_out->written_bytes = read_written_bytes(proc_fd, process_out->pid);
    return true;
}

void xen_processes_each(const char *proc_dir,
                        bool (*visit)(void *context, const struct xen_process *process,
                                      const struct xen_cmdline *cmdline),
                        void *context) {
    DIR *proc = opendir(proc_dir);
    if (proc == NULL)
        return;
    struct xen_cmdline cmdline;
    struct xen_process process;
    bool goes_on = true;
    for (const struct dirent *entry = readdir(proc); entry != NULL && goes_on; entry = readdir(proc)) {
        if (isdigit((unsigned char)entry->d_name[0]) && read_process(dirfd(proc), entry->d_name, &cmdline, &process))
            goes_on = visit(context, &process, &cmdline);
    }
    (void)closedir(proc);
}

bool xen_processes_again(const char *proc_dir, struct xen_process *process) {
    const int proc_fd = open(proc_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc_fd < 0)
        return false;
    char first[2];
    const bool is_here = read_file(proc_fd, process->pid, "cmdline", first, sizeof(first)) > 0; /* a zombie has none */
    if (is_here) {
        read_stat(proc_fd, process);
        const double written_bytes = read_written_bytes(proc_fd, process->pid);
        process->written_bytes = written_bytes >= 0 ? written_bytes : process->written_bytes;
    }
    (void)close(proc_fd);
    return is_here;
}
