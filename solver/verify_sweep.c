/*
 * What holds at every moment, by going through all changes in time order: rates
 * on each arc, memory and migrations on each host. Changes within one instant
 * count together; an end frees what a start in the same instant takes.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/verify_state.h"

#include <math.h>
#include <stdlib.h>

static const double capacity_slack_frac = 1e-6;
static const double memory_slack_bytes = 0.5; /* less than one is rounding */
static const double cpu_slack_frac = 1e-6;

/* Something changes on an arc or host. */
struct change {
    size_t object;
    double at_s;
    double amount;  /* bytes/s or bytes */
    double flights; /* migrations: +1, -1 */
};

static int compare_changes(const void *left, const void *right) {
    const struct change *a = left;
    const struct change *b = right;
    if (a->object != b->object)
        return a->object < b->object ? -1 : 1;
    return a->at_s < b->at_s ? -1 : a->at_s > b->at_s;
}

static struct change *new_changes(struct verify_state *state, size_t n) {
    struct change *changes = calloc(n + 1, sizeof(*changes));
    if (changes == NULL)
        state->out_of_memory = true;
    return changes;
}

/* One past the last change of the same object within one instant of change `i`. */
static size_t instant_end(const struct change *changes, size_t n, size_t i) {
    size_t end = i + 1;
    while (end < n && changes[end].object == changes[i].object && !verify_is_after(changes[end].at_s, changes[i].at_s))
        end++;
    return end;
}

static void check_arcs(struct verify_state *state, const struct change *changes, size_t n) {
    double load = 0;
    size_t reported = SIZE_MAX;
    for (size_t i = 0; i < n;) {
        const size_t arc = changes[i].object;
        if (i == 0 || changes[i - 1].object != arc)
            load = 0;
        const size_t end = instant_end(changes, n, i);
        const double at_s = changes[i].at_s;
        for (; i < end; i++)
            load += changes[i].amount;
        const double capacity = state->problem->arcs[arc].capacity_bytes_per_s;
        if (load > capacity * (1 + capacity_slack_frac) && reported != arc) {
            struct violation violation = verify_violation(VIOLATION_CAPACITY, at_s, load, capacity);
            violation.arc = (long)arc;
            verify_add(state, &violation);
            reported = arc;
        }
    }
}

/* A migration's own limits: its cap, and a path at all. */
static void check_own_rate(struct verify_state *state, size_t index, double limit) {
    const struct solution_step *step = &state->solution->steps[index];
    for (size_t i = 0; i < step->n_rates; i++) {
        if (step->rates[i].bytes_per_s <= limit * (1 + capacity_slack_frac))
            continue;
        struct violation violation =
            verify_violation(VIOLATION_CAPACITY, step->rates[i].from_s, step->rates[i].bytes_per_s, limit);
        violation.step = (long)index;
        violation.vm = (long)step->vm;
        verify_add(state, &violation);
        return;
    }
}

static size_t add_rates(const struct solution_step *step, size_t arc, struct change *changes) {
    double before = 0;
    size_t n = 0;
    for (size_t i = 0; i < step->n_rates; i++) {
        const double rate = step->rates[i].bytes_per_s;
        changes[n++] = (struct change){.object = arc, .at_s = step->rates[i].from_s, .amount = rate - before};
        before = rate;
    }
    /* One that never says 0 sends until its end. */
    changes[n++] = (struct change){.object = arc, .at_s = step->end_s, .amount = -before};
    return n;
}

void verify_arcs(struct verify_state *state) {
    const struct problem *problem = state->problem;
    const struct solution *solution = state->solution;
    size_t n = 0;
    for (size_t i = 0; i < solution->n_steps; i++) {
        size_t n_arcs = 0;
        (void)problem_path(problem, solution->steps[i].from, solution->steps[i].to, &n_arcs);
        n += n_arcs * (solution->steps[i].n_rates + 1);
        check_own_rate(state, i, n_arcs > 0 ? problem->vms[solution->steps[i].vm].max_bandwidth_bytes_per_s : 0);
    }
    struct change *changes = new_changes(state, n);
    if (changes == NULL)
        return;
    n = 0;
    for (size_t i = 0; i < solution->n_steps; i++) {
        size_t n_arcs = 0;
        const uint32_t *arcs = problem_path(problem, solution->steps[i].from, solution->steps[i].to, &n_arcs);
        for (size_t k = 0; k < n_arcs; k++)
            n += add_rates(&solution->steps[i], arcs[k], changes + n);
    }
    qsort(changes, n, sizeof(*changes), compare_changes);
    check_arcs(state, changes, n);
    free(changes);
}

