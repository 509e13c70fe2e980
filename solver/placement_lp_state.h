/*
 * The rack LP under construction, shared by its parts only: placement_lp_groups.c (what is alike), placement_lp.c
 * (columns, rows, the optimum).
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/placement_lp.h"

#include <stdint.h>

struct group {
    uint64_t key;
    size_t source;
    double volume_bytes, memory_bytes;
    double low, high;     /* memory per byte of volume */
    double pre_s, post_s; /* the least */
    bool tight;           /* has a class whose memory may not do, and columns for that */
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
    /* Groups join sources that differ in their own first arcs only; memory is then taken in proportion to volume. An
     * estimate: what its prices prove is proved without it. */
    bool is_joint, has_short_path;
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

/* The least volume of a mover, over its candidates. */
double placement_lp_least_volume(const struct candidates *candidates, size_t mover);

/* Classes of hosts and groups of movers, into builder and builder->out; groups may be found anew, joint ones. */
DC_WARN_UNUSED enum dc_status placement_lp_find_classes(struct lp_builder *builder, struct dc_error *err);
DC_WARN_UNUSED enum dc_status placement_lp_find_groups(struct lp_builder *builder, struct dc_error *err);
