/*
 * Writes the plan document, keys in fixed order. Milliseconds are rounded, so
 * of several rates that begin within one of them the last stands.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/plan_doc.h"
#include "proto/plan_fields.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static bool set(json_t *json, const char *key, json_t *value) {
    return json_object_set_new(json, key, value) == 0;
}

static bool set_fields(json_t *json, const struct plan_fields *fields, const void *source) {
    return doc_field_write(json, fields->rows, fields->n, source);
}

static bool set_quantiles(json_t *json, const char *key, const struct prediction_quantiles *quantiles) {
    json_t *object = json_object();
    const bool ok = set_fields(object, &plan_fields_quantiles, quantiles);
    return set(json, key, object) && ok;
}

static bool set_after(json_t *json, const struct plan_step *step) {
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < step->n_after && ok; i++)
        ok = json_array_append_new(array, json_integer(step->after[i])) == 0;
    return set(json, "after", array) && ok;
}

static bool set_rates(json_t *json, const struct plan_step *step) {
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < step->n_rates && ok; i++) {
        const struct plan_rate *rate = &step->rates[i];
        if (i + 1 < step->n_rates && round(rate[1].from_ms) <= round(rate->from_ms))
            continue;
        json_t *pair =
            json_pack("[o, o]", doc_field_whole_json(rate->from_ms), doc_field_number_json(rate->bytes_per_s));
        ok = json_array_append_new(array, pair) == 0;
    }
    return set(json, "rates", array) && ok;
}

static bool write_step(const struct plan_step *step, json_t *json) {
    return set_fields(json, &plan_fields_step, step) && set_after(json, step) &&
           set_fields(json, &plan_fields_step_times, step) && set_rates(json, step) &&
           set(json, "path", doc_field_strings_json(step->path, step->n_path)) &&
           set_quantiles(json, "migration_ms", &step->migration_ms) &&
           set_quantiles(json, "downtime_ms", &step->downtime_ms) && set_fields(json, &plan_fields_step_sums, step);
}

static enum dc_status write_steps(const struct plan *plan, json_t *root, struct dc_error *err) {
    json_t *array = json_array();
    if (!set(root, "steps", array))
        return error_set_nomem(err);
    for (size_t i = 0; i < plan->n_steps; i++) {
        json_t *json = json_object();
        const bool ok = json != NULL && write_step(&plan->steps[i], json);
        if (json_array_append_new(array, json) != 0 || !ok)
            return error_set(
                err, DC_EINVAL,
                "steps[%zu]: cannot be written as JSON (a text that is no UTF-8, a number that is not finite)", i);
    }
    return DC_OK;
}

static json_t *seed_json(uint64_t seed) {
    char text[24];
    if (seed < UINT64_C(1) << 53)
        return json_integer((json_int_t)seed);
    (void)snprintf(text, sizeof(text), "%" PRIu64, seed);
    return json_string(text);
}

static json_t *kept(json_t *value, json_t *empty) {
    if (value == NULL)
        return empty;
    json_decref(empty);
    return json_incref(value);
}

static bool write_head(const struct plan *plan, json_t *root) {
    return set(root, "format", json_string(PLAN_FIELDS_FORMAT)) &&
           set(root, "format_version", json_string(PLAN_FIELDS_VERSION)) && set_fields(root, &plan_fields_head, plan) &&
           set(root, "seed", seed_json(plan->seed)) && set(root, "goal", kept(plan->goal, json_object())) &&
           set_quantiles(root, "makespan_ms", &plan->makespan_ms) && set_fields(root, &plan_fields_bound, plan) &&
           set(root, "bound", kept(plan->bound, json_object())) &&
           set(root, "forecast", kept(plan->forecast, json_object())) && set_fields(root, &plan_fields_totals, plan);
}

/* Left out where there is none. */
static bool set_if(json_t *json, const char *key, json_t *value) {
    return value == NULL || set(json, key, json_incref(value));
}

static bool write_tail(const struct plan *plan, json_t *root) {
    return set(root, "hosts_off", doc_field_strings_json(plan->hosts_off, plan->n_hosts_off)) &&
           set_if(root, "energy", plan->energy) && set_if(root, "choice", plan->choice) &&
           set_if(root, "stages", plan->stages) && set_if(root, "broken_rules", plan->broken_rules) &&
           set(root, "conflicts", kept(plan->conflicts, json_array())) &&
           set(root, "warnings", kept(plan->warnings, json_array())) && set_if(root, "explanation", plan->explanation);
}

enum dc_status plan_doc_write(const struct plan *plan, char **text_out, struct dc_error *err) {
    *text_out = NULL;
    json_t *root = json_object();
    if (root == NULL)
        return error_set_nomem(err);
    enum dc_status rc = write_head(plan, root) ? write_steps(plan, root, err) : DC_EINVAL;
    if (rc == DC_OK && !write_tail(plan, root))
        rc = DC_EINVAL;
    if (rc == DC_OK)
        return doc_field_dump(root, text_out, err);
    json_decref(root);
    return error_set(err, rc, "cannot be written as JSON (a text that is no UTF-8, a number that is not finite)");
}