/* Only when something arrives: a host that is too full already may still be emptied. */
static void check_memory(struct verify_state *state, const double *memory_bytes, const struct change *changes,
                         size_t n) {
    double used = 0;
    size_t reported = SIZE_MAX;
    for (size_t i = 0; i < n;) {
        const size_t host = changes[i].object;
        if (i == 0 || changes[i - 1].object != host)
            used = memory_bytes[host];
        const size_t end = instant_end(changes, n, i);
        const double at_s = changes[i].at_s;
        bool arrives = false;
        for (; i < end; i++) {
            used += changes[i].amount;
            arrives = arrives || changes[i].amount > 0;
        }
        const double limit = state->problem->hosts[host].memory_bytes;
        if (arrives && used > limit + memory_slack_bytes && reported != host) {
            struct violation violation = verify_violation(VIOLATION_MEMORY, at_s, used, limit);
            violation.host = (long)host;
            verify_add(state, &violation);
            reported = host;
        }
    }
}

/* Object n_hosts is the whole plan. */
static void check_flights(struct verify_state *state, const struct change *changes, size_t n) {
    const struct problem *problem = state->problem;
    double flights = 0;
    size_t reported = SIZE_MAX;
    for (size_t i = 0; i < n;) {
        const size_t object = changes[i].object;
        if (i == 0 || changes[i - 1].object != object)
            flights = 0;
        const size_t end = instant_end(changes, n, i);
        const double at_s = changes[i].at_s;
        for (; i < end; i++)
            flights += changes[i].flights;
        const unsigned limit =
            object < problem->n_hosts ? problem->hosts[object].max_migrations : problem->max_parallel;
        if (limit > 0 && flights > limit + 0.5 && reported != object) {
            struct violation violation = verify_violation(VIOLATION_CONCURRENCY, at_s, flights, limit);
            violation.host = object < problem->n_hosts ? (long)object : PROBLEM_ANY;
            verify_add(state, &violation);
            reported = object;
        }
    }
}

static void check_cpu(struct verify_state *state, const double *cpu_cores, const bool *arrived) {
    const struct problem *problem = state->problem;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        const double limit = problem->hosts[host].cpu_cores;
        if (!arrived[host] || limit <= 0 || cpu_cores[host] <= limit * (1 + cpu_slack_frac))
            continue;
        struct violation violation = verify_violation(VIOLATION_CPU, 0, cpu_cores[host], limit);
        violation.host = (long)host;
        verify_add(state, &violation);
    }
}

/* Both ends of each step, at the start and at the end. */
static size_t list_changes(const struct verify_state *state, struct change *memory, struct change *flights) {
    const size_t plan = state->problem->n_hosts;
    size_t n_memory = 0;
    size_t n_flights = 0;
    for (size_t i = 0; i < state->solution->n_steps; i++) {
        const struct solution_step *step = &state->solution->steps[i];
        const double bytes = state->problem->vms[step->vm].memory_bytes;
        memory[n_memory++] = (struct change){.object = step->to, .at_s = step->start_s, .amount = bytes};
        memory[n_memory++] = (struct change){.object = step->from, .at_s = step->end_s, .amount = -bytes};
        const size_t objects[] = {step->from, step->to, plan};
        for (size_t k = 0; k < 3; k++) {
            flights[n_flights++] = (struct change){.object = objects[k], .at_s = step->start_s, .flights = 1};
            flights[n_flights++] = (struct change){.object = objects[k], .at_s = step->end_s, .flights = -1};
        }
    }
    return n_flights;
}

void verify_hosts(struct verify_state *state) {
    const struct problem *problem = state->problem;
    const size_t n_steps = state->solution->n_steps;
    double *memory_bytes = calloc(problem->n_hosts + 1, sizeof(*memory_bytes)); /* at the beginning */
    double *cpu_cores = calloc(problem->n_hosts + 1, sizeof(*cpu_cores));       /* at the end */
    bool *arrived = calloc(problem->n_hosts + 1, sizeof(*arrived));
    struct change *memory = new_changes(state, 2 * n_steps);
    struct change *flights = new_changes(state, 6 * n_steps);
    if (memory_bytes == NULL || cpu_cores == NULL || arrived == NULL || memory == NULL || flights == NULL) {
        state->out_of_memory = true;
        goto out;
    }
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        memory_bytes[problem->vms[vm].host] += problem->vms[vm].memory_bytes;
        cpu_cores[state->end_on[vm]] += problem->vms[vm].cpu_cores;
        if (state->end_on[vm] != problem->vms[vm].host)
            arrived[state->end_on[vm]] = true;
    }
    const size_t n_flights = list_changes(state, memory, flights);
    qsort(memory, 2 * n_steps, sizeof(*memory), compare_changes);
    qsort(flights, n_flights, sizeof(*flights), compare_changes);
    check_memory(state, memory_bytes, memory, 2 * n_steps);
    check_flights(state, flights, n_flights);
    check_cpu(state, cpu_cores, arrived);
out:
    free(memory_bytes);
    free(cpu_cores);
    free(arrived);
    free(memory);
    free(flights);
}
