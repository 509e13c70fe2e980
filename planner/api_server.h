/*
 * HTTP on a Unix socket, within the libuv loop. The only file of the daemon
 * that knows libmicrohttpd.
 *
 * In:  a whole request (method, path, body). Out: the handler's JSON reply, at
 *      once or later; a request that waits is told when its client goes away.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stddef.h>
#include <uv.h>

enum { API_MAX_BODY_BYTES = 8 << 20 };

struct api_server;
struct api_request;

/* Must bring about exactly one api_request_reply, now or later. */
typedef void (*api_handler_fn)(void *context, struct api_request *request);

/* Makes the socket `path`, mode 0660, and listens. A socket left behind by a
 * killed planner is replaced; DC_EEXIST where somebody still listens on it. */
DC_WARN_UNUSED enum dc_status api_server_open(uv_loop_t *loop, const char *path, api_handler_fn handler, void *context,
                                              struct api_server **server_out, struct dc_error *err);

/* Refuses new requests, tells waiting ones that they are not wanted any more,
 * and ends when all are replied to; removes the socket and frees itself. */
void api_server_close(struct api_server **server);

/* Lent until the reply. The body is terminated by a NUL that is not counted. */
const char *api_request_method(const struct api_request *request);
const char *api_request_path(const struct api_request *request);
const char *api_request_body(const struct api_request *request, size_t *n_bytes_out);

/* Calls `unwanted` at most once, when the client goes away or the server closes before the reply. */
void api_request_on_unwanted(struct api_request *request, void (*unwanted)(void *context), void *context);

/* Answers with a JSON text (heap; taken over; NULL: an empty 500). The request is gone then. */
void api_request_reply(struct api_request *request, unsigned status, char *json_text);

/* The same with a text of another type ("text/plain", lent for the request's life). */
void api_request_reply_as(struct api_request *request, unsigned status, const char *content_type, char *text);
