/* One timer turns all connections: what QEMU tells carries its own times. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/driver_qmp.h"

#include "base/clock.h"
#include "planner/apply/qmp_run.h"
#include "proto/qmp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURN_MS = 20, MOST_RUNS = 4096 };

struct qmp_driver {
    struct driver base;
    struct driver_events events;
    struct qmp_config settings;
    uv_timer_t timer;
    unsigned next_port;
    size_t n_runs;
    struct qmp_run *runs[MOST_RUNS];
    struct ask *asks; /* list */
};

/* One locate(). */
struct ask {
    struct qmp_driver *driver;
    struct ask *next;
    char *uuid, *host;
    struct qmp_client *client; /* NULL: nobody listens there */
    enum driver_place place;
    bool is_answered;
    char why[160];
};

static struct qmp_driver *own(struct driver *driver) {
    return (struct qmp_driver *)(void *)driver;
}

static double now_ms(void) {
    return 1e3 * clock_monotonic_s();
}

/* --- migrations --- */

static struct qmp_run **find_run(struct qmp_driver *driver, const char *uuid) {
    for (size_t i = 0; i < driver->n_runs; i++)
        if (driver->runs[i] != NULL && strcmp(qmp_run_uuid(driver->runs[i]), uuid) == 0)
            return &driver->runs[i];
    return NULL;
}

static void on_progress(void *context, const char *uuid, const struct driver_progress *progress) {
    const struct qmp_driver *driver = context;
    driver->events.progress(driver->events.context, uuid, progress);
}

/* The run leaves the list before it is told of: the same VM may begin another. */
static void on_ended(void *context, struct qmp_run *run, const struct driver_end *end) {
    struct qmp_driver *driver = context;
    for (size_t i = 0; i < driver->n_runs; i++)
        if (driver->runs[i] == run)
            driver->runs[i] = NULL;
    driver->events.ended(driver->events.context, qmp_run_uuid(run), end);
}

static void turn_runs(struct qmp_driver *driver) {
    const size_t n = driver->n_runs; /* those that begin meanwhile wait for the next turn */
    for (size_t i = 0; i < n; i++) {
        struct qmp_run *run = driver->runs[i];
        if (run == NULL)
            continue;
        qmp_run_turn(run);
        if (driver->runs[i] != run)
            qmp_run_free(&run);
    }
    size_t n_left = 0;
    for (size_t i = 0; i < driver->n_runs; i++)
        if (driver->runs[i] != NULL)
            driver->runs[n_left++] = driver->runs[i];
    driver->n_runs = n_left;
}

/* --- where a VM is --- */

static void answer(struct ask *ask, enum driver_place place, const char *why) {
    ask->is_answered = true;
    ask->place = place;
    (void)snprintf(ask->why, sizeof(ask->why), "%s", why);
}

static enum driver_place place_of(const char *status) {
    static const struct {
        const char *status;
        enum driver_place place;
    } places[] = {{"running", DRIVER_RUNS},
                  {"inmigrate", DRIVER_INCOMING},
                  {"finish-migrate", DRIVER_MIGRATING},
                  {"postmigrate", DRIVER_MIGRATING}}; /* it is followed to its end: somebody must see it land */
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (strcmp(status, places[i].status) == 0)
            return places[i].place;
    return DRIVER_PAUSED;
}

static void on_migration(void *context, const json_t *value, const struct dc_error *err) {
    struct ask *ask = context;
    static const char *const at_rest[] = {"none", "completed", "failed", "cancelled"};
    const char *status = json_string_value(json_object_get(value, "status"));
    bool is_active = status != NULL;
    for (size_t i = 0; status != NULL && i < sizeof(at_rest) / sizeof(at_rest[0]); i++)
        is_active = is_active && strcmp(status, at_rest[i]) != 0;
    if (value == NULL)
        answer(ask, DRIVER_UNKNOWN, error_text(err));
    else
        answer(ask, is_active && ask->place != DRIVER_INCOMING ? DRIVER_MIGRATING : ask->place, "");
}

