/* Type-7 quantiles over small samples: the bursts of a history. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/quantile.h"

#include <math.h>
#include <stdlib.h>

static int compare_doubles(const void *left, const void *right) {
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return (a > b) - (a < b);
}

void quantile_sort(double *values, size_t n) {
    if (n > 1)
        qsort(values, n, sizeof(values[0]), compare_doubles);
}

double quantile_of_sorted(const double *values, size_t n, double q_frac) {
    const double h = (double)(n - 1) * q_frac;
    const size_t low = (size_t)floor(h);
    if (low + 1 >= n)
        return values[n - 1];
    return values[low] + (h - (double)low) * (values[low + 1] - values[low]);
}
