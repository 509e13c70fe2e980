/*
 * Writes one message: a msgpack map, key by key, into a msg_buffer.
 *
 * The first error sticks and is asked for once, by msg_writer_finish: a text
 * or number that every reader would refuse, too many items, a message past
 * MSG_MAX_BYTES, no memory. Maps count their keys themselves.
 *
 *     struct msg_writer writer;
 *     msg_writer_init(&writer, buffer);
 *     msg_writer_name(&writer, "host", msg->host);
 *     return msg_writer_finish(&writer, err);
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proto/msg.h"

#include <msgpack.h>
#include <stdbool.h>

struct msg_writer {
    struct msg_buffer *buffer; /* lent */
    msgpack_packer packer;
    struct dc_error error;
    size_t n_levels; /* maps open now, the message's own among them */
    struct {
        size_t at; /* of its count in the buffer */
        unsigned n_keys;
    } levels[MSG_MAX_DEPTH];
};

/* Empties `buffer` and opens the message's map. */
void msg_writer_init(struct msg_writer *writer, struct msg_buffer *buffer);

/* Closes the message's map and reports the first error; on failure the buffer
 * is empty (its memory is kept for the next message). */
DC_WARN_UNUSED enum dc_status msg_writer_finish(struct msg_writer *writer, struct dc_error *err);

/* A name is 1 to MSG_MAX_NAME_BYTES bytes; a line may be empty and has
 * MSG_MAX_LINE_BYTES; neither may be NULL. */
void msg_writer_name(struct msg_writer *writer, const char *key, const char *name);
void msg_writer_line(struct msg_writer *writer, const char *key, const char *line);

/* A line under a key that is data: the key must be a name too. */
void msg_writer_entry(struct msg_writer *writer, const char *name, const char *line);

void msg_writer_uuid(struct msg_writer *writer, const char *key, const char *uuid);
void msg_writer_bool(struct msg_writer *writer, const char *key, bool value);
void msg_writer_uint(struct msg_writer *writer, const char *key, uint64_t value);
void msg_writer_int(struct msg_writer *writer, const char *key, int64_t value);

/* Finite; whole numbers go out as integers, others as float 64. */
void msg_writer_number(struct msg_writer *writer, const char *key, double value);

/* A map as the value of `key`, or as an item of an array (`key` NULL). */
void msg_writer_open_map(struct msg_writer *writer, const char *key);
void msg_writer_close_map(struct msg_writer *writer);

/* An array of exactly `n_items`, at most `n_max`; the items follow. */
void msg_writer_array(struct msg_writer *writer, const char *key, size_t n_items, size_t n_max);
void msg_writer_names(struct msg_writer *writer, const char *key, char *const *names, size_t n_names, size_t n_max);
void msg_writer_uuids(struct msg_writer *writer, const char *key, const char (*uuids)[MSG_UUID_BYTES], size_t n_uuids,
                      size_t n_max);
void msg_writer_item_number(struct msg_writer *writer, double value);
void msg_writer_item_bool(struct msg_writer *writer, bool value);
