/* decamp-agent: the command line. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/agent.h"
#include "base/log.h"

#include <argp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_CONFIG "/etc/decamp/agent.yaml"
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 64 };

struct arguments {
    const char *config_path;
    bool check_only;
    bool verbose;
};

enum { KEY_CHECK_CONFIG = 0x100 };

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "Configuration (default " DEFAULT_CONFIG ")", 0},
    {"check-config", KEY_CHECK_CONFIG, NULL, 0, "Check the configuration and the key files, then end", 0},
    {"verbose", 'v', NULL, 0, "Log every burst and every attempt to connect", 0},
    {0},
};

// NOLINTNEXTLINE(readability-non-const-parameter): the type is argp's
static error_t parse_option(int key, char *text, struct argp_state *state) {
    struct arguments *arguments = state->input;
    switch (key) {
    case 'c':
        arguments->config_path = text;
        return 0;
    case KEY_CHECK_CONFIG:
        arguments->check_only = true;
        return 0;
    case 'v':
        arguments->verbose = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN; /* operands too: there are none */
    }
}

static void print_version(FILE *stream, struct argp_state *state) {
    (void)state;
    fprintf(stream, "decamp-agent %s\n", DECAMP_VERSION);
}

static enum dc_status check_keys(const struct agent_config *config, struct dc_error *err) {
    struct publisher_config keys = {.endpoint = NULL};
    const enum dc_status rc = agent_config_read_keys(config, &keys, err);
    explicit_bzero(&keys, sizeof(keys));
    return rc;
}

static enum dc_status run(const struct arguments *arguments, struct dc_error *err) {
    struct agent_config config;
    enum dc_status rc = agent_config_load(arguments->config_path, &config, err);
    if (rc != DC_OK)
        return rc;
    log_set_level(arguments->verbose ? LOG_LEVEL_DEBUG : (enum log_level)config.log_level);
    if (arguments->check_only) {
        rc = check_keys(&config, err);
        if (rc == DC_OK)
            printf("%s: good\n", arguments->config_path);
    } else {
        rc = agent_run(&config, err);
    }
    agent_config_dispose(&config);
    return rc;
}

int main(int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = parse_option,
        .doc = "Measures how the virtual machines of this host dirty their memory and publishes predictions of their "
               "migration time and downtime to decamp-planner.",
    };
    argp_err_exit_status = EXIT_USAGE;
    argp_program_version_hook = print_version;
    struct arguments arguments = {.config_path = DEFAULT_CONFIG};
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0)
        return EXIT_USAGE;
    (void)signal(SIGPIPE, SIG_IGN);
    struct dc_error err = DC_ERROR_NONE;
    if (run(&arguments, &err) == DC_OK)
        return EXIT_OK;
    log_error("%s", error_text(&err));
    return EXIT_FAILED;
}
