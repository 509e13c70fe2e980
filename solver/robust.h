/*
 * What becomes of a plan when migrations take other times than planned:
 * Monte-Carlo over the predictions' quantiles.
 *
 * In:  problem (costs at the median and at the quantile planned with), placement, order, the plan's
 *      makespan (s). Out: quantiles of the makespan, the share of runs that keep the deadline.
 *
 * Each run draws one standard normal per VM, independent of the others, and scales its time and
 * downtime along the log-normal line through its two quantiles (solver/cost_spread.h). Sets of up to
 * ROBUST_MAX_DECODES VMs are decoded anew in the plan's order, as the plan would be run: when an event is late, what
 * waits for it is too. Larger ones scale the makespan with the closed-form load of links, hosts and VMs, which decides
 * it there. A run's draws come from the seed and its number alone, so threads and their order change nothing.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/decode.h"

enum { ROBUST_MAX_DECODES = 300 };

struct robust_options {
    uint64_t seed;
    double end_s; /* on the monotonic clock, a cut-off; INFINITY: none */
};

/* Runs until the number that the size of the set is worth is reached, or a limit is; without a plan, none. */
DC_WARN_UNUSED enum dc_status robust_forecast(const struct problem *problem, const long *to,
                                              const struct decode_order *order, double makespan_s,
                                              const struct robust_options *options,
                                              struct solution_forecast *forecast_out, struct dc_error *err);
