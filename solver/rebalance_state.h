/* Loads under construction; shared by solver/rebalance*.c only. */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/rebalance.h"

struct balance {
    const struct problem *problem;
    const struct rebalance_options *options;
    double *used_bytes, *used_cores; /* per host */
    unsigned char *is_free;          /* per VM: may be moved */
    size_t *to;                      /* per VM */
};

void balance_move(struct balance *balance, size_t vm, size_t host);
double balance_excess_frac(const struct balance *balance, size_t host);

/* May the VM come to the host as it is now without taking it over its limits or breaking a rule? */
bool balance_fits(const struct balance *balance, size_t vm, size_t host);

/* May it at all, were there room? */
bool balance_is_candidate(const struct balance *balance, size_t vm, size_t host);

/* The assignment program on small fleets, from the balance at hand, which it replaces where it finds better. */
DC_WARN_UNUSED enum dc_status balance_solve_exactly(struct balance *balance, bool *proved_out, struct dc_error *err);
