/*
 * minimise  T + 20 sum u_i
 *   sum_h x_ih + u_i = 1                        every item somewhere, or given up (u)
 *   sum_i memory_i x_ih <= free_h, the same for CPU
 *   sum_i x_ih <= 1 - there already             each spread rule and host
 *   x_ih <= y_rh of its VMs, x_ih <= 1 - y_rh of others   each lonely rule and host
 *   busy_a + sum_ih seconds_iha x_ih <= T       each arc, in units of the target
 * The placement at hand is offered as the first solution.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/place_milp.h"

#include <math.h>
#include <stdlib.h>

static const double bytes_per_gb = 1e9;
static const double unplaced_cost = 20; /* targets: more than any placement can cost in time when well spread */

struct cell {
    size_t item, host, column;
};

struct place_builder {
    struct place_state *state;
    struct milp *milp;
    size_t n_cells;
    struct cell *cells;
    size_t *give_up; /* per item: its column */
    size_t time_column;
    double *start; /* per column */
    size_t *row_columns;
    double *row_values;
};

size_t place_milp_size(const struct place_state *state) {
    size_t n = 0;
    for (size_t i = 0; i < state->n_items; i++) {
        size_t first = state->item_movers[state->items[i].begin];
        n += state->candidates->begin[first + 1] - state->candidates->begin[first];
    }
    return n;
}

static enum dc_status add_columns(struct place_builder *builder, const long *hosts, struct dc_error *err) {
    struct place_state *state = builder->state;
    enum dc_status rc = milp_add_column(builder->milp, MILP_CONTINUOUS, 0, INFINITY, 1, &builder->time_column, err);
    for (size_t i = 0; rc == DC_OK && i < state->n_items; i++) {
        struct place_item *item = &state->items[i];
        rc = milp_add_column(builder->milp, MILP_CONTINUOUS, 0, 1, unplaced_cost, &builder->give_up[i], err);
        builder->start[builder->give_up[i]] = hosts[i] == PROBLEM_ANY;
        for (size_t host = 0; rc == DC_OK && host < state->problem->n_hosts; host++) {
            if (!place_state_is_candidate(state, item, host) || !place_state_fits(state, item, host, false))
                continue;
            struct cell *cell = &builder->cells[builder->n_cells++];
            *cell = (struct cell){.item = i, .host = host};
            rc = milp_add_column(builder->milp, MILP_INTEGER, 0, 1, 0, &cell->column, err);
            builder->start[cell->column] = hosts[i] == (long)host;
        }
    }
    return rc;
}

static enum dc_status add_item_rows(struct place_builder *builder, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < builder->state->n_items; i++) {
        size_t n = 0;
        builder->row_columns[n] = builder->give_up[i];
        builder->row_values[n++] = 1;
        for (size_t k = 0; k < builder->n_cells; k++) {
            if (builder->cells[k].item != i)
                continue;
            builder->row_columns[n] = builder->cells[k].column;
            builder->row_values[n++] = 1;
        }
        rc = milp_add_row(builder->milp, 1, 1, n, builder->row_columns, builder->row_values, err);
    }
    return rc;
}

/* Memory and CPU of one host. */
static enum dc_status add_host_rows(struct place_builder *builder, size_t host, struct dc_error *err) {
    const struct place_state *state = builder->state;
    enum dc_status rc = DC_OK;
    for (int cpu = 0; rc == DC_OK && cpu <= 1; cpu++) {
        double room = cpu ? state->free_cores[host] : state->free_bytes[host] / bytes_per_gb, wanted = 0;
        size_t n = 0;
        for (size_t k = 0; k < builder->n_cells; k++) {
            const struct place_item *item = &state->items[builder->cells[k].item];
            if (builder->cells[k].host != host)
                continue;
            builder->row_columns[n] = builder->cells[k].column;
            builder->row_values[n] = cpu ? item->cpu_cores : item->memory_bytes / bytes_per_gb;
            wanted += builder->row_values[n++];
        }
        if (wanted > room)
            rc = milp_add_row(builder->milp, -INFINITY, room, n, builder->row_columns, builder->row_values, err);
    }
    return rc;
}

