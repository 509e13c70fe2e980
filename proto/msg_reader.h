/*
 * Reads one message: scans its structure, unpacks it, and hands out its values
 * key by key.
 *
 * The first error sticks and is asked for once, by msg_reader_close; after it
 * every getter returns zero, NULL or an empty array. Errors name the path
 * ("vms[3].policy.max_rounds: expected ..."). Keys nobody asks for are
 * ignored, but a key that stands twice in a map is an error. nil counts as
 * absent. Numbers may be integers or floats.
 *
 *     struct msg_reader reader;
 *     const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
 *     msg->host = msg_reader_name(&map, "host");
 *     rc = msg_reader_close(&reader, err);
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

#include <msgpack.h>
#include <stdbool.h>

struct msg_reader {
    msgpack_unpacked unpacked; /* refers to the message's bytes */
    struct dc_error error;
};

/* A map of the message. Passed around by address: inner maps refer to the
 * outer ones for the path of an error. */
struct msg_map {
    struct msg_reader *reader;
    const struct msg_map *outer; /* NULL for the message itself */
    const char *key;             /* where it stands in the outer map */
    long index;                  /* in the array at `key`, or negative */
    const msgpack_object_kv *entries;
    size_t n_entries; /* 0 where it is absent or an error happened */
};

struct msg_array {
    const struct msg_map *map; /* where it stands */
    const char *key;
    const msgpack_object *items;
    size_t n_items;
};

/* The message's map. `bytes` must stay until the close. */
struct msg_map msg_reader_open(struct msg_reader *reader, const void *bytes, size_t n_bytes);

/* Frees what the open made and reports the first error. */
DC_WARN_UNUSED enum dc_status msg_reader_close(struct msg_reader *reader, struct dc_error *err);

/* Records that the value of `key` (with `index` >= 0: an item of it) is not
 * what was expected: for checks that only the message itself can make. */
void msg_reader_fail(const struct msg_map *map, const char *key, long index, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

bool msg_reader_failed(const struct msg_map *map);

bool msg_reader_has(const struct msg_map *map, const char *key);

/* Texts: heap, the caller's. The rules are those of msg_text.h. */
char *msg_reader_name(const struct msg_map *map, const char *key);
char *msg_reader_name_or_null(const struct msg_map *map, const char *key);
char *msg_reader_line(const struct msg_map *map, const char *key);

/* In lower case. */
void msg_reader_uuid(const struct msg_map *map, const char *key, char uuid_out[MSG_UUID_BYTES]);

/* Numbers within [min, max]; the `_or` forms give `fallback` where the key is
 * absent. Counts and times are whole. */
double msg_reader_number(const struct msg_map *map, const char *key, double min, double max);
double msg_reader_number_or(const struct msg_map *map, const char *key, double min, double max, double fallback);
uint64_t msg_reader_uint(const struct msg_map *map, const char *key, uint64_t min, uint64_t max);
int64_t msg_reader_unix_ms(const struct msg_map *map, const char *key);
bool msg_reader_bool(const struct msg_map *map, const char *key);
bool msg_reader_bool_or(const struct msg_map *map, const char *key, bool fallback);

/* Index of the text in `words` (NULL-terminated). */
unsigned msg_reader_choice(const struct msg_map *map, const char *key, const char *const *words);

/* The map at `key`; absent it reads as empty, so ask msg_reader_has first
 * where that matters. */
struct msg_map msg_reader_map(const struct msg_map *map, const char *key);

/* The array at `key` of `n_min` to `n_max` items; absent only with `n_min` 0. */
struct msg_array msg_reader_array(const struct msg_map *map, const char *key, size_t n_min, size_t n_max);

/* Item `i` of an array; past its end zero or an empty map. */
struct msg_map msg_array_map(const struct msg_array *array, size_t i);
double msg_array_number(const struct msg_array *array, size_t i, double min, double max);
uint64_t msg_array_uint(const struct msg_array *array, size_t i, uint64_t max);
bool msg_array_bool(const struct msg_array *array, size_t i);

/* Arrays of texts: heap, the caller's; `*n_out` counts what `*names_out` holds,
 * after an error too. */
void msg_reader_names(const struct msg_map *map, const char *key, size_t n_max, char ***names_out, size_t *n_out);
void msg_reader_uuids(const struct msg_map *map, const char *key, size_t n_min, size_t n_max,
                      char (**uuids_out)[MSG_UUID_BYTES], size_t *n_out);

/* Frees an array of texts; idempotent. */
void msg_names_dispose(char ***names, size_t *n_names);

/* Name and text of entry `i`, for maps whose keys are data: heap, the caller's. */
void msg_map_entry(const struct msg_map *map, size_t i, char **name_out, char **line_out);

/* Zeroed memory for `n` items, or NULL: for none, and after an error. */
void *msg_reader_alloc(const struct msg_map *map, size_t n, size_t item_bytes);
