/* A group that cannot be emptied as chosen is asked for with the choice's own destinations, then by halves. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/rolling_group.h"

#include "planner/question.h"

#include <math.h>
#include <stdlib.h>

static const double limit_frac = 0.2; /* of the time limit: there are up to four attempts, and one for a deadline */
static const double least_limit_ms = 20;

void rolling_group_dispose(struct rolling_group *group) {
    free(group->hosts);
    free(group->receives);
    free(group->to);
    json_decref(group->asked);
    plan_doc_dispose(&group->answer);
}

/* Without a choice: the host with the fewest bytes, and all may receive. */
static void pick_emptiest(const struct rolling_attempt *attempt, struct rolling_group *group) {
    const struct fleet *now = &attempt->staging.now;
    size_t best = SIZE_MAX;
    double best_bytes = INFINITY;
    for (size_t host = 0; host < now->n_hosts; host++) {
        double bytes = 0;
        group->receives[host] = attempt->waits[host];
        for (size_t vm = 0; attempt->waits[host] && vm < now->n_vms; vm++)
            bytes += now->vms[vm].host == host ? now->vms[vm].memory_bytes : 0;
        if (attempt->waits[host] && bytes < best_bytes) {
            best = host;
            best_bytes = bytes;
        }
    }
    group->hosts[group->n++] = best;
}

static void take_choice(const struct rolling_attempt *attempt, const struct rolling_result *chosen,
                        struct rolling_group *group) {
    const struct fleet *now = &attempt->staging.now;
    for (size_t host = 0; host < now->n_hosts; host++)
        if (chosen->group[host] == 0)
            group->hosts[group->n++] = host;
    for (size_t vm = 0; vm < now->n_vms; vm++) {
        group->to[vm] = chosen->to[vm];
        if (chosen->to[vm] != now->vms[vm].host && attempt->waits[chosen->to[vm]])
            group->receives[chosen->to[vm]] = true;
    }
}

enum dc_status rolling_group_choose(struct rolling_attempt *attempt, struct rolling_group *group,
                                    struct dc_error *err) {
    *group = (struct rolling_group){0};
    const struct staging *staging = &attempt->staging;
    const struct fleet *now = &staging->now;
    struct question question;
    struct rolling_result chosen = {0};
    group->hosts = calloc(now->n_hosts + 1, sizeof(*group->hosts));
    group->receives = calloc(now->n_hosts + 1, sizeof(*group->receives));
    group->to = calloc(now->n_vms + 1, sizeof(*group->to));
    if (group->hosts == NULL || group->receives == NULL || group->to == NULL)
        return error_set_nomem(err);
    for (size_t vm = 0; vm < now->n_vms; vm++)
        group->to[vm] = now->vms[vm].host;
    enum dc_status rc = question_init(now, staging->goal, &question, err);
    if (rc != DC_OK)
        return rc;
    struct rolling_host *hosts = rolling_attempt_hosts(staging, &question.problem, attempt->waits);
    const struct rolling_options options = {
        .hosts = hosts,
        .at_once = staging->goal->choice.at_once,
        .returns = staging->goal->choice.returns,
        .lands = attempt->way.lands,
        .seed = staging->goal->seed,
        .cancel = staging->options != NULL ? staging->options->cancel : NULL,
    };
    rc = hosts == NULL ? error_set_nomem(err) : rolling_choose(&question.problem, &options, &chosen, err);
    if (rc == DC_OK && chosen.n_groups > 0)
        take_choice(attempt, &chosen, group);
    else if (rc == DC_OK)
        pick_emptiest(attempt, group);
    if (rc == DC_OK && attempt->time_limit_ms <= 0) {
        const double n_questions = (double)(chosen.n_groups + 1) * (options.returns ? 2 : 1);
        attempt->n_promised = chosen.n_left == 0 ? chosen.n_groups : 0;
        attempt->time_limit_ms = fmax(least_limit_ms, limit_frac * staging->goal->time_limit_ms / n_questions);
    }
    rolling_result_dispose(&chosen);
    free(hosts);
    question_dispose(&question);
    return rc;
}

