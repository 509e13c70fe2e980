/*
 * Small fleets exactly. The excess of a host that is over in the beginning may stay, not grow;
 * no other host may get any. It costs far more than any move, so moves are only
 * saved where that leaves no more of it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/rebalance_state.h"

#include "base/vec.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_CELLS = 600, NODES = 2000 };

static const double excess_cost = 1e3;    /* of all of a host's memory or cores; a move costs 1 */
static const double bytes_cost = 0.1;     /* of all bytes that could be moved: decides among as few moves */
static const double row_tolerance = 1e-9; /* of a host */

struct cell {
    size_t vm, host, column;
};

struct balance_model {
    struct balance *balance;
    struct milp *milp;
    size_t n_cells;
    struct cell *cells;
    double *start;
    size_t *columns;
    double *values;
    double all_bytes;
};

static bool may_move_to(const struct balance *balance, size_t vm, size_t host) {
    return host != balance->problem->vms[vm].host && balance_is_candidate(balance, vm, host);
}

static size_t count_cells(const struct balance *balance) {
    size_t n = 0;
    for (size_t vm = 0; vm < balance->problem->n_vms && n <= MOST_CELLS; vm++)
        for (size_t host = 0; balance->is_free[vm] && host < balance->problem->n_hosts; host++)
            n += may_move_to(balance, vm, host);
    return n;
}

static enum dc_status add_cells(struct balance_model *model, struct dc_error *err) {
    const struct balance *balance = model->balance;
    enum dc_status rc = DC_OK;
    for (size_t vm = 0; rc == DC_OK && vm < balance->problem->n_vms; vm++) {
        size_t n = 0;
        for (size_t host = 0; rc == DC_OK && balance->is_free[vm] && host < balance->problem->n_hosts; host++) {
            if (!may_move_to(balance, vm, host))
                continue;
            struct cell *cell = &model->cells[model->n_cells++];
            *cell = (struct cell){.vm = vm, .host = host};
            const double cost = 1 + bytes_cost * balance->problem->vms[vm].memory_bytes / model->all_bytes;
            rc = milp_add_column(model->milp, MILP_INTEGER, 0, 1, cost, &cell->column, err);
            model->start[cell->column] = balance->to[vm] == host;
            model->columns[n] = cell->column;
            model->values[n++] = 1;
        }
        if (rc == DC_OK && n > 1)
            rc = milp_add_row(model->milp, -INFINITY, 1, n, model->columns, model->values, err);
    }
    return rc;
}

/* One resource of one host, in shares of it: what is there at first, and comes, and goes, within limit and excess. */
static enum dc_status add_load_row(struct balance_model *model, size_t host, bool cores, struct dc_error *err) {
    const struct balance *balance = model->balance;
    const struct problem *problem = balance->problem;
    const double whole = cores ? problem->hosts[host].cpu_cores : problem->hosts[host].memory_bytes;
    const double limit = cores ? balance->options->max_cpu_frac : balance->options->max_memory_frac;
    double first = 0, end = 0;
    size_t n = 0, excess = 0;
    if (whole <= 0)
        return DC_OK;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        const double share = (cores ? problem->vms[vm].cpu_cores : problem->vms[vm].memory_bytes) / whole;
        first += problem->vms[vm].host == host ? share : 0;
        end += balance->to[vm] == host ? share : 0;
    }
    for (size_t k = 0; k < model->n_cells; k++) {
        const struct cell *cell = &model->cells[k];
        const struct problem_vm *vm = &problem->vms[cell->vm];
        const double share = (cores ? vm->cpu_cores : vm->memory_bytes) / whole;
        if (cell->host != host && vm->host != host)
            continue;
        model->columns[n] = cell->column;
        model->values[n++] = cell->host == host ? share : -share;
    }
    enum dc_status rc =
        milp_add_column(model->milp, MILP_CONTINUOUS, 0, fmax(0, first - limit), excess_cost, &excess, err);
    if (rc != DC_OK)
        return rc;
    model->start[excess] = fmax(0, end - limit);
    model->columns[n] = excess;
    model->values[n++] = -1;
    return milp_add_row(model->milp, -INFINITY, limit - first + row_tolerance, n, model->columns, model->values, err);
}

