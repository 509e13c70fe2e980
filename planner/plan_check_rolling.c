/*
 * Rolling maintenance, checked from the steps alone: every host asked for goes off
 * once and is on again after its maintenance, no more are away together than allowed, VMs are back
 * where that was asked for, and the figures of the plan's choice are what the steps make them.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_check_stage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double rounding_ms = 2;

/* What the steps do with one host. */
struct turn {
    bool is_asked;
    size_t n_off, n_on;
    double off_ms; /* its shutdown begins; INFINITY: never */
    double idle_ms, boot_ms, on_ms;
};

static void read_turns(const struct plan_staged *staged, struct turn *turns) {
    const struct fleet *fleet = staged->fleet;
    const struct goal *goal = staged->goal;
    for (size_t host = 0; host < fleet->n_hosts; host++) {
        turns[host] = (struct turn){.is_asked = goal->choice.all && fleet->hosts[host].state == FLEET_HOST_ON &&
                                                fleet->hosts[host].freshness != FLEET_STALE &&
                                                fleet->hosts[host].freshness != FLEET_LOST,
                                    .off_ms = INFINITY};
        for (size_t i = 0; i < goal->n_hosts; i++)
            turns[host].is_asked = turns[host].is_asked || strcmp(goal->hosts[i], fleet->hosts[host].name) == 0;
    }
    for (size_t i = 0; i < staged->plan->n_steps; i++) {
        const struct plan_step *step = &staged->plan->steps[i];
        const bool boots = step->action == PLAN_BOOT;
        const long host = fleet_doc_find_host(fleet, boots ? step->to : step->from);
        if (host == FLEET_NO_INDEX || (!boots && step->action != PLAN_SHUTDOWN))
            continue;
        struct turn *turn = &turns[host];
        if (boots) {
            turn->n_on++;
            turn->boot_ms = step->start_ms;
            turn->on_ms = step->end_ms;
        } else {
            turn->n_off++;
            turn->off_ms = step->start_ms;
            turn->idle_ms = step->end_ms;
        }
    }
}

static enum dc_status check_turn(const struct plan_staged *staged, const struct turn *turn, const char *name,
                                 struct dc_error *err) {
    const double maintenance_ms = staged->goal->choice.maintenance_ms;
    if (turn->n_off != turn->n_on || turn->n_off > 1)
        return plan_check_say(staged->violations, err, "host %s: goes off %zu times and on %zu times, not once", name,
                              turn->n_off, turn->n_on);
    if (turn->n_off > 0 && !turn->is_asked)
        return plan_check_say(staged->violations, err, "host %s: goes off, which was not asked for", name);
    if (turn->n_off == 0 && turn->is_asked && plan_doc_is_whole(staged->plan))
        return plan_check_say(staged->violations, err, "host %s: does not get its turn", name);
    if (turn->n_off > 0 && turn->boot_ms < turn->idle_ms + maintenance_ms - rounding_ms)
        return plan_check_say(staged->violations, err, "host %s: is off for %.0f ms, its maintenance takes %.0f", name,
                              turn->boot_ms - turn->idle_ms, maintenance_ms);
    return DC_OK;
}

/* Most hosts that are away at any time: as one of them goes. */
static enum dc_status check_at_once(const struct plan_staged *staged, const struct turn *turns, struct dc_error *err) {
    const size_t n_hosts = staged->fleet->n_hosts;
    const unsigned at_once = staged->goal->choice.at_once;
    for (size_t host = 0; at_once > 0 && host < n_hosts; host++) {
        size_t n_away = 0;
        if (turns[host].n_off == 0)
            continue;
        for (size_t other = 0; other < n_hosts; other++)
            n_away += turns[other].n_off > 0 && turns[other].off_ms <= turns[host].off_ms &&
                      turns[other].on_ms > turns[host].off_ms + rounding_ms;
        if (n_away > at_once)
            return plan_check_say(staged->violations, err, "host %s: %zu hosts are away with it, at most %u may be",
                                  staged->fleet->hosts[host].name, n_away, at_once);
    }
    return DC_OK;
}

/* In the end each VM is at home. */
static enum dc_status check_return(const struct plan_staged *staged, struct dc_error *err) {
    if (!staged->goal->choice.returns || !plan_doc_is_whole(staged->plan))
        return DC_OK;
    for (size_t i = 0; i < staged->n_stays; i++) {
        const struct plan_stay *stay = &staged->stays[i];
        const struct fleet_vm *vm = &staged->fleet->vms[stay->vm];
        if (isinf(stay->to_ms) && stay->to_ms > 0 && stay->host != vm->host)
            return plan_check_say(staged->violations, err, "VM %s: ends on host %s, not at home on %s", vm->name,
                                  staged->fleet->hosts[stay->host].name, staged->fleet->hosts[vm->host].name);
    }
    return DC_OK;
}