bool rolling_group_has(const struct rolling_group *group, size_t host) {
    for (size_t i = 0; i < group->n; i++)
        if (group->hosts[i] == host)
            return true;
    return false;
}

/* To be evacuated; hosts that wait receive nothing but where the choice says so. */
static bool add_evacuation(const struct rolling_attempt *attempt, const struct rolling_group *group, json_t *question) {
    const struct fleet *fleet = attempt->staging.fleet;
    bool ok = true;
    for (size_t i = 0; ok && i < group->n; i++)
        ok = staging_add_name(question, "hosts", fleet->hosts[group->hosts[i]].name);
    for (size_t host = 0; ok && host < fleet->n_hosts; host++)
        if (attempt->waits[host] && !group->receives[host] && !rolling_group_has(group, host))
            ok = staging_add_name(question, "exclude", fleet->hosts[host].name);
    return ok;
}

static enum dc_status ask(struct rolling_attempt *attempt, struct rolling_group *group, bool evacuates,
                          struct dc_error *err) {
    struct staging *staging = &attempt->staging;
    json_decref(group->asked);
    plan_doc_dispose(&group->answer);
    group->asked = staging_question(staging, evacuates ? GOAL_EVACUATE : GOAL_SCHEDULE, attempt->time_limit_ms);
    if (group->asked == NULL || !(evacuates ? add_evacuation(attempt, group, group->asked)
                                            : staging_add_moves(staging, group->asked, group->to)))
        return error_set_nomem(err);
    return staging_ask(staging, group->asked, &group->answer, err);
}

/* Half of the group waits after all. */
static void halve(const struct rolling_attempt *attempt, struct rolling_group *group) {
    const struct fleet *now = &attempt->staging.now;
    group->n = (group->n + 1) / 2;
    for (size_t vm = 0; vm < now->n_vms; vm++)
        if (!rolling_group_has(group, now->vms[vm].host))
            group->to[vm] = now->vms[vm].host;
}

/* Does the choice put any VM elsewhere? */
static bool is_chosen(const struct rolling_attempt *attempt, const struct rolling_group *group) {
    const struct fleet *now = &attempt->staging.now;
    for (size_t vm = 0; vm < now->n_vms; vm++)
        if (group->to[vm] != now->vms[vm].host)
            return true;
    return false;
}

/* True if hosts that wait were kept from receiving until now. */
static bool allow_all(const struct rolling_attempt *attempt, struct rolling_group *group) {
    bool changed = false;
    for (size_t host = 0; host < attempt->staging.fleet->n_hosts; host++) {
        if (!attempt->waits[host] || rolling_group_has(group, host) || group->receives[host])
            continue;
        group->receives[host] = changed = true;
    }
    return changed;
}

/* First by its hosts, where the way allows, then with the choice's own places, which are known to fit. */
static enum dc_status ask_both(struct rolling_attempt *attempt, struct rolling_group *group, bool *good_out,
                               struct dc_error *err) {
    enum dc_status rc = DC_OK;
    json_t *conflicts = NULL;
    *good_out = false;
    if (!attempt->way.given || !is_chosen(attempt, group)) {
        rc = ask(attempt, group, true, err);
        *good_out = rc == DC_OK && plan_doc_is_whole(&group->answer);
        conflicts = json_incref(group->answer.conflicts);
    }
    if (rc == DC_OK && !*good_out && is_chosen(attempt, group)) {
        rc = ask(attempt, group, false, err);
        *good_out = rc == DC_OK && plan_doc_is_whole(&group->answer);
    }
    if (rc == DC_OK && !*good_out && conflicts != NULL) { /* these name what no place was found for */
        json_decref(group->answer.conflicts);
        group->answer.conflicts = json_incref(conflicts);
    }
    json_decref(conflicts);
    return rc;
}

enum dc_status rolling_group_ask(struct rolling_attempt *attempt, struct rolling_group *group, bool *good_out,
                                 struct dc_error *err) {
    for (;;) {
        const enum dc_status rc = ask_both(attempt, group, good_out, err);
        if (rc != DC_OK || *good_out)
            return rc;
        if (group->n > 1)
            halve(attempt, group);
        else if (!allow_all(attempt, group))
            return DC_OK;
    }
}
