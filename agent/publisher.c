/*
 * DEALER on libuv.
 *
 * ZMQ_FD is edge-triggered: it says "look again", not "there is something".
 * So the poll callback does nothing; `check` works after every poll, and
 * `prepare` re-reads ZMQ_EVENTS before the next one and keeps the loop awake
 * with `idle` while anything is left.
 *
 * One `link` is one attempt: a socket, its monitor, and no reconnecting of its
 * own. Every failure ends it, and the timer makes the next one.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/publisher.h"

#include "base/log.h"
#include "proto/msg.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zmq.h>

enum {
    BACKOFF_FIRST_MS = 250,
    BACKOFF_MOST_MS = 5000,
    SETTLE_MS = 10000,
    LINGER_MS = 200,
    MESSAGES_A_TURN = 64, /* then the rest of the loop has its turn */
    MONITORED = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED,
};

struct link {
    struct publisher *publisher;
    void *socket, *monitor;
    uv_poll_t polls[2]; /* of socket and monitor */
    int n_open;         /* polls that were opened and whose close callback has not come */
    bool up;            /* the handshake succeeded */
    bool full;          /* a send was refused */
    const char *why;    /* it failed; NULL: it did not */
};

struct publisher {
    struct publisher_config config;
    struct publisher_events events;
    char public_key[PUBLISHER_KEY_BYTES];
    uv_loop_t *loop;
    void *context;
    struct link *link; /* NULL while backing off */
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;     /* of the back-off, or until the link must be settled */
    int n_open;           /* handles and links still there */
    bool is_closing;      /* on the way to be freed */
    double backoff_ms;    /* the next one's */
    const char *told_why; /* the last failure that was logged as a warning */
    uint64_t n_links;
};

static int zmq_events_of(void *socket) {
    int events = 0;
    size_t size = sizeof(events);
    return zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 ? events : 0;
}

static void free_when_closed(struct publisher *publisher) {
    if (--publisher->n_open > 0 || !publisher->is_closing)
        return;
    (void)zmq_ctx_term(publisher->context);
    explicit_bzero(&publisher->config, sizeof(publisher->config));
    free(publisher);
}

static void on_poll_closed(uv_handle_t *handle) {
    struct link *link = handle->data;
    if (--link->n_open > 0)
        return;
    struct publisher *publisher = link->publisher;
    free(link);
    free_when_closed(publisher);
}

static void link_close(struct link *link, int linger_ms) {
    for (int i = 0; i < link->n_open; i++)
        (void)uv_poll_stop(&link->polls[i]); /* before its descriptor goes */
    (void)zmq_setsockopt(link->socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
    (void)zmq_socket_monitor(link->socket, NULL, 0);
    (void)zmq_close(link->monitor);
    (void)zmq_close(link->socket);
    for (int i = link->n_open - 1; i >= 0; i--)
        uv_close((uv_handle_t *)&link->polls[i], on_poll_closed);
}

static bool set_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool set_options(void *socket, const struct publisher *publisher) {
    const int64_t most_bytes = MSG_MAX_BYTES;
    return set_int(socket, ZMQ_LINGER, LINGER_MS) && set_int(socket, ZMQ_IMMEDIATE, 1) &&
           set_int(socket, ZMQ_SNDHWM, 64) && set_int(socket, ZMQ_RCVHWM, 64) &&
           set_int(socket, ZMQ_HEARTBEAT_IVL, 2000) && set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, 6000) &&
           set_int(socket, ZMQ_RECONNECT_IVL, -1) && set_int(socket, ZMQ_CONNECT_TIMEOUT, 5000) &&
           set_int(socket, ZMQ_HANDSHAKE_IVL, 5000) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most_bytes, sizeof(most_bytes)) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, publisher->config.planner_public_key, PUBLISHER_KEY_BYTES) ==
               0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, publisher->public_key, PUBLISHER_KEY_BYTES) == 0 &&
           zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, publisher->config.secret_key, PUBLISHER_KEY_BYTES) == 0;
}

/* Makes the two sockets and connects them. */
static bool open_sockets(struct link *link) {
    struct publisher *publisher = link->publisher;
    char address[64];
    (void)snprintf(address, sizeof(address), "inproc://monitor-%llu", (unsigned long long)publisher->n_links++);
    link->socket = zmq_socket(publisher->context, ZMQ_DEALER);
    link->monitor = zmq_socket(publisher->context, ZMQ_PAIR);
    return link->socket != NULL && link->monitor != NULL && set_options(link->socket, publisher) &&
           set_int(link->monitor, ZMQ_LINGER, 0) && zmq_socket_monitor(link->socket, address, MONITORED) == 0 &&
           zmq_connect(link->monitor, address) == 0 && zmq_connect(link->socket, publisher->config.endpoint) == 0;
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)poll; /* woken: `check` does the work */
    (void)status;
    (void)events;
}