static double number_at(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static enum dc_status check_entry(const struct plan_staged *staged, const struct turn *turns, size_t index,
                                  struct dc_error *err) {
    const json_t *entry = json_array_get(json_object_get(staged->plan->choice, "hosts"), index);
    const char *name = json_string_value(json_object_get(entry, "host"));
    const long host = name != NULL ? fleet_doc_find_host(staged->fleet, name) : FLEET_NO_INDEX;
    if (host == FLEET_NO_INDEX || turns[host].n_off == 0 ||
        fabs(number_at(entry, "off_ms") - turns[host].off_ms) > rounding_ms ||
        fabs(number_at(entry, "on_ms") - turns[host].on_ms) > rounding_ms)
        return plan_check_say(staged->violations, err, "choice.hosts[%zu]: not what the steps do", index);
    return DC_OK;
}

/* Stages that hosts go off after. */
static size_t count_groups(const struct plan_staged *staged) {
    size_t n = 0;
    for (size_t i = 0; i < staged->n_stages; i++) {
        const size_t end = i + 1 < staged->n_stages ? staged->stages[i + 1].first_step : staged->plan->n_steps;
        bool goes_off = false;
        for (size_t k = staged->stages[i].first_step; k < end; k++)
            goes_off = goes_off || staged->plan->steps[k].action == PLAN_SHUTDOWN;
        n += goes_off;
    }
    return n;
}

/* Migrations to hosts that go later. */
static size_t count_landings(const struct plan_staged *staged, const struct turn *turns) {
    size_t n = 0;
    for (size_t i = staged->fleet->n_vms; i < staged->n_stays; i++) {
        const struct plan_stay *stay = &staged->stays[i];
        const bool goes_home = staged->goal->choice.returns && stay->host == staged->fleet->vms[stay->vm].host;
        n += !goes_home && turns[stay->host].n_off > 0 && turns[stay->host].off_ms > stay->from_ms;
    }
    return n;
}

static enum dc_status check_figures(const struct plan_staged *staged, const struct turn *turns, struct dc_error *err) {
    const json_t *choice = staged->plan->choice;
    const double n_groups = (double)count_groups(staged), n_landings = (double)count_landings(staged, turns);
    const json_t *landing = json_object_get(choice, "landing");
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < json_array_size(json_object_get(choice, "hosts")); i++)
        rc = check_entry(staged, turns, i, err);
    if (rc == DC_OK && number_at(choice, "groups") != n_groups)
        rc = plan_check_say(staged->violations, err, "choice.groups: the steps make %.0f", n_groups);
    if (rc == DC_OK && plan_doc_is_whole(staged->plan) && number_at(choice, "groups_at_least") > n_groups)
        rc = plan_check_say(staged->violations, err, "choice.groups_at_least: %.0f groups do", n_groups);
    if (rc == DC_OK && plan_doc_is_whole(staged->plan) &&
        number_at(choice, "at_least_ms") > staged->plan->makespan_ms.p95 + rounding_ms)
        rc = plan_check_say(staged->violations, err, "choice.at_least_ms: the plan is done sooner");
    if (rc == DC_OK && plan_doc_is_whole(staged->plan) && number_at(landing, "n") != n_landings)
        rc = plan_check_say(staged->violations, err, "choice.landing.n: the steps make %.0f", n_landings);
    return rc;
}

enum dc_status plan_check_rolling(const struct plan_staged *staged, struct dc_error *err) {
    struct turn *turns = calloc(staged->fleet->n_hosts + 1, sizeof(*turns));
    enum dc_status rc = turns == NULL ? error_set_nomem(err) : DC_OK;
    if (rc == DC_OK)
        read_turns(staged, turns);
    for (size_t host = 0; rc == DC_OK && host < staged->fleet->n_hosts; host++)
        rc = check_turn(staged, &turns[host], staged->fleet->hosts[host].name, err);
    if (rc == DC_OK)
        rc = check_at_once(staged, turns, err);
    if (rc == DC_OK)
        rc = check_return(staged, err);
    if (rc == DC_OK)
        rc = check_figures(staged, turns, err);
    free(turns);
    return rc;
}
