/* The ring of bursts in SQLite: one row a burst, the curve as pairs of doubles. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/history.h"

#include "base/log.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* PRAGMA application_id: "dcmp". user_version is the schema's. */
#define APPLICATION_ID "1684237680"
#define SCHEMA_VERSION "1"

enum { MOST_POINTS = 4096 }; /* of a curve read back: more is damage */

struct history {
    sqlite3 *db;
    size_t n_keep;
    sqlite3_stmt *insert, *trim, *load;
};

static const char schema[] = "CREATE TABLE IF NOT EXISTS burst ("
                             " vm TEXT NOT NULL, sample_number INTEGER NOT NULL, at_unix_ms INTEGER NOT NULL,"
                             " points BLOB NOT NULL, PRIMARY KEY (vm, sample_number)) WITHOUT ROWID;"
                             "PRAGMA application_id = " APPLICATION_ID ";"
                             "PRAGMA user_version = " SCHEMA_VERSION ";";

static enum dc_status sqlite_error(struct history *history, const char *what, struct dc_error *err) {
    return error_set(err, DC_EIO, "history: %s: %s", what, sqlite3_errmsg(history->db));
}

static enum dc_status execute(struct history *history, const char *sql, struct dc_error *err) {
    if (sqlite3_exec(history->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_error(history, "cannot set up", err);
    return DC_OK;
}

static enum dc_status prepare(struct history *history, const char *sql, sqlite3_stmt **statement_out,
                              struct dc_error *err) {
    if (sqlite3_prepare_v3(history->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement_out, NULL) != SQLITE_OK)
        return sqlite_error(history, "cannot prepare", err);
    return DC_OK;
}

static enum dc_status read_pragma(struct history *history, const char *sql, long long *value_out,
                                  struct dc_error *err) {
    sqlite3_stmt *statement = NULL;
    enum dc_status rc = prepare(history, sql, &statement, err);
    if (rc == DC_OK) {
        if (sqlite3_step(statement) == SQLITE_ROW)
            *value_out = sqlite3_column_int64(statement, 0);
        else
            rc = sqlite_error(history, "cannot read", err);
    }
    (void)sqlite3_finalize(statement);
    return rc;
}

/* A file of somebody else, or of a newer agent, is left alone. */
static enum dc_status check_is_ours(struct history *history, const char *path, struct dc_error *err) {
    long long application = 0, version = 0, n_tables = 0;
    enum dc_status rc = read_pragma(history, "PRAGMA application_id", &application, err);
    if (rc == DC_OK)
        rc = read_pragma(history, "PRAGMA user_version", &version, err);
    if (rc == DC_OK)
        rc = read_pragma(history, "SELECT count(*) FROM sqlite_master", &n_tables, err);
    if (rc != DC_OK)
        return error_prefix(err, "%s", path);
    if (application == 0 && n_tables == 0)
        return DC_OK;
    if (application != atoll(APPLICATION_ID))
        return error_set(err, DC_EEXIST, "%s: not a history of decamp-agent", path);
    if (version > atoll(SCHEMA_VERSION))
        return error_set(err, DC_EVERSION, "%s: written by a newer decamp-agent (version %lld)", path, version);
    return DC_OK;
}

static enum dc_status prepare_all(struct history *history, struct dc_error *err) {
    enum dc_status rc = execute(history, schema, err);
    if (rc == DC_OK)
        rc = prepare(history,
                     "INSERT INTO burst (vm, sample_number, at_unix_ms, points) VALUES (?1,"
                     " 1 + coalesce((SELECT max(sample_number) FROM burst WHERE vm = ?1), 0), ?2, ?3)"
                     " RETURNING sample_number",
                     &history->insert, err);
    if (rc == DC_OK)
        rc = prepare(history, "DELETE FROM burst WHERE vm = ?1 AND sample_number <= ?2", &history->trim, err);
    if (rc == DC_OK)
        rc = prepare(history,
                     "SELECT sample_number, at_unix_ms, points FROM (SELECT * FROM burst WHERE vm = ?1"
                     " ORDER BY sample_number DESC LIMIT ?2) ORDER BY sample_number",
                     &history->load, err);
    return rc;
}

enum dc_status history_open(const char *state_dir, size_t n_keep, struct history **history_out, struct dc_error *err) {
    *history_out = NULL;
    char path[4096];
    const int n = snprintf(path, sizeof(path), "%s/history.sqlite", state_dir);
    if (n < 0 || (size_t)n >= sizeof(path))
        return error_set(err, DC_ERANGE, "state_dir: the path is too long");
    struct history *history = calloc(1, sizeof(*history));
    if (history == NULL)
        return error_set_nomem(err);
    history->n_keep = n_keep > 0 ? n_keep : 1;
    enum dc_status rc = DC_OK;
    if (sqlite3_open_v2(path, &history->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        rc = error_set(err, DC_EIO, "%s: %s", path, sqlite3_errmsg(history->db));
        goto out;
    }
    (void)sqlite3_busy_timeout(history->db, 2000);
    rc = check_is_ours(history, path, err);
    if (rc != DC_OK)
        goto out;
    /* NORMAL in WAL: nothing is lost when the agent is killed, at most the last bursts when the host is. */
    rc = execute(history, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;", err);
    if (rc == DC_OK)
        rc = prepare_all(history, err);
    if (rc != DC_OK)
        error_prefix(err, "%s", path);
out:
    if (rc != DC_OK)
        history_free(&history);
    *history_out = history;
    return rc;
}

void history_free(struct history **history) {
    struct history *h = *history;
    if (h == NULL)
        return;
    (void)sqlite3_finalize(h->insert);
    (void)sqlite3_finalize(h->trim);
    (void)sqlite3_finalize(h->load);
    if (sqlite3_close(h->db) != SQLITE_OK)
        log_warn("history: %s", sqlite3_errmsg(h->db));
    free(h);
    *history = NULL;
}

static enum dc_status insert_burst(struct history *history, const char *vm, int64_t at_unix_ms,
                                   const struct dirty_curve *curve, uint64_t *sample_number_out, struct dc_error *err) {
    sqlite3_stmt *statement = history->insert;
    (void)sqlite3_bind_text(statement, 1, vm, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, at_unix_ms);
    (void)sqlite3_bind_blob64(statement, 3, curve->points, curve->n_points * sizeof(*curve->points), SQLITE_STATIC);
    enum dc_status rc = DC_OK;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *sample_number_out = (uint64_t)sqlite3_column_int64(statement, 0);
    else
        rc = sqlite_error(history, "cannot add a burst", err);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return rc;
}

static enum dc_status trim_bursts(struct history *history, const char *vm, uint64_t sample_number,
                                  struct dc_error *err) {
    if (sample_number <= history->n_keep)
        return DC_OK;
    sqlite3_stmt *statement = history->trim;
    (void)sqlite3_bind_text(statement, 1, vm, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)(sample_number - history->n_keep));
    enum dc_status rc = DC_OK;
    if (sqlite3_step(statement) != SQLITE_DONE)
        rc = sqlite_error(history, "cannot drop old bursts", err);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return rc;
}

enum dc_status history_add(struct history *history, const char *vm, int64_t at_unix_ms, const struct dirty_curve *curve,
                           uint64_t *sample_number_out, struct dc_error *err) {
    *sample_number_out = 0;
    if (curve->n_points == 0 || curve->n_points > MOST_POINTS)
        return error_set(err, DC_EINVAL, "history: a burst of %zu points", curve->n_points);
    enum dc_status rc = execute(history, "BEGIN IMMEDIATE", err);
    if (rc != DC_OK)
        return rc;
    rc = insert_burst(history, vm, at_unix_ms, curve, sample_number_out, err);
    if (rc == DC_OK)
        rc = trim_bursts(history, vm, *sample_number_out, err);
    if (rc == DC_OK)
        rc = execute(history, "COMMIT", err);
    if (rc != DC_OK)
        (void)sqlite3_exec(history->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* Appends the row's burst. A damaged row is told and left out: the rest is still good. */
static enum dc_status append_row(sqlite3_stmt *row, const char *vm, struct dirty_profile *profile,
                                 struct dc_error *err) {
    const size_t n_bytes = (size_t)sqlite3_column_bytes(row, 2);
    const size_t n_points = n_bytes / sizeof(struct dirty_point);
    if (n_points == 0 || n_points > MOST_POINTS || n_bytes % sizeof(struct dirty_point) != 0) {
        log_warn("history: burst %lld of %s is damaged: left out", (long long)sqlite3_column_int64(row, 0), vm);
        return DC_OK;
    }
    struct dirty_point *points = malloc(n_bytes);
    if (points == NULL)
        return error_set_nomem(err);
    memcpy(points, sqlite3_column_blob(row, 2), n_bytes);
    const struct dirty_curve curve = {.n_points = n_points, .points = points};
    struct dc_error row_error = DC_ERROR_NONE;
    enum dc_status rc = dirty_profile_add(profile, sqlite3_column_int64(row, 1), &curve, &row_error);
    free(points);
    if (rc == DC_ENOMEM)
        return error_set_nomem(err);
    if (rc != DC_OK)
        log_warn("history: burst %lld of %s is damaged: %s", (long long)sqlite3_column_int64(row, 0), vm,
                 error_text(&row_error));
    return DC_OK;
}

enum dc_status history_load(struct history *history, const char *vm, size_t n_most, struct dirty_profile *profile_out,
                            uint64_t *sample_number_out, struct dc_error *err) {
    *profile_out = (struct dirty_profile){.kind = DIRTY_PROFILE_NONE};
    *sample_number_out = 0;
    struct dirty_profile profile = {.kind = DIRTY_PROFILE_CURVE};
    sqlite3_stmt *statement = history->load;
    (void)sqlite3_bind_text(statement, 1, vm, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)n_most);
    enum dc_status rc = DC_OK;
    int r = sqlite3_step(statement);
    for (; rc == DC_OK && r == SQLITE_ROW; r = sqlite3_step(statement)) {
        *sample_number_out = (uint64_t)sqlite3_column_int64(statement, 0);
        rc = append_row(statement, vm, &profile, err);
    }
    if (rc == DC_OK && r != SQLITE_DONE)
        rc = sqlite_error(history, "cannot read", err);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    if (rc != DC_OK || profile.n_bursts == 0)
        dirty_profile_dispose(&profile);
    else
        *profile_out = profile;
    return rc;
}

enum dc_status history_prune(struct history *history, int64_t before_unix_ms, struct dc_error *err) {
    sqlite3_stmt *statement = NULL;
    enum dc_status rc =
        prepare(history, "DELETE FROM burst WHERE vm IN (SELECT vm FROM burst GROUP BY vm HAVING max(at_unix_ms) < ?1)",
                &statement, err);
    if (rc != DC_OK)
        return rc;
    (void)sqlite3_bind_int64(statement, 1, before_unix_ms);
    if (sqlite3_step(statement) != SQLITE_DONE)
        rc = sqlite_error(history, "cannot prune", err);
    (void)sqlite3_finalize(statement);
    return rc;
}
