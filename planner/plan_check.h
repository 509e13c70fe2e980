/*
 * Checking a plan document against a fleet.
 *
 * In:  a plan and the fleet it is for (or a newer one). Out: sentences: what
 *      the plan breaks (by solver/verify.h, which shares nothing with what made it), and what is only worth
 *      a warning.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/fleet_doc.h"
#include "proto/plan_doc.h"

#include <jansson.h>

struct plan_check {
    json_t *violations; /* array of strings */
    json_t *warnings;   /* array of strings */
};

/* A plan whose goal names hosts or VMs the fleet does not have is DC_ENOTFOUND; whatever
 * else is wrong is a violation. */
DC_WARN_UNUSED enum dc_status plan_check_run(const struct plan *plan, const struct fleet *fleet,
                                             struct plan_check *check_out, struct dc_error *err);

/* Appends what breaks in a plan whose goal names what moves. */
DC_WARN_UNUSED enum dc_status plan_check_plain(const struct plan *plan, const struct fleet *fleet,
                                               struct plan_check *check, struct dc_error *err);
void plan_check_dispose(struct plan_check *check);

/* Appends it if the makespan that the plan claims is not the end of its last step. */
DC_WARN_UNUSED enum dc_status plan_check_makespan(const struct plan *plan, json_t *violations, struct dc_error *err);

/* Appends a printf sentence to an array. */
DC_WARN_UNUSED enum dc_status plan_check_say(json_t *sentences, struct dc_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
