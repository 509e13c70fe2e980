/*
 * Holds over the API: a script that migrates by itself tells the agents not to
 * sample meanwhile.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/api.h"

/* All or nothing: an unknown VM (404) or a host without a connected agent (409) leaves every agent as it was. */
void api_hold(struct api *api, struct api_request *request, const char *rest);
void api_release(struct api *api, struct api_request *request, const char *rest);