static unsigned n_in_spread(const struct place_state *state, const struct place_item *item, size_t spread) {
    unsigned n = 0;
    for (size_t i = item->begin; i < item->begin + item->n; i++)
        n += state->in_spread[spread * state->candidates->n_movers + state->item_movers[i]];
    return n;
}

static enum dc_status add_spread_rows(struct place_builder *builder, size_t host, struct dc_error *err) {
    const struct place_state *state = builder->state;
    enum dc_status rc = DC_OK;
    for (size_t s = 0; rc == DC_OK && s < state->n_spreads; s++) {
        size_t n = 0;
        for (size_t k = 0; k < builder->n_cells; k++) {
            if (builder->cells[k].host != host || n_in_spread(state, &state->items[builder->cells[k].item], s) == 0)
                continue;
            builder->row_columns[n] = builder->cells[k].column;
            builder->row_values[n++] = 1;
        }
        if (n > 1)
            rc = milp_add_row(builder->milp, -INFINITY, 1, n, builder->row_columns, builder->row_values, err);
    }
    return rc;
}

/* The host is the rule's VMs' (y) or the others'. */
static enum dc_status add_lonely_rows(struct place_builder *builder, size_t host, struct dc_error *err) {
    const struct place_state *state = builder->state;
    enum dc_status rc = DC_OK;
    for (size_t l = 0; rc == DC_OK && l < state->n_lonelies; l++) {
        size_t ours = 0;
        rc = milp_add_column(builder->milp, MILP_INTEGER, 0, 1, 0, &ours, err);
        for (size_t k = 0; rc == DC_OK && k < builder->n_cells; k++) {
            const struct cell *cell = &builder->cells[k];
            const size_t first = state->item_movers[state->items[cell->item].begin];
            if (cell->host != host)
                continue;
            /* An item is of one kind: others were no cells. */
            const bool member = state->in_lonely[l * state->candidates->n_movers + first] != 0;
            rc = milp_add_row(builder->milp, -INFINITY, member ? 0 : 1, 2, (size_t[]){cell->column, ours},
                              (double[]){1, member ? -1 : 1}, err);
            if (member && builder->start[cell->column] > 0)
                builder->start[ours] = 1;
        }
    }
    return rc;
}

/* Seconds that the cell keeps `arc` busy, in targets. */
static double cell_load(const struct place_state *state, const struct cell *cell, size_t arc) {
    const struct place_item *item = &state->items[cell->item];
    double load = 0;
    for (size_t i = item->begin; i < item->begin + item->n; i++) {
        size_t mover = state->item_movers[i], n_arcs = 0;
        size_t from = state->problem->vms[state->candidates->vm[mover]].host;
        const uint32_t *arcs = problem_path(state->problem, from, cell->host, &n_arcs);
        for (size_t k = 0; k < n_arcs; k++) {
            if (arcs[k] == arc)
                load += candidates_at(state->candidates, mover, cell->host)->volume_bytes /
                        state->problem->arcs[arc].capacity_bytes_per_s / state->target_s;
        }
    }
    return load;
}

static enum dc_status add_arc_rows(struct place_builder *builder, struct dc_error *err) {
    const struct place_state *state = builder->state;
    enum dc_status rc = DC_OK;
    for (size_t arc = 0; rc == DC_OK && arc < state->problem->n_arcs; arc++) {
        size_t n = 0;
        for (size_t k = 0; k < builder->n_cells; k++) {
            double load = cell_load(state, &builder->cells[k], arc);
            if (load <= 0)
                continue;
            builder->row_columns[n] = builder->cells[k].column;
            builder->row_values[n++] = load;
        }
        if (n == 0)
            continue;
        builder->row_columns[n] = builder->time_column;
        builder->row_values[n++] = -1;
        rc = milp_add_row(builder->milp, -INFINITY, -state->busy_s[arc] / state->target_s, n, builder->row_columns,
                          builder->row_values, err);
    }
    return rc;
}

