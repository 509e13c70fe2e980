/* One poll handle, one timer; the client says what they wait for. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/qmp_link.h"

#include <math.h>
#include <stdlib.h>

struct qmp_link {
    uv_poll_t poll;
    uv_timer_t timer;
    int n_open;
    bool is_lost, is_closing;
    struct qmp_link_events events;
    struct qmp_client *client;
};

static double now_ms(const struct qmp_link *link) {
    return (double)uv_now(link->timer.loop);
}

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_timer(uv_timer_t *timer);

static void wait(struct qmp_link *link) {
    if (link->is_closing || link->is_lost)
        return;
    const double wake_ms = qmp_client_wake_ms(link->client, now_ms(link));
    (void)uv_poll_start(&link->poll, UV_READABLE | (qmp_client_is_writing(link->client) ? UV_WRITABLE : 0), on_poll);
    (void)uv_timer_stop(&link->timer);
    if (isfinite(wake_ms))
        (void)uv_timer_start(&link->timer, on_timer, (uint64_t)ceil(fmax(0, wake_ms - now_ms(link))), 0);
}

static void turn(struct qmp_link *link) {
    struct dc_error err = DC_ERROR_NONE;
    const enum dc_status rc = qmp_client_turn(link->client, now_ms(link), &err);
    if (rc != DC_OK && !link->is_closing) {
        link->is_lost = true;
        (void)uv_poll_stop(&link->poll);
        (void)uv_timer_stop(&link->timer);
        link->events.lost(link->events.context, &err);
    }
    wait(link);
}

/* What became of the descriptor shows when reading. */
static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)status;
    (void)events;
    turn(poll->data);
}

static void on_timer(uv_timer_t *timer) {
    turn(timer->data);
}

static void on_ready(void *context) {
    struct qmp_link *link = context;
    if (!link->is_closing)
        link->events.ready(link->events.context);
}

static void on_event(void *context, const struct qmp_message *message) {
    struct qmp_link *link = context;
    if (!link->is_closing)
        link->events.event(link->events.context, message);
}

static void on_closed(uv_handle_t *handle) {
    struct qmp_link *link = handle->data;
    if (--link->n_open > 0)
        return;
    const struct qmp_link_events events = link->events;
    qmp_client_free(&link->client);
    free(link);
    events.closed(events.context);
}

void qmp_link_close(struct qmp_link *link) {
    if (link->is_closing)
        return;
    link->is_closing = true;
    uv_close((uv_handle_t *)&link->poll, on_closed);
    uv_close((uv_handle_t *)&link->timer, on_closed);
}

enum dc_status qmp_link_open(uv_loop_t *loop, const char *path, const struct qmp_link_events *events,
                             struct qmp_link **link_out, struct dc_error *err) {
    *link_out = NULL;
    struct qmp_link *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return error_set_nomem(err);
    const struct qmp_client_events client_events = {link, on_ready, on_event};
    enum dc_status rc = qmp_client_open(path, (double)uv_now(loop), &client_events, &link->client, err);
    if (rc == DC_OK && uv_poll_init(loop, &link->poll, qmp_client_fd(link->client)) != 0)
        rc = error_set(err, DC_EINTERNAL, "%s: cannot be polled", path);
    if (rc != DC_OK) {
        qmp_client_free(&link->client);
        free(link);
        return rc;
    }
    (void)uv_timer_init(loop, &link->timer); /* cannot fail */
    link->events = *events;
    link->poll.data = link->timer.data = link;
    link->n_open = 2;
    wait(link);
    *link_out = link;
    return DC_OK;
}

pid_t qmp_link_process(const struct qmp_link *link) {
    return qmp_client_process(link->client);
}

enum dc_status qmp_link_send(struct qmp_link *link, const char *command, json_t *arguments, qmp_done_fn done,
                             void *context, struct dc_error *err) {
    const enum dc_status rc = qmp_client_send(link->client, command, arguments, now_ms(link), done, context, err);
    wait(link);
    return rc;
}
