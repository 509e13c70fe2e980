/*
 * Which VMs to leave so that the deadline holds: the longest first until the
 * lower bound says that it may, then by asking; at last each is tried back in.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/explain.h"

#include "planner/question.h"
#include "solver/bound.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_TRIES = 8, MOST_BACK = 6 };

struct dropping {
    struct explainer *explainer;
    struct question question;
    size_t n_movers;
    size_t *movers; /* what costs most first */
    double *cost;   /* [n_vms]: bytes at the best bandwidth of its host */
    bool *skip;     /* [n_vms] */
};

static int compare_costs(const void *left, const void *right, void *context) {
    const double *cost = context;
    const size_t a = *(const size_t *)left, b = *(const size_t *)right;
    if (cost[a] < cost[b] || cost[a] > cost[b])
        return cost[a] > cost[b] ? -1 : 1;
    return a < b ? -1 : a > b;
}

static enum dc_status dropping_init(struct dropping *dropping, struct dc_error *err) {
    const struct explainer *explainer = dropping->explainer;
    const enum dc_status rc = question_init(explainer->fleet, explainer->goal, &dropping->question, err);
    if (rc != DC_OK)
        return rc;
    const struct problem *problem = &dropping->question.problem;
    dropping->movers = calloc(problem->n_vms + 1, sizeof(*dropping->movers));
    dropping->cost = calloc(problem->n_vms + 1, sizeof(*dropping->cost));
    dropping->skip = calloc(problem->n_vms + 1, sizeof(*dropping->skip));
    if (dropping->movers == NULL || dropping->cost == NULL || dropping->skip == NULL)
        return error_set_nomem(err);
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        const struct problem_cost *cost = &problem->vms[vm].cost[PROBLEM_P95];
        if (!problem->vms[vm].moves || cost->n_points == 0)
            continue;
        dropping->cost[vm] = problem_cost_bytes(cost, cost->points[cost->n_points - 1].bandwidth_bytes_per_s);
        dropping->movers[dropping->n_movers++] = vm;
    }
    qsort_r(dropping->movers, dropping->n_movers, sizeof(*dropping->movers), compare_costs, dropping->cost);
    return DC_OK;
}

static void dropping_dispose(struct dropping *dropping) {
    question_dispose(&dropping->question);
    free(dropping->movers);
    free(dropping->cost);
    free(dropping->skip);
}

/* {"change": "exclude", "to": [names], "memory_bytes": what stays}. */
static json_t *item_of(const struct dropping *dropping) {
    json_t *names = json_array();
    double memory_bytes = 0;
    for (size_t i = 0; names != NULL && i < dropping->n_movers; i++) {
        const struct fleet_vm *vm = &dropping->question.fleet->vms[dropping->movers[i]];
        if (!dropping->skip[dropping->movers[i]])
            continue;
        memory_bytes += vm->memory_bytes;
        const bool unique = fleet_doc_find_vm(dropping->question.fleet, vm->name) == (long)dropping->movers[i];
        (void)json_array_append_new(names, json_string(unique ? vm->name : vm->uuid));
    }
    return json_pack("{s:s, s:o, s:I}", "change", "exclude", "to", names, "memory_bytes",
                     (json_int_t)llround(memory_bytes));
}

static enum dc_status try_skip(struct dropping *dropping, json_t **item_out, struct dc_error *err) {
    struct plan after;
    bool tried = false;
    json_t *item = item_of(dropping);
    *item_out = NULL;
    if (item == NULL)
        return error_set_nomem(err);
    const enum dc_status rc = explain_try(dropping->explainer, item, false, &after, &tried, err);
    if (rc == DC_OK && tried && plan_doc_is_whole(&after) && after.n_steps > 0) {
        (void)json_object_set_new(item, "makespan_ms", json_integer((json_int_t)after.makespan_ms.p95));
        (void)json_object_set_new(item, "whole", json_true());
        *item_out = json_incref(item);
    }
    plan_doc_dispose(&after);
    json_decref(item);
    return rc;
}

/* How many of the longest must be left for the bound to allow the deadline. */
static enum dc_status drop_to_bound(struct dropping *dropping, size_t *n_out, struct dc_error *err) {
    const struct problem *problem = &dropping->question.problem;
    for (*n_out = 0; *n_out < dropping->n_movers; (*n_out)++) {
        struct solution_bound bound;
        const enum dc_status rc = bound_closed_form(problem, PROBLEM_P95, dropping->skip, &bound, err);
        if (rc != DC_OK || bound.value_s <= problem->deadline_s)
            return rc;
        dropping->skip[dropping->movers[*n_out]] = true;
    }
    return DC_OK;
}

/* Back in with what is not needed out; the cheapest first. */
static enum dc_status put_back(struct dropping *dropping, size_t n_dropped, json_t **item, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = n_dropped; rc == DC_OK && i-- > 0 && n_dropped - i <= MOST_BACK && n_dropped > 1;) {
        json_t *better = NULL;
        dropping->skip[dropping->movers[i]] = false;
        rc = try_skip(dropping, &better, err);
        if (better == NULL) {
            dropping->skip[dropping->movers[i]] = true;
            continue;
        }
        json_decref(*item);
        *item = better;
    }
    return rc;
}

enum dc_status explain_drops(struct explainer *explainer, json_t **item_out, struct dc_error *err) {
    struct dropping dropping = {.explainer = explainer};
    size_t n_dropped = 0;
    *item_out = NULL;
    enum dc_status rc = dropping_init(&dropping, err);
    if (rc == DC_OK)
        rc = drop_to_bound(&dropping, &n_dropped, err);
    for (unsigned n = 0; rc == DC_OK && *item_out == NULL && n < MOST_TRIES && n_dropped < dropping.n_movers; n++) {
        if (n > 0 || n_dropped == 0)
            dropping.skip[dropping.movers[n_dropped++]] = true;
        if (n_dropped < dropping.n_movers)
            rc = try_skip(&dropping, item_out, err);
    }
    if (rc == DC_OK && *item_out != NULL)
        rc = put_back(&dropping, n_dropped, item_out, err);
    dropping_dispose(&dropping);
    return rc;
}
