/* One revision after the other on one loop; what is under way has ended before the rest is planned anew. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/apply.h"

#include "base/clock.h"
#include "planner/api_client.h"
#include "planner/apply/preflight.h"
#include "planner/apply/replan.h"
#include "planner/apply/watch.h"
#include "proto/msg.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_REVISIONS = 8 };

static const double search_limit_ms = 5000; /* for the rest of a plan: nothing moves meanwhile */

struct apply {
    const struct apply_config *config;
    struct journal *journal;
    struct apply_result *result;
    uv_loop_t loop;
    uv_signal_t interrupts[2];
    struct plan *plan; /* of the present revision */
    unsigned revision;
    struct executor *executor;
    struct watch *watch; /* NULL: the plan is kept whatever happens */
    double began_ms;     /* monotonic */
    bool is_first;       /* begins after a check */
    bool is_resumed;     /* begins where the journal ends */
    bool is_interrupted, has_no_agents;
    struct dc_error error;
};

void apply_result_dispose(struct apply_result *result) {
    for (size_t i = 0; i < result->n_parts; i++) {
        plan_doc_dispose(&result->parts[i].plan);
        free(result->parts[i].steps);
    }
    free(result->parts);
    *result = (struct apply_result){0};
}

/* --- the executor's events --- */

static void on_hold(void *context, size_t index, bool is_held) {
    struct apply *apply = context;
    const struct apply_config *config = apply->config;
    const struct plan_step *step = &apply->plan->steps[index];
    struct dc_error err = DC_ERROR_NONE;
    if (config->socket_path == NULL || apply->has_no_agents)
        return;
    const double for_ms =
        fmin(MSG_MAX_HOLD_MS, config->options.timeout_factor * step->migration_ms.p95 + config->options.timeout_min_ms);
    const enum dc_status rc =
        is_held ? api_client_hold(config->socket_path, step->vm, for_ms, step->to, step->bandwidth_bytes_per_s, &err)
                : api_client_release(config->socket_path, step->vm, &err);
    if (rc == DC_OK || !is_held) /* a HOLD ends by itself */
        return;
    apply->has_no_agents = rc == DC_EUNREACHABLE;
    (void)error_prefix(&err, "agents cannot be told of it");
    apply_view_note(config->view, index, error_text(&err));
}

static void on_changed(void *context, size_t index) {
    struct apply *apply = context;
    apply_view_changed(apply->config->view, index);
}

static void on_progress(void *context, size_t index) {
    struct apply *apply = context;
    apply_view_progress(apply->config->view, index);
}

static void on_note(void *context, size_t index, const char *text) {
    struct apply *apply = context;
    apply_view_note(apply->config->view, index, text);
}

static enum dc_status record_plan(struct apply *apply, const char *reason, struct dc_error *err) {
    char *text = NULL;
    enum dc_status rc = plan_doc_write(apply->plan, &text, err);
    if (rc == DC_OK)
        rc = journal_add_plan(apply->journal, text, reason, err);
    free(text);
    return rc;
}

static void on_checked(void *context, size_t n_wrong) {
    struct apply *apply = context;
    if (n_wrong > 0) {
        (void)error_set(&apply->error, DC_ESTALE,
                        "the plan does not fit any more: %zu VM%s not as it takes %s (see above); nothing was begun",
                        n_wrong, n_wrong == 1 ? " is" : "s are", n_wrong == 1 ? "it" : "them");
    } else {
        (void)!record_plan(apply, "first", &apply->error);
    }
    if (apply->error.status == DC_OK)
        executor_begin(apply->executor);
    else
        uv_stop(&apply->loop);
}

static void on_finished(void *context) {
    struct apply *apply = context;
    uv_stop(&apply->loop); /* the executor can still be asked */
}

static void on_interrupt(uv_signal_t *handle, int number) {
    struct apply *apply = handle->data;
    const bool is_first = !apply->is_interrupted;
    (void)number;
    apply->is_interrupted = true;
    if (apply->executor == NULL) /* nothing is under way */
        return;
    if (is_first) {
        apply_view_note(apply->config->view, SIZE_MAX,
                        "interrupted: what runs ends, no more begins (once more: what runs is ended)");
        executor_stop(apply->executor, "interrupted");
        return;
    }
    executor_abort(apply->executor);
}

static void on_stale(void *context, const char *reason) {
    struct apply *apply = context;
    char text[320];
    (void)snprintf(text, sizeof(text), "%s: no more begins until the rest is planned anew", reason);
    apply_view_note(apply->config->view, SIZE_MAX, text);
    executor_stop(apply->executor, reason);
}

