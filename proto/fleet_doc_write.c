/*
 * Writes the fleet document: keys in fixed order, every value explicit, so that
 * a file means the same whatever defaults later versions have. What is
 * absent (no prediction, no overhead, empty lists) is left out.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/digest.h"
#include "proto/doc_quantiles.h"
#include "proto/fleet_bitmaps.h"
#include "proto/fleet_doc.h"
#include "proto/fleet_fields.h"
#include "proto/fleet_learned.h"

#include <stdio.h>
#include <string.h>

static bool set_fields(json_t *json, const struct fleet_fields *fields, const void *source) {
    return doc_field_write(json, fields->rows, fields->n, source);
}

static bool set(json_t *json, const char *key, json_t *value) {
    return json_object_set_new(json, key, value) == 0;
}

static bool set_labels(json_t *json, const struct fleet_label *labels, size_t n_labels) {
    if (n_labels == 0)
        return true;
    json_t *object = json_object();
    bool ok = object != NULL;
    for (size_t i = 0; i < n_labels && ok; i++)
        ok = set(object, labels[i].key, json_string(labels[i].value));
    return set(json, "labels", object) && ok;
}

static bool set_features(json_t *json, char *const *features, size_t n_features) {
    return n_features == 0 || set(json, "cpu_features", doc_field_strings_json(features, n_features));
}

static bool write_host(const struct fleet *fleet, size_t i, json_t *json) {
    const struct fleet_host *host = &fleet->hosts[i];
    const bool has_age = host->seen_unix_ms != 0 || host->freshness != FLEET_FRESH;
    return set_fields(json, &fleet_fields_host, host) && (!has_age || set_fields(json, &fleet_fields_host_age, host)) &&
           set_features(json, host->cpu_features, host->n_cpu_features) &&
           set_labels(json, host->labels, host->n_labels);
}

static bool write_switch(const struct fleet *fleet, size_t i, json_t *json) {
    return set_fields(json, &fleet_fields_switch, &fleet->switches[i]);
}

static const char *end_name(const struct fleet *fleet, const struct fleet_endpoint *end) {
    return end->is_switch ? fleet->switches[end->index].name : fleet->hosts[end->index].name;
}

static bool write_link(const struct fleet *fleet, size_t i, json_t *json) {
    const struct fleet_link *link = &fleet->links[i];
    return set_fields(json, &fleet_fields_link, link) &&
           set(json, "between",
               json_pack("[s, s]", end_name(fleet, &link->between[0]), end_name(fleet, &link->between[1])));
}

/* Without the fields that the policy does not use: nothing, and nothing by
 * default; nor a word that is the default. */
static bool set_policy(json_t *json, const struct stop_policy *policy) {
    json_t *object = json_pack("{s:s}", "name", policy->policy->name);
    bool ok = object != NULL;
    for (size_t i = 0; i < fleet_fields_policy.n && ok; i++) {
        const struct doc_field *row = &fleet_fields_policy.rows[i];
        json_t *defaults = json_object();
        ok = doc_field_write(object, row, 1, policy) && doc_field_write(defaults, row, 1, &policy->policy->defaults);
        const json_t *value = json_object_get(object, row->key);
        const bool is_nothing =
            json_is_null(value) || json_is_false(value) || json_is_string(value) || json_number_value(value) == 0;
        if (ok && is_nothing && !json_is_true(value) && json_equal(value, json_object_get(defaults, row->key)))
            (void)json_object_del(object, row->key);
        json_decref(defaults);
    }
    return set(json, "policy", object) && ok;
}

static json_t *curve_json(const struct dirty_curve *curve) {
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < curve->n_points && ok; i++) {
        json_t *point = json_pack("[o, o]", doc_field_number_json(curve->points[i].window_s),
                                  doc_field_whole_json(curve->points[i].pages));
        ok = json_array_append_new(array, point) == 0;
    }
    if (ok)
        return array;
    json_decref(array);
    return NULL;
}

static bool set_bursts(json_t *json, const struct dirty_profile *profile) {
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < profile->n_bursts && ok; i++) {
        if (profile->bursts[i].curve.n_points == 0)
            continue;
        json_t *burst = json_pack("{s:I, s:o}", "at_unix_ms", (json_int_t)profile->bursts[i].at_unix_ms, "points",
                                  curve_json(&profile->bursts[i].curve));
        ok = json_array_append_new(array, burst) == 0;
    }
    return set(json, "bursts", array) && ok;
}

