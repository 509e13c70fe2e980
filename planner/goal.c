/* Goals to JSON and back. A goal travels from the command line to the daemon
 * and stands in every plan document, so its keys are part of both. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/goal.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SEED = 1, DEFAULT_TIME_LIMIT_MS = 10000 };

static const char *const verbs[] = {
    [GOAL_EVACUATE] = "evacuate",   [GOAL_SCHEDULE] = "schedule", [GOAL_CONSOLIDATE] = "consolidate",
    [GOAL_REBALANCE] = "rebalance", [GOAL_ROLLING] = "rolling",
};

void goal_init(struct goal *goal_out) {
    *goal_out = (struct goal){.kind = GOAL_EVACUATE, .seed = DEFAULT_SEED, .time_limit_ms = DEFAULT_TIME_LIMIT_MS};
}

bool goal_is_choice(const struct goal *goal) {
    return goal->kind != GOAL_EVACUATE && goal->kind != GOAL_SCHEDULE;
}

static void dispose_names(char ***names, size_t *n_names) {
    for (size_t i = 0; i < *n_names; i++)
        free((*names)[i]);
    free(*names);
    *names = NULL;
    *n_names = 0;
}

void goal_dispose(struct goal *goal) {
    dispose_names(&goal->hosts, &goal->n_hosts);
    dispose_names(&goal->exclude, &goal->n_exclude);
    dispose_names(&goal->boot, &goal->n_boot);
    moves_doc_dispose(&goal->moves);
    relax_list_dispose(&goal->relax);
    goal_init(goal);
}

/* Takes over `value`; false when there is none (out of memory, or no UTF-8). */
static bool put(json_t *object, const char *key, json_t *value) {
    return value != NULL && json_object_set_new(object, key, value) == 0;
}

