/*
 * Quantiles of a sample, type 7 of Hyndman and Fan (1996), the usual default:
 * with the values sorted and h = (n - 1) q,
 *   Q(q) = x[floor(h)] + (h - floor(h)) (x[floor(h) + 1] - x[floor(h)]).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stddef.h>

/* Sorts `values[n]` ascending, in place. */
void quantile_sort(double *values, size_t n);

/* The quantile `q_frac` (0..1) of `n` >= 1 ascending values. */
double quantile_of_sorted(const double *values, size_t n, double q_frac);
