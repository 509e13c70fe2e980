/* STATUS: a sign of life and its costs. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_status.h"

#include "proto/msg_reader.h"
#include "proto/msg_writer.h"

enum dc_status msg_status_write(const struct msg_status *msg, struct msg_buffer *buffer, struct dc_error *err) {
    struct msg_writer writer;
    msg_writer_init(&writer, buffer);
    msg_writer_int(&writer, "at_unix_ms", msg->at_unix_ms);
    msg_writer_uint(&writer, "n_vms", msg->n_vms);
    msg_writer_uint(&writer, "n_bursts", msg->n_bursts);
    msg_writer_uint(&writer, "n_conflated", msg->n_conflated);
    msg_writer_uint(&writer, "n_held", msg->n_held);
    msg_writer_number(&writer, "sampling_frac", msg->sampling_frac);
    return msg_writer_finish(&writer, err);
}

enum dc_status msg_status_read(const void *bytes, size_t n_bytes, struct msg_status *msg_out, struct dc_error *err) {
    struct msg_reader reader;
    const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
    *msg_out = (struct msg_status){0};
    const uint64_t max = (uint64_t)MSG_MAX_NUMBER;
    msg_out->at_unix_ms = msg_reader_unix_ms(&map, "at_unix_ms");
    msg_out->n_vms = msg_reader_uint(&map, "n_vms", 0, max);
    msg_out->n_bursts = msg_reader_uint(&map, "n_bursts", 0, max);
    msg_out->n_conflated = msg_reader_uint(&map, "n_conflated", 0, max);
    msg_out->n_held = msg_reader_uint(&map, "n_held", 0, max);
    msg_out->sampling_frac = msg_reader_number(&map, "sampling_frac", 0, 1);
    const enum dc_status rc = msg_reader_close(&reader, err);
    if (rc != DC_OK)
        msg_status_dispose(msg_out);
    return rc;
}

void msg_status_dispose(struct msg_status *msg) {
    *msg = (struct msg_status){0};
}
