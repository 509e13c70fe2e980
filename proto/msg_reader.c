/* Scan, unpack, look up. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_reader.h"

#include "proto/msg_scan.h"
#include "proto/msg_text.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 256 };

/* "vms[3].policy" in front of what stands there. */
static void append_path(const struct msg_map *map, char path[PATH_BYTES]) {
    if (map->outer == NULL)
        return;
    append_path(map->outer, path);
    size_t used = strlen(path);
    (void)snprintf(path + used, PATH_BYTES - used, "%s", map->key);
    used = strlen(path);
    if (map->index >= 0)
        (void)snprintf(path + used, PATH_BYTES - used, "[%ld].", map->index);
    else
        (void)snprintf(path + used, PATH_BYTES - used, ".");
}

void msg_reader_fail(const struct msg_map *map, const char *key, long index, const char *format, ...) {
    if (msg_reader_failed(map))
        return;
    char path[PATH_BYTES] = "";
    char place[32] = "";
    char text[ERROR_TEXT_BYTES];
    append_path(map, path);
    if (index >= 0)
        (void)snprintf(place, sizeof(place), "[%ld]", index);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)error_set(&map->reader->error, DC_EINVAL, "%s%s%s: %s", path, key, place, text);
}

bool msg_reader_failed(const struct msg_map *map) {
    return map->reader->error.status != DC_OK;
}

/* msgpack-c gives NULL for the bytes of an empty string. */
static const char *bytes_of(const msgpack_object_str *str) {
    return str->size > 0 ? str->ptr : "";
}

static bool same_text(const msgpack_object_str *a, const char *text, size_t n_bytes) {
    return a->size == n_bytes && memcmp(bytes_of(a), text, n_bytes) == 0;
}

/* Refuses a map of too many keys, or of one key twice. */
static void check_keys(const struct msg_map *map) {
    if (map->n_entries > MSG_MAX_KEYS) {
        msg_reader_fail(map, "(map)", -1, "%zu keys; at most %d are allowed", map->n_entries, MSG_MAX_KEYS);
        return;
    }
    for (size_t i = 0; i < map->n_entries; i++) {
        const msgpack_object_str *key = &map->entries[i].key.via.str;
        for (size_t j = 0; j < i; j++) {
            if (same_text(&map->entries[j].key.via.str, bytes_of(key), key->size)) {
                msg_reader_fail(map, "(map)", -1, "key \"%.*s\" stands twice", (int)(key->size < 64 ? key->size : 64),
                                bytes_of(key));
                return;
            }
        }
    }
}

/* `map_out` holds its place already. */
static void fill_map(struct msg_map *map_out, const msgpack_object *object) {
    map_out->entries = object->via.map.ptr;
    map_out->n_entries = object->via.map.size;
    check_keys(map_out);
    if (msg_reader_failed(map_out))
        map_out->n_entries = 0;
}

struct msg_map msg_reader_open(struct msg_reader *reader, const void *bytes, size_t n_bytes) {
    reader->error = DC_ERROR_NONE;
    msgpack_unpacked_init(&reader->unpacked);
    struct msg_map map = {.reader = reader, .index = -1};
    if (msg_scan(bytes, n_bytes, &reader->error) != DC_OK)
        return map;
    size_t at = 0;
    const msgpack_unpack_return r = msgpack_unpack_next(&reader->unpacked, bytes, n_bytes, &at);
    if (r == MSGPACK_UNPACK_NOMEM_ERROR)
        (void)error_set_nomem(&reader->error);
    else if (r != MSGPACK_UNPACK_SUCCESS || reader->unpacked.data.type != MSGPACK_OBJECT_MAP)
        (void)error_set(&reader->error, DC_EPARSE, "not a msgpack map");
    else
        fill_map(&map, &reader->unpacked.data);
    return map;
}

enum dc_status msg_reader_close(struct msg_reader *reader, struct dc_error *err) {
    msgpack_unpacked_destroy(&reader->unpacked);
    if (reader->error.status == DC_OK)
        return DC_OK;
    return error_set(err, reader->error.status, "%s", error_text(&reader->error));
}

/* The value at `key`, NULL where absent or nil. */
static const msgpack_object *find(const struct msg_map *map, const char *key) {
    const size_t n_bytes = strlen(key);
    for (size_t i = 0; i < map->n_entries && !msg_reader_failed(map); i++) {
        if (same_text(&map->entries[i].key.via.str, key, n_bytes))
            return map->entries[i].val.type != MSGPACK_OBJECT_NIL ? &map->entries[i].val : NULL;
    }
    return NULL;
}

/* The same; its absence is an error. */
static const msgpack_object *require(const struct msg_map *map, const char *key, const char *expected) {
    const msgpack_object *object = find(map, key);
    if (object == NULL)
        msg_reader_fail(map, key, -1, "missing; expected %s", expected);
    return object;
}

bool msg_reader_has(const struct msg_map *map, const char *key) {
    return find(map, key) != NULL;
}

static char *copy_bytes(const struct msg_map *map, const char *bytes, size_t n_bytes) {
    char *copy = strndup(bytes, n_bytes);
    if (copy == NULL)
        (void)error_set_nomem(&map->reader->error);
    return copy;
}

