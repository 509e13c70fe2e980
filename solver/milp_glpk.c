/*
 * MILPs by GLPK, the only file that knows it.
 *
 * GLPK ends the process on misuse and on lack of memory. So every solve has an
 * environment of its own (GLPK keeps one a thread): an error hook jumps back, then
 * glp_free_env() throws away whatever state the environment was left in. The program
 * itself is kept in plain arrays here and survives that.
 *
 * Integer programs run without presolve, root LP first: only then do columns in
 * the callback mean ours, and a start can be offered.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/milp.h"

#include "base/clock.h"
#include "base/vec.h"

#include <glpk.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const double row_tolerance = 1e-6;     /* of a start, relative to the row's size */
static const double integer_tolerance = 1e-5; /* GLPK's own */

struct column {
    enum milp_column kind;
    double lower, upper, cost;
};

struct row {
    double lower, upper;
    size_t begin, n; /* of `entries` */
};

struct entry {
    size_t column;
    double coefficient;
};

struct milp {
    size_t n_columns, columns_capacity;
    struct column *columns;
    size_t n_rows, rows_capacity;
    struct row *rows;
    size_t n_entries, entries_capacity;
    struct entry *entries;
    double *values; /* n_columns of the last solution, or NULL */
    double *duals;  /* n_rows of the last LP, or NULL */
};

enum { RUN_TEXT_BYTES = 160 };

/* One call of the solver. */
struct run {
    jmp_buf escape;
    const struct milp *milp;
    const struct milp_limits *limits; /* or NULL */
    double end_s;                     /* on the monotonic clock */
    double *start;                    /* checked, 1-based as GLPK wants it; or NULL */
    double *values, *duals;
    int *entry_rows, *entry_columns; /* 1-based triplets */
    double *entry_values;
    size_t n_nodes;
    double bound; /* proved by the tree so far */
    bool start_offered;
    bool infeasible_bounds; /* an integer column without an integer within its bounds */
    char text[RUN_TEXT_BYTES];
};

enum dc_status milp_new(struct milp **milp_out, struct dc_error *err) {
    *milp_out = calloc(1, sizeof **milp_out);
    return *milp_out == NULL ? error_set_nomem(err) : DC_OK;
}

void milp_free(struct milp **milp) {
    if (*milp == NULL)
        return;
    free((*milp)->columns);
    free((*milp)->rows);
    free((*milp)->entries);
    free((*milp)->values);
    free((*milp)->duals);
    free(*milp);
    *milp = NULL;
}

static bool bounds_ok(double lower, double upper) {
    return !isnan(lower) && !isnan(upper) && lower <= upper && lower < INFINITY && upper > -INFINITY;
}

enum dc_status milp_add_column(struct milp *milp, enum milp_column kind, double lower, double upper, double cost,
                               size_t *column_out, struct dc_error *err) {
    if (!bounds_ok(lower, upper) || !isfinite(cost))
        return error_set(err, DC_EINVAL, "column %zu: bounds %g..%g, cost %g", milp->n_columns, lower, upper, cost);
    void *columns = milp->columns;
    if (!vec_reserve(&columns, &milp->columns_capacity, milp->n_columns + 1, sizeof *milp->columns))
        return error_set_nomem(err);
    milp->columns = columns;
    milp->columns[milp->n_columns] = (struct column){kind, lower, upper, cost};
    if (column_out != NULL)
        *column_out = milp->n_columns;
    milp->n_columns++;
    free(milp->values);
    milp->values = NULL;
    return DC_OK;
}

enum dc_status milp_add_row(struct milp *milp, double lower, double upper, size_t n, const size_t *columns,
                            const double *coefficients, struct dc_error *err) {
    if (!bounds_ok(lower, upper))
        return error_set(err, DC_EINVAL, "row %zu: bounds %g..%g", milp->n_rows, lower, upper);
    for (size_t i = 0; i < n; i++) {
        if (columns[i] >= milp->n_columns || !isfinite(coefficients[i]))
            return error_set(err, DC_EINVAL, "row %zu: %g x column %zu of %zu", milp->n_rows, coefficients[i],
                             columns[i], milp->n_columns);
    }
    void *rows = milp->rows;
    if (!vec_reserve(&rows, &milp->rows_capacity, milp->n_rows + 1, sizeof *milp->rows))
        return error_set_nomem(err);
    milp->rows = rows;
    void *entries = milp->entries;
    if (!vec_reserve(&entries, &milp->entries_capacity, milp->n_entries + n, sizeof *milp->entries))
        return error_set_nomem(err);
    milp->entries = entries;
    milp->rows[milp->n_rows++] = (struct row){lower, upper, milp->n_entries, n};
    free(milp->duals);
    milp->duals = NULL;
    for (size_t i = 0; i < n; i++)
        milp->entries[milp->n_entries++] = (struct entry){columns[i], coefficients[i]};
    return DC_OK;
}

