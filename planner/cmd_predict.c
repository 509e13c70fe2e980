/* decamp predict [VM]: what a migration costs at several bandwidths; without a
 * VM, each VM at its host's NIC. With --models, --curve, --when, --sla or --guarantee,
 * the answers to these about one VM instead. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/cmd.h"

#include "planner/predict.h"
#include "planner/predict_grid.h"
#include "planner/vm_order.h"
#include "planner/vm_storage.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

struct asking {
    const struct cli *cli;
    const struct fleet *fleet;
    struct forecast_wish wish;
    bool one; /* a single VM was named */
    enum cli_exit *exit_out;
};

/* The documents' numbers come with their units in the keys; the list is a JSON document, or its
 * items are lines. Takes the reference to `list`. */
static enum dc_status emit_json(const struct cli *cli, json_t *list, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&text, &n_bytes);
    json_t *root = NULL;
    if (stream == NULL || list == NULL) {
        rc = error_set_nomem(err);
    } else if (cli->format == CLI_JSONL) {
        for (size_t i = 0; i < json_array_size(list); i++)
            (void)(json_dumpf(json_array_get(list, i), stream, JSON_COMPACT) == 0 && fputc('\n', stream));
    } else {
        root = json_pack("{s:s, s:s, s:O}", "format", "decamp/predictions", "format_version", "1.1", "vms", list);
        if (root == NULL || json_dumpf(root, stream, JSON_INDENT(2)) != 0 || fputc('\n', stream) == EOF)
            rc = error_set_nomem(err);
    }
    if (stream != NULL && fclose(stream) != 0 && rc == DC_OK)
        rc = error_set_nomem(err);
    if (rc == DC_OK)
        rc = cli_emit(cli, text, err);
    free(text);
    json_decref(root);
    json_decref(list);
    return rc;
}

static json_t *vm_json(const struct fleet_vm *vm) {
    return json_pack("{s:s, s:s, s:s*}", "uuid", vm->uuid, "name", vm->name, "policy",
                     vm->has_policy ? vm->policy.policy->name : NULL);
}

/* --- the grid --- */

static json_t *grid_json(const struct fleet_vm *vm, const struct forecast *forecast) {
    json_t *object = vm_json(vm);
    const double lowest = forecast->lowest_bytes_per_s;
    bool ok = json_object_set_new(object, "lowest_bandwidth_bytes_per_s",
                                  lowest > 0 ? json_integer((json_int_t)llround(lowest)) : json_null()) == 0;
    if (forecast->known)
        ok = ok && json_object_set_new(object, "prediction", predict_grid_json(vm, &forecast->prediction)) == 0;
    if (ok)
        return object;
    json_decref(object);
    return NULL;
}

static enum dc_status emit_grid(const struct asking *asking, const struct forecast *forecasts, const size_t *vms,
                                size_t n_vms, struct dc_error *err) {
    const struct predict_grid grid = {asking->cli, asking->fleet, asking->one, asking->wish.max_downtime_ms};
    if (asking->cli->format == CLI_TABLE || asking->cli->format == CLI_WIDE)
        return predict_grid_write(&grid, forecasts, vms, n_vms, err);
    json_t *list = json_array();
    for (size_t i = 0; i < n_vms; i++) {
        if (json_array_append_new(list, grid_json(&asking->fleet->vms[vms[i]], &forecasts[i])) != 0) {
            json_decref(list);
            return error_set_nomem(err);
        }
    }
    return emit_json(asking->cli, list, err);
}

static enum dc_status answer_grid(const struct asking *asking, const size_t *vms, size_t n_vms, struct dc_error *err) {
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
        rc = emit_grid(asking, forecasts, vms, n_vms, err);
    for (size_t i = 0; i < n_vms; i++)
        forecast_dispose(&forecasts[i]);
    free(forecasts);
    return rc;
}

/* --- the parts about one VM --- */

typedef enum dc_status (*part_fn)(const struct predict_question *question, struct predict_report *report,
                                  struct dc_error *err);

enum { N_PARTS = 5 };

/* Those asked for, in the order of the answer; returns how many. */
static size_t parts_of(const struct cli_predict *predict, part_fn parts_out[N_PARTS]) {
    size_t n = 0;
    if (predict->models || predict->all_policies || predict->policies.n > 0)
        parts_out[n++] = predict_models;
    if (predict->curve != CLI_CURVE_NONE)
        parts_out[n++] = predict_curve;
    if (predict->when)
        parts_out[n++] = predict_when;
    if (predict->sla_frac > 0)
        parts_out[n++] = predict_sla;
    if (predict->guarantee)
        parts_out[n++] = predict_guarantee;
    return n;
}

