/*
 * Waves by integer programming. Per move and wave: is its VM still where it was, has it
 * arrived; per move, place to park and wave: is it there. For each host and
 * wave, the memory of all that are there before or after the wave fits (a VM in flight
 * counts twice). The number of waves grows until there is an answer.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/bypass_core.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_MOVES = 20, MAX_WAVES = 6, MAX_ROW = MAX_MOVES * (2 * CORE_MAX_PARKS + 2) };

static const double gib = 1073741824.0;
static const double slack_gib = 0.5 / 1073741824.0; /* memory is in whole bytes */

/* Columns; of wave k, 1..n_waves, at [k]. In [0] and [n_waves] all are settled. */
struct columns {
    size_t waits[MAX_WAVES + 1];
    size_t arrived[MAX_WAVES + 1];
    size_t parked[CORE_MAX_PARKS][MAX_WAVES + 1];
    size_t held[CORE_MAX_PARKS][MAX_WAVES + 1]; /* parked there before or after the wave */
    size_t uses[CORE_MAX_PARKS];
};

struct wave_model {
    const struct core *core;
    struct milp *milp;
    unsigned n_waves;
    struct columns columns[MAX_MOVES];
};

static enum dc_status add_row(struct wave_model *model, double lower, double upper, size_t n, const size_t *columns,
                              const double *values, struct dc_error *err) {
    return milp_add_row(model->milp, lower, upper, n, columns, values, err);
}

/* a <= b */
static enum dc_status add_at_most(struct wave_model *model, size_t a, size_t b, struct dc_error *err) {
    return add_row(model, -INFINITY, 0, 2, (size_t[]){a, b}, (double[]){1, -1}, err);
}

static enum dc_status add_columns(struct wave_model *model, size_t index, struct dc_error *err) {
    const struct core_move *move = &model->core->moves[index];
    struct columns *columns = &model->columns[index];
    enum dc_status rc = DC_OK;
    for (unsigned k = 0; rc == DC_OK && k <= model->n_waves; k++) {
        const bool first = k == 0, last = k == model->n_waves;
        rc = milp_add_column(model->milp, MILP_INTEGER, first, !last, 0, &columns->waits[k], err);
        if (rc == DC_OK)
            rc = milp_add_column(model->milp, MILP_INTEGER, last, !first, 0, &columns->arrived[k], err);
        for (size_t p = 0; rc == DC_OK && p < move->n_parks; p++) {
            rc = milp_add_column(model->milp, MILP_INTEGER, 0, !first && !last, 0, &columns->parked[p][k], err);
            if (rc == DC_OK)
                rc = milp_add_column(model->milp, MILP_CONTINUOUS, 0, 1, 0, &columns->held[p][k], err);
        }
    }
    for (size_t p = 0; rc == DC_OK && p < move->n_parks; p++)
        rc = milp_add_column(model->milp, MILP_INTEGER, 0, 1, move->bytes / gib, &columns->uses[p], err);
    return rc;
}

/* In one place at a time, never back, over one place to park at most. */
static enum dc_status add_move_rows(struct wave_model *model, size_t index, struct dc_error *err) {
    const struct core_move *move = &model->core->moves[index];
    const struct columns *columns = &model->columns[index];
    static const double ones[CORE_MAX_PARKS + 2] = {1, 1, 1, 1, 1, 1};
    enum dc_status rc = DC_OK;
    if (move->n_parks > 0)
        rc = add_row(model, 0, 1, move->n_parks, columns->uses, ones, err);
    for (unsigned k = 0; rc == DC_OK && k <= model->n_waves; k++) {
        size_t row[CORE_MAX_PARKS + 2] = {columns->waits[k], columns->arrived[k]};
        for (size_t p = 0; p < move->n_parks; p++)
            row[2 + p] = columns->parked[p][k];
        rc = add_row(model, 1, 1, 2 + move->n_parks, row, ones, err);
        if (k == 0)
            continue;
        if (rc == DC_OK)
            rc = add_at_most(model, columns->waits[k], columns->waits[k - 1], err);
        if (rc == DC_OK)
            rc = add_at_most(model, columns->arrived[k - 1], columns->arrived[k], err);
        for (size_t p = 0; rc == DC_OK && p < move->n_parks; p++) {
            rc = add_at_most(model, columns->parked[p][k], columns->uses[p], err);
            if (rc == DC_OK)
                rc = add_at_most(model, columns->parked[p][k], columns->held[p][k], err);
            if (rc == DC_OK)
                rc = add_at_most(model, columns->parked[p][k - 1], columns->held[p][k], err);
        }
    }
    return rc;
}

