/*
 * Forecasts for `decamp predict`: one VM at chosen bandwidths.
 *
 * In:  a VM of a fleet and bandwidths. Out: the prediction at each of them and
 *      the lowest bandwidth at which its downtime budget, or the one wished, holds.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"

struct forecast_wish {
    size_t n_bandwidths;                  /* 0: a grid up to the host's NIC */
    const double *bandwidths_bytes_per_s; /* ascending */
    bool nic_only;                        /* without bandwidths: only the NIC's own */
    bool from_prediction;                 /* what the agent published, also where there is a profile */
    double max_downtime_ms;               /* in place of the VM's downtime budget; 0: the VM's own */
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

/* The usable bandwidth of the VM's host; a gigabit's where it has no link. */
double forecast_nic(const struct fleet *fleet, const struct fleet_vm *vm);

/* Does `vm` have what a simulation needs: a profile and a stop policy? */
bool forecast_has_profile(const struct fleet_vm *vm);

/* What the model is asked about `vm` by HIST; its profile is lent. */
struct prediction_input forecast_input(const struct fleet_vm *vm);

/* prediction_make() for `vm`, with the spread that was learned of its hosts. */
DC_WARN_UNUSED enum dc_status forecast_predict(const struct fleet_vm *vm, const struct prediction_input *input,
                                               const double *bandwidths_bytes_per_s, size_t n,
                                               struct prediction *prediction_out, struct dc_error *err);
