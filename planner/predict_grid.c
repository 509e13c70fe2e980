/* The grid of `decamp predict`: a row a bandwidth, or a row a VM. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/predict_grid.h"

#include "base/units.h"
#include "planner/vm_storage.h"

#include <math.h>

enum {
    COLUMN_VM,
    COLUMN_HOST,
    COLUMN_MEMORY,
    COLUMN_BANDWIDTH,
    COLUMN_MIGRATION,
    COLUMN_DOWNTIME,
    COLUMN_BYTES,
    COLUMN_ROUNDS,
    COLUMN_CONVERGES,
    COLUMN_LOWEST,
    N_COLUMNS,
};

static const struct writer_field columns[N_COLUMNS] = {
    [COLUMN_VM] = {"name", "VM", WRITER_TEXT, false},
    [COLUMN_HOST] = {"host", "HOST", WRITER_TEXT, false},
    [COLUMN_MEMORY] = {"memory_bytes", "MEMORY", WRITER_BYTES, false},
    [COLUMN_BANDWIDTH] = {"bandwidth_bytes_per_s", "BANDWIDTH", WRITER_RATE, false},
    [COLUMN_MIGRATION] = {"migration_ms", "MIGRATION p50/95", WRITER_QUANTILES, false},
    [COLUMN_DOWNTIME] = {"downtime_ms", "DOWNTIME p50/95", WRITER_QUANTILES, false},
    [COLUMN_BYTES] = {"bytes", "SENT", WRITER_BYTES, false},
    [COLUMN_ROUNDS] = {"rounds", "ROUNDS", WRITER_COUNT, false},
    [COLUMN_CONVERGES] = {"converges", "CONVERGES", WRITER_BOOL, false},
    [COLUMN_LOWEST] = {"lowest_bandwidth_bytes_per_s", "WITHIN BUDGET FROM", WRITER_RATE, false},
};

static json_t *integer(double value) {
    return json_integer((json_int_t)llround(value));
}

static json_t *quantiles_json(const struct prediction_quantiles *quantiles) {
    return json_pack("{s:o, s:o, s:o}", "p50", integer(quantiles->p50), "p90", integer(quantiles->p90), "p95",
                     integer(quantiles->p95));
}

static bool add_storage(json_t *item, const struct storage_cost *cost) {
    return cost->bytes <= 0 || (json_object_set_new(item, "storage_ms", integer(1e3 * cost->duration_s)) == 0 &&
                                json_object_set_new(item, "storage_bytes", integer(cost->bytes)) == 0);
}

json_t *predict_grid_json(const struct fleet_vm *vm, const struct prediction *prediction) {
    json_t *points = json_array();
    for (size_t i = 0; i < prediction->n_points; i++) {
        const struct prediction_point *point = &prediction->points[i];
        json_t *item = json_pack(
            "{s:o, s:o, s:o, s:o, s:i, s:b}", "bandwidth_bytes_per_s", integer(point->bandwidth_bytes_per_s),
            "migration_ms", quantiles_json(&point->migration_ms), "downtime_ms", quantiles_json(&point->downtime_ms),
            "bytes", integer(point->bytes), "rounds", (int)point->n_rounds, "converges", (int)point->converges);
        const struct storage_cost disks = vm_storage_cost(vm, point->bandwidth_bytes_per_s);
        if (!add_storage(item, &disks) || json_array_append_new(points, item) != 0) {
            json_decref(points);
            return NULL;
        }
    }
    return json_pack("{s:I, s:o}", "made_unix_ms", (json_int_t)prediction->made_unix_ms, "grid", points);
}

static enum dc_status write_point(const struct predict_grid *grid, const struct fleet_vm *vm,
                                  const struct forecast *forecast, const struct prediction_point *point,
                                  struct writer *writer, struct dc_error *err) {
    struct writer_value values[N_COLUMNS] = {{0}};
    if (!grid->one) {
        values[COLUMN_VM] = writer_text(vm->name);
        values[COLUMN_HOST] = writer_text(grid->fleet->hosts[vm->host].name);
        values[COLUMN_MEMORY] = writer_number(vm->memory_bytes);
        if (forecast->lowest_bytes_per_s > 0)
            values[COLUMN_LOWEST] = writer_number(forecast->lowest_bytes_per_s);
    }
    if (point != NULL) {
        values[COLUMN_BANDWIDTH] = writer_number(point->bandwidth_bytes_per_s);
        values[COLUMN_MIGRATION] = writer_quantiles(point->migration_ms.p50, point->migration_ms.p95);
        values[COLUMN_DOWNTIME] = writer_quantiles(point->downtime_ms.p50, point->downtime_ms.p95);
        values[COLUMN_BYTES] = writer_number(point->bytes);
        values[COLUMN_ROUNDS] = writer_number(point->n_rounds);
        values[COLUMN_CONVERGES] = writer_number(point->converges);
    }
    return writer_row(writer, values, err);
}

/* The local disks' share of the grid below, at its highest bandwidth; or that they stay. */
static enum dc_status write_disks(const struct fleet_vm *vm, const struct prediction *prediction, struct writer *writer,
                                  struct dc_error *err) {
    char bytes[UNITS_TEXT_BYTES], time[UNITS_TEXT_BYTES], rate[UNITS_TEXT_BYTES], written[UNITS_TEXT_BYTES];
    const struct storage_disk *obstacle = vm_storage_obstacle(vm);
    if (obstacle != NULL)
        return writer_line(writer, err,
                           "local disk %s: its toolstack moves no disks, so it cannot be migrated live; for its memory "
                           "alone:",
                           obstacle->name);
    const double best = prediction->points[prediction->n_points - 1].bandwidth_bytes_per_s;
    const struct storage_cost cost = vm_storage_cost(vm, best);
    if (cost.bytes <= 0)
        return DC_OK;
    if (!cost.converges)
        return writer_line(writer, err, "local disks: written faster than %s carries it",
                           units_format_rate(best, rate, sizeof(rate)));
    return writer_line(writer, err, "local disks first: %s, %s at %s; then %s of it for what is written to them",
                       units_format_bytes(cost.bytes, bytes, sizeof(bytes)),
                       units_format_duration(1e3 * cost.duration_s, time, sizeof(time)),
                       units_format_rate(best, rate, sizeof(rate)),
                       units_format_rate(cost.mirror_bytes_per_s, written, sizeof(written)));
}

