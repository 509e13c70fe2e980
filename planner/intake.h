/*
 * The planner's side of the conversation with agents (proto/GRAMMAR.md),
 * without sockets: frames in, decoded messages out to the handler, answers out
 * through a send function.
 *
 * Malformed messages are dropped, counted and logged; a connection that sent
 * 16 is rejected and unheard until a new HELLO. The first word of a connection
 * must be HELLO: anything else is answered by RESYNC.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/session.h"
#include "proto/msg_bye.h"
#include "proto/msg_event.h"
#include "proto/msg_hello.h"
#include "proto/msg_hold.h"
#include "proto/msg_pred.h"
#include "proto/msg_release.h"
#include "proto/msg_snapshot.h"
#include "proto/msg_status.h"

#include <stdint.h>

enum { INTAKE_CREDIT = 64, INTAKE_MAX_MALFORMED = 16 };

/* A message that was accepted; lent for the call. */
struct intake_message {
    const char *host; /* that the sender's key speaks for */
    enum msg_kind kind;
    const void *bytes; /* the map as it came */
    size_t n_bytes;
    union {
        struct msg_hello hello;
        struct msg_snapshot snapshot;
        struct msg_pred pred;
        struct msg_event event;
        struct msg_status status;
        struct msg_bye bye;
    };
};

struct intake_callbacks {
    void *context;
    void (*heard)(void *context, const struct intake_message *message);
    /* Sends without waiting; what cannot be sent is lost, as the grammar allows. */
    void (*send)(void *context, const struct session_peer *to, enum msg_kind kind, const void *bytes, size_t n_bytes);
};

struct intake_counters {
    uint64_t messages; /* all that came from keys of the allow-list */
    uint64_t malformed;
    uint64_t before_hello;
    uint64_t muted;
    uint64_t rejected; /* HELLOs, and agents that gave way to a newer instance */
    uint64_t over_credit;
};

/* Lines of the log that peers cause: so many in a window of time, no more. */
struct intake_log {
    double window_ms; /* when the current window began */
    unsigned n_lines; /* asked for in it */
};

struct intake {
    struct intake_callbacks callbacks;
    double status_interval_ms;
    struct session_table sessions;
    struct intake_counters counters;
    struct msg_buffer buffer;
    struct intake_log complaints, greetings;
};

/* One message as it came off the socket, its routing id taken off. */
struct intake_frames {
    struct session_peer peer;
    const char *host;
    const char *address; /* for the log */
    size_t n_frames;     /* a message has 2; of others only the count matters */
    const void *kind;
    size_t kind_bytes;
    const void *map;
    size_t map_bytes;
};

void intake_init(struct intake *intake, const struct intake_callbacks *callbacks, double status_interval_ms);
void intake_dispose(struct intake *intake);

void intake_receive(struct intake *intake, const struct intake_frames *frames, double now_ms);

/* Whether the host's agent is connected and was heard of late. */
bool intake_is_connected(const struct intake *intake, const char *host, double now_ms);

/* Sends to the host's agent; DC_EUNREACHABLE where there is none. */
DC_WARN_UNUSED enum dc_status intake_hold(struct intake *intake, const char *host, const struct msg_hold *msg,
                                          double now_ms, struct dc_error *err);
DC_WARN_UNUSED enum dc_status intake_release(struct intake *intake, const char *host, const struct msg_release *msg,
                                             double now_ms, struct dc_error *err);
