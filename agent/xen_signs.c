/* Names and command lines that tell of a migration. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_signs.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CMDLINE_BYTES = 4096 };

/* Arguments one after the other, each with its NUL; some may be empty (xl migrate -s '' ...). */
struct cmdline {
    char bytes[CMDLINE_BYTES];
    size_t n_bytes; /* at least 1, with the last NUL */
};

static bool ends_in(const char *text, const char *suffix) {
    const size_t n = strlen(text), n_suffix = strlen(suffix);
    return n >= n_suffix && strcmp(text + n - n_suffix, suffix) == 0;
}

bool xen_signs_in_name(const char *name) {
    static const char *const suffixes[] = {"--incoming", "--migratedaway", "-v2"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (ends_in(name, suffixes[i]))
            return true;
    }
    return false;
}

/* "/usr/sbin/xl" and "xl" alike. */
static bool is_program(const char *argument, const char *program) {
    const char *slash = strrchr(argument, '/');
    return strcmp(slash != NULL ? slash + 1 : argument, program) == 0;
}

static bool has_any(const struct cmdline *cmdline, const char *const *words, size_t n_words) {
    for (size_t at = 0; at < cmdline->n_bytes; at += strlen(cmdline->bytes + at) + 1) {
        for (size_t i = 0; i < n_words; i++) {
            if (strcmp(cmdline->bytes + at, words[i]) == 0)
                return true;
        }
    }
    return false;
}

/* Not xl's migrate-receive and restore: they stay as long as the domain that
 * came lives, to reboot it; while it comes, libxl-save-helper runs. */
static bool moves_a_domain(const struct cmdline *cmdline) {
    static const char *const helpers[] = {"libxl-save-helper", "xenguest", "emu-manager"};
    static const char *const verbs[] = {"migrate", "save", "remus"};
    for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++) {
        if (is_program(cmdline->bytes, helpers[i]))
            return true;
    }
    return is_program(cmdline->bytes, "xl") && has_any(cmdline, verbs, sizeof(verbs) / sizeof(verbs[0]));
}

static bool names_domain(const struct cmdline *cmdline, uint32_t domid, const char *name) {
    char domid_text[16];
    (void)snprintf(domid_text, sizeof(domid_text), "%u", (unsigned)domid);
    const char *words[] = {domid_text, name};
    return has_any(cmdline, words, sizeof(words) / sizeof(words[0]));
}

/* False where there is none. */
static bool read_cmdline(int proc_fd, const char *pid, struct cmdline *cmdline) {
    char path[300];
    (void)snprintf(path, sizeof(path), "%s/cmdline", pid);
    const int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const ssize_t n = read(fd, cmdline->bytes, CMDLINE_BYTES - 1);
    (void)close(fd);
    if (n <= 0)
        return false;
    cmdline->bytes[n] = '\0'; /* a long one is cut within an argument */
    cmdline->n_bytes = (size_t)n;
    return true;
}

enum xen_signs xen_signs_in_processes(const char *proc_dir, uint32_t domid, const char *name) {
    enum xen_signs found = XEN_SIGNS_NONE;
    DIR *proc = opendir(proc_dir);
    if (proc == NULL)
        return found;
    struct cmdline cmdline;
    for (const struct dirent *entry = readdir(proc); entry != NULL && found != XEN_SIGNS_THIS; entry = readdir(proc)) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !read_cmdline(dirfd(proc), entry->d_name, &cmdline) ||
            !moves_a_domain(&cmdline))
            continue;
        found = names_domain(&cmdline, domid, name) ? XEN_SIGNS_THIS : XEN_SIGNS_OTHER;
    }
    (void)closedir(proc);
    return found;
}
