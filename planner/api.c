/* Routing, replies, and the questions that need no thinking. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/api.h"

#include "planner/api_event.h"
#include "planner/api_hold.h"
#include "planner/api_plan.h"
#include "planner/api_watch.h"

#include <stdlib.h>
#include <string.h>

enum { HTTP_OK = 200, HTTP_METHOD_NOT_ALLOWED = 405 };

void api_reply_json(struct api_request *request, unsigned status, json_t *json) {
    api_request_reply(request, status, json != NULL ? json_dumps(json, JSON_INDENT(1)) : NULL);
    json_decref(json);
}

static unsigned http_status(enum dc_status rc) {
    switch (rc) {
    case DC_EINVAL:
    case DC_EPARSE:
    case DC_ERANGE:
    case DC_EVERSION:
    case DC_EUNSUPPORTED:
        return 400;
    case DC_ENOTFOUND:
        return 404;
    case DC_ESTALE:
    case DC_EUNREACHABLE:
        return 409;
    case DC_EBUSY:
    case DC_ECANCELED:
        return 503;
    default:
        return 500;
    }
}

static const char *status_name(enum dc_status rc) {
    switch (rc) {
#define X(name, value, text) \
    case DC_##name:          \
        return #name;
        DC_STATUS_MAP(X)
#undef X
    }
    return "EINTERNAL";
}

void api_reply_error(struct api_request *request, enum dc_status rc, const struct dc_error *err) {
    json_t *json = json_pack("{s:s, s:s}", "error", error_text(err), "status", status_name(rc));
    if (json != NULL && rc == DC_ESTALE)
        (void)json_object_set_new(json, "code", json_string("stale"));
    if (json != NULL && rc == DC_EUNREACHABLE)
        (void)json_object_set_new(json, "code", json_string("unreachable"));
    api_reply_json(request, http_status(rc), json);
}

enum dc_status api_read_body(const struct api_request *request, json_t **json_out, struct dc_error *err) {
    size_t n_bytes = 0;
    json_error_t where;
    const char *body = api_request_body(request, &n_bytes);
    *json_out = json_loadb(body, n_bytes, JSON_REJECT_DUPLICATES, &where);
    if (*json_out == NULL)
        return error_set(err, DC_EINVAL, "expected a JSON object: line %d: %s", where.line, where.text);
    if (json_is_object(*json_out))
        return DC_OK;
    json_decref(*json_out);
    *json_out = NULL;
    return error_set(err, DC_EINVAL, "expected a JSON object");
}

enum dc_status api_export_fleet(const struct api *api, struct fleet *fleet_out, struct dc_error *err) {
    enum dc_status rc = fleet_state_export(api->state, fleet_clock_now(), fleet_out, err);
    if (rc != DC_OK)
        return rc;
    rc = observation_log_export(api->observations, true, fleet_out, err);
    if (rc != DC_OK)
        fleet_doc_dispose(fleet_out);
    return rc;
}

/* A fleet on its way to JSON text. */
struct fleet_job {
    struct api_request *request;
    struct fleet fleet;
    char *text;
    enum dc_status rc;
    struct dc_error err;
};

static void write_fleet(void *context) {
    struct fleet_job *job = context;
    job->rc = fleet_doc_write(&job->fleet, &job->text, &job->err);
}

static void reply_fleet(void *context) {
    struct fleet_job *job = context;
    if (job->rc == DC_OK)
        api_request_reply(job->request, HTTP_OK, job->text);
    else
        api_reply_error(job->request, job->rc, &job->err);
    fleet_doc_dispose(&job->fleet);
    free(job);
}

static void get_fleet(struct api *api, struct api_request *request, const char *rest) {
    struct dc_error err = DC_ERROR_NONE;
    (void)rest;
    struct fleet_job *job = calloc(1, sizeof(*job));
    if (job == NULL) {
        api_reply_error(request, error_set_nomem(&err), &err);
        return;
    }
    job->request = request;
    enum dc_status rc = api_export_fleet(api, &job->fleet, &err);
    if (rc == DC_OK)
        rc = work_queue_add(api->documents, write_fleet, reply_fleet, job, &err);
    if (rc == DC_OK)
        return;
    fleet_doc_dispose(&job->fleet);
    free(job);
    api_reply_error(request, rc, &err);
}

