/* The store: what comes back after a close, a kill, and from files that are none. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/store.h"

#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define UUID_1 "11111111-1111-4111-8111-111111111111"
#define UUID_2 "22222222-2222-4222-8222-222222222222"

enum { LOG_BYTES = 4096 };

struct fixture {
    char directory[64];
    char path[96];
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/test_store.XXXXXX");
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/store", fixture->directory);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s%s", fixture->path, suffixes[i]);
        (void)unlink(path);
    }
    (void)rmdir(fixture->directory);
    free(fixture);
    return 0;
}

static struct store *open_store(const struct fixture *fixture) {
    struct dc_error err = DC_ERROR_NONE;
    struct store *store = NULL;
    assert_int_equal(store_open(fixture->path, &store, &err), DC_OK);
    return store;
}

static void put_snapshot(struct store *store, const char *host, const char *const *uuids, int64_t seen_unix_ms) {
    struct fleet_vm vms[4] = {0};
    struct msg_snapshot snapshot = {.vms = vms};
    for (; uuids[snapshot.n_vms] != NULL; snapshot.n_vms++)
        vms[snapshot.n_vms].uuid = (char *)(uintptr_t)uuids[snapshot.n_vms];
    assert_int_equal(store_put_snapshot(store, host, &snapshot, "bytes", 5, seen_unix_ms, NULL), DC_OK);
}

static enum dc_status log_host(void *context, const char *name, const void *bytes, size_t n_bytes, int64_t seen_unix_ms,
                               struct dc_error *err) {
    char *log = context;
    (void)err;
    (void)snprintf(log + strlen(log), LOG_BYTES - strlen(log), "%s(%.*s)@%lld ", name, (int)n_bytes,
                   bytes != NULL ? (const char *)bytes : "", (long long)seen_unix_ms);
    return DC_OK;
}

static enum dc_status log_vm(void *context, const char *uuid, const char *host, const void *bytes, size_t n_bytes,
                             int64_t seen_unix_ms, struct dc_error *err) {
    char *log = context;
    struct msg_pred pred = {0};
    (void)err;
    if (bytes != NULL)
        assert_int_equal(msg_pred_read(bytes, n_bytes, &pred, NULL), DC_OK);
    (void)snprintf(log + strlen(log), LOG_BYTES - strlen(log), "%.1s:%s/%lld@%lld ", uuid, host != NULL ? host : "-",
                   pred.n_predictions == 1 ? (long long)pred.predictions[0].sample_number : -1,
                   (long long)seen_unix_ms);
    msg_pred_dispose(&pred);
    return DC_OK;
}

static void assert_content(struct store *store, const char *expected) {
    char log[LOG_BYTES] = "";
    const struct store_visitor visitor = {.context = log, .host = log_host, .vm = log_vm};
    assert_int_equal(store_restore(store, &visitor, NULL), DC_OK);
    assert_string_equal(log, expected);
}

static void put_prediction(struct store *store, const char *uuid, uint64_t sample_number) {
    struct dc_error err = DC_ERROR_NONE;
    struct prediction_point point = {.bandwidth_bytes_per_s = 1e8, .bytes = 5, .n_rounds = 1, .converges = true};
    struct msg_prediction prediction = {.sample_number = sample_number,
                                        .prediction = {.n_points = 1, .points = &point}};
    (void)snprintf(prediction.vm, sizeof(prediction.vm), "%s", uuid);
    assert_int_equal(store_put_prediction(store, "boot", &prediction, 30, &err), DC_OK);
}

static void test_round_trip(void **state) {
    struct store *store = open_store(*state);
    assert_content(store, "");
    assert_int_equal(store_put_seen(store, "h0", 5, NULL), DC_OK);
    put_snapshot(store, "h2", (const char *const[]){UUID_2, NULL}, 10);
    put_snapshot(store, "h1", (const char *const[]){UUID_1, NULL}, 20);
    put_prediction(store, UUID_1, 7);
    put_prediction(store, "99999999-9999-4999-8999-999999999999", 7); /* unknown: nothing to keep it with */
    assert_int_equal(store_put_seen(store, "h2", 40, NULL), DC_OK);
    const char *content = "h0()@5 h2(bytes)@40 h1(bytes)@20 1:h1/7@30 2:h2/-1@10 ";
    assert_content(store, content);
    assert_int_equal(store_commit(store, NULL), DC_OK);
    assert_int_equal(store_commit(store, NULL), DC_OK);
    store_close(&store);
    store_close(&store);
    store = open_store(*state);
    assert_content(store, content);
    put_snapshot(store, "h1", (const char *const[]){UUID_2, NULL}, 50); /* 1 is gone, 2 moved; predictions stay */
    assert_content(store, "h0()@5 h2(bytes)@40 h1(bytes)@50 1:-/7@30 2:h1/-1@50 ");
    assert_int_equal(store_put_vm_host(store, UUID_2, "h2", 60, NULL), DC_OK);
    assert_int_equal(store_put_vm_host(store, UUID_1, NULL, 60, NULL), DC_OK);
    assert_content(store, "h0()@5 h2(bytes)@40 h1(bytes)@50 1:-/7@60 2:h2/-1@60 ");
    store_close(&store);
    store = open_store(*state); /* nothing since was committed */
    assert_content(store, content);
    store_close(&store);
}

