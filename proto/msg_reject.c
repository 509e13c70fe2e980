/* REJECT: why not. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_reject.h"

#include "proto/msg_reader.h"
#include "proto/msg_writer.h"

#include <stdlib.h>

enum dc_status msg_reject_write(const struct msg_reject *msg, struct msg_buffer *buffer, struct dc_error *err) {
    struct msg_writer writer;
    msg_writer_init(&writer, buffer);
    msg_writer_line(&writer, "reason", msg->reason);
    msg_writer_name(&writer, "code", msg->code);
    msg_writer_uint(&writer, "protocol_min", msg->protocol_min);
    msg_writer_uint(&writer, "protocol_max", msg->protocol_max);
    return msg_writer_finish(&writer, err);
}

enum dc_status msg_reject_read(const void *bytes, size_t n_bytes, struct msg_reject *msg_out, struct dc_error *err) {
    struct msg_reader reader;
    const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
    *msg_out = (struct msg_reject){0};
    msg_out->reason = msg_reader_line(&map, "reason");
    msg_out->code = msg_reader_name(&map, "code");
    msg_out->protocol_min = (unsigned)msg_reader_uint(&map, "protocol_min", 1, MSG_MAX_PROTOCOL);
    msg_out->protocol_max = (unsigned)msg_reader_uint(&map, "protocol_max", 1, MSG_MAX_PROTOCOL);
    const enum dc_status rc = msg_reader_close(&reader, err);
    if (rc != DC_OK)
        msg_reject_dispose(msg_out);
    return rc;
}

void msg_reject_dispose(struct msg_reject *msg) {
    free(msg->reason);
    free(msg->code);
    *msg = (struct msg_reject){0};
}
