/* The planner's settings, one row each. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/daemon_config.h"

#include "base/config_file.h"

#include <stddef.h>

static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL}; /* enum log_level */

#define FIELD(key) .name = #key, .offset = offsetof(struct daemon_config, key)

static const struct option_spec specs[] = {
    {FIELD(listen), .type = OPTION_STRING, .default_text = "tcp://*:7450", .help = "where agents connect (ZeroMQ)"},
    {FIELD(secret_key_file), .type = OPTION_STRING, .required = true,
     .help = "the planner's secret key, made by `decamp keys new`"},
    {FIELD(allow_list_file), .type = OPTION_STRING, .required = true,
     .help = "lines `HOST PUBLICKEY`: who may connect, and as which host"},
    {FIELD(api_socket), .type = OPTION_STRING, .default_text = "/run/decamp/planner.sock",
     .help = "Unix socket that decamp asks"},
    {FIELD(store_path), .type = OPTION_STRING, .default_text = "/var/lib/decamp/planner.sqlite",
     .help = "what the planner knows, over restarts"},
    {FIELD(topology_file), .type = OPTION_STRING,
     .help = "fleet document with what agents cannot know: switches, links, limits, rules"},
    {FIELD(feed), .type = OPTION_STRING,
     .help = "where programs hear of predictions and plans (ZeroMQ); none by default"},
    {FIELD(feed_allow_list_file), .type = OPTION_STRING, .help = "lines `NAME PUBLICKEY`: which programs may"},
    {.name = "status_interval",
     .offset = offsetof(struct daemon_config, status_interval_ms),
     .type = OPTION_DURATION_MS,
     .default_text = "5s",
     .min = 100,
     .max = 600e3,
     .help = "how often agents report; a host is late after 2 missed, stale after 3, lost after 10"},
    {FIELD(log_level), .type = OPTION_CHOICE, .default_text = "info", .choices = log_levels,
     .help = "error, warning, info or debug"},
    {FIELD(plan_threads), .type = OPTION_UINT, .default_text = "2", .min = 1, .max = 64,
     .help = "plans made at the same time"},
    {FIELD(plan_queue), .type = OPTION_UINT, .default_text = "16", .min = 1, .max = 1024,
     .help = "plans that may wait; more are refused"},
};

#undef FIELD

static const struct option_table table = {specs, sizeof(specs) / sizeof(specs[0])};

const struct option_table *daemon_config_table(void) {
    return &table;
}

enum dc_status daemon_config_load(const char *path, struct daemon_config *config_out, struct dc_error *err) {
    *config_out = (struct daemon_config){0};
    const enum dc_status rc = config_file_load(path, &table, config_out, err);
    if (rc != DC_OK || (config_out->feed == NULL) == (config_out->feed_allow_list_file == NULL))
        return rc;
    (void)error_set(err, DC_EINVAL, "%s: feed and feed_allow_list_file: expected both or neither", path);
    daemon_config_dispose(config_out);
    return DC_EINVAL;
}

void daemon_config_dispose(struct daemon_config *config) {
    options_dispose(&table, config);
}
