/*
 * Plain fields of documents as tables: one row says a key's type, range, default
 * and where its value lives, and serves the reader and the writer alike.
 *
 * In:  a JSON object and a table. Out: the fields of a struct; and back, with
 *      the keys in the order of the rows.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/doc_reader.h"

#include <stddef.h>

enum doc_field_type {
    DOC_TEXT,     /* char *, heap; not empty */
    DOC_NUMBER,   /* double, finite and below 2^53 either way */
    DOC_POSITIVE, /* the same, but not `min` itself */
    DOC_WHOLE,    /* double that holds an integer: bytes, pages, milliseconds; written rounded */
    DOC_INT64,    /* int64_t */
    DOC_UNSIGNED, /* unsigned */
    DOC_BOOL,     /* bool */
    DOC_CHOICE,   /* an enum: index into `choices` */
};

enum doc_field_need {
    DOC_OPTIONAL,
    DOC_REQUIRED,
    DOC_KEEP,     /* optional; left out, the struct's value stays */
    DOC_NULLABLE, /* optional; null stands for `fallback` (texts: for NULL), in both directions */
};

struct doc_field {
    const char *key;
    enum doc_field_type type;
    enum doc_field_need need;
    size_t offset; /* of the value in its struct */
    double min;
    double max;                 /* 0: below 2^53 (2^31 for DOC_UNSIGNED) */
    double fallback;            /* of numbers, bools and choices */
    const char *const *choices; /* NULL-terminated */
};

/* A range that lets negative numbers in. */
#define DOC_FIELD_LOWEST (-9007199254740991.0)

/* Reads the rows' keys of `object` into the struct at `target`. */
void doc_field_read(struct doc_reader *reader, const struct doc_object *object, const struct doc_field *fields,
                    size_t n_fields, void *target);

/* Sets the rows' keys on `json` from the struct at `source`. False for what
 * JSON cannot say (a number that is not finite, a text that is no UTF-8), or
 * out of memory. */
DC_WARN_UNUSED bool doc_field_write(json_t *json, const struct doc_field *fields, size_t n_fields, const void *source);

/* A number as JSON: an integer where it is whole, NULL where it is not finite;
 * the second rounds it first. New references. */
json_t *doc_field_number_json(double value);
json_t *doc_field_whole_json(double value);
json_t *doc_field_strings_json(char *const *strings, size_t n_strings);

/* The text of a finished document: one line a key and, in arrays of objects, one
 * line an object. Takes over `root`; `*text_out` is heap, the caller frees it. */
DC_WARN_UNUSED enum dc_status doc_field_dump(json_t *root, char **text_out, struct dc_error *err);
