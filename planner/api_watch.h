/*
 * What machines watch: GET /metrics, /healthz (it answers), /readyz (it can plan: some host is fresh).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/api.h"

void api_metrics(struct api *api, struct api_request *request, const char *rest);
void api_healthz(struct api *api, struct api_request *request, const char *rest);
void api_readyz(struct api *api, struct api_request *request, const char *rest);
