/* All of a request is checked before any of it is passed on; how far the plans are is kept for the metrics. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/api_event.h"

#include "proto/msg_writer.h"

#include <stdlib.h>
#include <string.h>

enum { HTTP_OK = 200, MOST_EVENTS = 4096, MOST_ID_BYTES = 64 };

static enum dc_status read_id(const char *rest, char id_out[MOST_ID_BYTES + 1], struct dc_error *err) {
    const size_t n = strspn(rest, "0123456789abcdef");
    if (n == 0 || n > MOST_ID_BYTES || strcmp(rest + n, "/events") != 0)
        return error_set(err, DC_ENOTFOUND, "expected /v1/plans/ID/events");
    memcpy(id_out, rest, n);
    id_out[n] = '\0';
    return DC_OK;
}

/* Events are flat, so that any reader of the feed can do without JSON. */
static enum dc_status write_event(const json_t *event, struct msg_buffer *map, struct dc_error *err) {
    struct msg_writer writer;
    const char *key = NULL;
    json_t *value = NULL;
    if (json_string_value(json_object_get(event, "event")) == NULL)
        return error_set(err, DC_EINVAL, "event: expected a text");
    msg_writer_init(&writer, map);
    json_object_foreach((json_t *)event, key, value) { /* it is only read */
        if (strlen(key) > MSG_MAX_NAME_BYTES)
            return error_set(err, DC_EINVAL, "expected keys of at most %d bytes", MSG_MAX_NAME_BYTES);
        if (json_is_string(value))
            msg_writer_line(&writer, key, json_string_value(value));
        else if (json_is_number(value))
            msg_writer_number(&writer, key, json_number_value(value));
        else if (json_is_boolean(value))
            msg_writer_bool(&writer, key, json_is_true(value));
        else
            return error_set(err, DC_EINVAL, "%s: expected a text, a number, true or false", key);
    }
    return msg_writer_finish(&writer, err);
}

static enum dc_status pass_on(struct api *api, const char *id, const json_t *json, bool is_trial,
                              struct dc_error *err) {
    const json_t *events = json_object_get(json, "events");
    const json_int_t first = json_integer_value(json_object_get(json, "first"));
    struct msg_buffer map = {0};
    enum dc_status rc = DC_OK;
    if (json_array_size(events) == 0 || json_array_size(events) > MOST_EVENTS)
        return error_set(err, DC_EINVAL, "events: expected an array of 1 to %d events", MOST_EVENTS);
    if (first < 1)
        return error_set(err, DC_EINVAL, "first: expected a whole number of at least 1");
    for (size_t i = 0; rc == DC_OK && i < json_array_size(events); i++) {
        rc = write_event(json_array_get(events, i), &map, err);
        if (rc != DC_OK) {
            (void)error_prefix(err, "events[%zu]", i);
        } else if (!is_trial) {
            collector_publish(api->collector, "plan", id, (uint64_t)first + i, &map);
            rc = run_table_hear(&api->runs, id, json_array_get(events, i), fleet_clock_now().unix_ms, err);
        }
    }
    msg_buffer_dispose(&map);
    return rc;
}

void api_event(struct api *api, struct api_request *request, const char *rest) {
    struct dc_error err = DC_ERROR_NONE;
    char id[MOST_ID_BYTES + 1];
    json_t *json = NULL;
    enum dc_status rc = read_id(rest, id, &err);
    if (rc == DC_OK)
        rc = api_read_body(request, &json, &err);
    if (rc == DC_OK)
        rc = pass_on(api, id, json, true, &err);
    if (rc == DC_OK)
        rc = pass_on(api, id, json, false, &err);
    if (rc == DC_OK)
        api_reply_json(request, HTTP_OK, json_pack("{s:b}", "is_published", (int)collector_has_feed(api->collector)));
    else
        api_reply_error(request, rc, &err);
    json_decref(json);
}
