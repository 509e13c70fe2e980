/*
 * Builds and solves the rack LP: cells, columns, rows.
 * Volumes and memory go in as GB, so that coefficients stay near 1.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/placement_lp_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double bytes_per_gb = 1e9;

/* Groups x classes; beyond, the simplex takes longer than the answer is worth. */
enum { MAX_CELLS = 4000, MAX_JOINT_CELLS = 40000 };

enum { ARC_PASSED = 1, ARC_LAST = 2 }; /* on the way to a candidate, and as the arc into it */

void placement_lp_dispose(struct placement_lp *lp) {
    free(lp->host_class);
    free(lp->mover_group);
    free(lp->share_bytes);
    solution_prices_dispose(&lp->prices);
    *lp = (struct placement_lp){0};
}

/* Which group may go to which class, and what that costs at least. */
static enum dc_status find_cells(struct lp_builder *builder, struct dc_error *err) {
    const struct candidates *candidates = builder->candidates;
    const struct placement_lp *out = builder->out;
    builder->cells = calloc(out->n_groups * out->n_classes + 1, sizeof *builder->cells);
    if (builder->cells == NULL)
        return error_set_nomem(err);
    for (size_t mover = 0; mover < candidates->n_movers; mover++) {
        if (out->mover_group[mover] == SIZE_MAX)
            continue;
        double least = placement_lp_least_volume(candidates, mover);
        for (size_t i = candidates->begin[mover]; i < candidates->begin[mover + 1]; i++) {
            const struct candidate *candidate = &candidates->items[i];
            size_t class = out->host_class[candidate->host];
            struct cell *cell = &builder->cells[out->mover_group[mover] * out->n_classes + class];
            double factor = candidate->volume_bytes / least, work = candidate->duration_s / least;
            cell->volume_factor = cell->used ? fmin(cell->volume_factor, factor) : factor;
            cell->work_s_per_byte = cell->used ? fmin(cell->work_s_per_byte, work) : work;
            cell->used = true;
            if (builder->classes[class].host == candidate->host) /* all hosts of a class have the same movers */
                builder->classes[class].wanted_bytes += builder->problem->vms[candidates->vm[mover]].memory_bytes;
        }
    }
    for (size_t g = 0; g < out->n_groups; g++) {
        for (size_t c = 0; c < out->n_classes; c++) {
            if (builder->cells[g * out->n_classes + c].used &&
                builder->classes[c].wanted_bytes > builder->classes[c].free_bytes)
                builder->groups[g].tight = !builder->is_joint;
        }
    }
    return DC_OK;
}

static enum dc_status add_columns(struct lp_builder *builder, double least_s, struct dc_error *err) {
    const struct placement_lp *out = builder->out;
    enum dc_status rc =
        milp_add_column(builder->milp, MILP_CONTINUOUS, least_s, INFINITY, 1, &builder->time_column, err);
    for (size_t i = 0; rc == DC_OK && i < out->n_groups * out->n_classes; i++) {
        struct cell *cell = &builder->cells[i];
        if (!cell->used)
            continue;
        rc = milp_add_column(builder->milp, MILP_CONTINUOUS, 0, INFINITY, 0, &cell->volume_column, err);
        if (rc == DC_OK && builder->groups[i / out->n_classes].tight)
            rc = milp_add_column(builder->milp, MILP_CONTINUOUS, 0, INFINITY, 0, &cell->memory_column, err);
    }
    return rc;
}

static enum dc_status add_link(struct lp_builder *builder, const struct group *group, const struct cell *cell,
                               struct dc_error *err) {
    size_t columns[2] = {cell->memory_column, cell->volume_column};
    enum dc_status rc = milp_add_row(builder->milp, 0, INFINITY, 2, columns, (double[]){1, -group->low}, err);
    if (rc == DC_OK)
        rc = milp_add_row(builder->milp, -INFINITY, 0, 2, columns, (double[]){1, -group->high}, err);
    return rc;
}

