/*
 * How many migrations a service level agreement has room for.
 *
 * In:  the availability promised (0..1), the period it is measured over, and
 *      the downtime and the duration of one migration.
 * Out: the downtime allowed, and the number of migrations that fit in it:
 *        allowance = (1 - availability) x period
 *        n         = floor(allowance / downtime), at most floor(period / duration)
 *
 * Every migration counts with the same downtime: with its p95 that is the worst case, since the
 * sum of n downtimes is more concentrated than n times one quantile.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

/* 30 days, the month of most agreements. */
extern const double sla_month_ms;

/* "99.95%" -> 0.9995. The percent sign is required: 0.9995 could mean either.
 * DC_EINVAL unless it is above 0% and at most 100%. */
DC_WARN_UNUSED enum dc_status sla_parse(const char *text, double *availability_frac_out, struct dc_error *err);

/* The downtime that `availability_frac` allows in `period_ms`. */
double sla_allowance_ms(double availability_frac, double period_ms);

/* Migrations of `downtime_ms` that fit in `allowance_ms`, and one after the
 * other in `period_ms`, when each lasts `migration_ms` (> 0). A whole number; of migrations
 * without downtime, as many as the period holds. */
double sla_migrations(double allowance_ms, double period_ms, double migration_ms, double downtime_ms);
