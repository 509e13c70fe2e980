/* BYE: an orderly end. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_bye.h"

#include "proto/msg_reader.h"
#include "proto/msg_writer.h"

#include <stdlib.h>

enum dc_status msg_bye_write(const struct msg_bye *msg, struct msg_buffer *buffer, struct dc_error *err) {
    struct msg_writer writer;
    msg_writer_init(&writer, buffer);
    msg_writer_line(&writer, "reason", msg->reason);
    return msg_writer_finish(&writer, err);
}

enum dc_status msg_bye_read(const void *bytes, size_t n_bytes, struct msg_bye *msg_out, struct dc_error *err) {
    struct msg_reader reader;
    const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
    *msg_out = (struct msg_bye){0};
    msg_out->reason = msg_reader_line(&map, "reason");
    const enum dc_status rc = msg_reader_close(&reader, err);
    if (rc != DC_OK)
        msg_bye_dispose(msg_out);
    return rc;
}

void msg_bye_dispose(struct msg_bye *msg) {
    free(msg->reason);
    *msg = (struct msg_bye){0};
}
