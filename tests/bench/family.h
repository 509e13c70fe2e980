/*
 * The families of instances that plans are measured on, and what each is to reach.
 *
 * Hosts stand in racks behind a switch each, with one core above; VMs are those of
 * workload.h. Seeds give instances; the same seed gives the same one.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

enum family_kind {
    FAMILY_EVACUATION,    /* the VMs of the sources go to any of the receivers */
    FAMILY_CONSOLIDATION, /* which hosts are emptied is chosen by solver/consolidate.h */
    FAMILY_SWAP,          /* destinations given; hosts 90% full, all VMs change places */
};

struct family {
    const char *name;
    enum family_kind kind;
    size_t n_sources, vms_per_source;
    size_t n_receivers, vms_per_receiver;
    size_t hosts_per_rack; /* 0: one switch for all */
    bool is_rack;          /* a rack or more is emptied: fixed slots are to be beaten clearly */
    /* To be reached, by the median over the seeds; 0: no target. */
    double gap_frac, wall_s, memory_bytes;
};

/* Ends with a name of NULL. */
extern const struct family families[];

/* FAMILY_CONSOLIDATION: not frozen, without costs; all VMs may move. Else frozen. The caller disposes of it. */
DC_WARN_UNUSED enum dc_status family_make(const struct family *family, uint64_t seed, struct problem *problem_out,
                                          struct dc_error *err);

/* FAMILY_CONSOLIDATION, once chosen: the VMs of hosts that go off move, to any host that stays on; where VMs of other
 * hosts move too, all go where `to` says. Makes the costs and freezes. */
DC_WARN_UNUSED enum dc_status family_settle(uint64_t seed, const size_t *to, const bool *off, struct problem *problem,
                                            struct dc_error *err);
