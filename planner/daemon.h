/*
 * The planner daemon: agents' messages into fleet state and store, questions
 * out of them, all on one libuv loop; plans are made on worker threads.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/daemon_config.h"

/* Reads what the configuration names (key, allow-list, topology) and nothing else: --check-config. */
DC_WARN_UNUSED enum dc_status daemon_check(const struct daemon_config *config, struct dc_error *err);

/* Runs until SIGTERM or SIGINT. DC_OK after an orderly end. */
DC_WARN_UNUSED enum dc_status daemon_run(const struct daemon_config *config, struct dc_error *err);
