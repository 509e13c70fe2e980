/*
 * Among rules in placement: which of its groups each rule's VMs all go to. Once
 * that is chosen, such a rule is a fence.
 *
 * In:  a problem. Out: choices one after the other, the roomiest groups first.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

struct group_choice {
    size_t n_rules;
    size_t *rules;    /* the problem's numbers */
    size_t *n_groups; /* per rule, of those that can hold */
    size_t **groups;  /* per rule, best first */
    size_t *chosen;   /* per rule, a place in `groups` */
};

/* The first choice. False without memory; dispose of it all the same. */
DC_WARN_UNUSED bool group_choice_init(struct group_choice *choice, const struct problem *problem);
void group_choice_dispose(struct group_choice *choice);

/* The next choice; false after the last, and the first is then chosen again. */
bool group_choice_next(struct group_choice *choice);

/* Takes from `allowed` (as problem.allowed) what lies outside of the chosen groups; all of it where none can hold. */
void group_choice_narrow(const struct group_choice *choice, const struct problem *problem, unsigned char *allowed);
