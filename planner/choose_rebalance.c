/*
 * Fewest moves so that no host is loaded beyond the shares asked for. The choice is
 * asked as a schedule; what cannot go is chosen anew without it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/choose.h"
#include "planner/question.h"
#include "solver/rebalance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double first_limit_frac = 0.5; /* of the time limit; each further round has half of the one before */
static const double milp_time_s = 2;        /* a cut-off; the node limit comes first */
enum { MAX_ROUNDS = 5 };

struct rebalancer {
    struct staging *staging;
    struct question question; /* of the choice */
    struct rebalance_options options;
    struct rebalance_result chosen;
    double time_limit_ms;
    json_t *asked;
    struct plan answer;
};

static enum dc_status ask(struct rebalancer *rebalancer, struct dc_error *err) {
    json_decref(rebalancer->asked);
    plan_doc_dispose(&rebalancer->answer);
    rebalancer->asked = staging_question(rebalancer->staging, GOAL_SCHEDULE, rebalancer->time_limit_ms);
    if (rebalancer->asked == NULL || !staging_add_moves(rebalancer->staging, rebalancer->asked, rebalancer->chosen.to))
        return error_set_nomem(err);
    return staging_ask(rebalancer->staging, rebalancer->asked, &rebalancer->answer, err);
}

static enum dc_status choose_once(struct rebalancer *rebalancer, bool *again_out, struct dc_error *err) {
    *again_out = false;
    rebalance_result_dispose(&rebalancer->chosen);
    enum dc_status rc = rebalance(&rebalancer->question.problem, &rebalancer->options, &rebalancer->chosen, err);
    if (rc != DC_OK || rebalancer->chosen.n_moves == 0)
        return rc;
    rc = ask(rebalancer, err);
    if (rc == DC_OK && !plan_doc_is_whole(&rebalancer->answer)) {
        (void)staging_pin_left(rebalancer->staging, &rebalancer->answer, rebalancer->chosen.to,
                               &rebalancer->question.problem);
        *again_out = true;
    }
    rebalancer->time_limit_ms /= 2;
    return rc;
}

static double cores_frac(const struct problem_host *host, double used_cores) {
    return host->cpu_cores > 0 ? used_cores / host->cpu_cores : 0;
}

static double memory_frac(const struct problem_host *host, double used_bytes) {
    return host->memory_bytes > 0 ? used_bytes / host->memory_bytes : 0;
}

/* Loads before ([0]) and after the moves ([1]), per host. */
struct loads {
    double *bytes[2], *cores[2];
};

static bool loads_init(struct loads *loads, const struct rebalancer *rebalancer) {
    const struct problem *problem = &rebalancer->question.problem;
    bool ok = true;
    for (int end = 0; end < 2; end++) {
        loads->bytes[end] = calloc(problem->n_hosts + 1, sizeof(double));
        loads->cores[end] = calloc(problem->n_hosts + 1, sizeof(double));
        ok = ok && loads->bytes[end] != NULL && loads->cores[end] != NULL;
    }
    for (size_t vm = 0; ok && vm < problem->n_vms; vm++) {
        const size_t hosts[] = {problem->vms[vm].host, rebalancer->chosen.to[vm]};
        for (int end = 0; end < 2; end++) {
            loads->bytes[end][hosts[end]] += problem->vms[vm].memory_bytes;
            loads->cores[end][hosts[end]] += problem->vms[vm].cpu_cores;
        }
    }
    return ok;
}

static void loads_dispose(struct loads *loads) {
    for (int end = 0; end < 2; end++) {
        free(loads->bytes[end]);
        free(loads->cores[end]);
    }
}

/* Hosts whose load changes, or that are over: the gain. */
static json_t *hosts_json(const struct rebalancer *rebalancer, const struct loads *loads) {
    const struct problem *problem = &rebalancer->question.problem;
    json_t *hosts = json_array();
    bool ok = hosts != NULL;
    for (size_t i = 0; ok && i < problem->n_hosts; i++) {
        const struct problem_host *host = &problem->hosts[i];
        const bool changes = fabs(loads->bytes[0][i] - loads->bytes[1][i]) > 0.5;
        if (!changes && rebalance_excess_frac(host, &rebalancer->options, loads->bytes[1][i], loads->cores[1][i]) <= 0)
            continue;
        json_t *entry = json_pack(
            "{s:s, s:{s:f, s:f}, s:{s:f, s:f}}", "host", rebalancer->staging->fleet->hosts[i].name, "memory_frac",
            "before", memory_frac(host, loads->bytes[0][i]), "after", memory_frac(host, loads->bytes[1][i]), "cpu_frac",
            "before", cores_frac(host, loads->cores[0][i]), "after", cores_frac(host, loads->cores[1][i]));
        ok = json_array_append_new(hosts, entry) == 0;
    }
    if (ok)
        return hosts;
    json_decref(hosts);
    return NULL;
}

