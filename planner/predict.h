/*
 * The parts of `decamp predict VM`: each answers one question about one VM.
 *
 * In:  the VM, its fleet, the bandwidths asked for and the command line.
 * Out: a report (planner/predict_report.h), filled. Where an answer is "no", the
 *      exit code says so too.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/cli.h"
#include "planner/forecast.h"
#include "planner/predict_report.h"

struct predict_question {
    const struct cli *cli;
    const struct fleet *fleet;
    const struct fleet_vm *vm;
    struct forecast_wish wish; /* the bandwidths asked for, ascending */
    double nic_bytes_per_s;
    double bandwidth_bytes_per_s; /* the one asked for, the highest of several, else the NIC's */
    double max_downtime_ms;       /* --max-downtime, else the VM's budget; 0: none */
    enum cli_exit *exit_out;
};

/* Each fills `report`, which it initialises (the caller disposes it, whatever
 * is returned). DC_ENOTFOUND where the VM lacks what the question needs. */
DC_WARN_UNUSED enum dc_status predict_models(const struct predict_question *question, struct predict_report *report,
                                             struct dc_error *err);
DC_WARN_UNUSED enum dc_status predict_curve(const struct predict_question *question, struct predict_report *report,
                                            struct dc_error *err);
DC_WARN_UNUSED enum dc_status predict_when(const struct predict_question *question, struct predict_report *report,
                                           struct dc_error *err);
DC_WARN_UNUSED enum dc_status predict_sla(const struct predict_question *question, struct predict_report *report,
                                          struct dc_error *err);
DC_WARN_UNUSED enum dc_status predict_guarantee(const struct predict_question *question, struct predict_report *report,
                                                struct dc_error *err);
