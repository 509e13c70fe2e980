/*
 * The front door: the steps of an answer, one after the other. VMs that cannot
 * go are left out on the way, each with its conflict; the rest is planned in
 * a view of the problem in which those VMs stay.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/solve.h"

#include "base/clock.h"
#include "solver/bound.h"
#include "solver/bypass.h"
#include "solver/place.h"
#include "solver/precheck.h"
#include "solver/report.h"
#include "solver/robust.h"
#include "solver/search.h"
#include "solver/settle.h"
#include "solver/step_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double milp_gap_frac = 0.001;
static const double milp_time_s = 2;         /* a cut-off for each use; node limits come first */
static const double worth_model_frac = 0.01; /* gaps above this are worth the step model */
static const double worth_tight_frac = 0.05; /* gaps above this are worth all that bypass knows */
static const double overtime_frac = 0.05;    /* of the time limit, for what a plan is not complete without */
static const double cancelled_forecast_s = 0.2;
enum { MODEL_DECODES = 300, QUICK_DECODES = 40, BYPASS_DECODES = 100, BYPASS_NODES = 200, TIGHT_VMS = 30 };
enum { RESERVED_DECODES = 3 }; /* the schedule, that at p50, verification */

struct solver {
    const struct problem *problem;
    const struct solve_options *options;
    struct solution *solution;
    double begin_s, end_s; /* on the monotonic clock */
    struct problem view;   /* the problem with the VMs that are left out staying; shares all else */
    bool *skip;            /* per VM: left out */
    long *to;              /* per VM */
    struct decode_order order;
    struct decoder *decoder;
    struct bypass bypass;          /* where the order is one of its detour */
    const struct problem *planned; /* what is decoded: the view, or the detour of it */
    const long *planned_to;
};

static bool solver_init(struct solver *solver) {
    const size_t n = solver->problem->n_vms + 1;
    solver->view = *solver->problem;
    solver->view.vms = calloc(n, sizeof(*solver->view.vms));
    solver->skip = calloc(n, sizeof(*solver->skip));
    solver->to = calloc(n, sizeof(*solver->to));
    solver->order.vm = calloc(n, sizeof(*solver->order.vm));
    solver->order.threshold_frac = calloc(n, sizeof(*solver->order.threshold_frac));
    if (solver->view.vms == NULL || solver->skip == NULL || solver->to == NULL || solver->order.vm == NULL ||
        solver->order.threshold_frac == NULL)
        return false;
    solver->planned = &solver->view;
    solver->planned_to = solver->to;
    if (solver->problem->n_vms > 0)
        memcpy(solver->view.vms, solver->problem->vms, solver->problem->n_vms * sizeof(*solver->view.vms));
    return true;
}

static void solver_dispose(struct solver *solver) {
    bypass_dispose(&solver->bypass);
    decoder_free(&solver->decoder);
    free(solver->view.vms);
    free(solver->skip);
    free(solver->to);
    free(solver->order.vm);
    free(solver->order.threshold_frac);
}

static struct milp_limits milp_limits_now(const struct solver *solver) {
    return (struct milp_limits){
        .time_s = fmax(0.001, fmin(milp_time_s, solver->end_s - clock_monotonic_s())),
        .gap_frac = milp_gap_frac,
        .cancel = solver->options->cancel,
    };
}

static void leave_out(struct solver *solver, size_t vm) {
    solver->skip[vm] = true;
    solver->view.vms[vm].moves = false;
    solver->to[vm] = (long)solver->problem->vms[vm].host;
}

/* After VMs were left out: those that cannot go without them stay too. */
static enum dc_status settle_rest(struct solver *solver, struct dc_error *err) {
    const enum dc_status rc = settle(solver->problem, solver->to, solver->skip, solver->solution, err);
    for (size_t vm = 0; vm < solver->problem->n_vms; vm++)
        if (solver->skip[vm])
            leave_out(solver, vm);
    return rc;
}

/* Destinations; what has none is left out. The rest makes up the order. */
static enum dc_status find_places(struct solver *solver, struct dc_error *err) {
    const struct milp_limits limits = milp_limits_now(solver);
    enum dc_status rc = place(solver->problem, &limits, solver->options->seed, solver->to, solver->solution, err);
    if (rc != DC_OK)
        return rc;
    for (size_t vm = 0; vm < solver->problem->n_vms; vm++)
        if (solver->skip[vm] || solver->to[vm] < 0)
            leave_out(solver, vm);
    rc = settle_rest(solver, err);
    for (size_t vm = 0; vm < solver->problem->n_vms; vm++)
        if (solver->view.vms[vm].moves)
            solver->order.vm[solver->order.n++] = vm;
    return rc;
}

