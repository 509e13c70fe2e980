/*
 * Bisects the step model on the makespan. Each trial is a feasibility question: the
 * first solution stops it, a node limit (not the clock) gives it up.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/step_model.h"

#include "base/clock.h"
#include "solver/bound.h"
#include "solver/step_rows.h"

#include <math.h>
#include <stdlib.h>

enum { N_TRIALS = 5, TRIAL_NODES = 60 };

static const double close_enough_frac = 0.002;
static const double proof_tolerance = 1e-6; /* the solver's rows hold to 1e-7 */
static const double threshold_share = 0.8;  /* of its mean rate in the model a VM waits for */

struct bisection {
    struct problem view; /* the problem with `to` in its VMs; shares the other arrays */
    const struct problem *problem;
    enum problem_quantile quantile;
    struct candidates candidates;
    const struct solution *incumbent;
    struct milp_limits limits;
    double end_s; /* on the monotonic clock */
    struct decode_order *order;
    struct step_model_result *result;
};

static size_t slots_for(size_t n_movers) {
    if (n_movers <= 6)
        return 24;
    return n_movers <= 10 ? 16 : 12;
}

static const struct solution_step *incumbent_step(const struct bisection *bisection, size_t vm) {
    for (size_t i = 0; bisection->incumbent != NULL && i < bisection->incumbent->n_steps; i++) {
        if (bisection->incumbent->steps[i].vm == vm)
            return &bisection->incumbent->steps[i];
    }
    return NULL;
}

/* Bytes that a step has sent by `now_s`, as a fraction. */
static double sent_frac(const struct solution_step *step, double now_s) {
    double bytes = 0, total = 0;
    for (size_t i = 0; i + 1 < step->n_rates; i++) {
        double from_s = step->rates[i].from_s, to_s = step->rates[i + 1].from_s;
        total += step->rates[i].bytes_per_s * (to_s - from_s);
        bytes += step->rates[i].bytes_per_s * fmax(0, fmin(to_s, now_s) - from_s);
    }
    return total > 0 ? fmin(1, bytes / total) : now_s >= step->end_s;
}

/* The incumbent, shrunk to the trial's length, as values of the columns; NULL
 * where it has not all steps. The solver's door checks it. */
static double *warm_start(const struct bisection *bisection, const struct step_rows *step, double shrink) {
    size_t n_movers = step->candidates->n_movers;
    double *start = calloc(3 * n_movers * (step->n_slots + 1) + 1, sizeof *start);
    for (size_t mover = 0; start != NULL && mover < n_movers; mover++) {
        const struct solution_step *was = incumbent_step(bisection, step->candidates->vm[mover]);
        if (was == NULL) {
            free(start);
            return NULL;
        }
        for (size_t k = 0; k <= step->n_slots; k++) {
            size_t i = mover * (step->n_slots + 1) + k;
            double now_s = (double)k * step->slot_s / shrink * (1 + 1e-9);
            start[step->started[i]] = was->start_s <= now_s;
            start[step->ended[i]] = was->end_s <= now_s;
            start[step->sent[i]] = sent_frac(was, now_s);
        }
    }
    return start;
}

struct rank {
    size_t vm, started, ended;
    double incumbent_s, threshold_frac;
};

static int compare_ranks(const void *left, const void *right) {
    const struct rank *a = left, *b = right;
    if (a->started != b->started)
        return a->started < b->started ? -1 : 1;
    if (a->ended != b->ended)
        return a->ended < b->ended ? -1 : 1;
    if (a->incumbent_s < b->incumbent_s || a->incumbent_s > b->incumbent_s)
        return a->incumbent_s < b->incumbent_s ? -1 : 1;
    return a->vm < b->vm ? -1 : a->vm > b->vm;
}

/* VMs by the slot of their start, then of their end. */
static void read_order(struct bisection *bisection, const struct step_rows *step) {
    struct rank ranks[STEP_MODEL_MAX_VMS];
    size_t n_movers = step->candidates->n_movers;
    for (size_t mover = 0; mover < n_movers; mover++) {
        const struct candidate *candidate = &step->candidates->items[step->candidates->begin[mover]];
        struct rank *rank = &ranks[mover];
        *rank = (struct rank){.vm = step->candidates->vm[mover]};
        size_t row = mover * (step->n_slots + 1);
        while (rank->started < step->n_slots && milp_value(step->milp, step->started[row + rank->started]) < 0.5)
            rank->started++;
        while (rank->ended < step->n_slots && milp_value(step->milp, step->ended[row + rank->ended]) < 0.5)
            rank->ended++;
        const struct solution_step *was = incumbent_step(bisection, rank->vm);
        rank->incumbent_s = was != NULL ? was->start_s : INFINITY;
        double flight_s = (double)(rank->ended - rank->started + 1) * step->slot_s;
        rank->threshold_frac = fmin(1, threshold_share * candidate->duration_s / flight_s);
    }
    qsort(ranks, n_movers, sizeof *ranks, compare_ranks);
    bisection->order->n = n_movers;
    for (size_t i = 0; i < n_movers; i++) {
        bisection->order->vm[i] = ranks[i].vm;
        bisection->order->threshold_frac[i] = ranks[i].threshold_frac;
    }
    bisection->result->has_order = true;
}

