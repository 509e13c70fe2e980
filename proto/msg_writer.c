/*
 * msgpack-c's packer over a growing buffer with a limit. A map is opened as
 * "map 16" and its count patched when it closes.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_writer.h"

#include "base/vec.h"
#include "proto/msg_text.h"

#include <math.h>
#include <string.h>

enum { MAP16 = 0xde, MAP16_BYTES = 3 };

static bool failed(const struct msg_writer *writer) {
    return writer->error.status != DC_OK;
}

static int append(void *context, const char *bytes, size_t n_bytes) {
    struct msg_writer *writer = context;
    struct msg_buffer *buffer = writer->buffer;
    if (failed(writer))
        return -1;
    if (n_bytes > MSG_MAX_BYTES - buffer->n_bytes) {
        (void)error_set(&writer->error, DC_ELIMIT, "the message is longer than %d bytes", MSG_MAX_BYTES);
        return -1;
    }
    if (!vec_reserve(&buffer->bytes, &buffer->capacity, buffer->n_bytes + n_bytes, 1)) {
        (void)error_set_nomem(&writer->error);
        return -1;
    }
    memcpy((char *)buffer->bytes + buffer->n_bytes, bytes, n_bytes);
    buffer->n_bytes += n_bytes;
    return 0;
}

static void put_string(struct msg_writer *writer, const char *text) {
    const size_t n_bytes = strlen(text);
    (void)msgpack_pack_str(&writer->packer, n_bytes);
    (void)msgpack_pack_str_body(&writer->packer, text, n_bytes);
}

static void put_key(struct msg_writer *writer, const char *key) {
    if (failed(writer))
        return;
    writer->levels[writer->n_levels - 1].n_keys++;
    put_string(writer, key);
}

static void put_number(struct msg_writer *writer, double value) {
    if (fabs(value) <= (double)MSG_MAX_NUMBER && value == floor(value))
        (void)msgpack_pack_int64(&writer->packer, (int64_t)value);
    else
        (void)msgpack_pack_double(&writer->packer, value);
}

static void open_level(struct msg_writer *writer) {
    static const char header[MAP16_BYTES] = {(char)MAP16, 0, 0};
    if (failed(writer))
        return;
    if (writer->n_levels == MSG_MAX_DEPTH) {
        (void)error_set(&writer->error, DC_EINTERNAL, "more than %d maps within each other", MSG_MAX_DEPTH);
        return;
    }
    writer->levels[writer->n_levels].at = writer->buffer->n_bytes + 1;
    writer->levels[writer->n_levels].n_keys = 0;
    writer->n_levels++;
    (void)append(writer, header, sizeof(header));
}

void msg_writer_init(struct msg_writer *writer, struct msg_buffer *buffer) {
    *writer = (struct msg_writer){.buffer = buffer, .error = DC_ERROR_NONE};
    buffer->n_bytes = 0;
    msgpack_packer_init(&writer->packer, writer, append);
    open_level(writer);
}

enum dc_status msg_writer_finish(struct msg_writer *writer, struct dc_error *err) {
    msg_writer_close_map(writer);
    if (!failed(writer))
        return DC_OK;
    writer->buffer->n_bytes = 0;
    return error_set(err, writer->error.status, "%s", error_text(&writer->error));
}

void msg_writer_open_map(struct msg_writer *writer, const char *key) {
    if (key != NULL)
        put_key(writer, key);
    open_level(writer);
}

void msg_writer_close_map(struct msg_writer *writer) {
    if (failed(writer))
        return;
    const unsigned n_keys = writer->levels[writer->n_levels - 1].n_keys;
    unsigned char *count = (unsigned char *)writer->buffer->bytes + writer->levels[writer->n_levels - 1].at;
    writer->n_levels--;
    if (n_keys > MSG_MAX_KEYS) {
        (void)error_set(&writer->error, DC_ELIMIT, "a map of %u keys; at most %d are allowed", n_keys, MSG_MAX_KEYS);
        return;
    }
    count[0] = (unsigned char)(n_keys >> 8);
    count[1] = (unsigned char)(n_keys & 0xff);
}

/* True where `text` may go out as the value of `key`. */
static bool check_text(struct msg_writer *writer, const char *key, bool fits, const char *expected) {
    if (!fits)
        (void)error_set(&writer->error, DC_EINVAL, "%s: expected %s", key, expected);
    return fits && !failed(writer);
}

