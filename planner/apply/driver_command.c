/*
 * Migrations are `run`s, with a record that outlives this process; everything else is an `ask`, a short command whose
 * answer becomes one event.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/driver_command.h"

#include "base/clock.h"
#include "planner/apply/command_job.h"
#include "planner/apply/command_make.h"
#include "planner/apply/command_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOLLOW_INTERVAL_MS = 200 };
static const double ask_timeout_ms = 60e3; /* of an abort, a new cap, a progress report */

struct command_driver {
    struct driver base;
    uv_loop_t *loop;
    struct driver_events events;
    struct command_config config;
    char *run_dir;
    struct run *runs; /* lists */
    struct ask *asks;
};

/* A migration under way. */
struct run {
    struct command_driver *driver;
    struct run *next;
    char *uuid, *name, *from, *to;
    struct command_job *job; /* NULL: of an earlier process, watched by its record */
    uv_timer_t timer;        /* progress, or the record */
    double begin_s;
    bool aborted, asking_progress;
};

enum ask_kind { ASK_LOCATE, ASK_ACT, ASK_PROGRESS, ASK_NOTHING };

/* Whose answer is wanted. */
struct wish {
    enum ask_kind kind;
    const char *uuid; /* NULL of ACT */
    const char *host;
    enum driver_host_action action; /* of ACT */
};

struct ask {
    struct command_driver *driver;
    struct ask *next;
    enum ask_kind kind;
    char *uuid; /* NULL of ACT */
    char *host;
    enum driver_host_action action;
    struct command_job *job;
};

static struct command_driver *own(struct driver *driver) {
    return (struct command_driver *)(void *)driver;
}

static struct run *find_run(const struct command_driver *driver, const char *uuid) {
    struct run *run = driver->runs;
    while (run != NULL && strcmp(run->uuid, uuid) != 0)
        run = run->next;
    return run;
}

static void unlink_ask(struct ask *ask) {
    struct ask **at = &ask->driver->asks;
    while (*at != ask)
        at = &(*at)->next;
    *at = ask->next;
}

static void free_ask(struct ask *ask) {
    free(ask->uuid);
    free(ask->host);
    free(ask);
}

static const struct {
    const char *word;
    enum driver_place place;
} places[] = {{"runs", DRIVER_RUNS},
              {"absent", DRIVER_ABSENT},
              {"migrating", DRIVER_MIGRATING},
              {"paused", DRIVER_PAUSED},
              {"incoming", DRIVER_INCOMING}};

static enum driver_place parse_place(const char *text) {
    const size_t length = strcspn(text, " \t\r\n");
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (strlen(places[i].word) == length && strncmp(places[i].word, text, length) == 0)
            return places[i].place;
    }
    return DRIVER_UNKNOWN;
}

/* A command of ours that still runs counts for more than what a toolstack says of the VM meanwhile. */
static bool is_migrated_by_us(const struct command_driver *driver, const char *uuid, const char *host) {
    struct command_record record;
    if (command_record_read(driver->run_dir, uuid, &record, NULL) != DC_OK)
        return false;
    const bool ours = record.state == COMMAND_RECORD_RUNNING && strcmp(record.from, host) == 0;
    command_record_dispose(&record);
    return ours;
}

static void tell_place(const struct ask *ask, const struct command_job_end *end) {
    const struct driver_events *events = &ask->driver->events;
    const char *reason = end->reason;
    enum driver_place place = end->ok ? parse_place(end->out) : DRIVER_UNKNOWN;
    if (place != DRIVER_UNKNOWN && is_migrated_by_us(ask->driver, ask->uuid, ask->host))
        place = DRIVER_MIGRATING;
    if (place == DRIVER_UNKNOWN && reason[0] == '\0')
        reason = "locate printed none of runs, migrating, paused, incoming and absent";
    events->located(events->context, ask->uuid, ask->host, place, place == DRIVER_UNKNOWN ? reason : "");
}

/* The next number, or "-"; negative where it is not known. */
static double next_number(const char **text) {
    char *end = NULL;
    const double number = strtod(*text, &end);
    if (end != *text) {
        *text = end;
        return number;
    }
    *text += strspn(*text, " \t");
    *text += **text == '-' ? 1 : 0;
    return -1;
}

static void tell_progress(const struct ask *ask, const struct command_job_end *end) {
    const struct driver_events *events = &ask->driver->events;
    struct run *run = find_run(ask->driver, ask->uuid);
    const char *at = end->out;
    if (run == NULL)
        return;
    run->asking_progress = false;
    if (!end->ok || at[strspn(at, " \t\r\n")] == '\0')
        return;
    const double round = next_number(&at);
    struct driver_progress progress = {.round = round >= 1 && round < 1e6 ? (unsigned)round : 0};
    progress.sent_bytes = next_number(&at);
    progress.remaining_bytes = next_number(&at);
    progress.dirty_pages_per_s = next_number(&at);
    events->progress(events->context, ask->uuid, &progress);
}

