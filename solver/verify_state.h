/*
 * What the parts of the verification share: the plan arranged by VM, and the
 * list of violations.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/verify.h"

/* Steps are planned with the p95 figures; solution.h. */
enum { VERIFY_QUANTILE = PROBLEM_P95 };

struct verify_state {
    const struct problem *problem;
    const struct solution *solution;
    size_t *begin;  /* n_vms + 1: the steps of VM v are by_vm[begin[v] .. begin[v + 1]) */
    size_t *by_vm;  /* indices of steps, by VM, then start */
    size_t *end_on; /* per VM: the host it ends on */
    struct verification *found;
    size_t capacity; /* of found->violations */
    bool out_of_memory;
};

/* A violation that concerns nothing yet; fill in what it does. */
struct violation verify_violation(enum violation_kind kind, double at_s, double value, double limit);
void verify_add(struct verify_state *state, const struct violation *violation);

/* Is `late_s` after `early_s`, beyond rounding? */
bool verify_is_after(double late_s, double early_s);

/* The parts, each in verify_NAME.c. */
void verify_transfers(struct verify_state *state); /* duration and downtime of each step */
void verify_arcs(struct verify_state *state);      /* capacity */
void verify_hosts(struct verify_state *state);     /* memory and concurrency over time, CPU at the end */
void verify_rules(struct verify_state *state);
