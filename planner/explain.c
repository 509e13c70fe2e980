/* Asking again with changes, and what of a conflict's offers works. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/explain.h"

#include "base/clock.h"
#include "planner/answer.h"
#include "solver/search.h"

#include <math.h>
#include <string.h>

enum { MOST_ANSWERS = 60, MOST_CONFLICTS = 12, MOST_ROUNDS = 4 };

/* An offer that does not do is tried with this many times as much more. */
static const double growth[] = {1, 1.25, 2, 4};
enum { N_GROWTH = sizeof(growth) / sizeof(growth[0]) };

enum dc_status explain_init(struct explainer *explainer, const struct fleet *fleet, const struct goal *goal,
                            const struct solve_options *options, double begin_s, struct dc_error *err) {
    *explainer = (struct explainer){.fleet = fleet,
                                    .goal = goal,
                                    .options = options,
                                    .n_left = MOST_ANSWERS,
                                    .end_s = begin_s + goal->time_limit_ms / 1e3};
    const enum dc_status rc = goal_to_json(goal, &explainer->goal_json, err);
    if (rc == DC_OK) /* an explanation is not explained */
        (void)json_object_del(explainer->goal_json, "explain");
    return rc;
}

void explain_dispose(struct explainer *explainer) {
    json_decref(explainer->goal_json);
    explainer->goal_json = NULL;
}

/* The array under `key`, made where there is none; borrowed. */
static json_t *array_at(json_t *object, const char *key) {
    json_t *array = json_object_get(object, key);
    if (array != NULL)
        return array;
    (void)json_object_set_new(object, key, json_array());
    return json_object_get(object, key);
}

/* One change to the goal's JSON; false where it is no change a goal knows. */
static bool change_goal(json_t *goal, const json_t *item) {
    const char *change = json_string_value(json_object_get(item, "change"));
    json_t *to = json_object_get(item, "to");
    if (change == NULL)
        return false;
    if (strcmp(change, "deadline_ms") == 0)
        return json_is_null(to) ? (json_object_del(goal, "deadline_ms"), true)
                                : json_object_set(goal, "deadline_ms", to) == 0;
    if (strcmp(change, "exclude") == 0)
        return json_is_array(to) ? json_array_extend(array_at(goal, "exclude"), to) == 0
                                 : json_array_append(array_at(goal, "exclude"), to) == 0;
    return json_array_append(array_at(goal, "relax"), (json_t *)item) == 0;
}

static bool change_all(json_t *goal, const json_t *changes) {
    size_t i;
    const json_t *item;
    if (!json_is_array(changes))
        return change_goal(goal, changes);
    json_array_foreach(changes, i, item) {
        if (!change_goal(goal, item))
            return false;
    }
    return true;
}

static bool is_over(const struct explainer *explainer) {
    const atomic_bool *cancel = explainer->options != NULL ? explainer->options->cancel : NULL;
    return explainer->n_left == 0 || clock_monotonic_s() >= explainer->end_s || (cancel != NULL && atomic_load(cancel));
}

enum dc_status explain_try(struct explainer *explainer, const json_t *changes, bool is_quick, struct plan *plan_out,
                           bool *tried_out, struct dc_error *err) {
    *plan_out = (struct plan){0};
    *tried_out = false;
    if (is_over(explainer))
        return DC_OK;
    struct goal goal;
    json_t *json = json_deep_copy(explainer->goal_json);
    if (json == NULL)
        return error_set_nomem(err);
    const bool ok = change_all(json, changes) && goal_from_json(json, &goal, NULL) == DC_OK;
    json_decref(json);
    if (!ok)
        return DC_OK;
    explainer->n_left--;
    goal.time_limit_ms = fmax(1, fmin(goal.time_limit_ms, 1e3 * (explainer->end_s - clock_monotonic_s())));
    const struct solve_options options = {.cancel = explainer->options != NULL ? explainer->options->cancel : NULL,
                                          .is_quick = is_quick};
    const enum dc_status rc = answer_plain(explainer->fleet, &goal, &options, plan_out, err);
    *tried_out = rc == DC_OK;
    goal_dispose(&goal);
    return rc;
}

/* Fewer conflicts, or a whole plan; to leave everything where it is helps nobody. */
static bool helps(const struct plan *plan, const struct plan *after) {
    return after->n_steps > 0 &&
           (plan_doc_is_whole(after) || json_array_size(after->conflicts) < json_array_size(plan->conflicts));
}

