/* Groups in stages; after each the hosts go off and on, and the VMs home where that was asked for. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/rolling_group.h"

#include "planner/question_net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void rolling_attempt_dispose(struct rolling_attempt *attempt) {
    staging_dispose(&attempt->staging);
    plan_doc_dispose(&attempt->plan);
    free(attempt->waits);
    free(attempt->is_stuck);
    free(attempt->group_end_ms);
    json_decref(attempt->hosts);
    *attempt = (struct rolling_attempt){0};
}

struct rolling_host *rolling_attempt_hosts(const struct staging *asked, const struct problem *problem,
                                           const bool *rolls) {
    const struct fleet *fleet = asked->fleet;
    struct rolling_host *hosts = calloc(fleet->n_hosts + 1, sizeof(*hosts));
    for (size_t i = 0; hosts != NULL && i < fleet->n_hosts; i++)
        hosts[i] = (struct rolling_host){
            .rolls = rolls[i],
            .away_s = fleet->hosts[i].shutdown_s + asked->goal->choice.maintenance_ms / 1e3 + fleet->hosts[i].boot_s,
            .bytes_per_s = question_net_best_bandwidth(problem, i),
        };
    return hosts;
}

/* The host stays as it is. */
static enum dc_status leave_host(struct rolling_attempt *attempt, const struct rolling_group *group,
                                 struct dc_error *err) {
    const size_t host = group->hosts[0];
    attempt->waits[host] = false;
    attempt->is_stuck[host] = true;
    attempt->n_waiting--;
    attempt->n_stuck++;
    const enum dc_status rc = staging_conflict(&attempt->staging, err, "host %s cannot be emptied: it is left out",
                                               attempt->staging.fleet->hosts[host].name);
    if (rc == DC_OK && json_array_extend(attempt->plan.conflicts, group->answer.conflicts) != 0)
        return error_set_nomem(err);
    return rc;
}

static void count_landed(struct rolling_attempt *attempt, const struct rolling_group *group) {
    for (size_t i = 0; i < group->answer.n_steps; i++) {
        const long to = fleet_doc_find_host(attempt->staging.fleet, group->answer.steps[i].to);
        attempt->n_landed += to != FLEET_NO_INDEX && attempt->waits[to];
    }
}

/* What a group's hosts are taken off and on with. */
struct cycle {
    double start_ms;   /* of the group's stage */
    size_t first_step; /* of it */
    size_t n_before;   /* what the stage waited for */
    unsigned *before;
    double on_ms;    /* the last host is on */
    double least_ms; /* away, of hosts that VMs leave: whichever migration ends last, so much follows */
    double most_ms;  /* away, of the others */
    bool has_other;  /* a migration that leaves none of them may be the last: nothing follows that */
};

/* The host's shutdown once it is empty; where it is from the start, once the groups before are back. */
static enum dc_status add_shutdown(struct staging *staging, size_t host, const struct cycle *cycle,
                                   struct plan_step **off_out, bool *was_empty_out, struct dc_error *err) {
    enum dc_status rc = staging_add_shutdown(staging, host, cycle->first_step, cycle->start_ms, off_out, err);
    *was_empty_out = rc == DC_OK && (*off_out)->n_after == 0;
    for (size_t i = 0; rc == DC_OK && *was_empty_out && i < cycle->n_before; i++)
        rc = staging_wait(*off_out, cycle->before[i], err);
    return rc;
}