static enum dc_status say_over(struct rebalancer *rebalancer, size_t host, const struct loads *loads,
                               struct dc_error *err) {
    const struct problem_host *it = &rebalancer->question.problem.hosts[host];
    const double memory = memory_frac(it, loads->bytes[1][host]), cores = cores_frac(it, loads->cores[1][host]);
    const bool is_memory = memory > rebalancer->options.max_memory_frac;
    const bool is_cores = cores > rebalancer->options.max_cpu_frac;
    char what[100] = "";
    if (is_memory)
        (void)snprintf(what, sizeof(what), "%.1f %% of its memory (at most %.1f %% were asked for)", 100 * memory,
                       100 * rebalancer->options.max_memory_frac);
    if (is_cores)
        (void)snprintf(what + strlen(what), sizeof(what) - strlen(what), "%s%.1f %% of its cores (at most %.1f %%)",
                       is_memory ? " and " : "", 100 * cores, 100 * rebalancer->options.max_cpu_frac);
    return staging_conflict(rebalancer->staging, err,
                            "host %s stays at %s: none of its VMs that may move finds room within the limits elsewhere",
                            rebalancer->staging->fleet->hosts[host].name, what);
}

static enum dc_status describe(struct rebalancer *rebalancer, struct dc_error *err) {
    struct plan *plan = rebalancer->staging->plan;
    const struct rebalance_result *chosen = &rebalancer->chosen;
    struct loads loads = {0};
    json_t *hosts = NULL;
    enum dc_status rc = DC_ENOMEM;
    if (loads_init(&loads, rebalancer))
        hosts = hosts_json(rebalancer, &loads);
    json_decref(plan->choice);
    plan->choice = NULL;
    if (hosts != NULL)
        plan->choice =
            json_pack("{s:I, s:I, s:f, s:f, s:b, s:o}", "moves", (json_int_t)chosen->n_moves, "moves_at_least",
                      (json_int_t)chosen->least_moves, "max_memory_frac", rebalancer->options.max_memory_frac,
                      "max_cpu_frac", rebalancer->options.max_cpu_frac, "proved", (int)chosen->proved, "hosts", hosts);
    if (plan->choice != NULL)
        rc = DC_OK;
    else
        (void)error_set_nomem(err);
    for (size_t host = 0; rc == DC_OK && host < rebalancer->question.problem.n_hosts; host++)
        if (rebalance_excess_frac(&rebalancer->question.problem.hosts[host], &rebalancer->options, loads.bytes[1][host],
                                  loads.cores[1][host]) > 0)
            rc = say_over(rebalancer, host, &loads, err);
    loads_dispose(&loads);
    return rc;
}

static enum dc_status run(struct rebalancer *rebalancer, struct dc_error *err) {
    struct staging *staging = rebalancer->staging;
    const struct goal_choice *choice = &staging->goal->choice;
    bool again = true;
    rebalancer->options = (struct rebalance_options){
        .max_memory_frac = goal_choice_memory_frac(choice),
        .max_cpu_frac = goal_choice_cpu_frac(choice),
        .limits = {.time_s = fmin(milp_time_s, first_limit_frac * staging->goal->time_limit_ms / 1e3),
                   .cancel = staging->options != NULL ? staging->options->cancel : NULL},
    };
    rebalancer->time_limit_ms = first_limit_frac * staging->goal->time_limit_ms;
    enum dc_status rc = question_init(staging->fleet, staging->goal, &rebalancer->question, err);
    for (unsigned round = 0; rc == DC_OK && again && round < MAX_ROUNDS; round++)
        rc = choose_once(rebalancer, &again, err);
    if (rc == DC_OK && again) { /* no choice held: none is made */
        for (size_t vm = 0; vm < rebalancer->question.problem.n_vms; vm++)
            rebalancer->question.problem.vms[vm].moves = false;
        rc = choose_once(rebalancer, &again, err);
    }
    if (rc == DC_OK && rebalancer->chosen.n_moves > 0)
        rc = staging_take(staging, rebalancer->asked, &rebalancer->answer, err);
    if (rc == DC_OK)
        rc = describe(rebalancer, err);
    if (rc != DC_OK)
        return rc;
    return staging_finish(staging, rebalancer->chosen.excess_frac <= 0, rebalancer->chosen.proved, err);
}

enum dc_status choose_rebalance(struct staging *staging, struct dc_error *err) {
    struct rebalancer rebalancer = {.staging = staging};
    const enum dc_status rc = run(&rebalancer, err);
    rebalance_result_dispose(&rebalancer.chosen);
    question_dispose(&rebalancer.question);
    json_decref(rebalancer.asked);
    plan_doc_dispose(&rebalancer.answer);
    return rc;
}
