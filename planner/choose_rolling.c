/*
 * Rolling maintenance: hosts are emptied, switched off and on again group by group.
 * VMs keep off hosts that are still to go where that is possible; the plan in which they may land there
 * is taken instead only where it empties more hosts, or is done before any plan without could be.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/choose.h"

#include "base/units.h"
#include "planner/question.h"
#include "planner/rolling_attempt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct rolling_way ways[] = {
    {.lands = false, .given = false},
    {.lands = false, .given = true},
    {.lands = true, .given = false},
    {.lands = true, .given = true},
};

enum { N_WAYS = sizeof(ways) / sizeof(ways[0]) };

struct roller {
    struct staging *staging;
    bool *rolls; /* per host */
    size_t n_rolls;
    size_t least_groups;               /* of any choice; SIZE_MAX: none empties all */
    double least_ms, sparing_least_ms; /* of any choice; of those without landings. INFINITY: there is none */
    struct rolling_attempt attempts[N_WAYS];
    struct rolling_attempt *best;
    double whole_ms; /* with all groups, where the deadline allows fewer; 0: it allows all */
};

/* Whatever is on and known well. */
static enum dc_status add_all(struct roller *roller, struct dc_error *err) {
    const struct fleet *fleet = roller->staging->fleet;
    enum dc_status rc = DC_OK;
    for (size_t host = 0; rc == DC_OK && host < fleet->n_hosts; host++) {
        const struct fleet_host *it = &fleet->hosts[host];
        const bool is_known = it->freshness != FLEET_STALE && it->freshness != FLEET_LOST;
        roller->rolls[host] = it->state == FLEET_HOST_ON && is_known;
        if (it->state == FLEET_HOST_ON && !is_known)
            rc = staging_warn(roller->staging, err, "the data of host %s is %s: it is left out", it->name,
                              fleet_doc_freshness_text(it->freshness));
    }
    return rc;
}

static enum dc_status add_hosts(struct roller *roller, struct dc_error *err) {
    const struct fleet *fleet = roller->staging->fleet;
    const struct goal *goal = roller->staging->goal;
    roller->rolls = calloc(fleet->n_hosts + 1, sizeof(*roller->rolls));
    if (roller->rolls == NULL)
        return error_set_nomem(err);
    if (goal->choice.all) {
        const enum dc_status rc = add_all(roller, err);
        if (rc != DC_OK)
            return rc;
    }
    for (size_t i = 0; i < goal->n_hosts; i++) {
        const long host = fleet_doc_find_host(fleet, goal->hosts[i]);
        if (host == FLEET_NO_INDEX)
            return error_set(err, DC_ENOTFOUND, "no host is called %s", goal->hosts[i]);
        if (fleet->hosts[host].state != FLEET_HOST_ON)
            return error_set(err, DC_EINVAL, "host %s is not on: there is nothing to switch off and on",
                             goal->hosts[i]);
        roller->rolls[host] = true;
    }
    for (size_t host = 0; host < fleet->n_hosts; host++)
        roller->n_rolls += roller->rolls[host];
    return DC_OK;
}

/* What no plan is better than, from the fleet as it is at first. */
static enum dc_status find_bounds(struct roller *roller, struct dc_error *err) {
    const struct goal_choice *choice = &roller->staging->goal->choice;
    struct question question;
    enum dc_status rc = question_init(roller->staging->fleet, roller->staging->goal, &question, err);
    if (rc != DC_OK)
        return rc;
    struct rolling_host *hosts = rolling_attempt_hosts(roller->staging, &question.problem, roller->rolls);
    const struct rolling_options options = {.hosts = hosts, .at_once = choice->at_once, .returns = choice->returns};
    size_t least_sparing = 0;
    rc = hosts == NULL ? error_set_nomem(err)
                       : rolling_least_groups(&question.problem, &options, false, &roller->least_groups, err);
    if (rc == DC_OK)
        rc = rolling_least_groups(&question.problem, &options, true, &least_sparing, err);
    if (rc == DC_OK) {
        roller->least_ms = 1e3 * rolling_least_s(&question.problem, &options, roller->least_groups);
        roller->sparing_least_ms = 1e3 * rolling_least_s(&question.problem, &options, least_sparing);
    }
    free(hosts);
    question_dispose(&question);
    return rc;
}

/* The end of what the attempt does. */
static double end_ms(const struct rolling_attempt *attempt) {
    return attempt->n_groups > 0 ? attempt->group_end_ms[attempt->n_groups - 1] : 0;
}

static size_t n_left(const struct rolling_attempt *attempt) {
    return attempt->n_stuck + attempt->n_waiting;
}

static bool is_better(const struct roller *roller, const struct rolling_attempt *attempt) {
    const struct rolling_attempt *best = roller->best;
    if (best == NULL || n_left(attempt) != n_left(best))
        return best == NULL || n_left(attempt) < n_left(best);
    const bool lands_anew = attempt->way.lands && !best->way.lands;
    return end_ms(attempt) < (lands_anew ? fmin(end_ms(best), roller->sparing_least_ms) : end_ms(best));
}

/* Did it empty all hosts in as many groups as the choice for all of them has? */
static bool keeps_promise(const struct rolling_attempt *attempt) {
    return n_left(attempt) == 0 && (attempt->n_promised == 0 || attempt->n_groups <= attempt->n_promised);
}

static enum dc_status make_attempts(struct roller *roller, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < N_WAYS; i++) {
        struct rolling_attempt *attempt = &roller->attempts[i];
        const bool is_done = roller->best != NULL && n_left(roller->best) == 0 &&
                             roller->best->n_groups <= roller->least_groups && roller->best->n_landed == 0;
        if (is_done || (ways[i].given && keeps_promise(&roller->attempts[i - 1])))
            continue;
        rc = rolling_attempt_run(roller->staging, roller->rolls, ways[i], SIZE_MAX, attempt, err);
        if (rc == DC_OK && is_better(roller, attempt))
            roller->best = attempt;
    }
    return rc;
}

