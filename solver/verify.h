/*
 * Verification: replays a schedule against the problem and lists everything
 * that breaks. Written independently of all that makes schedules: it shares
 * no code with decoder, search or models.
 *
 * In:  problem and steps (times in s, rates in bytes/s). Out: violations.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/solution.h"

enum violation_kind {
    VIOLATION_WRONG_HOST,  /* a step starts where its VM is not, or ends where it may not be */
    VIOLATION_NOT_MOVED,   /* a VM that must move has not, or not to its destination */
    VIOLATION_MOVED_TWICE, /* two steps of one VM overlap */
    VIOLATION_CAPACITY,    /* arc: rates add up to more than its capacity */
    VIOLATION_MEMORY,      /* host: memory of present, arriving and leaving VMs exceeds it */
    VIOLATION_CPU,         /* host, at the end */
    VIOLATION_CONCURRENCY, /* host, or the whole plan (host PROBLEM_ANY) */
    VIOLATION_RULE,        /* rule */
    VIOLATION_DEADLINE,
    VIOLATION_DOWNTIME, /* vm: over its budget */
    VIOLATION_DURATION, /* vm: its rates do not carry what it must send in the time planned */
    VIOLATION_ORDER,    /* a step starts before one of `after` ended */
    VIOLATION_BOUND,    /* the makespan lies below the bound */
};

struct violation {
    enum violation_kind kind;
    long step, vm, host, arc, rule; /* PROBLEM_ANY where not concerned */
    double at_s;
    double value; /* what was found, in the unit of its kind */
    double limit; /* what was allowed */
};

struct verification {
    size_t n_violations;
    struct violation *violations;
};

void verification_dispose(struct verification *verification);

/* Violations beyond the first of a kind on the same object are left out. `skip_unmoved`: VMs that did not move
 * are no violation (a partial plan). */
DC_WARN_UNUSED enum dc_status verify(const struct problem *problem, const struct solution *solution, bool skip_unmoved,
                                     struct verification *verification_out, struct dc_error *err);

const char *verify_kind_text(enum violation_kind kind);
