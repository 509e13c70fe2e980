/* The planner's SQLite file. Statements are prepared once; every call binds,
 * steps and resets one of them. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OLDEST_VERSION = 1, SCHEMA_VERSION = 2, APPLICATION_ID = 0x64636d70 /* "dcmp" */ };

static const char schema[] =
    "BEGIN IMMEDIATE; CREATE TABLE host (name TEXT PRIMARY KEY, snapshot BLOB, snapshot_unix_ms INTEGER,"
    " seen_unix_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE vm (uuid TEXT PRIMARY KEY, host TEXT, prediction BLOB,"
    " seen_unix_ms INTEGER NOT NULL);"
    "CREATE INDEX vm_host ON vm (host);"
    "CREATE TABLE event (number INTEGER PRIMARY KEY, instance_id TEXT NOT NULL,"
    " event_number INTEGER NOT NULL, host TEXT NOT NULL, vm TEXT NOT NULL,"
    " at_unix_ms INTEGER NOT NULL, record BLOB NOT NULL,"
    " UNIQUE (instance_id, event_number));"
    "CREATE TABLE plan (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " made_unix_ms INTEGER NOT NULL, summary TEXT NOT NULL, document TEXT NOT NULL, fleet TEXT);"
    "PRAGMA application_id = 1684237680; PRAGMA user_version = 1; COMMIT;";

/* What came after version 1. */
static const char upgrade[] =
    "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS observation (number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " stage INTEGER NOT NULL, record TEXT NOT NULL); PRAGMA user_version = 2; COMMIT;";

/* Old events and plans, and VMs gone for a week, make room. */
static const char prune[] =
    "DELETE FROM event WHERE number <= (SELECT max(number) FROM event) - 100000;"
    "DELETE FROM plan WHERE number <= (SELECT max(number) FROM plan) - 1000;"
    "DELETE FROM vm WHERE host IS NULL AND seen_unix_ms < CAST(strftime('%s', 'now', '-7 days') AS INTEGER) * 1000;";

#define STATEMENT_MAP(X)                                                                                         \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                                  \
    X(COMMIT, "COMMIT")                                                                                          \
    X(PUT_SEEN, "INSERT INTO host (name, seen_unix_ms) VALUES (?1, ?2)"                                          \
                " ON CONFLICT (name) DO UPDATE SET seen_unix_ms = ?2")                                           \
    X(PUT_SNAPSHOT, "INSERT INTO host (name, snapshot, snapshot_unix_ms, seen_unix_ms) VALUES (?1, ?2, ?3, ?3)"  \
                    " ON CONFLICT (name) DO UPDATE SET snapshot = ?2, snapshot_unix_ms = ?3, seen_unix_ms = ?3") \
    X(CLEAR_HOST, "UPDATE vm SET host = NULL WHERE host = ?1")                                                   \
    X(PUT_VM_HOST, "INSERT INTO vm (uuid, host, seen_unix_ms) VALUES (?1, ?2, ?3)"                               \
                   " ON CONFLICT (uuid) DO UPDATE SET host = ?2, seen_unix_ms = ?3")                             \
    X(PUT_PREDICTION, "UPDATE vm SET prediction = ?2, seen_unix_ms = ?3 WHERE uuid = ?1")                        \
    X(PUT_EVENT, "INSERT OR IGNORE INTO event (instance_id, event_number, host, vm, at_unix_ms, record)"         \
                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                                             \
    X(ADD_OBSERVATION, "INSERT INTO observation (stage, record) VALUES (?1, ?2)")                                \
    X(PUT_OBSERVATION, "UPDATE observation SET stage = ?1, record = ?2 WHERE number = ?3")                       \
    X(DROP_OBSERVATION, "DELETE FROM observation WHERE number = ?1")                                             \
    X(FORGET_OBSERVATIONS, "DELETE FROM observation WHERE number <= ?1")                                         \
    X(LIST_OBSERVATIONS, "SELECT number, stage, record FROM observation ORDER BY number")                        \
    X(PUT_PLAN, "INSERT OR REPLACE INTO plan (id, made_unix_ms, summary, document, fleet)"                       \
                " VALUES (?1, ?2, ?3, ?4, ?5)")                                                                  \
    X(FORGET_FLEETS, "UPDATE plan SET fleet = NULL"                                                              \
                     " WHERE fleet IS NOT NULL AND number <= (SELECT max(number) FROM plan) - ?1")               \
    X(GET_PLAN, "SELECT document FROM plan WHERE id = ?1")                                                       \
    X(GET_PLAN_FLEET, "SELECT fleet FROM plan WHERE id = ?1 AND fleet IS NOT NULL")                              \
    X(LIST_PLANS, "SELECT summary FROM plan ORDER BY number DESC")                                               \
    X(LIST_HOSTS, "SELECT name, snapshot, seen_unix_ms FROM host ORDER BY snapshot_unix_ms, name")               \
    X(LIST_VMS, "SELECT uuid, host, prediction, seen_unix_ms FROM vm ORDER BY uuid")

enum statement {
#define X(name, sql) name,
    STATEMENT_MAP(X)
#undef X
        N_STATEMENTS
};

static const char *const statement_sql[] = {
#define X(name, sql) [name] = (sql),
    STATEMENT_MAP(X)
#undef X
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    struct msg_buffer buffer; /* a prediction as it is written */
};

static enum dc_status fail(struct store *store, struct dc_error *err) {
    const int code = sqlite3_errcode(store->db);
    return error_set(err, code == SQLITE_NOTADB || code == SQLITE_CORRUPT ? DC_EPARSE : DC_EIO, "%s",
                     sqlite3_errmsg(store->db));
}

static enum dc_status execute(struct store *store, const char *sql, struct dc_error *err) {
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ? DC_OK : fail(store, err);
}

static bool bind_text(sqlite3_stmt *statement, int at, const char *text) {
    return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC) == SQLITE_OK; /* NULL binds NULL */
}