static void on_watch_note(void *context, const char *text) {
    struct apply *apply = context;
    apply_view_note(apply->config->view, SIZE_MAX, text);
}

/* --- one revision --- */

static enum dc_status load_fleet(void *context, struct fleet *fleet_out, struct dc_error *err) {
    const struct apply *apply = context;
    return apply->config->load_fleet(apply->config->context, fleet_out, err);
}

static enum dc_status open_watch(struct apply *apply, struct dc_error *err) {
    const struct watch_config config = {
        .loop = &apply->loop,
        .plan = apply->plan,
        .executor = apply->executor,
        .journal = apply->journal,
        .elapsed_before_ms = 1e3 * clock_monotonic_s() - apply->began_ms,
        .interval_ms = apply->config->watch_interval_ms,
        .context = apply,
        .load_fleet = load_fleet,
        .note = on_watch_note,
        .stale = on_stale,
    };
    return apply->config->may_replan ? watch_open(&config, &apply->watch, err) : DC_OK;
}

static enum dc_status open_executor(struct apply *apply, struct dc_error *err) {
    const struct executor_config config = {
        .loop = &apply->loop,
        .plan = apply->plan,
        .revision = apply->revision,
        .driver = apply->config->driver,
        .driver_config = {.path = apply->config->driver_path, .run_dir = journal_dir(apply->journal)},
        .journal = apply->journal,
        .options = apply->config->options,
        .events = {apply, on_hold, on_changed, on_progress, on_note, on_checked, on_finished},
    };
    enum dc_status rc = executor_open(&config, &apply->executor, err);
    if (rc == DC_OK && apply->is_resumed)
        rc = executor_resume(apply->executor, err);
    if (rc != DC_OK && apply->executor != NULL) {
        executor_close(apply->executor);
        apply->executor = NULL;
    }
    return rc;
}

/* What became of the revision; takes its plan and `steps` over. */
static enum dc_status keep_part(struct apply *apply, struct executor_step *steps, struct dc_error *err) {
    struct apply_result *result = apply->result;
    struct apply_part *grown = realloc(result->parts, (result->n_parts + 1) * sizeof(*grown));
    if (grown == NULL) {
        free(steps);
        return error_set_nomem(err);
    }
    result->parts = grown;
    grown[result->n_parts++] = (struct apply_part){.plan = *apply->plan, .steps = steps};
    *apply->plan = (struct plan){0};
    return DC_OK;
}

static bool is_done(const struct apply *apply) {
    for (size_t i = 0; i < apply->plan->n_steps; i++)
        if (executor_step(apply->executor, i)->state != EXECUTOR_DONE)
            return false;
    return plan_doc_is_whole(apply->plan);
}

static enum dc_status write_end(struct apply *apply, const char *text, struct dc_error *err) {
    const struct journal_entry entry = {
        .kind = JOURNAL_END, .revision = apply->revision, .vm = "", .from = "", .to = "", .text = text};
    return journal_write(apply->journal, &entry, err);
}

static void tell_change(void *view, const char *text) {
    apply_view_note(view, SIZE_MAX, text);
}

static bool is_late(const struct apply *apply, const struct plan *next) {
    return json_object_get(apply->plan->goal, "deadline_ms") != NULL &&
           json_object_get(next->goal, "deadline_ms") == NULL;
}

/* The next plan, for what is left; `plan_out` is empty where there is nothing to be done any more. */
static enum dc_status plan_rest(struct apply *apply, struct plan *plan_out, struct dc_error *err) {
    struct fleet fleet = {0};
    const struct replan_request request = {.journal = apply->journal,
                                           .plan = apply->plan,
                                           .executor = apply->executor,
                                           .elapsed_ms = 1e3 * clock_monotonic_s() - apply->began_ms,
                                           .search_limit_ms = search_limit_ms,
                                           .may_be_late = true};
    enum dc_status rc = load_fleet(apply, &fleet, err);
    if (rc == DC_OK)
        rc = replan_place(apply->journal, &fleet, err);
    if (rc == DC_OK)
        rc = replan_make(&request, &fleet, plan_out, err);
    fleet_doc_dispose(&fleet);
    return rc;
}