static enum dc_status build(struct place_builder *builder, const long *hosts, double peak_s, struct dc_error *err) {
    enum dc_status rc = milp_new(&builder->milp, err);
    if (rc == DC_OK)
        rc = add_columns(builder, hosts, err);
    builder->start[builder->time_column] = peak_s / builder->state->target_s;
    if (rc == DC_OK)
        rc = add_item_rows(builder, err);
    for (size_t host = 0; rc == DC_OK && host < builder->state->problem->n_hosts; host++) {
        rc = add_host_rows(builder, host, err);
        if (rc == DC_OK)
            rc = add_spread_rows(builder, host, err);
        if (rc == DC_OK)
            rc = add_lonely_rows(builder, host, err);
    }
    return rc == DC_OK ? add_arc_rows(builder, err) : rc;
}

static void set_hosts(struct place_state *state, const long *hosts) {
    for (size_t i = 0; i < state->n_items; i++) {
        if (state->items[i].host != PROBLEM_ANY)
            place_state_take(state, &state->items[i]);
    }
    for (size_t i = 0; i < state->n_items; i++) { /* the solver has tolerances; the state has none */
        if (hosts[i] != PROBLEM_ANY && place_state_fits(state, &state->items[i], (size_t)hosts[i], false))
            place_state_put(state, &state->items[i], (size_t)hosts[i]);
    }
}

static enum dc_status solve_and_take(struct place_builder *builder, long *hosts, double peak_s,
                                     const struct milp_limits *limits, struct dc_error *err) {
    struct place_state *state = builder->state;
    size_t n_before = 0;
    for (size_t i = 0; i < state->n_items; i++)
        n_before += hosts[i] == PROBLEM_ANY;
    struct milp_result result;
    enum dc_status rc = build(builder, hosts, peak_s, err);
    if (rc == DC_OK)
        rc = milp_solve(builder->milp, limits, builder->start, &result, err);
    if (rc != DC_OK || (result.status != MILP_OPTIMAL && result.status != MILP_FEASIBLE)) {
        set_hosts(state, hosts);
        return rc;
    }
    long *found = calloc(state->n_items + 1, sizeof *found);
    if (found == NULL) {
        set_hosts(state, hosts);
        return error_set_nomem(err);
    }
    for (size_t i = 0; i < state->n_items; i++)
        found[i] = PROBLEM_ANY;
    for (size_t k = 0; k < builder->n_cells; k++) {
        if (milp_value(builder->milp, builder->cells[k].column) > 0.5)
            found[builder->cells[k].item] = (long)builder->cells[k].host;
    }
    set_hosts(state, found);
    size_t n_after = place_state_n_unplaced(state);
    if (n_after > n_before || (n_after == n_before && place_state_peak_s(state, NULL) >= peak_s))
        set_hosts(state, hosts);
    free(found);
    return DC_OK;
}

enum dc_status place_milp(struct place_state *state, const struct milp_limits *limits, struct dc_error *err) {
    size_t n_columns = place_milp_size(state) + state->n_items + 1 + state->n_lonelies * state->problem->n_hosts;
    struct place_builder builder = {.state = state};
    builder.cells = calloc(n_columns, sizeof *builder.cells);
    builder.give_up = calloc(state->n_items + 1, sizeof *builder.give_up);
    builder.start = calloc(n_columns, sizeof *builder.start);
    builder.row_columns = calloc(n_columns, sizeof *builder.row_columns);
    builder.row_values = calloc(n_columns, sizeof *builder.row_values);
    long *hosts = calloc(state->n_items + 1, sizeof *hosts);
    enum dc_status rc = DC_OK;
    if (builder.cells == NULL || builder.give_up == NULL || builder.start == NULL || builder.row_columns == NULL ||
        builder.row_values == NULL || hosts == NULL) {
        rc = error_set_nomem(err);
        goto out;
    }
    double peak_s = place_state_peak_s(state, NULL);
    for (size_t i = 0; i < state->n_items; i++) {
        hosts[i] = state->items[i].host;
        if (hosts[i] != PROBLEM_ANY)
            place_state_take(state, &state->items[i]);
    }
    struct dc_error milp_err = DC_ERROR_NONE;
    rc = solve_and_take(&builder, hosts, peak_s, limits, &milp_err);
    if (rc == DC_ENOMEM)
        error_set_nomem(err);
    else
        rc = DC_OK;
out:
    milp_free(&builder.milp);
    free(builder.cells);
    free(builder.give_up);
    free(builder.start);
    free(builder.row_columns);
    free(builder.row_values);
    free(hosts);
    return rc;
}
