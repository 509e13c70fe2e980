/* Wiring: opens the parts, passes messages between them, closes them in order. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/daemon.h"

#include "base/log.h"
#include "planner/api.h"
#include "planner/intake_apply.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum { N_SIGNALS = 3, DOCUMENT_THREADS = 1, DOCUMENT_QUEUE = 64, THREADS_TEXT_BYTES = 16 };
static const int signals[N_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

struct daemon {
    const struct daemon_config *config;
    uv_loop_t loop;
    uv_signal_t signals[N_SIGNALS];
    size_t n_signals; /* started */
    struct allow_list allowed, feed_allowed;
    struct intake_apply apply; /* owns nothing */
    struct fleet_state *state;
    struct store *store;
    struct observation_log *observations;
    struct collector *collector;
    struct api api;
    struct api_server *server;
};

static void reload_allow_list(const char *path, struct allow_list *list) {
    struct dc_error err = DC_ERROR_NONE;
    struct allow_list fresh;
    if (allow_list_load(path, &fresh, &err) != DC_OK) {
        log_error("allow-list not reloaded, the old one stays: %s", error_text(&err));
        return;
    }
    allow_list_dispose(list);
    *list = fresh;
    log_info("%s: allow-list reloaded: %zu keys", path, fresh.n_entries);
}

static void stop(struct daemon *self) {
    (void)sd_notify(0, "STOPPING=1");
    api_server_close(&self->server);
    collector_close(&self->collector);
    for (size_t i = 0; i < self->n_signals; i++)
        uv_close((uv_handle_t *)&self->signals[i], NULL);
    self->n_signals = 0;
}

static void on_signal(uv_signal_t *handle, int number) {
    struct daemon *self = handle->data;
    if (number == SIGHUP) {
        reload_allow_list(self->config->allow_list_file, &self->allowed);
        if (self->config->feed != NULL)
            reload_allow_list(self->config->feed_allow_list_file, &self->feed_allowed);
        return;
    }
    log_info("stopping on signal %d", number);
    stop(self);
}

static enum dc_status start_signals(struct daemon *self, struct dc_error *err) {
    (void)signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < N_SIGNALS; i++) {
        int r = uv_signal_init(&self->loop, &self->signals[i]);
        if (r != 0)
            return error_set(err, DC_EIO, "signals: %s", uv_strerror(r));
        self->n_signals = i + 1;
        self->signals[i].data = self;
        r = uv_signal_start(&self->signals[i], on_signal, signals[i]);
        if (r != 0)
            return error_set(err, DC_EIO, "signals: %s", uv_strerror(r));
    }
    return DC_OK;
}

static enum dc_status load_topology(const struct daemon_config *config, struct fleet *topology_out,
                                    struct dc_error *err) {
    *topology_out = (struct fleet){0};
    return config->topology_file != NULL ? fleet_doc_read_file(config->topology_file, topology_out, err) : DC_OK;
}

enum dc_status daemon_check(const struct daemon_config *config, struct dc_error *err) {
    char secret_key[KEY_FILE_TEXT_BYTES];
    struct allow_list allowed = {0}, feed_allowed = {0};
    struct fleet topology = {0};
    enum dc_status rc = key_file_read(config->secret_key_file, true, secret_key, err);
    explicit_bzero(secret_key, sizeof(secret_key));
    if (rc == DC_OK)
        rc = allow_list_load(config->allow_list_file, &allowed, err);
    if (rc == DC_OK && config->feed != NULL)
        rc = allow_list_load(config->feed_allow_list_file, &feed_allowed, err);
    if (rc == DC_OK)
        rc = load_topology(config, &topology, err);
    allow_list_dispose(&allowed);
    allow_list_dispose(&feed_allowed);
    fleet_doc_dispose(&topology);
    return rc;
}