static bool is_destination_free(const struct solver *solver) {
    for (size_t i = 0; i < solver->order.n; i++)
        if (solver->problem->vms[solver->order.vm[i]].to == PROBLEM_ANY)
            return true;
    return false;
}

/* The VMs that are planned, by number. */
static enum dc_status name_bound_vms(struct solver *solver, struct dc_error *err) {
    struct solution *solution = solver->solution;
    free(solution->bound_vms);
    solution->n_bound_vms = 0;
    solution->bound_vms = calloc(solver->order.n + 1, sizeof(*solution->bound_vms));
    if (solution->bound_vms == NULL)
        return error_set_nomem(err);
    for (size_t vm = 0; vm < solver->problem->n_vms; vm++)
        if (solver->view.vms[vm].moves)
            solution->bound_vms[solution->n_bound_vms++] = vm;
    return DC_OK;
}

/* The best bound that holds for the question, of the VMs that are planned. */
static enum dc_status find_bound(struct solver *solver, struct dc_error *err) {
    struct solution_bound *best = &solver->solution->bound;
    struct solution_prices *prices = &solver->solution->prices;
    struct solution_bound by_placement = {0};
    enum dc_status rc = bound_closed_form(&solver->view, PROBLEM_P95, NULL, best, err);
    if (rc == DC_OK)
        rc = name_bound_vms(solver, err);
    if (rc != DC_OK || !is_destination_free(solver))
        return rc;
    const struct milp_limits limits = milp_limits_now(solver);
    solution_prices_dispose(prices);
    rc = bound_placement(&solver->view, PROBLEM_P95, &limits, &by_placement, prices, err);
    if (rc == DC_OK && by_placement.kind != SOLUTION_BOUND_NONE && by_placement.value_s > best->value_s)
        *best = by_placement;
    return rc;
}

static void report_progress(void *context, const struct decode_score *score) {
    const struct solver *solver = context;
    const double bound_s = solver->solution->bound.value_s;
    const struct solve_progress progress = {
        .elapsed_s = clock_monotonic_s() - solver->begin_s,
        .makespan_s = score->makespan_s,
        .bound_s = bound_s,
        .gap_frac = bound_s > 0 ? score->makespan_s / bound_s - 1 : 0,
    };
    if (solver->options->on_progress != NULL)
        solver->options->on_progress(solver->options->context, &progress);
}

static struct search_options search_options_now(struct solver *solver, size_t n_decodes) {
    return (struct search_options){
        .seed = solver->options->seed,
        .bound_s = solver->solution->bound.value_s,
        .n_decodes = n_decodes,
        .end_s = solver->end_s,
        .n_reserved = RESERVED_DECODES,
        .cancel = solver->options->cancel,
        .on_better = report_progress,
        .context = solver,
    };
}

static enum dc_status find_order(struct solver *solver, struct dc_error *err) {
    const struct search_options options = search_options_now(solver, solver->options->is_quick ? QUICK_DECODES : 0);
    struct search_result result;
    enum dc_status rc = decoder_new(&solver->view, solver->to, PROBLEM_P95, &solver->decoder, err);
    if (rc == DC_OK)
        rc = search_order(&solver->view, PROBLEM_P95, solver->to, solver->decoder, &options, &solver->order, &result,
                          err);
    if (rc != DC_OK)
        return rc;
    solver->solution->time_limit_hit = result.time_limit_hit;
    solver->solution->cancelled = result.cancelled;
    return DC_OK;
}

/* By way of other hosts, where that lets all VMs start; else `bypass` says which remain. */
static enum dc_status try_bypass(struct solver *solver, bool *complete_out, struct dc_error *err) {
    struct bypass_options options = {.milp = milp_limits_now(solver),
                                     .search = search_options_now(solver, BYPASS_DECODES)};
    struct decoder *decoder = NULL;
    options.milp.n_nodes = BYPASS_NODES;
    bypass_dispose(&solver->bypass);
    enum dc_status rc =
        bypass_find(&solver->view, solver->to, solver->decoder, &solver->order, &options, &solver->bypass, err);
    *complete_out = rc == DC_OK && solver->bypass.found;
    for (size_t vm = 0; *complete_out && vm < solver->problem->n_vms; vm++)
        *complete_out = !solver->bypass.stuck[vm];
    if (rc != DC_OK || !*complete_out)
        return rc;
    rc = decoder_new(&solver->bypass.detour.problem, solver->bypass.detour.to, PROBLEM_P95, &decoder, err);
    if (rc != DC_OK)
        return rc;
    decoder_free(&solver->decoder);
    free(solver->order.vm);
    free(solver->order.threshold_frac);
    solver->decoder = decoder;
    solver->order = solver->bypass.order;
    solver->bypass.order = (struct decode_order){0};
    solver->planned = &solver->bypass.detour.problem;
    solver->planned_to = solver->bypass.detour.to;
    const struct search_options more =
        search_options_now(solver, solver->options->is_quick ? QUICK_DECODES : search_budget(solver->order.n));
    struct search_result result;
    return search_improve(solver->decoder, &more, &solver->order, &result, err);
}

