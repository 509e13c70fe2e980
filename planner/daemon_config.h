/*
 * The planner's configuration file: a YAML mapping of the keys in the table of
 * daemon_config.c. `decamp check-config` reads it by the same functions.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "base/options.h"

#include <stdint.h>

struct daemon_config {
    char *listen; /* ZeroMQ endpoint */
    char *secret_key_file;
    char *allow_list_file;
    char *api_socket;
    char *store_path;
    char *topology_file; /* NULL: none */
    char *feed;          /* ZeroMQ endpoint; NULL: none */
    char *feed_allow_list_file;
    double status_interval_ms;
    unsigned log_level; /* enum log_level */
    uint64_t plan_threads;
    uint64_t plan_queue;
};

/* The rows of every key, for check-config and the manual. */
const struct option_table *daemon_config_table(void);

/* Reads `path`; errors name file, line and key. On failure `*config_out` is empty. */
DC_WARN_UNUSED enum dc_status daemon_config_load(const char *path, struct daemon_config *config_out,
                                                 struct dc_error *err);
void daemon_config_dispose(struct daemon_config *config);
