/*
 * The robust fit behind model/calibration.h, of one group of samples.
 *
 * In:  samples, a prior and how sure it is. Out: pre, post (ms) and slowness (1 / goodput).
 *
 * Rows, each divided by what it is uncertain by (then a residual of 1 is usual):
 *   migration time: 1 x pre + 1 x post + bytes / nominal x slowness
 *   downtime:                 1 x post + stop-and-copy bytes / nominal x slowness
 * With u = (figures - prior) / sigma the prior adds the unit matrix to the normal
 * equations, which therefore always have one solution.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/calibration.h"

struct calibration_figures {
    double pre_ms;
    double post_ms;
    double slowness;
};

/* Usable samples side by side, all lent. */
struct calibration_group {
    const struct calibration_sample **samples;
    size_t n;
    double *scratch; /* room for 4 n */
};

/* None of the figures is negative, slowness is at least 1. Nothing is allocated; it cannot fail. */
struct calibration_figures calibration_fit(const struct calibration_group *group,
                                           const struct calibration_figures *prior,
                                           const struct calibration_figures *sigma);

/* The median start-up latency, or `parent_ms` where fewer than `n_min` are known. */
double calibration_fit_startup(const struct calibration_group *group, size_t n_min, double parent_ms);

/* The robust standard deviation (1.4826 x the median) of |observed - predicted| / predicted totals, those
 * predicted from the predicted bytes under the fit: what the fit explains by bytes that nobody knew before is part
 * of the spread too. Widened by spread_small_sample_factor(), with `parent_frac` counted as if it were that of four
 * more. */
double calibration_fit_spread(const struct calibration_group *group, const struct calibration_figures *figures,
                              double parent_frac);