static bool bind_blob(sqlite3_stmt *statement, int at, const void *bytes, size_t n_bytes) {
    return sqlite3_bind_blob64(statement, at, bytes, n_bytes, SQLITE_STATIC) == SQLITE_OK;
}

static bool bind_int(sqlite3_stmt *statement, int at, int64_t value) {
    return sqlite3_bind_int64(statement, at, value) == SQLITE_OK;
}

/* Runs a bound statement that gives no rows, and makes it ready for its next use. */
static enum dc_status run(struct store *store, enum statement which, bool bound, struct dc_error *err) {
    sqlite3_stmt *statement = store->statements[which];
    enum dc_status rc = DC_OK;
    if (!bound || sqlite3_step(statement) != SQLITE_DONE)
        rc = fail(store, err);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return rc;
}

/* SQLite's own word: it ends a transaction by itself when the disk is full. */
static bool in_transaction(const struct store *store) {
    return sqlite3_get_autocommit(store->db) == 0;
}

static enum dc_status begin(struct store *store, struct dc_error *err) {
    return in_transaction(store) ? DC_OK : run(store, BEGIN, true, err);
}

enum dc_status store_commit(struct store *store, struct dc_error *err) {
    return in_transaction(store) ? run(store, COMMIT, true, err) : DC_OK;
}

static enum dc_status read_number(struct store *store, const char *sql, int64_t *number_out, struct dc_error *err) {
    sqlite3_stmt *statement = NULL;
    enum dc_status rc = DC_OK;
    if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        *number_out = sqlite3_column_int64(statement, 0);
    else
        rc = fail(store, err);
    (void)sqlite3_finalize(statement);
    return rc;
}

