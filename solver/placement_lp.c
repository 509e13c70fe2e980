/*
 * Builds and solves the rack LP: classes of hosts, groups of movers, rows.
 * Volumes and memory go in as GB, so that coefficients stay near 1.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/placement_lp.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const double bytes_per_gb = 1e9;
static const uint64_t hash_basis = 14695981039346656037u; /* FNV-1a */
enum { MAX_CELLS = 4000 }; /* groups x classes; beyond, the simplex takes longer than the answer is worth */

enum { ARC_PASSED = 1, ARC_LAST = 2 }; /* on the way to a candidate, and as the arc into it */

struct group {
    uint64_t key;
    size_t source;
    double volume_bytes, memory_bytes;
    double low, high;     /* memory per byte of volume */
    double pre_s, post_s; /* the least */
    bool tight;           /* has a class whose memory may not do */
};

struct class {
    uint64_t key;
    size_t host; /* stands for all */
    double free_bytes, wanted_bytes;
    double in_capacity, slots;
    size_t memory_row, slot_row; /* SIZE_MAX: none */
};

struct cell {
    bool used;
    double volume_factor; /* least volume there over least volume anywhere, least in the group */
    double work_s_per_byte;
    size_t volume_column, memory_column;
};

struct lp_builder {
    const struct problem *problem;
    enum problem_quantile quantile;
    const struct candidates *candidates;
    struct placement_lp *out;
    struct group *groups;
    struct class *classes;
    struct cell *cells;
    struct milp *milp;
    size_t time_column;
    size_t *arc_rows;       /* [n_arcs + n_classes]; SIZE_MAX: none */
    unsigned char *arc_use; /* [n_arcs]: ARC_PASSED, ARC_LAST */
    size_t *row_columns;    /* scratch of one row */
    double *row_values;
};

void placement_lp_dispose(struct placement_lp *lp) {
    free(lp->host_class);
    free(lp->mover_group);
    free(lp->share_bytes);
    solution_prices_dispose(&lp->prices);
    *lp = (struct placement_lp){0};
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ byte[i]) * 1099511628211u;
    return hash;
}

static uint64_t hash_size(uint64_t hash, size_t value) {
    return hash_bytes(hash, &value, sizeof value);
}

static double least_volume(const struct candidates *candidates, size_t mover) {
    double least = INFINITY;
    for (size_t i = candidates->begin[mover]; i < candidates->begin[mover + 1]; i++)
        least = fmin(least, candidates->items[i].volume_bytes);
    return least;
}

/* What a host looks like to the mover: all but the last arc of the path, what
 * fits through, and the width of the last arc. */
static void hash_view(const struct lp_builder *builder, size_t mover, const struct candidate *candidate,
                      uint64_t *hash) {
    const struct problem *problem = builder->problem;
    size_t source = problem->vms[builder->candidates->vm[mover]].host, n_arcs = 0;
    const uint32_t *arcs = problem_path(problem, source, candidate->host, &n_arcs);
    *hash = hash_size(*hash, mover);
    *hash = hash_bytes(*hash, &candidate->bandwidth_bytes_per_s, sizeof candidate->bandwidth_bytes_per_s);
    if (n_arcs == 0)
        return;
    *hash = hash_bytes(*hash, arcs, (n_arcs - 1) * sizeof *arcs);
    double capacity = problem->arcs[arcs[n_arcs - 1]].capacity_bytes_per_s;
    *hash = hash_bytes(*hash, &capacity, sizeof capacity);
}

/* Memory left at the end where nobody's destination is open yet. */
static void end_memory(const struct problem *problem, double *free_bytes) {
    for (size_t host = 0; host < problem->n_hosts; host++)
        free_bytes[host] = problem->hosts[host].memory_bytes;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        if (!problem->vms[vm].moves)
            free_bytes[problem->vms[vm].host] -= problem->vms[vm].memory_bytes;
    }
}

static size_t class_of(struct lp_builder *builder, uint64_t key, size_t host) {
    for (size_t i = 0; i < builder->out->n_classes; i++) {
        if (builder->classes[i].key == key)
            return i;
    }
    builder->classes[builder->out->n_classes] = (struct class){.key = key, .host = host};
    return builder->out->n_classes++;
}

