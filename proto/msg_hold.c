/* HOLD: do not sample these VMs. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_hold.h"

#include "proto/msg_reader.h"
#include "proto/msg_writer.h"

#include <stdlib.h>

enum dc_status msg_hold_write(const struct msg_hold *msg, struct msg_buffer *buffer, struct dc_error *err) {
    struct msg_writer writer;
    msg_writer_init(&writer, buffer);
    msg_writer_uuids(&writer, "vms", (const char(*)[MSG_UUID_BYTES])msg->vms, msg->n_vms, MSG_MAX_VMS);
    msg_writer_uint(&writer, "for_ms", msg->for_ms);
    return msg_writer_finish(&writer, err);
}

enum dc_status msg_hold_read(const void *bytes, size_t n_bytes, struct msg_hold *msg_out, struct dc_error *err) {
    struct msg_reader reader;
    const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
    *msg_out = (struct msg_hold){0};
    msg_reader_uuids(&map, "vms", 1, MSG_MAX_VMS, &msg_out->vms, &msg_out->n_vms);
    msg_out->for_ms = msg_reader_uint(&map, "for_ms", 1, MSG_MAX_HOLD_MS);
    const enum dc_status rc = msg_reader_close(&reader, err);
    if (rc != DC_OK)
        msg_hold_dispose(msg_out);
    return rc;
}

void msg_hold_dispose(struct msg_hold *msg) {
    free(msg->vms);
    *msg = (struct msg_hold){0};
}
