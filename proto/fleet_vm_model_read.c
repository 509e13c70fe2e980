/*
 * What a VM of the fleet document carries for the model: stop policy,
 * overheads, dirty-page profile and prediction.
 *
 * Curves come out as model/dirty_profile.h wants them: windows strictly
 * ascending, pages that fall (counter noise) raised to their predecessor.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/doc_quantiles.h"
#include "proto/fleet_bitmaps.h"
#include "proto/fleet_fields.h"
#include "proto/fleet_reading.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LARGEST_NUMBER (-DOC_FIELD_LOWEST)

static void fail_policy(struct doc_reader *reader, const char *name) {
    char known[128] = "";
    for (size_t i = 0; stop_policy_at(i) != NULL; i++) {
        const size_t used = strlen(known);
        (void)snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ", stop_policy_at(i)->name);
    }
    char quoted[DOC_READER_QUOTED_BYTES];
    doc_reader_fail(reader, "name", DC_EINVAL, "unknown policy %s; known: %s", doc_reader_quote(name, quoted), known);
}

static void read_policy(struct doc_reader *reader, const struct doc_object *object, struct fleet_vm *vm) {
    const struct doc_object policy = {.own = doc_reader_object(reader, object, "policy")};
    const json_t *name = json_object_get(policy.own, "name");
    doc_reader_enter(reader, "policy");
    vm->has_policy = policy.own != NULL;
    if (vm->has_policy && !json_is_string(name))
        doc_reader_fail_value(reader, "name", "the name of a stop policy", name);
    else if (vm->has_policy && stop_policy_find(json_string_value(name)) == NULL)
        fail_policy(reader, json_string_value(name));
    if (doc_reader_ok(reader)) {
        const char *chosen = vm->has_policy ? json_string_value(name) : fleet_fields_default_policy;
        if (stop_policy_init(&vm->policy, chosen, reader->err) != DC_OK)
            doc_reader_fail(reader, "name", DC_EINTERNAL, "policy \"%s\" is not built in", chosen);
        if (vm->has_policy)
            doc_field_read(reader, &policy, fleet_fields_policy.rows, fleet_fields_policy.n, &vm->policy);
    }
    doc_reader_leave(reader);
}

static void read_overhead(struct doc_reader *reader, const struct doc_object *object, struct fleet_vm *vm) {
    const struct doc_object overhead = {.own = doc_reader_object(reader, object, "overhead")};
    vm->has_overhead = overhead.own != NULL;
    if (!vm->has_overhead)
        return;
    static const struct doc_field rows[] = {
        {.key = "from_agent", .type = DOC_BOOL, .offset = offsetof(struct fleet_vm, overhead_is_agents)},
    };
    doc_reader_enter(reader, "overhead");
    doc_field_read(reader, &overhead, rows, 1, vm);
    doc_field_read(reader, &overhead, fleet_fields_overhead.rows, fleet_fields_overhead.n, &vm->overhead);
    doc_reader_leave(reader);
}

static void read_point(struct doc_reader *reader, const json_t *value, const struct dirty_point *before,
                       struct dirty_point *point) {
    if (json_array_size(value) != 2) {
        doc_reader_fail_value(reader, NULL, "[window in seconds, pages]", value);
        return;
    }
    doc_reader_enter_subitem(reader, 0);
    const double window_s = json_number_value(json_array_get(value, 0));
    const double above_s = before != NULL ? before->window_s : 0;
    char expected[80];
    (void)snprintf(expected, sizeof(expected), "a number > %.15g%s", above_s,
                   before != NULL ? " (windows ascend)" : "");
    point->window_s = doc_reader_number(reader, json_array_get(value, 0), window_s > above_s ? above_s : INFINITY,
                                        LARGEST_NUMBER, false, expected);
    doc_reader_leave(reader);
    doc_reader_enter_subitem(reader, 1);
    const double pages =
        doc_reader_number(reader, json_array_get(value, 1), 0, LARGEST_NUMBER, true, "an integer >= 0");
    point->pages = before != NULL ? fmax(before->pages, pages) : pages;
    doc_reader_leave(reader);
}

void fleet_reading_curve(struct doc_reader *reader, const struct doc_object *object, const char *key,
                         struct dirty_curve *curve) {
    const json_t *array = doc_reader_array(reader, object, key);
    const size_t n = json_array_size(array);
    if (n == 0) {
        doc_reader_fail_value(reader, key, "an array of at least one [window in seconds, pages]", array);
        return;
    }
    curve->points = doc_reader_alloc(reader, n, sizeof(*curve->points));
    for (size_t i = 0; curve->points != NULL && i < n && doc_reader_ok(reader); i++) {
        doc_reader_enter_item(reader, key, i);
        read_point(reader, json_array_get(array, i), i > 0 ? &curve->points[i - 1] : NULL, &curve->points[i]);
        curve->n_points = i + 1;
        doc_reader_leave(reader);
    }
}

static void read_bursts(struct doc_reader *reader, const struct doc_object *object, struct dirty_profile *profile) {
    static const struct doc_field rows[] = {
        {.key = "at_unix_ms", .type = DOC_INT64, .offset = offsetof(struct dirty_burst, at_unix_ms)},
    };
    const json_t *array = doc_reader_array(reader, object, "bursts");
    const size_t n = json_array_size(array);
    if (n == 0) {
        doc_reader_fail_value(reader, "bursts", "an array of at least one burst", array);
        return;
    }
    profile->bursts = doc_reader_alloc(reader, n, sizeof(*profile->bursts));
    profile->n_bursts = profile->bursts != NULL ? n : 0;
    for (size_t i = 0; i < profile->n_bursts && doc_reader_ok(reader); i++) {
        struct doc_object burst;
        doc_reader_enter_item(reader, "bursts", i);
        if (doc_reader_item(reader, array, i, &burst)) {
            doc_field_read(reader, &burst, rows, 1, &profile->bursts[i]);
            fleet_reading_curve(reader, &burst, "points", &profile->bursts[i].curve);
        }
        doc_reader_leave(reader);
    }
}

static void read_hours(struct doc_reader *reader, const struct doc_object *object, struct dirty_profile *profile) {
    static const struct doc_field rows[] = {
        {.key = "start_unix_ms",
         .type = DOC_INT64,
         .need = DOC_REQUIRED,
         .offset = offsetof(struct dirty_hour, start_unix_ms)},
        {.key = "basis",
         .type = DOC_CHOICE,
         .need = DOC_REQUIRED,
         .offset = offsetof(struct dirty_hour, basis),
         .choices = dirty_basis_texts},
    };
    const json_t *array = doc_reader_array(reader, object, "hours");
    profile->hours = doc_reader_alloc(reader, json_array_size(array), sizeof(*profile->hours));
    profile->n_hours = profile->hours != NULL ? json_array_size(array) : 0;
    for (size_t i = 0; i < profile->n_hours && doc_reader_ok(reader); i++) {
        struct dirty_hour *hour = &profile->hours[i];
        struct doc_object item;
        doc_reader_enter_item(reader, "hours", i);
        if (doc_reader_item(reader, array, i, &item)) {
            doc_field_read(reader, &item, rows, sizeof(rows) / sizeof(rows[0]), hour);
            hour->n_bursts = (size_t)doc_reader_number(reader, json_object_get(item.own, "n_bursts"), 0, UINT32_MAX,
                                                       true, "a number of bursts");
            fleet_reading_curve(reader, &item, "p50", &hour->p50);
            fleet_reading_curve(reader, &item, "p95", &hour->p95);
        }
        if (doc_reader_ok(reader) && i > 0 && hour->start_unix_ms <= hour[-1].start_unix_ms)
            doc_reader_fail(reader, "start_unix_ms", DC_EINVAL, "expected later than the hour before it");
        doc_reader_leave(reader);
    }
}

static void read_profile(struct doc_reader *reader, const struct doc_object *object, struct dirty_profile *profile) {
    static const char *const kinds[] = {"curve", "rate", "quantiles", NULL};
    static const struct doc_field rows[] = {
        {.key = "kind",
         .type = DOC_CHOICE,
         .need = DOC_REQUIRED,
         .offset = offsetof(struct dirty_profile, kind),
         .choices = kinds},
        {.key = "zero_pages", .type = DOC_WHOLE, .offset = offsetof(struct dirty_profile, zero_pages)},
    };
    const struct doc_object found = {.own = doc_reader_object(reader, object, "profile")};
    if (found.own == NULL)
        return;
    doc_reader_enter(reader, "profile");
    doc_field_read(reader, &found, rows, sizeof(rows) / sizeof(rows[0]), profile);
    profile->kind += DIRTY_PROFILE_CURVE; /* the kinds above start with it */
    if (doc_reader_ok(reader) && profile->kind == DIRTY_PROFILE_CURVE)
        read_bursts(reader, &found, profile);
    else if (doc_reader_ok(reader) && profile->kind == DIRTY_PROFILE_RATE)
        doc_field_read(reader, &found, fleet_fields_rate.rows, fleet_fields_rate.n, profile);
    else if (doc_reader_ok(reader)) {
        fleet_reading_curve(reader, &found, "p50", &profile->p50);
        fleet_reading_curve(reader, &found, "p95", &profile->p95);
        read_hours(reader, &found, profile);
    }
    if (doc_reader_ok(reader))
        fleet_bitmaps_read(reader, &found, profile);
    doc_reader_leave(reader);
}