double milp_value(const struct milp *milp, size_t column) {
    return milp->values == NULL || column >= milp->n_columns ? 0 : milp->values[column];
}

size_t milp_n_rows(const struct milp *milp) {
    return milp->n_rows;
}

double milp_dual(const struct milp *milp, size_t row) {
    return milp->duals == NULL || row >= milp->n_rows ? 0 : milp->duals[row];
}

/* GLPK prints its last words before it calls the error hook; they go into the
 * error's text instead of onto the terminal. */
static int on_print(void *context, const char *text) {
    struct run *run = context;
    if (run->text[0] == '\0') {
        strncpy(run->text, text, sizeof run->text - 1);
        run->text[strcspn(run->text, "\n")] = '\0';
    }
    return 1;
}

static void on_error(void *context) {
    struct run *run = context;
    longjmp(run->escape, 1);
}

static int bounds_type(double lower, double upper) {
    if (isinf(lower) && isinf(upper))
        return GLP_FR;
    if (isinf(upper))
        return GLP_LO;
    if (isinf(lower))
        return GLP_UP;
    return lower < upper ? GLP_DB : GLP_FX;
}

static void build_columns(struct run *run, glp_prob *prob, bool integer) {
    const struct milp *milp = run->milp;
    if (milp->n_columns > 0)
        glp_add_cols(prob, (int)milp->n_columns);
    for (size_t i = 0; i < milp->n_columns; i++) {
        const struct column *column = &milp->columns[i];
        double lower = column->lower, upper = column->upper;
        if (integer && column->kind == MILP_INTEGER) {
            glp_set_col_kind(prob, (int)i + 1, GLP_IV);
            lower = ceil(lower - integer_tolerance); /* GLPK refuses fractional bounds */
            upper = floor(upper + integer_tolerance);
            if (lower > upper)
                run->infeasible_bounds = true;
        }
        glp_set_col_bnds(prob, (int)i + 1, bounds_type(lower, upper), lower, upper);
        glp_set_obj_coef(prob, (int)i + 1, column->cost);
    }
}

static glp_prob *build(struct run *run, bool integer) {
    const struct milp *milp = run->milp;
    glp_prob *prob = glp_create_prob();
    build_columns(run, prob, integer);
    if (milp->n_rows > 0)
        glp_add_rows(prob, (int)milp->n_rows);
    size_t n = 0;
    for (size_t i = 0; i < milp->n_rows; i++) {
        const struct row *row = &milp->rows[i];
        glp_set_row_bnds(prob, (int)i + 1, bounds_type(row->lower, row->upper), row->lower, row->upper);
        for (size_t k = row->begin; k < row->begin + row->n; k++) {
            if (milp->entries[k].coefficient == 0)
                continue;
            n++;
            run->entry_rows[n] = (int)i + 1;
            run->entry_columns[n] = (int)milp->entries[k].column + 1;
            run->entry_values[n] = milp->entries[k].coefficient;
        }
    }
    glp_load_matrix(prob, (int)n, run->entry_rows, run->entry_columns, run->entry_values);
    return prob;
}

static int time_left_ms(const struct run *run) {
    double left_s = run->end_s - clock_monotonic_s();
    if (left_s <= 0)
        return 0;
    return left_s > 1e6 ? INT_MAX : (int)ceil(left_s * 1e3);
}

/* The root LP. True where the integer search can go on from it; else `result`
 * holds the answer, or DC_ESOLVER is set. */
static bool solve_root(struct run *run, glp_prob *prob, bool presolve, struct milp_result *result,
                       enum dc_status *rc_out, struct dc_error *err) {
    glp_smcp control;
    glp_init_smcp(&control);
    control.msg_lev = GLP_MSG_OFF;
    control.presolve = presolve ? GLP_ON : GLP_OFF;
    control.tm_lim = time_left_ms(run);
    if (control.tm_lim == 0)
        return false; /* GLPK would take 0 for at once, too */
    int r = glp_simplex(prob, &control);
    if (r == GLP_ESING || r == GLP_ECOND || r == GLP_EFAIL || r == GLP_EBADB) {
        glp_adv_basis(prob, 0); /* numerically stuck: once more, from another corner */
        r = glp_simplex(prob, &control);
    }
    if (r == GLP_ENOPFS)
        result->status = MILP_INFEASIBLE;
    else if (r == GLP_ENODFS)
        result->status = MILP_UNBOUNDED;
    else if (r == GLP_ETMLIM || r == GLP_EITLIM)
        result->status = MILP_LIMIT;
    else if (r != 0)
        *rc_out = error_set(err, DC_ESOLVER, "GLPK: simplex failed (code %d)", r);
    if (r != 0)
        return false;
    switch (glp_get_status(prob)) {
    case GLP_OPT:
        return true;
    case GLP_NOFEAS:
        result->status = MILP_INFEASIBLE;
        return false;
    case GLP_UNBND:
        result->status = MILP_UNBOUNDED;
        return false;
    default:
        *rc_out = error_set(err, DC_ESOLVER, "GLPK: simplex ended in doubt (status %d)", glp_get_status(prob));
        return false;
    }
}

