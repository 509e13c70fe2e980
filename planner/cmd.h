/*
 * The verbs: each in cmd_VERB.c, each a row of cli_verbs.c.
 *
 * In:  the parsed command line. Out: the result, put out by cli_emit(); an
 *      exit code other than 0 where the result is not what was wished for.
 *      Errors are returned, never printed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/cli.h"

enum dc_status cmd_evacuate(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_schedule(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_consolidate(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_rebalance(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_rolling(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_apply(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_predict(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_explain(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_verify(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_show(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_export(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_hosts(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_vms(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_snapshot(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_accuracy(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_demo(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_import(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_keys(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
enum dc_status cmd_check_config(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err);
