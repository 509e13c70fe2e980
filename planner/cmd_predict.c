/* decamp predict [VM]: what a migration costs at several bandwidths; without a
 * VM, each VM at its host's NIC. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"

#include "base/units.h"
#include "planner/forecast.h"
#include "planner/vm_order.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

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

struct asking {
    const struct cli *cli;
    const struct fleet *fleet;
    struct forecast_wish wish;
    bool one; /* a single VM was named */
};

static json_t *integer(double value) {
    return json_integer((json_int_t)llround(value));
}

static json_t *quantiles_json(const struct prediction_quantiles *quantiles) {
    return json_pack("{s:o, s:o}", "p50", integer(quantiles->p50), "p95", integer(quantiles->p95));
}

static json_t *prediction_json(const struct prediction *prediction) {
    json_t *grid = json_array();
    for (size_t i = 0; i < prediction->n_points; i++) {
        const struct prediction_point *point = &prediction->points[i];
        json_t *item = json_pack(
            "{s:o, s:o, s:o, s:o, s:i, s:b}", "bandwidth_bytes_per_s", integer(point->bandwidth_bytes_per_s),
            "migration_ms", quantiles_json(&point->migration_ms), "downtime_ms", quantiles_json(&point->downtime_ms),
            "bytes", integer(point->bytes), "rounds", (int)point->n_rounds, "converges", (int)point->converges);
        if (json_array_append_new(grid, item) != 0) {
            json_decref(grid);
            return NULL;
        }
    }
    return json_pack("{s:I, s:o}", "made_unix_ms", (json_int_t)prediction->made_unix_ms, "grid", grid);
}

static json_t *vm_json(const struct fleet_vm *vm, const struct forecast *forecast) {
    return json_pack("{s:s, s:s, s:s*, s:o*, s:o}", "uuid", vm->uuid, "name", vm->name, "policy",
                     vm->has_policy ? vm->policy.policy->name : NULL, "prediction",
                     forecast->known ? prediction_json(&forecast->prediction) : NULL, "lowest_bandwidth_bytes_per_s",
                     forecast->lowest_bytes_per_s > 0 ? integer(forecast->lowest_bytes_per_s) : json_null());
}

static enum dc_status write_json(const struct asking *asking, const struct forecast *forecasts, const size_t *vms,
                                 size_t n_vms, struct dc_error *err) {
    json_t *list = json_array();
    json_t *root = json_pack("{s:s, s:s, s:o}", "format", "decamp/predictions", "format_version", "1.0", "vms", list);
    char *text = NULL;
    if (root == NULL)
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < n_vms; i++) {
        if (json_array_append_new(list, vm_json(&asking->fleet->vms[vms[i]], &forecasts[i])) != 0)
            rc = error_set_nomem(err);
    }
    char *body = rc == DC_OK ? json_dumps(root, JSON_INDENT(2)) : NULL;
    if (rc == DC_OK && (body == NULL || asprintf(&text, "%s\n", body) < 0)) {
        text = NULL;
        rc = error_set_nomem(err);
    }
    if (rc == DC_OK)
        rc = cli_emit(asking->cli, text, err);
    free(body);
    free(text);
    json_decref(root);
    return rc;
}