/* Refuses a file of another program or of a newer decamp. */
static enum dc_status check_file(struct store *store, bool *is_new_out, struct dc_error *err) {
    int64_t version = 0;
    int64_t application = 0;
    int64_t n_tables = 0;
    enum dc_status rc = read_number(store, "PRAGMA user_version", &version, err);
    if (rc == DC_OK)
        rc = read_number(store, "PRAGMA application_id", &application, err);
    if (rc == DC_OK)
        rc = read_number(store, "SELECT count(*) FROM sqlite_master", &n_tables, err);
    if (rc != DC_OK)
        return rc;
    *is_new_out = n_tables == 0;
    if (*is_new_out)
        return DC_OK;
    if (application != APPLICATION_ID)
        return error_set(err, DC_EPARSE, "expected a store of decamp-planner, got a database of another program");
    if (version < OLDEST_VERSION || version > SCHEMA_VERSION)
        return error_set(err, DC_EVERSION, "expected schema version %d to %d, got %lld", OLDEST_VERSION, SCHEMA_VERSION,
                         (long long)version);
    return DC_OK;
}

static enum dc_status prepare_statements(struct store *store, struct dc_error *err) {
    for (size_t i = 0; i < N_STATEMENTS; i++) {
        if (sqlite3_prepare_v3(store->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[i],
                               NULL) != SQLITE_OK)
            return fail(store, err);
    }
    return DC_OK;
}