static bool set_hours(json_t *json, const struct dirty_profile *profile) {
    if (profile->n_hours == 0)
        return true;
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < profile->n_hours && ok; i++) {
        const struct dirty_hour *from = &profile->hours[i];
        json_t *hour = json_pack("{s:I, s:s, s:I, s:o, s:o}", "start_unix_ms", (json_int_t)from->start_unix_ms, "basis",
                                 dirty_basis_texts[from->basis], "n_bursts", (json_int_t)from->n_bursts, "p50",
                                 curve_json(&from->p50), "p95", curve_json(&from->p95));
        ok = json_array_append_new(array, hour) == 0;
    }
    return set(json, "hours", array) && ok;
}

static bool knows_something(const struct dirty_profile *profile) {
    if (profile->kind == DIRTY_PROFILE_QUANTILES)
        return profile->p50.n_points > 0 && profile->p95.n_points > 0;
    for (size_t i = 0; profile->kind == DIRTY_PROFILE_CURVE && i < profile->n_bursts; i++) {
        if (profile->bursts[i].curve.n_points > 0)
            return true;
    }
    return profile->kind == DIRTY_PROFILE_RATE;
}

static bool set_profile(json_t *json, const struct dirty_profile *profile) {
    static const char *const kinds[] = {"", "curve", "rate", "quantiles"};
    if (!knows_something(profile))
        return true;
    json_t *object =
        json_pack("{s:s, s:o}", "kind", kinds[profile->kind], "zero_pages", doc_field_whole_json(profile->zero_pages));
    bool ok = object != NULL;
    if (profile->kind == DIRTY_PROFILE_CURVE)
        ok = ok && set_bursts(object, profile);
    else if (profile->kind == DIRTY_PROFILE_RATE)
        ok = ok && set_fields(object, &fleet_fields_rate, profile);
    else
        ok = ok && set(object, "p50", curve_json(&profile->p50)) && set(object, "p95", curve_json(&profile->p95)) &&
             set_hours(object, profile);
    ok = ok && fleet_bitmaps_set(object, profile);
    return set(json, "profile", object) && ok;
}

static bool set_prediction(json_t *json, const struct prediction *prediction) {
    if (prediction->n_points == 0)
        return true;
    json_t *grid = json_array();
    bool ok = grid != NULL;
    for (size_t i = 0; i < prediction->n_points && ok; i++) {
        const struct prediction_point *from = &prediction->points[i];
        json_t *point = json_object();
        ok = set_fields(point, &fleet_fields_point, from) &&
             set(point, "migration_ms", doc_quantiles_json(&from->migration_ms)) &&
             set(point, "downtime_ms", doc_quantiles_json(&from->downtime_ms));
        ok = json_array_append_new(grid, point) == 0 && ok;
    }
    json_t *object = json_pack("{s:I, s:o}", "made_unix_ms", (json_int_t)prediction->made_unix_ms, "grid", grid);
    return set(json, "prediction", object) && ok;
}

static bool set_overhead(json_t *json, const struct fleet_vm *vm) {
    json_t *object = json_object();
    const bool ok = set_fields(object, &fleet_fields_overhead, &vm->overhead) &&
                    (!vm->overhead_is_agents || set(object, "from_agent", json_true()));
    return set(json, "overhead", object) && ok;
}

/* Without what is not known of the disk. */
static json_t *disk_json(const struct storage_disk *disk) {
    json_t *object = json_object();
    bool ok = set_fields(object, &fleet_fields_storage, disk);
    for (size_t i = 0; ok && i < fleet_fields_storage.n; i++) {
        const char *key = fleet_fields_storage.rows[i].key;
        if (json_is_null(json_object_get(object, key)))
            (void)json_object_del(object, key);
    }
    if (ok && (disk->written.n_points == 0 || set(object, "profile", curve_json(&disk->written))))
        return object;
    json_decref(object);
    return NULL;
}

static bool set_storage(json_t *json, const struct storage_disk *storage, size_t n_storage) {
    if (n_storage == 0)
        return true;
    json_t *array = json_array();
    bool ok = array != NULL;
    for (size_t i = 0; i < n_storage && ok; i++)
        ok = json_array_append_new(array, disk_json(&storage[i])) == 0;
    return set(json, "storage", array) && ok;
}

static bool write_vm(const struct fleet *fleet, size_t i, json_t *json) {
    const struct fleet_vm *vm = &fleet->vms[i];
    return set_fields(json, &fleet_fields_vm_id, vm) && set(json, "host", json_string(fleet->hosts[vm->host].name)) &&
           set_fields(json, &fleet_fields_vm, vm) &&
           (vm->seen_unix_ms == 0 || set_fields(json, &fleet_fields_vm_age, vm)) &&
           set_features(json, vm->cpu_features, vm->n_cpu_features) && set_labels(json, vm->labels, vm->n_labels) &&
           (!vm->has_policy || set_policy(json, &vm->policy)) && set_profile(json, &vm->profile) &&
           set_prediction(json, &vm->prediction) && (!vm->has_overhead || set_overhead(json, vm)) &&
           set_storage(json, vm->storage, vm->n_storage);
}

