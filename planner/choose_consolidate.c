/*
 * Consolidation: solver/consolidate.h chooses the hosts; the question is then to
 * evacuate them, or to schedule given moves where VMs of other hosts move too. VMs that turn out
 * not to be movable, and hosts that are not empty in time, stay, and the choice is made anew.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/choose.h"

#include "base/units.h"
#include "planner/plan_energy.h"
#include "planner/question.h"
#include "planner/question_net.h"
#include "solver/consolidate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double default_payback_ms = 24 * 3600e3;
static const double first_limit_frac = 0.3; /* of the time limit, for the first round's questions */
static const double next_limit_frac = 0.6;  /* of the round before: fixed, so that answers repeat */
enum { MAX_ROUNDS = 12 };

struct chooser {
    struct staging *staging;
    struct question question; /* of the choice */
    struct consolidate_host *hosts;
    struct consolidate_options options;
    struct consolidate_result chosen;
    double time_limit_ms; /* of the round's questions */
    double limit_ms;      /* of the whole plan; INFINITY: none */
    double boot_ms;       /* until the booted hosts are on */
    json_t *asked;
    struct plan answer;
    bool is_late; /* hosts were left on for want of time */
};

static void chooser_dispose(struct chooser *chooser) {
    consolidate_result_dispose(&chooser->chosen);
    question_dispose(&chooser->question);
    free(chooser->hosts);
    json_decref(chooser->asked);
    plan_doc_dispose(&chooser->answer);
}

/* Only hosts that are known well, not excluded, and on or off (not in maintenance) change. */
static bool fill_hosts(struct chooser *chooser) {
    const struct fleet *fleet = chooser->staging->fleet;
    chooser->hosts = calloc(fleet->n_hosts + 1, sizeof(*chooser->hosts));
    for (size_t i = 0; chooser->hosts != NULL && i < fleet->n_hosts; i++) {
        const struct fleet_host *host = &fleet->hosts[i];
        const bool is_on = host->state == FLEET_HOST_ON;
        const double seconds = is_on ? host->shutdown_s : host->boot_s;
        chooser->hosts[i] = (struct consolidate_host){
            .is_on = is_on,
            .may_change = chooser->question.problem.hosts[i].receives,
            .idle_watts = host->idle_watts,
            .watts_per_core = host->cpus > 0 ? fmax(0, host->peak_watts - host->idle_watts) / host->cpus : 0,
            .change_joules = seconds * (is_on ? host->idle_watts : host->peak_watts),
        };
    }
    return chooser->hosts != NULL;
}

static enum dc_status start(struct chooser *chooser, struct dc_error *err) {
    const struct staging *staging = chooser->staging;
    const struct goal *goal = staging->goal;
    const double limit_ms = fmin(goal->choice.max_time_ms > 0 ? goal->choice.max_time_ms : INFINITY,
                                 goal->deadline_ms > 0 ? goal->deadline_ms : INFINITY);
    chooser->limit_ms = limit_ms;
    chooser->time_limit_ms = first_limit_frac * goal->time_limit_ms;
    if (goal->choice.energy && !plan_energy_is_known(staging->fleet))
        return error_set(err, DC_EINVAL, "energy: no host of the fleet says its idle_watts");
    const enum dc_status rc = question_init(staging->fleet, goal, &chooser->question, err);
    if (rc != DC_OK)
        return rc;
    if (!fill_hosts(chooser))
        return error_set_nomem(err);
    chooser->options = (struct consolidate_options){
        .objective = goal->choice.energy          ? CONSOLIDATE_ENERGY
                     : goal->choice.power_off > 0 ? CONSOLIDATE_POWER_OFF
                                                  : CONSOLIDATE_FEWEST,
        .n_off = goal->choice.power_off,
        .hosts = chooser->hosts,
        .horizon_s = (goal->choice.payback_ms > 0 ? goal->choice.payback_ms : default_payback_ms) / 1e3,
        .joules_per_byte = PLAN_ENERGY_JOULES_PER_BYTE,
        .joules_per_vm = PLAN_ENERGY_JOULES_PER_VM,
        .seed = goal->seed,
        .cancel = staging->options != NULL ? staging->options->cancel : NULL,
    };
    return DC_OK;
}