static enum dc_status cycle_host(struct rolling_attempt *attempt, size_t host, struct cycle *cycle, unsigned *boot_out,
                                 struct dc_error *err) {
    struct staging *staging = &attempt->staging;
    const double delay_ms = round(staging->goal->choice.maintenance_ms);
    struct plan_step *off = NULL, *boot = NULL;
    bool was_empty = false;
    enum dc_status rc = add_shutdown(staging, host, cycle, &off, &was_empty, err);
    if (rc != DC_OK)
        return rc;
    const unsigned off_id = off->id;
    const double start_ms = off->start_ms, end_ms = off->end_ms;
    rc = staging_add_host_step(staging, PLAN_BOOT, host, end_ms + delay_ms, &boot, err);
    if (rc == DC_OK)
        rc = staging_wait(boot, off_id, err);
    if (rc != DC_OK)
        return rc;
    boot->delay_ms = delay_ms;
    *boot_out = boot->id;
    const double away_ms = boot->end_ms - start_ms;
    cycle->on_ms = fmax(cycle->on_ms, boot->end_ms);
    if (was_empty)
        cycle->most_ms = fmax(cycle->most_ms, away_ms);
    else
        cycle->least_ms = fmin(cycle->least_ms, away_ms);
    json_t *entry = json_pack("{s:s, s:I, s:I, s:I}", "host", staging->fleet->hosts[host].name, "group",
                              (json_int_t)attempt->n_groups + 1, "off_ms", (json_int_t)llround(start_ms), "on_ms",
                              (json_int_t)llround(boot->end_ms));
    return json_array_append_new(attempt->hosts, entry) == 0 ? DC_OK : error_set_nomem(err);
}

/* Steps that none of the group's hosts waits for, such as second legs of hops, hold up the next group, too. */
static void keep_other_steps(struct staging *staging, const struct rolling_group *group) {
    const size_t n = staging->n_barrier;
    staging->n_barrier = 0;
    for (size_t i = 0; i < n; i++) {
        const struct plan_step *step = &staging->plan->steps[staging->barrier[i] - 1];
        const long from = fleet_doc_find_host(staging->fleet, step->from);
        if (from == FLEET_NO_INDEX || !rolling_group_has(group, (size_t)from))
            staging->barrier[staging->n_barrier++] = staging->barrier[i];
    }
}

static enum dc_status cycle_group(struct rolling_attempt *attempt, const struct rolling_group *group,
                                  struct cycle *cycle, struct dc_error *err) {
    struct staging *staging = &attempt->staging;
    enum dc_status rc = DC_OK;
    cycle->least_ms = INFINITY;
    keep_other_steps(staging, group);
    for (size_t i = 0; rc == DC_OK && i < group->n; i++) {
        unsigned boot = 0;
        rc = cycle_host(attempt, group->hosts[i], cycle, &boot, err);
        if (rc == DC_OK)
            rc = staging_block(staging, boot, err);
        attempt->waits[group->hosts[i]] = false;
    }
    const double later_ms = fmax(0, cycle->on_ms - staging->now_ms[1]);
    staging->now_ms[0] += later_ms;
    staging->now_ms[1] += later_ms;
    if (!cycle->has_other)
        staging->bound_ms += isfinite(cycle->least_ms) ? cycle->least_ms : cycle->most_ms;
    attempt->n_waiting -= group->n;
    attempt->n_groups++;
    return rc;
}

static bool leaves_other(const struct staging *staging, const struct rolling_group *group) {
    for (size_t i = 0; i < group->answer.n_steps; i++) {
        const long from = fleet_doc_find_host(staging->fleet, group->answer.steps[i].from);
        if (from == FLEET_NO_INDEX || !rolling_group_has(group, (size_t)from))
            return true;
    }
    return false;
}

static enum dc_status take_group(struct rolling_attempt *attempt, struct rolling_group *group, struct dc_error *err) {
    struct staging *staging = &attempt->staging;
    struct cycle cycle = {
        .start_ms = round(staging->now_ms[1]),
        .first_step = attempt->plan.n_steps,
        .n_before = staging->n_barrier,
        .before = calloc(staging->n_barrier + 1, sizeof(*cycle.before)),
    };
    if (cycle.before == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < staging->n_barrier; i++)
        cycle.before[i] = staging->barrier[i];
    count_landed(attempt, group);
    cycle.has_other = leaves_other(staging, group);
    enum dc_status rc = staging_take(staging, group->asked, &group->answer, err);
    if (rc == DC_OK)
        rc = cycle_group(attempt, group, &cycle, err);
    free(cycle.before);
    return rc;
}