static void on_answer(void *context, const struct command_job_end *end) {
    struct ask *ask = context;
    const struct driver_events *events = &ask->driver->events;
    if (ask->kind == ASK_LOCATE)
        tell_place(ask, end);
    else if (ask->kind == ASK_PROGRESS)
        tell_progress(ask, end);
    else if (ask->kind == ASK_ACT)
        events->acted(events->context, ask->host, ask->action, end->ok, end->reason);
    unlink_ask(ask);
    free_ask(ask);
}

/* Runs a short command; `wish` says who gets the answer. */
static enum dc_status ask(struct command_driver *driver, const struct wish *wish, const char *command,
                          double timeout_ms, struct dc_error *err) {
    struct ask *ask = calloc(1, sizeof(*ask));
    if (ask == NULL)
        return error_set_nomem(err);
    ask->driver = driver;
    ask->kind = wish->kind;
    ask->action = wish->action;
    ask->uuid = wish->uuid != NULL ? strdup(wish->uuid) : NULL;
    ask->host = strdup(wish->host);
    ask->next = driver->asks;
    driver->asks = ask;
    const struct command_job_spec spec = {.command = command,
                                          .out_fd = -1,
                                          .err_fd = -1,
                                          .lock_fd = -1,
                                          .timeout_ms = timeout_ms,
                                          .done = on_answer,
                                          .context = ask};
    const enum dc_status rc = ask->host == NULL || (wish->uuid != NULL && ask->uuid == NULL)
                                  ? error_set_nomem(err)
                                  : command_job_start(driver->loop, &spec, &ask->job, err);
    if (rc != DC_OK) {
        unlink_ask(ask);
        free_ask(ask);
    }
    return rc;
}

/* The template of a run's deed, whose answer nobody needs but for progress. */
static enum dc_status ask_of_run(struct run *run, enum ask_kind kind, const char *text, double bytes_per_s,
                                 struct dc_error *err) {
    struct command_values values = {
        .uuid = run->uuid, .name = run->name, .from = run->from, .to = run->to, .rate_bytes_per_s = bytes_per_s};
    const struct wish wish = {.kind = kind, .uuid = run->uuid, .host = run->from};
    char *command = NULL;
    enum dc_status rc = command_make(&run->driver->config, text, &values, run->from, &command, err);
    if (rc == DC_OK)
        rc = ask(run->driver, &wish, command, ask_timeout_ms, err);
    free(command);
    return rc;
}

static void on_run_closed(uv_handle_t *handle) {
    struct run *run = handle->data;
    free(run->uuid);
    free(run->name);
    free(run->from);
    free(run->to);
    free(run);
}

static void close_run(struct run *run) {
    uv_close((uv_handle_t *)&run->timer, on_run_closed);
}

static void drop_run(struct run *run) {
    struct run **at = &run->driver->runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    close_run(run);
}

static void end_run(struct run *run, bool ok, const char *reason) {
    const struct driver_events *events = &run->driver->events;
    const struct driver_end end = {.outcome = ok             ? DRIVER_SUCCEEDED
                                              : run->aborted ? DRIVER_ABORTED
                                                             : DRIVER_FAILED,
                                   .migration_ms = run->job != NULL ? 1e3 * (clock_monotonic_s() - run->begin_s) : -1,
                                   .downtime_ms = -1,
                                   .bytes = -1,
                                   .reason = ok ? "" : reason};
    drop_run(run);
    events->ended(events->context, run->uuid, &end);
}

static void on_migrated(void *context, const struct command_job_end *end) {
    end_run(context, end->ok, end->reason);
}

static void on_progress_due(uv_timer_t *timer) {
    struct run *run = timer->data;
    if (!run->asking_progress)
        run->asking_progress = ask_of_run(run, ASK_PROGRESS, run->driver->config.progress, 0, NULL) == DC_OK;
}

static void on_follow_due(uv_timer_t *timer) {
    struct run *run = timer->data;
    struct command_record record;
    if (command_record_read(run->driver->run_dir, run->uuid, &record, NULL) != DC_OK ||
        record.state == COMMAND_RECORD_RUNNING) {
        command_record_dispose(&record);
        return;
    }
    if (record.state == COMMAND_RECORD_ENDED)
        end_run(run, record.exit_status == 0, record.reason[0] != '\0' ? record.reason : "the command failed");
    else
        end_run(run, false, "its command was ended before it could say how");
    command_record_dispose(&record);
}

