/* The sticky reader of JSON documents. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/doc_reader.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 200, QUOTED_MAX_CHARS = 64, SUPPORTED_MAJOR = 1 };

static const char continues[] = "...";

const char *doc_reader_quote(const char *text, char quoted_out[DOC_READER_QUOTED_BYTES]) {
    size_t n = 0;
    quoted_out[n++] = '"';
    for (const char *c = text; *c != '\0' && n < QUOTED_MAX_CHARS; c++)
        quoted_out[n++] = iscntrl((unsigned char)*c) ? '?' : *c;
    if (text[n - 1] != '\0') {
        /* Not in the middle of a UTF-8 sequence. */
        while (n > 1 && ((unsigned char)text[n - 1] & 0xC0) == 0x80)
            n--;
        memcpy(quoted_out + n, continues, sizeof(continues) - 1);
        n += sizeof(continues) - 1;
    }
    quoted_out[n++] = '"';
    quoted_out[n] = '\0';
    return quoted_out;
}

static void describe_value(const json_t *value, char *text, size_t text_bytes) {
    char quoted[DOC_READER_QUOTED_BYTES];
    if (value == NULL)
        (void)snprintf(text, text_bytes, "nothing");
    else if (json_is_integer(value))
        (void)snprintf(text, text_bytes, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        (void)snprintf(text, text_bytes, "%.15g", json_real_value(value));
    else if (json_is_string(value))
        (void)snprintf(text, text_bytes, "%s", doc_reader_quote(json_string_value(value), quoted));
    else if (json_is_boolean(value))
        (void)snprintf(text, text_bytes, "%s", json_is_true(value) ? "true" : "false");
    else if (json_is_null(value))
        (void)snprintf(text, text_bytes, "null");
    else
        (void)snprintf(text, text_bytes, "%s",
                       json_is_object(value)         ? "an object"
                       : json_array_size(value) == 0 ? "an empty array"
                                                     : "an array");
}

static void append_place(char *path, const char *key, long item) {
    size_t used = strlen(path);
    if (key != NULL)
        (void)snprintf(path + used, PATH_BYTES - used, "%s%.60s", used > 0 ? "." : "", key);
    used = strlen(path);
    if (item != DOC_READER_NO_ITEM)
        (void)snprintf(path + used, PATH_BYTES - used, "[%ld]", item);
}

void doc_reader_fail(struct doc_reader *reader, const char *key, enum dc_status status, const char *format, ...) {
    if (reader->rc != DC_OK)
        return;
    char path[PATH_BYTES] = "";
    for (size_t i = 0; i < reader->depth; i++)
        append_place(path, reader->places[i].key, reader->places[i].item);
    if (key != NULL)
        append_place(path, key, DOC_READER_NO_ITEM);
    if (reader->origin != NULL) {
        const size_t used = strlen(path);
        (void)snprintf(path + used, sizeof(path) - used, " (from %s)", reader->origin);
    }
    char text[ERROR_TEXT_BYTES - PATH_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    reader->rc = path[0] != '\0' ? error_set(reader->err, status, "%s: %s", path, text)
                                 : error_set(reader->err, status, "%s", text);
}

void doc_reader_fail_nomem(struct doc_reader *reader) {
    if (reader->rc == DC_OK)
        reader->rc = error_set_nomem(reader->err);
}

void doc_reader_fail_value(struct doc_reader *reader, const char *key, const char *expected, const json_t *value) {
    char got[DOC_READER_QUOTED_BYTES + 8];
    describe_value(value, got, sizeof(got));
    doc_reader_fail(reader, key, DC_EINVAL, "expected %s, got %s", expected, got);
}

static void fail_parse(struct doc_reader *reader, const json_error_t *error) {
    char text[sizeof(error->text)];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = error->text[i] == '\0' || isprint((unsigned char)error->text[i]) ? error->text[i] : '?';
    if (text[0] == '\0' || json_error_code(error) == json_error_out_of_memory) /* jansson has no word for it */
        doc_reader_fail_nomem(reader);
    else if (error->line > 0)
        doc_reader_fail(reader, NULL, DC_EPARSE, "line %d, column %d: %s", error->line, error->column, text);
    else
        doc_reader_fail(reader, NULL, DC_EPARSE, "%s", text);
}

/* Looks at "format" and "format_version": "MAJOR.MINOR". */
static void check_format(struct doc_reader *reader, const char *format) {
    const json_t *name = json_object_get(reader->root, "format");
    if (!json_is_string(name) || strcmp(json_string_value(name), format) != 0) {
        char expected[DOC_READER_QUOTED_BYTES];
        doc_reader_fail_value(reader, "format", doc_reader_quote(format, expected), name);
        return;
    }
    const json_t *version = json_object_get(reader->root, "format_version");
    const char *text = json_is_string(version) ? json_string_value(version) : "";
    const size_t n_major = strspn(text, "0123456789");
    const char *minor = text[n_major] == '.' ? text + n_major + 1 : "";
    const size_t n_minor = strspn(minor, "0123456789");
    if (n_major == 0 || n_minor == 0 || minor[n_minor] != '\0') {
        doc_reader_fail_value(reader, "format_version", "\"MAJOR.MINOR\" such as \"1.0\"", version);
        return;
    }
    if (n_major > 4 || strtol(text, NULL, 10) != SUPPORTED_MAJOR) {
        char quoted[DOC_READER_QUOTED_BYTES];
        doc_reader_fail(reader, "format_version", DC_EVERSION, "expected a version 1.x, got %s",
                        doc_reader_quote(text, quoted));
    }
}

void doc_reader_open(struct doc_reader *reader, const char *format, const char *text, size_t n_bytes,
                     struct dc_error *err) {
    *reader = (struct doc_reader){.err = err, .rc = DC_OK};
    json_error_t error;
    reader->root = json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES, &error);
    if (reader->root == NULL)
        fail_parse(reader, &error);
    else if (!json_is_object(reader->root))
        doc_reader_fail_value(reader, NULL, "an object", reader->root);
    else
        check_format(reader, format);
}

enum dc_status doc_reader_close(struct doc_reader *reader) {
    json_decref(reader->root);
    reader->root = NULL;
    return reader->rc;
}

bool doc_reader_ok(const struct doc_reader *reader) {
    return reader->rc == DC_OK;
}

static void enter(struct doc_reader *reader, const char *key, long item) {
    if (reader->depth == DOC_READER_MAX_DEPTH) {
        doc_reader_fail(reader, NULL, DC_EINTERNAL, "nested deeper than any document");
        return;
    }
    reader->places[reader->depth++] = (struct doc_reader_place){.key = key, .item = item};
}

void doc_reader_enter(struct doc_reader *reader, const char *key) {
    enter(reader, key, DOC_READER_NO_ITEM);
}

void doc_reader_enter_item(struct doc_reader *reader, const char *key, size_t item) {
    enter(reader, key, (long)item);
}

void doc_reader_enter_subitem(struct doc_reader *reader, size_t item) {
    enter(reader, NULL, (long)item);
}

void doc_reader_leave(struct doc_reader *reader) {
    if (reader->depth > 0)
        reader->depth--;
    if (reader->depth == 0)
        reader->origin = NULL;
}

bool doc_reader_item(struct doc_reader *reader, const json_t *array, size_t i, struct doc_object *object_out) {
    *object_out = (struct doc_object){.own = json_array_get(array, i)};
    if (doc_reader_ok(reader) && !json_is_object(object_out->own))
        doc_reader_fail_value(reader, NULL, "an object", object_out->own);
    return doc_reader_ok(reader);
}

json_t *doc_reader_get(struct doc_reader *reader, const struct doc_object *object, const char *key) {
    json_t *value = json_object_get(object->own, key);
    const bool from_defaults = value == NULL && (value = json_object_get(object->defaults, key)) != NULL;
    /* What stands inside a value keeps the origin of the whole. */
    if (object->defaults_path != NULL)
        reader->origin = from_defaults ? object->defaults_path : NULL;
    return value;
}

json_t *doc_reader_object(struct doc_reader *reader, const struct doc_object *object, const char *key) {
    json_t *value = doc_reader_get(reader, object, key);
    if (!doc_reader_ok(reader) || value == NULL)
        return NULL;
    if (!json_is_object(value)) {
        doc_reader_fail_value(reader, key, "an object", value);
        return NULL;
    }
    return value;
}

json_t *doc_reader_array(struct doc_reader *reader, const struct doc_object *object, const char *key) {
    json_t *value = doc_reader_get(reader, object, key);
    if (!doc_reader_ok(reader) || value == NULL)
        return NULL;
    if (!json_is_array(value)) {
        doc_reader_fail_value(reader, key, "an array", value);
        return NULL;
    }
    return value;
}

char *doc_reader_string(struct doc_reader *reader, const json_t *value) {
    if (!doc_reader_ok(reader))
        return NULL;
    if (!json_is_string(value) || json_string_length(value) == 0) {
        doc_reader_fail_value(reader, NULL, "a string that is not empty", value);
        return NULL;
    }
    char *copy = strdup(json_string_value(value));
    if (copy == NULL)
        doc_reader_fail_nomem(reader);
    return copy;
}

double doc_reader_number(struct doc_reader *reader, const json_t *value, double min, double max, bool whole,
                         const char *expected) {
    if (!doc_reader_ok(reader))
        return 0;
    const double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= min && number <= max) || (whole && number != floor(number))) {
        doc_reader_fail_value(reader, NULL, expected, value);
        return 0;
    }
    return number;
}

char **doc_reader_strings(struct doc_reader *reader, const struct doc_object *object, const char *key,
                          size_t *n_strings_out) {
    *n_strings_out = 0;
    const json_t *array = doc_reader_array(reader, object, key);
    const size_t n = json_array_size(array);
    char **strings = n > 0 ? doc_reader_alloc(reader, n, sizeof(*strings)) : NULL;
    for (size_t i = 0; i < n && doc_reader_ok(reader); i++) {
        doc_reader_enter_item(reader, key, i);
        strings[i] = doc_reader_string(reader, json_array_get(array, i));
        *n_strings_out = i + 1;
        doc_reader_leave(reader);
    }
    return strings;
}

void *doc_reader_alloc(struct doc_reader *reader, size_t n_items, size_t item_bytes) {
    void *items = calloc(n_items > 0 ? n_items : 1, item_bytes);
    if (items == NULL)
        doc_reader_fail_nomem(reader);
    return items;
}
