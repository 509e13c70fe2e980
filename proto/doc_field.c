/* Reading and writing by tables of fields. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/doc_field.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest integer from which on doubles, and most readers of JSON, know
 * every smaller one exactly. */
#define LARGEST_EXACT 9007199254740991.0

enum { EXPECTED_BYTES = 160, REAL_DIGITS = 15 };

static void *place(void *target, const struct doc_field *field) {
    return (char *)target + field->offset;
}

static const void *const_place(const void *source, const struct doc_field *field) {
    return (const char *)source + field->offset;
}

static void expect_choice(const struct doc_field *field, char *text) {
    text[0] = '\0';
    for (size_t i = 0; field->choices[i] != NULL; i++) {
        const size_t used = strlen(text);
        const char *glue = i == 0 ? "" : field->choices[i + 1] == NULL ? " or " : ", ";
        (void)snprintf(text + used, EXPECTED_BYTES - used, "%s\"%s\"", glue, field->choices[i]);
    }
}

/* The limit of all numbers is worth a word only to those who hit it. */
static void expect_number(const struct doc_field *field, bool whole, double max, const json_t *value, char *text) {
    int used = snprintf(text, EXPECTED_BYTES, "%s", whole ? "an integer" : "a number");
    if (field->min > DOC_FIELD_LOWEST)
        used += snprintf(text + used, (size_t)(EXPECTED_BYTES - used), " %s %.15g",
                         field->type == DOC_POSITIVE ? ">" : ">=", field->min);
    if (field->max != 0)
        used += snprintf(text + used, (size_t)(EXPECTED_BYTES - used), " and <= %.15g", max);
    else if (json_number_value(value) > max)
        used += snprintf(text + used, (size_t)(EXPECTED_BYTES - used), " below 2^%d",
                         field->type == DOC_UNSIGNED ? 31 : 53);
    if (field->need == DOC_NULLABLE)
        (void)snprintf(text + used, (size_t)(EXPECTED_BYTES - used), " or null");
}

static void store_number(const struct doc_field *field, double value, void *target) {
    void *at = place(target, field);
    const int64_t whole = field->type == DOC_INT64 ? (int64_t)value : 0;
    const unsigned n = field->type == DOC_UNSIGNED || field->type == DOC_CHOICE ? (unsigned)value : 0;
    const bool flag = value != 0;
    switch (field->type) {
    case DOC_NUMBER:
    case DOC_POSITIVE:
    case DOC_WHOLE:
        memcpy(at, &value, sizeof(value));
        break;
    case DOC_INT64:
        memcpy(at, &whole, sizeof(whole));
        break;
    case DOC_UNSIGNED:
    case DOC_CHOICE:
        memcpy(at, &n, sizeof(n));
        break;
    case DOC_BOOL:
        memcpy(at, &flag, sizeof(flag));
        break;
    case DOC_TEXT:
        break;
    }
}

static void read_number(struct doc_reader *reader, const struct doc_field *field, const json_t *value, void *target) {
    const bool whole = field->type == DOC_WHOLE || field->type == DOC_INT64 || field->type == DOC_UNSIGNED;
    const double most = field->type == DOC_UNSIGNED ? INT_MAX : LARGEST_EXACT;
    const double max = field->max != 0 ? field->max : most;
    const double number = json_number_value(value);
    const bool fits = json_is_number(value) && number >= field->min && number <= max &&
                      !(field->type == DOC_POSITIVE && number <= field->min) && !(whole && number != floor(number));
    if (fits) {
        store_number(field, number, target);
        return;
    }
    char expected[EXPECTED_BYTES];
    expect_number(field, whole, max, value, expected);
    doc_reader_fail_value(reader, field->key, expected, value);
}

static void read_choice(struct doc_reader *reader, const struct doc_field *field, const json_t *value, void *target) {
    for (size_t i = 0; json_is_string(value) && field->choices[i] != NULL; i++) {
        if (strcmp(field->choices[i], json_string_value(value)) == 0) {
            store_number(field, (double)i, target);
            return;
        }
    }
    char expected[EXPECTED_BYTES];
    expect_choice(field, expected);
    doc_reader_fail_value(reader, field->key, expected, value);
}

static void read_text(struct doc_reader *reader, const struct doc_field *field, const json_t *value, void *target) {
    doc_reader_enter(reader, field->key);
    char *text = doc_reader_string(reader, value);
    memcpy(place(target, field), &text, sizeof(text));
    doc_reader_leave(reader);
}

static void read_value(struct doc_reader *reader, const struct doc_field *field, const json_t *value, void *target) {
    switch (field->type) {
    case DOC_TEXT:
        read_text(reader, field, value, target);
        break;
    case DOC_CHOICE:
        read_choice(reader, field, value, target);
        break;
    case DOC_BOOL:
        if (json_is_boolean(value))
            store_number(field, json_is_true(value) ? 1 : 0, target);
        else
            doc_reader_fail_value(reader, field->key, "true or false", value);
        break;
    case DOC_NUMBER:
    case DOC_POSITIVE:
    case DOC_WHOLE:
    case DOC_INT64:
    case DOC_UNSIGNED:
        read_number(reader, field, value, target);
        break;
    }
}

