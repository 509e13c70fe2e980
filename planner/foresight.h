/*
 * Foresight: the prediction of one migration, frozen for its observation.
 *
 * In:  a fleet with its calibration, a VM, where it goes and at which bandwidth, as far as that is known.
 * Out: times, bytes and rounds at the bandwidth asked for, but at most at what the widest path leaves for
 *      migrations (capacity x goodput - background) and at the VM's own cap.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"

struct foresight_wish {
    const char *to;               /* host; NULL: not known */
    double bandwidth_bytes_per_s; /* of payload; not above 0: not asked for */
};

/* `vm` is one of the fleet's and is calibrated for the pair of hosts on the way. What cannot be predicted has a
 * bandwidth of 0. */
DC_WARN_UNUSED enum dc_status foresight_make(const struct fleet *fleet, struct fleet_vm *vm,
                                             const struct foresight_wish *wish, struct fleet_foresight *foresight_out,
                                             struct dc_error *err);