static char *to_name(const struct msg_map *map, const char *key, long index, const msgpack_object *object) {
    if (object->type != MSGPACK_OBJECT_STR || !msg_text_is_name(bytes_of(&object->via.str), object->via.str.size)) {
        msg_reader_fail(map, key, index, "expected " MSG_TEXT_EXPECTED_NAME);
        return NULL;
    }
    return copy_bytes(map, bytes_of(&object->via.str), object->via.str.size);
}

char *msg_reader_name(const struct msg_map *map, const char *key) {
    const msgpack_object *object = require(map, key, "a name");
    return object != NULL ? to_name(map, key, -1, object) : NULL;
}

char *msg_reader_name_or_null(const struct msg_map *map, const char *key) {
    const msgpack_object *object = find(map, key);
    return object != NULL ? to_name(map, key, -1, object) : NULL;
}

static char *to_line(const struct msg_map *map, const char *key, const msgpack_object *object) {
    const msgpack_object_str *str = &object->via.str;
    if (object->type != MSGPACK_OBJECT_STR || !msg_text_is_line(bytes_of(str), str->size, MSG_MAX_LINE_BYTES)) {
        msg_reader_fail(map, key, -1, "expected " MSG_TEXT_EXPECTED_LINE);
        return NULL;
    }
    return copy_bytes(map, bytes_of(str), str->size);
}

char *msg_reader_line(const struct msg_map *map, const char *key) {
    const msgpack_object *object = require(map, key, "a text");
    return object != NULL ? to_line(map, key, object) : NULL;
}

static void to_uuid(const struct msg_map *map, const char *key, long index, const msgpack_object *object,
                    char uuid_out[MSG_UUID_BYTES]) {
    if (object->type != MSGPACK_OBJECT_STR || !msg_text_is_uuid(bytes_of(&object->via.str), object->via.str.size)) {
        msg_reader_fail(map, key, index, "expected " MSG_TEXT_EXPECTED_UUID);
        return;
    }
    for (size_t i = 0; i + 1 < MSG_UUID_BYTES; i++)
        uuid_out[i] = (char)tolower((unsigned char)object->via.str.ptr[i]);
    uuid_out[MSG_UUID_BYTES - 1] = '\0';
}

void msg_reader_uuid(const struct msg_map *map, const char *key, char uuid_out[MSG_UUID_BYTES]) {
    memset(uuid_out, 0, MSG_UUID_BYTES);
    const msgpack_object *object = require(map, key, "a uuid");
    if (object != NULL)
        to_uuid(map, key, -1, object, uuid_out);
}