/* Is there a schedule of length `length_s`, as far as the model can tell? */
static enum dc_status try_length(struct bisection *bisection, double length_s, double longest_s,
                                 enum milp_status *status_out, struct dc_error *err) {
    struct step_rows step = {.problem = &bisection->view,
                             .quantile = bisection->quantile,
                             .candidates = &bisection->candidates,
                             .n_slots = slots_for(bisection->candidates.n_movers)};
    step.slot_s = length_s / (double)step.n_slots;
    double *start = NULL;
    enum dc_status rc = step_rows_build(&step, err);
    if (rc == DC_OK) {
        start = warm_start(bisection, &step, length_s / longest_s);
        struct milp_limits limits = bisection->limits;
        struct milp_result result;
        limits.time_s = bisection->end_s - clock_monotonic_s();
        limits.gap_frac = 1e3; /* the first solution will do */
        rc = milp_solve(step.milp, &limits, start, &result, err);
        *status_out = result.status;
        if (rc == DC_OK && (result.status == MILP_OPTIMAL || result.status == MILP_FEASIBLE))
            read_order(bisection, &step);
    }
    free(start);
    step_rows_dispose(&step);
    return rc;
}

static enum dc_status bisect(struct bisection *bisection, double low_s, double high_s, struct dc_error *err) {
    const double longest_s = high_s;
    for (unsigned trial = 0; trial < N_TRIALS && high_s - low_s > close_enough_frac * high_s; trial++) {
        double length_s = low_s + (high_s - low_s) / 2;
        enum milp_status status = MILP_LIMIT;
        struct dc_error trial_err = DC_ERROR_NONE;
        enum dc_status rc = try_length(bisection, length_s, longest_s, &status, &trial_err);
        if (rc == DC_ENOMEM)
            return error_set_nomem(err);
        if (rc != DC_OK)
            return DC_OK; /* the solver failed: what is proved so far stays */
        if (status == MILP_INFEASIBLE) {
            low_s = length_s;
            bisection->result->bound_s = length_s * (1 - proof_tolerance);
        } else {
            high_s = length_s; /* a schedule of the model, or too hard to tell: shorter is easier to refute */
        }
        bool cancelled = bisection->limits.cancel != NULL && atomic_load(bisection->limits.cancel);
        if (cancelled || clock_monotonic_s() >= bisection->end_s)
            break;
    }
    return DC_OK;
}

/* The problem as this placement sees it: VMs without a new host stay. */
static enum dc_status make_view(struct bisection *bisection, const long *to, struct dc_error *err) {
    const struct problem *problem = bisection->problem;
    bisection->view = *problem;
    bisection->view.vms = calloc(problem->n_vms + 1, sizeof *problem->vms);
    if (bisection->view.vms == NULL)
        return error_set_nomem(err);
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        struct problem_vm *it = &bisection->view.vms[vm];
        *it = problem->vms[vm];
        it->moves = it->moves && to[vm] != PROBLEM_ANY && (size_t)to[vm] != it->host;
        it->to = it->moves ? to[vm] : PROBLEM_ANY;
    }
    return candidates_find(&bisection->view, bisection->quantile, NULL, &bisection->candidates, err);
}

/* Movers that cannot reach their destination are not the model's business. */
static bool is_suitable(const struct bisection *bisection) {
    const struct candidates *candidates = &bisection->candidates;
    for (size_t mover = 0; mover < candidates->n_movers; mover++) {
        if (candidates->begin[mover] == candidates->begin[mover + 1])
            return false;
    }
    return candidates->n_movers > 0 && candidates->n_movers <= STEP_MODEL_MAX_VMS;
}

enum dc_status step_model_solve(const struct problem *problem, const long *to, enum problem_quantile quantile,
                                const struct solution *incumbent, const struct milp_limits *limits,
                                struct decode_order *order, struct step_model_result *result_out,
                                struct dc_error *err) {
    *result_out = (struct step_model_result){0};
    struct bisection bisection = {.problem = problem,
                                  .quantile = quantile,
                                  .incumbent = incumbent,
                                  .limits = *limits,
                                  .end_s = clock_monotonic_s() + limits->time_s,
                                  .order = order,
                                  .result = result_out};
    if (bisection.limits.n_nodes == 0)
        bisection.limits.n_nodes = TRIAL_NODES;
    struct solution_bound bound;
    enum dc_status rc = make_view(&bisection, to, err);
    if (rc == DC_OK && is_suitable(&bisection)) {
        rc = bound_closed_form(&bisection.view, quantile, NULL, &bound, err);
        double longest_s = incumbent != NULL ? incumbent->makespan_s[quantile] : 0;
        if (rc == DC_OK && isfinite(longest_s) && longest_s > 0)
            rc = bisect(&bisection, bound.value_s, longest_s, err);
    }
    candidates_dispose(&bisection.candidates);
    free(bisection.view.vms);
    return rc;
}