static enum dc_status write_point(const struct asking *asking, const struct fleet_vm *vm,
                                  const struct forecast *forecast, const struct prediction_point *point,
                                  struct writer *writer, struct dc_error *err) {
    struct writer_value values[N_COLUMNS] = {{0}};
    if (!asking->one) {
        values[COLUMN_VM] = writer_text(vm->name);
        values[COLUMN_HOST] = writer_text(asking->fleet->hosts[vm->host].name);
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

/* One VM's own line above its grid. */
static enum dc_status write_heading(const struct asking *asking, const struct fleet_vm *vm,
                                    const struct forecast *forecast, struct writer *writer, struct dc_error *err) {
    char memory[UNITS_TEXT_BYTES], budget[UNITS_TEXT_BYTES], lowest[UNITS_TEXT_BYTES];
    enum dc_status rc = writer_line(
        writer, err, "%s  %s on %s, %s", vm->name, units_format_bytes(vm->memory_bytes, memory, sizeof(memory)),
        asking->fleet->hosts[vm->host].name, vm->has_policy ? vm->policy.policy->summary : "no stop policy known");
    if (rc != DC_OK || vm->downtime_budget_ms < 0)
        return rc;
    (void)units_format_duration(vm->downtime_budget_ms, budget, sizeof(budget));
    if (forecast->lowest_bytes_per_s > 0)
        return writer_line(writer, err, "downtime budget %s: kept from %s on", budget,
                           units_format_rate(forecast->lowest_bytes_per_s, lowest, sizeof(lowest)));
    return writer_line(writer, err, "downtime budget %s: kept at no bandwidth", budget);
}

static enum dc_status write_table(const struct asking *asking, const struct forecast *forecasts, const size_t *vms,
                                  size_t n_vms, struct dc_error *err) {
    struct cli_page page;
    enum dc_status rc = cli_page_open(asking->cli, &page, err);
    if (rc != DC_OK)
        return rc;
    if (asking->one)
        rc = write_heading(asking, &asking->fleet->vms[vms[0]], &forecasts[0], page.writer, err);
    if (rc == DC_OK)
        rc = writer_begin(page.writer, "vms", columns, N_COLUMNS, err);
    for (size_t i = 0; rc == DC_OK && i < n_vms; i++) {
        const struct fleet_vm *vm = &asking->fleet->vms[vms[i]];
        if (forecasts[i].prediction.n_points == 0)
            rc = write_point(asking, vm, &forecasts[i], NULL, page.writer, err);
        for (size_t p = 0; rc == DC_OK && p < forecasts[i].prediction.n_points; p++)
            rc = write_point(asking, vm, &forecasts[i], &forecasts[i].prediction.points[p], page.writer, err);
    }
    if (rc == DC_OK)
        rc = writer_end(page.writer, err);
    if (rc == DC_OK)
        rc = cli_page_emit(asking->cli, &page, err);
    cli_page_dispose(&page);
    return rc;
}

static enum dc_status predict(const struct asking *asking, const size_t *vms, size_t n_vms, struct dc_error *err) {
    struct forecast *forecasts = calloc(n_vms + 1, sizeof(*forecasts));
    if (forecasts == NULL)
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < n_vms; i++)
        rc = forecast_make(asking->fleet, &asking->fleet->vms[vms[i]], &asking->wish, &forecasts[i], err);
    if (rc == DC_OK && asking->one && !forecasts[0].known)
        rc = error_set(err, DC_ENOTFOUND, "VM %s has neither a prediction nor a profile with a stop policy",
                       asking->fleet->vms[vms[0]].name);
    if (rc == DC_OK)
        rc = asking->cli->format == CLI_JSON ? write_json(asking, forecasts, vms, n_vms, err)
                                             : write_table(asking, forecasts, vms, n_vms, err);
    for (size_t i = 0; i < n_vms; i++)
        forecast_dispose(&forecasts[i]);
    free(forecasts);
    return rc;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The bandwidths asked for, ascending and each once. */
static void sort_bandwidths(const struct cli *cli, struct forecast_wish *wish) {
    if (cli->n_bandwidths == 0)
        return;
    double *bandwidths = cli->bandwidths_bytes_per_s;
    qsort(bandwidths, cli->n_bandwidths, sizeof(*bandwidths), by_value);
    size_t n = 1;
    for (size_t i = 1; i < cli->n_bandwidths; i++) {
        if (bandwidths[i] > bandwidths[n - 1])
            bandwidths[n++] = bandwidths[i];
    }
    wish->bandwidths_bytes_per_s = bandwidths;
    wish->n_bandwidths = n;
}

enum dc_status cmd_predict(const struct cli *cli, enum cli_exit *exit_out, struct dc_error *err) {
    struct fleet fleet = {0};
    size_t *vms = NULL;
    *exit_out = CLI_EXIT_OK;
    struct asking asking = {.cli = cli, .fleet = &fleet, .one = cli->arguments.n > 0};
    asking.wish = (struct forecast_wish){.nic_only = !asking.one, .from_prediction = cli->from_prediction};
    sort_bandwidths(cli, &asking.wish);
    enum dc_status rc = cli_load_fleet(cli, &fleet, err);
    if (rc != DC_OK)
        goto out;
    rc = vm_order_new(&fleet, &vms, err);
    if (rc != DC_OK)
        goto out;
    if (asking.one) {
        const long vm = fleet_doc_find_vm(&fleet, cli->arguments.items[0]);
        if (vm == FLEET_NO_INDEX) {
            rc = error_set(err, DC_ENOTFOUND, "no VM (by uuid or unique name) is called %s", cli->arguments.items[0]);
            goto out;
        }
        vms[0] = (size_t)vm;
    }
    rc = predict(&asking, vms, asking.one ? 1 : fleet.n_vms, err);
out:
    free(vms);
    fleet_doc_dispose(&fleet);
    return rc;
}
