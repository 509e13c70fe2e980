/*
 * The options of verbs, by argp.
 *
 * In:  argv from the verb on. Out: struct cli. A usage error ends the process
 *      with exit code 64, --help and --version with 0, as argp does.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/cli.h"

/* Parses argv[1..] (argv[0] is "decamp VERB"); only the verb's own groups of
 * options are known. */
DC_WARN_UNUSED enum dc_status cli_options_parse(const struct cli_verb *verb, int argc, char **argv, struct cli *cli_out,
                                                struct dc_error *err);
void cli_options_dispose(struct cli *cli);
