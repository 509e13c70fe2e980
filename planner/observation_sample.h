/*
 * What calibration learns from one observation.
 *
 * In:  an observed migration with what was predicted of it. Out: a sample for model/calibration.h.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/calibration.h"
#include "proto/fleet_observation.h"

/* False for one that teaches nothing: it failed, or the time, a host or the prediction is not known. The sample is lent
 * by the observation. */
bool observation_sample(const struct fleet_observation *seen, struct calibration_sample *sample_out);

/* What `other` was to send over a host that both go from or to, while `seen` was under way: on average over its time.
 * bytes/s; 0 where their times are not known. */
double observation_demand(const struct fleet_observation *seen, const struct fleet_observation *other);
