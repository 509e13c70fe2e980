/* CREDIT: so many more. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_credit.h"

#include "proto/msg_reader.h"
#include "proto/msg_writer.h"

enum dc_status msg_credit_write(const struct msg_credit *msg, struct msg_buffer *buffer, struct dc_error *err) {
    struct msg_writer writer;
    msg_writer_init(&writer, buffer);
    msg_writer_uint(&writer, "credit", msg->credit);
    return msg_writer_finish(&writer, err);
}

enum dc_status msg_credit_read(const void *bytes, size_t n_bytes, struct msg_credit *msg_out, struct dc_error *err) {
    struct msg_reader reader;
    const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
    *msg_out = (struct msg_credit){0};
    msg_out->credit = msg_reader_uint(&map, "credit", 1, MSG_MAX_CREDIT);
    const enum dc_status rc = msg_reader_close(&reader, err);
    if (rc != DC_OK)
        msg_credit_dispose(msg_out);
    return rc;
}

void msg_credit_dispose(struct msg_credit *msg) {
    *msg = (struct msg_credit){0};
}