static enum dc_status add_run(struct command_driver *driver, const struct driver_migration *migration,
                              struct run **run_out, struct dc_error *err) {
    if (find_run(driver, migration->uuid) != NULL)
        return error_set(err, DC_EBUSY, "it is being migrated already");
    struct run *run = calloc(1, sizeof(*run));
    if (run == NULL)
        return error_set_nomem(err);
    run->driver = driver;
    run->begin_s = clock_monotonic_s();
    run->uuid = strdup(migration->uuid);
    run->name = strdup(migration->name);
    run->from = strdup(migration->from);
    run->to = strdup(migration->to);
    run->next = driver->runs;
    driver->runs = run;
    (void)uv_timer_init(driver->loop, &run->timer);
    run->timer.data = run;
    if (run->uuid != NULL && run->name != NULL && run->from != NULL && run->to != NULL) {
        *run_out = run;
        return DC_OK;
    }
    drop_run(run);
    return error_set_nomem(err);
}

static enum dc_status spawn_run(struct run *run, const char *command, struct dc_error *err) {
    const char *dir = run->driver->run_dir;
    char *wrapped = command_record_wrap(dir, run->uuid, command);
    int lock_fd = -1;
    enum dc_status rc =
        wrapped == NULL ? error_set_nomem(err) : command_record_begin(dir, run->uuid, run->from, &lock_fd, err);
    if (rc == DC_OK) {
        const struct command_job_spec spec = {.command = wrapped,
                                              .out_fd = -1,
                                              .err_fd = command_record_open_errors(dir, run->uuid),
                                              .lock_fd = lock_fd,
                                              .done = on_migrated,
                                              .context = run};
        rc = command_job_start(run->driver->loop, &spec, &run->job, err);
        (void)close(lock_fd); /* the command's own copy holds the lock from here on */
    }
    free(wrapped);
    return rc;
}

static enum dc_status start(struct driver *base, const struct driver_migration *migration, struct dc_error *err) {
    struct command_driver *driver = own(base);
    struct run *run = NULL;
    char *command = NULL;
    enum dc_status rc = command_make_migrate(&driver->config, migration, &command, err);
    if (rc == DC_OK)
        rc = add_run(driver, migration, &run, err);
    if (rc == DC_OK && (rc = spawn_run(run, command, err)) != DC_OK)
        drop_run(run);
    const uint64_t interval_ms = (uint64_t)driver->config.progress_interval_ms;
    if (rc == DC_OK && driver->config.progress[0] != '\0')
        (void)uv_timer_start(&run->timer, on_progress_due, interval_ms, interval_ms);
    free(command);
    return rc;
}

static enum dc_status follow(struct driver *base, const struct driver_migration *migration, struct dc_error *err) {
    struct command_driver *driver = own(base);
    struct command_record record;
    struct run *run = NULL;
    enum dc_status rc = command_record_read(driver->run_dir, migration->uuid, &record, err);
    if (rc == DC_OK && record.state == COMMAND_RECORD_NONE)
        rc = error_set(err, DC_ENOTFOUND, "no command of an earlier apply migrates it");
    if (rc == DC_OK)
        rc = add_run(driver, migration, &run, err);
    if (rc == DC_OK)
        (void)uv_timer_start(&run->timer, on_follow_due, 0, FOLLOW_INTERVAL_MS);
    command_record_dispose(&record);
    return rc;
}

static enum dc_status find_for(struct command_driver *driver, const char *uuid, const char *text, const char *key,
                               struct run **run_out, struct dc_error *err) {
    *run_out = find_run(driver, uuid);
    if (*run_out == NULL)
        return error_set(err, DC_ENOTFOUND, "it is not being migrated");
    if (text[0] == '\0')
        return error_set(err, DC_EUNSUPPORTED, "the driver %s has no command for that (%s)", driver->base.ops->name,
                         key);
    return DC_OK;
}

static enum dc_status set_bandwidth(struct driver *base, const char *uuid, double bytes_per_s, struct dc_error *err) {
    struct command_driver *driver = own(base);
    struct run *run = NULL;
    const enum dc_status rc = find_for(driver, uuid, driver->config.bandwidth, "bandwidth", &run, err);
    return rc != DC_OK ? rc : ask_of_run(run, ASK_NOTHING, driver->config.bandwidth, bytes_per_s, err);
}

