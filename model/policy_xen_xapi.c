/*
 * XAPI (XCP-ng, XenServer): its emu-manager watches libxenguest's progress and ends
 * the live stage at iteration > 0 and (remaining < 50 or iteration >= 4),
 * iterations counted from 0. It learns of an iteration once that has begun, so
 * the iteration goes on: up to five live rounds, and the first is never the last.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/policy_xen_stream.h"

void policy_xen_xapi_run(struct precopy *precopy) {
    policy_xen_stream_run(precopy, 2);
}