/* One VM's own lines above its grid. */
static enum dc_status write_heading(const struct predict_grid *grid, const struct fleet_vm *vm,
                                    const struct forecast *forecast, struct writer *writer, struct dc_error *err) {
    char memory[UNITS_TEXT_BYTES], budget[UNITS_TEXT_BYTES], lowest[UNITS_TEXT_BYTES];
    enum dc_status rc = writer_line(
        writer, err, "%s  %s on %s, %s", vm->name, units_format_bytes(vm->memory_bytes, memory, sizeof(memory)),
        grid->fleet->hosts[vm->host].name, vm->has_policy ? vm->policy.policy->summary : "no stop policy known");
    const double budget_ms = grid->max_downtime_ms > 0 ? grid->max_downtime_ms : vm->downtime_budget_ms;
    if (rc != DC_OK || budget_ms < 0)
        return rc;
    (void)units_format_duration(budget_ms, budget, sizeof(budget));
    if (forecast->lowest_bytes_per_s > 0)
        return writer_line(writer, err, "downtime budget %s: kept from %s on", budget,
                           units_format_rate(forecast->lowest_bytes_per_s, lowest, sizeof(lowest)));
    return writer_line(writer, err, "downtime budget %s: kept at no bandwidth", budget);
}

enum dc_status predict_grid_write(const struct predict_grid *grid, const struct forecast *forecasts, const size_t *vms,
                                  size_t n_vms, struct dc_error *err) {
    struct cli_page page;
    enum dc_status rc = cli_page_open(grid->cli, &page, err);
    if (rc != DC_OK)
        return rc;
    if (grid->one)
        rc = write_heading(grid, &grid->fleet->vms[vms[0]], &forecasts[0], page.writer, err);
    if (rc == DC_OK && grid->one)
        rc = write_disks(&grid->fleet->vms[vms[0]], &forecasts[0].prediction, page.writer, err);
    if (rc == DC_OK)
        rc = writer_begin(page.writer, "vms", columns, N_COLUMNS, err);
    for (size_t i = 0; rc == DC_OK && i < n_vms; i++) {
        const struct fleet_vm *vm = &grid->fleet->vms[vms[i]];
        if (forecasts[i].prediction.n_points == 0)
            rc = write_point(grid, vm, &forecasts[i], NULL, page.writer, err);
        for (size_t p = 0; rc == DC_OK && p < forecasts[i].prediction.n_points; p++)
            rc = write_point(grid, vm, &forecasts[i], &forecasts[i].prediction.points[p], page.writer, err);
    }
    if (rc == DC_OK)
        rc = writer_end(page.writer, err);
    if (rc == DC_OK)
        rc = cli_page_emit(grid->cli, &page, err);
    cli_page_dispose(&page);
    return rc;
}
