/* SQLite with a write-ahead log and synchronous = FULL: a commit is on disk when it returns. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/journal.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCHEMA_VERSION = 1, N_KINDS = JOURNAL_END + 1 };

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE revision (number INTEGER PRIMARY KEY, at_unix_ms INTEGER NOT NULL, reason TEXT NOT NULL,"
    " document TEXT NOT NULL);"
    "CREATE TABLE entry (number INTEGER PRIMARY KEY AUTOINCREMENT, at_unix_ms INTEGER NOT NULL, kind TEXT NOT NULL,"
    " revision INTEGER NOT NULL, step INTEGER NOT NULL, attempt INTEGER NOT NULL, vm TEXT NOT NULL,"
    " \"from\" TEXT NOT NULL, \"to\" TEXT NOT NULL, text TEXT NOT NULL);"
    "PRAGMA application_id = 1684237674; PRAGMA user_version = 1; COMMIT;";

struct journal {
    sqlite3 *db;
    char *dir;
    int lock_fd;
};

static const char *const kind_texts[] = {
#define X(name, text) [JOURNAL_##name] = (text),
    JOURNAL_KIND_MAP(X)
#undef X
};

const char *journal_kind_text(enum journal_kind kind) {
    return kind_texts[kind];
}

static enum dc_status fail(const struct journal *journal, struct dc_error *err) {
    return error_set(err, DC_EIO, "the journal %s/journal.sqlite: %s", journal->dir, sqlite3_errmsg(journal->db));
}

/* mkdir -p. */
static enum dc_status make_folders(const char *path, struct dc_error *err) {
    char *copy = strdup(path);
    enum dc_status rc = copy == NULL ? error_set_nomem(err) : DC_OK;
    for (char *at = copy; rc == DC_OK && at != NULL;) {
        at = strchr(at + 1, '/');
        if (at != NULL)
            *at = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            rc = error_set_errno(err, errno, "%s: cannot be made", copy);
        if (at != NULL)
            *at = '/';
    }
    free(copy);
    return rc;
}

static enum dc_status lock(struct journal *journal, struct dc_error *err) {
    char *path = NULL;
    if (asprintf(&path, "%s/lock", journal->dir) < 0)
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    journal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (journal->lock_fd < 0)
        rc = error_set_errno(err, errno, "%s", path);
    else if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) != 0)
        rc = error_set(err, DC_EBUSY, "this plan is being applied by another process (%s is locked)", path);
    free(path);
    return rc;
}