static enum dc_status add_spread_rows(struct balance_model *model, const struct problem_rule *rule, size_t host,
                                      struct dc_error *err) {
    const struct problem *problem = model->balance->problem;
    double there = 0;
    size_t n = 0;
    bool comes = false;
    for (size_t i = 0; i < rule->n_vms; i++)
        there += problem->vms[rule->vms[i]].host == host;
    for (size_t k = 0; k < model->n_cells; k++) {
        const struct cell *cell = &model->cells[k];
        const size_t home = problem->vms[cell->vm].host;
        if (!vec_has(rule->vms, rule->n_vms, cell->vm) || (cell->host != host && home != host))
            continue;
        comes = comes || cell->host == host;
        model->columns[n] = cell->column;
        model->values[n++] = cell->host == host ? 1 : -1;
    }
    if (!comes)
        return DC_OK;
    return milp_add_row(model->milp, -INFINITY, fmax(1, there) - there, n, model->columns, model->values, err);
}

static enum dc_status build(struct balance_model *model, struct dc_error *err) {
    const struct problem *problem = model->balance->problem;
    enum dc_status rc = milp_new(&model->milp, err);
    if (rc == DC_OK)
        rc = add_cells(model, err);
    for (size_t host = 0; rc == DC_OK && host < problem->n_hosts; host++) {
        rc = add_load_row(model, host, false, err);
        if (rc == DC_OK)
            rc = add_load_row(model, host, true, err);
        for (size_t r = 0; rc == DC_OK && r < problem->n_rules; r++)
            if (problem->rules[r].type == PROBLEM_SPREAD)
                rc = add_spread_rows(model, &problem->rules[r], host, err);
    }
    return rc;
}

static double cost_of(const struct balance_model *model) {
    const struct balance *balance = model->balance;
    double cost = 0;
    for (size_t vm = 0; vm < balance->problem->n_vms; vm++)
        if (balance->to[vm] != balance->problem->vms[vm].host)
            cost += 1 + bytes_cost * balance->problem->vms[vm].memory_bytes / model->all_bytes;
    for (size_t host = 0; host < balance->problem->n_hosts; host++)
        cost += excess_cost * balance_excess_frac(balance, host);
    return cost;
}

/* What the program found, if it is better. */
static enum dc_status take(struct balance_model *model, struct dc_error *err) {
    struct balance *balance = model->balance;
    const size_t n_vms = balance->problem->n_vms;
    const double before = cost_of(model);
    size_t *was = calloc(n_vms + 1, sizeof(*was));
    if (was == NULL)
        return error_set_nomem(err);
    for (size_t vm = 0; vm < n_vms; vm++) {
        was[vm] = balance->to[vm];
        balance_move(balance, vm, balance->problem->vms[vm].host);
    }
    for (size_t k = 0; k < model->n_cells; k++)
        if (milp_value(model->milp, model->cells[k].column) > 0.5)
            balance_move(balance, model->cells[k].vm, model->cells[k].host);
    const bool worse = cost_of(model) > before;
    for (size_t vm = 0; worse && vm < n_vms; vm++)
        balance_move(balance, vm, was[vm]);
    free(was);
    return DC_OK;
}

static enum dc_status solve_model(struct balance_model *model, bool *proved_out, struct dc_error *err) {
    struct milp_limits limits = model->balance->options->limits;
    struct milp_result result = {0};
    struct dc_error foreign = DC_ERROR_NONE;
    limits.n_nodes = NODES;
    limits.gap_frac = 1e-6;
    enum dc_status rc = build(model, err);
    if (rc != DC_OK || milp_solve(model->milp, &limits, model->start, &result, &foreign) != DC_OK)
        return rc; /* without the solver there is still the greedy's answer */
    *proved_out = result.status == MILP_OPTIMAL;
    return result.status == MILP_OPTIMAL || result.status == MILP_FEASIBLE ? take(model, err) : DC_OK;
}

enum dc_status balance_solve_exactly(struct balance *balance, bool *proved_out, struct dc_error *err) {
    const size_t n_cells = count_cells(balance);
    const size_t n_columns = n_cells + 2 * balance->problem->n_hosts + 1;
    *proved_out = n_cells == 0;
    if (n_cells == 0 || n_cells > MOST_CELLS)
        return DC_OK;
    struct balance_model model = {
        .balance = balance,
        .cells = calloc(n_cells, sizeof(*model.cells)),
        .start = calloc(n_columns, sizeof(*model.start)),
        .columns = calloc(n_columns, sizeof(*model.columns)),
        .values = calloc(n_columns, sizeof(*model.values)),
    };
    for (size_t vm = 0; vm < balance->problem->n_vms; vm++)
        model.all_bytes += balance->problem->vms[vm].memory_bytes;
    enum dc_status rc = DC_ENOMEM;
    if (model.cells != NULL && model.start != NULL && model.columns != NULL && model.values != NULL)
        rc = solve_model(&model, proved_out, err);
    else
        (void)error_set_nomem(err);
    milp_free(&model.milp);
    free(model.cells);
    free(model.start);
    free(model.columns);
    free(model.values);
    return rc;
}
