/* Goals to plans. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/api_plan.h"

#include "base/log.h"
#include "planner/answer.h"
#include "planner/fleet_calibrate.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { HTTP_OK = 200 };

struct plan_job {
    struct api *api;
    struct api_request *request;
    struct goal goal;
    struct fleet fleet;
    struct plan plan;
    atomic_bool unwanted;
    char *fleet_text; /* what it is made from */
    char *text;       /* the plan document */
    enum dc_status rc;
    struct dc_error err;
};

static void free_job(struct plan_job *job) {
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
    const struct solve_options options = {.cancel = &job->unwanted};
    if (atomic_load(&job->unwanted)) {
        job->rc = error_set(&job->err, DC_ECANCELED, "nobody waits for the plan any more");
        return;
    }
    job->rc = freeze_fleet(job);
    if (job->rc == DC_OK)
        job->rc = answer(&job->fleet, &job->goal, &options, &job->plan, &job->err);
    if (job->rc == DC_OK)
        job->rc = plan_doc_write(&job->plan, &job->text, &job->err);
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
    if (rc == DC_OK)
        rc = api_export_fleet(api, &job->fleet, &err);
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
