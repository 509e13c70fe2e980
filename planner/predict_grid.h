/*
 * The grid of `decamp predict`: what migrations cost, per bandwidth.
 *
 * In:  forecasts of VMs of a fleet. Out: the table for people, or a
 *      prediction as JSON with the documents' keys.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/cli.h"
#include "planner/forecast.h"

#include <jansson.h>

struct predict_grid {
    const struct cli *cli;
    const struct fleet *fleet;
    bool one;               /* a single VM was named: a heading, and a row a bandwidth */
    double max_downtime_ms; /* in place of the VM's downtime budget; 0: the VM's own */
};

/* Puts out a table of `n_vms` forecasts of the fleet's `vms`. */
DC_WARN_UNUSED enum dc_status predict_grid_write(const struct predict_grid *grid, const struct forecast *forecasts,
                                                 const size_t *vms, size_t n_vms, struct dc_error *err);

/* `vm`'s {"made_unix_ms": ..., "grid": [...]}: a new reference, the caller's; NULL when out of memory. */
json_t *predict_grid_json(const struct fleet_vm *vm, const struct prediction *prediction);
