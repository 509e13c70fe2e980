/* Tables of fields, and what of an observation no table can say. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/fleet_learned.h"

#include "proto/doc_quantiles.h"
#include "proto/fleet_fields.h"

#define AT(type, member) .offset = offsetof(struct type, member)
#define N_ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))
#define UNKNOWN .need = DOC_NULLABLE, .fallback = FLEET_UNSET

static const struct doc_field observation_rows[] = {
    {.key = "vm", .type = DOC_TEXT, .need = DOC_REQUIRED, AT(fleet_observation, vm)},
    {.key = "name", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(fleet_observation, name)},
    {.key = "from", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(fleet_observation, from)},
    {.key = "to", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(fleet_observation, to)},
    {.key = "policy", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(fleet_observation, policy)},
    {.key = "memory_bytes", .type = DOC_WHOLE, AT(fleet_observation, memory_bytes), UNKNOWN},
    {.key = "ordered_unix_ms", .type = DOC_INT64, AT(fleet_observation, ordered_unix_ms)},
    {.key = "began_unix_ms", .type = DOC_INT64, AT(fleet_observation, began_unix_ms)},
    {.key = "bandwidth_bytes_per_s", .type = DOC_NUMBER, AT(fleet_observation, bandwidth_bytes_per_s), UNKNOWN},
    {.key = "startup_ms", .type = DOC_WHOLE, AT(fleet_observation, startup_ms), UNKNOWN},
    {.key = "migration_ms", .type = DOC_NUMBER, AT(fleet_observation, migration_ms), UNKNOWN},
    {.key = "downtime_ms", .type = DOC_NUMBER, AT(fleet_observation, downtime_ms), UNKNOWN},
    {.key = "bytes", .type = DOC_WHOLE, AT(fleet_observation, bytes), UNKNOWN},
    {.key = "rounds", .type = DOC_WHOLE, AT(fleet_observation, n_rounds), UNKNOWN},
    {.key = "suspended_unix_ms", .type = DOC_INT64, AT(fleet_observation, suspended_unix_ms)},
    {.key = "resumed_unix_ms", .type = DOC_INT64, AT(fleet_observation, resumed_unix_ms)},
    {.key = "succeeded", .type = DOC_BOOL, .need = DOC_REQUIRED, AT(fleet_observation, succeeded)},
};

static const struct doc_field foresight_rows[] = {
    {.key = "bandwidth_bytes_per_s",
     .type = DOC_POSITIVE,
     .need = DOC_REQUIRED,
     AT(fleet_foresight, bandwidth_bytes_per_s)},
    {.key = "goodput_frac", .type = DOC_POSITIVE, AT(fleet_foresight, goodput_frac), .max = 1, .fallback = 1},
    {.key = "pre_ms", .type = DOC_NUMBER, AT(fleet_foresight, pre_ms)},
    {.key = "post_ms", .type = DOC_NUMBER, AT(fleet_foresight, post_ms)},
    {.key = "bytes", .type = DOC_WHOLE, .need = DOC_REQUIRED, AT(fleet_foresight, bytes)},
    {.key = "rounds", .type = DOC_UNSIGNED, AT(fleet_foresight, n_rounds)},
    {.key = "converges", .type = DOC_BOOL, AT(fleet_foresight, converges), .fallback = 1},
    {.key = "made_unix_ms", .type = DOC_INT64, AT(fleet_foresight, made_unix_ms)},
};

static const struct doc_field calibration_rows[] = {
    {.key = "from", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(calibration, from)},
    {.key = "to", .type = DOC_TEXT, .need = DOC_NULLABLE, AT(calibration, to)},
    {.key = "pre_ms", .type = DOC_NUMBER, .need = DOC_REQUIRED, AT(calibration, pre_ms)},
    {.key = "post_ms", .type = DOC_NUMBER, .need = DOC_REQUIRED, AT(calibration, post_ms)},
    {.key = "goodput_frac", .type = DOC_POSITIVE, .need = DOC_REQUIRED, AT(calibration, goodput_frac), .max = 1},
    {.key = "startup_ms", .type = DOC_NUMBER, AT(calibration, startup_ms)},
    {.key = "spread_frac", .type = DOC_NUMBER, AT(calibration, spread_frac), .max = 10},
};

/* A size_t among the doubles. */
struct count {
    unsigned n;
};
static const struct doc_field count_rows[] = {
    {.key = "n", .type = DOC_UNSIGNED, .need = DOC_REQUIRED, AT(count, n)},
};

