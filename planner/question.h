/*
 * The question: a fleet and a goal, frozen into the solver's problem.
 *
 * In:  struct fleet (names, documents' units) and struct goal.
 * Out: struct problem (indices, seconds), the prediction each moving VM is
 *      planned with, warnings, and the conflicts that show before any solving.
 *
 * VMs and hosts of the problem have the fleet's indices. Links l of the fleet
 * become the arcs with link = l, switches with a capacity the arc with
 * link = n_links + switch.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/goal.h"
#include "proto/fleet_doc.h"
#include "solver/problem.h"

#include <jansson.h>

struct question {
    const struct fleet *fleet;      /* lent */
    const struct goal *goal;        /* lent */
    struct problem problem;         /* frozen */
    struct prediction *predictions; /* [n_vms]; no points for VMs that stay or are shut off */
    bool *emptied;                  /* [n_hosts] */
    bool *closed;                   /* [n_hosts]: excluded by the goal */
    bool *booted;                   /* [n_hosts]: off, and booted before the first migration */
    bool *kept;                     /* [n_vms]: excluded by the goal */
    size_t n_let_go;                /* soft rules that need not be kept */
    struct problem_rule *let_go;
    json_t *warnings;  /* array of strings */
    json_t *conflicts; /* array as in the plan document */
};

/* Makes the problem. Of a goal that leaves open which VMs move it is the problem of that choice: `moves` says which VMs
 * may, hosts that are off receive too where they may be booted (consolidate), and migrations have no costs.
 * DC_ENOTFOUND for names the fleet does not have, DC_ESTALE where the data of a host that VMs leave is too old. `fleet`
 * and `goal` must outlive the question. On failure `*question_out` is empty. */
DC_WARN_UNUSED enum dc_status question_init(const struct fleet *fleet, const struct goal *goal,
                                            struct question *question_out, struct dc_error *err);
void question_dispose(struct question *question);

/* Appends a printf sentence to the warnings. */
DC_WARN_UNUSED enum dc_status question_warn(struct question *question, struct dc_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
