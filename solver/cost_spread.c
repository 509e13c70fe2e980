/* The line in log time, from the highest bandwidth down. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/cost_spread.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

double cost_spread_deviations(double quantile_frac) {
    return gsl_cdf_ugaussian_Pinv(quantile_frac);
}

static double blend(double median, double high, double weight) {
    if (median > 0)
        return high > median ? median * pow(high / median, weight) : median;
    return fmax(0, weight) * high;
}

void cost_spread_at(const struct problem_cost *median, const struct problem_cost *high, double weight,
                    struct problem_cost *out) {
    double bytes = 0, stop_s = 0;
    out->pre_s = high->pre_s;
    out->post_s = high->post_s;
    out->n_points = high->n_points;
    for (size_t i = high->n_points; i-- > 0;) {
        const struct problem_cost_point *b = &high->points[i];
        const double bandwidth = b->bandwidth_bytes_per_s;
        struct problem_cost_point a = *b;
        (void)problem_cost_at(median, bandwidth, &a); /* what converges at the higher quantile does at the median */
        stop_s = fmax(stop_s, blend(a.stop_s, b->stop_s, weight));
        bytes = fmax(bytes, bandwidth * fmax(stop_s, blend(a.live_s + a.stop_s, b->live_s + b->stop_s, weight)));
        out->points[i] = (struct problem_cost_point){
            .bandwidth_bytes_per_s = bandwidth, .live_s = fmax(0, bytes / bandwidth - stop_s), .stop_s = stop_s};
    }
}
