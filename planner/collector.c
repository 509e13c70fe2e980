/*
 * ROUTER and authentication handler in the libuv loop.
 *
 * ZeroMQ's descriptors are edge-triggered and say only "look again", and a
 * send can swallow the edge. So before the loop sleeps (prepare) both sockets
 * are asked whether something waits; if so an idle handle keeps it from sleeping.
 * After it woke (check) they are drained, a batch a turn, bounded in number and
 * in time: a SNAPSHOT of a large host takes milliseconds, and questions wait meanwhile.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/collector.h"

#include "base/log.h"
#include "planner/feed.h"
#include "planner/zap.h"

#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum {
    MAX_MESSAGES_PER_TURN = 128,
    HIGH_WATER_MARK = INTAKE_CREDIT,
    MAX_WIRE_BYTES = MSG_MAX_BYTES + 4096, /* encryption adds some; a little past the limit can be counted */
    HEARTBEAT_MS = 2000,
    HEARTBEAT_TIMEOUT_MS = 6000,
    N_HANDLES = 5,
    MAX_FRAMES = 3, /* routing id, kind, map */
    ENDPOINT_BYTES = 256,
};
static const double max_turn_ms = 10;

struct collector {
    void *zmq_context;
    void *router;
    struct zap *zap;
    struct feed *feed; /* NULL: none */
    const struct allow_list *allowed, *feed_allowed;
    struct intake intake;
    void *context;
    void (*heard)(void *context, const struct intake_message *message);
    void (*drained)(void *context);
    uint64_t n_unidentified, n_unsent;
    char endpoint[ENDPOINT_BYTES];
    uv_poll_t poll_router, poll_zap;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;
    size_t n_open; /* handles to be closed */
    uv_handle_t *open[N_HANDLES];
};

static double monotonic_ms(void) {
    return (double)uv_hrtime() / 1e6;
}

static bool router_is_ready(const struct collector *collector) {
    int events = 0;
    size_t n_bytes = sizeof(events);
    return zmq_getsockopt(collector->router, ZMQ_EVENTS, &events, &n_bytes) == 0 && (events & ZMQ_POLLIN) != 0;
}

