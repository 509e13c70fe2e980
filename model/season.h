/*
 * When to migrate: predictions for the coming hours from a history that repeats
 * itself by hour of the day or of the week.
 *
 * In:  a profile whose bursts say when they were taken (or the hours an agent
 *      made of such), a bandwidth, a start.
 * Out: migration time and downtime (ms) for each of the next 24 hours, and which
 *      of them is best.
 *
 * An hour is predicted from the bursts of the same hour before it (HIST over
 * that group), but only where the hours differ by more than chance: one-way
 * analysis of variance of log W(t) over the hours of the day, on the means of
 * each day's hours so that bursts minutes apart count once,
 *   F = (between / (k - 1)) / (within / (n - k)).
 * Else a "best hour" would be the luckiest one, and all bursts serve every hour.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "model/prediction.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEASON_HOURS = 24 };

/* What the history says of a daily cycle. */
struct season_cycle {
    bool is_cyclic;
    double p_value; /* that such differences come by chance; 1 where nothing can be told */
    size_t n_days;  /* calendar days with bursts */
    double span_s;  /* from the first burst to the last */
};

struct season_hour {
    int64_t start_unix_ms;
    enum dirty_basis basis;
    size_t n_bursts; /* that it rests on */
    struct prediction_point point;
};

/* Where the coming hours begin, and what an hour of the day is. */
struct season_clock {
    int64_t now_unix_ms;
    int utc_offset_s; /* of local time, east positive */
};

/* Tells whether the bursts of a CURVE profile follow the hour of the day. `utc_offset_s`
 * is local time's, east positive. Bursts without a time do not count. */
DC_WARN_UNUSED enum dc_status season_find_cycle(const struct dirty_profile *profile, int utc_offset_s,
                                                struct season_cycle *cycle_out, struct dc_error *err);

/* The curves of the SEASON_HOURS hours from the present one on, in `hours_out`
 * (each the caller's to dispose with dirty_hour_dispose). DC_ENOTFOUND where no burst of the
 * profile says when it was taken. */
DC_WARN_UNUSED enum dc_status season_curves(const struct dirty_profile *profile, struct season_clock clock,
                                            struct dirty_hour hours_out[SEASON_HOURS], struct dc_error *err);

/* Predicts `input` at one bandwidth for each of those hours. Of a QUANTILES profile the hours it
 * carries are predicted as far as they have not passed: `*n_out` says how many.
 * DC_ENOTFOUND where the profile says nothing about hours. */
DC_WARN_UNUSED enum dc_status season_forecast(const struct prediction_input *input, double bandwidth_bytes_per_s,
                                              struct season_clock clock, struct season_hour hours_out[SEASON_HOURS],
                                              size_t *n_out, struct dc_error *err);

/* The index of the shortest p95 migration time among the hours that converge and whose
 * p95 downtime is within `downtime_budget_ms` (0: no budget); of equals the
 * earliest; `n` where there is none. */
size_t season_best(const struct season_hour *hours, size_t n, double downtime_budget_ms);