static void test_events_once(void **state) {
    struct store *store = open_store(*state);
    static char instance[] = "i";
    struct msg_event event = {.instance_id = instance, .event_number = 1, .vm = UUID_1};
    for (int i = 0; i < 3; i++)
        assert_int_equal(store_put_event(store, "h1", &event, "x", 1, NULL), i == 0 ? DC_OK : DC_EEXIST);
    event.event_number = 2;
    assert_int_equal(store_put_event(store, "h1", &event, "x", 1, NULL), DC_OK);
    assert_int_equal(store_commit(store, NULL), DC_OK);
    store_close(&store);
}

static enum dc_status no_host(void *context, const char *name, const void *bytes, size_t n_bytes, int64_t seen_unix_ms,
                              struct dc_error *err) {
    (void)context, (void)name, (void)bytes, (void)n_bytes, (void)seen_unix_ms, (void)err;
    return DC_OK;
}

static enum dc_status no_vm(void *context, const char *uuid, const char *host, const void *bytes, size_t n_bytes,
                            int64_t seen_unix_ms, struct dc_error *err) {
    (void)context, (void)uuid, (void)host, (void)bytes, (void)n_bytes, (void)seen_unix_ms, (void)err;
    return DC_OK;
}

static enum dc_status log_observation(void *context, int64_t number, int stage, const char *text,
                                      struct dc_error *err) {
    char *log = context;
    (void)err;
    const size_t used = strlen(log);
    (void)snprintf(log + used, LOG_BYTES - used, "%lld:%d:%s ", (long long)number, stage, text);
    return DC_OK;
}

static void assert_observations(struct store *store, const char *expected) {
    char log[LOG_BYTES] = "";
    const struct store_visitor visitor = {.context = log, .host = no_host, .vm = no_vm, .observation = log_observation};
    assert_int_equal(store_restore(store, &visitor, NULL), DC_OK);
    assert_string_equal(log, expected);
}

static void test_observations(void **state) {
    struct store *store = open_store(*state);
    int64_t first = 0;
    int64_t second = 0;
    assert_int_equal(store_put_observation(store, &first, 0, "a", NULL), DC_OK);
    assert_int_equal(store_put_observation(store, &second, 1, "b", NULL), DC_OK);
    assert_int_equal(store_put_observation(store, &first, 2, "c", NULL), DC_OK);
    assert_int_equal(store_commit(store, NULL), DC_OK);
    store_close(&store);
    store = open_store(*state);
    assert_observations(store, "1:2:c 2:1:b ");
    assert_int_equal(store_drop_observation(store, second, NULL), DC_OK);
    second = 0;
    assert_int_equal(store_put_observation(store, &second, 1, "d", NULL), DC_OK);
    assert_observations(store, "1:2:c 3:1:d "); /* a number is not given twice */
    for (int i = 0; i < STORE_OBSERVATIONS_KEPT; i++) {
        int64_t number = 0;
        assert_int_equal(store_put_observation(store, &number, 3, "", NULL), DC_OK);
    }
    char log[LOG_BYTES] = "";
    const struct store_visitor visitor = {.context = log, .host = no_host, .vm = no_vm, .observation = log_observation};
    assert_int_equal(store_restore(store, &visitor, NULL), DC_OK);
    assert_true(strncmp(log, "4:3: ", 5) == 0); /* the oldest made room */
    store_close(&store);
}

static void count_plan(void *context, const char *summary) {
    char *log = context;
    (void)snprintf(log + strlen(log), LOG_BYTES - strlen(log), "%s", summary);
}

static enum dc_status put_plan(struct store *store, const char *id, const char *document, const char *fleet,
                               struct dc_error *err) {
    const struct store_plan plan = {id, 1, id, document, fleet};
    return store_put_plan(store, &plan, err);
}

static void test_plans(void **state) {
    struct dc_error err = DC_ERROR_NONE;
    struct store *store = open_store(*state);
    char log[LOG_BYTES] = "";
    char *document = NULL;
    assert_int_equal(store_put_seen(store, "h0", 5, NULL), DC_OK); /* a transaction is open */
    assert_int_equal(put_plan(store, "a", "plan a", "fleet 1", &err), DC_OK);
    assert_int_equal(put_plan(store, "b", "plan b", "fleet 2", &err), DC_OK);
    assert_int_equal(put_plan(store, "a", "plan a again", "fleet 3", &err), DC_OK);
    store_close(&store); /* plans need no commit */
    store = open_store(*state);
    assert_int_equal(store_list_plans(store, count_plan, log, &err), DC_OK);
    assert_string_equal(log, "ab");
    assert_int_equal(store_get_plan(store, "a", &document, &err), DC_OK);
    assert_string_equal(document, "plan a again");
    free(document);
    assert_int_equal(store_get_plan_fleet(store, "a", &document, &err), DC_OK);
    assert_string_equal(document, "fleet 3");
    free(document);
    assert_int_equal(store_get_plan(store, "c", &document, &err), DC_ENOTFOUND);
    assert_null(document);
    store_close(&store);
}

