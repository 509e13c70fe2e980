/*
 * From a VM's history to what is published of it: the prediction on the grid of
 * bandwidths (bytes/s) and the compact p50 and p95 curves it came from, where the
 * history follows the clock also the curves of the coming hours.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/source.h"
#include "model/season.h"
#include "proto/msg_pred.h"

enum { PREDICTOR_CURVE_POINTS = 24, PREDICTOR_HOUR_POINTS = 8 };

struct predictor {
    size_t n_grid;
    double grid_bytes_per_s[MSG_MAX_POINTS];
    size_t n_bursts; /* of the history, the newest so many make the grid; all of it tells of hours */
};

/* A geometric grid of `n` (2 .. MSG_MAX_POINTS) bandwidths, from all bursts. */
void predictor_init(struct predictor *predictor, double low_bytes_per_s, double high_bytes_per_s, size_t n);

/* Predicts `vm` from `profile`, its history; `now` says when, and what an hour of the day is. The caller disposes the
 * result with msg_prediction_dispose. DC_ENOTFOUND for an empty profile. */
DC_WARN_UNUSED enum dc_status predictor_make(const struct predictor *predictor, const struct source_vm *vm,
                                             const struct dirty_profile *profile, uint64_t sample_number,
                                             struct season_clock now, struct msg_prediction *prediction_out,
                                             struct dc_error *err);

/* Drops points in place until at most `n_most` (>= 2) are left, each time the inner point that
 * linear interpolation between its neighbours misses least, relative to its pages. */
void predictor_simplify(struct dirty_curve *curve, size_t n_most);
