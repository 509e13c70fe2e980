/*
 * Between and beyond two quantiles of one migration's cost: log-normal.
 *
 * In:  costs at the median and at a higher quantile (bytes/s, s), which may converge at fewer bandwidths.
 * Out: the cost at a weight on the line through both in log time: 0 the median, 1 the higher one.
 *
 *   x(w) = x0 (x1 / x0)^w, then the running maximum of bytes and stop time from the highest bandwidth
 *   down, so that they still never grow with bandwidth.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/problem.h"

/* How many standard deviations the quantile of a standard normal lies above the median. */
double cost_spread_deviations(double quantile_frac);

/* `out` has room for as many points as `high`, and gets its bandwidths. */
void cost_spread_at(const struct problem_cost *median, const struct problem_cost *high, double weight,
                    struct problem_cost *out);