static enum dc_status find_classes(struct lp_builder *builder, struct dc_error *err) {
    const struct problem *problem = builder->problem;
    const struct candidates *candidates = builder->candidates;
    uint64_t *keys = calloc(problem->n_hosts + 1, sizeof *keys);
    double *free_bytes = calloc(problem->n_hosts + 1, sizeof *free_bytes);
    builder->classes = calloc(problem->n_hosts + 1, sizeof *builder->classes);
    enum dc_status rc = DC_OK;
    if (keys == NULL || free_bytes == NULL || builder->classes == NULL) {
        rc = error_set_nomem(err);
        goto out;
    }
    end_memory(problem, free_bytes);
    for (size_t host = 0; host < problem->n_hosts; host++)
        keys[host] = hash_basis;
    for (size_t mover = 0; mover < candidates->n_movers; mover++) {
        for (size_t i = candidates->begin[mover]; i < candidates->begin[mover + 1]; i++)
            hash_view(builder, mover, &candidates->items[i], &keys[candidates->items[i].host]);
    }
    for (size_t host = 0; host < problem->n_hosts; host++) {
        builder->out->host_class[host] = SIZE_MAX;
        if (keys[host] == hash_basis)
            continue;
        size_t class = class_of(builder, hash_size(keys[host], problem->hosts[host].max_migrations), host);
        builder->out->host_class[host] = class;
        builder->classes[class].free_bytes += fmax(0, free_bytes[host]);
        builder->classes[class].slots += problem->hosts[host].max_migrations;
    }
out:
    free(keys);
    free(free_bytes);
    return rc;
}

/* Movers that have something to send, by source and choice of classes. */
static enum dc_status find_groups(struct lp_builder *builder, struct dc_error *err) {
    const struct candidates *candidates = builder->candidates;
    struct placement_lp *out = builder->out;
    builder->groups = calloc(candidates->n_movers + 1, sizeof *builder->groups);
    size_t *seen = calloc(out->n_classes + 1, sizeof *seen); /* by mover + 1 */
    if (builder->groups == NULL || seen == NULL) {
        free(seen);
        return error_set_nomem(err);
    }
    for (size_t mover = 0; mover < candidates->n_movers; mover++) {
        out->mover_group[mover] = SIZE_MAX;
        double volume = least_volume(candidates, mover);
        if (!(volume > 0) || isinf(volume))
            continue;
        const struct problem_vm *vm = &builder->problem->vms[candidates->vm[mover]];
        uint64_t key = hash_size(hash_basis, vm->host);
        for (size_t i = candidates->begin[mover]; i < candidates->begin[mover + 1]; i++) {
            size_t class = out->host_class[candidates->items[i].host];
            if (seen[class] != mover + 1)
                key = hash_size(key, class);
            seen[class] = mover + 1;
        }
        size_t g = 0;
        while (g < out->n_groups && builder->groups[g].key != key)
            g++;
        struct group *group = &builder->groups[g];
        if (g == out->n_groups) {
            *group =
                (struct group){.key = key, .source = vm->host, .low = INFINITY, .pre_s = INFINITY, .post_s = INFINITY};
            out->n_groups++;
        }
        group->volume_bytes += volume;
        group->memory_bytes += vm->memory_bytes;
        group->low = fmin(group->low, vm->memory_bytes / volume);
        group->high = fmax(group->high, vm->memory_bytes / volume);
        group->pre_s = fmin(group->pre_s, vm->cost[builder->quantile].pre_s);
        group->post_s = fmin(group->post_s, vm->cost[builder->quantile].post_s);
        out->mover_group[mover] = g;
    }
    free(seen);
    return DC_OK;
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
        double least = least_volume(candidates, mover);
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
                builder->groups[g].tight = true;
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
        if (!cell->used || !builder->groups[g].tight)
            continue;
        builder->row_columns[n] = cell->memory_column;
        builder->row_values[n++] = 1;
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
    for (size_t i = 0; i + 1 < n_arcs; i++) {
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
            for (size_t i = 0; i + 1 < n_arcs; i++)
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
    enum dc_status rc = find_classes(builder, err);
    if (rc == DC_OK)
        rc = find_groups(builder, err);
    size_t n_cells = out->n_groups * out->n_classes;
    if (rc != DC_OK || n_cells > MAX_CELLS)
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
