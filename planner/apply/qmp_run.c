/* A chain of commands, each begun by the answer to the one before; the turn looks at the time. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/qmp_run.h"

#include "base/clock.h"
#include "planner/apply/command_job.h"
#include "planner/apply/command_template.h"
#include "proto/qmp_client.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double poll_interval_ms = 250;
static const double connect_interval_ms = 100;
static const double connect_limit_ms = 10000;  /* until the destination's socket takes us */
static const double land_limit_ms = 15000;     /* until its guest runs, once all is sent */
static const double no_cap_bytes_per_s = 1e12; /* QEMU's default of 128 MiB/s is one */
/* Longer is the difference of two clocks, not a downtime. */
static const double most_downtime_ms = 600e3;

static const double quit_limit_ms = 5000;

enum phase {
    PHASE_SOURCE,
    PHASE_CLEAR,
    PHASE_PREPARE,
    PHASE_CONNECT,
    PHASE_SET_UP,
    PHASE_MIGRATE,
    PHASE_LAND,
    PHASE_QUIT, /* what became of it is decided */
    PHASE_ENDED,
};

struct qmp_run {
    struct qmp_run_config config;
    char *uuid, *name, *from, *to;
    enum phase phase;
    struct qmp_client *source, *target;
    bool target_is_ready;
    struct command_job *job;
    char *address;
    unsigned n_ports_tried;
    json_t *capabilities; /* the source's, as both shall have them */
    double begun_ms;
    double phase_ms; /* monotonic, when it began */
    double next_poll_ms, next_connect_ms;
    bool is_asking, is_aborted, has_quit;
    double memory_bytes, downtime_limit_ms;
    double stopped_unix_ms, resumed_unix_ms;
    double bandwidth_bytes_per_s;
    struct driver_end end; /* figures, once completed */
    struct dc_error error; /* why it failed */
};

static double now_ms(void) {
    return 1e3 * clock_monotonic_s();
}

static void enter(struct qmp_run *run, enum phase phase) {
    run->phase = phase;
    run->phase_ms = now_ms();
    run->next_poll_ms = 0;
    run->is_asking = false;
}

/* The turn ends it: nothing is freed while it is in use. */
static void fail(struct qmp_run *run, const struct dc_error *err, const char *what) {
    if (run->error.status != DC_OK)
        return;
    run->error = *err;
    if (run->error.status == DC_OK)
        (void)error_set(&run->error, DC_EIO, "%s", what);
    else if (what[0] != '\0')
        (void)error_prefix(&run->error, "%s", what);
}

static void send_to(struct qmp_run *run, struct qmp_client *client, const char *command, json_t *arguments,
                    qmp_done_fn done) {
    struct dc_error err = DC_ERROR_NONE;
    if (client == NULL) {
        json_decref(arguments);
        fail(run, &err, "the connection is gone");
    } else if (qmp_client_send(client, command, arguments, now_ms(), done, run, &err) != DC_OK) {
        fail(run, &err, "");
    }
}

static void ignore(void *context, const json_t *value, const struct dc_error *err) {
    (void)context;
    (void)value;
    (void)err;
}

/* True where the answer is one to go on with. */
static bool is_good(struct qmp_run *run, const json_t *value, const struct dc_error *err, const char *what) {
    if (value == NULL)
        fail(run, err, what);
    return value != NULL && run->error.status == DC_OK;
}

/* --- setting up --- */

static void on_migrating(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    if (is_good(run, value, err, run->from))
        enter(run, PHASE_MIGRATE);
}

static json_t *make_uri(const struct qmp_run *run) {
    const struct qmp_config *settings = run->config.settings;
    const uint64_t n_ports = settings->port_high - settings->port_low + 1;
    const uint64_t port = settings->port_low + (run->config.port_offset + run->n_ports_tried) % n_ports;
    const bool is_ipv6 = strchr(run->address, ':') != NULL;
    return json_pack(
        "{s:o}", "uri",
        json_sprintf("tcp:%s%s%s:%u", is_ipv6 ? "[" : "", run->address, is_ipv6 ? "]" : "", (unsigned)port));
}

static void on_parameters(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    if (is_good(run, value, err, run->from))
        send_to(run, run->source, "migrate", make_uri(run), on_migrating);
}