void msg_writer_name(struct msg_writer *writer, const char *key, const char *name) {
    if (!check_text(writer, key, name != NULL && msg_text_is_name(name, strlen(name)), MSG_TEXT_EXPECTED_NAME))
        return;
    put_key(writer, key);
    put_string(writer, name);
}

void msg_writer_line(struct msg_writer *writer, const char *key, const char *line) {
    if (!check_text(writer, key, line != NULL && msg_text_is_line(line, strlen(line), MSG_MAX_LINE_BYTES),
                    MSG_TEXT_EXPECTED_LINE))
        return;
    put_key(writer, key);
    put_string(writer, line);
}

void msg_writer_entry(struct msg_writer *writer, const char *name, const char *line) {
    if (check_text(writer, "(key)", name != NULL && msg_text_is_name(name, strlen(name)), MSG_TEXT_EXPECTED_NAME))
        msg_writer_line(writer, name, line);
}

void msg_writer_uuid(struct msg_writer *writer, const char *key, const char *uuid) {
    if (!check_text(writer, key, uuid != NULL && msg_text_is_uuid(uuid, strlen(uuid)), MSG_TEXT_EXPECTED_UUID))
        return;
    put_key(writer, key);
    put_string(writer, uuid);
}

void msg_writer_bool(struct msg_writer *writer, const char *key, bool value) {
    put_key(writer, key);
    msg_writer_item_bool(writer, value);
}

void msg_writer_uint(struct msg_writer *writer, const char *key, uint64_t value) {
    put_key(writer, key);
    (void)msgpack_pack_uint64(&writer->packer, value);
}

void msg_writer_int(struct msg_writer *writer, const char *key, int64_t value) {
    put_key(writer, key);
    (void)msgpack_pack_int64(&writer->packer, value);
}

void msg_writer_number(struct msg_writer *writer, const char *key, double value) {
    if (!isfinite(value))
        (void)error_set(&writer->error, DC_EINVAL, "%s: expected a finite number", key);
    put_key(writer, key);
    put_number(writer, value);
}

void msg_writer_array(struct msg_writer *writer, const char *key, size_t n_items, size_t n_max) {
    if (n_items > n_max)
        (void)error_set(&writer->error, DC_ELIMIT, "%s: %zu items; at most %zu are allowed", key, n_items, n_max);
    put_key(writer, key);
    (void)msgpack_pack_array(&writer->packer, n_items);
}

void msg_writer_names(struct msg_writer *writer, const char *key, char *const *names, size_t n_names, size_t n_max) {
    msg_writer_array(writer, key, n_names, n_max);
    for (size_t i = 0; i < n_names && !failed(writer); i++) {
        const bool fits = names[i] != NULL && msg_text_is_name(names[i], strlen(names[i]));
        if (check_text(writer, key, fits, MSG_TEXT_EXPECTED_NAME))
            put_string(writer, names[i]);
    }
}

void msg_writer_uuids(struct msg_writer *writer, const char *key, const char (*uuids)[MSG_UUID_BYTES], size_t n_uuids,
                      size_t n_max) {
    msg_writer_array(writer, key, n_uuids, n_max);
    for (size_t i = 0; i < n_uuids && !failed(writer); i++) {
        const bool fits = msg_text_is_uuid(uuids[i], strnlen(uuids[i], MSG_UUID_BYTES));
        if (check_text(writer, key, fits, MSG_TEXT_EXPECTED_UUID))
            put_string(writer, uuids[i]);
    }
}

void msg_writer_item_number(struct msg_writer *writer, double value) {
    if (!isfinite(value))
        (void)error_set(&writer->error, DC_EINVAL, "an item of an array: expected a finite number");
    put_number(writer, value);
}

void msg_writer_item_bool(struct msg_writer *writer, bool value) {
    if (value)
        (void)msgpack_pack_true(&writer->packer);
    else
        (void)msgpack_pack_false(&writer->packer);
}