struct row {
    size_t n;
    size_t columns[MAX_ROW];
    double values[MAX_ROW];
};

static void add_term(struct row *row, size_t column, double value) {
    row->columns[row->n] = column;
    row->values[row->n++] = value;
}

/* What the host must hold during wave k. */
static enum dc_status add_memory_row(struct wave_model *model, size_t host, unsigned k, struct dc_error *err) {
    struct row row = {.n = 0};
    double room_gib = model->core->free_bytes[host] / gib;
    for (size_t i = 0; i < model->core->n_moves; i++) {
        const struct core_move *move = &model->core->moves[i];
        const double move_gib = move->bytes / gib;
        if (move->from == host) {
            room_gib += move_gib;
            add_term(&row, model->columns[i].waits[k - 1], move_gib);
        }
        if (move->to == host)
            add_term(&row, model->columns[i].arrived[k], move_gib);
        for (size_t p = 0; p < move->n_parks; p++)
            if (move->parks[p] == host)
                add_term(&row, model->columns[i].held[p][k], move_gib);
    }
    if (row.n == 0)
        return DC_OK;
    return add_row(model, -INFINITY, room_gib + slack_gib, row.n, row.columns, row.values, err);
}

static enum dc_status build(struct wave_model *model, struct dc_error *err) {
    enum dc_status rc = milp_new(&model->milp, err);
    for (size_t i = 0; rc == DC_OK && i < model->core->n_moves; i++)
        rc = add_columns(model, i, err);
    for (size_t i = 0; rc == DC_OK && i < model->core->n_moves; i++)
        rc = add_move_rows(model, i, err);
    for (size_t host = 0; rc == DC_OK && host < model->core->n_hosts; host++)
        for (unsigned k = 1; rc == DC_OK && k <= model->n_waves; k++)
            rc = add_memory_row(model, host, k, err);
    return rc;
}

static bool is_set(const struct wave_model *model, size_t column) {
    return milp_value(model->milp, column) > 0.5;
}

static void read_waves(const struct wave_model *model, struct core *core) {
    for (size_t i = 0; i < core->n_moves; i++) {
        struct core_move *move = &core->moves[i];
        const struct columns *columns = &model->columns[i];
        move->park = PROBLEM_ANY;
        move->parked_in_wave = 0;
        move->arrives_in_wave = model->n_waves;
        for (unsigned k = model->n_waves; k >= 1; k--) {
            if (is_set(model, columns->arrived[k]))
                move->arrives_in_wave = k;
            for (size_t p = 0; p < move->n_parks; p++) {
                if (!is_set(model, columns->parked[p][k]))
                    continue;
                move->park = (long)move->parks[p];
                move->parked_in_wave = k;
            }
        }
    }
}

enum dc_status core_solve_exactly(struct core *core, const struct milp_limits *limits, bool *solved_out,
                                  struct dc_error *err) {
    *solved_out = false;
    if (core->n_moves == 0 || core->n_moves > MAX_MOVES)
        return DC_OK;
    struct wave_model *model = calloc(1, sizeof(*model));
    enum dc_status rc = model == NULL ? error_set_nomem(err) : DC_OK;
    for (unsigned n_waves = 1; rc == DC_OK && n_waves <= MAX_WAVES; n_waves++) {
        struct milp_result result = {0};
        struct dc_error foreign = DC_ERROR_NONE;
        *model = (struct wave_model){.core = core, .n_waves = n_waves};
        rc = build(model, err);
        /* Without the solver there is still the greedy's answer. */
        if (rc == DC_OK && milp_solve(model->milp, limits, NULL, &result, &foreign) != DC_OK)
            result.status = MILP_LIMIT;
        *solved_out = result.status == MILP_OPTIMAL || result.status == MILP_FEASIBLE;
        if (*solved_out)
            read_waves(model, core);
        milp_free(&model->milp);
        if (*solved_out || result.status != MILP_INFEASIBLE)
            break;
    }
    free(model);
    return rc;
}