void doc_field_read(struct doc_reader *reader, const struct doc_object *object, const struct doc_field *fields,
                    size_t n_fields, void *target) {
    for (size_t i = 0; i < n_fields; i++) {
        const json_t *value = doc_reader_ok(reader) ? doc_reader_get(reader, object, fields[i].key) : NULL;
        const bool absent = value == NULL || (json_is_null(value) && fields[i].need == DOC_NULLABLE);
        if (doc_reader_ok(reader) && (!absent || fields[i].need == DOC_REQUIRED))
            read_value(reader, &fields[i], value, target);
        else if (fields[i].type != DOC_TEXT && fields[i].need != DOC_KEEP)
            store_number(&fields[i], fields[i].fallback, target);
    }
}

json_t *doc_field_number_json(double value) {
    if (isfinite(value) && fabs(value) <= LARGEST_EXACT && value == floor(value))
        return json_integer((json_int_t)value);
    return json_real(value);
}

json_t *doc_field_whole_json(double value) {
    return doc_field_number_json(round(value));
}

json_t *doc_field_strings_json(char *const *strings, size_t n_strings) {
    json_t *array = json_array();
    for (size_t i = 0; i < n_strings && array != NULL; i++) {
        if (json_array_append_new(array, json_string(strings[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

static json_t *text_json(const struct doc_field *field, const void *at) {
    const char *text = NULL;
    memcpy(&text, at, sizeof(text));
    const bool nothing = text == NULL || text[0] == '\0';
    return nothing && field->need == DOC_NULLABLE ? json_null() : json_string(text);
}

static json_t *double_json(const struct doc_field *field, const void *at) {
    double value = 0;
    memcpy(&value, at, sizeof(value));
    if (field->need == DOC_NULLABLE && value == field->fallback)
        return json_null();
    return field->type == DOC_WHOLE ? doc_field_whole_json(value) : doc_field_number_json(value);
}

static json_t *value_json(const struct doc_field *field, const void *source) {
    const void *at = const_place(source, field);
    int64_t whole = 0;
    unsigned n = 0;
    bool flag = false;
    switch (field->type) {
    case DOC_TEXT:
        return text_json(field, at);
    case DOC_NUMBER:
    case DOC_POSITIVE:
    case DOC_WHOLE:
        return double_json(field, at);
    case DOC_INT64:
        memcpy(&whole, at, sizeof(whole));
        return json_integer(whole);
    case DOC_UNSIGNED:
        memcpy(&n, at, sizeof(n));
        return json_integer(n);
    case DOC_CHOICE:
        memcpy(&n, at, sizeof(n));
        return json_string(field->choices[n]);
    case DOC_BOOL:
        memcpy(&flag, at, sizeof(flag));
        return json_boolean(flag);
    }
    return NULL;
}

bool doc_field_write(json_t *json, const struct doc_field *fields, size_t n_fields, const void *source) {
    bool ok = json != NULL;
    for (size_t i = 0; i < n_fields && ok; i++)
        ok = json_object_set_new(json, fields[i].key, value_json(&fields[i], source)) == 0;
    return ok;
}

/* Every object of an array on a line of its own: such text can be read, searched and compared. */
static bool print_value(FILE *out, const json_t *value) {
    const size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(REAL_DIGITS);
    const size_t n = json_array_size(value);
    if (n == 0 || !json_is_object(json_array_get(value, 0)))
        return json_dumpf(value, out, flags) == 0;
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        ok = fputs(i == 0 ? "[\n  " : ",\n  ", out) >= 0;
        ok = ok && json_dumpf(json_array_get(value, i), out, flags) == 0;
    }
    return ok && fputs("\n ]", out) >= 0;
}

static bool print_root(FILE *out, json_t *root) {
    const char *key = NULL;
    json_t *value = NULL;
    const char *before = "{\n";
    json_object_foreach(root, key, value) {
        /* The keys of a document are plain words: nothing to escape. */
        if (fprintf(out, "%s \"%s\": ", before, key) < 0 || !print_value(out, value))
            return false;
        before = ",\n";
    }
    return fputs("\n}\n", out) >= 0;
}

enum dc_status doc_field_dump(json_t *root, char **text_out, struct dc_error *err) {
    size_t n_bytes = 0;
    *text_out = NULL;
    FILE *out = open_memstream(text_out, &n_bytes);
    bool ok = out != NULL && print_root(out, root);
    if (out != NULL)
        ok = fclose(out) == 0 && ok;
    json_decref(root);
    if (ok)
        return DC_OK;
    free(*text_out);
    *text_out = NULL;
    return error_set_nomem(err);
}
