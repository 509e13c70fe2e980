/* Keeps what a part of the answer says until it is known how it is written. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/predict_report.h"

#include "base/vec.h"
#include "planner/writer_json.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum dc_status predict_report_init(struct predict_report *report, const char *key, const char *list_key,
                                   const struct writer_field *fields, size_t n_fields, struct dc_error *err) {
    *report = (struct predict_report){
        .key = key, .list_key = list_key, .fields = fields, .n_fields = n_fields, .facts = json_object()};
    return report->facts != NULL ? DC_OK : error_set_nomem(err);
}

static void drop_texts(char **texts, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

void predict_report_dispose(struct predict_report *report) {
    json_decref(report->facts);
    free(report->values);
    drop_texts(report->heads, report->n_heads);
    drop_texts(report->notes, report->n_notes);
    drop_texts(report->texts, report->n_texts);
    free(report->chart);
    *report = (struct predict_report){0};
}

enum dc_status predict_report_fact(struct predict_report *report, const char *key, enum writer_kind kind,
                                   struct writer_value value, struct dc_error *err) {
    if (value.known && json_object_set_new(report->facts, key, writer_json_value(kind, &value)) != 0)
        return error_set_nomem(err);
    return DC_OK;
}

enum dc_status predict_report_row(struct predict_report *report, const struct writer_value *values,
                                  struct dc_error *err) {
    const size_t n = report->n_values + report->n_fields;
    if (!vec_reserve((void **)&report->values, &report->values_capacity, n, sizeof(*values)))
        return error_set_nomem(err);
    memcpy(report->values + report->n_values, values, report->n_fields * sizeof(*values));
    report->n_values = n;
    return DC_OK;
}

struct writer_value predict_report_spread(const struct prediction_quantiles *quantiles_ms) {
    return writer_spread(quantiles_ms->p50, quantiles_ms->p90, quantiles_ms->p95);
}

/* Appends the formatted text; NULL when out of memory. */
__attribute__((format(printf, 4, 0))) static const char *append(char ***texts, size_t *n, size_t *capacity,
                                                                const char *format, va_list args) {
    char *text = NULL;
    if (!vec_reserve((void **)texts, capacity, *n + 1, sizeof(**texts)) || vasprintf(&text, format, args) < 0)
        return NULL;
    (*texts)[(*n)++] = text;
    return text;
}

const char *predict_report_text(struct predict_report *report, struct dc_error *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = append(&report->texts, &report->n_texts, &report->texts_capacity, format, args);
    va_end(args);
    if (text == NULL)
        (void)error_set_nomem(err);
    return text;
}

enum dc_status predict_report_head(struct predict_report *report, struct dc_error *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = append(&report->heads, &report->n_heads, &report->heads_capacity, format, args);
    va_end(args);
    return text != NULL ? DC_OK : error_set_nomem(err);
}

enum dc_status predict_report_note(struct predict_report *report, struct dc_error *err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const char *text = append(&report->notes, &report->n_notes, &report->notes_capacity, format, args);
    va_end(args);
    return text != NULL ? DC_OK : error_set_nomem(err);
}

static enum dc_status write_lines(char *const *lines, size_t n, struct writer *writer, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < n; i++)
        rc = writer_line(writer, err, "%s", lines[i]);
    return rc;
}

enum dc_status predict_report_write(const struct predict_report *report, struct writer *writer, struct dc_error *err) {
    enum dc_status rc = write_lines(report->heads, report->n_heads, writer, err);
    if (rc == DC_OK)
        rc = writer_begin(writer, report->list_key, report->fields, report->n_fields, err);
    for (size_t i = 0; rc == DC_OK && i < report->n_values; i += report->n_fields)
        rc = writer_row(writer, report->values + i, err);
    if (rc == DC_OK)
        rc = writer_end(writer, err);
    if (rc == DC_OK)
        rc = write_lines(report->notes, report->n_notes, writer, err);
    if (rc == DC_OK && report->chart != NULL)
        rc = writer_line(writer, err, "\n%s", report->chart);
    return rc;
}

static json_t *row_json(const struct predict_report *report, const struct writer_value *values) {
    json_t *row = json_object();
    for (size_t i = 0; row != NULL && i < report->n_fields; i++) {
        const struct writer_field *field = &report->fields[i];
        if (values[i].known && json_object_set_new(row, field->key, writer_json_value(field->kind, &values[i])) != 0) {
            json_decref(row);
            return NULL;
        }
    }
    return row;
}

json_t *predict_report_json(const struct predict_report *report) {
    json_t *list = json_array();
    json_t *notes = json_array();
    json_t *object = json_copy(report->facts);
    bool ok = list != NULL && notes != NULL && object != NULL;
    for (size_t i = 0; ok && i < report->n_values; i += report->n_fields)
        ok = json_array_append_new(list, row_json(report, report->values + i)) == 0;
    for (size_t i = 0; ok && i < report->n_notes; i++)
        ok = json_array_append_new(notes, json_string(report->notes[i])) == 0;
    ok = ok && json_object_set(object, report->list_key, list) == 0;
    ok = ok && json_object_set(object, "notes", notes) == 0;
    json_decref(list);
    json_decref(notes);
    if (ok)
        return object;
    json_decref(object);
    return NULL;
}
