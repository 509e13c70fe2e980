/*
 * Plans as what other automation runs: a shell script for a toolstack, or an Ansible playbook.
 *
 * In:  a plan document. Out: text that runs its steps in the order and with the concurrency of their `after`.
 *
 * Every target keeps: names quoted, the plan's age checked, nothing started after a failure, what is done not done
 * again. A toolstack is a program for the shell of a host (host_NAME.sh); targets differ in what calls it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/digest.h"
#include "proto/plan_doc.h"

#include <stdio.h>

struct export_toolstack {
    const char *name;
    const char *program; /* what the hosts run */
    const char *way;     /* how a host reaches another, {host} */
    const char *cap;     /* what becomes of a step's bandwidth, for people */
    bool moves_cold;     /* VMs that are shut off */
    bool host_in_uri;    /* a destination's name becomes part of a URI */
};

/* The ids of the steps that must have ended before one starts: its `after`, and those before it on its links
 * (link_order.h; nobody here can see when their last byte is sent, so they are waited for whole). */
struct export_waits {
    size_t n, capacity;
    unsigned *ids;
};

/* Lent to a target's writer. */
struct export_job {
    const struct plan *plan; /* all of whose steps the toolstack can do */
    const struct export_toolstack *toolstack;
    struct export_waits *waits; /* per step */
    size_t *sequence;           /* the steps' indices, each after all it waits for */
    double max_age_ms;
    char digest[DIGEST_TEXT_BYTES]; /* 16 hex digits: another plan, another digest */
};

struct export_target {
    const char *name;
    const char *toolstack; /* NULL: the user says which */
    /* What goes wrong with the stream shows when it is closed. */
    void (*write)(const struct export_job *job, FILE *stream);
};

extern const struct export_target export_script_xl, export_script_xe, export_script_virsh, export_playbook;

/* The age of a plan beyond which what was exported refuses to run, where the user names none. */
static const double EXPORT_MAX_AGE_MS = 3600e3;

/* NULL where none is called so. */
const struct export_target *export_find_target(const char *name);
const struct export_toolstack *export_find_toolstack(const char *name);

/* The text (heap, the caller frees it). `toolstack` is the target's own where that has one. DC_EUNSUPPORTED names the
 * step that the toolstack cannot do, DC_EINVAL what no quoting makes safe; a plan that is infeasible is refused. On
 * failure `*text_out` is NULL. */
DC_WARN_UNUSED enum dc_status export_plan(const struct plan *plan, const struct export_target *target,
                                          const struct export_toolstack *toolstack, double max_age_ms, char **text_out,
                                          struct dc_error *err);

/* For writers: does `step` move a VM; its cap in whole bytes per second, 0 for none; does `later` move the VM of `step`
 * on. */
bool export_moves_vm(const struct plan_step *step);
double export_cap_bytes_per_s(const struct plan_step *step);
bool export_moves_on(const struct plan_step *step, const struct plan_step *later);

/* For writers: a text in a comment, where it can end neither line nor terminal: other than plain ASCII is '?'. */
void export_put_plain(FILE *stream, const char *text);