static void read_grid_point(struct doc_reader *reader, const struct doc_object *object, struct prediction *prediction) {
    struct prediction_point *point = &prediction->points[prediction->n_points++];
    doc_field_read(reader, object, fleet_fields_point.rows, fleet_fields_point.n, point);
    doc_quantiles_read(reader, object, "migration_ms", &point->migration_ms);
    doc_quantiles_read(reader, object, "downtime_ms", &point->downtime_ms);
    if (doc_reader_ok(reader) && prediction->n_points > 1 &&
        point->bandwidth_bytes_per_s <= point[-1].bandwidth_bytes_per_s)
        doc_reader_fail(reader, "bandwidth_bytes_per_s", DC_EINVAL,
                        "expected a number > %.15g (bandwidths ascend), got %.15g", point[-1].bandwidth_bytes_per_s,
                        point->bandwidth_bytes_per_s);
}

static void read_prediction(struct doc_reader *reader, const struct doc_object *object, struct prediction *prediction) {
    static const struct doc_field rows[] = {
        {.key = "made_unix_ms", .type = DOC_INT64, .offset = offsetof(struct prediction, made_unix_ms)},
    };
    const struct doc_object found = {.own = doc_reader_object(reader, object, "prediction")};
    if (found.own == NULL)
        return;
    doc_reader_enter(reader, "prediction");
    doc_field_read(reader, &found, rows, 1, prediction);
    const json_t *grid = doc_reader_array(reader, &found, "grid");
    const size_t n = json_array_size(grid);
    if (n == 0)
        doc_reader_fail_value(reader, "grid", "an array of at least one point", grid);
    prediction->points = doc_reader_alloc(reader, n, sizeof(*prediction->points));
    for (size_t i = 0; prediction->points != NULL && i < n && doc_reader_ok(reader); i++) {
        struct doc_object item;
        doc_reader_enter_item(reader, "grid", i);
        if (doc_reader_item(reader, grid, i, &item))
            read_grid_point(reader, &item, prediction);
        doc_reader_leave(reader);
    }
    doc_reader_leave(reader);
}

void fleet_reading_vm_model(struct doc_reader *reader, const struct doc_object *object, struct fleet_vm *vm) {
    read_policy(reader, object, vm);
    read_overhead(reader, object, vm);
    read_profile(reader, object, &vm->profile);
    read_prediction(reader, object, &vm->prediction);
}