/* All VMs that are away from home go back, as far as that is possible. */
static enum dc_status go_home(struct rolling_attempt *attempt, struct dc_error *err) {
    struct staging *staging = &attempt->staging;
    const struct fleet *fleet = staging->fleet;
    size_t *to = calloc(fleet->n_vms + 1, sizeof(*to));
    json_t *question = staging_question(staging, GOAL_SCHEDULE, attempt->time_limit_ms);
    struct plan answer = {0};
    enum dc_status rc = DC_OK;
    for (size_t vm = 0; to != NULL && vm < fleet->n_vms; vm++)
        to[vm] = fleet->vms[vm].host;
    if (to == NULL || question == NULL || !staging_add_moves(staging, question, to))
        rc = error_set_nomem(err);
    if (rc == DC_OK && json_array_size(json_object_get(question, "moves")) > 0) {
        rc = staging_ask(staging, question, &answer, err);
        /* What cannot go now may with the next group: what is left in the end is said then. */
        if (rc == DC_OK && json_array_clear(answer.conflicts) == 0)
            rc = staging_take(staging, question, &answer, err);
    }
    plan_doc_dispose(&answer);
    json_decref(question);
    free(to);
    return rc;
}

static enum dc_status run_group(struct rolling_attempt *attempt, struct dc_error *err) {
    struct rolling_group group;
    bool good = false;
    enum dc_status rc = rolling_group_choose(attempt, &group, err);
    if (rc == DC_OK)
        rc = rolling_group_ask(attempt, &group, &good, err);
    if (rc == DC_OK && !good)
        rc = leave_host(attempt, &group, err);
    else if (rc == DC_OK)
        rc = take_group(attempt, &group, err);
    rolling_group_dispose(&group);
    if (rc == DC_OK && good && attempt->staging.goal->choice.returns)
        rc = go_home(attempt, err);
    if (rc == DC_OK && good)
        attempt->group_end_ms[attempt->n_groups - 1] = attempt->staging.now_ms[1];
    return rc;
}

static bool is_cancelled(const struct rolling_attempt *attempt) {
    const struct solve_options *options = attempt->staging.options;
    return options != NULL && options->cancel != NULL && atomic_load(options->cancel);
}

enum dc_status rolling_attempt_run(const struct staging *asked, const bool *rolls, struct rolling_way way,
                                   size_t most_groups, struct rolling_attempt *attempt_out, struct dc_error *err) {
    struct rolling_attempt *attempt = attempt_out;
    const struct fleet *fleet = asked->fleet;
    *attempt = (struct rolling_attempt){.way = way};
    enum dc_status rc = staging_init(&attempt->staging, fleet, asked->goal, asked->options, &attempt->plan, err);
    attempt->waits = calloc(fleet->n_hosts + 1, sizeof(*attempt->waits));
    attempt->is_stuck = calloc(fleet->n_hosts + 1, sizeof(*attempt->is_stuck));
    attempt->group_end_ms = calloc(fleet->n_hosts + 1, sizeof(*attempt->group_end_ms));
    attempt->hosts = json_array();
    if (rc == DC_OK && (attempt->waits == NULL || attempt->is_stuck == NULL || attempt->group_end_ms == NULL ||
                        attempt->hosts == NULL))
        rc = error_set_nomem(err);
    for (size_t host = 0; rc == DC_OK && host < fleet->n_hosts; host++) {
        attempt->waits[host] = rolls[host];
        attempt->n_waiting += rolls[host];
    }
    while (rc == DC_OK && attempt->n_waiting > 0 && attempt->n_groups < most_groups && !is_cancelled(attempt))
        rc = run_group(attempt, err);
    if (rc != DC_OK)
        rolling_attempt_dispose(attempt);
    return rc;
}