static void send_message(void *context, const struct session_peer *to, enum msg_kind kind, const void *bytes,
                         size_t n_bytes) {
    struct collector *collector = context;
    const unsigned char kind_byte = (unsigned char)kind;
    const bool sent = zmq_send(collector->router, to->bytes, to->n_bytes, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0 &&
                      zmq_send(collector->router, &kind_byte, 1, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0 &&
                      zmq_send(collector->router, bytes, n_bytes, ZMQ_DONTWAIT) >= 0;
    if (!sent) {
        collector->n_unsent++;
        log_debug("%s not sent: %s", msg_kind_text(kind), zmq_strerror(zmq_errno()));
    }
}

static void pass_heard(void *context, const struct intake_message *message) {
    struct collector *collector = context;
    collector->heard(collector->context, message);
}

/* Receives the frames of one message, dropping those past `parts`. Returns how
 * many there were, 0 where no message waits. */
static size_t receive_parts(struct collector *collector, zmq_msg_t parts[MAX_FRAMES]) {
    size_t n_parts = 0;
    for (;;) {
        zmq_msg_t spare;
        zmq_msg_t *part = n_parts < MAX_FRAMES ? &parts[n_parts] : &spare;
        if (part == &spare)
            (void)zmq_msg_init(&spare);
        const int r = zmq_msg_recv(part, collector->router, ZMQ_DONTWAIT);
        const bool more = r >= 0 && zmq_msg_more(part) != 0;
        if (part == &spare)
            (void)zmq_msg_close(&spare);
        if (r < 0)
            return 0; /* the first frame: nothing waits; later ones always follow it at once */
        n_parts++;
        if (!more)
            return n_parts;
    }
}

/* The host that the sender's key speaks for now, NULL where there is none. */
static const char *host_of(const struct collector *collector, zmq_msg_t *part) {
    const char *key = zmq_msg_gets(part, "User-Id");
    return key != NULL ? allow_list_host(collector->allowed, key) : NULL;
}

static void take_in(struct collector *collector, zmq_msg_t parts[MAX_FRAMES], size_t n_parts) {
    zmq_msg_t *last = &parts[n_parts < MAX_FRAMES ? n_parts - 1 : MAX_FRAMES - 1];
    const char *host = host_of(collector, last);
    if (host == NULL || zmq_msg_size(&parts[0]) > SESSION_PEER_BYTES) {
        collector->n_unidentified++;
        return;
    }
    const char *address = zmq_msg_gets(last, "Peer-Address");
    struct intake_frames frames = {.host = host,
                                   .address = address != NULL ? address : "address unknown",
                                   .n_frames = n_parts - 1,
                                   .kind = zmq_msg_data(&parts[1]),
                                   .kind_bytes = zmq_msg_size(&parts[1]),
                                   .map = zmq_msg_data(&parts[2]),
                                   .map_bytes = zmq_msg_size(&parts[2])};
    frames.peer.n_bytes = zmq_msg_size(&parts[0]);
    memcpy(frames.peer.bytes, zmq_msg_data(&parts[0]), frames.peer.n_bytes);
    intake_receive(&collector->intake, &frames, monotonic_ms());
}

static void drain_router(struct collector *collector) {
    const double began_ms = monotonic_ms();
    int n_messages = 0;
    for (bool waiting = true;
         waiting && n_messages < MAX_MESSAGES_PER_TURN && monotonic_ms() - began_ms < max_turn_ms;) {
        zmq_msg_t parts[MAX_FRAMES];
        for (int i = 0; i < MAX_FRAMES; i++)
            (void)zmq_msg_init(&parts[i]);
        const size_t n_parts = receive_parts(collector, parts);
        waiting = n_parts > 0;
        if (waiting) {
            take_in(collector, parts, n_parts);
            n_messages++;
        }
        for (int i = 0; i < MAX_FRAMES; i++)
            (void)zmq_msg_close(&parts[i]);
    }
    if (n_messages > 0)
        collector->drained(collector->context);
}

static void on_poll(uv_poll_t *handle, int status, int events) {
    (void)handle; /* only wakes the loop: `check` does the work */
    (void)status;
    (void)events;
}

static void on_idle(uv_idle_t *handle) {
    (void)handle; /* only keeps the loop from sleeping */
}

static void on_prepare(uv_prepare_t *handle) {
    struct collector *collector = handle->data;
    if (zap_is_ready(collector->zap) || router_is_ready(collector))
        (void)uv_idle_start(&collector->idle, on_idle);
    else
        (void)uv_idle_stop(&collector->idle);
}

static void on_check(uv_check_t *handle) {
    struct collector *collector = handle->data;
    zap_drain(collector->zap, collector->allowed, collector->feed_allowed);
    drain_router(collector);
}

static bool set_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool set_up_router(struct collector *collector, const struct collector_settings *settings) {
    const int64_t max_bytes = MAX_WIRE_BYTES;
    static const char domain[] = "decamp";
    void *router = collector->router;
    size_t n_bytes = sizeof(collector->endpoint);
    /* Not for a plain IPv4 endpoint: its peers would be logged as ::ffff:a.b.c.d. */
    const bool is_for_ipv6 = strstr(settings->listen, "://*") != NULL || strchr(settings->listen, '[') != NULL;
    return set_int(router, ZMQ_CURVE_SERVER, 1) &&
           zmq_setsockopt(router, ZMQ_CURVE_SECRETKEY, settings->secret_key, KEY_FILE_TEXT_BYTES) == 0 &&
           zmq_setsockopt(router, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) == 0 &&
           zmq_setsockopt(router, ZMQ_MAXMSGSIZE, &max_bytes, sizeof(max_bytes)) == 0 &&
           set_int(router, ZMQ_RCVHWM, HIGH_WATER_MARK) && set_int(router, ZMQ_SNDHWM, HIGH_WATER_MARK) &&
           set_int(router, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS) &&
           set_int(router, ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS) && set_int(router, ZMQ_LINGER, 0) &&
           set_int(router, ZMQ_ROUTER_MANDATORY, 1) && set_int(router, ZMQ_IPV6, is_for_ipv6) &&
           zmq_bind(router, settings->listen) == 0 &&
           zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, collector->endpoint, &n_bytes) == 0;
}

static enum dc_status open_sockets(struct collector *collector, const struct collector_settings *settings,
                                   struct dc_error *err) {
    collector->zmq_context = zmq_ctx_new();
    if (collector->zmq_context == NULL)
        return error_set(err, DC_EIO, "ZeroMQ: %s", zmq_strerror(zmq_errno()));
    const enum dc_status rc = zap_open(collector->zmq_context, &collector->zap, err);
    if (rc != DC_OK)
        return rc;
    collector->router = zmq_socket(collector->zmq_context, ZMQ_ROUTER);
    if (collector->router == NULL || !set_up_router(collector, settings))
        return error_set(err, DC_EIO, "listen: %s: %s", settings->listen, zmq_strerror(zmq_errno()));
    return settings->feed_listen != NULL
               ? feed_open(collector->zmq_context, settings->feed_listen, settings->secret_key, &collector->feed, err)
               : DC_OK;
}

static void close_sockets(struct collector *collector) {
    if (collector->router != NULL)
        (void)zmq_close(collector->router);
    collector->router = NULL;
    feed_close(&collector->feed);
    zap_close(&collector->zap);
    if (collector->zmq_context != NULL)
        (void)zmq_ctx_term(collector->zmq_context);
    collector->zmq_context = NULL;
}

static void free_collector(struct collector *collector) {
    intake_dispose(&collector->intake);
    free(collector);
}

static void on_closed(uv_handle_t *handle) {
    struct collector *collector = handle->data;
    if (--collector->n_open == 0) {
        close_sockets(collector); /* only now: the poll handles used their descriptors */
        free_collector(collector);
    }
}

void collector_close(struct collector **collector) {
    struct collector *closing = *collector;
    *collector = NULL;
    if (closing == NULL)
        return;
    for (size_t i = 0; i < closing->n_open; i++)
        uv_close(closing->open[i], on_closed);
}

/* An initialised handle must be closed before its memory goes. */
static int opened(struct collector *collector, uv_handle_t *handle, int r) {
    if (r != 0)
        return r;
    handle->data = collector;
    collector->open[collector->n_open++] = handle;
    return 0;
}

static int start_handles(struct collector *collector, uv_loop_t *loop) {
    int fd = -1;
    size_t n_bytes = sizeof(fd);
    (void)zmq_getsockopt(collector->router, ZMQ_FD, &fd, &n_bytes);
    int r = opened(collector, (uv_handle_t *)&collector->prepare, uv_prepare_init(loop, &collector->prepare));
    if (r == 0)
        r = opened(collector, (uv_handle_t *)&collector->check, uv_check_init(loop, &collector->check));
    if (r == 0)
        r = opened(collector, (uv_handle_t *)&collector->idle, uv_idle_init(loop, &collector->idle));
    if (r == 0)
        r = opened(collector, (uv_handle_t *)&collector->poll_router, uv_poll_init(loop, &collector->poll_router, fd));
    if (r == 0)
        r = opened(collector, (uv_handle_t *)&collector->poll_zap,
                   uv_poll_init(loop, &collector->poll_zap, zap_fd(collector->zap)));
    if (r == 0)
        r = uv_poll_start(&collector->poll_router, UV_READABLE, on_poll);
    if (r == 0)
        r = uv_poll_start(&collector->poll_zap, UV_READABLE, on_poll);
    if (r == 0)
        r = uv_prepare_start(&collector->prepare, on_prepare);
    return r == 0 ? uv_check_start(&collector->check, on_check) : r;
}

enum dc_status collector_open(uv_loop_t *loop, const struct collector_settings *settings,
                              struct collector **collector_out, struct dc_error *err) {
    struct collector *collector = calloc(1, sizeof(*collector));
    *collector_out = NULL;
    if (collector == NULL)
        return error_set_nomem(err);
    collector->allowed = settings->allowed;
    collector->feed_allowed = settings->feed_allowed;
    collector->context = settings->context;
    collector->heard = settings->heard;
    collector->drained = settings->drained;
    const struct intake_callbacks callbacks = {.context = collector, .heard = pass_heard, .send = send_message};
    intake_init(&collector->intake, &callbacks, settings->status_interval_ms);
    const enum dc_status rc = open_sockets(collector, settings, err);
    if (rc != DC_OK) {
        close_sockets(collector);
        free_collector(collector);
        return rc;
    }
    const int r = start_handles(collector, loop);
    if (r != 0) {
        collector_close(&collector);
        return error_set(err, DC_EIO, "event loop: %s", uv_strerror(r));
    }
    *collector_out = collector;
    return DC_OK;
}

const char *collector_endpoint(const struct collector *collector) {
    return collector->endpoint;
}

bool collector_has_feed(const struct collector *collector) {
    return collector->feed != NULL;
}

void collector_publish(struct collector *collector, const char *kind, const char *name, uint64_t number,
                       const struct msg_buffer *map) {
    if (collector->feed != NULL)
        feed_publish(collector->feed, kind, name, number, map);
}

struct collector_counters collector_count(const struct collector *collector) {
    return (struct collector_counters){.intake = collector->intake.counters,
                                       .refused = zap_n_refused(collector->zap),
                                       .unidentified = collector->n_unidentified,
                                       .unsent = collector->n_unsent};
}

bool collector_is_connected(const struct collector *collector, const char *host) {
    return intake_is_connected(&collector->intake, host, monotonic_ms());
}

enum dc_status collector_hold(struct collector *collector, const char *host, const struct msg_hold *msg,
                              struct dc_error *err) {
    return intake_hold(&collector->intake, host, msg, monotonic_ms(), err);
}

enum dc_status collector_release(struct collector *collector, const char *host, const struct msg_release *msg,
                                 struct dc_error *err) {
    return intake_release(&collector->intake, host, msg, monotonic_ms(), err);
}

enum dc_status collector_generate_keypair(char public_out[KEY_FILE_TEXT_BYTES], char secret_out[KEY_FILE_TEXT_BYTES],
                                          struct dc_error *err) {
    if (zmq_curve_keypair(public_out, secret_out) == 0)
        return DC_OK;
    return error_set(err, DC_EIO, "no key pair: %s", zmq_strerror(zmq_errno()));
}
