/* Sessions in a plain array: there are about as many as hosts. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/session.h"

#include "base/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void free_session(struct session *session) {
    free(session->host);
    free(session->instance_id);
    free(session);
}

void session_table_dispose(struct session_table *table) {
    for (size_t i = 0; i < table->n_sessions; i++)
        free_session(table->sessions[i]);
    for (size_t i = 0; i < SESSION_MAX_SUPERSEDED; i++)
        free(table->superseded[i]);
    free(table->sessions);
    *table = (struct session_table){0};
}

static bool same_peer(const struct session_peer *a, const struct session_peer *b) {
    return a->n_bytes == b->n_bytes && memcmp(a->bytes, b->bytes, a->n_bytes) == 0;
}

void session_forget(struct session_table *table, struct session *session) {
    for (size_t i = 0; i < table->n_sessions; i++) {
        if (table->sessions[i] == session) {
            table->sessions[i] = table->sessions[--table->n_sessions];
            free_session(session);
            return;
        }
    }
}

/* Before a session of `host` is added: at most SESSION_MAX_PER_HOST - 1 stay. */
static void make_room(struct session_table *table, const char *host) {
    struct session *oldest = NULL;
    size_t n = 0;
    for (size_t i = 0; i < table->n_sessions; i++) {
        struct session *session = table->sessions[i];
        if (strcmp(session->host, host) != 0)
            continue;
        n++;
        if (!session->greeted && (oldest == NULL || session->heard_ms < oldest->heard_ms))
            oldest = session;
    }
    if (n >= SESSION_MAX_PER_HOST && oldest != NULL)
        session_forget(table, oldest);
}

static struct session *add(struct session_table *table, const char *host, const struct session_peer *peer) {
    make_room(table, host);
    void *items = table->sessions;
    if (!vec_reserve(&items, &table->capacity, table->n_sessions + 1, sizeof(void *)))
        return NULL;
    table->sessions = items;
    struct session *session = calloc(1, sizeof(*session));
    if (session == NULL)
        return NULL;
    session->host = strdup(host);
    if (session->host == NULL) {
        free(session);
        return NULL;
    }
    session->peer = *peer;
    session->resync_ms = -INFINITY;
    table->sessions[table->n_sessions++] = session;
    return session;
}

struct session *session_get(struct session_table *table, const char *host, const struct session_peer *peer,
                            double now_ms) {
    struct session *session = NULL;
    for (size_t i = 0; i < table->n_sessions && session == NULL; i++) {
        if (same_peer(&table->sessions[i]->peer, peer) && strcmp(table->sessions[i]->host, host) == 0)
            session = table->sessions[i];
    }
    if (session == NULL)
        session = add(table, host, peer);
    if (session != NULL)
        session->heard_ms = now_ms;
    return session;
}

struct session *session_greeted(const struct session_table *table, const char *host) {
    for (size_t i = 0; i < table->n_sessions; i++) {
        if (table->sessions[i]->greeted && strcmp(table->sessions[i]->host, host) == 0)
            return table->sessions[i];
    }
    return NULL;
}

void session_supersede(struct session_table *table, struct session *session) {
    free(table->superseded[table->next_superseded]);
    table->superseded[table->next_superseded] = session->instance_id;
    session->instance_id = NULL;
    table->next_superseded = (table->next_superseded + 1) % SESSION_MAX_SUPERSEDED;
    session_forget(table, session);
}

bool session_is_superseded(const struct session_table *table, const char *instance_id) {
    for (size_t i = 0; i < SESSION_MAX_SUPERSEDED; i++) {
        if (table->superseded[i] != NULL && strcmp(table->superseded[i], instance_id) == 0)
            return true;
    }
    return false;
}