/* What a change of a host's figure starts from; 0 for what grows as a whole. */
static double base_of(const struct fleet *fleet, const json_t *item) {
    const char *change = json_string_value(json_object_get(item, "change"));
    const char *name = json_string_value(json_object_get(item, "host"));
    const long host = name != NULL ? fleet_doc_find_host(fleet, name) : FLEET_NO_INDEX;
    if (host == FLEET_NO_INDEX)
        return 0;
    return strcmp(change, "memory_bytes") == 0 ? fleet->hosts[host].memory_bytes : fleet->hosts[host].cpus;
}

/* Figures that are a need's estimate may have to be larger; names, rules and deadlines (a plan was found) may not. */
static bool may_grow(const json_t *item) {
    const char *change = json_string_value(json_object_get(item, "change"));
    return strcmp(change, "exclude") != 0 && strcmp(change, "drop_rule") != 0;
}

static bool is_deadline(const json_t *item) {
    return strcmp(json_string_value(json_object_get(item, "change")), "deadline_ms") == 0;
}

/* The item as it works, with what it leads to; NULL where it was found not to. */
static enum dc_status confirm(struct explainer *explainer, const struct plan *plan, const json_t *item,
                              json_t **confirmed_out, struct dc_error *err) {
    const double wanted = json_number_value(json_object_get(item, "to"));
    const double base = base_of(explainer->fleet, item);
    *confirmed_out = NULL;
    for (size_t i = 0; i < (may_grow(item) ? N_GROWTH : 1); i++) {
        struct plan after;
        bool tried = false;
        json_t *grown = json_deep_copy(item);
        if (grown == NULL)
            return error_set_nomem(err);
        if (i > 0)
            (void)json_object_set_new(grown, "to", json_integer((json_int_t)ceil(base + (wanted - base) * growth[i])));
        const enum dc_status rc = explain_try(explainer, grown, !is_deadline(item), &after, &tried, err);
        const bool works = rc == DC_OK && tried && helps(plan, &after);
        if (works) {
            (void)json_object_set_new(grown, "makespan_ms", json_integer((json_int_t)after.makespan_ms.p95));
            (void)json_object_set_new(grown, "whole", json_boolean(plan_doc_is_whole(&after)));
            *confirmed_out = grown;
        } else {
            json_decref(grown);
        }
        plan_doc_dispose(&after);
        if (rc != DC_OK || works || !tried)
            return rc;
    }
    return DC_OK;
}

/* The conflict's offers that work. The deadline's come with VMs to leave. */
static enum dc_status confirm_conflict(struct explainer *explainer, const struct plan *plan, json_t *conflict,
                                       struct dc_error *err) {
    json_t *offers = json_object_get(conflict, "relax");
    json_t *works = json_array();
    json_t *drops = NULL;
    enum dc_status rc = works == NULL ? error_set_nomem(err) : DC_OK;
    const bool all_vms = json_object_get(json_object_get(conflict, "needs"), "deadline_ms") != NULL &&
                         json_object_get(json_object_get(conflict, "needs"), "vm") == NULL;
    if (rc == DC_OK && all_vms && plan->n_steps == 0)
        rc = explain_drops(explainer, &drops, err);
    size_t i;
    json_t *item;
    json_array_foreach(offers, i, item) {
        json_t *confirmed = NULL;
        if (rc == DC_OK)
            rc = confirm(explainer, plan, item, &confirmed, err);
        if (confirmed != NULL)
            (void)json_array_append_new(works, confirmed);
    }
    if (drops != NULL)
        (void)json_array_append_new(works, drops);
    if (rc == DC_OK && json_object_set(conflict, "relax", works) != 0)
        rc = error_set_nomem(err);
    json_decref(works);
    return rc;
}

/* The same figure of the same subject. */
static bool is_same_change(const json_t *a, const json_t *b) {
    static const char *const keys[] = {"change", "host", "vm", "link"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        const json_t *left = json_object_get(a, keys[i]), *right = json_object_get(b, keys[i]);
        if ((left == NULL) != (right == NULL) || (left != NULL && !json_equal(left, right)))
            return false;
    }
    return may_grow(a);
}

/* Of two changes of one figure the larger stands. */
static void merge_change(json_t *changes, json_t *item) {
    size_t i;
    json_t *there;
    json_array_foreach(changes, i, there) {
        if (!is_same_change(there, item))
            continue;
        if (json_number_value(json_object_get(item, "to")) > json_number_value(json_object_get(there, "to")))
            (void)json_array_set(changes, i, item);
        return;
    }
    (void)json_array_append(changes, item);
}