static void on_status(void *context, const json_t *value, const struct dc_error *err) {
    struct ask *ask = context;
    struct dc_error why = DC_ERROR_NONE;
    const char *status = json_string_value(json_object_get(value, "status"));
    if (status == NULL) {
        answer(ask, DRIVER_UNKNOWN, value == NULL ? error_text(err) : "it does not tell its status");
        return;
    }
    ask->place = place_of(status);
    if (qmp_client_send(ask->client, "query-migrate", NULL, now_ms(), on_migration, ask, &why) != DC_OK)
        answer(ask, DRIVER_UNKNOWN, error_text(&why));
}

static void on_ready(void *context) {
    struct ask *ask = context;
    struct dc_error err = DC_ERROR_NONE;
    if (qmp_client_send(ask->client, "query-status", NULL, now_ms(), on_status, ask, &err) != DC_OK)
        answer(ask, DRIVER_UNKNOWN, error_text(&err));
}

static void on_event(void *context, const struct qmp_message *message) {
    (void)context;
    (void)message;
}

static void free_ask(struct ask *ask) {
    qmp_client_free(&ask->client);
    free(ask->uuid);
    free(ask->host);
    free(ask);
}

static void turn_ask(struct ask *ask) {
    struct dc_error err = DC_ERROR_NONE;
    if (ask->client != NULL && qmp_client_turn(ask->client, now_ms(), &err) != DC_OK && !ask->is_answered)
        answer(ask, DRIVER_UNKNOWN, error_text(&err));
}

/* Connections are let go of before anybody is told: what comes next may want the same socket. */
static void turn_asks(struct qmp_driver *driver) {
    struct ask *answered = NULL;
    for (struct ask **at = &driver->asks; *at != NULL;) {
        struct ask *ask = *at;
        turn_ask(ask);
        if (!ask->is_answered) {
            at = &ask->next;
            continue;
        }
        *at = ask->next;
        qmp_client_free(&ask->client);
        ask->next = answered;
        answered = ask;
    }
    while (answered != NULL) {
        struct ask *ask = answered;
        answered = ask->next;
        driver->events.located(driver->events.context, ask->uuid, ask->host, ask->place, ask->why);
        free_ask(ask);
    }
}

static void on_turn(uv_timer_t *timer) {
    struct qmp_driver *driver = timer->data;
    turn_runs(driver);
    turn_asks(driver);
    if (driver->n_runs == 0 && driver->asks == NULL)
        (void)uv_timer_stop(timer);
}

static void keep_turning(struct qmp_driver *driver) {
    if (!uv_is_active((const uv_handle_t *)&driver->timer))
        (void)uv_timer_start(&driver->timer, on_turn, 0, TURN_MS);
}

/* --- operations --- */

static enum dc_status begin(struct qmp_driver *driver, const struct driver_migration *migration, bool is_follow,
                            struct dc_error *err) {
    const struct qmp_run_config config = {.loop = driver->timer.loop,
                                          .settings = &driver->settings,
                                          .migration = migration,
                                          .is_follow = is_follow,
                                          .port_offset = driver->next_port++,
                                          .context = driver,
                                          .progress = on_progress,
                                          .ended = on_ended};
    if (find_run(driver, migration->uuid) != NULL)
        return error_set(err, DC_EBUSY, "it is being migrated already");
    if (driver->n_runs == MOST_RUNS)
        return error_set(err, DC_ELIMIT, "%d migrations are under way already", (int)MOST_RUNS);
    const enum dc_status rc = qmp_run_new(&config, &driver->runs[driver->n_runs], err);
    if (rc == DC_OK) {
        driver->n_runs++;
        keep_turning(driver);
    }
    return rc;
}

static enum dc_status start(struct driver *base, const struct driver_migration *migration, struct dc_error *err) {
    return begin(own(base), migration, false, err);
}

static enum dc_status follow(struct driver *base, const struct driver_migration *migration, struct dc_error *err) {
    return begin(own(base), migration, true, err);
}

