/*
 * Single hosts and VMs of the fleet document, on their own: the agent and the
 * planner hold and send them one by one.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"

/* Free what the part owns and zero it; idempotent. */
void fleet_parts_dispose_host(struct fleet_host *host);
void fleet_parts_dispose_vm(struct fleet_vm *vm);

/* Deep copies; `*copy_out` is overwritten, the caller disposes it. On failure
 * (DC_ENOMEM) it is empty. */
DC_WARN_UNUSED enum dc_status fleet_parts_copy_host(const struct fleet_host *host, struct fleet_host *copy_out,
                                                    struct dc_error *err);
DC_WARN_UNUSED enum dc_status fleet_parts_copy_vm(const struct fleet_vm *vm, struct fleet_vm *copy_out,
                                                  struct dc_error *err);
