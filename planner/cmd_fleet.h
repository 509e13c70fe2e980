/*
 * A fleet document that a verb has made, put out.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/cli.h"

#include <jansson.h>

/* Through the document's own reader, so that what is written is what a question will read. */
DC_WARN_UNUSED enum dc_status cmd_fleet_emit(const struct cli *cli, const json_t *fleet, struct dc_error *err);