static enum dc_status check(const struct driver *base, const struct driver_migration *migration, struct dc_error *err) {
    (void)base;
    return migration->is_cold ? error_set(err, DC_EUNSUPPORTED, "the driver qmp moves no VMs that are shut off")
                              : DC_OK;
}

static enum dc_status set_bandwidth(struct driver *base, const char *uuid, double bytes_per_s, struct dc_error *err) {
    struct qmp_run **run = find_run(own(base), uuid);
    return run == NULL ? error_set(err, DC_ENOTFOUND, "it is not being migrated")
                       : qmp_run_set_bandwidth(*run, bytes_per_s, err);
}

static enum dc_status abort_run(struct driver *base, const char *uuid, struct dc_error *err) {
    struct qmp_run **run = find_run(own(base), uuid);
    return run == NULL ? error_set(err, DC_ENOTFOUND, "it is not being migrated") : qmp_run_abort(*run, err);
}

static enum dc_status connect_ask(struct ask *ask, const char *name, struct dc_error *err) {
    const struct qmp_client_events events = {ask, on_ready, on_event};
    char *path = qmp_config_socket(&ask->driver->settings, ask->host, ask->uuid, name);
    struct dc_error why = DC_ERROR_NONE;
    if (path == NULL)
        return error_set_nomem(err);
    const enum dc_status rc = qmp_client_open(path, now_ms(), &events, &ask->client, &why);
    free(path);
    if (rc != DC_OK)
        answer(ask, rc == DC_EUNREACHABLE ? DRIVER_ABSENT : DRIVER_UNKNOWN,
               rc == DC_EUNREACHABLE ? "" : error_text(&why));
    return DC_OK;
}

static enum dc_status locate(struct driver *base, const char *uuid, const char *name, const char *host,
                             struct dc_error *err) {
    struct qmp_driver *driver = own(base);
    struct ask *ask = calloc(1, sizeof(*ask));
    if (ask == NULL)
        return error_set_nomem(err);
    *ask = (struct ask){.driver = driver, .uuid = strdup(uuid), .host = strdup(host)};
    const enum dc_status rc =
        ask->uuid == NULL || ask->host == NULL ? error_set_nomem(err) : connect_ask(ask, name, err);
    if (rc != DC_OK) {
        free_ask(ask);
        return rc;
    }
    ask->next = driver->asks;
    driver->asks = ask;
    keep_turning(driver);
    return DC_OK;
}

static void on_closed(uv_handle_t *handle) {
    struct qmp_driver *driver = handle->data;
    qmp_config_dispose(&driver->settings);
    free(driver);
}

static void close_driver(struct driver *base) {
    struct qmp_driver *driver = own(base);
    for (size_t i = 0; i < driver->n_runs; i++)
        qmp_run_free(&driver->runs[i]);
    while (driver->asks != NULL) {
        struct ask *ask = driver->asks;
        driver->asks = ask->next;
        free_ask(ask);
    }
    uv_close((uv_handle_t *)&driver->timer, on_closed);
}

static enum dc_status open_driver(uv_loop_t *loop, const struct driver_config *config,
                                  const struct driver_events *events, struct driver **driver_out,
                                  struct dc_error *err) {
    *driver_out = NULL;
    struct qmp_driver *driver = calloc(1, sizeof(*driver));
    if (driver == NULL)
        return error_set_nomem(err);
    const enum dc_status rc = qmp_config_load(config->path, &driver->settings, err);
    if (rc != DC_OK) {
        free(driver);
        return rc;
    }
    driver->base.ops = &driver_qmp;
    driver->events = *events;
    (void)uv_timer_init(loop, &driver->timer); /* cannot fail */
    driver->timer.data = driver;
    *driver_out = &driver->base;
    return DC_OK;
}

const struct driver_ops driver_qmp = {
    .name = "qmp",
    .open = open_driver,
    .close = close_driver,
    .check = check,
    .start = start,
    .follow = follow,
    .set_bandwidth = set_bandwidth,
    .abort = abort_run,
    .locate = locate,
};
