/*
 * Plans over the API: a goal is solved on a worker thread, on a copy of the
 * fleet; what comes out is stored before it is answered. A client that goes
 * away takes its question back.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/api.h"

void api_plan_make(struct api *api, struct api_request *request, const char *rest);

/* {"token": ...} as it stood beside a goal: that goal is answered at once, with the best plan found so far. */
void api_plan_interrupt(struct api *api, struct api_request *request, const char *rest);
void api_plan_list(struct api *api, struct api_request *request, const char *rest);

/* `rest` is the plan's id, or its id and "/fleet": the fleet document it was made from. */
void api_plan_get(struct api *api, struct api_request *request, const char *rest);
