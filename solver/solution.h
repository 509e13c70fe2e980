/*
 * What the solver answers: steps with their rates, the bound with what proves
 * it, or the conflicts that make an answer impossible.
 *
 * Units: seconds from the plan's start, bytes, bytes/s. Indices are those of
 * the problem.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"
#include "solver/problem.h"

enum solution_status {
    SOLUTION_OPTIMAL, /* makespan equals the bound (within 0.1%) */
    SOLUTION_FEASIBLE,
    SOLUTION_PARTIAL, /* some VMs cannot move, the others are planned */
    SOLUTION_INFEASIBLE,
};

struct solution_rate {
    double from_s;
    double bytes_per_s;
};

struct solution_step {
    size_t vm;
    size_t from;
    size_t to;
    bool hop;
    double start_s;
    double end_s;
    double downtime_s; /* as planned, at the quantile planned with */
    double downtime_p50_s;
    double duration_p50_s; /* the same step in the p50 schedule */
    double bytes;          /* sum of rate x time */
    size_t n_rates;        /* 0 for a VM with nothing to send; the last entry is 0 bytes/s, after the last page */
    struct solution_rate *rates;
    size_t n_after; /* indices of the steps that must have ended */
    size_t *after;
};

enum solution_bound_kind {
    SOLUTION_BOUND_NONE,
    SOLUTION_BOUND_ARC,        /* LB1: setup + sum of volumes over an arc / capacity + tail */
    SOLUTION_BOUND_VM,         /* LB1: the longest single migration at its best bandwidth */
    SOLUTION_BOUND_HOST,       /* LB1: sum of durations on a host / its concurrency */
    SOLUTION_BOUND_PLACEMENT,  /* LB2: the placement LP (destinations still free) */
    SOLUTION_BOUND_MEMORY,     /* LB3: memory held twice over time / the memory there is for it */
    SOLUTION_BOUND_STEP_MODEL, /* LB4: the malleable step model */
};

struct solution_bound {
    enum solution_bound_kind kind;
    size_t index; /* arc, VM or host */
    double value_s;
    /* The terms of kind ARC: value = setup + volume / capacity + tail; of kind
     * HOST: value = work_s / slots; of kind MEMORY: value = held_byte_s / free_bytes. 0 where they do not apply. */
    double setup_s, volume_bytes, capacity_bytes_per_s, tail_s, work_s, slots, held_byte_s, free_bytes;
    double small_bytes; /* of kind MEMORY: VMs below it do not count, those with less than it to spare count as all */
};

/* What proves a bound of kind PLACEMENT, by weak duality (solver/certificate.h): prices in seconds of makespan. NULL
 * where there are none. */
struct solution_prices {
    double *arc_s_per_byte;    /* [n_arcs]: of a byte sent over the arc */
    double *slot_s_per_s;      /* [n_hosts]: of a second of a host's migration slot */
    double *memory_s_per_byte; /* [n_hosts]: of a byte of the memory free at the end */
};

enum solution_conflict_kind {
    CONFLICT_NO_CONVERGENCE,  /* vm: at no bandwidth */
    CONFLICT_DOWNTIME_BUDGET, /* vm: needed_s at best, available_s is the budget */
    CONFLICT_BANDWIDTH,       /* vm: needs needed bytes/s, the path to its host gives available */
    CONFLICT_NO_PATH,         /* vm, host */
    CONFLICT_NO_HOST,         /* vm: no host is allowed (rule: the one that bans the last, else PROBLEM_ANY) */
    CONFLICT_MEMORY,          /* vm (or PROBLEM_ANY: all together), host (or PROBLEM_ANY): bytes needed, available */
    CONFLICT_CPU,             /* the same in cores */
    CONFLICT_RULE,            /* rule, vm */
    CONFLICT_DEADLINE,        /* needed: the bound in s, available: the deadline; makespan of the best plan in best */
    CONFLICT_DEADLOCK,        /* vm, host: memory frees only after a cycle of moves; needs a bypass hop */
};

struct solution_conflict {
    enum solution_conflict_kind kind;
    long vm, host, rule; /* PROBLEM_ANY where not concerned */
    double needed;
    double available;
    double best; /* what would be enough, where known, else 0 */
};

/* What repeated runs with drawn durations say of the plan (solver/robust.h); no runs: nothing. */
struct solution_forecast {
    size_t n_runs;
    bool decoded; /* each run decoded anew; else the plan's makespan scaled by its load */
    double makespan_s[PROBLEM_N_QUANTILES];
    double deadline_met_frac; /* share of runs within the deadline */
};

struct solution {
    enum solution_status status;
    double makespan_s[PROBLEM_N_QUANTILES];
    struct solution_bound bound;
    struct solution_forecast forecast;
    struct solution_prices prices;
    size_t n_bound_vms; /* what the bound is about */
    size_t *bound_vms;
    double gap_frac; /* makespan / bound - 1, at the quantile planned with; 0 without steps, INFINITY without a bound */
    size_t n_steps;
    struct solution_step *steps; /* by start, then VM */
    size_t n_conflicts;
    struct solution_conflict *conflicts;
    bool time_limit_hit;
    bool cancelled; /* the best plan so far is in it all the same */
};

void solution_dispose(struct solution *solution);
void solution_prices_dispose(struct solution_prices *prices);

/* Appends a conflict. */
DC_WARN_UNUSED enum dc_status solution_add_conflict(struct solution *solution, const struct solution_conflict *conflict,
                                                    struct dc_error *err);
