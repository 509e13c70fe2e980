/* The source first: nothing is started for a guest that cannot be migrated. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/qmp_begin.h"

#include "planner/apply/command_template.h"

#include <stdlib.h>
#include <string.h>

static const double connect_interval_ms = 100;
static const double connect_limit_ms = 10000;  /* until the destination's socket takes us */
static const double no_cap_bytes_per_s = 1e12; /* QEMU's default of 128 MiB/s is one */

/* --- setting up --- */

static void on_migrating(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    if (qmp_is_good(run, value, err, run->from))
        qmp_enter(run, PHASE_MIGRATE);
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
    if (qmp_is_good(run, value, err, run->from))
        qmp_send(run, run->source, "migrate", make_uri(run), on_migrating);
}

json_t *qmp_begin_parameters(const struct qmp_run *run) {
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
        qmp_send(run, run->target, "migrate-incoming", make_uri(run), on_listening);
        return;
    }
    if (qmp_is_good(run, value, err, run->to))
        qmp_send(run, run->source, "migrate-set-parameters", qmp_begin_parameters(run), on_parameters);
}

static void on_capable(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    if (qmp_is_good(run, value, err, run->to))
        qmp_send(run, run->target, "migrate-incoming", make_uri(run), on_listening);
}

static json_t *make_capabilities(const struct qmp_run *run) {
    return json_pack("{s:O}", "capabilities", run->capabilities);
}

static void on_source_capable(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    if (qmp_is_good(run, value, err, run->from))
        qmp_send(run, run->target, "migrate-set-capabilities", make_capabilities(run), on_capable);
}

/* Those that are on stay on, at both ends; and what apply needs: events, and the way back (else the source does not
 * know whether the destination has taken all). */
static void on_capabilities(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    static const char *const needed[] = {"events", "return-path"};
    if (!qmp_is_good(run, value, err, run->from))
        return;
    run->capabilities = json_array();
    for (size_t i = 0; i < json_array_size(value); i++) {
        json_t *row = json_array_get(value, i);
        if (json_is_true(json_object_get(row, "state")))
            (void)json_array_append(run->capabilities, row);
    }
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        (void)json_array_append_new(run->capabilities, json_pack("{s:s, s:b}", "capability", needed[i], "state", 1));
    qmp_send(run, run->source, "migrate-set-capabilities", make_capabilities(run), on_source_capable);
}