static bool set_groups(const struct fleet *fleet, const struct fleet_rule *rule, json_t *json) {
    json_t *groups = json_array();
    bool ok = true;
    for (size_t group = 0, j = 0; group < rule->n_groups; group++) {
        json_t *names = json_array();
        for (; j < rule->group_end[group]; j++)
            ok = json_array_append_new(names, json_string(fleet->hosts[rule->hosts[j]].name)) == 0 && ok;
        ok = json_array_append_new(groups, names) == 0 && ok;
    }
    return set(json, "groups", groups) && ok;
}

static bool write_rule(const struct fleet *fleet, size_t i, json_t *json) {
    const struct fleet_rule *rule = &fleet->rules[i];
    json_t *vms = json_array();
    json_t *hosts = json_array();
    bool ok = true;
    for (size_t j = 0; j < rule->n_vms; j++)
        ok = json_array_append_new(vms, json_string(fleet->vms[rule->vms[j]].uuid)) == 0 && ok;
    for (size_t j = 0; j < rule->n_hosts; j++)
        ok = json_array_append_new(hosts, json_string(fleet->hosts[rule->hosts[j]].name)) == 0 && ok;
    ok = set_fields(json, &fleet_fields_rule, rule) && ok;
    ok = set(json, "vms", vms) && ok;
    if (rule->type != FLEET_RULE_AMONG)
        return set(json, "hosts", hosts) && ok;
    json_decref(hosts);
    return set_groups(fleet, rule, json) && ok;
}

static bool write_calibration(const struct fleet *fleet, size_t i, json_t *json) {
    return fleet_learned_set_calibration(json, &fleet->calibration[i]);
}

static bool write_observation(const struct fleet *fleet, size_t i, json_t *json) {
    return fleet_learned_set_observation(json, &fleet->observations[i]);
}

typedef bool (*write_item_fn)(const struct fleet *fleet, size_t i, json_t *json);

static enum dc_status write_section(const struct fleet *fleet, json_t *root, const char *key, size_t n,
                                    write_item_fn write_item, struct dc_error *err) {
    json_t *array = json_array();
    if (!set(root, key, array))
        return error_set_nomem(err);
    for (size_t i = 0; i < n; i++) {
        json_t *json = json_object();
        const bool ok = json != NULL && write_item(fleet, i, json);
        if (json_array_append_new(array, json) != 0 || !ok)
            return error_set(
                err, DC_EINVAL,
                "%s[%zu]: cannot be written as JSON (a text that is no UTF-8, a number that is not finite)", key, i);
    }
    return DC_OK;
}

enum dc_status fleet_doc_write(struct fleet *fleet, char **text_out, struct dc_error *err) {
    *text_out = NULL;
    json_t *root = json_pack("{s:s, s:s, s:I}", "format", FLEET_FIELDS_FORMAT, "format_version", FLEET_FIELDS_VERSION,
                             "taken_unix_ms", (json_int_t)fleet->taken_unix_ms);
    if (root == NULL)
        return error_set_nomem(err);
    enum dc_status rc = write_section(fleet, root, "hosts", fleet->n_hosts, write_host, err);
    if (rc == DC_OK)
        rc = write_section(fleet, root, "switches", fleet->n_switches, write_switch, err);
    if (rc == DC_OK)
        rc = write_section(fleet, root, "links", fleet->n_links, write_link, err);
    if (rc == DC_OK)
        rc = write_section(fleet, root, "vms", fleet->n_vms, write_vm, err);
    if (rc == DC_OK)
        rc = write_section(fleet, root, "rules", fleet->n_rules, write_rule, err);
    if (rc == DC_OK && fleet->n_calibration > 0)
        rc = write_section(fleet, root, "calibration", fleet->n_calibration, write_calibration, err);
    if (rc == DC_OK && fleet->n_observations > 0)
        rc = write_section(fleet, root, "observations", fleet->n_observations, write_observation, err);
    if (rc != DC_OK) {
        json_decref(root);
        return rc;
    }
    rc = doc_field_dump(root, text_out, err);
    if (rc == DC_OK)
        digest_sha256_text(*text_out, strlen(*text_out), fleet->digest);
    return rc;
}
