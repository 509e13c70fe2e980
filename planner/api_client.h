/*
 * Asking the daemon: HTTP with JSON over its Unix socket, by libcurl.
 *
 * In:  the socket's path and a question. Out: the body of a good answer, or
 *      the daemon's error as if it had happened here.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stddef.h>

struct api_reply {
    char *body; /* heap, with a NUL past its end */
    size_t n_bytes;
};

void api_reply_dispose(struct api_reply *reply);

/* DC_EUNREACHABLE where nobody answers on the socket. What the daemon answers
 * with an error comes back as the status and text it names. On failure
 * `*reply_out` is empty. */
DC_WARN_UNUSED enum dc_status api_client_fleet(const char *socket_path, struct api_reply *reply_out,
                                               struct dc_error *err);

/* The plan for a goal (JSON text). Waits as long as the daemon thinks; at a true `*cancel` (NULL: never) the daemon is
 * asked for its best plan so far, by the `token` (hexadecimal digits) that stands in the goal's text too; where that
 * cannot be, and without a token, the wait ends with DC_ECANCELED. */
DC_WARN_UNUSED enum dc_status api_client_plan(const char *socket_path, const char *goal_text, const char *token,
                                              const atomic_bool *cancel, struct api_reply *reply_out,
                                              struct dc_error *err);

/* A plan made before, or the fleet it was made from, by the plan's id. */
DC_WARN_UNUSED enum dc_status api_client_plan_fleet(const char *socket_path, const char *id,
                                                    struct api_reply *reply_out, struct dc_error *err);
DC_WARN_UNUSED enum dc_status api_client_plan_by_id(const char *socket_path, const char *id,
                                                    struct api_reply *reply_out, struct dc_error *err);

/* Agents let the VM alone (HOLD) for at most `for_ms`, while it is migrated to `to` at that bandwidth, and what was
 * predicted is remembered; or until they need not (RELEASE). */
DC_WARN_UNUSED enum dc_status api_client_hold(const char *socket_path, const char *vm, double for_ms, const char *to,
                                              double bytes_per_s, struct dc_error *err);
DC_WARN_UNUSED enum dc_status api_client_release(const char *socket_path, const char *vm, struct dc_error *err);

/* What happens to a plan that is run, for the feed: an array of events, the number of the first. Waits a few seconds at
 * the most. */
DC_WARN_UNUSED enum dc_status api_client_tell_plan(const char *socket_path, const char *id, json_int_t first,
                                                   json_t *events, struct dc_error *err);