static enum dc_status abort_run(struct driver *base, const char *uuid, struct dc_error *err) {
    struct command_driver *driver = own(base);
    struct run *run = NULL;
    enum dc_status rc = find_for(driver, uuid, driver->config.abort, "abort", &run, err);
    if (rc == DC_OK)
        rc = ask_of_run(run, ASK_NOTHING, driver->config.abort, 0, err);
    if (rc == DC_OK)
        run->aborted = true;
    return rc;
}

static enum dc_status locate(struct driver *base, const char *uuid, const char *name, const char *host,
                             struct dc_error *err) {
    struct command_driver *driver = own(base);
    struct command_values values = {.uuid = uuid, .name = name};
    const struct wish wish = {.kind = ASK_LOCATE, .uuid = uuid, .host = host};
    char *command = NULL;
    enum dc_status rc = command_make(&driver->config, driver->config.locate, &values, host, &command, err);
    if (rc == DC_OK)
        rc = ask(driver, &wish, command, driver->config.locate_timeout_ms, err);
    free(command);
    return rc;
}

static enum dc_status act(struct driver *base, enum driver_host_action action, const char *host, struct dc_error *err) {
    struct command_driver *driver = own(base);
    const struct wish wish = {.kind = ASK_ACT, .host = host, .action = action};
    char *command = NULL;
    enum dc_status rc = command_make_act(&driver->config, action, host, &command, err);
    if (rc == DC_OK)
        rc = ask(driver, &wish, command, 0, err);
    free(command);
    return rc;
}

/* Whatever would keep a command from being made shows before anything moves. */
static enum dc_status check(const struct driver *base, const struct driver_migration *migration, struct dc_error *err) {
    const struct command_driver *driver = (const struct command_driver *)(const void *)base;
    char *command = NULL;
    const enum dc_status rc = command_make_migrate(&driver->config, migration, &command, err);
    free(command);
    return rc;
}

static enum dc_status check_act(const struct driver *base, enum driver_host_action action, const char *host,
                                struct dc_error *err) {
    const struct command_driver *driver = (const struct command_driver *)(const void *)base;
    char *command = NULL;
    const enum dc_status rc = command_make_act(&driver->config, action, host, &command, err);
    free(command);
    return rc;
}

static void close_driver(struct driver *base) {
    struct command_driver *driver = own(base);
    for (struct ask *next, *ask = driver->asks; ask != NULL; ask = next) {
        next = ask->next;
        command_job_abandon(ask->job, ask->kind == ASK_LOCATE || ask->kind == ASK_PROGRESS);
        free_ask(ask);
    }
    for (struct run *next, *run = driver->runs; run != NULL; run = next) {
        next = run->next;
        if (run->job != NULL)
            command_job_abandon(run->job, false);
        close_run(run);
    }
    command_config_dispose(&driver->config);
    free(driver->run_dir);
    free(driver);
}

static enum dc_status open_preset(const struct driver_ops *ops, uv_loop_t *loop, const struct driver_config *config,
                                  const struct driver_events *events, struct driver **driver_out,
                                  struct dc_error *err) {
    struct command_driver *driver = calloc(1, sizeof(*driver));
    *driver_out = NULL;
    if (driver == NULL)
        return error_set_nomem(err);
    driver->base.ops = ops;
    driver->loop = loop;
    driver->events = *events;
    driver->run_dir = strdup(config->run_dir);
    enum dc_status rc = driver->run_dir == NULL ? error_set_nomem(err)
                                                : command_config_load(config->path, ops->name, &driver->config, err);
    if (rc != DC_OK) {
        free(driver->run_dir);
        free(driver);
        return rc;
    }
    *driver_out = &driver->base;
    return DC_OK;
}

#define COMMAND_DRIVER(variable, text)                                                                    \
    static enum dc_status open_##variable(uv_loop_t *loop, const struct driver_config *config,            \
                                          const struct driver_events *events, struct driver **driver_out, \
                                          struct dc_error *err) {                                         \
        return open_preset(&(variable), loop, config, events, driver_out, err);                           \
    }                                                                                                     \
    const struct driver_ops variable = {.name = (text),                                                   \
                                        .open = open_##variable,                                          \
                                        .close = close_driver,                                            \
                                        .check = check,                                                   \
                                        .check_act = check_act,                                           \
                                        .start = start,                                                   \
                                        .follow = follow,                                                 \
                                        .set_bandwidth = set_bandwidth,                                   \
                                        .abort = abort_run,                                               \
                                        .locate = locate,                                                 \
                                        .act = act}

COMMAND_DRIVER(driver_command, "command");
COMMAND_DRIVER(driver_xl, "xl");
COMMAND_DRIVER(driver_xe, "xe");
COMMAND_DRIVER(driver_virsh, "virsh");
