/*
 * The bound in the plan document: written with what proves it, and proved
 * again from the fleet.
 *
 * {"kind": "link" | "switch" | "vm" | "host" | "max_parallel" | "placement" | "step_model" | "none", ...}: the
 * subject by name and the terms of solver/certificate.h in ms and bytes; for "placement" the "prices". "vms" stands
 * where the bound is about other VMs than the plan's steps.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/question.h"
#include "proto/plan_doc.h"
#include "solver/solution.h"

/* A new reference, NULL when out of memory. */
json_t *plan_bound_json(const struct question *question, const struct solution *solution);

/* Proves the plan's bound anew (solver/certificate.h: no solver takes part) and compares: what the plan claims more
 * than that, or of other terms, is appended to `violations`; a kind that carries no proof to `warnings`. */
DC_WARN_UNUSED enum dc_status plan_bound_check(const struct question *question, const struct plan *plan,
                                               json_t *violations, json_t *warnings, struct dc_error *err);
