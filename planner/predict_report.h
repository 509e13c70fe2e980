/*
 * One part of an answer of `decamp predict`: a list of records with lines for
 * people around it, and the same as a JSON object.
 *
 * In:  columns, rows, single facts, notes. Out: lines and a table on a writer;
 *      or {"FACT": ..., "LIST": [{...}], "notes": ["..."]}.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/prediction.h"
#include "planner/writer.h"

#include <jansson.h>

struct predict_report {
    const char *key;      /* of the object, such as "sla" */
    const char *list_key; /* of its list */
    const struct writer_field *fields;
    size_t n_fields;
    json_t *facts; /* single values, in order */
    size_t n_values, values_capacity;
    struct writer_value *values; /* n_fields a row */
    size_t n_heads, heads_capacity;
    char **heads; /* lines above the table, not in JSON */
    size_t n_notes, notes_capacity;
    char **notes; /* lines below the table, in JSON too */
    size_t n_texts, texts_capacity;
    char **texts; /* that cells lend */
    char *chart;  /* below all of it, not in JSON; NULL: none */
};

/* An empty report; keys and `fields` are lent for its life. */
DC_WARN_UNUSED enum dc_status predict_report_init(struct predict_report *report, const char *key, const char *list_key,
                                                  const struct writer_field *fields, size_t n_fields,
                                                  struct dc_error *err);
void predict_report_dispose(struct predict_report *report);

/* A single value, for programs; people read the lines. An unknown value is left out. */
DC_WARN_UNUSED enum dc_status predict_report_fact(struct predict_report *report, const char *key, enum writer_kind kind,
                                                  struct writer_value value, struct dc_error *err);

/* Appends a row of `n_fields` values; their texts are lent for the report's life. */
DC_WARN_UNUSED enum dc_status predict_report_row(struct predict_report *report, const struct writer_value *values,
                                                 struct dc_error *err);

/* A value of WRITER_SPREAD. */
struct writer_value predict_report_spread(const struct prediction_quantiles *quantiles_ms);

/* A text for a cell that the report keeps; NULL when out of memory, with the error set. */
const char *predict_report_text(struct predict_report *report, struct dc_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

DC_WARN_UNUSED enum dc_status predict_report_head(struct predict_report *report, struct dc_error *err,
                                                  const char *format, ...) __attribute__((format(printf, 3, 4)));
DC_WARN_UNUSED enum dc_status predict_report_note(struct predict_report *report, struct dc_error *err,
                                                  const char *format, ...) __attribute__((format(printf, 3, 4)));

DC_WARN_UNUSED enum dc_status predict_report_write(const struct predict_report *report, struct writer *writer,
                                                   struct dc_error *err);

/* A new reference, the caller's; NULL when out of memory. */
json_t *predict_report_json(const struct predict_report *report);
