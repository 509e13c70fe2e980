/*
 * Calibration applied: what observed migrations taught, put where the fleet's
 * VMs say nothing of their own.
 *
 * In:  a fleet with its calibration. Out: the same with the learned pre and post
 *      overheads in its VMs, their predictions moved by the difference, p95
 *      widened by the learned spread (by the usual one where too little was observed), and the start-up latency for
 * plans to count: a plan's clock begins with the order, a prediction's with the migration.
 *
 * An overhead that a document gives stays; one that an agent assumed gives way.
 * Called once on a fleet, right after it was read and before anything is asked of it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"

/* Where a VM goes is not known yet: what its host's migrations taught, else all. */
void fleet_calibrate(struct fleet *fleet);

/* One VM of the fleet, on its way to host `to` (NULL: not known). */
void fleet_calibrate_vm(const struct fleet *fleet, struct fleet_vm *vm, const char *to);

/* The learned goodput of each host for its links whose document says none. */
void fleet_calibrate_links(struct fleet *fleet);

/* A prediction made with the overhead `was` as it is with `is`: times that are the same at every bandwidth. */
void fleet_calibrate_shift(struct prediction *prediction, const struct migration_overhead *was,
                           const struct migration_overhead *is);