/* The first offer of every conflict, into `changes`. */
static void add_first_offers(const struct plan *plan, json_t *changes) {
    size_t i;
    const json_t *conflict;
    json_array_foreach(plan->conflicts, i, conflict) {
        json_t *first = json_array_get(json_object_get(conflict, "relax"), 0);
        if (first != NULL)
            merge_change(changes, first);
    }
}

static bool any_whole(const struct plan *plan) {
    size_t i, k;
    const json_t *conflict, *item;
    json_array_foreach(plan->conflicts, i, conflict) {
        json_array_foreach(json_object_get(conflict, "relax"), k, item) {
            if (json_is_true(json_object_get(item, "whole")))
                return true;
        }
    }
    return false;
}

/* Changes that make a whole plan, from the first offers of its conflicts and of those that come up then; false in
 * `*whole_out` where they do not get there. */
static enum dc_status find_together(struct explainer *explainer, json_t *changes, double *makespan_ms_out,
                                    bool *whole_out, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    *whole_out = false;
    for (int round = 0; rc == DC_OK && !*whole_out && round < MOST_ROUNDS; round++) {
        struct plan after;
        bool tried = false;
        json_t *before = json_deep_copy(changes);
        rc = before == NULL ? error_set_nomem(err) : explain_try(explainer, changes, true, &after, &tried, err);
        *whole_out = rc == DC_OK && tried && plan_doc_is_whole(&after) && after.n_steps > 0;
        if (rc == DC_OK && tried) {
            *makespan_ms_out = after.makespan_ms.p95;
            add_first_offers(&after, changes);
            plan_doc_dispose(&after);
        }
        const bool same = json_equal(before, changes) == 1;
        json_decref(before);
        if (same)
            break;
    }
    return rc;
}

/* Without the changes that are not needed for it. */
static enum dc_status thin_out(struct explainer *explainer, json_t *changes, double *makespan_ms,
                               struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = json_array_size(changes); rc == DC_OK && i-- > 0 && json_array_size(changes) > 1;) {
        struct plan after;
        bool tried = false;
        json_t *fewer = json_copy(changes);
        if (fewer == NULL)
            return error_set_nomem(err);
        (void)json_array_remove(fewer, i);
        rc = explain_try(explainer, fewer, true, &after, &tried, err);
        if (rc == DC_OK && tried && plan_doc_is_whole(&after) && after.n_steps > 0) {
            *makespan_ms = after.makespan_ms.p95;
            (void)json_array_remove(changes, i);
        }
        plan_doc_dispose(&after);
        json_decref(fewer);
    }
    return rc;
}

/* Several conflicts may need several changes. `changes`: what they offered first. */
static enum dc_status add_together(struct explainer *explainer, struct plan *plan, json_t *changes,
                                   struct dc_error *err) {
    bool whole = false;
    double makespan_ms = 0;
    if (any_whole(plan))
        return DC_OK;
    enum dc_status rc = find_together(explainer, changes, &makespan_ms, &whole, err);
    if (rc == DC_OK && whole)
        rc = thin_out(explainer, changes, &makespan_ms, err);
    if (rc == DC_OK && whole)
        (void)json_object_set_new(plan->explanation, "together",
                                  json_pack("{s:O, s:I}", "changes", changes, "makespan_ms", (json_int_t)makespan_ms));
    return rc;
}

enum dc_status explain_conflicts(struct explainer *explainer, struct plan *plan, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    json_t *core = NULL;
    json_t *changes = json_array();
    size_t i;
    json_t *conflict;
    if (plan->explanation == NULL)
        plan->explanation = json_object();
    if (plan->explanation == NULL || changes == NULL) {
        json_decref(changes);
        return error_set_nomem(err);
    }
    add_first_offers(plan, changes);
    json_array_foreach(plan->conflicts, i, conflict) {
        if (rc == DC_OK && i < MOST_CONFLICTS)
            rc = confirm_conflict(explainer, plan, conflict, err);
        else if (rc == DC_OK)
            (void)json_object_set_new(conflict, "relax", json_array());
    }
    if (rc == DC_OK)
        rc = add_together(explainer, plan, changes, err);
    json_decref(changes);
    if (rc == DC_OK)
        rc = explain_core(explainer, plan, &core, err);
    if (json_array_size(core) > 0)
        (void)json_object_set(plan->explanation, "core", core);
    json_decref(core);
    return rc;
}
