/* Sets of rules are tried by quick answers: how many VMs move is decided long before the last second is. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/soft_rule.h"

#include "base/clock.h"
#include "solver/verify.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_EXACT = 6 }; /* soft rules of which all sets are tried */

static const double least_try_s = 0.01;

struct softener {
    const struct fleet *fleet;
    const struct goal *goal;
    const struct solve_options *options;
    double end_s;
    size_t n_soft;
    size_t *soft; /* numbers of the soft rules that count */
    bool *let_go; /* per soft rule */
    size_t *names;
};

void soft_rule_set_dispose(struct soft_rule_set *set) {
    free(set->rules);
    *set = (struct soft_rule_set){0};
}

size_t soft_rule_n_moved(const struct solution *solution) {
    size_t n = 0;
    for (size_t i = 0; i < solution->n_steps; i++)
        n += !solution->steps[i].hop;
    return n;
}

static bool is_over(const struct softener *softener) {
    return clock_monotonic_s() >= softener->end_s ||
           (softener->options != NULL && softener->options->cancel != NULL && atomic_load(softener->options->cancel));
}

/* How many VMs move without the rules that `let_go` marks. */
static enum dc_status count_moved(struct softener *softener, const bool *let_go, size_t *n_out, struct dc_error *err) {
    struct goal goal = *softener->goal;
    struct question question;
    struct solution solution = {0};
    struct solve_options options = softener->options != NULL ? *softener->options : (struct solve_options){0};
    goal.n_let_go = 0;
    for (size_t i = 0; i < softener->n_soft; i++)
        if (let_go[i])
            softener->names[goal.n_let_go++] = softener->soft[i];
    goal.let_go = softener->names;
    *n_out = 0;
    enum dc_status rc = question_init(softener->fleet, &goal, &question, err);
    if (rc != DC_OK)
        return rc;
    options.is_quick = true;
    options.on_progress = NULL;
    options.seed = goal.seed;
    options.time_limit_s = fmax(least_try_s, softener->end_s - clock_monotonic_s());
    rc = solve(&question.problem, &options, &solution, err);
    if (rc == DC_OK)
        *n_out = soft_rule_n_moved(&solution);
    solution_dispose(&solution);
    question_dispose(&question);
    return rc;
}

/* The smallest sets first; within a size in the order of the document. */
static enum dc_status try_all_sets(struct softener *softener, size_t n_wanted, struct dc_error *err) {
    bool let_go[MOST_EXACT];
    for (size_t size = 1; size < softener->n_soft; size++) {
        for (unsigned mask = 1; mask < 1u << softener->n_soft; mask++) {
            size_t n_moved = 0;
            if ((size_t)__builtin_popcount(mask) != size)
                continue;
            if (is_over(softener))
                return DC_OK;
            for (size_t i = 0; i < softener->n_soft; i++)
                let_go[i] = (mask >> i & 1) != 0;
            const enum dc_status rc = count_moved(softener, let_go, &n_moved, err);
            if (rc != DC_OK)
                return rc;
            if (n_moved < n_wanted)
                continue;
            memcpy(softener->let_go, let_go, softener->n_soft * sizeof(*let_go));
            return DC_OK;
        }
    }
    return DC_OK;
}

/* One rule after the other is kept again, if as many move all the same. */
static enum dc_status keep_one_by_one(struct softener *softener, size_t n_wanted, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < softener->n_soft && !is_over(softener); i++) {
        size_t n_moved = 0;
        softener->let_go[i] = false;
        rc = count_moved(softener, softener->let_go, &n_moved, err);
        softener->let_go[i] = n_moved < n_wanted;
    }
    return rc;
}

static bool softener_init(struct softener *softener) {
    const struct fleet *fleet = softener->fleet;
    softener->soft = calloc(fleet->n_rules + 1, sizeof(*softener->soft));
    softener->let_go = calloc(fleet->n_rules + 1, sizeof(*softener->let_go));
    softener->names = calloc(fleet->n_rules + 1, sizeof(*softener->names));
    if (softener->soft == NULL || softener->let_go == NULL || softener->names == NULL)
        return false;
    for (size_t i = 0; i < fleet->n_rules; i++)
        if (!fleet->rules[i].hard && !relax_drops_rule(&softener->goal->relax, i))
            softener->soft[softener->n_soft++] = i;
    return true;
}

static enum dc_status choose(struct softener *softener, size_t n_moved, struct dc_error *err) {
    size_t n_wanted = 0;
    if (softener->n_soft == 0)
        return DC_OK;
    for (size_t i = 0; i < softener->n_soft; i++)
        softener->let_go[i] = true;
    enum dc_status rc = count_moved(softener, softener->let_go, &n_wanted, err);
    if (rc == DC_OK && n_wanted <= n_moved) {
        softener->n_soft = 0;
        return DC_OK;
    }
    if (rc == DC_OK)
        rc = softener->n_soft <= MOST_EXACT ? try_all_sets(softener, n_wanted, err)
                                            : keep_one_by_one(softener, n_wanted, err);
    return rc;
}

enum dc_status soft_rule_choose(const struct fleet *fleet, const struct goal *goal, const struct solve_options *options,
                                size_t n_moved, double end_s, struct soft_rule_set *set_out, struct dc_error *err) {
    struct softener softener = {.fleet = fleet, .goal = goal, .options = options, .end_s = end_s};
    *set_out = (struct soft_rule_set){0};
    enum dc_status rc = softener_init(&softener) ? choose(&softener, n_moved, err) : error_set_nomem(err);
    if (rc == DC_OK) {
        for (size_t i = 0; i < softener.n_soft; i++)
            if (softener.let_go[i])
                softener.names[set_out->n++] = softener.soft[i];
        set_out->rules = softener.names;
        softener.names = NULL;
    }
    free(softener.soft);
    free(softener.let_go);
    free(softener.names);
    return rc;
}

static json_t *describe(const struct question *question, const struct violation *violation) {
    const struct fleet *fleet = question->fleet;
    const size_t number = question->let_go[violation->rule].number;
    const char *vm = violation->vm != PROBLEM_ANY ? fleet->vms[violation->vm].name : NULL;
    const char *host = violation->host != PROBLEM_ANY ? fleet->hosts[violation->host].name : NULL;
    const char *type = fleet_doc_rule_text(fleet->rules[number].type);
    json_t *what =
        vm != NULL && host != NULL
            ? json_sprintf("rules[%zu] (%s) is soft and is broken by VM %s on host %s", number, type, vm, host)
            : json_sprintf("rules[%zu] (%s) is soft and is broken", number, type);
    return json_pack("{s:I, s:s, s:o}", "rule", (json_int_t)number, "type", type, "what", what);
}

enum dc_status soft_rule_broken(const struct question *question, const struct solution *solution, json_t **broken_out,
                                struct dc_error *err) {
    struct problem problem = question->problem;
    struct verification verification = {0};
    problem.rules = question->let_go;
    problem.n_rules = question->n_let_go;
    *broken_out = json_array();
    if (*broken_out == NULL)
        return error_set_nomem(err);
    if (question->n_let_go == 0)
        return DC_OK;
    enum dc_status rc = verify(&problem, solution, true, &verification, err);
    for (size_t i = 0; rc == DC_OK && i < verification.n_violations; i++)
        if (verification.violations[i].kind == VIOLATION_RULE &&
            json_array_append_new(*broken_out, describe(question, &verification.violations[i])) != 0)
            rc = error_set_nomem(err);
    verification_dispose(&verification);
    if (rc != DC_OK) {
        json_decref(*broken_out);
        *broken_out = NULL;
    }
    return rc;
}
