/*
 * Placement as an assignment MILP, for small or tight cases.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/milp.h"
#include "solver/place_state.h"

enum { PLACE_MILP_MAX_CELLS = 400 }; /* items x hosts */

/* Columns the program would have. */
size_t place_milp_size(const struct place_state *state);

/* Improves the placement that `state` holds. Where the solver fails or finds nothing better, the state is
 * left as it was and DC_OK returned: only lack of memory is an error. */
DC_WARN_UNUSED enum dc_status place_milp(struct place_state *state, const struct milp_limits *limits,
                                         struct dc_error *err);
