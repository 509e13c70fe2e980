/*
 * The processes of Xen toolstacks that move or save a domain, as /proc shows
 * them: xl, libxl-save-helper, XAPI's xenguest and emu-manager. Read only.
 *
 * Out: who is at work on which domain, since when, how much it wrote (bytes),
 * and whether that is a migration or a save to a file.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { XEN_PROCESS_NAME_BYTES = 256, XEN_PROCESS_CMDLINE_BYTES = 4096 };

enum xen_process_role {
    XEN_PROCESS_COMMAND, /* xl: names the domain as its user did */
    XEN_PROCESS_SAVE,    /* sends a domain's memory */
    XEN_PROCESS_RESTORE, /* receives it */
};

/* Arguments one after the other, each with its NUL; some may be empty (xl migrate -s '' ...). */
struct xen_cmdline {
    char bytes[XEN_PROCESS_CMDLINE_BYTES];
    size_t n_bytes; /* at least 1, with the last NUL */
};

struct xen_process {
    long pid, parent_pid; /* the latter 0 where not known */
    enum xen_process_role role;
    bool is_migration; /* false: a save to or a restore from a file, or Remus */
    bool has_domid;
    uint32_t domid;                       /* where has_domid */
    char subject[XEN_PROCESS_NAME_BYTES]; /* COMMAND: the domain's name or number; else "" */
    char peer[XEN_PROCESS_NAME_BYTES];    /* COMMAND: the destination host; "" where it is none or not known */
    double age_ms;                        /* since it was started; negative where not known */
    double written_bytes;                 /* so far, to wherever; negative where not known */
};

/* Calls `visit` for each such process of `proc_dir` ("/proc") until it returns false. What cannot be read is passed
 * over. The arguments of `visit` are lent for the call. */
void xen_processes_each(const char *proc_dir,
                        bool (*visit)(void *context, const struct xen_process *process,
                                      const struct xen_cmdline *cmdline),
                        void *context);

/* Reads age and bytes of a process anew; false when it is gone. */
bool xen_processes_again(const char *proc_dir, struct xen_process *process);

/* Is `word` one of the arguments? */
bool xen_cmdline_has(const struct xen_cmdline *cmdline, const char *word);
