/* Goals to plans. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/api_plan.h"

#include "base/clock.h"
#include "base/log.h"
#include "planner/answer.h"
#include "planner/fleet_calibrate.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HTTP_OK = 200, PLAN_TOKEN_BYTES = 65 };

struct plan_job {
    struct api *api;
    struct api_request *request;
    struct goal goal;
    struct fleet fleet;
    struct plan plan;
    struct plan_job *next;        /* of the API's jobs */
    char token[PLAN_TOKEN_BYTES]; /* by which its client may interrupt it; empty: it may not */
    atomic_bool stop;             /* answer with the best so far */
    atomic_bool unwanted;         /* nobody waits any more */
    char *fleet_text;             /* what it is made from */
    char *text;                   /* the plan document */
    double solve_s;               /* what it took */
    enum dc_status rc;
    struct dc_error err;
};

static void forget_job(struct plan_job *job) {
    for (struct plan_job **at = &job->api->jobs; *at != NULL; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            return;
        }
    }
}

static void free_job(struct plan_job *job) {
    forget_job(job);
    goal_dispose(&job->goal);
    fleet_doc_dispose(&job->fleet);
    plan_doc_dispose(&job->plan);
    free(job->fleet_text);
    free(job->text);
    free(job);
}

/* Planned with is what the document says, rounding included: the same question
 * asked of that document offline has the same answer to the byte. */
static enum dc_status freeze_fleet(struct plan_job *job) {
    enum dc_status rc = fleet_doc_write(&job->fleet, &job->fleet_text, &job->err);
    if (rc != DC_OK)
        return rc;
    fleet_doc_dispose(&job->fleet);
    rc = fleet_doc_read(job->fleet_text, strlen(job->fleet_text), &job->fleet, &job->err);
    if (rc == DC_OK)
        fleet_calibrate(&job->fleet);
    return rc;
}

/* On a worker thread: touches nothing but the job. */
static void solve_goal(void *context) {
    struct plan_job *job = context;
    const struct solve_options options = {.cancel = &job->stop};
    const double began_s = clock_monotonic_s();
    if (atomic_load(&job->unwanted)) {
        job->rc = error_set(&job->err, DC_ECANCELED, "nobody waits for the plan any more");
        return;
    }
    job->rc = freeze_fleet(job);
    if (job->rc == DC_OK)
        job->rc = answer(&job->fleet, &job->goal, &options, &job->plan, &job->err);
    if (job->rc == DC_OK)
        job->rc = plan_doc_write(&job->plan, &job->text, &job->err);
    job->solve_s = clock_monotonic_s() - began_s;
}

static void count(struct metrics_plans *made, const struct plan_job *job) {
    if (job->rc != DC_OK) {
        made->n_failed++;
        return;
    }
    made->n_by_status[job->plan.status]++;
    made->solve_s += job->solve_s;
    made->last_gap_frac = job->plan.gap_frac;
}

static enum dc_status store_plan(const struct plan_job *job, struct dc_error *err) {
    const struct plan *plan = &job->plan;
    json_t *json =
        json_pack("{s:s, s:I, s:s, s:f, s:I, s:O?}", "id", plan->id, "made_unix_ms", (json_int_t)plan->made_unix_ms,
                  "status", plan_doc_status_text(plan->status), "makespan_p95_ms", plan->makespan_ms.p95, "n_steps",
                  (json_int_t)plan->n_steps, "goal", plan->goal);
    char *summary = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    const struct store_plan stored = {plan->id, plan->made_unix_ms, summary, job->text, job->fleet_text};
    const enum dc_status rc = summary != NULL ? store_put_plan(job->api->store, &stored, err) : error_set_nomem(err);
    free(summary);
    json_decref(json);
    return rc;
}

static void reply_plan(void *context) {
    struct plan_job *job = context;
    count(&job->api->made, job);
    if (job->rc == DC_OK && !atomic_load(&job->unwanted)) {
        job->rc = store_plan(job, &job->err);
        log_info("plan %s: %s, %zu steps", job->plan.id, plan_doc_status_text(job->plan.status), job->plan.n_steps);
    }
    if (job->rc == DC_OK) {
        api_request_reply(job->request, HTTP_OK, job->text);
        job->text = NULL;
    } else {
        api_reply_error(job->request, job->rc, &job->err);
    }
    free_job(job);
}