static json_t *counters_json(const struct collector_counters *n) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "messages", (json_int_t)n->intake.messages,
                     "malformed", (json_int_t)n->intake.malformed, "before_hello", (json_int_t)n->intake.before_hello,
                     "muted", (json_int_t)n->intake.muted, "rejected", (json_int_t)n->intake.rejected, "over_credit",
                     (json_int_t)n->intake.over_credit, "refused", (json_int_t)n->refused, "unidentified",
                     (json_int_t)n->unidentified, "unsent", (json_int_t)n->unsent);
}

static json_t *hosts_json(const struct api *api, const struct fleet *fleet) {
    json_t *hosts = json_array();
    size_t *n_vms = calloc(fleet->n_hosts + 1, sizeof(*n_vms));
    for (size_t i = 0; n_vms != NULL && i < fleet->n_vms; i++)
        n_vms[fleet->vms[i].host]++;
    for (size_t i = 0; n_vms != NULL && i < fleet->n_hosts; i++) {
        const struct fleet_host *host = &fleet->hosts[i];
        (void)json_array_append_new(hosts,
                                    json_pack("{s:s, s:s, s:I, s:I, s:b}", "name", host->name, "freshness",
                                              fleet_doc_freshness_text(host->freshness), "seen_unix_ms",
                                              (json_int_t)host->seen_unix_ms, "n_vms", (json_int_t)n_vms[i],
                                              "connected", (int)collector_is_connected(api->collector, host->name)));
    }
    free(n_vms);
    return hosts;
}

static void get_status(struct api *api, struct api_request *request, const char *rest) {
    struct dc_error err = DC_ERROR_NONE;
    struct fleet fleet;
    (void)rest;
    const enum dc_status rc = fleet_state_export(api->state, fleet_clock_now(), &fleet, &err);
    if (rc != DC_OK) {
        api_reply_error(request, rc, &err);
        return;
    }
    const struct collector_counters counters = collector_count(api->collector);
    api_reply_json(request, HTTP_OK,
                   json_pack("{s:s, s:s, s:I, s:I, s:o, s:o}", "version", DECAMP_VERSION, "listen",
                             collector_endpoint(api->collector), "n_hosts", (json_int_t)fleet.n_hosts, "n_vms",
                             (json_int_t)fleet.n_vms, "counters", counters_json(&counters), "hosts",
                             hosts_json(api, &fleet)));
    fleet_doc_dispose(&fleet);
}

static const struct {
    const char *method;
    const char *path; /* one that ends in '/' takes the rest of the request's path */
    void (*handle)(struct api *api, struct api_request *request, const char *rest);
} routes[] = {
    {"GET", "/v1/fleet", get_fleet},       {"GET", "/v1/status", get_status},
    {"GET", "/v1/plans", api_plan_list},   {"GET", "/v1/plans/", api_plan_get},
    {"POST", "/v1/plans", api_plan_make},  {"POST", "/v1/holds", api_hold},
    {"POST", "/v1/releases", api_release}, {"POST", "/v1/interrupts", api_plan_interrupt},
    {"POST", "/v1/plans/", api_event},     {"GET", "/metrics", api_metrics},
    {"GET", "/healthz", api_healthz},      {"GET", "/readyz", api_readyz},
};

static bool path_matches(const char *route, const char *path) {
    const size_t length = strlen(route);
    return route[length - 1] == '/' ? strncmp(path, route, length) == 0 && path[length] != '\0'
                                    : strcmp(path, route) == 0;
}

void api_handle(void *context, struct api_request *request) {
    const char *path = api_request_path(request);
    const char *method = api_request_method(request);
    bool is_known = false;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        if (!path_matches(routes[i].path, path))
            continue;
        is_known = true;
        if (strcmp(routes[i].method, method) == 0) {
            routes[i].handle(context, request, path + strlen(routes[i].path));
            return;
        }
    }
    struct dc_error err = DC_ERROR_NONE;
    if (is_known) {
        api_reply_json(request, HTTP_METHOD_NOT_ALLOWED,
                       json_pack("{s:s, s:s}", "error", "this path does not take this method", "status", "EINVAL"));
        return;
    }
    api_reply_error(request, error_set(&err, DC_ENOTFOUND, "no such path"), &err);
}
