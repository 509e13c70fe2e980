/* Columns of the steps, then the summary. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_table.h"

#include "base/units.h"
#include "planner/plan_reasons.h"
#include "planner/plan_table_choice.h"

#include <stdlib.h>
#include <string.h>

enum {
    COLUMN_ID,
    COLUMN_VM,
    COLUMN_ACTION,
    COLUMN_MEMORY,
    COLUMN_ROUTE,
    COLUMN_START,
    COLUMN_END,
    COLUMN_BANDWIDTH,
    COLUMN_MIGRATION,
    COLUMN_DOWNTIME,
    COLUMN_ROUNDS,
    COLUMN_BYTES,
    COLUMN_PATH,
    COLUMN_AFTER,
    N_COLUMNS,
};

static const struct writer_field columns[N_COLUMNS] = {
    [COLUMN_ID] = {"id", "#", WRITER_COUNT, false},
    [COLUMN_VM] = {"vm_name", "VM", WRITER_TEXT, false},
    [COLUMN_ACTION] = {"action", "HOW", WRITER_TEXT, false},
    [COLUMN_MEMORY] = {"memory_bytes", "MEMORY", WRITER_BYTES, false},
    [COLUMN_ROUTE] = {"route", "FROM -> TO", WRITER_TEXT, false},
    [COLUMN_START] = {"start_ms", "START", WRITER_CLOCK, false},
    [COLUMN_END] = {"end_ms", "END", WRITER_CLOCK, false},
    [COLUMN_BANDWIDTH] = {"bandwidth_bytes_per_s", "BANDWIDTH", WRITER_RATE, false},
    [COLUMN_MIGRATION] = {"migration_ms", "MIGRATION p50/95", WRITER_QUANTILES, false},
    [COLUMN_DOWNTIME] = {"downtime_ms", "DOWNTIME p50/95", WRITER_QUANTILES, false},
    [COLUMN_ROUNDS] = {"rounds", "ROUNDS", WRITER_COUNT, false},
    [COLUMN_BYTES] = {"bytes", "SENT", WRITER_BYTES, true},
    [COLUMN_PATH] = {"path", "PATH", WRITER_TEXT, true},
    [COLUMN_AFTER] = {"after", "AFTER", WRITER_TEXT, true},
};

/* "a b c", or NULL when out of memory; the caller frees it. */
static char *join(char *const *words, size_t n_words) {
    size_t n_bytes = 1;
    for (size_t i = 0; i < n_words; i++)
        n_bytes += strlen(words[i]) + 1;
    char *text = calloc(n_bytes, 1);
    size_t used = 0;
    for (size_t i = 0; text != NULL && i < n_words; i++)
        used += (size_t)snprintf(text + used, n_bytes - used, "%s%s", i > 0 ? " " : "", words[i]);
    return text;
}

static char *join_ids(const unsigned *ids, size_t n_ids) {
    enum { ID_BYTES = 12 };
    char *text = calloc(n_ids * ID_BYTES + 1, 1);
    size_t used = 0;
    for (size_t i = 0; text != NULL && i < n_ids; i++)
        used += (size_t)snprintf(text + used, ID_BYTES, "%s%u", i > 0 ? "," : "", ids[i]);
    return text;
}

static struct writer_value memory_of(const struct fleet *fleet, const struct plan_step *step) {
    const long vm = fleet != NULL ? fleet_doc_find_vm(fleet, step->vm) : FLEET_NO_INDEX;
    return vm == FLEET_NO_INDEX ? WRITER_UNKNOWN : writer_number(fleet->vms[vm].memory_bytes);
}

static enum dc_status write_step(const struct plan_step *step, const struct fleet *fleet, struct writer *writer,
                                 struct dc_error *err) {
    struct writer_value values[N_COLUMNS] = {{0}};
    char *route = NULL;
    char *path = join(step->path, step->n_path);
    char *after = join_ids(step->after, step->n_after);
    const bool is_host = step->action == PLAN_BOOT || step->action == PLAN_SHUTDOWN;
    enum dc_status rc = DC_OK;
    if (path == NULL || after == NULL || asprintf(&route, is_host ? "%s%s" : "%s -> %s", step->from, step->to) < 0) {
        route = NULL;
        rc = error_set_nomem(err);
        goto out;
    }
    const bool sends = step->action == PLAN_MIGRATE;
    values[COLUMN_ID] = writer_number(step->id);
    values[COLUMN_VM] = is_host ? WRITER_UNKNOWN : writer_text(step->vm_name);
    values[COLUMN_ACTION] =
        sends && !step->hop ? WRITER_UNKNOWN : writer_text(sends ? "hop" : plan_doc_action_text(step->action));
    values[COLUMN_MEMORY] = memory_of(fleet, step);
    values[COLUMN_ROUTE] = writer_text(route);
    values[COLUMN_START] = writer_number(step->start_ms);
    values[COLUMN_END] = writer_number(step->end_ms);
    if (sends) {
        values[COLUMN_BANDWIDTH] = writer_number(step->bandwidth_bytes_per_s);
        values[COLUMN_MIGRATION] = writer_quantiles(step->migration_ms.p50, step->migration_ms.p95);
        values[COLUMN_DOWNTIME] = writer_quantiles(step->downtime_ms.p50, step->downtime_ms.p95);
        values[COLUMN_ROUNDS] = step->n_rounds > 0 ? writer_number(step->n_rounds) : WRITER_UNKNOWN;
        values[COLUMN_BYTES] = writer_number(step->bytes);
    }
    values[COLUMN_PATH] = path[0] != '\0' ? writer_text(path) : WRITER_UNKNOWN;
    values[COLUMN_AFTER] = after[0] != '\0' ? writer_text(after) : WRITER_UNKNOWN;
    rc = writer_row(writer, values, err);
out:
    free(route);
    free(path);
    free(after);
    return rc;
}