/* What cannot be done in the time given is not counted on: a host that shuts down or boots too slowly, or whose VMs'
 * memory takes too long to send at its best bandwidth. */
static void drop_slow_hosts(struct chooser *chooser) {
    const struct problem *problem = &chooser->question.problem;
    const struct fleet *fleet = chooser->staging->fleet;
    for (size_t i = 0; isfinite(chooser->limit_ms) && i < fleet->n_hosts; i++) {
        const double bytes_per_s = question_net_best_bandwidth(problem, i);
        double needed_s = chooser->hosts[i].is_on ? fleet->hosts[i].shutdown_s : fleet->hosts[i].boot_s;
        for (size_t vm = 0; chooser->hosts[i].is_on && bytes_per_s > 0 && vm < problem->n_vms; vm++)
            needed_s += problem->vms[vm].host == i ? problem->vms[vm].memory_bytes / bytes_per_s : 0;
        if (1e3 * needed_s > chooser->limit_ms)
            chooser->hosts[i].may_change = false;
    }
}

static bool moves_only_from_emptied(const struct chooser *chooser) {
    const struct problem *problem = &chooser->question.problem;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        if (chooser->chosen.to[vm] != problem->vms[vm].host && !chooser->chosen.off[problem->vms[vm].host])
            return false;
    return true;
}

static json_t *make_question(struct chooser *chooser, bool evacuates) {
    const struct staging *staging = chooser->staging;
    const struct fleet *fleet = staging->fleet;
    json_t *question = staging_question(staging, evacuates ? GOAL_EVACUATE : GOAL_SCHEDULE, chooser->time_limit_ms);
    bool ok = question != NULL;
    chooser->boot_ms = 0;
    for (size_t i = 0; ok && i < fleet->n_hosts; i++) {
        if (chooser->chosen.off[i] && evacuates)
            ok = staging_add_name(question, "hosts", fleet->hosts[i].name);
        if (!chooser->chosen.booted[i])
            continue;
        ok = ok && staging_add_name(question, "boot", fleet->hosts[i].name);
        chooser->boot_ms = fmax(chooser->boot_ms, ceil(1e3 * fleet->hosts[i].boot_s));
    }
    if (ok && !evacuates)
        ok = staging_add_moves(staging, question, chooser->chosen.to);
    if (ok)
        return question;
    json_decref(question);
    return NULL;
}

static enum dc_status ask(struct chooser *chooser, bool evacuates, struct dc_error *err) {
    json_decref(chooser->asked);
    plan_doc_dispose(&chooser->answer);
    chooser->asked = make_question(chooser, evacuates);
    if (chooser->asked == NULL)
        return error_set_nomem(err);
    return staging_ask(chooser->staging, chooser->asked, &chooser->answer, err);
}

/* When the last VM of the host is gone, in the plan's time; 0 where none moves. */
static double empty_at_ms(const struct plan *plan, const char *host) {
    double end_ms = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        if (strcmp(plan->steps[i].from, host) == 0)
            end_ms = fmax(end_ms, plan->steps[i].end_ms);
    return end_ms;
}

static double off_at_ms(const struct chooser *chooser, size_t host) {
    const struct fleet_host *it = &chooser->staging->fleet->hosts[host];
    const double empty_ms = empty_at_ms(&chooser->answer, it->name);
    return (empty_ms > 0 ? chooser->boot_ms + empty_ms : 0) + ceil(1e3 * it->shutdown_s);
}

/* Leaves the latest half of the late hosts on. True if there were any. */
static bool drop_late(struct chooser *chooser) {
    size_t n_late = 0;
    for (size_t host = 0; host < chooser->staging->fleet->n_hosts; host++)
        n_late += chooser->chosen.off[host] && off_at_ms(chooser, host) > chooser->limit_ms;
    for (size_t n = 0; n < (n_late + 1) / 2; n++) {
        size_t latest = SIZE_MAX;
        for (size_t host = 0; host < chooser->staging->fleet->n_hosts; host++)
            if (chooser->chosen.off[host] && chooser->hosts[host].may_change &&
                (latest == SIZE_MAX || off_at_ms(chooser, host) > off_at_ms(chooser, latest)))
                latest = host;
        chooser->hosts[latest].may_change = false;
    }
    chooser->is_late = chooser->is_late || n_late > 0;
    return n_late > 0;
}

