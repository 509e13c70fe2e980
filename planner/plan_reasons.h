/*
 * Reasons of a plan as lines for people: ways out of a conflict, each with
 * the option that takes it, and the plan's explanation.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/writer.h"
#include "proto/plan_doc.h"

/* One item of a conflict's "relax"; `indent` stands before its arrow. */
DC_WARN_UNUSED enum dc_status plan_reasons_write_relax(const json_t *item, const char *indent, struct writer *writer,
                                                       struct dc_error *err);

/* The whole of `plan->explanation`, which must not be NULL. */
DC_WARN_UNUSED enum dc_status plan_reasons_write(const struct plan *plan, struct writer *writer, struct dc_error *err);