static void on_tree(glp_tree *tree, void *context) {
    struct run *run = context;
    int best = glp_ios_best_node(tree);
    if (best != 0 && glp_ios_node_bound(tree, best) > run->bound)
        run->bound = glp_ios_node_bound(tree, best);
    int reason = glp_ios_reason(tree);
    if (reason == GLP_IHEUR && run->start != NULL && !run->start_offered) {
        run->start_offered = true;
        glp_ios_heur_sol(tree, run->start);
    }
    if (reason == GLP_IPREPRO)
        run->n_nodes++;
    if (run->limits == NULL)
        return;
    bool over = run->limits->n_nodes != 0 && run->n_nodes > run->limits->n_nodes;
    if (over || (run->limits->cancel != NULL && atomic_load(run->limits->cancel)))
        glp_ios_terminate(tree);
}

static enum dc_status search_tree(struct run *run, glp_prob *prob, struct milp_result *result, struct dc_error *err) {
    glp_iocp control;
    glp_init_iocp(&control);
    control.msg_lev = GLP_MSG_OFF;
    control.presolve = GLP_OFF;
    control.cb_func = on_tree;
    control.cb_info = run;
    control.tm_lim = time_left_ms(run);
    if (run->limits != NULL && run->limits->gap_frac > 0)
        control.mip_gap = run->limits->gap_frac;
    run->bound = glp_get_obj_val(prob);
    int r = control.tm_lim == 0 ? GLP_ETMLIM : glp_intopt(prob, &control);
    int status = r == GLP_ETMLIM && control.tm_lim == 0 ? GLP_UNDEF : glp_mip_status(prob);
    bool limited = r == GLP_ETMLIM || r == GLP_ESTOP;
    bool found = status == GLP_OPT || status == GLP_FEAS;
    if (r != 0 && r != GLP_EMIPGAP && !limited && !found)
        return error_set(err, DC_ESOLVER, "GLPK: branch and bound failed (code %d)", r);
    if (r == 0 && status == GLP_NOFEAS) {
        result->status = MILP_INFEASIBLE;
        return DC_OK;
    }
    result->status = !found ? MILP_LIMIT : (r == 0 || r == GLP_EMIPGAP) ? MILP_OPTIMAL : MILP_FEASIBLE;
    result->bound = run->bound;
    if (!found)
        return DC_OK;
    result->objective = glp_mip_obj_val(prob);
    result->bound = r == 0 ? result->objective : fmin(run->bound, result->objective);
    for (size_t i = 0; i < run->milp->n_columns; i++) {
        double value = glp_mip_col_val(prob, (int)i + 1);
        run->values[i] = run->milp->columns[i].kind == MILP_INTEGER ? round(value) : value;
    }
    return DC_OK;
}

static enum dc_status solve_built(struct run *run, bool integer, struct milp_result *result, struct dc_error *err) {
    glp_prob *prob = build(run, integer);
    if (run->infeasible_bounds) {
        result->status = MILP_INFEASIBLE;
        return DC_OK;
    }
    enum dc_status rc = DC_OK;
    if (!solve_root(run, prob, !integer, result, &rc, err))
        return rc;
    if (integer)
        return search_tree(run, prob, result, err);
    result->status = MILP_OPTIMAL;
    result->objective = glp_get_obj_val(prob);
    result->bound = result->objective;
    for (size_t i = 0; i < run->milp->n_columns; i++)
        run->values[i] = glp_get_col_prim(prob, (int)i + 1);
    for (size_t i = 0; i < run->milp->n_rows; i++)
        run->duals[i] = glp_get_row_dual(prob, (int)i + 1);
    return DC_OK;
}

