/* From the order to migrate to the end; the turn looks at the time. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/qmp_begin.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

static const double poll_interval_ms = 250;
static const double land_limit_ms = 15000; /* until its guest runs, once all is sent */
static const double quit_limit_ms = 5000;
/* Longer is the difference of two clocks, not a downtime. */
static const double most_downtime_ms = 600e3;

double qmp_now_ms(void) {
    return 1e3 * clock_monotonic_s();
}

void qmp_enter(struct qmp_run *run, enum phase phase) {
    run->phase = phase;
    run->phase_ms = qmp_now_ms();
    run->next_poll_ms = 0;
    run->is_asking = false;
}

void qmp_fail(struct qmp_run *run, const struct dc_error *err, const char *what) {
    if (run->error.status != DC_OK)
        return;
    run->error = *err;
    if (run->error.status == DC_OK)
        (void)error_set(&run->error, DC_EIO, "%s", what);
    else if (what[0] != '\0')
        (void)error_prefix(&run->error, "%s", what);
}

void qmp_send(struct qmp_run *run, struct qmp_client *client, const char *command, json_t *arguments,
              qmp_done_fn done) {
    struct dc_error err = DC_ERROR_NONE;
    if (client == NULL) {
        json_decref(arguments);
        qmp_fail(run, &err, "the connection is gone");
    } else if (qmp_client_send(client, command, arguments, qmp_now_ms(), done, run, &err) != DC_OK) {
        qmp_fail(run, &err, "");
    }
}

static void ignore(void *context, const json_t *value, const struct dc_error *err) {
    (void)context;
    (void)value;
    (void)err;
}

bool qmp_is_good(struct qmp_run *run, const json_t *value, const struct dc_error *err, const char *what) {
    if (value == NULL)
        qmp_fail(run, err, what);
    return value != NULL && run->error.status == DC_OK;
}

void qmp_on_quit(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    (void)value;
    (void)err; /* it has ended in any case, or will not */
    run->has_quit = true;
}

/* --- under way --- */

static double number_or(const json_t *object, const char *key, double otherwise) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static void take_progress(const struct qmp_run *run, const json_t *ram) {
    const double round = number_or(ram, "dirty-sync-count", 0);
    const struct driver_progress progress = {.round = round > 0 ? (unsigned)round : 0,
                                             .sent_bytes = number_or(ram, "transferred", 0),
                                             .remaining_bytes = number_or(ram, "remaining", -1),
                                             .dirty_pages_per_s = number_or(ram, "dirty-pages-rate", -1)};
    run->config.progress(run->config.context, run->uuid, &progress);
}

static void on_progress(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    struct dc_error why = DC_ERROR_NONE;
    run->is_asking = false;
    if (!qmp_is_good(run, value, err, run->from))
        return;
    const char *status = json_string_value(json_object_get(value, "status"));
    const json_t *ram = json_object_get(value, "ram");
    if (status != NULL && strcmp(status, "completed") == 0) {
        const double total_ms = number_or(value, "total-time", 0);
        run->end.downtime_ms = number_or(value, "downtime", -1);
        run->end.bytes = number_or(ram, "transferred", -1);
        if (total_ms > 0) /* else it is not counted up yet */
            qmp_enter(run, PHASE_LAND);
        return;
    }
    if (status != NULL && (strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0)) {
        const char *text = json_string_value(json_object_get(value, "error-desc"));
        (void)error_set(&why, DC_EIO, "QEMU: %s", text != NULL ? text : status);
        qmp_fail(run, &why, "");
        return;
    }
    take_progress(run, ram); /* NULL: it connects still */
}

static void on_landed(void *context, const json_t *value, const struct dc_error *err) {
    struct qmp_run *run = context;
    run->is_asking = false;
    if (!qmp_is_good(run, value, err, run->to) || !json_is_true(json_object_get(value, "running")))
        return;
    const double downtime_ms = run->resumed_unix_ms - run->stopped_unix_ms;
    if (run->stopped_unix_ms > 0 && downtime_ms > 0 && downtime_ms < most_downtime_ms)
        run->end.downtime_ms = downtime_ms;
    if (!run->config.is_follow)
        run->end.migration_ms = qmp_now_ms() - run->begun_ms;
    run->end.outcome = DRIVER_SUCCEEDED;
    qmp_enter(run, PHASE_QUIT);
    qmp_send(run, run->source, "quit", NULL, qmp_on_quit);
}

