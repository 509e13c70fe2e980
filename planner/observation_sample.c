/* Units and fallbacks. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/observation_sample.h"

#include <math.h>
#include <string.h>

static const double not_known = -1;

bool observation_sample(const struct fleet_observation *seen, struct calibration_sample *sample_out) {
    const struct fleet_foresight *predicted = &seen->predicted;
    if (!seen->succeeded || seen->from == NULL || seen->to == NULL || !(seen->migration_ms > 0) ||
        !(predicted->bandwidth_bytes_per_s > 0))
        return false;
    const double stop_s = fmax(0, predicted->downtime_ms.p50 - predicted->post_ms) / 1e3;
    *sample_out = (struct calibration_sample){
        .from = seen->from,
        .to = seen->to,
        .nominal_bytes_per_s = predicted->bandwidth_bytes_per_s / predicted->goodput_frac,
        .migration_ms = seen->migration_ms,
        .bytes = seen->bytes > 0 ? seen->bytes : predicted->bytes,
        .predicted_bytes = predicted->bytes,
        .downtime_ms = seen->downtime_ms,
        .stop_bytes = predicted->converges ? stop_s * predicted->bandwidth_bytes_per_s : not_known,
        .startup_ms = seen->startup_ms,
        .usual_post_ms = calibration_usual_post_ms(seen->policy != NULL ? seen->policy : ""),
    };
    return sample_out->bytes > 0;
}

static bool is_same(const char *one, const char *other) {
    return one != NULL && other != NULL && strcmp(one, other) == 0;
}

double observation_demand(const struct fleet_observation *seen, const struct fleet_observation *other) {
    if (seen->began_unix_ms == 0 || other->began_unix_ms == 0 || !(seen->migration_ms > 0) ||
        !(other->migration_ms > 0) || (!is_same(seen->from, other->from) && !is_same(seen->to, other->to)))
        return 0;
    const double after_ms = (double)(other->began_unix_ms - seen->began_unix_ms);
    const double both_ms = fmin(seen->migration_ms, after_ms + other->migration_ms) - fmax(0, after_ms);
    return fmax(0, both_ms) / seen->migration_ms * other->predicted.bandwidth_bytes_per_s;
}
