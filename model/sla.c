/* The arithmetic of a service level agreement. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/sla.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

const double sla_month_ms = 30 * 86400e3;

/* Relative: (1 - 0.999) x period must hold what it holds on paper, though 0.999 is no binary fraction. */
static const double ROUNDING = 1e-9;

enum dc_status sla_parse(const char *text, double *availability_frac_out, struct dc_error *err) {
    char *end = NULL;
    const double percent = strtod(text, &end);
    const bool plain = end != text && strpbrk(text, "xXpPnN") == NULL;
    if (!plain || strcmp(end, "%") != 0 || !(percent > 0 && percent <= 100))
        return error_set(err, DC_EINVAL,
                         "\"%.64s\": expected an availability above 0%% and up to 100%%, such as 99.95%%", text);
    *availability_frac_out = percent / 100;
    return DC_OK;
}

double sla_allowance_ms(double availability_frac, double period_ms) {
    return fmax(0, 1 - availability_frac) * period_ms;
}

double sla_migrations(double allowance_ms, double period_ms, double migration_ms, double downtime_ms) {
    const double by_time = floor(period_ms / migration_ms);
    if (!(downtime_ms > 0))
        return by_time;
    return fmin(by_time, floor(allowance_ms / downtime_ms * (1 + ROUNDING)));
}