static void poll_run(struct qmp_run *run) {
    struct dc_error err = DC_ERROR_NONE;
    if (run->phase == PHASE_LAND && qmp_now_ms() - run->phase_ms > land_limit_ms) {
        qmp_fail(run, &err, "all is sent, but the guest does not run at its destination");
        return;
    }
    if (run->target == NULL) /* of a migration that is followed: the destination is asked at its end */
        qmp_begin_connect(run);
    if (run->is_asking || qmp_now_ms() < run->next_poll_ms || (run->phase == PHASE_LAND && !run->target_is_ready))
        return;
    run->is_asking = true;
    run->next_poll_ms = qmp_now_ms() + poll_interval_ms;
    if (run->phase == PHASE_LAND)
        qmp_send(run, run->target, "query-status", NULL, on_landed);
    else
        qmp_send(run, run->source, "query-migrate", NULL, on_progress);
}

/* --- the turn --- */

static void turn_client(struct qmp_run *run, struct qmp_client **client, const char *host) {
    struct dc_error err = DC_ERROR_NONE;
    const bool is_target = client == &run->target;
    if (*client == NULL || qmp_client_turn(*client, qmp_now_ms(), &err) == DC_OK)
        return;
    qmp_client_free(client);
    if (is_target)
        run->target_is_ready = false;
    if (run->phase == PHASE_QUIT)
        run->has_quit = true;
    else if (is_target && run->phase == PHASE_CLEAR)
        qmp_begin_prepare(run);
    else if (!is_target || run->phase != PHASE_MIGRATE) /* then the source tells what its loss means */
        qmp_fail(run, &err, host);
}

/* The destination's QEMU holds nothing that is wanted, as long as not all was sent. */
static void begin_failure(struct qmp_run *run) {
    struct dc_error err = DC_ERROR_NONE;
    const bool has_target = run->target_is_ready && run->phase != PHASE_LAND;
    run->end.outcome = run->is_aborted ? DRIVER_ABORTED : DRIVER_FAILED;
    run->has_quit =
        !has_target || qmp_client_send(run->target, "quit", NULL, qmp_now_ms(), qmp_on_quit, run, &err) != DC_OK;
    qmp_enter(run, PHASE_QUIT);
}

void qmp_run_turn(struct qmp_run *run) {
    turn_client(run, &run->source, run->from);
    turn_client(run, &run->target, run->to);
    if (run->error.status == DC_OK && run->phase == PHASE_CONNECT && run->target == NULL)
        qmp_begin_connect(run);
    if (run->error.status == DC_OK && run->phase == PHASE_CONNECT && run->target_is_ready)
        qmp_begin_set_up(run);
    if (run->error.status == DC_OK && (run->phase == PHASE_MIGRATE || run->phase == PHASE_LAND))
        poll_run(run);
    if (run->error.status != DC_OK && run->phase < PHASE_QUIT)
        begin_failure(run);
    if (run->phase != PHASE_QUIT || (!run->has_quit && qmp_now_ms() - run->phase_ms < quit_limit_ms))
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
    return qmp_client_send(run->source, "migrate-set-parameters", qmp_begin_parameters(run), qmp_now_ms(), ignore, run,
                           err);
}

enum dc_status qmp_run_abort(struct qmp_run *run, struct dc_error *err) {
    struct dc_error why = DC_ERROR_NONE;
    run->is_aborted = true;
    if (run->phase >= PHASE_LAND)
        return error_set(err, DC_EBUSY, "it is too late: all is sent");
    if (run->phase == PHASE_MIGRATE && run->source != NULL)
        return qmp_client_send(run->source, "migrate_cancel", NULL, qmp_now_ms(), ignore, run, err);
    qmp_fail(run, &why, "ended before it began to send");
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
    run->begun_ms = qmp_now_ms();
    run->memory_bytes = config->migration->memory_bytes;
    run->downtime_limit_ms = config->migration->downtime_limit_ms;
    run->config.migration = NULL;
    run->end = (struct driver_end){.migration_ms = -1, .downtime_ms = -1, .bytes = -1};
    const struct qmp_client_events events = {run, qmp_begin_on_ready, qmp_on_source_event};
    enum dc_status rc = run->uuid == NULL || run->name == NULL || run->from == NULL || run->to == NULL
                            ? error_set_nomem(err)
                            : qmp_connect(run, run->from, &events, &run->source, err);
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