/* Nothing local lives across the jump: all state is the run's. */
static enum dc_status solve_guarded(struct run *run, bool integer, struct milp_result *result, struct dc_error *err) {
    if (setjmp(run->escape) != 0) {
        glp_free_env();
        return error_set(err, DC_ESOLVER, "GLPK: %s", run->text);
    }
    glp_term_out(GLP_OFF);
    glp_term_hook(on_print, run);
    glp_error_hook(on_error, run);
    enum dc_status rc = solve_built(run, integer, result, err);
    glp_free_env();
    return rc;
}

/* Is `start` a solution? Columns first, then every row. */
static bool start_fits(const struct milp *milp, const double *start) {
    for (size_t i = 0; i < milp->n_columns; i++) {
        const struct column *column = &milp->columns[i];
        if (!isfinite(start[i]) || start[i] < column->lower - row_tolerance || start[i] > column->upper + row_tolerance)
            return false;
        if (column->kind == MILP_INTEGER && fabs(start[i] - round(start[i])) > integer_tolerance)
            return false;
    }
    for (size_t i = 0; i < milp->n_rows; i++) {
        const struct row *row = &milp->rows[i];
        double sum = 0, size = 1;
        for (size_t k = row->begin; k < row->begin + row->n; k++) {
            double term = milp->entries[k].coefficient * start[milp->entries[k].column];
            sum += term;
            size = fmax(size, fabs(term));
        }
        if (sum < row->lower - row_tolerance * size || sum > row->upper + row_tolerance * size)
            return false;
    }
    return true;
}

static enum dc_status run_init(struct run *run, const struct milp *milp, const struct milp_limits *limits,
                               const double *start, struct dc_error *err) {
    *run = (struct run){.milp = milp, .limits = limits, .bound = -INFINITY};
    run->end_s = limits == NULL || isinf(limits->time_s) ? INFINITY : clock_monotonic_s() + limits->time_s;
    if (milp->n_columns >= INT_MAX / 2 || milp->n_rows >= INT_MAX / 2 || milp->n_entries >= INT_MAX / 2)
        return error_set(err, DC_ESOLVER, "program too large: %zu columns, %zu rows", milp->n_columns, milp->n_rows);
    run->values = calloc(milp->n_columns + 1, sizeof *run->values);
    run->duals = calloc(milp->n_rows + 1, sizeof *run->duals);
    run->entry_rows = calloc(milp->n_entries + 1, sizeof *run->entry_rows);
    run->entry_columns = calloc(milp->n_entries + 1, sizeof *run->entry_columns);
    run->entry_values = calloc(milp->n_entries + 1, sizeof *run->entry_values);
    if (run->values == NULL || run->duals == NULL || run->entry_rows == NULL || run->entry_columns == NULL ||
        run->entry_values == NULL)
        return error_set_nomem(err);
    if (start == NULL || !start_fits(milp, start))
        return DC_OK;
    run->start = calloc(milp->n_columns + 1, sizeof *run->start);
    if (run->start == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < milp->n_columns; i++)
        run->start[i + 1] = milp->columns[i].kind == MILP_INTEGER ? round(start[i]) : start[i];
    return DC_OK;
}

static enum dc_status solve(struct milp *milp, bool integer, const struct milp_limits *limits, const double *start,
                            struct milp_result *result_out, struct dc_error *err) {
    *result_out = (struct milp_result){.status = MILP_LIMIT, .bound = -INFINITY};
    free(milp->values);
    free(milp->duals);
    milp->values = milp->duals = NULL;
    if (limits != NULL && isnan(limits->time_s))
        return error_set(err, DC_EINVAL, "time limit is no number");
    struct run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return error_set_nomem(err);
    enum dc_status rc = run_init(run, milp, limits, start, err);
    if (rc == DC_OK)
        rc = solve_guarded(run, integer, result_out, err);
    if (rc == DC_OK && (result_out->status == MILP_OPTIMAL || result_out->status == MILP_FEASIBLE)) {
        milp->values = run->values;
        run->values = NULL;
        milp->duals = integer ? NULL : run->duals;
        run->duals = integer ? run->duals : NULL;
    }
    free(run->start);
    free(run->values);
    free(run->duals);
    free(run->entry_rows);
    free(run->entry_columns);
    free(run->entry_values);
    free(run);
    return rc;
}

enum dc_status milp_solve_lp(struct milp *milp, const struct milp_limits *limits, struct milp_result *result_out,
                             struct dc_error *err) {
    return solve(milp, false, limits, NULL, result_out, err);
}

enum dc_status milp_solve(struct milp *milp, const struct milp_limits *limits, const double *start,
                          struct milp_result *result_out, struct dc_error *err) {
    return solve(milp, true, limits, start, result_out, err);
}
