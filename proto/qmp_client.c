/* What goes wrong while sending is told by the next turn. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/qmp_client.h"

#include "base/line_channel.h"

#include <math.h>
#include <stdlib.h>

static const double greeting_ms = 5000;
static const double answer_ms = 10000;

struct qmp_client {
    struct qmp_client_events events;
    struct line_channel channel;
    struct qmp_session *session;
    bool is_ready;
    double greet_until_ms;
    struct dc_error error; /* of the conversation; its status is DC_OK while all is well */
};

static void write_bytes(void *context, const char *bytes, size_t n_bytes) {
    struct qmp_client *client = context;
    if (line_channel_write(&client->channel, bytes, n_bytes, &client->error) != DC_OK)
        (void)error_prefix(&client->error, "QMP");
}

static void on_ready(void *context) {
    struct qmp_client *client = context;
    client->is_ready = true;
    client->events.ready(client->events.context);
}

static void on_event(void *context, const struct qmp_message *message) {
    struct qmp_client *client = context;
    client->events.event(client->events.context, message);
}

static bool take_line(void *context, const char *line, size_t n_bytes) {
    struct qmp_client *client = context;
    return qmp_session_take(client->session, line, n_bytes, &client->error) == DC_OK &&
           client->error.status == DC_OK; /* of writing */
}

enum dc_status qmp_client_open(const char *path, double now_ms, const struct qmp_client_events *events,
                               struct qmp_client **client_out, struct dc_error *err) {
    *client_out = NULL;
    struct qmp_client *client = calloc(1, sizeof(*client));
    if (client == NULL)
        return error_set_nomem(err);
    const struct qmp_session_events session_events = {client, write_bytes, on_ready, on_event};
    client->events = *events;
    client->greet_until_ms = now_ms + greeting_ms;
    enum dc_status rc = line_channel_open(path, QMP_MOST_LINE_BYTES, &client->channel, err);
    if (rc == DC_OK && (client->session = qmp_session_new(&session_events)) == NULL)
        rc = error_set_nomem(err);
    if (rc != DC_OK)
        qmp_client_free(&client);
    *client_out = client;
    return rc;
}

void qmp_client_free(struct qmp_client **client) {
    if (*client == NULL)
        return;
    qmp_session_free(&(*client)->session);
    line_channel_close(&(*client)->channel);
    free(*client);
    *client = NULL;
}

int qmp_client_fd(const struct qmp_client *client) {
    return client->channel.fd;
}

bool qmp_client_is_writing(const struct qmp_client *client) {
    return line_channel_is_full(&client->channel);
}

double qmp_client_wake_ms(struct qmp_client *client, double now_ms) {
    if (client->error.status != DC_OK)
        return now_ms;
    const double next_ms = qmp_session_next_ms(client->session);
    return client->is_ready ? next_ms : fmin(next_ms, client->greet_until_ms);
}

enum dc_status qmp_client_turn(struct qmp_client *client, double now_ms, struct dc_error *err) {
    struct dc_error *error = &client->error;
    if (error->status == DC_OK && line_channel_flush(&client->channel, error) == DC_OK &&
        line_channel_read(&client->channel, take_line, client, error) == DC_OK)
        qmp_session_expire(client->session, now_ms);
    if (error->status == DC_OK && !client->is_ready && now_ms >= client->greet_until_ms)
        (void)error_set(error, DC_ETIMEOUT, "no greeting: does another client hold this socket?");
    return error->status == DC_OK ? DC_OK : error_set(err, error->status, "%s", error_text(error));
}

pid_t qmp_client_process(const struct qmp_client *client) {
    return line_channel_peer(&client->channel);
}

enum dc_status qmp_client_send(struct qmp_client *client, const char *command, json_t *arguments, double now_ms,
                               qmp_done_fn done, void *context, struct dc_error *err) {
    if (client->error.status != DC_OK) {
        json_decref(arguments);
        return error_set(err, DC_EIO, "%s: the connection to QEMU is lost", command);
    }
    return qmp_session_send(client->session, command, arguments, now_ms + answer_ms, done, context, err);
}
