/*
 * Tells the daemon what happens to a plan that is run, for those who listen to its feed.
 *
 * In:  events (apply_event.h), on the loop's thread. Out: POST /v1/plans/ID/events, some at a time, by a thread of
 * libuv's: a daemon that is slow or gone holds nothing up, and what it did not take is not told again.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <uv.h>

struct apply_report;

/* Both texts are copied. */
DC_WARN_UNUSED enum dc_status apply_report_open(uv_loop_t *loop, const char *socket_path, const char *plan_id,
                                                struct apply_report **report_out, struct dc_error *err);

/* Takes a reference of its own. The event's number is one more than that of the event before. */
void apply_report_add(struct apply_report *report, json_t *event);

/* What waits is sent still; its memory goes in a later turn of the loop. NULL is let be. */
void apply_report_close(struct apply_report *report);