/* All of a group's volume and memory goes somewhere. */
static enum dc_status add_group_rows(struct lp_builder *builder, size_t g, struct dc_error *err) {
    const struct placement_lp *out = builder->out;
    const struct group *group = &builder->groups[g];
    enum dc_status rc = DC_OK;
    for (int memory = 0; rc == DC_OK && memory <= (group->tight ? 1 : 0); memory++) {
        size_t n = 0;
        for (size_t c = 0; rc == DC_OK && c < out->n_classes; c++) {
            const struct cell *cell = &builder->cells[g * out->n_classes + c];
            if (!cell->used)
                continue;
            builder->row_columns[n] = memory ? cell->memory_column : cell->volume_column;
            builder->row_values[n++] = 1;
            if (memory)
                rc = add_link(builder, group, cell, err);
        }
        double total = (memory ? group->memory_bytes : group->volume_bytes) / bytes_per_gb;
        if (rc == DC_OK)
            rc = milp_add_row(builder->milp, total, total, n, builder->row_columns, builder->row_values, err);
    }
    return rc;
}

static enum dc_status add_class_rows(struct lp_builder *builder, size_t c, struct dc_error *err) {
    const struct placement_lp *out = builder->out;
    struct class *class = &builder->classes[c];
    enum dc_status rc = DC_OK;
    size_t n = 0;
    class->memory_row = class->slot_row = SIZE_MAX;
    for (size_t g = 0; g < out->n_groups; g++) {
        const struct cell *cell = &builder->cells[g * out->n_classes + c];
        const struct group *group = &builder->groups[g];
        if (!cell->used || (!group->tight && !builder->is_joint))
            continue;
        builder->row_columns[n] = builder->is_joint ? cell->volume_column : cell->memory_column;
        builder->row_values[n++] = builder->is_joint ? group->memory_bytes / group->volume_bytes : 1;
    }
    const bool tight = n > 0 && class->wanted_bytes > class->free_bytes;
    if (tight)
        class->memory_row = milp_n_rows(builder->milp);
    if (tight)
        rc = milp_add_row(builder->milp, -INFINITY, class->free_bytes / bytes_per_gb, n, builder->row_columns,
                          builder->row_values, err);
    if (rc != DC_OK || class->slots <= 0)
        return rc;
    n = 0;
    for (size_t g = 0; g < out->n_groups; g++) {
        const struct cell *cell = &builder->cells[g * out->n_classes + c];
        if (!cell->used)
            continue;
        builder->row_columns[n] = cell->volume_column;
        builder->row_values[n++] = cell->work_s_per_byte * bytes_per_gb;
    }
    builder->row_columns[n] = builder->time_column;
    builder->row_values[n++] = -class->slots;
    class->slot_row = milp_n_rows(builder->milp);
    return milp_add_row(builder->milp, -INFINITY, 0, n, builder->row_columns, builder->row_values, err);
}

/* Does the path of the cell take `arc`, or as its last arc any in-arc of its class? */
static bool crosses(const struct lp_builder *builder, size_t g, size_t c, size_t arc) {
    size_t n_arcs = 0;
    const uint32_t *arcs = problem_path(builder->problem, builder->groups[g].source, builder->classes[c].host, &n_arcs);
    if (arc >= builder->problem->n_arcs)
        return n_arcs > 0 && arc == builder->problem->n_arcs + c;
    for (size_t i = builder->is_joint ? 1 : 0; i + 1 < n_arcs; i++) {
        if (arcs[i] == arc)
            return true;
    }
    return false;
}

/* One row for an arc, or (numbered from n_arcs) for the in-arcs of a class. */
static enum dc_status add_arc_row(struct lp_builder *builder, size_t arc, double capacity, struct dc_error *err) {
    const struct placement_lp *out = builder->out;
    double pre_s = INFINITY, post_s = INFINITY;
    size_t n = 0;
    for (size_t i = 0; i < out->n_groups * out->n_classes; i++) {
        const struct cell *cell = &builder->cells[i];
        const struct group *group = &builder->groups[i / out->n_classes];
        if (!cell->used || !crosses(builder, i / out->n_classes, i % out->n_classes, arc))
            continue;
        pre_s = fmin(pre_s, group->pre_s);
        post_s = fmin(post_s, group->post_s);
        builder->row_columns[n] = cell->volume_column;
        builder->row_values[n++] = cell->volume_factor;
    }
    if (n == 0)
        return DC_OK;
    builder->row_columns[n] = builder->time_column;
    builder->row_values[n++] = -capacity / bytes_per_gb;
    builder->arc_rows[arc] = milp_n_rows(builder->milp);
    return milp_add_row(builder->milp, -INFINITY, -capacity / bytes_per_gb * (pre_s + post_s), n, builder->row_columns,
                        builder->row_values, err);
}

