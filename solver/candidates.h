/*
 * Candidates: the hosts each moving VM may still go to, and the least that
 * going there can cost.
 *
 * In:  a frozen problem. Out: per mover, ascending hosts with the bandwidth of
 *      the path (bytes/s), the fewest bytes and the shortest duration (s) any schedule
 *      can reach; and the arcs that every one of its paths takes.
 *
 * Both are those at the path's width: a migration's bytes and time never grow
 * with bandwidth, and under a bandwidth that varies the transfer advances by dt / T(rate), so
 * it sends at least bytes(width) in all.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

struct candidate {
    size_t host;
    double bandwidth_bytes_per_s; /* path and the VM's own cap; 0 where nothing needs to be sent */
    double volume_bytes;
    double duration_s; /* pre + live + stop + post */
};

struct candidates {
    size_t n_movers;
    size_t *vm;              /* per mover */
    size_t *begin;           /* per mover + 1: offsets into `items` */
    struct candidate *items; /* a mover without any cannot be planned */
    size_t *common_begin;    /* per mover + 1: offsets into `common_arcs` */
    uint32_t *common_arcs;
};

/* Movers are the VMs that move and for which skip[vm] is false (NULL: none
 * skipped). One whose destination is given has at most that candidate. Hosts without
 * a path, or whose path is narrower than the VM's floor, are none. */
DC_WARN_UNUSED enum dc_status candidates_find(const struct problem *problem, enum problem_quantile quantile,
                                              const bool *skip, struct candidates *candidates_out,
                                              struct dc_error *err);
void candidates_dispose(struct candidates *candidates);

/* The candidate of a mover on `host`, or NULL. Lent by `candidates`. */
const struct candidate *candidates_at(const struct candidates *candidates, size_t mover, size_t host);

/* Do all paths of the mover take `arc`? */
bool candidates_is_common(const struct candidates *candidates, size_t mover, uint32_t arc);