static void give_up(void *context) {
    struct plan_job *job = context;
    atomic_store(&job->unwanted, true);
    atomic_store(&job->stop, true);
    log_info("a plan is not wanted any more: its client has gone");
}

void api_plan_make(struct api *api, struct api_request *request, const char *rest) {
    struct dc_error err = DC_ERROR_NONE;
    struct plan_job *job = calloc(1, sizeof(*job));
    json_t *json = NULL;
    (void)rest;
    if (job == NULL) {
        api_reply_error(request, error_set_nomem(&err), &err);
        return;
    }
    goal_init(&job->goal);
    job->api = api;
    job->request = request;
    enum dc_status rc = api_read_body(request, &json, &err);
    if (rc == DC_OK)
        rc = goal_from_json(json, &job->goal, &err);
    const char *token = json_string_value(json_object_get(json, "token"));
    if (token != NULL)
        (void)snprintf(job->token, sizeof(job->token), "%s", token);
    if (rc == DC_OK)
        rc = api_export_fleet(api, &job->fleet, &err);
    job->next = api->jobs;
    api->jobs = job;
    if (rc == DC_OK)
        rc = work_queue_add(api->plans, solve_goal, reply_plan, job, &err);
    json_decref(json);
    if (rc == DC_OK) {
        api_request_on_unwanted(request, give_up, job);
        return;
    }
    free_job(job);
    api_reply_error(request, rc, &err);
}

void api_plan_interrupt(struct api *api, struct api_request *request, const char *rest) {
    struct dc_error err = DC_ERROR_NONE;
    json_t *json = NULL;
    bool found = false;
    (void)rest;
    const enum dc_status rc = api_read_body(request, &json, &err);
    const char *token = json_string_value(json_object_get(json, "token"));
    if (rc != DC_OK || token == NULL || token[0] == '\0') {
        api_reply_error(request, rc != DC_OK ? rc : error_set(&err, DC_EINVAL, "token: expected a text"), &err);
        json_decref(json);
        return;
    }
    for (struct plan_job *job = api->jobs; job != NULL; job = job->next) {
        if (strcmp(job->token, token) != 0)
            continue;
        atomic_store(&job->stop, true);
        found = true;
    }
    json_decref(json);
    api_reply_json(request, HTTP_OK, json_pack("{s:b}", "interrupted", (int)found));
}

static void append_summary(void *context, const char *summary) {
    (void)json_array_append_new(context, json_loads(summary, 0, NULL));
}

void api_plan_list(struct api *api, struct api_request *request, const char *rest) {
    struct dc_error err = DC_ERROR_NONE;
    json_t *plans = json_array();
    (void)rest;
    const enum dc_status rc =
        plans != NULL ? store_list_plans(api->store, append_summary, plans, &err) : error_set_nomem(&err);
    if (rc == DC_OK) {
        api_reply_json(request, HTTP_OK, json_pack("{s:o}", "plans", plans));
        return;
    }
    json_decref(plans);
    api_reply_error(request, rc, &err);
}

void api_plan_get(struct api *api, struct api_request *request, const char *rest) {
    struct dc_error err = DC_ERROR_NONE;
    char *text = NULL;
    const char *part = strchr(rest, '/');
    char *id = part != NULL ? strndup(rest, (size_t)(part - rest)) : strdup(rest);
    enum dc_status rc = id != NULL ? DC_OK : error_set_nomem(&err);
    if (rc == DC_OK && part != NULL && strcmp(part, "/fleet") != 0)
        rc = error_set(&err, DC_ENOTFOUND, "a plan has no part \"%s\", only \"/fleet\"", part);
    if (rc == DC_OK)
        rc = part != NULL ? store_get_plan_fleet(api->store, id, &text, &err)
                          : store_get_plan(api->store, id, &text, &err);
    free(id);
    if (rc == DC_OK)
        api_request_reply(request, HTTP_OK, text);
    else
        api_reply_error(request, rc, &err);
}
