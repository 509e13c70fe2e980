/*
 * The agent: wires source -> sampler -> history -> predictor -> outbox ->
 * uplink on one loop, and runs until it is told to stop.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "agent/agent_config.h"

/* Runs until SIGTERM or SIGINT, then ends in order. Fails when a part cannot be opened; a planner that
 * is away is no failure. `config` is lent. */
DC_WARN_UNUSED enum dc_status agent_run(const struct agent_config *config, struct dc_error *err);