static enum dc_status open_state(struct daemon *self, struct dc_error *err) {
    struct fleet topology;
    enum dc_status rc = load_topology(self->config, &topology, err);
    if (rc != DC_OK)
        return rc;
    self->state = fleet_state_new(self->config->status_interval_ms);
    if (self->state == NULL) {
        fleet_doc_dispose(&topology);
        return error_set_nomem(err);
    }
    fleet_state_set_topology(self->state, &topology);
    rc = store_open(self->config->store_path, &self->store, err);
    if (rc != DC_OK)
        return rc;
    self->observations = observation_log_new(self->store);
    if (self->observations == NULL)
        return error_set_nomem(err);
    self->apply = (struct intake_apply){.state = self->state, .store = self->store, .observations = self->observations};
    rc = intake_apply_restore(&self->apply, err);
    return rc == DC_OK ? rc : error_prefix(err, "%s", self->config->store_path);
}

static enum dc_status open_collector(struct daemon *self, struct dc_error *err) {
    struct collector_settings settings = {.listen = self->config->listen,
                                          .status_interval_ms = self->config->status_interval_ms,
                                          .allowed = &self->allowed,
                                          .feed_listen = self->config->feed,
                                          .feed_allowed = &self->feed_allowed,
                                          .context = &self->apply,
                                          .heard = intake_apply_heard,
                                          .drained = intake_apply_drained};
    enum dc_status rc = allow_list_load(self->config->allow_list_file, &self->allowed, err);
    if (rc == DC_OK && self->config->feed != NULL)
        rc = allow_list_load(self->config->feed_allow_list_file, &self->feed_allowed, err);
    if (rc == DC_OK)
        rc = key_file_read(self->config->secret_key_file, true, settings.secret_key, err);
    if (rc == DC_OK)
        rc = collector_open(&self->loop, &settings, &self->collector, err);
    self->apply.collector = self->collector;
    explicit_bzero(settings.secret_key, sizeof(settings.secret_key));
    return rc;
}

static enum dc_status open_api(struct daemon *self, struct dc_error *err) {
    struct api *api = &self->api;
    *api = (struct api){
        .state = self->state,
        .store = self->store,
        .observations = self->observations,
        .collector = self->collector,
        .plans = work_queue_new(&self->loop, (size_t)self->config->plan_threads, (size_t)self->config->plan_queue),
        .documents = work_queue_new(&self->loop, DOCUMENT_THREADS, DOCUMENT_QUEUE),
        .made = {.last_gap_frac = -1}};
    if (api->plans == NULL || api->documents == NULL)
        return error_set_nomem(err);
    return api_server_open(&self->loop, self->config->api_socket, api_handle, api, &self->server, err);
}

/* libuv's pool must hold every thread that the queues use; it is made at its first use. */
static void size_thread_pool(const struct daemon_config *config) {
    char text[THREADS_TEXT_BYTES];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)config->plan_threads + DOCUMENT_THREADS);
    (void)setenv("UV_THREADPOOL_SIZE", text, 1);
}

static void dispose(struct daemon *self) {
    work_queue_free(&self->api.plans);
    work_queue_free(&self->api.documents);
    run_table_dispose(&self->api.runs);
    observation_log_free(&self->observations);
    store_close(&self->store);
    fleet_state_free(&self->state);
    allow_list_dispose(&self->allowed);
    allow_list_dispose(&self->feed_allowed);
}

enum dc_status daemon_run(const struct daemon_config *config, struct dc_error *err) {
    struct daemon self = {.config = config};
    size_thread_pool(config);
    const int r = uv_loop_init(&self.loop);
    if (r != 0)
        return error_set(err, DC_EIO, "event loop: %s", uv_strerror(r));
    enum dc_status rc = start_signals(&self, err);
    if (rc == DC_OK)
        rc = open_state(&self, err);
    if (rc == DC_OK)
        rc = open_collector(&self, err);
    if (rc == DC_OK)
        rc = open_api(&self, err);
    if (rc == DC_OK) {
        log_info("listening on %s for agents, on %s for questions", collector_endpoint(self.collector),
                 config->api_socket);
        (void)sd_notify(0, "READY=1");
    } else {
        stop(&self);
    }
    (void)uv_run(&self.loop, UV_RUN_DEFAULT); /* ends when stop() has closed every handle */
    if (uv_loop_close(&self.loop) != 0)
        rc = error_set(err, DC_EINTERNAL, "handles were left open in the event loop");
    dispose(&self);
    return rc;
}
