/* The authentication handler: one REP socket inside the process. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/zap.h"

#include "base/log.h"
#include "planner/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { ZAP_N_FRAMES = 7, ZAP_FRAME_BYTES = 256, CURVE_KEY_BYTES = 32, MAX_REQUESTS = 64, MAX_LOGGED = 100 };

/* A request's frames, in the order of RFC 27. */
enum { ZAP_VERSION, ZAP_REQUEST_ID, ZAP_DOMAIN, ZAP_ADDRESS, ZAP_IDENTITY, ZAP_MECHANISM, ZAP_CREDENTIALS };

struct zap_frame {
    size_t n_bytes;
    char bytes[ZAP_FRAME_BYTES + 1]; /* terminated */
};

struct zap {
    void *socket;
    uint64_t n_refused;
};

enum dc_status zap_open(void *zmq_context, struct zap **zap_out, struct dc_error *err) {
    const int linger_ms = 0;
    struct zap *zap = calloc(1, sizeof(*zap));
    *zap_out = zap;
    if (zap == NULL)
        return error_set_nomem(err);
    zap->socket = zmq_socket(zmq_context, ZMQ_REP);
    if (zap->socket != NULL && zmq_setsockopt(zap->socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms)) == 0 &&
        zmq_bind(zap->socket, "inproc://zeromq.zap.01") == 0)
        return DC_OK;
    (void)error_set(err, DC_EIO, "authentication handler: %s", zmq_strerror(zmq_errno()));
    zap_close(zap_out);
    return DC_EIO;
}

void zap_close(struct zap **zap) {
    if (*zap == NULL)
        return;
    if ((*zap)->socket != NULL)
        (void)zmq_close((*zap)->socket);
    free(*zap);
    *zap = NULL;
}

int zap_fd(const struct zap *zap) {
    int fd = -1;
    size_t n_bytes = sizeof(fd);
    return zmq_getsockopt(zap->socket, ZMQ_FD, &fd, &n_bytes) == 0 ? fd : -1;
}

bool zap_is_ready(const struct zap *zap) {
    int events = 0;
    size_t n_bytes = sizeof(events);
    return zmq_getsockopt(zap->socket, ZMQ_EVENTS, &events, &n_bytes) == 0 && (events & ZMQ_POLLIN) != 0;
}

uint64_t zap_n_refused(const struct zap *zap) {
    return zap->n_refused;
}

/* Receives a whole request. Returns its number of frames, 0 where none waits; frames past the buffers are cut. */
static size_t receive(struct zap *zap, struct zap_frame frames[ZAP_N_FRAMES]) {
    size_t n_frames = 0;
    int more = 1;
    while (more != 0) {
        struct zap_frame spare;
        struct zap_frame *frame = n_frames < ZAP_N_FRAMES ? &frames[n_frames] : &spare;
        const int r = zmq_recv(zap->socket, frame->bytes, ZAP_FRAME_BYTES, ZMQ_DONTWAIT);
        if (r < 0)
            return 0;
        frame->n_bytes = (size_t)r < ZAP_FRAME_BYTES ? (size_t)r : ZAP_FRAME_BYTES;
        frame->bytes[frame->n_bytes] = '\0';
        n_frames++;
        size_t n_bytes = sizeof(more);
        if (zmq_getsockopt(zap->socket, ZMQ_RCVMORE, &more, &n_bytes) != 0)
            return 0;
    }
    return n_frames;
}

static bool send_text(struct zap *zap, const char *text, int flags) {
    return zmq_send(zap->socket, text, strlen(text), ZMQ_DONTWAIT | flags) >= 0;
}

static void reply(struct zap *zap, const struct zap_frame *request_id, const char *code, const char *text,
                  const char *user_id) {
    const bool sent = send_text(zap, "1.0", ZMQ_SNDMORE) &&
                      zmq_send(zap->socket, request_id->bytes, request_id->n_bytes, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0 &&
                      send_text(zap, code, ZMQ_SNDMORE) && send_text(zap, text, ZMQ_SNDMORE) &&
                      send_text(zap, user_id, ZMQ_SNDMORE) && send_text(zap, "", 0);
    if (!sent)
        log_warn("authentication reply not sent: %s", zmq_strerror(zmq_errno()));
}

static void judge(struct zap *zap, const struct zap_frame *frames, const struct allow_list *allowed) {
    char key[KEY_FILE_TEXT_BYTES] = "";
    const char *host = NULL;
    if (strcmp(frames[ZAP_MECHANISM].bytes, "CURVE") == 0 && frames[ZAP_CREDENTIALS].n_bytes == CURVE_KEY_BYTES &&
        zmq_z85_encode(key, (const uint8_t *)frames[ZAP_CREDENTIALS].bytes, CURVE_KEY_BYTES) != NULL)
        host = allow_list_host(allowed, key);
    if (host != NULL) {
        log_debug("%s has the key of %s", frames[ZAP_ADDRESS].bytes, host);
        reply(zap, &frames[ZAP_REQUEST_ID], "200", "OK", key);
        return;
    }
    zap->n_refused++;
    if (zap->n_refused <= MAX_LOGGED || zap->n_refused % MAX_LOGGED == 0)
        log_warn("refused a connection from %s: unknown key %s (%llu refused so far)", frames[ZAP_ADDRESS].bytes,
                 key[0] != '\0' ? key : "(none)", (unsigned long long)zap->n_refused);
    reply(zap, &frames[ZAP_REQUEST_ID], "400", "unknown key", "");
}

void zap_drain(struct zap *zap, const struct allow_list *allowed, const struct allow_list *feed_allowed) {
    struct zap_frame frames[ZAP_N_FRAMES];
    for (int i = 0; i < MAX_REQUESTS; i++) {
        const size_t n_frames = receive(zap, frames);
        if (n_frames == 0)
            return;
        if (n_frames == ZAP_N_FRAMES)
            judge(zap, frames, strcmp(frames[ZAP_DOMAIN].bytes, FEED_ZAP_DOMAIN) == 0 ? feed_allowed : allowed);
        else
            reply(zap, &frames[ZAP_REQUEST_ID], "500", "malformed request", "");
    }
}