static void test_old_fleets_are_forgotten(void **state) {
    struct dc_error err = DC_ERROR_NONE;
    struct store *store = open_store(*state);
    char *fleet = NULL;
    char id[16];
    for (int i = 0; i <= STORE_FLEETS_KEPT; i++) {
        (void)snprintf(id, sizeof(id), "%d", i);
        assert_int_equal(put_plan(store, id, "plan", "fleet", &err), DC_OK);
    }
    assert_int_equal(store_get_plan_fleet(store, "1", &fleet, &err), DC_OK);
    free(fleet);
    assert_int_equal(store_get_plan_fleet(store, "0", &fleet, &err), DC_ENOTFOUND);
    assert_int_equal(store_get_plan(store, "0", &fleet, NULL), DC_OK);
    free(fleet);
    store_close(&store);
}

/* A child writes and commits until it is killed; what it said was committed must be there. */
static void test_kill_loses_nothing_committed(void **state) {
    const struct fixture *fixture = *state;
    struct store *store = open_store(fixture);
    put_snapshot(store, "h1", (const char *const[]){UUID_1, NULL}, 20);
    assert_int_equal(store_commit(store, NULL), DC_OK);
    store_close(&store);
    for (unsigned round = 0; round < 5; round++) {
        int fds[2];
        assert_int_equal(pipe(fds), 0);
        const pid_t child = fork();
        if (child == 0) {
            store = open_store(fixture);
            for (int64_t number = 1;; number++) {
                put_prediction(store, UUID_1, (uint64_t)number);
                if (store_put_seen(store, "h1", number, NULL) != DC_OK || store_commit(store, NULL) != DC_OK ||
                    write(fds[1], &number, sizeof(number)) != (ssize_t)sizeof(number))
                    _exit(1);
            }
        }
        (void)close(fds[1]);
        (void)usleep(10000 + round * 7000);
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        int64_t number = 0;
        int64_t last = 0;
        while (read(fds[0], &number, sizeof(number)) == (ssize_t)sizeof(number))
            last = number;
        (void)close(fds[0]);
        store = open_store(fixture);
        char log[LOG_BYTES] = "";
        const struct store_visitor visitor = {.context = log, .host = log_host, .vm = log_vm};
        assert_int_equal(store_restore(store, &visitor, NULL), DC_OK);
        long long seen = 0;
        long long sample = 0;
        assert_int_equal(sscanf(log, "h1(bytes)@%lld 1:h1/%lld@30", &seen, &sample), 2);
        assert_true(last == 0 || (seen >= last && seen == sample));
        store_close(&store);
    }
}

static void set_user_version(const struct fixture *fixture, const char *user_version) {
    /* The header's field at byte 60 is the user version, big-endian. */
    FILE *file = fopen(fixture->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 60, SEEK_SET), 0);
    assert_int_equal(fwrite(user_version, 1, 4, file), 4);
    assert_int_equal(fclose(file), 0);
}

/* A store of the version before: it has no observations, and gets a place for them. */
static void test_older_store_is_upgraded(void **state) {
    const struct fixture *fixture = *state;
    sqlite3 *db = NULL;
    struct store *store = open_store(fixture);
    put_snapshot(store, "h1", (const char *const[]){UUID_1, NULL}, 50);
    assert_int_equal(store_commit(store, NULL), DC_OK);
    store_close(&store);
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE observation; PRAGMA user_version = 1", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    store = open_store(fixture);
    int64_t number = 0;
    assert_int_equal(store_put_observation(store, &number, 2, "a", NULL), DC_OK);
    assert_observations(store, "1:2:a ");
    assert_content(store, "h1(bytes)@50 1:h1/-1@50 ");
    store_close(&store);
}

static void test_other_files_are_refused(void **state) {
    const struct fixture *fixture = *state;
    struct dc_error err = DC_ERROR_NONE;
    struct store *store = open_store(fixture);
    store_close(&store);
    set_user_version(fixture, "\0\0\0\11");
    assert_int_equal(store_open(fixture->path, &store, &err), DC_EVERSION);
    assert_non_null(strstr(error_text(&err), "schema version 1 to 2, got 9"));
    assert_non_null(strstr(error_text(&err), fixture->path));
    assert_null(store);
    FILE *file = fopen(fixture->path, "wb");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        (void)fputs("no database\n", file);
    assert_int_equal(fclose(file), 0);
    err = DC_ERROR_NONE;
    assert_int_equal(store_open(fixture->path, &store, &err), DC_EPARSE);
    err = DC_ERROR_NONE;
    assert_int_equal(store_open("/nowhere/store", &store, &err), DC_EIO);
    assert_non_null(strstr(error_text(&err), "/nowhere/store"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_events_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_observations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_older_store_is_upgraded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_plans, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_old_fleets_are_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kill_loses_nothing_committed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_files_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