static json_t *make_parameters(const struct qmp_run *run) {
    const double bytes_per_s = run->bandwidth_bytes_per_s > 0 ? run->bandwidth_bytes_per_s : no_cap_bytes_per_s;
    json_t *parameters = json_pack("{s:I}", "max-bandwidth", (json_int_t)bytes_per_s);
    if (parameters != NULL && run->downtime_limit_ms > 0)
        (void)json_object_set_new(parameters, "downtime-limit", json_integer((json_int_t)run->downtime_limit_ms));
    return parameters;
}

static void on_listening(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    const struct qmp_config *settings = run->config.settings;
    if (value == NULL && strstr(error_text(err), "in use") != NULL &&
        ++run->n_ports_tried <= settings->port_high - settings->port_low) {
        send_to(run, run->target, "migrate-incoming", make_uri(run), on_listening);
        return;
    }
    if (is_good(run, value, err, run->to))
        send_to(run, run->source, "migrate-set-parameters", make_parameters(run), on_parameters);
}

static void on_capable(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    if (is_good(run, value, err, run->to))
        send_to(run, run->target, "migrate-incoming", make_uri(run), on_listening);
}

static json_t *make_capabilities(const struct qmp_run *run) {
    return json_pack("{s:O}", "capabilities", run->capabilities);
}

static void on_source_capable(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    if (is_good(run, value, err, run->from))
        send_to(run, run->target, "migrate-set-capabilities", make_capabilities(run), on_capable);
}

/* Those that are on stay on, at both ends; and what apply needs: events, and the way back (else the source does not
 * know whether the destination has taken all). */
static void on_capabilities(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    static const char *const needed[] = {"events", "return-path"};
    if (!is_good(run, value, err, run->from))
        return;
    run->capabilities = json_array();
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *row = json_array_get(value, i);
        if (json_is_true(json_object_get(row, "state")))
            (void)json_array_append(run->capabilities, row);
    }
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        (void)json_array_append_new(run->capabilities, json_pack("{s:s, s:b}", "capability", needed[i], "state", 1));
    send_to(run, run->source, "migrate-set-capabilities", make_capabilities(run), on_source_capable);
}

static void set_up(struct qmp_run *run) {
    enter(run, PHASE_SET_UP);
    send_to(run, run->source, "query-migrate-capabilities", NULL, on_capabilities);
}

/* --- the destination --- */

static void on_target_ready(void *context) {
    struct qmp_run *run = context;
    run->target_is_ready = true;
}

static void on_target_event(void *context, const struct qmp_message *message) {
    struct qmp_run *run = context;
    if (strcmp(message->name, "RESUME") == 0)
        run->resumed_unix_ms = message->at_unix_ms;
}

/* DC_EUNREACHABLE while nobody listens. */
static enum dc_status connect_to(struct qmp_run *run, const char *host, const struct qmp_client_events *events,
                                 struct qmp_client **client_out, struct dc_error *err) {
    char *path = qmp_config_socket(run->config.settings, host, run->uuid, run->name);
    const enum dc_status rc =
        path == NULL ? error_set_nomem(err) : qmp_client_open(path, now_ms(), events, client_out, err);
    free(path);
    return rc;
}

static void connect_to_target(struct qmp_run *run) {
    const struct qmp_client_events events = {run, on_target_ready, on_target_event};
    struct dc_error err = DC_ERROR_NONE;
    if (now_ms() < run->next_connect_ms)
        return;
    const enum dc_status rc = connect_to(run, run->to, &events, &run->target, &err);
    run->next_connect_ms = now_ms() + connect_interval_ms;
    if (rc != DC_OK && run->phase == PHASE_CONNECT &&
        (rc != DC_EUNREACHABLE || now_ms() - run->phase_ms > connect_limit_ms))
        fail(run, &err, "the QEMU that was prepared does not answer");
}

static void on_prepared(void *context, const struct command_job_end *end) {
    struct qmp_run *run = context;
    struct dc_error err = DC_ERROR_NONE;
    run->job = NULL;
    if (!end->ok) {
        fail(run, &err, end->reason);
        (void)error_prefix(&run->error, "prepare");
        return;
    }
    const char *line = end->out + strspn(end->out, " \t\r\n");
    const size_t length = strcspn(line, " \t\r\n");
    run->address = length > 0 ? strndup(line, length) : strdup(run->to);
    if (run->address == NULL) {
        (void)error_set_nomem(&err);
        fail(run, &err, "");
        return;
    }
    enter(run, PHASE_CONNECT);
}

