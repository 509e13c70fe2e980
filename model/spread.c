/* The one-sided prediction limit of the next ratio observed / predicted. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/spread.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

const double spread_high_deviate = 1.6448536269514722;

double spread_small_sample_factor(size_t n) {
    const double count = (double)n;
    return gsl_cdf_tdist_Pinv(0.95, count - 1) / spread_high_deviate * sqrt(1 + 1 / count);
}

double spread_of_ratios(const double *ratios, size_t n) {
    if (n < 2)
        return 0;
    const double count = (double)n;
    double mean = 0;
    for (size_t i = 0; i < n; i++)
        mean += (ratios[i] - 1) / count;
    double variance = 0;
    for (size_t i = 0; i < n; i++)
        variance += (ratios[i] - 1 - mean) * (ratios[i] - 1 - mean) / (count - 1);
    return fmax(mean / spread_high_deviate + sqrt(variance) * spread_small_sample_factor(n), 0);
}
