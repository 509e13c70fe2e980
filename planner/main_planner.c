/* decamp-planner: options, configuration, then the daemon. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/log.h"
#include "planner/daemon.h"

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { OPTION_CHECK_CONFIG = 256 };

struct arguments {
    const char *config_path;
    bool check_config;
    bool verbose;
};

static const struct argp_option argp_options[] = {
    {"config", 'c', "FILE", 0, "Configuration (default /etc/decamp/planner.yaml)", 0},
    {"check-config", OPTION_CHECK_CONFIG, NULL, 0, "Check the configuration and the files it names, then end", 0},
    {"verbose", 'v', NULL, 0, "Log in detail, whatever the configuration says", 0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case 'c':
        arguments->config_path = argument;
        return 0;
    case OPTION_CHECK_CONFIG:
        arguments->check_config = true;
        return 0;
    case 'v':
        arguments->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument: %s", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static enum dc_status run(const struct arguments *arguments, struct dc_error *err) {
    struct daemon_config config;
    enum dc_status rc = daemon_config_load(arguments->config_path, &config, err);
    if (rc != DC_OK)
        return rc;
    log_set_level(arguments->verbose ? LOG_LEVEL_DEBUG : (enum log_level)config.log_level);
    rc = arguments->check_config ? daemon_check(&config, err) : daemon_run(&config, err);
    daemon_config_dispose(&config);
    return rc;
}

int main(int argc, char **argv) {
    argp_program_version = "decamp-planner " DECAMP_VERSION;
    argp_err_exit_status = EX_USAGE;
    static const struct argp argp = {.options = argp_options,
                                     .parser = parse,
                                     .doc =
                                         "Collects the predictions of decamp-agent and plans migrations for decamp."};
    struct arguments arguments = {.config_path = "/etc/decamp/planner.yaml"};
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
        return EX_USAGE;
    json_object_seed(0); /* here, so that worker threads do not race for it */
    struct dc_error err = DC_ERROR_NONE;
    if (run(&arguments, &err) == DC_OK)
        return EXIT_SUCCESS;
    log_error("%s", error_text(&err));
    return EXIT_FAILURE;
}
