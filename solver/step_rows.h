/*
 * The rows and columns of the malleable step model for one trial makespan.
 * See solver/step_model.h for the formulation.
 *
 * S, E and F are snapshots at the ends of slots: S_vk: started at or before
 * k D; E_vk: ended at or before k D; F_vk: fraction sent by k D. Every row is true of these
 * snapshots in every schedule of length K D, so an infeasible model proves that there is none.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/candidates.h"
#include "solver/milp.h"

struct step_rows {
    const struct problem *problem; /* with the destinations under study in `to` */
    enum problem_quantile quantile;
    const struct candidates *candidates; /* one a mover */
    size_t n_slots;
    double slot_s;
    struct milp *milp;
    size_t *started, *ended, *sent; /* columns, [mover * (n_slots + 1) + k] */
    size_t *row_columns;            /* scratch of one row */
    double *row_values;
};

/* `step` with everything above `milp` set; builds the program. */
DC_WARN_UNUSED enum dc_status step_rows_build(struct step_rows *step, struct dc_error *err);
void step_rows_dispose(struct step_rows *step);