void qmp_begin_set_up(struct qmp_run *run) {
    qmp_enter(run, PHASE_SET_UP);
    qmp_send(run, run->source, "query-migrate-capabilities", NULL, on_capabilities);
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

enum dc_status qmp_connect(struct qmp_run *run, const char *host, const struct qmp_client_events *events,
                           struct qmp_client **client_out, struct dc_error *err) {
    char *path = qmp_config_socket(run->config.settings, host, run->uuid, run->name);
    const enum dc_status rc =
        path == NULL ? error_set_nomem(err) : qmp_client_open(path, qmp_now_ms(), events, client_out, err);
    free(path);
    return rc;
}

void qmp_begin_connect(struct qmp_run *run) {
    const struct qmp_client_events events = {run, on_target_ready, on_target_event};
    struct dc_error err = DC_ERROR_NONE;
    if (qmp_now_ms() < run->next_connect_ms)
        return;
    const enum dc_status rc = qmp_connect(run, run->to, &events, &run->target, &err);
    run->next_connect_ms = qmp_now_ms() + connect_interval_ms;
    if (rc != DC_OK && run->phase == PHASE_CONNECT &&
        (rc != DC_EUNREACHABLE || qmp_now_ms() - run->phase_ms > connect_limit_ms))
        qmp_fail(run, &err, "the QEMU that was prepared does not answer");
}

static void on_prepared(void *context, const struct command_job_end *end) {
    struct qmp_run *run = context;
    struct dc_error err = DC_ERROR_NONE;
    run->job = NULL;
    if (!end->ok) {
        qmp_fail(run, &err, end->reason);
        (void)error_prefix(&run->error, "prepare");
        return;
    }
    const char *line = end->out + strspn(end->out, " \t\r\n");
    const size_t length = strcspn(line, " \t\r\n");
    run->address = length > 0 ? strndup(line, length) : strdup(run->to);
    if (run->address == NULL) {
        (void)error_set_nomem(&err);
        qmp_fail(run, &err, "");
        return;
    }
    qmp_enter(run, PHASE_CONNECT);
}

void qmp_begin_prepare(struct qmp_run *run) {
    struct dc_error err = DC_ERROR_NONE;
    const struct command_values values = {.uuid = run->uuid,
                                          .name = run->name,
                                          .from = run->from,
                                          .to = run->to,
                                          .host = run->to,
                                          .memory_bytes = run->memory_bytes};
    char *command = NULL;
    qmp_enter(run, PHASE_PREPARE);
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
        qmp_fail(run, &err, "prepare");
    free(command);
}

/* --- what an earlier attempt left --- */

static void on_old_status(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    struct dc_error why = DC_ERROR_NONE;
    if (!qmp_is_good(run, value, err, run->to))
        return;
    const char *status = json_string_value(json_object_get(value, "status"));
    if (status != NULL && strcmp(status, "inmigrate") == 0) {
        qmp_send(run, run->target, "quit", NULL, qmp_on_quit);
        return;
    }
    (void)error_set(&why, DC_EINVAL, "a QEMU of it is at its destination already (%s)", status != NULL ? status : "?");
    qmp_fail(run, &why, "");
}

static void on_old_ready(void *context) {
    struct qmp_run *run = context;
    qmp_send(run, run->target, "query-status", NULL, on_old_status);
}

static void clear(struct qmp_run *run) {
    const struct qmp_client_events events = {run, on_old_ready, on_target_event};
    struct dc_error err = DC_ERROR_NONE;
    const enum dc_status rc = qmp_connect(run, run->to, &events, &run->target, &err);
    if (rc == DC_OK)
        qmp_enter(run, PHASE_CLEAR); /* its end begins the next one */
    else if (rc == DC_EUNREACHABLE)
        qmp_begin_prepare(run);
    else
        qmp_fail(run, &err, run->to);
}

/* --- the source --- */

static void on_source_migration(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    if (!qmp_is_good(run, value, err, run->from))
        return;
    const char *status = json_string_value(json_object_get(value, "status"));
    const bool is_active = status != NULL && strcmp(status, "completed") != 0 && strcmp(status, "failed") != 0 &&
                           strcmp(status, "cancelled") != 0 && strcmp(status, "none") != 0;
    const bool is_completed = status != NULL && strcmp(status, "completed") == 0;
    struct dc_error why = DC_ERROR_NONE;
    if (run->config.is_follow && (is_active || is_completed))
        qmp_enter(run, PHASE_MIGRATE);
    else if (run->config.is_follow)
        qmp_fail(run, &why, "no migration of it is under way");
    else if (is_active)
        qmp_fail(run, &why, "somebody else migrates it");
    else
        clear(run);
}

static void on_source_status(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    struct dc_error why = DC_ERROR_NONE;
    if (!qmp_is_good(run, value, err, run->from))
        return;
    const char *status = json_string_value(json_object_get(value, "status"));
    if (!run->config.is_follow && (status == NULL || strcmp(status, "running") != 0)) {
        (void)error_set(&why, DC_EINVAL, "the guest does not run at its source (%s)", status != NULL ? status : "?");
        qmp_fail(run, &why, "");
        return;
    }
    qmp_send(run, run->source, "query-migrate", NULL, on_source_migration);
}

static void on_source_uuid(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    struct dc_error why = DC_ERROR_NONE;
    if (!qmp_is_good(run, value, err, run->from))
        return;
    const char *uuid = json_string_value(json_object_get(value, "UUID"));
    if (uuid != NULL && strcasecmp(uuid, run->uuid) == 0)
        qmp_send(run, run->source, "query-status", NULL, on_source_status);
    else
        qmp_fail(run, &why, "the QEMU at its socket is another VM's");
}

void qmp_begin_on_ready(void *context) {
    struct qmp_run *run = context;
    qmp_send(run, run->source, "query-uuid", NULL, on_source_uuid);
}

void qmp_on_source_event(void *context, const struct qmp_message *message) {
    struct qmp_run *run = context;
    if (strcmp(message->name, "STOP") == 0)
        run->stopped_unix_ms = message->at_unix_ms;
    if (strcmp(message->name, "MIGRATION") == 0)
        run->next_poll_ms = 0; /* worth a look */
}
