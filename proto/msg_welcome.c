/* WELCOME: what both speak, and the first credit. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_welcome.h"

#include "proto/msg_reader.h"
#include "proto/msg_writer.h"

#include <stdlib.h>

enum dc_status msg_welcome_write(const struct msg_welcome *msg, struct msg_buffer *buffer, struct dc_error *err) {
    struct msg_writer writer;
    msg_writer_init(&writer, buffer);
    msg_writer_uint(&writer, "protocol", msg->protocol);
    msg_writer_name(&writer, "version", msg->version);
    msg_writer_uint(&writer, "credit", msg->credit);
    msg_writer_uint(&writer, "status_interval_ms", msg->status_interval_ms);
    return msg_writer_finish(&writer, err);
}

enum dc_status msg_welcome_read(const void *bytes, size_t n_bytes, struct msg_welcome *msg_out, struct dc_error *err) {
    struct msg_reader reader;
    const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
    *msg_out = (struct msg_welcome){0};
    msg_out->protocol = (unsigned)msg_reader_uint(&map, "protocol", 1, MSG_MAX_PROTOCOL);
    msg_out->version = msg_reader_name(&map, "version");
    msg_out->credit = msg_reader_uint(&map, "credit", 1, MSG_MAX_CREDIT);
    msg_out->status_interval_ms =
        msg_reader_uint(&map, "status_interval_ms", MSG_MIN_STATUS_INTERVAL_MS, MSG_MAX_STATUS_INTERVAL_MS);
    const enum dc_status rc = msg_reader_close(&reader, err);
    if (rc != DC_OK)
        msg_welcome_dispose(msg_out);
    return rc;
}

void msg_welcome_dispose(struct msg_welcome *msg) {
    free(msg->version);
    *msg = (struct msg_welcome){0};
}