static double to_number(const struct msg_map *map, const char *key, long index, const msgpack_object *object,
                        double min, double max) {
    double value = 0;
    if (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        value = (double)object->via.u64;
    else if (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        value = (double)object->via.i64;
    else if (object->type == MSGPACK_OBJECT_FLOAT32 || object->type == MSGPACK_OBJECT_FLOAT64)
        value = object->via.f64;
    else
        msg_reader_fail(map, key, index, "expected a number");
    if (!msg_reader_failed(map) && !(value >= min && value <= max))
        msg_reader_fail(map, key, index, "expected a number from %.16g to %.16g, got %.16g", min, max, value);
    return msg_reader_failed(map) ? 0 : value;
}

double msg_reader_number(const struct msg_map *map, const char *key, double min, double max) {
    const msgpack_object *object = require(map, key, "a number");
    return object != NULL ? to_number(map, key, -1, object, min, max) : 0;
}

double msg_reader_number_or(const struct msg_map *map, const char *key, double min, double max, double fallback) {
    const msgpack_object *object = find(map, key);
    return object != NULL ? to_number(map, key, -1, object, min, max) : fallback;
}

static uint64_t to_whole(const struct msg_map *map, const char *key, long index, double value) {
    if (value == floor(value))
        return (uint64_t)value;
    msg_reader_fail(map, key, index, "expected a whole number, got %.16g", value);
    return 0;
}

uint64_t msg_reader_uint(const struct msg_map *map, const char *key, uint64_t min, uint64_t max) {
    return to_whole(map, key, -1, msg_reader_number(map, key, (double)min, (double)max));
}

int64_t msg_reader_unix_ms(const struct msg_map *map, const char *key) {
    return (int64_t)msg_reader_uint(map, key, 0, (uint64_t)MSG_MAX_NUMBER);
}

bool msg_reader_bool(const struct msg_map *map, const char *key) {
    return require(map, key, "true or false") != NULL && msg_reader_bool_or(map, key, false);
}

bool msg_reader_bool_or(const struct msg_map *map, const char *key, bool fallback) {
    const msgpack_object *object = find(map, key);
    if (object == NULL)
        return fallback;
    if (object->type != MSGPACK_OBJECT_BOOLEAN) {
        msg_reader_fail(map, key, -1, "expected true or false");
        return false;
    }
    return object->via.boolean;
}

unsigned msg_reader_choice(const struct msg_map *map, const char *key, const char *const *words) {
    const msgpack_object *object = require(map, key, words[0]);
    if (object == NULL)
        return 0;
    char known[PATH_BYTES] = "";
    for (unsigned i = 0; words[i] != NULL; i++) {
        if (object->type == MSGPACK_OBJECT_STR && same_text(&object->via.str, words[i], strlen(words[i])))
            return i;
        const size_t used = strlen(known);
        (void)snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ", words[i]);
    }
    msg_reader_fail(map, key, -1, "expected one of %s", known);
    return 0;
}

struct msg_map msg_reader_map(const struct msg_map *map, const char *key) {
    struct msg_map inner = {.reader = map->reader, .outer = map, .key = key, .index = -1};
    const msgpack_object *object = find(map, key);
    if (object != NULL && object->type == MSGPACK_OBJECT_MAP)
        fill_map(&inner, object);
    else if (object != NULL)
        msg_reader_fail(map, key, -1, "expected a map");
    return inner;
}

struct msg_array msg_reader_array(const struct msg_map *map, const char *key, size_t n_min, size_t n_max) {
    struct msg_array array = {.map = map, .key = key};
    const msgpack_object *object = n_min > 0 ? require(map, key, "an array") : find(map, key);
    if (object == NULL)
        return array;
    if (object->type != MSGPACK_OBJECT_ARRAY) {
        msg_reader_fail(map, key, -1, "expected an array");
        return array;
    }
    const size_t n_items = object->via.array.size;
    if (n_items < n_min || n_items > n_max) {
        msg_reader_fail(map, key, -1, "expected an array of %zu to %zu items, got %zu", n_min, n_max, n_items);
        return array;
    }
    array.items = object->via.array.ptr;
    array.n_items = n_items;
    return array;
}

struct msg_map msg_array_map(const struct msg_array *array, size_t i) {
    const struct msg_map *outer = array->map;
    struct msg_map map = {.reader = outer->reader, .outer = outer, .key = array->key, .index = (long)i};
    if (i >= array->n_items)
        return map;
    if (array->items[i].type == MSGPACK_OBJECT_MAP)
        fill_map(&map, &array->items[i]);
    else
        msg_reader_fail(outer, array->key, (long)i, "expected a map");
    return map;
}

double msg_array_number(const struct msg_array *array, size_t i, double min, double max) {
    return i < array->n_items ? to_number(array->map, array->key, (long)i, &array->items[i], min, max) : 0;
}

uint64_t msg_array_uint(const struct msg_array *array, size_t i, uint64_t max) {
    return to_whole(array->map, array->key, (long)i, msg_array_number(array, i, 0, (double)max));
}

bool msg_array_bool(const struct msg_array *array, size_t i) {
    if (i >= array->n_items)
        return false;
    if (array->items[i].type != MSGPACK_OBJECT_BOOLEAN)
        msg_reader_fail(array->map, array->key, (long)i, "expected true or false");
    return array->items[i].type == MSGPACK_OBJECT_BOOLEAN && array->items[i].via.boolean;
}

void msg_reader_names(const struct msg_map *map, const char *key, size_t n_max, char ***names_out, size_t *n_out) {
    const struct msg_array array = msg_reader_array(map, key, 0, n_max);
    *n_out = 0;
    *names_out = msg_reader_alloc(map, array.n_items, sizeof(**names_out));
    for (size_t i = 0; *names_out != NULL && i < array.n_items && !msg_reader_failed(map); i++) {
        (*names_out)[i] = to_name(map, key, (long)i, &array.items[i]);
        *n_out = i + 1;
    }
}

void msg_names_dispose(char ***names, size_t *n_names) {
    for (size_t i = 0; *names != NULL && i < *n_names; i++)
        free((*names)[i]);
    free(*names);
    *names = NULL;
    *n_names = 0;
}

void msg_reader_uuids(const struct msg_map *map, const char *key, size_t n_min, size_t n_max,
                      char (**uuids_out)[MSG_UUID_BYTES], size_t *n_out) {
    const struct msg_array array = msg_reader_array(map, key, n_min, n_max);
    *uuids_out = msg_reader_alloc(map, array.n_items, sizeof(**uuids_out));
    *n_out = *uuids_out != NULL ? array.n_items : 0;
    for (size_t i = 0; i < *n_out; i++)
        to_uuid(map, key, (long)i, &array.items[i], (*uuids_out)[i]);
}

void msg_map_entry(const struct msg_map *map, size_t i, char **name_out, char **line_out) {
    *name_out = NULL;
    *line_out = NULL;
    if (i >= map->n_entries || msg_reader_failed(map))
        return;
    *name_out = to_name(map, "(key)", (long)i, &map->entries[i].key);
    if (*name_out != NULL)
        *line_out = to_line(map, *name_out, &map->entries[i].val);
}

void *msg_reader_alloc(const struct msg_map *map, size_t n, size_t item_bytes) {
    if (n == 0 || msg_reader_failed(map))
        return NULL;
    void *items = calloc(n, item_bytes);
    if (items == NULL)
        (void)error_set_nomem(&map->reader->error);
    return items;
}
