/* The bottleneck, and what more room at the busiest links brings: asked again, not computed. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/explain.h"

#include "planner/question.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINKS = 2 };

static const double one_gigabit_bytes_per_s = 125e6;

/* Bytes over each link, in the busier direction, per byte/s it can carry; by link of the fleet. */
static enum dc_status find_loads(const struct fleet *fleet, const struct question *question, const struct plan *plan,
                                 double *load_s, struct dc_error *err) {
    const struct problem *problem = &question->problem;
    double *arc_bytes = calloc(problem->n_arcs + 1, sizeof(*arc_bytes));
    if (arc_bytes == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < plan->n_steps; i++) {
        const long from = fleet_doc_find_host(fleet, plan->steps[i].from);
        const long to = fleet_doc_find_host(fleet, plan->steps[i].to);
        size_t n_arcs = 0;
        const uint32_t *arcs = from == FLEET_NO_INDEX || to == FLEET_NO_INDEX || from == to
                                   ? NULL
                                   : problem_path(problem, (size_t)from, (size_t)to, &n_arcs);
        for (size_t k = 0; k < n_arcs; k++)
            arc_bytes[arcs[k]] += plan->steps[i].bytes;
    }
    for (size_t arc = 0; arc < problem->n_arcs; arc++) {
        const size_t link = problem->arcs[arc].link;
        if (link < fleet->n_links)
            load_s[link] = fmax(load_s[link], arc_bytes[arc] / problem->arcs[arc].capacity_bytes_per_s);
    }
    free(arc_bytes);
    return DC_OK;
}

/* The change as tried, with the makespan it leads to and what it saves. */
static enum dc_status try_more(struct explainer *explainer, const struct plan *plan, json_t *item, json_t *more,
                               struct dc_error *err) {
    struct plan after;
    bool tried = false;
    if (item == NULL)
        return error_set_nomem(err);
    const enum dc_status rc = explain_try(explainer, item, false, &after, &tried, err);
    if (rc == DC_OK && tried && after.n_steps > 0) {
        (void)json_object_set_new(item, "makespan_ms", json_integer((json_int_t)after.makespan_ms.p95));
        (void)json_object_set_new(item, "saved_ms",
                                  json_integer((json_int_t)(plan->makespan_ms.p95 - after.makespan_ms.p95)));
        (void)json_array_append(more, item);
    }
    plan_doc_dispose(&after);
    json_decref(item);
    return rc;
}

/* One more Gbit/s on the links that are busy longest, one at a time. */
static enum dc_status try_links(struct explainer *explainer, const struct plan *plan, double *load_s, json_t *more,
                                struct dc_error *err) {
    const struct fleet *fleet = explainer->fleet;
    enum dc_status rc = DC_OK;
    for (int n = 0; rc == DC_OK && n < MOST_LINKS; n++) {
        size_t busiest = SIZE_MAX;
        for (size_t link = 0; link < fleet->n_links; link++) {
            if (load_s[link] > 0 && (busiest == SIZE_MAX || load_s[link] > load_s[busiest]))
                busiest = link;
        }
        if (busiest == SIZE_MAX)
            return DC_OK;
        const double to = fleet->links[busiest].capacity_bytes_per_s + one_gigabit_bytes_per_s;
        json_t *item = json_pack("{s:s, s:s, s:I, s:f}", "change", "capacity_bytes_per_s", "link",
                                 fleet->links[busiest].name, "to", (json_int_t)llround(to), "busy_frac",
                                 plan->makespan_ms.p95 > 0 ? 1e3 * load_s[busiest] / plan->makespan_ms.p95 : 0);
        load_s[busiest] = 0;
        rc = try_more(explainer, plan, item, more, err);
    }
    return rc;
}

/* One more slot, where a host's slots are the bound. */
static enum dc_status try_slots(struct explainer *explainer, const struct plan *plan, json_t *more,
                                struct dc_error *err) {
    const char *name = json_string_value(json_object_get(plan->bound, "host"));
    const long host = name != NULL ? fleet_doc_find_host(explainer->fleet, name) : FLEET_NO_INDEX;
    if (host == FLEET_NO_INDEX)
        return DC_OK;
    const json_int_t to = (json_int_t)explainer->fleet->hosts[host].max_migrations + 1;
    json_t *item = json_pack("{s:s, s:s, s:I}", "change", "max_migrations", "host", name, "to", to);
    return try_more(explainer, plan, item, more, err);
}

static enum dc_status explain_more(struct explainer *explainer, const struct plan *plan, json_t *more,
                                   struct dc_error *err) {
    struct question question;
    enum dc_status rc = question_init(explainer->fleet, explainer->goal, &question, err);
    if (rc != DC_OK)
        return rc;
    double *load_s = calloc(explainer->fleet->n_links + 1, sizeof(*load_s));
    rc = load_s != NULL ? find_loads(explainer->fleet, &question, plan, load_s, err) : error_set_nomem(err);
    if (rc == DC_OK)
        rc = try_slots(explainer, plan, more, err);
    if (rc == DC_OK && load_s != NULL)
        rc = try_links(explainer, plan, load_s, more, err);
    free(load_s);
    question_dispose(&question);
    return rc;
}

enum dc_status explain_plan(struct explainer *explainer, struct plan *plan, struct dc_error *err) {
    json_t *more = json_array();
    json_t *order = NULL;
    if (plan->explanation == NULL)
        plan->explanation = json_object();
    enum dc_status rc = plan->explanation != NULL && more != NULL ? DC_OK : error_set_nomem(err);
    if (rc == DC_OK)
        rc = explain_more(explainer, plan, more, err);
    if (rc == DC_OK)
        rc = explain_order(explainer->fleet, explainer->goal, plan, &order, err);
    if (rc == DC_OK && (json_object_set(plan->explanation, "more", more) != 0 ||
                        json_object_set(plan->explanation, "order", order) != 0))
        rc = error_set_nomem(err);
    json_decref(more);
    json_decref(order);
    return rc;
}
