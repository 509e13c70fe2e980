/*
 * A run is a problem of its own: the view with drawn costs in the place of
 * those planned with.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/robust.h"

#include "base/clock.h"
#include "solver/cost_spread.h"
#include "solver/search.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_RUNS = 1000, FEWEST_RUNS = 100, LOAD_RUNS = 400, LOAD_WORK = 500000, WORK = 5000000 };

static const double default_risk_frac = 0.05;
static const double largest_deviation = 3; /* beyond, quantiles say nothing */

struct robust {
    const struct problem *problem;
    const long *to;
    const struct decode_order *order;
    struct problem drawn; /* shares all but the VMs, whose costs at PROBLEM_P95 are drawn */
    double planned_deviations;
    double planned_load_s;
    double makespan_s;
    double *arc_bytes, *arc_pre_s, *arc_post_s, *host_work_s;
    gsl_rng *rng;
};

static void robust_dispose(struct robust *robust) {
    for (size_t i = 0; robust->drawn.vms != NULL && i < robust->order->n; i++)
        free(robust->drawn.vms[robust->order->vm[i]].cost[PROBLEM_P95].points);
    free(robust->drawn.vms);
    free(robust->arc_bytes);
    free(robust->arc_pre_s);
    free(robust->arc_post_s);
    free(robust->host_work_s);
    if (robust->rng != NULL)
        gsl_rng_free(robust->rng);
}

/* Copies the VMs; each mover gets points of its own. */
static bool copy_vms(struct robust *robust) {
    const struct problem *problem = robust->problem;
    robust->drawn = *problem;
    robust->drawn.vms = calloc(problem->n_vms + 1, sizeof(*problem->vms));
    if (robust->drawn.vms == NULL)
        return false;
    memcpy(robust->drawn.vms, problem->vms, problem->n_vms * sizeof(*problem->vms));
    bool ok = true;
    for (size_t i = 0; i < robust->order->n; i++) {
        struct problem_cost *cost = &robust->drawn.vms[robust->order->vm[i]].cost[PROBLEM_P95];
        cost->points = calloc(cost->n_points + 1, sizeof(*cost->points));
        ok = ok && cost->points != NULL;
    }
    return ok;
}

static bool robust_init(struct robust *robust) {
    const struct problem *problem = robust->problem;
    const double risk_frac = problem->risk_frac > 0 ? problem->risk_frac : default_risk_frac;
    robust->planned_deviations = cost_spread_deviations(1 - risk_frac);
    robust->rng = gsl_rng_alloc(gsl_rng_mt19937);
    robust->arc_bytes = calloc(problem->n_arcs + 1, sizeof(double));
    robust->arc_pre_s = calloc(problem->n_arcs + 1, sizeof(double));
    robust->arc_post_s = calloc(problem->n_arcs + 1, sizeof(double));
    robust->host_work_s = calloc(problem->n_hosts + 1, sizeof(double));
    return robust->rng != NULL && robust->arc_bytes != NULL && robust->arc_pre_s != NULL &&
           robust->arc_post_s != NULL && robust->host_work_s != NULL && copy_vms(robust);
}

/* Planned with the median itself, the two quantiles say nothing of the spread. */
static double weight_of(const struct robust *robust, double deviations) {
    return robust->planned_deviations > 0 ? deviations / robust->planned_deviations : 0;
}

static unsigned long seed_of(uint64_t seed, size_t run) {
    uint64_t mixed = seed * 0x9E3779B97F4A7C15u + run; /* splitmix64 */
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return (unsigned long)(mixed ^ (mixed >> 31));
}

static void draw(struct robust *robust, uint64_t seed, size_t run) {
    gsl_rng_set(robust->rng, seed_of(seed, run));
    for (size_t i = 0; i < robust->order->n; i++) {
        const size_t vm = robust->order->vm[i];
        const struct problem_cost *cost = robust->problem->vms[vm].cost;
        const double deviations =
            fmin(largest_deviation, fmax(-largest_deviation, gsl_ran_gaussian_ziggurat(robust->rng, 1)));
        cost_spread_at(&cost[PROBLEM_P50], &cost[PROBLEM_P95], weight_of(robust, deviations),
                       &robust->drawn.vms[vm].cost[PROBLEM_P95]);
    }
}

static void clear_load(struct robust *robust) {
    for (size_t arc = 0; arc < robust->problem->n_arcs; arc++) {
        robust->arc_bytes[arc] = 0;
        robust->arc_pre_s[arc] = robust->arc_post_s[arc] = INFINITY;
    }
    memset(robust->host_work_s, 0, robust->problem->n_hosts * sizeof(double));
}

/* The longest of: links' setup + bytes / capacity + tail, hosts' work / slots, single migrations; for this placement.
 */
