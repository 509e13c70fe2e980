/*
 * Accuracy: what was predicted against what was observed, as the paper's table
 * has it (MT migration time, DT downtime; A actual, P predicted).
 *
 * In:  observed migrations of a fleet. Out: per figure the relative errors'
 *      median and 90th percentile, and how many lie within what p95 promised.
 *      error = (P - A) / A, with P the p50.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"

enum accuracy_figure { ACCURACY_MIGRATION, ACCURACY_DOWNTIME, ACCURACY_BYTES, ACCURACY_N_FIGURES };

/* Of one observation: false where a figure was not both predicted and observed. Failed migrations have none. */
bool accuracy_error(const struct fleet_observation *seen, enum accuracy_figure figure, double *error_frac_out);

/* Which observations count. */
struct accuracy_choice {
    const char *vm;        /* uuid or name; NULL: every */
    int64_t since_unix_ms; /* that began then or later */
};
bool accuracy_chooses(const struct accuracy_choice *choice, const struct fleet_observation *seen);

struct accuracy {
    size_t n;                     /* errors; without any the others are 0 */
    double median_frac, p90_frac; /* of their absolute values */
    double bias_frac;             /* median with sign: above 0 says too much */
    bool has_p95;
    double within_p95_frac; /* observed at most what p95 said */
};

/* Over the chosen observations. DC_ENOMEM. */
DC_WARN_UNUSED enum dc_status accuracy_judge(const struct fleet *fleet, const struct accuracy_choice *choice,
                                             enum accuracy_figure figure, struct accuracy *accuracy_out,
                                             struct dc_error *err);