enum dc_status store_open(const char *path, struct store **store_out, struct dc_error *err) {
    enum { BUSY_MS = 5000 }; /* somebody else reads the file with sqlite3 */
    struct store *store = calloc(1, sizeof(*store));
    *store_out = NULL;
    if (store == NULL)
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    bool is_new = false;
    if (sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
        rc = fail(store, err);
    if (rc == DC_OK && sqlite3_busy_timeout(store->db, BUSY_MS) != SQLITE_OK)
        rc = fail(store, err);
    if (rc == DC_OK)
        rc = check_file(store, &is_new, err); /* first: what is not ours stays as it is */
    if (rc == DC_OK)
        rc = execute(store, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", err);
    if (rc == DC_OK)
        rc = execute(store, is_new ? schema : prune, err);
    if (rc == DC_OK)
        rc = execute(store, upgrade, err);
    if (rc == DC_OK)
        rc = prepare_statements(store, err);
    if (rc != DC_OK) {
        (void)error_prefix(err, "%s", path);
        store_close(&store);
    }
    *store_out = store;
    return rc;
}

void store_close(struct store **store) {
    if (*store == NULL)
        return;
    for (size_t i = 0; i < N_STATEMENTS; i++)
        (void)sqlite3_finalize((*store)->statements[i]);
    (void)sqlite3_close((*store)->db);
    msg_buffer_dispose(&(*store)->buffer);
    free(*store);
    *store = NULL;
}

enum dc_status store_put_seen(struct store *store, const char *host, int64_t seen_unix_ms, struct dc_error *err) {
    const enum dc_status rc = begin(store, err);
    if (rc != DC_OK)
        return rc;
    sqlite3_stmt *statement = store->statements[PUT_SEEN];
    return run(store, PUT_SEEN, bind_text(statement, 1, host) && bind_int(statement, 2, seen_unix_ms), err);
}

enum dc_status store_put_vm_host(struct store *store, const char *uuid, const char *host, int64_t seen_unix_ms,
                                 struct dc_error *err) {
    const enum dc_status rc = begin(store, err);
    if (rc != DC_OK)
        return rc;
    sqlite3_stmt *statement = store->statements[PUT_VM_HOST];
    return run(store, PUT_VM_HOST,
               bind_text(statement, 1, uuid) && bind_text(statement, 2, host) && bind_int(statement, 3, seen_unix_ms),
               err);
}

enum dc_status store_put_snapshot(struct store *store, const char *host, const struct msg_snapshot *snapshot,
                                  const void *bytes, size_t n_bytes, int64_t seen_unix_ms, struct dc_error *err) {
    enum dc_status rc = begin(store, err);
    if (rc != DC_OK)
        return rc;
    sqlite3_stmt *statement = store->statements[PUT_SNAPSHOT];
    rc = run(store, PUT_SNAPSHOT,
             bind_text(statement, 1, host) && bind_blob(statement, 2, bytes, n_bytes) &&
                 bind_int(statement, 3, seen_unix_ms),
             err);
    if (rc == DC_OK)
        rc = run(store, CLEAR_HOST, bind_text(store->statements[CLEAR_HOST], 1, host), err);
    for (size_t i = 0; rc == DC_OK && i < snapshot->n_vms; i++)
        rc = store_put_vm_host(store, snapshot->vms[i].uuid, host, seen_unix_ms, err);
    return rc;
}

enum dc_status store_put_prediction(struct store *store, const char *boot_id, const struct msg_prediction *prediction,
                                    int64_t seen_unix_ms, struct dc_error *err) {
    struct msg_prediction one = *prediction;
    char *boot = strdup(boot_id);
    if (boot == NULL)
        return error_set_nomem(err);
    const struct msg_pred message = {.boot_id = boot, .n_predictions = 1, .predictions = &one};
    enum dc_status rc = msg_pred_write(&message, &store->buffer, err);
    free(boot);
    if (rc == DC_OK)
        rc = begin(store, err);
    if (rc != DC_OK)
        return rc;
    sqlite3_stmt *statement = store->statements[PUT_PREDICTION];
    return run(store, PUT_PREDICTION,
               bind_text(statement, 1, prediction->vm) &&
                   bind_blob(statement, 2, store->buffer.bytes, store->buffer.n_bytes) &&
                   bind_int(statement, 3, seen_unix_ms),
               err);
}

enum dc_status store_put_event(struct store *store, const char *host, const struct msg_event *event, const void *bytes,
                               size_t n_bytes, struct dc_error *err) {
    enum dc_status rc = begin(store, err);
    if (rc != DC_OK)
        return rc;
    sqlite3_stmt *statement = store->statements[PUT_EVENT];
    rc = run(store, PUT_EVENT,
             bind_text(statement, 1, event->instance_id) && bind_int(statement, 2, (int64_t)event->event_number) &&
                 bind_text(statement, 3, host) && bind_text(statement, 4, event->vm) &&
                 bind_int(statement, 5, event->at_unix_ms) && bind_blob(statement, 6, bytes, n_bytes),
             err);
    if (rc == DC_OK && sqlite3_changes(store->db) == 0)
        rc = error_set(err, DC_EEXIST, "event %llu of instance %s is known", (unsigned long long)event->event_number,
                       event->instance_id);
    return rc;
}

enum dc_status store_put_observation(struct store *store, int64_t *number, int stage, const char *text,
                                     struct dc_error *err) {
    enum dc_status rc = begin(store, err);
    if (rc != DC_OK)
        return rc;
    const enum statement which = *number == 0 ? ADD_OBSERVATION : PUT_OBSERVATION;
    sqlite3_stmt *statement = store->statements[which];
    bool bound = bind_int(statement, 1, stage) && bind_text(statement, 2, text);
    if (which == PUT_OBSERVATION)
        bound = bound && bind_int(statement, 3, *number);
    rc = run(store, which, bound, err);
    if (rc != DC_OK || which == PUT_OBSERVATION)
        return rc;
    *number = sqlite3_last_insert_rowid(store->db);
    return run(store, FORGET_OBSERVATIONS,
               bind_int(store->statements[FORGET_OBSERVATIONS], 1, *number - STORE_OBSERVATIONS_KEPT), err);
}

enum dc_status store_drop_observation(struct store *store, int64_t number, struct dc_error *err) {
    const enum dc_status rc = begin(store, err);
    if (rc != DC_OK)
        return rc;
    return run(store, DROP_OBSERVATION, bind_int(store->statements[DROP_OBSERVATION], 1, number), err);
}

enum dc_status store_put_plan(struct store *store, const struct store_plan *plan, struct dc_error *err) {
    enum dc_status rc = store_commit(store, err); /* synchronous cannot change within a transaction */
    if (rc == DC_OK)
        rc = execute(store, "PRAGMA synchronous = FULL", err);
    if (rc != DC_OK)
        return rc;
    sqlite3_stmt *statement = store->statements[PUT_PLAN];
    rc = run(store, PUT_PLAN,
             bind_text(statement, 1, plan->id) && bind_int(statement, 2, plan->made_unix_ms) &&
                 bind_text(statement, 3, plan->summary) && bind_text(statement, 4, plan->document) &&
                 bind_text(statement, 5, plan->fleet),
             err);
    if (rc == DC_OK)
        rc = run(store, FORGET_FLEETS, bind_int(store->statements[FORGET_FLEETS], 1, STORE_FLEETS_KEPT), err);
    const enum dc_status back = execute(store, "PRAGMA synchronous = NORMAL", rc == DC_OK ? err : NULL);
    return rc == DC_OK ? back : rc;
}

/* One text of the plan with this id. */
static enum dc_status get_text(struct store *store, enum statement which, const char *id, char **text_out,
                               struct dc_error *err) {
    sqlite3_stmt *statement = store->statements[which];
    enum dc_status rc = DC_OK;
    *text_out = NULL;
    const int r = bind_text(statement, 1, id) ? sqlite3_step(statement) : SQLITE_ERROR;
    if (r == SQLITE_ROW) {
        *text_out = strdup((const char *)sqlite3_column_text(statement, 0));
        rc = *text_out != NULL ? DC_OK : error_set_nomem(err);
    } else {
        rc = r == SQLITE_DONE ? error_set(err, DC_ENOTFOUND, "no plan%s has the id %s",
                                          which == GET_PLAN_FLEET ? " with its fleet still kept" : "", id)
                              : fail(store, err);
    }
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return rc;
}

enum dc_status store_get_plan(struct store *store, const char *id, char **document_out, struct dc_error *err) {
    return get_text(store, GET_PLAN, id, document_out, err);
}

enum dc_status store_get_plan_fleet(struct store *store, const char *id, char **fleet_out, struct dc_error *err) {
    return get_text(store, GET_PLAN_FLEET, id, fleet_out, err);
}

enum dc_status store_list_plans(struct store *store, void (*visit)(void *context, const char *summary), void *context,
                                struct dc_error *err) {
    sqlite3_stmt *statement = store->statements[LIST_PLANS];
    int r = SQLITE_DONE;
    while ((r = sqlite3_step(statement)) == SQLITE_ROW)
        visit(context, (const char *)sqlite3_column_text(statement, 0));
    const enum dc_status rc = r == SQLITE_DONE ? DC_OK : fail(store, err);
    (void)sqlite3_reset(statement);
    return rc;
}

/* Visits each row of one of the lists. */
static enum dc_status visit_rows(struct store *store, enum statement which, const struct store_visitor *visitor,
                                 struct dc_error *err) {
    sqlite3_stmt *row = store->statements[which];
    enum dc_status rc = DC_OK;
    int r = SQLITE_DONE;
    while (rc == DC_OK && (r = sqlite3_step(row)) == SQLITE_ROW) {
        const char *key = (const char *)sqlite3_column_text(row, 0);
        if (which == LIST_HOSTS)
            rc = visitor->host(visitor->context, key, sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1),
                               sqlite3_column_int64(row, 2), err);
        else if (which == LIST_OBSERVATIONS)
            rc = visitor->observation(visitor->context, sqlite3_column_int64(row, 0), sqlite3_column_int(row, 1),
                                      (const char *)sqlite3_column_text(row, 2), err);
        else
            rc = visitor->vm(visitor->context, key, (const char *)sqlite3_column_text(row, 1),
                             sqlite3_column_blob(row, 2), (size_t)sqlite3_column_bytes(row, 2),
                             sqlite3_column_int64(row, 3), err);
    }
    if (rc == DC_OK && r != SQLITE_DONE)
        rc = fail(store, err);
    (void)sqlite3_reset(row);
    return rc;
}

enum dc_status store_restore(struct store *store, const struct store_visitor *visitor, struct dc_error *err) {
    enum dc_status rc = visit_rows(store, LIST_HOSTS, visitor, err);
    if (rc == DC_OK)
        rc = visit_rows(store, LIST_VMS, visitor, err);
    return rc == DC_OK && visitor->observation != NULL ? visit_rows(store, LIST_OBSERVATIONS, visitor, err) : rc;
}
