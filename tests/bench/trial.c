/* A process each, so that one instance's memory is not counted for the next. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/trial.h"

#include "base/clock.h"
#include "solver/consolidate.h"
#include "solver/solve.h"
#include "solver/verify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double cpu_clock_s(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double peak_bytes(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? 1024.0 * (double)usage.ru_maxrss : 0;
}

/* Fewest hosts on. Making the costs of those that move, which a planner knows before, is not timed. */
static enum dc_status choose(uint64_t seed, struct problem *problem, struct trial *trial, struct dc_error *err) {
    struct consolidate_result chosen = {0};
    struct consolidate_host *hosts = calloc(problem->n_hosts + 1, sizeof(*hosts));
    if (hosts == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < problem->n_hosts; i++)
        hosts[i] = (struct consolidate_host){.is_on = true, .may_change = true};
    const struct consolidate_options options = {.objective = CONSOLIDATE_FEWEST, .hosts = hosts, .seed = seed};
    const double begin_s = clock_monotonic_s(), begin_cpu_s = cpu_clock_s();
    enum dc_status rc = consolidate(problem, &options, &chosen, err);
    trial->choose_s = trial->wall_s = clock_monotonic_s() - begin_s;
    trial->cpu_s = cpu_clock_s() - begin_cpu_s;
    if (rc == DC_OK)
        rc = family_settle(seed, chosen.to, chosen.off, problem, err);
    consolidate_result_dispose(&chosen);
    free(hosts);
    return rc;
}

static void judge(const struct problem *problem, const struct solution *solution, struct trial *trial) {
    struct verification verification = {0};
    struct dc_error err = DC_ERROR_NONE;
    trial->status = solution->status;
    trial->bound_kind = solution->bound.kind;
    trial->makespan_s = solution->makespan_s[PROBLEM_P95];
    trial->bound_s = solution->bound.value_s;
    trial->gap_frac = solution->gap_frac;
    trial->n_steps = solution->n_steps;
    for (size_t i = 0; i < solution->n_steps; i++)
        trial->n_hops += solution->steps[i].hop;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        trial->n_movers += problem->vms[vm].moves;
        trial->n_with_budget += problem->vms[vm].moves && isfinite(problem->vms[vm].downtime_budget_s);
    }
    trial->n_left_out = trial->n_movers - (trial->n_steps - trial->n_hops);
    const enum dc_status rc = verify(problem, solution, solution->status == SOLUTION_PARTIAL, &verification, &err);
    if (rc != DC_OK)
        (void)snprintf(trial->failure, sizeof(trial->failure), "not verified: %s", error_text(&err));
    else if (verification.n_violations > 0)
        (void)snprintf(
            trial->failure, sizeof(trial->failure), "the plan breaks: %s (step %ld, %g against %g), and %zu more",
            verify_kind_text(verification.violations[0].kind), verification.violations[0].step,
            verification.violations[0].value, verification.violations[0].limit, verification.n_violations - 1);
    verification_dispose(&verification);
}

/* To where the question or else the plan brings each VM. */
static enum dc_status run_rivals(const struct problem *problem, const struct solution *solution, struct trial *trial,
                                 struct dc_error *err) {
    size_t *to = calloc(problem->n_vms + 1, sizeof(*to));
    if (to == NULL)
        return error_set_nomem(err);
    enum dc_status rc = DC_OK;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        to[vm] = problem->vms[vm].to != PROBLEM_ANY ? (size_t)problem->vms[vm].to : problem->vms[vm].host;
    for (size_t i = 0; i < solution->n_steps; i++)
        if (!solution->steps[i].hop)
            to[solution->steps[i].vm] = solution->steps[i].to;
    for (size_t i = 0; rc == DC_OK && i < RIVALS; i++)
        rc = rival_run(problem, to, &rivals[i], &trial->rivals[i], err);
    free(to);
    trial->has_rivals = rc == DC_OK;
    return rc;
}

static void run(const struct family *family, uint64_t seed, bool with_rivals, struct trial *trial) {
    struct problem problem = {0};
    struct solution solution = {0};
    struct dc_error err = DC_ERROR_NONE;
    const struct solve_options options = {.seed = seed};
    enum dc_status rc = family_make(family, seed, &problem, &err);
    if (rc == DC_OK && family->kind == FAMILY_CONSOLIDATION)
        rc = choose(seed, &problem, trial, &err);
    const double begin_s = clock_monotonic_s(), begin_cpu_s = cpu_clock_s();
    if (rc == DC_OK)
        rc = solve(&problem, &options, &solution, &err);
    trial->wall_s += clock_monotonic_s() - begin_s;
    trial->cpu_s += cpu_clock_s() - begin_cpu_s;
    trial->peak_bytes = peak_bytes();
    if (rc == DC_OK)
        judge(&problem, &solution, trial);
    if (rc == DC_OK && with_rivals)
        rc = run_rivals(&problem, &solution, trial, &err);
    if (rc != DC_OK)
        (void)snprintf(trial->failure, sizeof(trial->failure), "%s", error_text(&err));
    solution_dispose(&solution);
    problem_dispose(&problem);
}

static void say(struct trial *trial, const char *what) {
    memset(trial, 0, sizeof(*trial));
    (void)snprintf(trial->failure, sizeof(trial->failure), "%s", what);
}

void trial_run(const struct family *family, uint64_t seed, bool with_rivals, struct trial *trial_out) {
    int ends[2];
    memset(trial_out, 0, sizeof(*trial_out));
    if (pipe(ends) != 0) {
        say(trial_out, "no pipe");
        return;
    }
    (void)fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        run(family, seed, with_rivals, trial_out);
        const bool ok = write(ends[1], trial_out, sizeof(*trial_out)) == (ssize_t)sizeof(*trial_out);
        _exit(ok ? 0 : 1);
    }
    (void)close(ends[1]);
    int status = 0;
    if (pid < 0 || read(ends[0], trial_out, sizeof(*trial_out)) != (ssize_t)sizeof(*trial_out))
        say(trial_out, "the planning process ended without a word");
    (void)close(ends[0]);
    if (pid > 0)
        (void)waitpid(pid, &status, 0);
}
