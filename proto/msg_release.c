/* RELEASE: these VMs may be sampled again. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_release.h"

#include "proto/msg_reader.h"
#include "proto/msg_writer.h"

#include <stdlib.h>

enum dc_status msg_release_write(const struct msg_release *msg, struct msg_buffer *buffer, struct dc_error *err) {
    struct msg_writer writer;
    msg_writer_init(&writer, buffer);
    msg_writer_uuids(&writer, "vms", (const char(*)[MSG_UUID_BYTES])msg->vms, msg->n_vms, MSG_MAX_VMS);
    return msg_writer_finish(&writer, err);
}

enum dc_status msg_release_read(const void *bytes, size_t n_bytes, struct msg_release *msg_out, struct dc_error *err) {
    struct msg_reader reader;
    const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
    *msg_out = (struct msg_release){0};
    msg_reader_uuids(&map, "vms", 1, MSG_MAX_VMS, &msg_out->vms, &msg_out->n_vms);
    const enum dc_status rc = msg_reader_close(&reader, err);
    if (rc != DC_OK)
        msg_release_dispose(msg_out);
    return rc;
}

void msg_release_dispose(struct msg_release *msg) {
    free(msg->vms);
    *msg = (struct msg_release){0};
}
