/*
 * The plain fields of the plan document, as tables that reader and writer share.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/doc_field.h"

#define PLAN_FIELDS_FORMAT "decamp/plan"
#define PLAN_FIELDS_VERSION "1.0"

struct plan_fields {
    const struct doc_field *rows;
    size_t n;
};

extern const struct plan_fields plan_fields_head;  /* what was asked of which fleet, and the verdict */
extern const struct plan_fields plan_fields_bound; /* how good the plan is */
extern const struct plan_fields plan_fields_totals;
extern const struct plan_fields plan_fields_step; /* who goes where */
extern const struct plan_fields plan_fields_step_times;
extern const struct plan_fields plan_fields_step_sums;
extern const struct plan_fields plan_fields_quantiles; /* p50, p95 in milliseconds */

extern const char *const plan_fields_statuses[];
extern const char *const plan_fields_actions[];
