/*
 * The agents' connections: who is greeted, how much credit is used, who sent
 * rubbish. Found by host (the key's, never what a message claims) and ZeroMQ
 * routing id. At most one session of a host is greeted.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { SESSION_PEER_BYTES = 255, SESSION_MAX_PER_HOST = 4, SESSION_MAX_SUPERSEDED = 64 };

/* A routing id of a ROUTER socket. */
struct session_peer {
    size_t n_bytes;
    unsigned char bytes[SESSION_PEER_BYTES];
};

struct session {
    char *host;
    struct session_peer peer;
    bool greeted; /* its HELLO was accepted */
    bool muted;   /* sent too much rubbish: unheard until a new HELLO */
    char *instance_id;
    unsigned n_malformed;
    unsigned n_unpaid; /* messages since the last grant of credit */
    double heard_ms;   /* monotonic */
    double resync_ms;  /* when it was last asked to greet */
};

struct session_table {
    size_t n_sessions, capacity;
    struct session **sessions;
    /* Instances that gave way to a newer one, a ring: they shall not take over again. */
    char *superseded[SESSION_MAX_SUPERSEDED];
    size_t next_superseded;
};

void session_table_dispose(struct session_table *table);

/* Finds or adds the session; a host's longest unheard one makes room for its
 * fifth. NULL when out of memory. */
struct session *session_get(struct session_table *table, const char *host, const struct session_peer *peer,
                            double now_ms);

/* The host's greeted session, or NULL. */
struct session *session_greeted(const struct session_table *table, const char *host);

/* Frees the session. */
void session_forget(struct session_table *table, struct session *session);

/* Remembers that a newer instance took over from this one, and forgets the session. */
void session_supersede(struct session_table *table, struct session *session);
bool session_is_superseded(const struct session_table *table, const char *instance_id);
