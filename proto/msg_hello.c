/* HELLO: who speaks. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_hello.h"

#include "proto/msg_reader.h"
#include "proto/msg_writer.h"

#include <stdlib.h>

enum dc_status msg_hello_write(const struct msg_hello *msg, struct msg_buffer *buffer, struct dc_error *err) {
    struct msg_writer writer;
    msg_writer_init(&writer, buffer);
    msg_writer_uint(&writer, "protocol_min", msg->protocol_min);
    msg_writer_uint(&writer, "protocol_max", msg->protocol_max);
    msg_writer_name(&writer, "version", msg->version);
    msg_writer_name(&writer, "host", msg->host);
    msg_writer_name(&writer, "boot_id", msg->boot_id);
    msg_writer_name(&writer, "instance_id", msg->instance_id);
    msg_writer_names(&writer, "capabilities", msg->capabilities, msg->n_capabilities, MSG_MAX_CAPABILITIES);
    return msg_writer_finish(&writer, err);
}

enum dc_status msg_hello_read(const void *bytes, size_t n_bytes, struct msg_hello *msg_out, struct dc_error *err) {
    struct msg_reader reader;
    const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
    *msg_out = (struct msg_hello){0};
    msg_out->protocol_min = (unsigned)msg_reader_uint(&map, "protocol_min", 1, MSG_MAX_PROTOCOL);
    msg_out->protocol_max = (unsigned)msg_reader_uint(&map, "protocol_max", 1, MSG_MAX_PROTOCOL);
    if (msg_out->protocol_max < msg_out->protocol_min)
        msg_reader_fail(&map, "protocol_max", -1, "expected at least protocol_min, %u", msg_out->protocol_min);
    msg_out->version = msg_reader_name(&map, "version");
    msg_out->host = msg_reader_name(&map, "host");
    msg_out->boot_id = msg_reader_name(&map, "boot_id");
    msg_out->instance_id = msg_reader_name(&map, "instance_id");
    msg_reader_names(&map, "capabilities", MSG_MAX_CAPABILITIES, &msg_out->capabilities, &msg_out->n_capabilities);
    const enum dc_status rc = msg_reader_close(&reader, err);
    if (rc != DC_OK)
        msg_hello_dispose(msg_out);
    return rc;
}

void msg_hello_dispose(struct msg_hello *msg) {
    free(msg->version);
    free(msg->host);
    free(msg->boot_id);
    free(msg->instance_id);
    msg_names_dispose(&msg->capabilities, &msg->n_capabilities);
    *msg = (struct msg_hello){0};
}