static void prepare(struct qmp_run *run) {
    struct dc_error err = DC_ERROR_NONE;
    const struct command_values values = {.uuid = run->uuid,
                                          .name = run->name,
                                          .from = run->from,
                                          .to = run->to,
                                          .host = run->to,
                                          .memory_bytes = run->memory_bytes};
    char *command = NULL;
    enter(run, PHASE_PREPARE);
    enum dc_status rc = command_template_expand(run->config.settings->prepare, &values, &command, &err);
    const struct command_job_spec spec = {.command = command,
                                          .out_fd = -1,
                                          .err_fd = -1,
                                          .lock_fd = -1,
                                          .timeout_ms = run->config.settings->prepare_timeout_ms,
                                          .done = on_prepared,
                                          .context = run};
    if (rc == DC_OK)
        rc = command_job_start(run->config.loop, &spec, &run->job, &err);
    if (rc != DC_OK)
        fail(run, &err, "prepare");
    free(command);
}

/* --- what an earlier attempt left --- */

static void on_quit(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    (void)value;
    (void)err; /* it has ended in any case, or will not */
    run->has_quit = true;
}

static void on_old_status(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    struct dc_error why = DC_ERROR_NONE;
    if (!is_good(run, value, err, run->to))
        return;
    const char *status = json_string_value(json_object_get(value, "status"));
    if (status != NULL && strcmp(status, "inmigrate") == 0) {
        send_to(run, run->target, "quit", NULL, on_quit);
        return;
    }
    (void)error_set(&why, DC_EINVAL, "a QEMU of it is at its destination already (%s)", status != NULL ? status : "?");
    fail(run, &why, "");
}

static void on_old_ready(void *context) {
    struct qmp_run *run = context;
    send_to(run, run->target, "query-status", NULL, on_old_status);
}

static void clear(struct qmp_run *run) {
    const struct qmp_client_events events = {run, on_old_ready, on_target_event};
    struct dc_error err = DC_ERROR_NONE;
    const enum dc_status rc = connect_to(run, run->to, &events, &run->target, &err);
    if (rc == DC_OK)
        enter(run, PHASE_CLEAR); /* its end begins the next one */
    else if (rc == DC_EUNREACHABLE)
        prepare(run);
    else
        fail(run, &err, run->to);
}

/* --- the source --- */

static void on_source_migration(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    if (!is_good(run, value, err, run->from))
        return;
    const char *status = json_string_value(json_object_get(value, "status"));
    const bool is_active = status != NULL && strcmp(status, "completed") != 0 && strcmp(status, "failed") != 0 &&
                           strcmp(status, "cancelled") != 0 && strcmp(status, "none") != 0;
    const bool is_completed = status != NULL && strcmp(status, "completed") == 0;
    struct dc_error why = DC_ERROR_NONE;
    if (run->config.is_follow && (is_active || is_completed))
        enter(run, PHASE_MIGRATE);
    else if (run->config.is_follow)
        fail(run, &why, "no migration of it is under way");
    else if (is_active)
        fail(run, &why, "somebody else migrates it");
    else
        clear(run);
}

static void on_source_status(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    struct dc_error why = DC_ERROR_NONE;
    if (!is_good(run, value, err, run->from))
        return;
    const char *status = json_string_value(json_object_get(value, "status"));
    if (!run->config.is_follow && (status == NULL || strcmp(status, "running") != 0)) {
        (void)error_set(&why, DC_EINVAL, "the guest does not run at its source (%s)", status != NULL ? status : "?");
        fail(run, &why, "");
        return;
    }
    send_to(run, run->source, "query-migrate", NULL, on_source_migration);
}

static void on_source_uuid(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    struct dc_error why = DC_ERROR_NONE;
    if (!is_good(run, value, err, run->from))
        return;
    const char *uuid = json_string_value(json_object_get(value, "UUID"));
    if (uuid != NULL && strcasecmp(uuid, run->uuid) == 0)
        send_to(run, run->source, "query-status", NULL, on_source_status);
    else
        fail(run, &why, "the QEMU at its socket is another VM's");
}

static void on_source_ready(void *context) {
    struct qmp_run *run = context;
    send_to(run, run->source, "query-uuid", NULL, on_source_uuid);
}

