/* Reads the plan document. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/file_text.h"
#include "proto/doc_index.h"
#include "proto/plan_doc.h"
#include "proto/plan_fields.h"
#include "proto/plan_order.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_NUMBER (-DOC_FIELD_LOWEST)

static void read_fields(struct doc_reader *reader, const struct doc_object *object, const struct plan_fields *fields,
                        void *target) {
    doc_field_read(reader, object, fields->rows, fields->n, target);
}

/* Left out, both quantiles are 0. */
static void read_quantiles(struct doc_reader *reader, const struct doc_object *object, const char *key,
                           struct prediction_quantiles *quantiles) {
    const struct doc_object found = {.own = doc_reader_object(reader, object, key)};
    if (found.own == NULL)
        return;
    doc_reader_enter(reader, key);
    read_fields(reader, &found, &plan_fields_quantiles, quantiles);
    doc_reader_leave(reader);
}

/* An integer, or from 2^53 on a string of digits: not every reader of JSON
 * knows larger integers. */
static void read_seed(struct doc_reader *reader, const struct doc_object *root, struct plan *plan) {
    const json_t *value = doc_reader_get(reader, root, "seed");
    if (!doc_reader_ok(reader) || value == NULL)
        return;
    const char *text = json_string_value(value);
    if (text != NULL && text[0] != '\0' && strspn(text, "0123456789") == strlen(text)) {
        errno = 0;
        plan->seed = strtoull(text, NULL, 10);
        if (errno == 0)
            return;
    } else if (json_is_integer(value) && json_integer_value(value) >= 0) {
        plan->seed = (uint64_t)json_integer_value(value);
        return;
    }
    doc_reader_fail_value(reader, "seed", "an integer >= 0 below 2^64", value);
}

static void read_after(struct doc_reader *reader, const struct doc_object *object, struct plan_step *step) {
    const json_t *array = doc_reader_array(reader, object, "after");
    const size_t n = json_array_size(array);
    step->after = doc_reader_alloc(reader, n, sizeof(*step->after));
    step->n_after = step->after != NULL ? n : 0;
    for (size_t i = 0; i < step->n_after && doc_reader_ok(reader); i++) {
        doc_reader_enter_item(reader, "after", i);
        step->after[i] =
            (unsigned)doc_reader_number(reader, json_array_get(array, i), 1, INT32_MAX, true, "the id of a step");
        doc_reader_leave(reader);
    }
}

static void read_rate(struct doc_reader *reader, const json_t *value, const struct plan_rate *before,
                      struct plan_rate *rate) {
    if (json_array_size(value) != 2) {
        doc_reader_fail_value(reader, NULL, "[from when in milliseconds, bytes per second]", value);
        return;
    }
    const double least_ms = before != NULL ? before->from_ms + 1 : 0;
    char expected[80];
    (void)snprintf(expected, sizeof(expected), "an integer >= %.15g%s", least_ms,
                   before != NULL ? " (times ascend)" : "");
    doc_reader_enter_subitem(reader, 0);
    rate->from_ms = doc_reader_number(reader, json_array_get(value, 0), least_ms, LARGEST_NUMBER, true, expected);
    doc_reader_leave(reader);
    doc_reader_enter_subitem(reader, 1);
    rate->bytes_per_s =
        doc_reader_number(reader, json_array_get(value, 1), 0, LARGEST_NUMBER, false, "a number >= 0 below 2^53");
    doc_reader_leave(reader);
}

static void read_rates(struct doc_reader *reader, const struct doc_object *object, struct plan_step *step) {
    const json_t *array = doc_reader_array(reader, object, "rates");
    const size_t n = json_array_size(array);
    step->rates = doc_reader_alloc(reader, n, sizeof(*step->rates));
    step->n_rates = step->rates != NULL ? n : 0;
    for (size_t i = 0; i < step->n_rates && doc_reader_ok(reader); i++) {
        doc_reader_enter_item(reader, "rates", i);
        read_rate(reader, json_array_get(array, i), i > 0 ? &step->rates[i - 1] : NULL, &step->rates[i]);
        doc_reader_leave(reader);
    }
}

/* What moves needs a VM and both hosts; a boot has a `to`, a shutdown a `from`. */
static void check_step(struct doc_reader *reader, const struct plan_step *step) {
    if (!doc_reader_ok(reader))
        return;
    const bool moves = step->action == PLAN_MIGRATE || step->action == PLAN_COLD_MIGRATE;
    if (moves && step->vm == NULL)
        doc_reader_fail_value(reader, "vm", "the uuid of a VM", NULL);
    if (step->from == NULL && step->action != PLAN_BOOT)
        doc_reader_fail_value(reader, "from", "the name of a host", NULL);
    if (step->to == NULL && step->action != PLAN_SHUTDOWN)
        doc_reader_fail_value(reader, "to", "the name of a host", NULL);
    if (step->end_ms < step->start_ms)
        doc_reader_fail(reader, "end_ms", DC_EINVAL, "expected at least start_ms = %.15g, got %.15g", step->start_ms,
                        step->end_ms);
}

/* Texts that are left out are empty, so that nobody has to ask. */
static void fill_text(struct doc_reader *reader, char **text, const char *filling) {
    if (doc_reader_ok(reader) && *text == NULL && (*text = strdup(filling)) == NULL)
        doc_reader_fail_nomem(reader);
}