static enum dc_status read_number(struct journal *journal, const char *sql, int64_t *number_out, struct dc_error *err) {
    sqlite3_stmt *statement = NULL;
    enum dc_status rc = DC_OK;
    if (sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        *number_out = sqlite3_column_int64(statement, 0);
    else
        rc = fail(journal, err);
    (void)sqlite3_finalize(statement);
    return rc;
}

static enum dc_status execute(struct journal *journal, const char *sql, struct dc_error *err) {
    return sqlite3_exec(journal->db, sql, NULL, NULL, NULL) == SQLITE_OK ? DC_OK : fail(journal, err);
}

static enum dc_status open_file(struct journal *journal, struct dc_error *err) {
    enum { BUSY_MS = 5000 }; /* somebody reads along with sqlite3 */
    int64_t n_tables = 0;
    int64_t version = 0;
    char *path = NULL;
    if (asprintf(&path, "%s/journal.sqlite", journal->dir) < 0)
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    if (sqlite3_open_v2(path, &journal->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(journal->db, BUSY_MS) != SQLITE_OK)
        rc = fail(journal, err);
    free(path);
    if (rc == DC_OK)
        rc = read_number(journal, "SELECT count(*) FROM sqlite_master", &n_tables, err);
    if (rc == DC_OK)
        rc = execute(journal, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", err);
    if (rc == DC_OK && n_tables == 0)
        rc = execute(journal, schema, err);
    if (rc == DC_OK)
        rc = read_number(journal, "PRAGMA user_version", &version, err);
    if (rc == DC_OK && version != SCHEMA_VERSION)
        rc = error_set(err, DC_EVERSION, "%s/journal.sqlite: expected schema version %d, got %lld", journal->dir,
                       SCHEMA_VERSION, (long long)version);
    return rc;
}

enum dc_status journal_open(const char *state_dir, const char *plan_id, struct journal **journal_out,
                            struct dc_error *err) {
    *journal_out = NULL;
    if (plan_id[0] == '\0' || plan_id[strspn(plan_id, "0123456789abcdef")] != '\0')
        return error_set(err, DC_EINVAL, "id: expected hexadecimal digits, got \"%s\"", plan_id);
    struct journal *journal = calloc(1, sizeof(*journal));
    if (journal == NULL)
        return error_set_nomem(err);
    journal->lock_fd = -1;
    if (asprintf(&journal->dir, "%s/%s", state_dir, plan_id) < 0) {
        free(journal);
        return error_set_nomem(err);
    }
    enum dc_status rc = make_folders(journal->dir, err);
    if (rc == DC_OK)
        rc = lock(journal, err);
    if (rc == DC_OK)
        rc = open_file(journal, err);
    if (rc != DC_OK)
        journal_close(&journal);
    *journal_out = journal;
    return rc;
}

void journal_close(struct journal **journal) {
    if (*journal == NULL)
        return;
    (void)sqlite3_close((*journal)->db);
    if ((*journal)->lock_fd >= 0)
        (void)close((*journal)->lock_fd);
    free((*journal)->dir);
    free(*journal);
    *journal = NULL;
}

const char *journal_dir(const struct journal *journal) {
    return journal->dir;
}

enum dc_status journal_count(struct journal *journal, unsigned *n_revisions_out, struct dc_error *err) {
    int64_t n = 0;
    const enum dc_status rc = read_number(journal, "SELECT count(*) FROM revision", &n, err);
    *n_revisions_out = (unsigned)n;
    return rc;
}

static bool bind_text(sqlite3_stmt *statement, int at, const char *text) {
    return sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC) == SQLITE_OK;
}

static bool bind_int(sqlite3_stmt *statement, int at, int64_t value) {
    return sqlite3_bind_int64(statement, at, value) == SQLITE_OK;
}

enum dc_status journal_add_plan(struct journal *journal, const char *document, const char *reason,
                                struct dc_error *err) {
    sqlite3_stmt *statement = NULL;
    static const char sql[] = "INSERT INTO revision (number, at_unix_ms, reason, document)"
                              " SELECT count(*), ?1, ?2, ?3 FROM revision";
    const bool ok = sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL) == SQLITE_OK &&
                    bind_int(statement, 1, clock_unix_ms()) && bind_text(statement, 2, reason) &&
                    bind_text(statement, 3, document) && sqlite3_step(statement) == SQLITE_DONE;
    const enum dc_status rc = ok ? DC_OK : fail(journal, err);
    (void)sqlite3_finalize(statement);
    return rc;
}

enum dc_status journal_plan(struct journal *journal, unsigned revision, char **document_out, struct dc_error *err) {
    sqlite3_stmt *statement = NULL;
    enum dc_status rc = DC_OK;
    *document_out = NULL;
    if (sqlite3_prepare_v2(journal->db, "SELECT document FROM revision WHERE number = ?1", -1, &statement, NULL) !=
            SQLITE_OK ||
        !bind_int(statement, 1, revision))
        rc = fail(journal, err);
    else if (sqlite3_step(statement) != SQLITE_ROW)
        rc = error_set(err, DC_ENOTFOUND, "the journal %s has no plan %u", journal->dir, revision);
    else if ((*document_out = strdup((const char *)sqlite3_column_text(statement, 0))) == NULL)
        rc = error_set_nomem(err);
    (void)sqlite3_finalize(statement);
    return rc;
}

enum dc_status journal_write(struct journal *journal, const struct journal_entry *entry, struct dc_error *err) {
    sqlite3_stmt *statement = NULL;
    static const char sql[] =
        "INSERT INTO entry (at_unix_ms, kind, revision, step, attempt, vm, \"from\", \"to\", text)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    const bool ok = sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL) == SQLITE_OK &&
                    bind_int(statement, 1, clock_unix_ms()) && bind_text(statement, 2, kind_texts[entry->kind]) &&
                    bind_int(statement, 3, entry->revision) && bind_int(statement, 4, entry->step) &&
                    bind_int(statement, 5, entry->attempt) && bind_text(statement, 6, entry->vm) &&
                    bind_text(statement, 7, entry->from) && bind_text(statement, 8, entry->to) &&
                    bind_text(statement, 9, entry->text) && sqlite3_step(statement) == SQLITE_DONE;
    const enum dc_status rc = ok ? DC_OK : fail(journal, err);
    (void)sqlite3_finalize(statement);
    return rc;
}

static enum dc_status read_row(const struct journal *journal, sqlite3_stmt *statement, struct journal_entry *entry,
                               struct dc_error *err) {
    const char *kind = (const char *)sqlite3_column_text(statement, 1);
    unsigned i = 0;
    while (i < N_KINDS && strcmp(kind_texts[i], kind) != 0)
        i++;
    if (i == N_KINDS)
        return error_set(err, DC_EVERSION, "the journal %s has an entry of kind %s", journal->dir, kind);
    *entry = (struct journal_entry){.kind = (enum journal_kind)i,
                                    .at_unix_ms = sqlite3_column_int64(statement, 0),
                                    .revision = (unsigned)sqlite3_column_int64(statement, 2),
                                    .step = (unsigned)sqlite3_column_int64(statement, 3),
                                    .attempt = (unsigned)sqlite3_column_int64(statement, 4),
                                    .vm = (const char *)sqlite3_column_text(statement, 5),
                                    .from = (const char *)sqlite3_column_text(statement, 6),
                                    .to = (const char *)sqlite3_column_text(statement, 7),
                                    .text = (const char *)sqlite3_column_text(statement, 8)};
    return DC_OK;
}

enum dc_status journal_read(struct journal *journal,
                            enum dc_status (*each)(void *context, const struct journal_entry *entry,
                                                   struct dc_error *err),
                            void *context, struct dc_error *err) {
    sqlite3_stmt *statement = NULL;
    static const char sql[] = "SELECT at_unix_ms, kind, revision, step, attempt, vm, \"from\", \"to\", text FROM entry"
                              " ORDER BY number";
    enum dc_status rc =
        sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL) == SQLITE_OK ? DC_OK : fail(journal, err);
    while (rc == DC_OK) {
        struct journal_entry entry;
        const int r = sqlite3_step(statement);
        if (r == SQLITE_DONE)
            break;
        rc = r == SQLITE_ROW ? read_row(journal, statement, &entry, err) : fail(journal, err);
        if (rc == DC_OK)
            rc = each(context, &entry, err);
    }
    (void)sqlite3_finalize(statement);
    return rc;
}
