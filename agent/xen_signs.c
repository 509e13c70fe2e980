/* Names and command lines that tell of a migration. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/xen_signs.h"

#include "agent/xen_processes.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static bool ends_in(const char *text, const char *suffix) {
    const size_t n = strlen(text), n_suffix = strlen(suffix);
    return n >= n_suffix && strcmp(text + n - n_suffix, suffix) == 0;
}

bool xen_signs_is_incoming(const char *name) {
    return ends_in(name, "--incoming");
}

bool xen_signs_in_name(const char *name) {
    return xen_signs_is_incoming(name) || ends_in(name, "--migratedaway");
}

struct question {
    const char *name;
    char domid[16];
    enum xen_signs found;
};

/* Any argument will do, also one that is not the domain's: too careful costs one burst. */
static bool judge(void *context, const struct xen_process *process, const struct xen_cmdline *cmdline) {
    struct question *question = context;
    (void)process;
    const bool is_this = xen_cmdline_has(cmdline, question->domid) || xen_cmdline_has(cmdline, question->name);
    question->found = is_this ? XEN_SIGNS_THIS : XEN_SIGNS_OTHER;
    return !is_this;
}

enum xen_signs xen_signs_in_processes(const char *proc_dir, uint32_t domid, const char *name) {
    struct question question = {.name = name, .found = XEN_SIGNS_NONE};
    (void)snprintf(question.domid, sizeof(question.domid), "%u", (unsigned)domid);
    xen_processes_each(proc_dir, judge, &question);
    return question.found;
}