/* The first groups, as many as are done in time. */
static enum dc_status keep_deadline(struct roller *roller, struct dc_error *err) {
    const double deadline_ms = roller->staging->goal->deadline_ms;
    struct rolling_attempt *best = roller->best;
    if (deadline_ms <= 0 || end_ms(best) <= deadline_ms)
        return DC_OK;
    const struct rolling_way way = best->way;
    size_t n = 0;
    while (best->group_end_ms[n] <= deadline_ms)
        n++;
    roller->whole_ms = end_ms(best);
    rolling_attempt_dispose(best);
    return rolling_attempt_run(roller->staging, roller->rolls, way, n, best, err);
}

static const char *why_landed(const struct roller *roller) {
    if (roller->best->n_landed == 0)
        return "none";
    if (isinf(roller->sparing_least_ms))
        return "needed";
    const bool is_whole = n_left(roller->best) == 0;
    return is_whole && end_ms(roller->best) < roller->sparing_least_ms ? "sooner" : "no other found";
}

static json_t *whole_ms(double ms) {
    return isfinite(ms) ? json_integer((json_int_t)llround(ms)) : json_null();
}

static enum dc_status describe(const struct roller *roller, struct dc_error *err) {
    struct rolling_attempt *best = roller->best;
    json_decref(best->plan.choice);
    best->plan.choice =
        json_pack("{s:I, s:o, s:o, s:{s:I, s:s, s:o}, s:O}", "groups", (json_int_t)best->n_groups, "groups_at_least",
                  roller->least_groups == SIZE_MAX ? json_null() : json_integer((json_int_t)roller->least_groups),
                  "at_least_ms", whole_ms(roller->least_ms), "landing", "n", (json_int_t)best->n_landed, "why",
                  why_landed(roller), "without_at_least_ms", whole_ms(roller->sparing_least_ms), "hosts", best->hosts);
    return best->plan.choice != NULL ? DC_OK : error_set_nomem(err);
}

/* The hosts that the deadline leaves no time for. */
static enum dc_status judge_time(const struct roller *roller, struct dc_error *err) {
    struct staging *staging = &roller->best->staging;
    char deadline[UNITS_TEXT_BYTES], whole[UNITS_TEXT_BYTES];
    if (roller->whole_ms <= 0)
        return DC_OK;
    const enum dc_status rc =
        staging_conflict(staging, err, "%zu of %zu hosts do not get their turn within the deadline of %s: all take %s",
                         roller->best->n_waiting, roller->n_rolls,
                         units_format_duration(staging->goal->deadline_ms, deadline, sizeof(deadline)),
                         units_format_duration(roller->whole_ms, whole, sizeof(whole)));
    if (rc != DC_OK)
        return rc;
    json_t *conflicts = roller->best->plan.conflicts;
    json_t *relax = json_object_get(json_array_get(conflicts, json_array_size(conflicts) - 1), "relax");
    json_t *change = json_pack("{s:s, s:I}", "change", "deadline_ms", "to", (json_int_t)ceil(roller->whole_ms));
    return json_array_append_new(relax, change) == 0 ? DC_OK : error_set_nomem(err);
}

/* VMs that were to go back and have not. */
static enum dc_status judge_return(const struct roller *roller, bool *whole, struct dc_error *err) {
    struct staging *staging = &roller->best->staging;
    enum dc_status rc = DC_OK;
    for (size_t vm = 0; rc == DC_OK && staging->goal->choice.returns && vm < staging->fleet->n_vms; vm++) {
        const struct fleet_vm *it = &staging->fleet->vms[vm];
        if (staging->now.vms[vm].host == it->host)
            continue;
        *whole = false;
        rc = staging_conflict(staging, err, "VM %s finds no way back to host %s", it->name,
                              staging->fleet->hosts[it->host].name);
    }
    return rc;
}

static enum dc_status finish(struct roller *roller, struct dc_error *err) {
    struct rolling_attempt *best = roller->best;
    bool whole = n_left(best) == 0;
    enum dc_status rc = describe(roller, err);
    if (rc == DC_OK)
        rc = judge_time(roller, err);
    if (rc == DC_OK)
        rc = judge_return(roller, &whole, err);
    if (rc == DC_OK && json_array_extend(best->plan.warnings, roller->staging->plan->warnings) != 0)
        rc = error_set_nomem(err);
    if (rc == DC_OK) /* with one host there is no choice; of several, another order may be better */
        rc = staging_finish(&best->staging, whole, roller->n_rolls <= 1, err);
    if (rc != DC_OK)
        return rc;
    plan_doc_dispose(roller->staging->plan);
    *roller->staging->plan = best->plan;
    best->plan = (struct plan){0};
    return DC_OK;
}

enum dc_status choose_rolling(struct staging *staging, struct dc_error *err) {
    struct roller roller = {.staging = staging};
    enum dc_status rc = add_hosts(&roller, err);
    if (rc == DC_OK)
        rc = find_bounds(&roller, err);
    if (rc == DC_OK)
        rc = make_attempts(&roller, err);
    if (rc == DC_OK)
        rc = keep_deadline(&roller, err);
    if (rc == DC_OK)
        rc = finish(&roller, err);
    for (size_t i = 0; i < N_WAYS; i++)
        rolling_attempt_dispose(&roller.attempts[i]);
    free(roller.rolls);
    return rc;
}
