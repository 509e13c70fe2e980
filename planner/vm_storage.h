/*
 * The local disks of a fleet's VM, for predictions.
 *
 * In:  a VM as the fleet knows it. Out: its disks as the model asks for them,
 *      whether its toolstack moves them, and the prediction its agent published
 *      (which knows of memory only) with them in it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"

/* Lent by the VM. */
struct storage vm_storage_of(const struct fleet_vm *vm);

/* The first local disk that keeps the VM where it is, as its toolstack moves none; NULL: none does. */
const struct storage_disk *vm_storage_obstacle(const struct fleet_vm *vm);

/* The first local disk whose copy cannot be predicted: the VM does not run or has no stop policy. NULL: none. */
const struct storage_disk *vm_storage_unknown(const struct fleet_vm *vm);

/* What moving the disks costs at one bandwidth; all nothing where none move. */
struct storage_cost vm_storage_cost(const struct fleet_vm *vm, double bandwidth_bytes_per_s);

/* A copy of vm->prediction in which the disks move too: each point's memory gets
 * what the mirrored writes leave. The caller disposes it. */
DC_WARN_UNUSED enum dc_status vm_storage_prediction(const struct fleet_vm *vm, struct prediction *prediction_out,
                                                    struct dc_error *err);