static enum dc_status add_arc_rows(struct lp_builder *builder, struct dc_error *err) {
    const struct problem *problem = builder->problem;
    const struct placement_lp *out = builder->out;
    unsigned char *use = builder->arc_use;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        size_t c = out->host_class[host];
        for (size_t g = 0; c != SIZE_MAX && g < out->n_groups; g++) {
            size_t n_arcs = 0;
            const uint32_t *arcs = problem_path(problem, builder->groups[g].source, host, &n_arcs);
            if (n_arcs == 0 || !builder->cells[g * out->n_classes + c].used)
                continue;
            for (size_t i = builder->is_joint ? 1 : 0; i + 1 < n_arcs; i++)
                use[arcs[i]] |= ARC_PASSED;
            if ((use[arcs[n_arcs - 1]] & ARC_LAST) == 0)
                builder->classes[c].in_capacity += problem->arcs[arcs[n_arcs - 1]].capacity_bytes_per_s;
            use[arcs[n_arcs - 1]] |= ARC_LAST;
        }
    }
    enum dc_status rc = DC_OK;
    for (size_t arc = 0; rc == DC_OK && arc < problem->n_arcs; arc++) {
        if ((use[arc] & ARC_PASSED) != 0)
            rc = add_arc_row(builder, arc, problem->arcs[arc].capacity_bytes_per_s, err);
    }
    for (size_t c = 0; rc == DC_OK && c < out->n_classes; c++)
        rc = add_arc_row(builder, problem->n_arcs + c, builder->classes[c].in_capacity, err);
    return rc;
}

/* The price of a row of the form "at most". */
static double price_of(const struct lp_builder *builder, size_t row, double scale) {
    return row == SIZE_MAX ? 0 : fmax(0, -milp_dual(builder->milp, row)) / scale;
}

/* The duals of classes as prices of their hosts, those of their joint in-arcs as prices of each. */
static enum dc_status read_prices(struct lp_builder *builder, struct dc_error *err) {
    const struct problem *problem = builder->problem;
    const struct placement_lp *out = builder->out;
    struct solution_prices *prices = &builder->out->prices;
    prices->arc_s_per_byte = calloc(problem->n_arcs + 1, sizeof *prices->arc_s_per_byte);
    prices->slot_s_per_s = calloc(problem->n_hosts + 1, sizeof *prices->slot_s_per_s);
    prices->memory_s_per_byte = calloc(problem->n_hosts + 1, sizeof *prices->memory_s_per_byte);
    if (prices->arc_s_per_byte == NULL || prices->slot_s_per_s == NULL || prices->memory_s_per_byte == NULL)
        return error_set_nomem(err);
    for (size_t arc = 0; arc < problem->n_arcs; arc++) {
        prices->arc_s_per_byte[arc] = price_of(builder, builder->arc_rows[arc], bytes_per_gb);
        if ((builder->arc_use[arc] & ARC_LAST) != 0) {
            const size_t c = out->host_class[problem->arcs[arc].to_node];
            prices->arc_s_per_byte[arc] += price_of(builder, builder->arc_rows[problem->n_arcs + c], bytes_per_gb);
        }
    }
    for (size_t host = 0; host < problem->n_hosts; host++) {
        const size_t c = out->host_class[host];
        if (c == SIZE_MAX)
            continue;
        prices->memory_s_per_byte[host] = price_of(builder, builder->classes[c].memory_row, bytes_per_gb);
        prices->slot_s_per_s[host] = price_of(builder, builder->classes[c].slot_row, 1);
    }
    return DC_OK;
}