static enum dc_status emit_reports_json(const struct predict_question *question, const struct predict_report *reports,
                                        size_t n, struct dc_error *err) {
    json_t *list = json_array();
    json_t *object = vm_json(question->vm);
    bool ok = json_array_append_new(list, object) == 0;
    for (size_t i = 0; ok && i < n; i++)
        ok = json_object_set_new(object, reports[i].key, predict_report_json(&reports[i])) == 0;
    if (ok)
        return emit_json(question->cli, list, err);
    json_decref(list);
    return error_set_nomem(err);
}

static enum dc_status emit_reports_table(const struct predict_question *question, const struct predict_report *reports,
                                         size_t n, struct dc_error *err) {
    struct cli_page page;
    enum dc_status rc = cli_page_open(question->cli, &page, err);
    if (rc != DC_OK)
        return rc;
    for (size_t i = 0; rc == DC_OK && i < n; i++) {
        if (i > 0)
            rc = writer_line(page.writer, err, "%s", "");
        if (rc == DC_OK)
            rc = predict_report_write(&reports[i], page.writer, err);
    }
    if (rc == DC_OK)
        rc = cli_page_emit(question->cli, &page, err);
    cli_page_dispose(&page);
    return rc;
}

static enum dc_status check_vm(const struct asking *asking, const struct fleet_vm *vm, struct dc_error *err) {
    const struct cli_predict *predict = &asking->cli->predict;
    const bool replays = predict->models || predict->all_policies || predict->policies.n > 0 || predict->guarantee ||
                         predict->when || predict->curve == CLI_CURVE_RATE;
    if (replays && !forecast_has_profile(vm))
        return error_set(err, DC_ENOTFOUND, "VM %s has no %s to replay its migration %s", vm->name,
                         vm->has_policy ? "profile" : "stop policy", vm->has_policy ? "from" : "by");
    if (!forecast_has_profile(vm) && vm->prediction.n_points == 0)
        return error_set(err, DC_ENOTFOUND, "VM %s has neither a prediction nor a profile with a stop policy",
                         vm->name);
    return DC_OK;
}

/* What a VM's local disks have to say to every answer about it. */
static enum dc_status add_obstacle(const struct fleet_vm *vm, struct predict_report *reports, size_t n,
                                   struct dc_error *err) {
    const struct storage_disk *obstacle = vm_storage_obstacle(vm);
    enum dc_status rc = DC_OK;
    for (size_t i = 0; obstacle != NULL && rc == DC_OK && i < n; i++)
        rc = predict_report_note(&reports[i], err,
                                 "local disk %s: its toolstack moves no disks, so the VM cannot be migrated live; "
                                 "all figures are for its memory alone",
                                 obstacle->name);
    return rc;
}

static enum dc_status answer_parts(const struct asking *asking, const struct fleet_vm *vm, const part_fn *parts,
                                   size_t n, struct dc_error *err) {
    const struct cli *cli = asking->cli;
    const size_t n_asked = asking->wish.n_bandwidths;
    struct predict_report reports[N_PARTS] = {{0}};
    const struct predict_question question = {
        .cli = cli,
        .fleet = asking->fleet,
        .vm = vm,
        .wish = asking->wish,
        .nic_bytes_per_s = forecast_nic(asking->fleet, vm),
        .bandwidth_bytes_per_s =
            n_asked > 0 ? asking->wish.bandwidths_bytes_per_s[n_asked - 1] : forecast_nic(asking->fleet, vm),
        .max_downtime_ms = cli->max_downtime_ms > 0 ? cli->max_downtime_ms : fmax(0, vm->downtime_budget_ms),
        .exit_out = asking->exit_out,
    };
    enum dc_status rc = check_vm(asking, vm, err);
    for (size_t i = 0; rc == DC_OK && i < n; i++)
        rc = parts[i](&question, &reports[i], err);
    if (rc == DC_OK)
        rc = add_obstacle(vm, reports, n, err);
    if (rc == DC_OK)
        rc = cli->format == CLI_JSON || cli->format == CLI_JSONL ? emit_reports_json(&question, reports, n, err)
                                                                 : emit_reports_table(&question, reports, n, err);
    for (size_t i = 0; i < n; i++)
        predict_report_dispose(&reports[i]);
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
    part_fn parts[N_PARTS];
    const size_t n_parts = parts_of(&cli->predict, parts);
    *exit_out = CLI_EXIT_OK;
    struct asking asking = {.cli = cli, .fleet = &fleet, .one = cli->arguments.n > 0, .exit_out = exit_out};
    asking.wish = (struct forecast_wish){
        .nic_only = !asking.one, .from_prediction = cli->from_prediction, .max_downtime_ms = cli->max_downtime_ms};
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
    rc = n_parts > 0 ? answer_parts(&asking, &fleet.vms[vms[0]], parts, n_parts, err)
                     : answer_grid(&asking, vms, asking.one ? 1 : fleet.n_vms, err);
out:
    free(vms);
    fleet_doc_dispose(&fleet);
    return rc;
}
