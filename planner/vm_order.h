/*
 * The order in which VMs are listed: by host as the fleet has them, then by name.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"

/* `*order_out` gets the n_vms indices (heap, the caller frees it). */
DC_WARN_UNUSED enum dc_status vm_order_new(const struct fleet *fleet, size_t **order_out, struct dc_error *err);