/* Leaves out what neither order nor bypass could start, each with what holds it up. */
static enum dc_status leave_unstarted(struct solver *solver, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    size_t n_kept = 0;
    for (size_t i = 0; rc == DC_OK && i < solver->order.n; i++) {
        const size_t vm = solver->order.vm[i];
        if (!solver->bypass.stuck[vm])
            continue;
        const struct solution_conflict conflict = decoder_explain(solver->decoder, vm);
        rc = solution_add_conflict(solver->solution, &conflict, err);
        leave_out(solver, vm);
    }
    if (rc == DC_OK)
        rc = settle_rest(solver, err);
    for (size_t i = 0; i < solver->order.n; i++) {
        if (!solver->view.vms[solver->order.vm[i]].moves)
            continue;
        solver->order.vm[n_kept] = solver->order.vm[i];
        solver->order.threshold_frac[n_kept++] = solver->order.threshold_frac[i];
    }
    solver->order.n = n_kept;
    return rc;
}

static size_t n_movers(const struct solver *solver) {
    return solver->order.n - solver->planned->n_legs;
}

/* Writes the steps. VMs that no order could start are left out, and the bound is then that of the others. */
static enum dc_status write_schedule(struct solver *solver, struct dc_error *err) {
    double makespan_s = 0;
    const size_t n_before = n_movers(solver);
    enum dc_status rc = decoder_schedule(solver->decoder, &solver->order, solver->solution, &makespan_s, err);
    while (rc == DC_OK && !isfinite(makespan_s)) {
        bool complete = false;
        rc = try_bypass(solver, &complete, err);
        if (rc == DC_OK && !complete)
            rc = leave_unstarted(solver, err);
        if (rc == DC_OK)
            rc = decoder_schedule(solver->decoder, &solver->order, solver->solution, &makespan_s, err);
    }
    return rc == DC_OK && n_movers(solver) < n_before ? find_bound(solver, err) : rc;
}

static double gap_frac(const struct solution *solution) {
    const double makespan_s = solution->makespan_s[PROBLEM_P95];
    if (solution->n_steps == 0 || makespan_s <= 0)
        return 0;
    if (solution->bound.value_s <= 0)
        return INFINITY;
    return fmax(0, makespan_s / solution->bound.value_s - 1);
}

/* Takes the model's order as a start for a short search, and its schedule if that is better. */
static enum dc_status take_order(struct solver *solver, struct decode_order *order, struct dc_error *err) {
    const struct search_options options = search_options_now(solver, MODEL_DECODES);
    struct search_result result;
    const double before_s = decoder_makespan(solver->decoder, &solver->order);
    const struct decode_score before = *decoder_score(solver->decoder);
    enum dc_status rc = search_improve(solver->decoder, &options, order, &result, err);
    if (rc != DC_OK || !search_is_better(&result.score, &before, fmin(before_s, result.score.makespan_s)))
        return rc;
    memcpy(solver->order.vm, order->vm, order->n * sizeof(*order->vm));
    memcpy(solver->order.threshold_frac, order->threshold_frac, order->n * sizeof(*order->threshold_frac));
    return write_schedule(solver, err);
}

/* Small sets far from their bound: memory may be what keeps them from it. */
static enum dc_status try_tight(struct solver *solver, struct dc_error *err) {
    bool complete = false;
    double makespan_s = 0;
    if (solver->options->is_quick || solver->planned != &solver->view || solver->order.n < 2 ||
        solver->order.n > TIGHT_VMS || gap_frac(solver->solution) <= worth_tight_frac ||
        solver->solution->time_limit_hit || solver->solution->cancelled)
        return DC_OK;
    const enum dc_status rc = try_bypass(solver, &complete, err);
    if (rc != DC_OK || !complete)
        return rc;
    return decoder_schedule(solver->decoder, &solver->order, solver->solution, &makespan_s, err);
}

