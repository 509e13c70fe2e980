/* EVENT: what happened to a VM, and what was observed. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/msg_event.h"

#include "proto/msg_reader.h"
#include "proto/msg_writer.h"

#include <stdlib.h>

#define NOT_KNOWN (-1.0)

static const char *const type_words[] = {"vm-added", "vm-removed", "migration-began", "migration-ended", NULL};

static void write_known(struct msg_writer *writer, const char *key, double value) {
    if (value >= 0)
        msg_writer_number(writer, key, value);
}

static void write_observed(const struct msg_event *msg, struct msg_writer *writer) {
    msg_writer_bool(writer, "succeeded", msg->succeeded);
    write_known(writer, "migration_ms", msg->migration_ms);
    write_known(writer, "downtime_ms", msg->downtime_ms);
    write_known(writer, "bytes", msg->bytes);
    if (msg->n_rounds > 0)
        msg_writer_uint(writer, "n_rounds", msg->n_rounds);
    if (msg->suspended_unix_ms > 0)
        msg_writer_int(writer, "suspended_unix_ms", msg->suspended_unix_ms);
    if (msg->resumed_unix_ms > 0)
        msg_writer_int(writer, "resumed_unix_ms", msg->resumed_unix_ms);
}

static void read_observed(const struct msg_map *map, struct msg_event *msg) {
    const double max = (double)MSG_MAX_NUMBER;
    msg->succeeded = msg_reader_bool(map, "succeeded");
    msg->migration_ms = msg_reader_number_or(map, "migration_ms", 0, max, NOT_KNOWN);
    msg->downtime_ms = msg_reader_number_or(map, "downtime_ms", 0, max, NOT_KNOWN);
    msg->bytes = msg_reader_number_or(map, "bytes", 0, max, NOT_KNOWN);
    if (msg_reader_has(map, "n_rounds"))
        msg->n_rounds = (unsigned)msg_reader_uint(map, "n_rounds", 1, MSG_MAX_ROUNDS + 1);
    if (msg_reader_has(map, "suspended_unix_ms"))
        msg->suspended_unix_ms = msg_reader_unix_ms(map, "suspended_unix_ms");
    if (msg_reader_has(map, "resumed_unix_ms"))
        msg->resumed_unix_ms = msg_reader_unix_ms(map, "resumed_unix_ms");
}

enum dc_status msg_event_write(const struct msg_event *msg, struct msg_buffer *buffer, struct dc_error *err) {
    struct msg_writer writer;
    msg_writer_init(&writer, buffer);
    msg_writer_name(&writer, "type", msg->type <= MSG_EVENT_MIGRATION_ENDED ? type_words[msg->type] : NULL);
    msg_writer_int(&writer, "at_unix_ms", msg->at_unix_ms);
    msg_writer_name(&writer, "instance_id", msg->instance_id);
    msg_writer_uint(&writer, "event_number", msg->event_number);
    msg_writer_uuid(&writer, "vm", msg->vm);
    if (msg->peer_host != NULL)
        msg_writer_name(&writer, "peer_host", msg->peer_host);
    if (msg->type == MSG_EVENT_MIGRATION_BEGAN && msg->bandwidth_bytes_per_s > 0)
        msg_writer_number(&writer, "bandwidth_bytes_per_s", msg->bandwidth_bytes_per_s);
    if (msg->type == MSG_EVENT_MIGRATION_ENDED)
        write_observed(msg, &writer);
    return msg_writer_finish(&writer, err);
}

enum dc_status msg_event_read(const void *bytes, size_t n_bytes, struct msg_event *msg_out, struct dc_error *err) {
    struct msg_reader reader;
    const struct msg_map map = msg_reader_open(&reader, bytes, n_bytes);
    *msg_out = (struct msg_event){0};
    msg_out->type = (enum msg_event_type)msg_reader_choice(&map, "type", type_words);
    msg_out->at_unix_ms = msg_reader_unix_ms(&map, "at_unix_ms");
    msg_out->instance_id = msg_reader_name(&map, "instance_id");
    msg_out->event_number = msg_reader_uint(&map, "event_number", 0, (uint64_t)MSG_MAX_NUMBER);
    msg_reader_uuid(&map, "vm", msg_out->vm);
    msg_out->peer_host = msg_reader_name_or_null(&map, "peer_host");
    msg_out->migration_ms = msg_out->downtime_ms = msg_out->bytes = NOT_KNOWN;
    if (msg_out->type == MSG_EVENT_MIGRATION_BEGAN)
        msg_out->bandwidth_bytes_per_s =
            msg_reader_number_or(&map, "bandwidth_bytes_per_s", 1, (double)MSG_MAX_NUMBER, 0);
    if (msg_out->type == MSG_EVENT_MIGRATION_ENDED)
        read_observed(&map, msg_out);
    const enum dc_status rc = msg_reader_close(&reader, err);
    if (rc != DC_OK)
        msg_event_dispose(msg_out);
    return rc;
}

void msg_event_dispose(struct msg_event *msg) {
    free(msg->instance_id);
    free(msg->peer_host);
    *msg = (struct msg_event){0};
}