static double load_s(struct robust *robust, const struct problem *costs) {
    const struct problem *problem = robust->problem;
    double longest_s = 0, total_s = 0;
    clear_load(robust);
    for (size_t i = 0; i < robust->order->n; i++) {
        const size_t vm = robust->order->vm[i], from = problem->vms[vm].host, to = (size_t)robust->to[vm];
        const struct problem_cost *cost = &costs->vms[vm].cost[PROBLEM_P95];
        const double bandwidth = cost->n_points > 0 ? problem_path_bandwidth(problem, vm, from, to) : 0;
        const double duration_s = problem_cost_duration_s(cost, bandwidth);
        const double bytes = cost->n_points > 0 ? problem_cost_bytes(cost, bandwidth) : 0;
        size_t n_arcs = 0;
        const uint32_t *arcs = problem_path(problem, from, to, &n_arcs);
        for (size_t k = 0; bytes > 0 && k < n_arcs; k++) {
            robust->arc_bytes[arcs[k]] += bytes;
            robust->arc_pre_s[arcs[k]] = fmin(robust->arc_pre_s[arcs[k]], cost->pre_s);
            robust->arc_post_s[arcs[k]] = fmin(robust->arc_post_s[arcs[k]], cost->post_s);
        }
        robust->host_work_s[from] += duration_s;
        robust->host_work_s[to] += duration_s;
        total_s += duration_s;
        longest_s = fmax(longest_s, duration_s);
    }
    for (size_t arc = 0; arc < problem->n_arcs; arc++) {
        if (robust->arc_bytes[arc] > 0)
            longest_s = fmax(longest_s, robust->arc_pre_s[arc] + robust->arc_post_s[arc] +
                                            robust->arc_bytes[arc] / problem->arcs[arc].capacity_bytes_per_s);
    }
    for (size_t host = 0; host < problem->n_hosts; host++) {
        if (problem->hosts[host].max_migrations > 0)
            longest_s = fmax(longest_s, robust->host_work_s[host] / problem->hosts[host].max_migrations);
    }
    return problem->max_parallel > 0 ? fmax(longest_s, total_s / problem->max_parallel) : longest_s;
}

static double scaled_makespan(struct robust *robust) {
    return robust->makespan_s * load_s(robust, &robust->drawn) / robust->planned_load_s;
}

/* A draw that could not keep a VM's budget at any bandwidth breaks it, and still has to end. */
static void relax_budgets(struct robust *robust) {
    for (size_t i = 0; i < robust->order->n; i++) {
        const size_t vm = robust->order->vm[i];
        struct problem_vm *it = &robust->drawn.vms[vm];
        const double most = problem_path_bandwidth(robust->problem, vm, it->host, (size_t)robust->to[vm]);
        it->downtime_budget_s = robust->problem->vms[vm].downtime_budget_s;
        if (!(problem_cost_floor(&it->cost[PROBLEM_P95], it->downtime_budget_s) <= most))
            it->downtime_budget_s = INFINITY;
    }
}

/* The draws that get stuck (which the plan's `after` would not) count by their load. */
static enum dc_status decoded_makespan(struct robust *robust, double *makespan_s_out, struct dc_error *err) {
    struct decoder *decoder = NULL;
    relax_budgets(robust);
    const enum dc_status rc = decoder_new(&robust->drawn, robust->to, PROBLEM_P95, &decoder, err);
    if (rc != DC_OK)
        return rc;
    const double makespan_s = decoder_makespan(decoder, robust->order);
    *makespan_s_out = isfinite(makespan_s) ? makespan_s : scaled_makespan(robust);
    decoder_free(&decoder);
    return DC_OK;
}

static size_t runs_for(size_t n, bool decodes) {
    if (!decodes)
        return n > LOAD_WORK / LOAD_RUNS ? LOAD_WORK / n + 1 : LOAD_RUNS;
    const size_t runs = WORK / (n * n + 1);
    return runs > MOST_RUNS ? MOST_RUNS : runs < FEWEST_RUNS ? FEWEST_RUNS : runs;
}

static enum dc_status run_all(struct robust *robust, const struct robust_options *options, double *makespans_s,
                              size_t n_runs, struct solution_forecast *out, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t run = 0; rc == DC_OK && run < n_runs; run++) {
        if (clock_monotonic_s() >= options->end_s)
            break;
        draw(robust, options->seed, run);
        if (out->decoded)
            rc = decoded_makespan(robust, &makespans_s[run], err);
        else
            makespans_s[run] = scaled_makespan(robust);
        out->n_runs++;
        out->deadline_met_frac += makespans_s[run] <= robust->problem->deadline_s;
    }
    return rc;
}

static enum dc_status run_and_sort(struct robust *robust, const struct robust_options *options, double *makespans_s,
                                   size_t n_runs, struct solution_forecast *out, struct dc_error *err) {
    robust->planned_load_s = load_s(robust, robust->problem);
    if (robust->planned_load_s <= 0)
        return DC_OK;
    const enum dc_status rc = run_all(robust, options, makespans_s, n_runs, out, err);
    if (rc != DC_OK || out->n_runs == 0)
        return rc;
    gsl_sort(makespans_s, 1, out->n_runs);
    out->makespan_s[PROBLEM_P50] = gsl_stats_quantile_from_sorted_data(makespans_s, 1, out->n_runs, 0.5);
    out->makespan_s[PROBLEM_P95] = gsl_stats_quantile_from_sorted_data(makespans_s, 1, out->n_runs, 0.95);
    out->deadline_met_frac /= (double)out->n_runs;
    return DC_OK;
}

enum dc_status robust_forecast(const struct problem *problem, const long *to, const struct decode_order *order,
                               double makespan_s, const struct robust_options *options,
                               struct solution_forecast *forecast_out, struct dc_error *err) {
    *forecast_out = (struct solution_forecast){.decoded = order->n <= ROBUST_MAX_DECODES};
    if (order->n == 0 || !isfinite(makespan_s))
        return DC_OK;
    const size_t n_runs = runs_for(order->n, forecast_out->decoded);
    struct robust robust = {.problem = problem, .to = to, .order = order, .makespan_s = makespan_s};
    double *makespans_s = calloc(n_runs, sizeof(*makespans_s));
    enum dc_status rc = DC_ENOMEM;
    if (makespans_s == NULL || !robust_init(&robust))
        (void)error_set_nomem(err);
    else
        rc = run_and_sort(&robust, options, makespans_s, n_runs, forecast_out, err);
    robust_dispose(&robust);
    free(makespans_s);
    return rc;
}