/* One choice and its answer; `*again_out` where it has to be made anew. */
static enum dc_status choose_once(struct chooser *chooser, bool *again_out, struct dc_error *err) {
    *again_out = false;
    consolidate_result_dispose(&chooser->chosen);
    plan_doc_dispose(&chooser->answer);
    enum dc_status rc = consolidate(&chooser->question.problem, &chooser->options, &chooser->chosen, err);
    if (rc != DC_OK || chooser->chosen.n_off == 0)
        return rc;
    const bool evacuates = moves_only_from_emptied(chooser);
    rc = ask(chooser, evacuates, err);
    if (rc == DC_OK && evacuates && !plan_doc_is_whole(&chooser->answer)) /* the choice's own places are known to fit */
        rc = ask(chooser, false, err);
    if (rc == DC_OK && !plan_doc_is_whole(&chooser->answer))
        *again_out =
            staging_pin_left(chooser->staging, &chooser->answer, chooser->chosen.to, &chooser->question.problem) > 0;
    else if (rc == DC_OK)
        *again_out = drop_late(chooser);
    chooser->time_limit_ms *= next_limit_frac;
    return rc;
}

static enum dc_status add_boots(struct chooser *chooser, struct dc_error *err) {
    struct staging *staging = chooser->staging;
    enum dc_status rc = DC_OK;
    for (size_t host = 0; rc == DC_OK && host < staging->fleet->n_hosts; host++) {
        struct plan_step *step = NULL;
        if (!chooser->chosen.booted[host])
            continue;
        rc = staging_add_host_step(staging, PLAN_BOOT, host, 0, &step, err);
        if (rc == DC_OK)
            rc = staging_block(staging, step->id, err);
    }
    staging->now_ms[0] = staging->now_ms[1] = staging->bound_ms = chooser->boot_ms;
    return rc;
}

/* A host goes off when its own VMs are gone. */
static enum dc_status add_shutdown(struct chooser *chooser, size_t host, double *least_ms, struct dc_error *err) {
    struct staging *staging = chooser->staging;
    struct plan *plan = staging->plan;
    const char *name = staging->fleet->hosts[host].name;
    struct plan_step *step = NULL;
    const enum dc_status rc = staging_add_shutdown(staging, host, 0, 0, &step, err);
    if (rc != DC_OK)
        return rc;
    if (step->n_after > 0)
        *least_ms = fmin(*least_ms, step->end_ms - step->start_ms);
    plan->hosts_off[plan->n_hosts_off] = strdup(name);
    return plan->hosts_off[plan->n_hosts_off++] != NULL ? DC_OK : error_set_nomem(err);
}

/* Does a shutdown follow whichever migration ends last? Not one that leaves a host where a VM was parked. */
static bool leaves_only_emptied(const struct chooser *chooser) {
    const struct plan *plan = chooser->staging->plan;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const long from = fleet_doc_find_host(chooser->staging->fleet, plan->steps[i].from);
        if (plan->steps[i].action == PLAN_MIGRATE && (from == FLEET_NO_INDEX || !chooser->chosen.off[from]))
            return false;
    }
    return true;
}

static enum dc_status take_answer(struct chooser *chooser, struct dc_error *err) {
    struct staging *staging = chooser->staging;
    double least_ms = INFINITY;
    staging->plan->hosts_off = calloc(chooser->chosen.n_off + 1, sizeof(*staging->plan->hosts_off));
    if (staging->plan->hosts_off == NULL)
        return error_set_nomem(err);
    if (chooser->chosen.n_off == 0)
        return DC_OK;
    enum dc_status rc = add_boots(chooser, err);
    if (rc == DC_OK)
        rc = staging_take(staging, chooser->asked, &chooser->answer, err);
    for (size_t host = 0; rc == DC_OK && host < staging->fleet->n_hosts; host++)
        if (chooser->chosen.off[host])
            rc = add_shutdown(chooser, host, &least_ms, err);
    if (isfinite(least_ms) && leaves_only_emptied(chooser))
        staging->bound_ms += least_ms;
    return rc;
}

