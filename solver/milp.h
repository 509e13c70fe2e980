/*
 * Linear and mixed-integer programs: the one door to a MILP solver. Minimises.
 * Only milp_glpk.c knows which solver stands behind it.
 *
 * A milp holds its program itself and hands it to the solver only while a call
 * solves it, so a failure of the solver harms no other milp, and several threads may
 * solve at once (one milp is used by one thread at a time). Failure or misuse of
 * the solver behind it never ends the process: it comes back as DC_ESOLVER.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct milp;

enum milp_column { MILP_CONTINUOUS, MILP_INTEGER };

enum milp_status {
    MILP_OPTIMAL,  /* proved, within gap_frac */
    MILP_FEASIBLE, /* a limit was hit with a solution at hand */
    MILP_INFEASIBLE,
    MILP_UNBOUNDED,
    MILP_LIMIT, /* a limit was hit with nothing at hand */
};

struct milp_result {
    enum milp_status status;
    double objective; /* of the solution at hand; 0 without one */
    double bound;     /* proved: no solution is below it; -INFINITY where nothing was proved */
};

struct milp_limits {
    double time_s;             /* wall time, a cut-off; INFINITY: none. Overshoots by what one node's LP takes. */
    size_t n_nodes;            /* of branch and bound; 0 = not limited. Repeats exactly, unlike the time. */
    double gap_frac;           /* stop at this relative gap */
    const atomic_bool *cancel; /* NULL, or polled between nodes */
};

DC_WARN_UNUSED enum dc_status milp_new(struct milp **milp_out, struct dc_error *err);
void milp_free(struct milp **milp);

/* Returns the column's number in `*column_out` (0, 1, ...). Bounds may be
 * infinite; NaN, lower > upper and an infinite cost are DC_EINVAL. Keep coefficients within 1e3 of each other: use GB
 * and seconds. */
DC_WARN_UNUSED enum dc_status milp_add_column(struct milp *milp, enum milp_column kind, double lower, double upper,
                                              double cost, size_t *column_out, struct dc_error *err);

/* lower <= sum coefficients[i] * column[i] <= upper. DC_EINVAL as for columns, and for an unknown column; a column
 * named twice in a row is found by the solver only (DC_ESOLVER when solved). */
DC_WARN_UNUSED enum dc_status milp_add_row(struct milp *milp, double lower, double upper, size_t n,
                                           const size_t *columns, const double *coefficients, struct dc_error *err);

/* Solves the LP relaxation. `limits` NULL: none. Only optimal results have values. */
DC_WARN_UNUSED enum dc_status milp_solve_lp(struct milp *milp, const struct milp_limits *limits,
                                            struct milp_result *result_out, struct dc_error *err);

/* Solves the program; `start` (NULL, or a value per column) is offered as a
 * first solution once it was checked against every row. */
DC_WARN_UNUSED enum dc_status milp_solve(struct milp *milp, const struct milp_limits *limits, const double *start,
                                         struct milp_result *result_out, struct dc_error *err);

/* The column's value in the last solution; 0 where the last call found none. */
double milp_value(const struct milp *milp, size_t column);

/* How many rows it has: the next milp_add_row() makes the row of that number. */
size_t milp_n_rows(const struct milp *milp);

/* What the objective gains per unit of the row's bound that is in the way, in the last optimal LP; 0 where the last
 * call found none, or solved an integer program. */
double milp_dual(const struct milp *milp, size_t row);
