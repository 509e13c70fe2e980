/*
 * What a plan's summary says of a choice: hosts switched off, energy, loads.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/writer.h"
#include "proto/plan_doc.h"

/* Nothing for a plan without a choice. */
DC_WARN_UNUSED enum dc_status plan_table_choice(const struct plan *plan, struct writer *writer, struct dc_error *err);