static enum dc_status describe(struct chooser *chooser, struct dc_error *err) {
    struct plan *plan = chooser->staging->plan;
    const struct consolidate_result *chosen = &chooser->chosen;
    size_t n_booted = 0;
    for (size_t i = 0; i < chooser->staging->fleet->n_hosts; i++)
        n_booted += chosen->booted[i];
    const json_int_t n_before = (json_int_t)(chosen->n_on + chosen->n_off - n_booted);
    json_decref(plan->choice);
    plan->choice =
        json_pack("{s:I, s:I, s:I, s:b}", "hosts_on_before", n_before, "hosts_on_after", (json_int_t)chosen->n_on,
                  "hosts_on_at_least", (json_int_t)chosen->least_on, "proved", (int)chosen->proved);
    if (plan->choice == NULL)
        return error_set_nomem(err);
    if (!plan_energy_is_known(chooser->staging->fleet))
        return DC_OK;
    struct plan_energy energy;
    const enum dc_status rc = plan_energy_of(plan, chooser->staging->fleet, &energy, err);
    if (rc != DC_OK)
        return rc;
    plan->energy = plan_energy_json(&energy);
    return plan->energy != NULL ? DC_OK : error_set_nomem(err);
}

/* What was asked for and cannot be had. */
static enum dc_status judge(struct chooser *chooser, bool *whole_out, struct dc_error *err) {
    struct staging *staging = chooser->staging;
    const unsigned wanted = staging->goal->choice.power_off;
    const size_t n_off = chooser->chosen.n_off;
    *whole_out = n_off >= wanted;
    if (!*whole_out) {
        const enum dc_status rc =
            staging_conflict(staging, err, "%zu of %u hosts can be emptied and switched off%s", n_off, wanted,
                             chooser->is_late ? " in the time given" : ": the others' VMs find no room");
        if (rc != DC_OK || n_off == 0)
            return rc;
        json_t *last = json_array_get(staging->plan->conflicts, json_array_size(staging->plan->conflicts) - 1);
        json_t *relax = json_pack("{s:s, s:I}", "change", "power_off", "to", (json_int_t)n_off);
        return json_array_append_new(json_object_get(last, "relax"), relax) == 0 ? DC_OK : error_set_nomem(err);
    }
    if (!chooser->is_late)
        return DC_OK;
    char limit[UNITS_TEXT_BYTES];
    return staging_warn(staging, err, "more hosts could be emptied than in %s",
                        units_format_duration(chooser->limit_ms, limit, sizeof(limit)));
}

static bool is_best(const struct chooser *chooser) {
    const bool fewest = chooser->options.objective == CONSOLIDATE_FEWEST;
    return !chooser->is_late &&
           (chooser->chosen.proved || (fewest && chooser->chosen.n_on == chooser->chosen.least_on));
}

static enum dc_status run(struct chooser *chooser, struct dc_error *err) {
    bool again = true, whole = false;
    enum dc_status rc = start(chooser, err);
    if (rc == DC_OK)
        drop_slow_hosts(chooser);
    for (unsigned round = 0; rc == DC_OK && again && round < MAX_ROUNDS; round++)
        rc = choose_once(chooser, &again, err);
    if (rc == DC_OK && again) { /* no choice held: none is made */
        for (size_t i = 0; i < chooser->staging->fleet->n_hosts; i++)
            chooser->hosts[i].may_change = false;
        rc = choose_once(chooser, &again, err);
    }
    if (rc == DC_OK)
        rc = take_answer(chooser, err);
    if (rc == DC_OK)
        rc = describe(chooser, err);
    if (rc == DC_OK)
        rc = judge(chooser, &whole, err);
    return rc == DC_OK ? staging_finish(chooser->staging, whole, is_best(chooser), err) : rc;
}

enum dc_status choose_consolidate(struct staging *staging, struct dc_error *err) {
    struct chooser chooser = {.staging = staging};
    const enum dc_status rc = run(&chooser, err);
    chooser_dispose(&chooser);
    return rc;
}