static void tell_rest(const struct apply *apply, const struct plan *next, const struct dc_error *why) {
    char note[160];
    if (why->status != DC_OK)
        (void)snprintf(note, sizeof(note), "cannot be planned anew: %.120s", error_text(why));
    else if (next->n_steps == 0)
        (void)snprintf(note, sizeof(note), "planned anew: nothing more can be done");
    else
        (void)snprintf(note, sizeof(note), "planned anew: %zu steps, %.1f s%s", next->n_steps,
                       next->makespan_ms.p50 / 1e3, is_late(apply, next) ? ", past the deadline" : "");
    apply_view_note(apply->config->view, SIZE_MAX, note);
    replan_tell(apply->plan, apply->executor, next, tell_change, apply->config->view);
}

/* Is there a rest to be planned? Of hosts that are to be emptied, what has come to them meanwhile. */
static bool may_be_left(const struct apply *apply) {
    const char *verb = json_string_value(json_object_get(apply->plan->goal, "verb"));
    return !apply->result->is_whole || (verb != NULL && strcmp(verb, "evacuate") == 0);
}

/* After the loop has stopped: what comes next, and what became of the steps (heap, the caller's). */
static enum dc_status conclude(struct apply *apply, struct plan *next_out, struct executor_step **steps_out,
                               struct dc_error *err) {
    const size_t n_steps = apply->plan->n_steps;
    enum dc_status rc = executor_error(apply->executor, err);
    apply->result->is_whole = is_done(apply);
    if (rc == DC_OK && may_be_left(apply) && apply->config->may_replan && !apply->is_interrupted &&
        apply->revision + 1 < MOST_REVISIONS) {
        struct dc_error why = DC_ERROR_NONE; /* what was done stays done */
        if (plan_rest(apply, next_out, &why) != DC_OK)
            plan_doc_dispose(next_out);
        const bool is_none_left = why.status != DC_OK || (next_out->n_steps == 0 && plan_doc_is_whole(next_out));
        if (!apply->result->is_whole || !is_none_left)
            tell_rest(apply, next_out, &why);
        apply->result->is_whole = apply->result->is_whole && is_none_left;
        (void)uv_run(&apply->loop, UV_RUN_NOWAIT); /* an interrupt while it was planned */
    }
    *steps_out = calloc(n_steps + 1, sizeof(**steps_out));
    if (*steps_out == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < n_steps; i++)
        (*steps_out)[i] = *executor_step(apply->executor, i);
    return rc;
}

/* `next_out` is empty where nothing follows. */
static enum dc_status run_revision(struct apply *apply, struct plan *next_out, struct dc_error *err) {
    struct executor_step *steps = NULL;
    *next_out = (struct plan){0};
    enum dc_status rc = open_executor(apply, err);
    if (rc != DC_OK)
        return rc;
    apply_view_set(apply->config->view, apply->plan, apply->executor, apply->revision);
    if (apply->is_first)
        executor_check(apply->executor);
    else
        executor_begin(apply->executor);
    if (open_watch(apply, &apply->error) == DC_OK)
        (void)uv_run(&apply->loop, UV_RUN_DEFAULT);
    watch_close(apply->watch);
    apply->watch = NULL;
    if (apply->error.status != DC_OK)
        rc = error_set(err, apply->error.status, "%s", error_text(&apply->error));
    else
        rc = conclude(apply, next_out, &steps, err);
    apply_view_set(apply->config->view, NULL, NULL, apply->revision);
    executor_close(apply->executor);
    apply->executor = NULL;
    (void)uv_run(&apply->loop, UV_RUN_DEFAULT); /* until it lets go of the plan */
    if (rc == DC_OK)
        return keep_part(apply, steps, err);
    free(steps);
    return rc;
}

static enum dc_status run_all(struct apply *apply, struct dc_error *err) {
    struct plan next;
    enum dc_status rc = run_revision(apply, &next, err);
    while (rc == DC_OK && next.n_steps > 0 && !apply->is_interrupted) {
        *apply->plan = next;
        apply->is_first = false;
        apply->is_resumed = false;
        apply->revision++;
        rc = record_plan(apply, "what was left of the one before", err);
        if (rc == DC_OK)
            rc = run_revision(apply, &next, err);
    }
    plan_doc_dispose(&next);
    size_t n_given_up = 0;
    if (rc == DC_OK)
        rc = replan_given_up(apply->journal, &n_given_up, err);
    apply->result->is_whole = apply->result->is_whole && n_given_up == 0;
    if (rc == DC_OK)
        rc = write_end(apply, apply->result->is_whole ? "done" : "not all was done", err);
    return rc;
}

/* --- the whole --- */

static void open_interrupts(struct apply *apply) {
    static const int numbers[2] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        (void)uv_signal_init(&apply->loop, &apply->interrupts[i]); /* cannot fail on a sound loop, likewise below */
        apply->interrupts[i].data = apply;
        (void)uv_signal_start(&apply->interrupts[i], on_interrupt, numbers[i]);
        uv_unref((uv_handle_t *)&apply->interrupts[i]);
    }
}

