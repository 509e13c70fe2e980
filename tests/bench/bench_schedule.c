/*
 * How good and how fast plans are: evacuations of 10 to 1000 VMs over racks.
 *
 * Usage: bench_schedule [seeds]. Prints, per instance, makespan, bound and gap, the time of
 * one decode and of the whole answer.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/clock.h"
#include "solver/search.h"
#include "solver/solve.h"
#include "tests/bench/instance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct shape {
    const char *name;
    size_t n_vms, n_sources, n_receivers, hosts_per_rack;
    unsigned max_migrations;
    double receiver_memory_factor;
    bool fixed_destinations;
};

static const struct shape shapes[] = {
    {"host of 10", 10, 1, 7, 0, 4, 2, false},      {"host of 50", 50, 1, 7, 0, 4, 2, false},
    {"one at a time", 50, 1, 7, 0, 1, 2, false},   {"little memory", 50, 1, 7, 0, 4, 1.1, false},
    {"host of 200", 200, 1, 7, 0, 4, 2, false},    {"4 hosts of 50", 200, 4, 12, 0, 4, 2, false},
    {"4 hosts to 2", 200, 4, 2, 0, 4, 2, false},   {"12 VMs, given", 12, 4, 4, 0, 2, 8, true},
    {"4 to 4, given", 100, 4, 4, 0, 4, 8, true},   {"rack of 10 x 20", 200, 10, 30, 10, 4, 2, false},
    {"rack, given", 200, 10, 30, 10, 4, 20, true}, {"rack of 20 x 50", 1000, 20, 60, 20, 4, 2, false},
};

/* Seconds of one decode of the solution's own order. */
static double decode_s(const struct problem *problem, const struct solution *solution) {
    long *to = calloc(problem->n_vms + 1, sizeof(*to));
    struct decode_order order = {0, calloc(problem->n_vms + 1, sizeof(size_t)),
                                 calloc(problem->n_vms + 1, sizeof(double))};
    struct decoder *decoder = NULL;
    double elapsed_s = 0;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        to[vm] = (long)problem->vms[vm].host;
    for (size_t i = 0; i < solution->n_steps; i++) {
        to[solution->steps[i].vm] = (long)solution->steps[i].to;
        order.threshold_frac[order.n] = 0.75;
        order.vm[order.n++] = solution->steps[i].vm;
    }
    if (decoder_new(problem, to, PROBLEM_P95, &decoder, NULL) == DC_OK) {
        const double begin_s = clock_monotonic_s();
        for (int i = 0; i < 10; i++)
            (void)decoder_makespan(decoder, &order);
        elapsed_s = (clock_monotonic_s() - begin_s) / 10;
    }
    decoder_free(&decoder);
    free(to);
    free(order.vm);
    free(order.threshold_frac);
    return elapsed_s;
}

static int bench(const struct shape *shape, uint64_t seed) {
    struct instance_options options = instance_defaults(seed);
    options.n_vms = shape->n_vms;
    options.n_sources = shape->n_sources;
    options.n_receivers = shape->n_receivers;
    options.hosts_per_rack = shape->hosts_per_rack;
    options.max_migrations = shape->max_migrations;
    options.receiver_memory_factor = shape->receiver_memory_factor;
    options.fixed_destinations = shape->fixed_destinations;
    struct problem problem;
    struct solution solution = {0};
    struct dc_error err = DC_ERROR_NONE;
    const struct solve_options solve_options = {.seed = seed};
    enum dc_status rc = instance_evacuation(&options, &problem, &err);
    const double begin_s = clock_monotonic_s();
    if (rc == DC_OK)
        rc = solve(&problem, &solve_options, &solution, &err);
    const double elapsed_s = clock_monotonic_s() - begin_s;
    if (rc == DC_OK)
        printf("%-16s %4zu %5zu %3zu %12.1f %12.1f %7.2f%% %4d %12.3f %10.3f\n", shape->name, (size_t)seed,
               solution.n_steps, solution.n_conflicts, solution.makespan_s[PROBLEM_P95], solution.bound.value_s,
               100 * solution.gap_frac, (int)solution.bound.kind, 1e3 * decode_s(&problem, &solution), elapsed_s);
    else
        printf("%-16s %4zu failed: %s\n", shape->name, (size_t)seed, error_text(&err));
    solution_dispose(&solution);
    problem_dispose(&problem);
    return rc == DC_OK ? 0 : 1;
}

int main(int argc, char **argv) {
    const unsigned long n_seeds = argc > 1 ? strtoul(argv[1], NULL, 10) : 2;
    int failed = 0;
    printf("%-16s %4s %5s %3s %12s %12s %8s %4s %12s %10s\n", "instance", "seed", "steps", "out", "makespan s",
           "bound s", "gap", "kind", "decode ms", "total s");
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        for (uint64_t seed = 1; seed <= n_seeds; seed++)
            failed |= bench(&shapes[i], seed);
    return failed;
}
