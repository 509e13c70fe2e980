/*
 * Reads JSON documents: one cursor that knows where it stands and remembers
 * the first thing that is wrong.
 *
 * In:  text. Out: values; or one line "PATH: expected WHAT, got WHAT".
 *
 * The reader is sticky: after the first failure every getter returns nothing
 * (NULL, 0) at once, so that callers read on and look at doc_reader_ok() in
 * their loops and at doc_reader_close() at the end.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { DOC_READER_MAX_DEPTH = 16, DOC_READER_MAX_BYTES = 1 << 30, DOC_READER_NO_ITEM = -1 };

struct doc_reader_place {
    const char *key; /* NULL inside an array's array */
    long item;       /* DOC_READER_NO_ITEM for the key itself */
};

struct doc_reader {
    struct dc_error *err; /* where the first failure goes; may be NULL */
    enum dc_status rc;
    json_t *root;
    const char *origin; /* the defaults that the value under way comes from, or NULL */
    size_t depth;
    size_t unpacked_bytes; /* out of packed values so far, for those who bound them */
    struct doc_reader_place places[DOC_READER_MAX_DEPTH];
};

/* An object under way: what it leaves out is looked up in its defaults. */
struct doc_object {
    json_t *own;
    json_t *defaults;          /* NULL: none */
    const char *defaults_path; /* "defaults.vm"; NULL: it can have none */
};

/* Parses `text` and checks that it is a `format` document of major version 1.
 * Refuses duplicate keys, bad UTF-8, NaN and what trails the document. What
 * the getters return is lent until doc_reader_close(). */
void doc_reader_open(struct doc_reader *reader, const char *format, const char *text, size_t n_bytes,
                     struct dc_error *err);

/* Frees the parsed document and returns the status of the whole reading. */
DC_WARN_UNUSED enum dc_status doc_reader_close(struct doc_reader *reader);

bool doc_reader_ok(const struct doc_reader *reader);

/* Go one place down and up again: to a key, to an item of the array at a key, to an
 * item of the array that stands at the present place. */
void doc_reader_enter(struct doc_reader *reader, const char *key);
void doc_reader_enter_item(struct doc_reader *reader, const char *key, size_t item);
void doc_reader_enter_subitem(struct doc_reader *reader, size_t item);
void doc_reader_leave(struct doc_reader *reader);

/* Fails at the present place, or at `key` under it (may be NULL): "PATH: TEXT". */
void doc_reader_fail(struct doc_reader *reader, const char *key, enum dc_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void doc_reader_fail_nomem(struct doc_reader *reader);

/* Fails with "expected EXPECTED, got" and a description of `value` (NULL: nothing). */
void doc_reader_fail_value(struct doc_reader *reader, const char *key, const char *expected, const json_t *value);

/* Item `i` of `array` as an object without defaults; false, and a failure at the present
 * place, where it is none. */
bool doc_reader_item(struct doc_reader *reader, const json_t *array, size_t i, struct doc_object *object_out);

/* The value at `key`: the object's own, else that of its defaults, else NULL. */
json_t *doc_reader_get(struct doc_reader *reader, const struct doc_object *object, const char *key);

/* The object or array at `key`; NULL where it is missing. A value of another type fails. */
json_t *doc_reader_object(struct doc_reader *reader, const struct doc_object *object, const char *key);
json_t *doc_reader_array(struct doc_reader *reader, const struct doc_object *object, const char *key);

/* A copy of the string `value`, not empty; else fails at the present place. The caller frees it. */
char *doc_reader_string(struct doc_reader *reader, const json_t *value);

/* The number `value` from `min` to `max`, whole if `whole`; else fails at the present
 * place, saying `expected`. */
double doc_reader_number(struct doc_reader *reader, const json_t *value, double min, double max, bool whole,
                         const char *expected);

/* The strings of the array at `key` (heap, the caller frees them); none where it is missing. */
char **doc_reader_strings(struct doc_reader *reader, const struct doc_object *object, const char *key,
                          size_t *n_strings_out);

/* Zeroed memory for n items, not NULL for n == 0; fails without memory. */
void *doc_reader_alloc(struct doc_reader *reader, size_t n_items, size_t item_bytes);

enum { DOC_READER_QUOTED_BYTES = 80 };

/* Text from a document, fit to be part of one line: quoted, cut when long,
 * control characters replaced. Returns `quoted_out`. */
const char *doc_reader_quote(const char *text, char quoted_out[DOC_READER_QUOTED_BYTES]);