static json_t *names_to_json(char *const *names, size_t n_names) {
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < n_names; i++) {
        if (json_array_append_new(array, json_string(names[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *moves_to_json(const struct moves *moves) {
    json_t *array = json_array();
    for (size_t i = 0; array != NULL && i < moves->n_moves; i++) {
        json_t *move = json_pack("{s:s, s:s}", "vm", moves->moves[i].vm, "to", moves->moves[i].to);
        if (move == NULL || json_array_append_new(array, move) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *integer(double value) {
    return json_integer((json_int_t)llround(value));
}

static bool put_all(const struct goal *goal, json_t *object) {
    bool ok = put(object, "verb", json_string(verbs[goal->kind]));
    if (goal->kind == GOAL_EVACUATE || goal->n_hosts > 0)
        ok = ok && put(object, "hosts", names_to_json(goal->hosts, goal->n_hosts));
    if (goal->kind == GOAL_SCHEDULE)
        ok = ok && put(object, "moves", moves_to_json(&goal->moves));
    ok = ok && goal_choice_to_json(goal->kind, &goal->choice, object);
    if (goal->n_boot > 0)
        ok = ok && put(object, "boot", names_to_json(goal->boot, goal->n_boot));
    if (goal->n_exclude > 0)
        ok = ok && put(object, "exclude", names_to_json(goal->exclude, goal->n_exclude));
    if (goal->deadline_ms > 0)
        ok = ok && put(object, "deadline_ms", integer(goal->deadline_ms));
    if (goal->max_downtime_ms > 0)
        ok = ok && put(object, "max_downtime_ms", integer(goal->max_downtime_ms));
    if (goal->max_parallel > 0)
        ok = ok && put(object, "max_parallel", json_integer(goal->max_parallel));
    if (goal->risk_frac > 0)
        ok = ok && put(object, "risk_frac", json_real(goal->risk_frac));
    if (goal->relax.n > 0)
        ok = ok && put(object, "relax", relax_to_json(&goal->relax));
    if (goal->explain)
        ok = ok && put(object, "explain", json_true());
    ok = ok && put(object, "seed", json_integer((json_int_t)goal->seed));
    return ok && put(object, "time_limit_ms", integer(goal->time_limit_ms));
}

enum dc_status goal_to_json(const struct goal *goal, json_t **json_out, struct dc_error *err) {
    *json_out = json_object();
    if (*json_out == NULL)
        return error_set_nomem(err);
    if (put_all(goal, *json_out))
        return DC_OK;
    json_decref(*json_out);
    *json_out = NULL;
    return error_set(err, DC_EINVAL, "a name in the goal is not UTF-8, or memory is short");
}

/* A number within [0, max] under `key`; `*value_out` stays where the key is absent. */
static enum dc_status read_number(const json_t *object, const char *key, double max, double *value_out,
                                  struct dc_error *err) {
    const json_t *value = json_object_get(object, key);
    if (value == NULL)
        return DC_OK;
    if (!json_is_number(value))
        return error_set(err, DC_EINVAL, "%s: expected a number", key);
    const double number = json_number_value(value);
    if (!(number >= 0 && number <= max))
        return error_set(err, DC_ERANGE, "%s: expected a number between 0 and %.0f, got %g", key, max, number);
    *value_out = number;
    return DC_OK;
}

static enum dc_status read_names(const json_t *object, const char *key, bool required, char ***names_out,
                                 size_t *n_names_out, struct dc_error *err) {
    const json_t *array = json_object_get(object, key);
    if (array == NULL && !required)
        return DC_OK;
    if (!json_is_array(array) || (required && json_array_size(array) == 0))
        return error_set(err, DC_EINVAL, "%s: expected a list of names", key);
    *names_out = calloc(json_array_size(array) + 1, sizeof(**names_out));
    if (*names_out == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *name = json_string_value(json_array_get(array, i));
        if (name == NULL || name[0] == '\0')
            return error_set(err, DC_EINVAL, "%s[%zu]: expected a name", key, i);
        (*names_out)[i] = strdup(name);
        if ((*names_out)[i] == NULL)
            return error_set_nomem(err);
        (*n_names_out)++;
    }
    return DC_OK;
}

static enum dc_status read_moves(const json_t *object, struct moves *moves, struct dc_error *err) {
    const json_t *array = json_object_get(object, "moves");
    if (!json_is_array(array))
        return error_set(err, DC_EINVAL, "moves: expected a list of {\"vm\": ..., \"to\": ...}");
    moves->moves = calloc(json_array_size(array) + 1, sizeof(*moves->moves));
    if (moves->moves == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        const char *vm = json_string_value(json_object_get(item, "vm"));
        const char *to = json_string_value(json_object_get(item, "to"));
        if (vm == NULL || to == NULL)
            return error_set(err, DC_EINVAL, "moves[%zu].%s: expected a name", i, vm == NULL ? "vm" : "to");
        struct move *move = &moves->moves[moves->n_moves++];
        move->vm = strdup(vm);
        move->to = strdup(to);
        if (move->vm == NULL || move->to == NULL)
            return error_set_nomem(err);
    }
    return DC_OK;
}

static enum dc_status read_limits(const json_t *json, struct goal *goal, struct dc_error *err) {
    double max_parallel = 0;
    double seed = (double)goal->seed;
    enum dc_status rc = read_number(json, "deadline_ms", GOAL_LONGEST_MS, &goal->deadline_ms, err);
    if (rc == DC_OK)
        rc = read_number(json, "max_downtime_ms", GOAL_LONGEST_MS, &goal->max_downtime_ms, err);
    if (rc == DC_OK)
        rc = read_number(json, "max_parallel", 1e6, &max_parallel, err);
    if (rc == DC_OK)
        rc = read_number(json, "risk_frac", GOAL_MOST_RISK_FRAC, &goal->risk_frac, err);
    if (rc == DC_OK)
        rc = read_number(json, "seed", 9007199254740992.0, &seed, err);
    if (rc == DC_OK)
        rc = read_number(json, "time_limit_ms", GOAL_LONGEST_MS, &goal->time_limit_ms, err);
    if (rc == DC_OK && goal->risk_frac > 0 && goal->risk_frac < GOAL_LEAST_RISK_FRAC)
        rc =
            error_set(err, DC_ERANGE, "risk_frac: expected at least %g, got %g", GOAL_LEAST_RISK_FRAC, goal->risk_frac);
    goal->max_parallel = (unsigned)max_parallel;
    goal->seed = (uint64_t)seed;
    return rc;
}

static enum dc_status read_relax(const json_t *json, struct goal *goal, struct dc_error *err) {
    const json_t *array = json_object_get(json, "relax");
    goal->explain = json_is_true(json_object_get(json, "explain"));
    if (array != NULL && !json_is_array(array))
        return error_set(err, DC_EINVAL, "relax: expected a list of {\"change\": ..., \"to\": ...}");
    for (size_t i = 0; i < json_array_size(array); i++) {
        enum dc_status rc = relax_from_json(&goal->relax, json_array_get(array, i), err);
        if (rc == DC_ENOTFOUND)
            rc = error_set(err, DC_EINVAL, "no such change");
        if (rc != DC_OK) {
            (void)error_prefix(err, "relax[%zu]", i);
            return rc;
        }
    }
    return DC_OK;
}

static enum dc_status read_kind(const json_t *json, enum goal_kind *kind_out, struct dc_error *err) {
    const char *verb = json_string_value(json_object_get(json, "verb"));
    for (size_t i = 0; verb != NULL && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(verb, verbs[i]) == 0) {
            *kind_out = (enum goal_kind)i;
            return DC_OK;
        }
    }
    return error_set(err, DC_EINVAL, "verb: expected evacuate, schedule, consolidate, rebalance or rolling%s%s",
                     verb != NULL ? ", got " : "", verb != NULL ? verb : "");
}

/* What the verb is about: hosts, moves, and what the choices ask for. */
static enum dc_status read_subject(const json_t *json, struct goal *goal, struct dc_error *err) {
    const bool rolls = goal->kind == GOAL_ROLLING;
    enum dc_status rc = goal_choice_from_json(goal->kind, json, &goal->choice, err);
    if (rc == DC_OK && (goal->kind == GOAL_EVACUATE || rolls))
        rc = read_names(json, "hosts", !rolls, &goal->hosts, &goal->n_hosts, err);
    if (rc == DC_OK && rolls && (goal->n_hosts > 0) == goal->choice.all)
        rc = error_set(err, DC_EINVAL, "hosts: expected a list of names, or else \"all\": true");
    if (rc == DC_OK && goal->kind == GOAL_SCHEDULE)
        rc = read_moves(json, &goal->moves, err);
    if (rc == DC_OK)
        rc = read_names(json, "boot", false, &goal->boot, &goal->n_boot, err);
    return rc;
}

enum dc_status goal_from_json(const json_t *json, struct goal *goal_out, struct dc_error *err) {
    goal_init(goal_out);
    if (!json_is_object(json))
        return error_set(err, DC_EINVAL, "goal: expected an object");
    enum dc_status rc = read_kind(json, &goal_out->kind, err);
    if (rc == DC_OK)
        rc = read_subject(json, goal_out, err);
    if (rc == DC_OK)
        rc = read_names(json, "exclude", false, &goal_out->exclude, &goal_out->n_exclude, err);
    if (rc == DC_OK)
        rc = read_limits(json, goal_out, err);
    if (rc == DC_OK)
        rc = read_relax(json, goal_out, err);
    if (rc != DC_OK)
        goal_dispose(goal_out);
    return rc;
}
