/*
 * The driver's commands as they are run: a template filled in, by the way to the host it runs on.
 *
 * In:  templates (command_config.h) and whom they are about. Out: text for /bin/sh (heap, the caller frees it).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/command_config.h"
#include "planner/apply/command_template.h"
#include "planner/apply/driver.h"

/* A template, run on `host`. {host} and {pipe} of `values` are set for the call. On failure `*command_out` is NULL,
 * here as below. */
DC_WARN_UNUSED enum dc_status command_make(const struct command_config *config, const char *text,
                                           struct command_values *values, const char *host, char **command_out,
                                           struct dc_error *err);

/* DC_EUNSUPPORTED where the settings have no template for it. */
DC_WARN_UNUSED enum dc_status command_make_migrate(const struct command_config *config,
                                                   const struct driver_migration *migration, char **command_out,
                                                   struct dc_error *err);
DC_WARN_UNUSED enum dc_status command_make_act(const struct command_config *config, enum driver_host_action action,
                                               const char *host, char **command_out, struct dc_error *err);