static void fill_texts(struct doc_reader *reader, struct plan_step *step) {
    fill_text(reader, &step->vm, "");
    fill_text(reader, &step->vm_name, step->vm != NULL ? step->vm : "");
    fill_text(reader, &step->from, "");
    fill_text(reader, &step->to, "");
}

static void read_step(struct doc_reader *reader, const struct doc_object *object, struct plan_step *step) {
    read_fields(reader, object, &plan_fields_step, step);
    read_fields(reader, object, &plan_fields_step_times, step);
    read_after(reader, object, step);
    read_rates(reader, object, step);
    step->path = doc_reader_strings(reader, object, "path", &step->n_path);
    read_quantiles(reader, object, "migration_ms", &step->migration_ms);
    read_quantiles(reader, object, "downtime_ms", &step->downtime_ms);
    read_fields(reader, object, &plan_fields_step_sums, step);
    check_step(reader, step);
    fill_texts(reader, step);
}

static void number_step(struct doc_reader *reader, struct doc_index *ids, const struct plan_step *step, size_t i) {
    char id[24];
    if (!doc_reader_ok(reader))
        return;
    (void)snprintf(id, sizeof(id), "%u", step->id);
    const long other = doc_index_find(ids, id);
    if (other != DOC_INDEX_NONE)
        doc_reader_fail(reader, "id", DC_EINVAL, "duplicate of steps[%ld].id", other);
    else
        doc_index_set(reader, ids, id, (long)i);
}

static void read_steps(struct doc_reader *reader, const struct doc_object *root, struct plan *plan) {
    const json_t *array = doc_reader_array(reader, root, "steps");
    const size_t n = json_array_size(array);
    struct doc_index ids = {0};
    if (array == NULL)
        doc_reader_fail_value(reader, "steps", "an array", NULL);
    plan->steps = doc_reader_alloc(reader, n, sizeof(*plan->steps));
    plan->n_steps = plan->steps != NULL ? n : 0;
    doc_index_init(reader, &ids);
    for (size_t i = 0; i < plan->n_steps && doc_reader_ok(reader); i++) {
        struct doc_object object;
        doc_reader_enter_item(reader, "steps", i);
        if (doc_reader_item(reader, array, i, &object)) {
            read_step(reader, &object, &plan->steps[i]);
            number_step(reader, &ids, &plan->steps[i], i);
        }
        doc_reader_leave(reader);
    }
    plan_order_check(reader, &ids, plan);
    doc_index_dispose(&ids);
}

/* An object or array that is kept as it stands; `empty` (taken over) where it is left out. */
static json_t *keep(struct doc_reader *reader, json_t *found, json_t *empty) {
    if (found != NULL) {
        json_decref(empty);
        return json_incref(found);
    }
    if (empty == NULL)
        doc_reader_fail_nomem(reader);
    return empty;
}

static void read_plan(struct doc_reader *reader, struct plan *plan) {
    const struct doc_object root = {.own = reader->root};
    read_fields(reader, &root, &plan_fields_head, plan);
    fill_text(reader, &plan->id, "");
    fill_text(reader, &plan->fleet_digest, "");
    read_seed(reader, &root, plan);
    plan->goal = keep(reader, doc_reader_object(reader, &root, "goal"), json_object());
    read_quantiles(reader, &root, "makespan_ms", &plan->makespan_ms);
    read_fields(reader, &root, &plan_fields_bound, plan);
    plan->bound = keep(reader, doc_reader_object(reader, &root, "bound"), json_object());
    plan->forecast = keep(reader, doc_reader_object(reader, &root, "forecast"), json_object());
    read_fields(reader, &root, &plan_fields_totals, plan);
    read_steps(reader, &root, plan);
    plan->hosts_off = doc_reader_strings(reader, &root, "hosts_off", &plan->n_hosts_off);
    plan->energy = json_incref(doc_reader_object(reader, &root, "energy"));
    plan->choice = json_incref(doc_reader_object(reader, &root, "choice"));
    plan->stages = json_incref(doc_reader_array(reader, &root, "stages"));
    plan->broken_rules = json_incref(doc_reader_array(reader, &root, "broken_rules"));
    plan->conflicts = keep(reader, doc_reader_array(reader, &root, "conflicts"), json_array());
    plan->warnings = keep(reader, doc_reader_array(reader, &root, "warnings"), json_array());
    plan->explanation = json_incref(doc_reader_object(reader, &root, "explanation"));
}

enum dc_status plan_doc_read(const char *text, size_t n_bytes, struct plan *plan_out, struct dc_error *err) {
    struct doc_reader reader;
    *plan_out = (struct plan){0};
    doc_reader_open(&reader, PLAN_FIELDS_FORMAT, text, n_bytes, err);
    if (doc_reader_ok(&reader))
        read_plan(&reader, plan_out);
    const enum dc_status rc = doc_reader_close(&reader);
    if (rc != DC_OK)
        plan_doc_dispose(plan_out);
    return rc;
}

enum dc_status plan_doc_read_file(const char *path, struct plan *plan_out, struct dc_error *err) {
    char *text = NULL;
    size_t n_bytes = 0;
    *plan_out = (struct plan){0};
    enum dc_status rc = file_text_read(path, DOC_READER_MAX_BYTES, &text, &n_bytes, err);
    if (rc != DC_OK)
        return rc;
    rc = plan_doc_read(text, n_bytes, plan_out, err);
    if (rc != DC_OK)
        (void)error_prefix(err, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
    free(text);
    return rc;
}
