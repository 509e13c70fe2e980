/*
 * What the driver "command" runs: one template a deed, as a YAML file or a preset (xl, xe, virsh) has them.
 *
 * In:  a file of the keys in command_config.c's table, over a preset. Out: checked templates.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/options.h"

struct command_config {
    char *remote; /* how commands reach {host}; "": they run here */
    char *migrate;
    char *cold_migrate; /* "": cannot; likewise below */
    char *pipe;
    char *abort;
    char *bandwidth;
    char *progress;
    char *locate;
    char *boot;
    char *shutdown;
    double locate_timeout_ms;
    double progress_interval_ms;
};

/* The keys, for the manual. */
const struct option_table *command_config_table(void);

/* `path` may be NULL: the preset alone. `preset` is "command" (nothing set), "xl", "xe" or "virsh". Errors name file,
 * line and key. On failure `*config_out` is empty. */
DC_WARN_UNUSED enum dc_status command_config_load(const char *path, const char *preset,
                                                  struct command_config *config_out, struct dc_error *err);
void command_config_dispose(struct command_config *config);
