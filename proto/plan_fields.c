/* The tables of the plan document's plain fields. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/plan_fields.h"

#include "proto/plan_doc.h"

#include <math.h>

#define TABLE(name, rows) const struct plan_fields name = {rows, sizeof(rows) / sizeof((rows)[0])}
#define AT(type, member) .offset = offsetof(struct type, member)

const char *const plan_fields_statuses[] = {"optimal", "feasible", "partial", "infeasible", NULL};
const char *const plan_fields_actions[] = {"migrate", "boot", "shutdown", "cold_migrate", NULL};

static const struct doc_field head_rows[] = {
    {.key = "id", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(plan, id)},
    {.key = "fleet_digest", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(plan, fleet_digest)},
    {.key = "made_unix_ms", .type = DOC_INT64, AT(plan, made_unix_ms)},
    {.key = "status", .type = DOC_CHOICE, .need = DOC_REQUIRED, AT(plan, status), .choices = plan_fields_statuses},
};
TABLE(plan_fields_head, head_rows);

static const struct doc_field bound_rows[] = {
    {.key = "lower_bound_ms", .type = DOC_WHOLE, AT(plan, lower_bound_ms)},
    /* null: no bound was proved, the gap is infinite */
    {.key = "gap_frac",
     .type = DOC_NUMBER,
     .need = DOC_NULLABLE,
     AT(plan, gap_frac),
     .min = DOC_FIELD_LOWEST,
     .fallback = INFINITY},
};
TABLE(plan_fields_bound, bound_rows);

static const struct doc_field totals_rows[] = {
    {.key = "bytes", .type = DOC_WHOLE, AT(plan, bytes)},
    {.key = "downtime_total_ms", .type = DOC_WHOLE, AT(plan, downtime_total_ms)},
    {.key = "downtime_worst_ms", .type = DOC_WHOLE, AT(plan, downtime_worst_ms)},
};
TABLE(plan_fields_totals, totals_rows);

static const struct doc_field step_rows[] = {
    {.key = "id", .type = DOC_UNSIGNED, .need = DOC_REQUIRED, AT(plan_step, id), .min = 1},
    {.key = "action", .type = DOC_CHOICE, .need = DOC_REQUIRED, AT(plan_step, action), .choices = plan_fields_actions},
    {.key = "vm", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(plan_step, vm)},
    {.key = "vm_name", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(plan_step, vm_name)},
    {.key = "from", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(plan_step, from)},
    {.key = "to", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(plan_step, to)},
    {.key = "hop", .type = DOC_BOOL, AT(plan_step, hop)},
};
TABLE(plan_fields_step, step_rows);

static const struct doc_field step_times_rows[] = {
    {.key = "not_before_ms", .type = DOC_WHOLE, AT(plan_step, not_before_ms)},
    {.key = "delay_ms", .type = DOC_WHOLE, AT(plan_step, delay_ms)},
    {.key = "start_ms", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(plan_step, start_ms)},
    {.key = "end_ms", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(plan_step, end_ms)},
    {.key = "bandwidth_bytes_per_s", .type = DOC_NUMBER, AT(plan_step, bandwidth_bytes_per_s)},
};
TABLE(plan_fields_step_times, step_times_rows);

static const struct doc_field step_sums_rows[] = {
    {.key = "bytes", .type = DOC_WHOLE, AT(plan_step, bytes)},
    {.key = "rounds", .type = DOC_UNSIGNED, AT(plan_step, n_rounds)},
};
TABLE(plan_fields_step_sums, step_sums_rows);

static const struct doc_field quantiles_rows[] = {
    {.key = "p50", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(prediction_quantiles, p50)},
    {.key = "p95", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(prediction_quantiles, p95)},
};
TABLE(plan_fields_quantiles, quantiles_rows);

_Static_assert(sizeof(enum plan_status) == sizeof(unsigned), "DOC_CHOICE stores an unsigned");