/* "h1->tor1" as " (h1 -> tor1)". */
static void format_direction(const char *direction, char *text, size_t text_bytes) {
    const char *arrow = direction != NULL ? strstr(direction, "->") : NULL;
    text[0] = '\0';
    if (arrow != NULL)
        (void)snprintf(text, text_bytes, " (%.*s -> %s)", (int)(arrow - direction), direction, arrow + 2);
}

/* "link h1-nic (h1 -> tor1)" into `text`; false where the bound has no name. */
static bool name_bound(const json_t *bound, char *text, size_t text_bytes) {
    const char *kind = json_string_value(json_object_get(bound, "kind"));
    if (kind == NULL)
        return false;
    char direction[600];
    format_direction(json_string_value(json_object_get(bound, "direction")), direction, sizeof(direction));
    const char *name = json_string_value(json_object_get(bound, strcmp(kind, "vm") == 0 ? "vm_name" : kind));
    if (name != NULL)
        (void)snprintf(text, text_bytes, "%s %s%s", strcmp(kind, "vm") == 0 ? "VM" : kind, name, direction);
    else if (strcmp(kind, "max_parallel") == 0)
        (void)snprintf(text, text_bytes, "the migrations allowed at once (--max-parallel)");
    else if (strcmp(kind, "stages") == 0)
        (void)snprintf(text, text_bytes, "the bounds of the stages, one after the other");
    else if (strcmp(kind, "memory") == 0)
        (void)snprintf(text, text_bytes, "the memory free on all receiving hosts, for VMs are held twice in flight");
    else if (strcmp(kind, "placement") == 0)
        (void)snprintf(text, text_bytes, "all receiving links together");
    else if (strcmp(kind, "step_model") == 0)
        (void)snprintf(text, text_bytes, "the exact schedule model (memory, concurrency and links together)");
    else
        return false;
    return true;
}

