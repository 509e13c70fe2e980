/* Errors and their quantiles. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/accuracy.h"

#include "model/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double slack_ms = 0.5; /* documents round to whole milliseconds */

/* What was seen of a figure and what was said of it; p95 below 0 where nothing was. */
struct pair {
    double seen, p50, p95;
};

static struct pair pair_of(const struct fleet_observation *seen, enum accuracy_figure figure) {
    const struct fleet_foresight *predicted = &seen->predicted;
    switch (figure) {
    case ACCURACY_MIGRATION:
        return (struct pair){seen->migration_ms, predicted->migration_ms.p50, predicted->migration_ms.p95};
    case ACCURACY_DOWNTIME:
        return (struct pair){seen->downtime_ms, predicted->downtime_ms.p50, predicted->downtime_ms.p95};
    case ACCURACY_BYTES:
    case ACCURACY_N_FIGURES:
        break;
    }
    return (struct pair){seen->bytes, predicted->bytes, -1};
}

bool accuracy_error(const struct fleet_observation *seen, enum accuracy_figure figure, double *error_frac_out) {
    const struct pair pair = pair_of(seen, figure);
    if (!seen->succeeded || !(seen->predicted.bandwidth_bytes_per_s > 0) || !(pair.seen > 0))
        return false;
    *error_frac_out = (pair.p50 - pair.seen) / pair.seen;
    return true;
}

bool accuracy_chooses(const struct accuracy_choice *choice, const struct fleet_observation *seen) {
    if (choice->vm != NULL && strcmp(choice->vm, seen->vm) != 0 &&
        (seen->name == NULL || strcmp(choice->vm, seen->name) != 0))
        return false;
    const int64_t began_unix_ms = seen->began_unix_ms > 0 ? seen->began_unix_ms : seen->ordered_unix_ms;
    return choice->since_unix_ms <= 0 || began_unix_ms >= choice->since_unix_ms;
}

enum dc_status accuracy_judge(const struct fleet *fleet, const struct accuracy_choice *choice,
                              enum accuracy_figure figure, struct accuracy *accuracy_out, struct dc_error *err) {
    *accuracy_out = (struct accuracy){.has_p95 = figure != ACCURACY_BYTES};
    double *errors = calloc(fleet->n_observations + 1, sizeof(*errors));
    size_t n = 0;
    size_t n_within = 0;
    if (errors == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < fleet->n_observations; i++) {
        const struct fleet_observation *seen = &fleet->observations[i];
        const struct pair pair = pair_of(seen, figure);
        if (!accuracy_chooses(choice, seen) || !accuracy_error(seen, figure, &errors[n]))
            continue;
        n_within += pair.seen <= pair.p95 + slack_ms;
        n++;
    }
    accuracy_out->n = n;
    if (n > 0) {
        quantile_sort(errors, n);
        accuracy_out->bias_frac = quantile_of_sorted(errors, n, 0.5);
        for (size_t i = 0; i < n; i++)
            errors[i] = fabs(errors[i]);
        quantile_sort(errors, n);
        accuracy_out->median_frac = quantile_of_sorted(errors, n, 0.5);
        accuracy_out->p90_frac = quantile_of_sorted(errors, n, 0.9);
        accuracy_out->within_p95_frac = (double)n_within / (double)n;
    }
    free(errors);
    return DC_OK;
}
