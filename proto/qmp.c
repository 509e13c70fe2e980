/* Told apart by the keys that the specification gives each kind. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/qmp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void qmp_message_dispose(struct qmp_message *message) {
    json_decref(message->json);
    *message = (struct qmp_message){0};
}

static enum dc_status read_event(struct qmp_message *message, struct dc_error *err) {
    const json_t *time = json_object_get(message->json, "timestamp");
    message->kind = QMP_EVENT;
    message->name = json_string_value(json_object_get(message->json, "event"));
    message->data = json_object_get(message->json, "data");
    const double seconds = json_number_value(json_object_get(time, "seconds"));
    const double microseconds = json_number_value(json_object_get(time, "microseconds"));
    if (seconds > 0 && microseconds >= 0)
        message->at_unix_ms = seconds * 1e3 + microseconds / 1e3;
    return message->name != NULL ? DC_OK : error_set(err, DC_EPARSE, "event: expected a name");
}

static enum dc_status read_error(struct qmp_message *message, struct dc_error *err) {
    const json_t *error = json_object_get(message->json, "error");
    message->kind = QMP_ERROR;
    message->name = json_string_value(json_object_get(error, "class"));
    message->text = json_string_value(json_object_get(error, "desc"));
    return message->name != NULL && message->text != NULL ? DC_OK
                                                          : error_set(err, DC_EPARSE, "error: expected class and desc");
}

static enum dc_status read_message(struct qmp_message *message, struct dc_error *err) {
    const json_t *id = json_object_get(message->json, "id");
    message->id = json_is_integer(id) ? json_integer_value(id) : -1;
    if (json_object_get(message->json, "event") != NULL)
        return read_event(message, err);
    if (json_object_get(message->json, "error") != NULL)
        return read_error(message, err);
    if (json_object_get(message->json, "return") != NULL) {
        message->kind = QMP_RETURN;
        message->data = json_object_get(message->json, "return");
        return DC_OK;
    }
    message->kind = QMP_GREETING;
    message->data = json_object_get(message->json, "QMP");
    return json_is_object(message->data) ? DC_OK : error_set(err, DC_EPARSE, "not a message of QMP");
}

enum dc_status qmp_read(const char *line, size_t n_bytes, struct qmp_message *message_out, struct dc_error *err) {
    json_error_t at;
    *message_out = (struct qmp_message){.id = -1};
    message_out->json = json_loadb(line, n_bytes, JSON_REJECT_DUPLICATES, &at);
    enum dc_status rc = DC_EPARSE;
    if (message_out->json == NULL)
        (void)error_set(err, DC_EPARSE, "column %d: %s", at.column, at.text);
    else if (!json_is_object(message_out->json))
        (void)error_set(err, DC_EPARSE, "expected an object");
    else
        rc = read_message(message_out, err);
    if (rc != DC_OK)
        qmp_message_dispose(message_out);
    return rc;
}

char *qmp_write(const char *command, json_t *arguments, int64_t id) {
    json_t *json = json_pack("{s:s, s:I}", "execute", command, "id", (json_int_t)id);
    char *text = NULL, *line = NULL;
    if (json != NULL && (arguments == NULL || json_object_set(json, "arguments", arguments) == 0))
        text = json_dumps(json, JSON_COMPACT);
    if (text != NULL && asprintf(&line, "%s\n", text) < 0)
        line = NULL;
    free(text);
    json_decref(json);
    json_decref(arguments);
    return line;
}
