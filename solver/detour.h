/*
 * Detours: a problem in which some VMs go by way of another host. The second
 * leg of such a hop is a mover of its own, a VM added behind the others, that
 * starts after the first has ended; so orders, decodes and draws treat it as any other.
 *
 * In:  a problem, destinations, hops, and waits (what must have ended before what).
 * Out: the problem with legs (problem.h), and destinations for VMs and legs.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

struct detour_hop {
    size_t vm;
    size_t host; /* where it is parked on its way */
};

/* Movers by number: VMs, then the leg of hop i as n_vms + i. */
struct detour_wait {
    size_t before, after;
};

struct detour {
    struct problem problem; /* shares all but VMs and rules with the one it is of, which must outlive it */
    long *to;               /* per VM, then per leg */
    size_t *leg_vm;
    size_t *rule_vms; /* the waits' pairs */
};

/* On failure (DC_ENOMEM) there is nothing to dispose of. */
DC_WARN_UNUSED enum dc_status detour_init(const struct problem *problem, const long *to, size_t n_hops,
                                          const struct detour_hop *hops, size_t n_waits,
                                          const struct detour_wait *waits, struct detour *detour_out,
                                          struct dc_error *err);
void detour_dispose(struct detour *detour);
