/*
 * The options of all verbs, as argp wants them, each with the group of verbs that take it.
 *
 * In:  nothing. Out: one table; what an option means is in cli_options.c.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <argp.h>

enum option_key {
    KEY_OUTPUT = 'o',
    KEY_QUIET = 'q',
    KEY_VERBOSE = 'v',
    KEY_FLEET = 256,
    KEY_SOCKET,
    KEY_OUT,
    KEY_DEADLINE,
    KEY_MAX_DOWNTIME,
    KEY_EXCLUDE,
    KEY_MAX_PARALLEL,
    KEY_TIME_LIMIT,
    KEY_SEED,
    KEY_RISK,
    KEY_RELAX,
    KEY_EXPLAIN,
    KEY_POWER_OFF,
    KEY_ENERGY,
    KEY_MAX_TIME,
    KEY_PAYBACK,
    KEY_MAX_CPU,
    KEY_MAX_MEMORY,
    KEY_ALL,
    KEY_AT_ONCE,
    KEY_MAINTENANCE,
    KEY_RETURN,
    KEY_MOVES,
    KEY_BANDWIDTH,
    KEY_FROM_PREDICTION,
    KEY_MODELS,
    KEY_POLICY,
    KEY_WHEN,
    KEY_CURVE,
    KEY_SLA,
    KEY_GUARANTEE,
    KEY_DIR,
    KEY_AGENT,
    KEY_SINCE,
    KEY_FROM,
    KEY_STOP_POLICY,
    KEY_DRIVER,
    KEY_DRIVERS,
    KEY_STATE,
    KEY_RESUME,
    KEY_RETRIES,
    KEY_MAX_AGE,
    KEY_KEEP_PLAN,
    KEY_PATIENCE,
    KEY_TO,
    KEY_TOOLSTACK,
    KEY_HOSTS,
    KEY_VMS,
};

struct cli_option {
    unsigned group; /* 0: every verb */
    struct argp_option option;
};

enum { CLI_MOST_OPTIONS = 96 };

/* Ended by a row without a name. */
extern const struct cli_option cli_option_table[];