static enum dc_status solve_built(struct lp_builder *builder, double least_s, const struct milp_limits *limits,
                                  struct dc_error *err) {
    struct placement_lp *out = builder->out;
    enum dc_status rc = milp_new(&builder->milp, err);
    if (rc == DC_OK)
        rc = add_columns(builder, least_s, err);
    for (size_t g = 0; rc == DC_OK && g < out->n_groups; g++)
        rc = add_group_rows(builder, g, err);
    for (size_t c = 0; rc == DC_OK && c < out->n_classes; c++)
        rc = add_class_rows(builder, c, err);
    if (rc == DC_OK)
        rc = add_arc_rows(builder, err);
    struct milp_result result;
    if (rc == DC_OK)
        rc = milp_solve_lp(builder->milp, limits, &result, err);
    if (rc != DC_OK || result.status != MILP_OPTIMAL)
        return rc;
    out->solved = true;
    out->value_s = result.objective;
    for (size_t i = 0; i < out->n_groups * out->n_classes; i++)
        out->share_bytes[i] =
            builder->cells[i].used ? milp_value(builder->milp, builder->cells[i].volume_column) * bytes_per_gb : 0;
    return read_prices(builder, err);
}

static enum dc_status prepare(struct lp_builder *builder, struct dc_error *err) {
    struct placement_lp *out = builder->out;
    out->host_class = calloc(builder->problem->n_hosts + 1, sizeof *out->host_class);
    out->mover_group = calloc(builder->candidates->n_movers + 1, sizeof *out->mover_group);
    if (out->host_class == NULL || out->mover_group == NULL)
        return error_set_nomem(err);
    enum dc_status rc = placement_lp_find_classes(builder, err);
    if (rc == DC_OK)
        rc = placement_lp_find_groups(builder, err);
    if (rc == DC_OK && out->n_groups * out->n_classes > MAX_CELLS) {
        builder->is_joint = true;
        rc = placement_lp_find_groups(builder, err);
    }
    const size_t n_cells = out->n_groups * out->n_classes;
    if (rc != DC_OK || n_cells > (builder->is_joint ? MAX_JOINT_CELLS : MAX_CELLS) || builder->has_short_path)
        return rc;
    out->share_bytes = calloc(n_cells + 1, sizeof *out->share_bytes);
    builder->row_columns = calloc(n_cells + 2, sizeof *builder->row_columns);
    builder->row_values = calloc(n_cells + 2, sizeof *builder->row_values);
    const size_t n_arc_rows = builder->problem->n_arcs + out->n_classes;
    builder->arc_rows = malloc((n_arc_rows + 1) * sizeof *builder->arc_rows);
    builder->arc_use = calloc(builder->problem->n_arcs + 1, 1);
    if (out->share_bytes == NULL || builder->row_columns == NULL || builder->row_values == NULL ||
        builder->arc_rows == NULL || builder->arc_use == NULL)
        return error_set_nomem(err);
    memset(builder->arc_rows, 0xff, n_arc_rows * sizeof *builder->arc_rows); /* SIZE_MAX each */
    return find_cells(builder, err);
}

enum dc_status placement_lp_solve(const struct problem *problem, enum problem_quantile quantile,
                                  const struct candidates *candidates, double least_s, const struct milp_limits *limits,
                                  struct placement_lp *lp_out, struct dc_error *err) {
    *lp_out = (struct placement_lp){0};
    struct lp_builder builder = {.problem = problem, .quantile = quantile, .candidates = candidates, .out = lp_out};
    enum dc_status rc = prepare(&builder, err);
    if (rc == DC_OK && lp_out->n_groups > 0 && builder.cells != NULL)
        rc = solve_built(&builder, least_s, limits, err);
    milp_free(&builder.milp);
    free(builder.groups);
    free(builder.classes);
    free(builder.cells);
    free(builder.row_columns);
    free(builder.row_values);
    free(builder.arc_rows);
    free(builder.arc_use);
    if (rc != DC_OK)
        placement_lp_dispose(lp_out);
    return rc;
}