void fleet_learned_get_observation(struct doc_reader *reader, const struct doc_object *object,
                                   struct fleet_observation *observation_out) {
    doc_field_read(reader, object, observation_rows, N_ROWS(observation_rows), observation_out);
    const struct doc_object predicted = {.own = doc_reader_object(reader, object, "predicted")};
    if (predicted.own == NULL)
        return;
    doc_reader_enter(reader, "predicted");
    doc_field_read(reader, &predicted, foresight_rows, N_ROWS(foresight_rows), &observation_out->predicted);
    doc_quantiles_read(reader, &predicted, "migration_ms", &observation_out->predicted.migration_ms);
    doc_quantiles_read(reader, &predicted, "downtime_ms", &observation_out->predicted.downtime_ms);
    doc_reader_leave(reader);
}

bool fleet_learned_set_observation(json_t *json, const struct fleet_observation *observation) {
    const struct fleet_foresight *predicted = &observation->predicted;
    bool ok = doc_field_write(json, observation_rows, N_ROWS(observation_rows), observation);
    if (!(predicted->bandwidth_bytes_per_s > 0))
        return ok;
    json_t *object = json_object();
    ok = doc_field_write(object, foresight_rows, N_ROWS(foresight_rows), predicted) && ok;
    ok = ok && json_object_set_new(object, "migration_ms", doc_quantiles_json(&predicted->migration_ms)) == 0;
    ok = ok && json_object_set_new(object, "downtime_ms", doc_quantiles_json(&predicted->downtime_ms)) == 0;
    return json_object_set_new(json, "predicted", object) == 0 && ok;
}

bool fleet_learned_set_calibration(json_t *json, const struct calibration *calibration) {
    const struct count count = {(unsigned)calibration->n};
    return doc_field_write(json, calibration_rows, N_ROWS(calibration_rows), calibration) &&
           doc_field_write(json, count_rows, N_ROWS(count_rows), &count);
}

static void read_observations(struct fleet_reading *reading) {
    size_t n = 0;
    const json_t *section = fleet_reading_section(reading, "observations", &n);
    struct fleet *fleet = reading->fleet;
    fleet->observations = doc_reader_alloc(&reading->reader, n, sizeof(*fleet->observations));
    fleet->n_observations = fleet->observations != NULL ? n : 0;
    for (size_t i = 0; i < fleet->n_observations && doc_reader_ok(&reading->reader); i++) {
        struct doc_object object;
        doc_reader_enter_item(&reading->reader, "observations", i);
        if (doc_reader_item(&reading->reader, section, i, &object))
            fleet_learned_get_observation(&reading->reader, &object, &fleet->observations[i]);
        doc_reader_leave(&reading->reader);
    }
}

static void read_calibration(struct fleet_reading *reading) {
    size_t n = 0;
    struct doc_reader *reader = &reading->reader;
    const json_t *section = fleet_reading_section(reading, "calibration", &n);
    struct fleet *fleet = reading->fleet;
    fleet->calibration = doc_reader_alloc(reader, n, sizeof(*fleet->calibration));
    fleet->n_calibration = fleet->calibration != NULL ? n : 0;
    for (size_t i = 0; i < fleet->n_calibration && doc_reader_ok(reader); i++) {
        struct doc_object object;
        struct count count = {0};
        doc_reader_enter_item(reader, "calibration", i);
        if (doc_reader_item(reader, section, i, &object)) {
            doc_field_read(reader, &object, calibration_rows, N_ROWS(calibration_rows), &fleet->calibration[i]);
            doc_field_read(reader, &object, count_rows, N_ROWS(count_rows), &count);
            fleet->calibration[i].n = count.n;
        }
        doc_reader_leave(reader);
    }
}

void fleet_learned_read(struct fleet_reading *reading) {
    read_calibration(reading);
    read_observations(reading);
}
