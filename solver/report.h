/*
 * The end of an answer: what a schedule made at p95 looks like at p50, the
 * status, and the solver's own verification.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/decode.h"

/* Decodes the order at p50 and fills the p50 figures of solution and steps;
 * they are never above those of p95. */
DC_WARN_UNUSED enum dc_status report_p50(const struct problem *view, const long *to, const struct decode_order *order,
                                         struct solution *solution, struct dc_error *err);

/* Sets the status. A deadline that is not kept makes the answer infeasible: a
 * conflict is added, the steps are dropped. */
DC_WARN_UNUSED enum dc_status report_status(const struct problem *problem, bool has_left_out, struct solution *solution,
                                            struct dc_error *err);

/* Verifies the solution. If it fails, which is a bug of ours, the order is run one migration
 * at a time; if that fails too, DC_EINTERNAL. */
DC_WARN_UNUSED enum dc_status report_verified(const struct problem *problem, const struct problem *view, const long *to,
                                              const struct decode_order *order, struct solution *solution,
                                              struct dc_error *err);
