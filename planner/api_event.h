/*
 * POST /v1/plans/ID/events: what `decamp apply` tells of a plan that it runs, passed on to the feed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/api.h"

/* A route's handler; `rest` is "ID/events". */
void api_event(struct api *api, struct api_request *request, const char *rest);