static void on_source_event(void *context, const struct qmp_message *message) {
    struct qmp_run *run = context;
    if (strcmp(message->name, "STOP") == 0)
        run->stopped_unix_ms = message->at_unix_ms;
    if (strcmp(message->name, "MIGRATION") == 0)
        run->next_poll_ms = 0; /* worth a look */
}

/* --- under way --- */

static double number_or(const json_t *object, const char *key, double otherwise) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static void take_progress(const struct qmp_run *run, const json_t *ram) {
    const double round = number_or(ram, "dirty-sync-count", 0);
    const struct driver_progress progress = {.round = round > 0 ? (unsigned)round : 0,
                                             .sent_bytes = number_or(ram, "transferred", -1),
                                             .remaining_bytes = number_or(ram, "remaining", -1),
                                             .dirty_pages_per_s = number_or(ram, "dirty-pages-rate", -1)};
    run->config.progress(run->config.context, run->uuid, &progress);
}

static void on_progress(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    struct dc_error why = DC_ERROR_NONE;
    run->is_asking = false;
    if (!is_good(run, value, err, run->from))
        return;
    const char *status = json_string_value(json_object_get(value, "status"));
    const json_t *ram = json_object_get(value, "ram");
    if (status != NULL && strcmp(status, "completed") == 0) {
        const double total_ms = number_or(value, "total-time", 0);
        run->end.downtime_ms = number_or(value, "downtime", -1);
        run->end.bytes = number_or(ram, "transferred", -1);
        if (total_ms > 0) /* else it is not counted up yet */
            enter(run, PHASE_LAND);
        return;
    }
    if (status != NULL && (strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0)) {
        const char *text = json_string_value(json_object_get(value, "error-desc"));
        (void)error_set(&why, DC_EIO, "QEMU: %s", text != NULL ? text : status);
        fail(run, &why, "");
        return;
    }
    if (ram != NULL)
        take_progress(run, ram);
}

static void on_landed(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    run->is_asking = false;
    if (!is_good(run, value, err, run->to) || !json_is_true(json_object_get(value, "running")))
        return;
    const double downtime_ms = run->resumed_unix_ms - run->stopped_unix_ms;
    if (run->stopped_unix_ms > 0 && downtime_ms > 0 && downtime_ms < most_downtime_ms)
        run->end.downtime_ms = downtime_ms;
    if (!run->config.is_follow)
        run->end.migration_ms = now_ms() - run->begun_ms;
    run->end.outcome = DRIVER_SUCCEEDED;
    enter(run, PHASE_QUIT);
    send_to(run, run->source, "quit", NULL, on_quit);
}

static void poll_run(struct qmp_run *run) {
    struct dc_error err = DC_ERROR_NONE;
    if (run->phase == PHASE_LAND && now_ms() - run->phase_ms > land_limit_ms) {
        fail(run, &err, "all is sent, but the guest does not run at its destination");
        return;
    }
    if (run->target == NULL) /* of a migration that is followed: the destination is asked at its end */
        connect_to_target(run);
    if (run->is_asking || now_ms() < run->next_poll_ms || (run->phase == PHASE_LAND && !run->target_is_ready))
        return;
    run->is_asking = true;
    run->next_poll_ms = now_ms() + poll_interval_ms;
    if (run->phase == PHASE_LAND)
        send_to(run, run->target, "query-status", NULL, on_landed);
    else
        send_to(run, run->source, "query-migrate", NULL, on_progress);
}

/* --- the turn --- */

static void turn_client(struct qmp_run *run, struct qmp_client **client, const char *host) {
    struct dc_error err = DC_ERROR_NONE;
    const bool is_target = client == &run->target;
    if (*client == NULL || qmp_client_turn(*client, now_ms(), &err) == DC_OK)
        return;
    qmp_client_free(client);
    if (is_target)
        run->target_is_ready = false;
    if (run->phase == PHASE_QUIT)
        run->has_quit = true;
    else if (is_target && run->phase == PHASE_CLEAR)
        prepare(run);
    else if (!is_target || run->phase != PHASE_MIGRATE) /* then the source tells what its loss means */
        fail(run, &err, host);
}