/* The step model on what the search left open. Its bound is one on the
 * question only where no destination was free. */
static enum dc_status try_model(struct solver *solver, struct dc_error *err) {
    struct solution *solution = solver->solution;
    if (solver->options->is_quick || solver->planned != &solver->view || solver->order.n < 2 ||
        solver->order.n > STEP_MODEL_MAX_VMS || gap_frac(solution) <= worth_model_frac || solution->time_limit_hit ||
        solution->cancelled)
        return DC_OK;
    size_t vms[STEP_MODEL_MAX_VMS];
    double threshold_frac[STEP_MODEL_MAX_VMS];
    struct decode_order order = {solver->order.n, vms, threshold_frac};
    struct step_model_result result = {0};
    const struct milp_limits limits = milp_limits_now(solver);
    enum dc_status rc =
        step_model_solve(&solver->view, solver->to, PROBLEM_P95, solution, &limits, &order, &result, err);
    if (rc != DC_OK)
        return rc;
    if (!is_destination_free(solver) && result.bound_s > solution->bound.value_s)
        solution->bound = (struct solution_bound){.kind = SOLUTION_BOUND_STEP_MODEL, .value_s = result.bound_s};
    return result.has_order && order.n == solver->order.n ? take_order(solver, &order, err) : DC_OK;
}

static bool has_left_out(const struct solver *solver) {
    for (size_t vm = 0; vm < solver->problem->n_vms; vm++)
        if (solver->problem->vms[vm].moves && !solver->view.vms[vm].moves)
            return true;
    return false;
}

/* Quick even where a limit has cut the search off: a plan says what becomes of it. */
static enum dc_status forecast(struct solver *solver, struct dc_error *err) {
    struct solution *solution = solver->solution;
    const double limit_s = solver->options->time_limit_s;
    const double now_s = clock_monotonic_s();
    struct robust_options options = {.seed = solver->options->seed, .end_s = INFINITY};
    if (limit_s > 0)
        options.end_s = fmax(solver->end_s, now_s) + overtime_frac * limit_s;
    if (solution->cancelled)
        options.end_s = now_s + cancelled_forecast_s;
    return robust_forecast(solver->planned, solver->planned_to, &solver->order, solution->makespan_s[PROBLEM_P95],
                           &options, &solution->forecast, err);
}

static enum dc_status find_answer(struct solver *solver, struct dc_error *err) {
    enum dc_status rc = precheck(solver->problem, PROBLEM_P95, solver->skip, solver->solution, err);
    if (rc == DC_OK)
        rc = find_places(solver, err);
    if (rc == DC_OK && solver->order.n > 0)
        rc = find_bound(solver, err);
    if (rc == DC_OK && solver->order.n > 0)
        rc = find_order(solver, err);
    if (rc == DC_OK && solver->order.n > 0)
        rc = write_schedule(solver, err);
    if (rc == DC_OK)
        rc = try_tight(solver, err);
    if (rc == DC_OK)
        rc = try_model(solver, err);
    if (rc != DC_OK)
        return rc;
    solver->solution->gap_frac = gap_frac(solver->solution);
    rc = report_p50(solver->planned, solver->planned_to, &solver->order, solver->solution, err);
    if (rc == DC_OK && !solver->options->is_quick)
        rc = forecast(solver, err);
    if (rc == DC_OK)
        rc = report_status(solver->problem, has_left_out(solver), solver->solution, err);
    if (rc == DC_OK)
        rc = report_verified(solver->problem, solver->planned, solver->planned_to, &solver->order, solver->solution,
                             err);
    return rc;
}

enum dc_status solve(const struct problem *problem, const struct solve_options *options, struct solution *solution_out,
                     struct dc_error *err) {
    *solution_out = (struct solution){0};
    if (problem->route_row == NULL)
        return error_set(err, DC_EINTERNAL, "solve: the problem is not frozen");
    struct solver solver = {.problem = problem, .options = options, .solution = solution_out};
    solver.begin_s = clock_monotonic_s();
    solver.end_s = options->time_limit_s > 0 ? solver.begin_s + options->time_limit_s : INFINITY;
    const enum dc_status rc = solver_init(&solver) ? find_answer(&solver, err) : error_set_nomem(err);
    if (rc != DC_OK)
        solution_dispose(solution_out);
    solver_dispose(&solver);
    return rc;
}
