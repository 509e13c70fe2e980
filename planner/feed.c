/* PUB drops what a subscriber does not take in time: nobody can hold the planner up. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/feed.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { HIGH_WATER_MARK = 4096, ENDPOINT_BYTES = 256, NUMBER_BYTES = 8, MAX_SUBSCRIPTION_BYTES = 4096 };

struct feed {
    void *socket;
    char endpoint[ENDPOINT_BYTES];
};

static bool set_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

static bool set_up(struct feed *feed, const char *listen, const char *secret_key) {
    const int64_t max_bytes = MAX_SUBSCRIPTION_BYTES; /* nothing else comes in */
    size_t n_bytes = sizeof(feed->endpoint);
    return set_int(feed->socket, ZMQ_CURVE_SERVER, 1) &&
           zmq_setsockopt(feed->socket, ZMQ_CURVE_SECRETKEY, secret_key, KEY_FILE_TEXT_BYTES) == 0 &&
           zmq_setsockopt(feed->socket, ZMQ_ZAP_DOMAIN, FEED_ZAP_DOMAIN, strlen(FEED_ZAP_DOMAIN)) == 0 &&
           zmq_setsockopt(feed->socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof(max_bytes)) == 0 &&
           set_int(feed->socket, ZMQ_SNDHWM, HIGH_WATER_MARK) && set_int(feed->socket, ZMQ_LINGER, 0) &&
           set_int(feed->socket, ZMQ_IPV6, strchr(listen, '[') != NULL || strstr(listen, "://*") != NULL) &&
           zmq_bind(feed->socket, listen) == 0 &&
           zmq_getsockopt(feed->socket, ZMQ_LAST_ENDPOINT, feed->endpoint, &n_bytes) == 0;
}

enum dc_status feed_open(void *zmq_context, const char *listen, const char *secret_key, struct feed **feed_out,
                         struct dc_error *err) {
    struct feed *feed = calloc(1, sizeof(*feed));
    *feed_out = feed;
    if (feed == NULL)
        return error_set_nomem(err);
    feed->socket = zmq_socket(zmq_context, ZMQ_PUB);
    if (feed->socket != NULL && set_up(feed, listen, secret_key))
        return DC_OK;
    (void)error_set(err, DC_EIO, "feed: %s: %s", listen, zmq_strerror(zmq_errno()));
    feed_close(feed_out);
    return DC_EIO;
}

void feed_close(struct feed **feed) {
    if (*feed == NULL)
        return;
    if ((*feed)->socket != NULL)
        (void)zmq_close((*feed)->socket);
    free(*feed);
    *feed = NULL;
}

const char *feed_endpoint(const struct feed *feed) {
    return feed->endpoint;
}

void feed_publish(struct feed *feed, const char *kind, const char *name, uint64_t number,
                  const struct msg_buffer *map) {
    char topic[128];
    unsigned char number_bytes[NUMBER_BYTES];
    const int length = snprintf(topic, sizeof(topic), "%s/%s/", kind, name);
    for (size_t i = 0; i < NUMBER_BYTES; i++)
        number_bytes[i] = (unsigned char)(number >> 8 * (NUMBER_BYTES - 1 - i));
    /* A PUB socket takes all frames of a message, or drops all for a peer: there is nothing to do about a failure. */
    if (length > 0 && (size_t)length < sizeof(topic) &&
        zmq_send(feed->socket, topic, (size_t)length, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0 &&
        zmq_send(feed->socket, number_bytes, NUMBER_BYTES, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0)
        (void)!zmq_send(feed->socket, map->bytes, map->n_bytes, ZMQ_DONTWAIT);
}
