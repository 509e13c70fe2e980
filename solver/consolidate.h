/*
 * Consolidation: which hosts to empty and switch off, and which VMs move for
 * that. The choice only; place and schedule come after.
 *
 * In:  a problem in which `moves` says which VMs may move, what each host draws,
 *      an objective. Out: where each VM ends, which hosts are off, which were booted; and
 *      what no choice can be better than, where that is proved.
 *
 * By emptying one host after the other in several orders (best fit, with one VM
 * of a full host pushed on where that makes room), booting a host where that pays, and by
 * branch and bound where it is small.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

#include <stdatomic.h>

enum consolidate_objective {
    CONSOLIDATE_FEWEST,    /* hosts on, then bytes moved */
    CONSOLIDATE_POWER_OFF, /* n_off hosts off, then bytes moved */
    CONSOLIDATE_ENERGY,    /* joules over the horizon, with those of the migrations, boots and shutdowns */
};

struct consolidate_host {
    bool is_on;
    bool may_change; /* may be switched off once it is empty, or booted */
    double idle_watts;
    double watts_per_core; /* on top, of a core in use */
    double change_joules;  /* of its shutdown, or its boot */
};

struct consolidate_options {
    enum consolidate_objective objective;
    size_t n_off; /* CONSOLIDATE_POWER_OFF */
    const struct consolidate_host *hosts;
    /* CONSOLIDATE_ENERGY: */
    double horizon_s;
    double joules_per_byte; /* of a VM's memory */
    double joules_per_vm;
    uint64_t seed;
    const atomic_bool *cancel; /* NULL: none */
};

struct consolidate_result {
    size_t *to;      /* per VM: where it ends */
    bool *off;       /* per host: is switched off (it was on) */
    bool *booted;    /* per host: is booted (it was off) */
    size_t n_on;     /* hosts on at the end */
    size_t n_off;    /* hosts switched off */
    size_t least_on; /* no choice has fewer hosts on */
    bool proved;     /* the choice is the best by its objective */
};

DC_WARN_UNUSED enum dc_status consolidate(const struct problem *problem, const struct consolidate_options *options,
                                          struct consolidate_result *result_out, struct dc_error *err);
void consolidate_result_dispose(struct consolidate_result *result);
