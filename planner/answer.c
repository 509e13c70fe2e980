/* Question, solver, plan: the one way from a fleet and a goal to a plan. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/answer.h"

#include "base/clock.h"
#include "planner/choose.h"
#include "planner/explain.h"
#include "planner/plan_build.h"
#include "planner/question.h"
#include "planner/soft_rule.h"
#include "proto/digest.h"
#include "solver/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ID_DIGITS = 16 };

static const double least_time_ms = 10; /* for the last answer, whatever the others took */

/* The first digits of a digest over fleet, goal (with seed and limits) and version. */
static enum dc_status set_id(struct plan *plan, struct dc_error *err) {
    char *goal_text = json_dumps(plan->goal, JSON_COMPACT);
    char *all = NULL;
    char digest[DIGEST_TEXT_BYTES];
    enum dc_status rc = DC_OK;
    if (goal_text == NULL || asprintf(&all, "%s\n%s\n%s", plan->fleet_digest, goal_text, DECAMP_VERSION) < 0) {
        all = NULL;
        rc = error_set_nomem(err);
        goto out;
    }
    digest_sha256_text(all, strlen(all), digest);
    plan->id = strndup(digest + strlen("sha256:"), ID_DIGITS);
    if (plan->id == NULL)
        rc = error_set_nomem(err);
out:
    free(all);
    free(goal_text);
    return rc;
}

static enum dc_status solve_question(const struct question *question, const struct solve_options *options,
                                     struct solution *solution_out, struct dc_error *err) {
    struct solve_options own = options != NULL ? *options : (struct solve_options){0};
    own.seed = question->goal->seed;
    own.time_limit_s = question->goal->time_limit_ms / 1e3;
    return solve(&question->problem, &own, solution_out, err);
}

static enum dc_status build_plan(const struct question *question, const struct solution *solution,
                                 struct plan *plan_out, struct dc_error *err) {
    json_t *broken = NULL;
    enum dc_status rc = plan_build(question, solution, plan_out, err);
    if (rc == DC_OK)
        rc = soft_rule_broken(question, solution, &broken, err);
    for (size_t i = 0; rc == DC_OK && i < json_array_size(broken); i++)
        if (json_array_append(plan_out->warnings, json_object_get(json_array_get(broken, i), "what")) != 0)
            rc = error_set_nomem(err);
    if (rc == DC_OK && json_array_size(broken) > 0)
        plan_out->broken_rules = json_incref(broken);
    if (rc == DC_OK)
        rc = set_id(plan_out, err);
    if (rc != DC_OK)
        plan_doc_dispose(plan_out);
    json_decref(broken);
    return rc;
}

static enum dc_status answer_once(const struct fleet *fleet, const struct goal *goal,
                                  const struct solve_options *options, size_t *n_moved_out, struct plan *plan_out,
                                  struct dc_error *err) {
    *plan_out = (struct plan){0};
    struct question question;
    struct solution solution = {0};
    enum dc_status rc = question_init(fleet, goal, &question, err);
    if (rc != DC_OK)
        return rc;
    rc = solve_question(&question, options, &solution, err);
    *n_moved_out = soft_rule_n_moved(&solution);
    if (rc == DC_OK)
        rc = build_plan(&question, &solution, plan_out, err);
    solution_dispose(&solution);
    question_dispose(&question);
    return rc;
}

/* With all soft rules; where not all VMs move then, once more with as few of them let go as that takes. */
enum dc_status answer_plain(const struct fleet *fleet, const struct goal *goal, const struct solve_options *options,
                            struct plan *plan_out, struct dc_error *err) {
    const double end_s = clock_monotonic_s() + goal->time_limit_ms / 1e3;
    struct soft_rule_set let_go = {0};
    size_t n_moved = 0;
    enum dc_status rc = answer_once(fleet, goal, options, &n_moved, plan_out, err);
    if (rc != DC_OK || plan_doc_is_whole(plan_out))
        return rc;
    rc = soft_rule_choose(fleet, goal, options, n_moved, end_s, &let_go, err);
    if (rc == DC_OK && let_go.n > 0) {
        struct goal own = *goal;
        own.n_let_go = let_go.n;
        own.let_go = let_go.rules;
        own.time_limit_ms = fmax(least_time_ms, 1e3 * (end_s - clock_monotonic_s()));
        plan_doc_dispose(plan_out);
        rc = answer_once(fleet, &own, options, &n_moved, plan_out, err);
    } else if (rc != DC_OK) {
        plan_doc_dispose(plan_out);
    }
    soft_rule_set_dispose(&let_go);
    return rc;
}

/* Where there is no whole plan the reasons are tried out; where there is one, only if asked for. */
static enum dc_status explain(const struct fleet *fleet, const struct goal *goal, const struct solve_options *options,
                              double begin_s, struct plan *plan, struct dc_error *err) {
    const bool whole = plan_doc_is_whole(plan);
    if (whole && !goal->explain)
        return DC_OK;
    struct explainer explainer;
    enum dc_status rc = explain_init(&explainer, fleet, goal, options, begin_s, err);
    if (rc == DC_OK && !whole)
        rc = explain_conflicts(&explainer, plan, err);
    if (rc == DC_OK && goal->explain && plan->n_steps > 0)
        rc = explain_plan(&explainer, plan, err);
    explain_dispose(&explainer);
    return rc;
}

/* The choice's plan with its id. */
static enum dc_status answer_choice(const struct fleet *fleet, const struct goal *goal,
                                    const struct solve_options *options, struct plan *plan_out, struct dc_error *err) {
    enum dc_status rc = choose(fleet, goal, options, plan_out, err);
    if (rc == DC_OK)
        rc = set_id(plan_out, err);
    if (rc != DC_OK)
        plan_doc_dispose(plan_out);
    return rc;
}

enum dc_status answer(const struct fleet *fleet, const struct goal *goal, const struct solve_options *options,
                      struct plan *plan_out, struct dc_error *err) {
    if (goal_is_choice(goal))
        return answer_choice(fleet, goal, options, plan_out, err);
    const double begin_s = clock_monotonic_s();
    enum dc_status rc = answer_plain(fleet, goal, options, plan_out, err);
    if (rc == DC_OK)
        rc = explain(fleet, goal, options, begin_s, plan_out, err);
    if (rc != DC_OK)
        plan_doc_dispose(plan_out);
    return rc;
}