static double number_at(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static enum dc_status write_bound(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    char name[1000], value[UNITS_TEXT_BYTES];
    if (!name_bound(plan->bound, name, sizeof(name)))
        return writer_line(writer, err, "lower bound  none could be proved");
    const double setup_ms = number_at(plan->bound, "setup_ms");
    const double tail_ms = number_at(plan->bound, "tail_ms");
    enum dc_status rc =
        writer_line(writer, err, "lower bound  %s, gap %.2f %%",
                    units_format_duration(plan->lower_bound_ms, value, sizeof(value)), 100 * plan->gap_frac);
    if (rc == DC_OK && json_object_get(plan->bound, "volume_bytes") != NULL) {
        char volume[UNITS_TEXT_BYTES], rate[UNITS_TEXT_BYTES], setup[UNITS_TEXT_BYTES], tail[UNITS_TEXT_BYTES];
        return writer_line(writer, err, "bottleneck   %s: %s at %s, %s before and %s after it", name,
                           units_format_bytes(number_at(plan->bound, "volume_bytes"), volume, sizeof(volume)),
                           units_format_rate(number_at(plan->bound, "capacity_bytes_per_s"), rate, sizeof(rate)),
                           units_format_duration(setup_ms, setup, sizeof(setup)),
                           units_format_duration(tail_ms, tail, sizeof(tail)));
    }
    return rc == DC_OK ? writer_line(writer, err, "bottleneck   %s", name) : rc;
}

/* "ends in 30 s (p50), 33 s (p95); keeps the deadline in 98 % of 1000 runs" */
static enum dc_status write_forecast(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    const json_t *makespan = json_object_get(plan->forecast, "makespan_ms");
    const json_t *met = json_object_get(plan->forecast, "deadline_met_frac");
    char p50[UNITS_TEXT_BYTES], p95[UNITS_TEXT_BYTES], kept[80] = "";
    if (makespan == NULL)
        return DC_OK;
    if (met != NULL)
        (void)snprintf(kept, sizeof(kept), "; the deadline is kept in %.1f %% of them", 100 * json_number_value(met));
    return writer_line(writer, err, "forecast     %s (p50), %s (p95) in %.0f runs with drawn durations%s",
                       units_format_duration(number_at(makespan, "p50"), p50, sizeof(p50)),
                       units_format_duration(number_at(makespan, "p95"), p95, sizeof(p95)),
                       number_at(plan->forecast, "n_runs"), kept);
}

/* Which quantile its p95 stands for, where that was chosen. */
static enum dc_status write_risk(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    const double risk_frac = number_at(plan->goal, "risk_frac");
    if (risk_frac <= 0)
        return DC_OK;
    return writer_line(writer, err,
                       "risk         planned for what a migration exceeds in %g %% of cases: p%g where p95 stands",
                       100 * risk_frac, 100 - 100 * risk_frac);
}

static enum dc_status write_totals(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    char p50[UNITS_TEXT_BYTES], p95[UNITS_TEXT_BYTES], bytes[UNITS_TEXT_BYTES], worst[UNITS_TEXT_BYTES],
        total[UNITS_TEXT_BYTES];
    const char *worst_name = "";
    size_t n_migrations = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        if (plan->steps[i].action == PLAN_BOOT || plan->steps[i].action == PLAN_SHUTDOWN)
            continue;
        n_migrations++;
        if (plan->steps[i].downtime_ms.p95 >= plan->downtime_worst_ms)
            worst_name = plan->steps[i].vm_name;
    }
    enum dc_status rc = writer_line(writer, err, "makespan     %s (p50), %s (p95)",
                                    units_format_duration(plan->makespan_ms.p50, p50, sizeof(p50)),
                                    units_format_duration(plan->makespan_ms.p95, p95, sizeof(p95)));
    if (rc == DC_OK)
        rc = write_risk(plan, writer, err);
    if (rc == DC_OK)
        rc = write_forecast(plan, writer, err);
    if (rc == DC_OK)
        rc = write_bound(plan, writer, err);
    if (rc == DC_OK && n_migrations > 0)
        rc = writer_line(writer, err, "sent         %s in %zu migration%s",
                         units_format_bytes(plan->bytes, bytes, sizeof(bytes)), n_migrations,
                         n_migrations == 1 ? "" : "s");
    if (rc == DC_OK && n_migrations > 0)
        rc = writer_line(writer, err, "downtime     %s at worst (%s), %s in all (p95)",
                         units_format_duration(plan->downtime_worst_ms, worst, sizeof(worst)), worst_name,
                         units_format_duration(plan->downtime_total_ms, total, sizeof(total)));
    return rc;
}

static enum dc_status write_remarks(const struct plan *plan, struct writer *writer, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    size_t i, j;
    json_t *item, *relax;
    json_array_foreach(plan->conflicts, i, item) {
        if (rc == DC_OK)
            rc = writer_line(writer, err, "conflict     %s", json_string_value(json_object_get(item, "what")));
        json_array_foreach(json_object_get(item, "relax"), j, relax) {
            if (rc == DC_OK)
                rc = plan_reasons_write_relax(relax, "             ", writer, err);
        }
    }
    json_array_foreach(plan->warnings, i, item) {
        if (rc == DC_OK)
            rc = writer_line(writer, err, "warning      %s", json_string_value(item));
    }
    return rc;
}

enum dc_status plan_table_write(const struct plan *plan, const struct fleet *fleet, struct writer *writer,
                                struct dc_error *err) {
    enum dc_status rc = writer_begin(writer, "steps", columns, N_COLUMNS, err);
    for (size_t i = 0; rc == DC_OK && i < plan->n_steps; i++)
        rc = write_step(&plan->steps[i], fleet, writer, err);
    if (rc == DC_OK)
        rc = writer_end(writer, err);
    if (rc == DC_OK && plan->n_steps > 0)
        rc = writer_line(writer, err, "%s", "");
    if (rc == DC_OK)
        rc = writer_line(writer, err, "plan         %s, %s%s", plan->id, plan_doc_status_text(plan->status),
                         plan->n_steps == 0 && plan->status <= PLAN_FEASIBLE ? ": nothing has to move" : "");
    if (rc == DC_OK && plan->n_steps > 0)
        rc = write_totals(plan, writer, err);
    if (rc == DC_OK)
        rc = plan_table_choice(plan, writer, err);
    if (rc == DC_OK)
        rc = write_remarks(plan, writer, err);
    return rc == DC_OK && plan->explanation != NULL ? plan_reasons_write(plan, writer, err) : rc;
}