static bool start_poll(struct link *link, void *socket) {
    int fd = -1;
    size_t size = sizeof(fd);
    uv_poll_t *poll = &link->polls[link->n_open];
    if (zmq_getsockopt(socket, ZMQ_FD, &fd, &size) != 0 || uv_poll_init(link->publisher->loop, poll, fd) != 0)
        return false;
    poll->data = link;
    link->n_open++;
    return uv_poll_start(poll, UV_READABLE, on_poll) == 0;
}

/* NULL and errno where it cannot be made at all. */
static struct link *link_open(struct publisher *publisher) {
    struct link *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return NULL;
    link->publisher = publisher;
    if (!open_sockets(link) || !start_poll(link, link->socket)) {
        const int r = zmq_errno();
        if (link->monitor != NULL)
            (void)zmq_close(link->monitor);
        if (link->socket != NULL)
            (void)zmq_close(link->socket);
        free(link);
        errno = r;
        return NULL;
    }
    if (!start_poll(link, link->monitor))
        link->why = "its monitor cannot be watched";
    publisher->n_open++;
    return link;
}

static void on_timer(uv_timer_t *timer);

static void back_off(struct publisher *publisher, const char *why) {
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = 0;
    const double jitter_frac = 0.5 + 0.5 * (double)random / (double)UINT32_MAX;
    const double wait_ms = publisher->backoff_ms * jitter_frac;
    publisher->backoff_ms = fmin(2 * publisher->backoff_ms, BACKOFF_MOST_MS);
    const bool is_news = publisher->told_why == NULL || strcmp(publisher->told_why, why) != 0;
    publisher->told_why = why;
    log_write(is_news ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG, "planner %s: %s: trying again in %.1f s",
              publisher->config.endpoint, why, wait_ms / 1e3);
    (void)uv_timer_start(&publisher->timer, on_timer, (uint64_t)wait_ms, 0);
}

static void end_link(struct publisher *publisher) {
    struct link *link = publisher->link;
    const char *why = link->why;
    const bool was_up = link->up;
    publisher->link = NULL;
    link_close(link, 0);
    back_off(publisher, why);
    if (was_up)
        publisher->events.disconnected(publisher->events.context);
}

static void on_timer(uv_timer_t *timer) {
    struct publisher *publisher = timer->data;
    if (publisher->link != NULL) {
        publisher_reconnect(publisher, publisher->link->up ? "no WELCOME came" : "no connection came about");
        return;
    }
    publisher->link = link_open(publisher);
    if (publisher->link == NULL)
        back_off(publisher, "cannot make a socket");
    else
        (void)uv_timer_start(&publisher->timer, on_timer, SETTLE_MS, 0);
}

/* What the monitor's event means for the link. */
static void take_event(struct link *link, unsigned event) {
    struct publisher *publisher = link->publisher;
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        link->up = true;
        publisher->events.connected(publisher->events.context);
    } else if (link->why == NULL) {
        link->why = event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH ? "it does not know this agent's key"
                    : event == ZMQ_EVENT_DISCONNECTED        ? "the connection broke"
                    : event == ZMQ_EVENT_CLOSED              ? "nobody listens there"
                                                             : "the handshake failed";
    }
}

static void read_monitor(struct link *link) {
    while (link->why == NULL && (zmq_events_of(link->monitor) & ZMQ_POLLIN) != 0) {
        uint8_t event[6], address[256];
        if (zmq_recv(link->monitor, event, sizeof(event), ZMQ_DONTWAIT) != sizeof(event) ||
            zmq_recv(link->monitor, address, sizeof(address), ZMQ_DONTWAIT) < 0)
            return;
        uint16_t number = 0;
        memcpy(&number, event, sizeof(number));
        take_event(link, number);
    }
}

/* One whole message; a message that is not [kind][map] is dropped. False when there is none. */
static bool read_message(struct link *link) {
    zmq_msg_t frames[2];
    size_t n_frames = 0;
    bool is_more = true;
    for (; is_more; n_frames++) {
        zmq_msg_t *frame = &frames[n_frames > 0];
        if (n_frames > 1)
            (void)zmq_msg_close(frame);
        (void)zmq_msg_init(frame);
        if (zmq_msg_recv(frame, link->socket, ZMQ_DONTWAIT) < 0) {
            (void)zmq_msg_close(frame);
            if (n_frames > 0)
                (void)zmq_msg_close(&frames[0]);
            return false;
        }
        is_more = zmq_msg_more(frame) != 0;
    }
    const struct publisher_events *events = &link->publisher->events;
    if (n_frames == 2 && zmq_msg_size(&frames[0]) == 1)
        events->message(events->context, *(const uint8_t *)zmq_msg_data(&frames[0]), zmq_msg_data(&frames[1]),
                        zmq_msg_size(&frames[1]));
    else
        log_warn("planner: dropped a message of %zu frames: expected a kind and a map", n_frames);
    (void)zmq_msg_close(&frames[0]);
    if (n_frames > 1)
        (void)zmq_msg_close(&frames[1]);
    return true;
}