/* The destination's QEMU holds nothing that is wanted, as long as not all was sent. */
static void begin_failure(struct qmp_run *run) {
    struct dc_error err = DC_ERROR_NONE;
    const bool has_target = run->target_is_ready && run->phase != PHASE_LAND;
    run->end.outcome = run->is_aborted ? DRIVER_ABORTED : DRIVER_FAILED;
    run->has_quit = !has_target || qmp_client_send(run->target, "quit", NULL, now_ms(), on_quit, run, &err) != DC_OK;
    enter(run, PHASE_QUIT);
}

void qmp_run_turn(struct qmp_run *run) {
    turn_client(run, &run->source, run->from);
    turn_client(run, &run->target, run->to);
    if (run->error.status == DC_OK && run->phase == PHASE_CONNECT && run->target == NULL)
        connect_to_target(run);
    if (run->error.status == DC_OK && run->phase == PHASE_CONNECT && run->target_is_ready)
        set_up(run);
    if (run->error.status == DC_OK && (run->phase == PHASE_MIGRATE || run->phase == PHASE_LAND))
        poll_run(run);
    if (run->error.status != DC_OK && run->phase < PHASE_QUIT)
        begin_failure(run);
    if (run->phase != PHASE_QUIT || (!run->has_quit && now_ms() - run->phase_ms < quit_limit_ms))
        return;
    run->phase = PHASE_ENDED;
    run->end.reason = run->end.outcome != DRIVER_SUCCEEDED ? error_text(&run->error) : "";
    run->config.ended(run->config.context, run, &run->end);
}

/* --- its owner's --- */

const char *qmp_run_uuid(const struct qmp_run *run) {
    return run->uuid;
}

enum dc_status qmp_run_set_bandwidth(struct qmp_run *run, double bytes_per_s, struct dc_error *err) {
    run->bandwidth_bytes_per_s = bytes_per_s; /* before it migrates, it begins with it */
    if (run->phase != PHASE_MIGRATE || run->source == NULL)
        return DC_OK;
    return qmp_client_send(run->source, "migrate-set-parameters", make_parameters(run), now_ms(), ignore, run, err);
}

enum dc_status qmp_run_abort(struct qmp_run *run, struct dc_error *err) {
    struct dc_error why = DC_ERROR_NONE;
    run->is_aborted = true;
    if (run->phase >= PHASE_LAND)
        return error_set(err, DC_EBUSY, "it is too late: all is sent");
    if (run->phase == PHASE_MIGRATE && run->source != NULL)
        return qmp_client_send(run->source, "migrate_cancel", NULL, now_ms(), ignore, run, err);
    fail(run, &why, "ended before it began to send");
    return DC_OK;
}

enum dc_status qmp_run_new(const struct qmp_run_config *config, struct qmp_run **run_out, struct dc_error *err) {
    *run_out = NULL;
    struct qmp_run *run = calloc(1, sizeof(*run));
    if (run == NULL)
        return error_set_nomem(err);
    run->config = *config;
    run->uuid = strdup(config->migration->uuid);
    run->name = strdup(config->migration->name);
    run->from = strdup(config->migration->from);
    run->to = strdup(config->migration->to);
    run->bandwidth_bytes_per_s = config->migration->bandwidth_bytes_per_s;
    run->begun_ms = now_ms();
    run->memory_bytes = config->migration->memory_bytes;
    run->downtime_limit_ms = config->migration->downtime_limit_ms;
    run->config.migration = NULL;
    run->end = (struct driver_end){.migration_ms = -1, .downtime_ms = -1, .bytes = -1};
    const struct qmp_client_events events = {run, on_source_ready, on_source_event};
    enum dc_status rc = run->uuid == NULL || run->name == NULL || run->from == NULL || run->to == NULL
                            ? error_set_nomem(err)
                            : connect_to(run, run->from, &events, &run->source, err);
    if (rc != DC_OK)
        qmp_run_free(&run);
    *run_out = run;
    return rc;
}

void qmp_run_free(struct qmp_run **run) {
    if (*run == NULL)
        return;
    if ((*run)->job != NULL)
        command_job_abandon((*run)->job, false);
    qmp_client_free(&(*run)->source);
    qmp_client_free(&(*run)->target);
    json_decref((*run)->capabilities);
    free((*run)->address);
    free((*run)->uuid);
    free((*run)->name);
    free((*run)->from);
    free((*run)->to);
    free(*run);
    *run = NULL;
}
