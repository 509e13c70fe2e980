/*
 * What happens to a plan that is run, as JSON objects: proto/schema/apply-event.schema.json.
 *
 * In:  the plan, how far its executor is. Out: one event, the caller's reference; NULL when out of memory.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/executor.h"

#include <jansson.h>

/* All lent for the call; `plan` and `executor` may be NULL between two revisions. */
struct apply_moment {
    const struct plan *plan;
    const struct executor *executor;
    unsigned revision;
    double elapsed_ms; /* since apply began */
};

/* A step has entered another state. */
json_t *apply_event_step(const struct apply_moment *now, size_t step);
/* A migration is further on, or has another cap. */
json_t *apply_event_progress(const struct apply_moment *now, size_t step);
/* About a step, or with `step` SIZE_MAX about the whole. */
json_t *apply_event_note(const struct apply_moment *now, size_t step, const char *text);

/* No more will be done; `is_whole`: all was. */
json_t *apply_event_end(const struct apply_moment *now, bool is_whole);

/* When all will be done, by what was planned and how far behind it is. ms since the plan began. */
double apply_event_eta_ms(const struct plan *plan, const struct executor *executor, double makespan_ms);
