/*
 * Forecasts for `decamp predict`: one VM at chosen bandwidths.
 *
 * In:  a VM of a fleet and bandwidths. Out: the prediction at each of them and
 *      the lowest bandwidth at which its downtime budget holds.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"

struct forecast_wish {
    size_t n_bandwidths;                  /* 0: a grid up to the host's NIC */
    const double *bandwidths_bytes_per_s; /* ascending */
    bool nic_only;                        /* without bandwidths: only the NIC's own */
    bool from_prediction;                 /* what the agent published, also where there is a profile */
};

struct forecast {
    bool known; /* false: neither a profile with a stop policy nor a prediction */
    struct prediction prediction;
    double lowest_bytes_per_s; /* 0: none up to 4 x the NIC */
};

DC_WARN_UNUSED enum dc_status forecast_make(const struct fleet *fleet, const struct fleet_vm *vm,
                                            const struct forecast_wish *wish, struct forecast *forecast_out,
                                            struct dc_error *err);
void forecast_dispose(struct forecast *forecast);
