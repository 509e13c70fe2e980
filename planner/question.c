/*
 * Freezes a question: hosts, network, VMs with their costs, rules. Whatever
 * the solver will not see (local disks, stale hosts) is said in a
 * warning: nothing of the fleet is left out in silence.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/question.h"

#include "planner/question_net.h"
#include "planner/question_relax.h"
#include "planner/question_rule.h"
#include "planner/question_vm.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum dc_status question_warn(struct question *question, struct dc_error *err, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (json_array_append_new(question->warnings, json_string(text)) != 0)
        return error_set_nomem(err);
    return DC_OK;
}

void question_dispose(struct question *question) {
    for (size_t i = 0; question->predictions != NULL && i < question->problem.n_vms; i++)
        prediction_dispose(&question->predictions[i]);
    free(question->predictions);
    free(question->emptied);
    free(question->closed);
    free(question->booted);
    free(question->kept);
    for (size_t i = 0; i < question->n_let_go; i++) {
        free(question->let_go[i].vms);
        free(question->let_go[i].hosts);
        free(question->let_go[i].group_end);
    }
    free(question->let_go);
    problem_dispose(&question->problem);
    json_decref(question->warnings);
    json_decref(question->conflicts);
    *question = (struct question){0};
}

static enum dc_status allocate(struct question *question, struct dc_error *err) {
    const struct fleet *fleet = question->fleet;
    struct problem *problem = &question->problem;
    problem->n_hosts = fleet->n_hosts;
    problem->n_vms = fleet->n_vms;
    problem->hosts = calloc(fleet->n_hosts + 1, sizeof(*problem->hosts));
    problem->vms = calloc(fleet->n_vms + 1, sizeof(*problem->vms));
    problem->rules = calloc(fleet->n_rules + 1, sizeof(*problem->rules));
    problem->allowed = calloc(fleet->n_vms + 1, fleet->n_hosts + 1);
    question->predictions = calloc(fleet->n_vms + 1, sizeof(*question->predictions));
    question->emptied = calloc(fleet->n_hosts + 1, sizeof(*question->emptied));
    question->closed = calloc(fleet->n_hosts + 1, sizeof(*question->closed));
    question->booted = calloc(fleet->n_hosts + 1, sizeof(*question->booted));
    question->kept = calloc(fleet->n_vms + 1, sizeof(*question->kept));
    question->let_go = calloc(fleet->n_rules + 1, sizeof(*question->let_go));
    question->warnings = json_array();
    question->conflicts = json_array();
    if (problem->hosts == NULL || problem->vms == NULL || problem->rules == NULL || problem->allowed == NULL ||
        question->predictions == NULL || question->emptied == NULL || question->closed == NULL ||
        question->booted == NULL || question->kept == NULL || question->let_go == NULL || question->warnings == NULL ||
        question->conflicts == NULL)
        return error_set_nomem(err);
    return DC_OK;
}

/* Only what is off can be booted; where hosts may be switched off and on, whatever is off. */
static enum dc_status resolve_boots(struct question *question, struct dc_error *err) {
    const struct fleet *fleet = question->fleet;
    const struct goal *goal = question->goal;
    for (size_t i = 0; i < goal->n_boot; i++) {
        const long host = fleet_doc_find_host(fleet, goal->boot[i]);
        if (host == FLEET_NO_INDEX)
            return error_set(err, DC_ENOTFOUND, "boot: no host is called %s", goal->boot[i]);
        if (fleet->hosts[host].state != FLEET_HOST_OFF)
            return error_set(err, DC_EINVAL, "boot: host %s is not off", goal->boot[i]);
        question->booted[host] = true;
    }
    if (goal->kind != GOAL_CONSOLIDATE)
        return DC_OK;
    for (size_t host = 0; host < fleet->n_hosts; host++)
        question->booted[host] = fleet->hosts[host].state == FLEET_HOST_OFF;
    question_rule_limit_boots(question);
    return DC_OK;
}

/* Names of the goal to indices. An excluded name is a host or else a VM. */
static enum dc_status resolve_names(struct question *question, struct dc_error *err) {
    const struct fleet *fleet = question->fleet;
    const struct goal *goal = question->goal;
    for (size_t i = 0; i < goal->n_hosts; i++) {
        const long host = fleet_doc_find_host(fleet, goal->hosts[i]);
        if (host == FLEET_NO_INDEX)
            return error_set(err, DC_ENOTFOUND, "no host is called %s", goal->hosts[i]);
        question->emptied[host] = goal->kind == GOAL_EVACUATE;
    }
    for (size_t i = 0; i < goal->n_exclude; i++) {
        const long host = fleet_doc_find_host(fleet, goal->exclude[i]);
        const long vm = fleet_doc_find_vm(fleet, goal->exclude[i]);
        if (host == FLEET_NO_INDEX && vm == FLEET_NO_INDEX)
            return error_set(err, DC_ENOTFOUND, "exclude: no host and no VM (by uuid or unique name) is called %s",
                             goal->exclude[i]);
        if (host != FLEET_NO_INDEX)
            question->closed[host] = true;
        else
            question->kept[vm] = true;
    }
    return DC_OK;
}

