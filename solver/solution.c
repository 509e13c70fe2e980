/* What the solver answers: its release, and the list of conflicts. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/solution.h"

#include <stdlib.h>

void solution_prices_dispose(struct solution_prices *prices) {
    free(prices->arc_s_per_byte);
    free(prices->slot_s_per_s);
    free(prices->memory_s_per_byte);
    *prices = (struct solution_prices){0};
}

void solution_dispose(struct solution *solution) {
    for (size_t i = 0; i < solution->n_steps; i++) {
        free(solution->steps[i].rates);
        free(solution->steps[i].after);
    }
    free(solution->steps);
    free(solution->conflicts);
    free(solution->bound_vms);
    solution_prices_dispose(&solution->prices);
    *solution = (struct solution){0};
}

enum dc_status solution_add_conflict(struct solution *solution, const struct solution_conflict *conflict,
                                     struct dc_error *err) {
    struct solution_conflict *grown =
        realloc(solution->conflicts, (solution->n_conflicts + 1) * sizeof(*solution->conflicts));
    if (grown == NULL)
        return error_set_nomem(err);
    solution->conflicts = grown;
    solution->conflicts[solution->n_conflicts++] = *conflict;
    return DC_OK;
}