static void work(struct publisher *publisher) {
    struct link *link = publisher->link;
    if (link == NULL)
        return;
    read_monitor(link);
    for (size_t n = 0; n < MESSAGES_A_TURN && link->why == NULL; n++) {
        if ((zmq_events_of(link->socket) & ZMQ_POLLIN) == 0 || !read_message(link))
            break;
    }
    if (link->why == NULL && link->full && (zmq_events_of(link->socket) & ZMQ_POLLOUT) != 0) {
        link->full = false;
        publisher->events.writable(publisher->events.context);
    }
    if (link->why != NULL)
        end_link(publisher);
}

static void on_check(uv_check_t *check) {
    work(check->data);
}

static void on_idle(uv_idle_t *idle) {
    (void)idle; /* only keeps the loop from sleeping */
}

static void on_prepare(uv_prepare_t *prepare) {
    struct publisher *publisher = prepare->data;
    const struct link *link = publisher->link;
    bool is_left = false;
    if (link != NULL) {
        const int wanted = ZMQ_POLLIN | (link->full ? ZMQ_POLLOUT : 0);
        is_left = link->why != NULL || (zmq_events_of(link->socket) & wanted) != 0 ||
                  (zmq_events_of(link->monitor) & ZMQ_POLLIN) != 0;
    }
    if (is_left)
        (void)uv_idle_start(&publisher->idle, on_idle);
    else
        (void)uv_idle_stop(&publisher->idle);
}

/* uv_*_init of these kinds cannot fail. */
static void init_handles(struct publisher *publisher) {
    (void)uv_prepare_init(publisher->loop, &publisher->prepare);
    (void)uv_check_init(publisher->loop, &publisher->check);
    (void)uv_idle_init(publisher->loop, &publisher->idle);
    (void)uv_timer_init(publisher->loop, &publisher->timer);
    publisher->prepare.data = publisher;
    publisher->check.data = publisher;
    publisher->idle.data = publisher;
    publisher->timer.data = publisher;
    publisher->n_open += 4;
    (void)uv_prepare_start(&publisher->prepare, on_prepare);
    (void)uv_check_start(&publisher->check, on_check);
}

enum dc_status publisher_open(uv_loop_t *loop, const struct publisher_config *config,
                              const struct publisher_events *events, struct publisher **publisher_out,
                              struct dc_error *err) {
    *publisher_out = NULL;
    struct publisher *publisher = calloc(1, sizeof(*publisher));
    if (publisher == NULL)
        return error_set_nomem(err);
    *publisher = (struct publisher){.config = *config, .events = *events, .loop = loop, .backoff_ms = BACKOFF_FIRST_MS};
    enum dc_status rc = DC_OK;
    publisher->context = zmq_ctx_new();
    if (publisher->context == NULL)
        rc = error_set_nomem(err);
    else if (zmq_curve_public(publisher->public_key, config->secret_key) != 0)
        rc = error_set(err, DC_EINVAL, "the secret key is no CURVE key");
    else if ((publisher->link = link_open(publisher)) == NULL)
        rc = error_set_errno(err, errno, "planner %s", config->endpoint);
    if (rc != DC_OK) {
        if (publisher->context != NULL)
            (void)zmq_ctx_term(publisher->context);
        explicit_bzero(&publisher->config, sizeof(publisher->config));
        free(publisher);
        return rc;
    }
    init_handles(publisher);
    (void)uv_timer_start(&publisher->timer, on_timer, SETTLE_MS, 0);
    *publisher_out = publisher;
    return DC_OK;
}

static void on_handle_closed(uv_handle_t *handle) {
    free_when_closed(handle->data);
}

void publisher_close(struct publisher **publisher) {
    struct publisher *p = *publisher;
    if (p == NULL)
        return;
    *publisher = NULL;
    p->is_closing = true;
    if (p->link != NULL)
        link_close(p->link, LINGER_MS);
    p->link = NULL;
    uv_close((uv_handle_t *)&p->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&p->check, on_handle_closed);
    uv_close((uv_handle_t *)&p->idle, on_handle_closed);
    uv_close((uv_handle_t *)&p->timer, on_handle_closed);
}

enum dc_status publisher_send(struct publisher *publisher, unsigned kind, const void *bytes, size_t n_bytes) {
    struct link *link = publisher->link;
    if (link == NULL || !link->up || link->why != NULL)
        return DC_EUNREACHABLE;
    const uint8_t kind_byte = (uint8_t)kind;
    if (zmq_send(link->socket, &kind_byte, 1, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
        link->full = true; /* EAGAIN, also while a broken connection is not yet noticed */
        return DC_EBUSY;
    }
    if (zmq_send(link->socket, bytes, n_bytes, ZMQ_DONTWAIT) < 0) {
        link->why = "a message was cut";
        return DC_EUNREACHABLE;
    }
    return DC_OK;
}

void publisher_settled(struct publisher *publisher) {
    if (publisher->link == NULL)
        return;
    publisher->backoff_ms = BACKOFF_FIRST_MS;
    publisher->told_why = NULL;
    (void)uv_timer_stop(&publisher->timer);
}

void publisher_reconnect(struct publisher *publisher, const char *why) {
    struct link *link = publisher->link;
    if (link != NULL && link->why == NULL)
        link->why = why; /* `check` ends it; `prepare` sees to it that this is soon */
}