static bool too_old(const struct fleet_host *host) {
    return host->freshness == FLEET_STALE || host->freshness == FLEET_LOST;
}

static enum dc_status build_hosts(struct question *question, struct dc_error *err) {
    for (size_t i = 0; i < question->fleet->n_hosts; i++) {
        const struct fleet_host *host = &question->fleet->hosts[i];
        question->problem.hosts[i] = (struct problem_host){
            .memory_bytes = fmax(0, host->memory_bytes - host->reserved_memory_bytes),
            .cpu_cores = host->cpus,
            .max_migrations = host->max_migrations,
            .receives = (host->state == FLEET_HOST_ON || question->booted[i]) && !question->emptied[i] &&
                        !question->closed[i] && !too_old(host),
        };
        if (question->emptied[i] && too_old(host))
            return error_set(err, DC_ESTALE, "the data of host %s is %s: what runs on it is not known", host->name,
                             fleet_doc_freshness_text(host->freshness));
        if (!question->emptied[i] && too_old(host) && host->state == FLEET_HOST_ON) {
            const enum dc_status rc = question_warn(question, err, "the data of host %s is %s: it receives nothing",
                                                    host->name, fleet_doc_freshness_text(host->freshness));
            if (rc != DC_OK)
                return rc;
        }
    }
    return DC_OK;
}

/* Where a choice is open: all VMs whose host is on and known well enough. */
static bool may_choose(const struct question *question, const struct fleet_host *host) {
    return goal_is_choice(question->goal) && host->state == FLEET_HOST_ON && !too_old(host);
}

/* Marks what moves: all VMs of the hosts to empty, or those of the list. */
static enum dc_status mark_moves(struct question *question, struct dc_error *err) {
    const struct fleet *fleet = question->fleet;
    const struct moves *moves = &question->goal->moves;
    for (size_t i = 0; i < fleet->n_vms; i++) {
        const size_t home = fleet->vms[i].host;
        question->problem.vms[i].moves = question->emptied[home] || may_choose(question, &fleet->hosts[home]);
        question->problem.vms[i].to = PROBLEM_ANY;
    }
    for (size_t i = 0; i < moves->n_moves; i++) {
        const long vm = fleet_doc_find_vm(fleet, moves->moves[i].vm);
        const long host = fleet_doc_find_host(fleet, moves->moves[i].to);
        if (vm == FLEET_NO_INDEX)
            return error_set(err, DC_ENOTFOUND, "moves[%zu].vm: no VM (by uuid or unique name) is called %s", i,
                             moves->moves[i].vm);
        if (host == FLEET_NO_INDEX)
            return error_set(err, DC_ENOTFOUND, "moves[%zu].to: no host is called %s", i, moves->moves[i].to);
        /* The document's reader sees a name that stands twice, not a name and its uuid. */
        if (question->problem.vms[vm].moves)
            return error_set(err, DC_EINVAL, "moves[%zu].vm: VM %s has a move already", i, moves->moves[i].vm);
        const struct fleet_host *from = &fleet->hosts[fleet->vms[vm].host];
        if (too_old(from))
            return error_set(err, DC_ESTALE, "the data of host %s is %s: whether VM %s still runs on it is not known",
                             from->name, fleet_doc_freshness_text(from->freshness), moves->moves[i].vm);
        question->problem.vms[vm].moves = true;
        question->problem.vms[vm].to = host;
    }
    return DC_OK;
}

static enum dc_status build(struct question *question, struct dc_error *err) {
    struct problem *problem = &question->problem;
    const struct goal *goal = question->goal;
    problem->deadline_s = goal->deadline_ms > 0 ? goal->deadline_ms / 1e3 : INFINITY;
    problem->max_parallel = goal->max_parallel;
    problem->risk_frac = goal->risk_frac;
    enum dc_status rc = resolve_names(question, err);
    if (rc == DC_OK)
        rc = resolve_boots(question, err);
    if (rc == DC_OK)
        rc = build_hosts(question, err);
    if (rc == DC_OK)
        rc = question_net_build(question, err);
    if (rc == DC_OK)
        rc = question_relax_hosts(question, err);
    if (rc == DC_OK)
        rc = mark_moves(question, err);
    if (rc == DC_OK)
        rc = question_vm_build(question, err);
    if (rc == DC_OK)
        rc = question_relax_vms(question, err);
    if (rc == DC_OK)
        rc = question_rule_build(question, err);
    return rc == DC_OK ? problem_freeze(problem, err) : rc;
}

enum dc_status question_init(const struct fleet *fleet, const struct goal *goal, struct question *question_out,
                             struct dc_error *err) {
    *question_out = (struct question){.fleet = fleet, .goal = goal};
    enum dc_status rc = allocate(question_out, err);
    if (rc == DC_OK)
        rc = build(question_out, err);
    if (rc != DC_OK)
        question_dispose(question_out);
    return rc;
}