static enum dc_status check_fit(const struct apply *apply, struct dc_error *err) {
    const struct apply_config *config = apply->config;
    const double age_ms = (double)(clock_unix_ms() - apply->plan->made_unix_ms);
    if (age_ms > config->max_age_ms)
        return error_set(err, DC_ESTALE, "the plan was made %.0f s ago (--max-age allows %.0f s): plan again",
                         age_ms / 1e3, config->max_age_ms / 1e3);
    json_t *differences = json_array();
    struct fleet fleet = {0};
    enum dc_status rc = differences == NULL ? error_set_nomem(err) : config->load_fleet(config->context, &fleet, err);
    if (rc == DC_OK)
        rc = preflight_check(apply->plan, &fleet, differences, err);
    for (size_t i = 0; rc == DC_OK && i < json_array_size(differences); i++)
        apply_view_note(config->view, SIZE_MAX, json_string_value(json_array_get(differences, i)));
    if (rc == DC_OK && json_array_size(differences) > 0)
        rc = error_set(err, DC_ESTALE, "the plan does not fit any more (%s%s); nothing was begun",
                       json_string_value(json_array_get(differences, 0)),
                       json_array_size(differences) > 1 ? ", and more" : "");
    fleet_doc_dispose(&fleet);
    json_decref(differences);
    return rc;
}

/* The journal's newest revision takes the plan's place. */
static enum dc_status reload(struct apply *apply, unsigned n_revisions, struct dc_error *err) {
    char *text = NULL;
    enum dc_status rc = journal_plan(apply->journal, n_revisions - 1, &text, err);
    plan_doc_dispose(apply->plan);
    if (rc == DC_OK)
        rc = plan_doc_read(text, strlen(text), apply->plan, err);
    free(text);
    apply->revision = n_revisions - 1;
    return rc;
}

static enum dc_status prepare(struct apply *apply, struct dc_error *err) {
    unsigned n_revisions = 0;
    const bool is_resumed = apply->config->is_resumed;
    enum dc_status rc = is_resumed ? DC_OK : check_fit(apply, err);
    if (rc == DC_OK)
        rc = journal_open(apply->config->state_dir, apply->plan->id, &apply->journal, err);
    if (rc == DC_OK)
        rc = journal_count(apply->journal, &n_revisions, err);
    if (rc == DC_OK && is_resumed && n_revisions == 0)
        rc = error_set(err, DC_ENOTFOUND, "plan %s was never begun here (%s)", apply->plan->id,
                       apply->config->state_dir);
    if (rc == DC_OK && !is_resumed && n_revisions > 0)
        rc = error_set(err, DC_EINVAL, "plan %s was begun before: --resume goes on with it", apply->plan->id);
    if (rc == DC_OK && is_resumed)
        rc = reload(apply, n_revisions, err);
    apply->is_first = !is_resumed;
    apply->is_resumed = is_resumed;
    return rc;
}

enum dc_status apply_run(const struct apply_config *config, struct plan *plan, struct apply_result *result_out,
                         struct dc_error *err) {
    struct apply apply = {.config = config, .plan = plan, .result = result_out, .began_ms = 1e3 * clock_monotonic_s()};
    *result_out = (struct apply_result){0};
    const int r = uv_loop_init(&apply.loop);
    if (r != 0)
        return error_set(err, DC_EINTERNAL, "loop: %s", uv_strerror(r));
    open_interrupts(&apply);
    struct apply_report *report = NULL;
    enum dc_status rc = DC_OK;
    if (config->socket_path != NULL)
        rc = apply_report_open(&apply.loop, config->socket_path, plan->id, &report, err);
    apply_view_set_report(config->view, report);
    if (rc == DC_OK)
        rc = prepare(&apply, err);
    if (rc == DC_OK)
        rc = run_all(&apply, err);
    if (rc == DC_OK)
        apply_view_end(config->view, result_out->is_whole);
    apply_view_set_report(config->view, NULL);
    apply_report_close(report);
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&apply.interrupts[i], NULL);
    (void)uv_run(&apply.loop, UV_RUN_DEFAULT); /* what was closed goes */
    (void)uv_loop_close(&apply.loop);
    journal_close(&apply.journal);
    plan_doc_dispose(plan);
    result_out->elapsed_ms = 1e3 * clock_monotonic_s() - apply.began_ms;
    return rc;
}
