/*
 * How far the next migration may exceed its prediction, from those before it.
 *
 * In:  ratios observed / predicted of past migrations.
 * Out: the spread that makes p95 a 95% prediction limit for the next one:
 *   spread = max(0, mean / 1.645 + s * f(n)),  f(n) = t(0.95; n - 1) / 1.645 * sqrt(1 + 1/n)
 * with mean and standard deviation s of (ratio - 1) and Student's t: right also for
 * the few migrations there are at first, of which the largest alone is no p95.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stddef.h>

/* 1.645: the 95% point of the standard normal distribution. */
extern const double spread_high_deviate;

/* f(n): what a standard deviation of only `n` >= 2 values must be widened by; falls to 1. */
double spread_small_sample_factor(size_t n);

/* The spread as a fraction of the prediction, for calibration_widen(); 0 for
 * fewer than two ratios, which say nothing of a spread. */
double spread_of_ratios(const double *ratios, size_t n);
