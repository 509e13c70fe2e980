/*
 * How few groups there can be, by memory alone.
 *
 * Any choice: while hosts F are away the others hold all VMs, so that the
 * capacities of F add up to at most (all capacity - all VMs); k hosts can be away at once only
 * where the k smallest do. A host that receives nothing holds at most what is on it.
 *
 * Sparing choices: once j hosts are back, what is free for the next group is at most that of the
 * hosts that do not go, and of the j hosts with the most free; the group's VMs are at least those
 * of the hosts with the fewest bytes. With VMs that go back home the same holds.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/rolling.h"

#include <math.h>
#include <stdlib.h>

static const double slack_bytes = 0.5; /* memory is in whole bytes: less than one is rounding */

struct tally {
    size_t n;         /* hosts that go */
    double *capacity; /* of each: what it can hold */
    double *used;
    double *spare;     /* capacity less used */
    double kept_spare; /* of the hosts that stay */
    double all_spare;  /* of all */
};

static int compare_doubles(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* The most of the ascending `amounts` whose sum is within `limit`. */
static size_t count_within(const double *amounts, size_t n, double limit) {
    size_t count = 0;
    double sum = 0;
    while (count < n && sum + amounts[count] <= limit + slack_bytes)
        sum += amounts[count++];
    return count;
}

static void fill(struct tally *tally, const struct problem *problem, const struct rolling_options *options,
                 const double *used) {
    for (size_t host = 0; host < problem->n_hosts; host++) {
        const struct problem_host *it = &problem->hosts[host];
        const double capacity = it->receives ? fmax(it->memory_bytes, used[host]) : used[host];
        tally->all_spare += capacity - used[host];
        if (!options->hosts[host].rolls) {
            tally->kept_spare += capacity - used[host];
            continue;
        }
        tally->capacity[tally->n] = capacity;
        tally->used[tally->n] = used[host];
        tally->spare[tally->n++] = capacity - used[host];
    }
    qsort(tally->capacity, tally->n, sizeof(double), compare_doubles);
    qsort(tally->used, tally->n, sizeof(double), compare_doubles);
    qsort(tally->spare, tally->n, sizeof(double), compare_doubles);
}

static size_t within_limit(size_t n, unsigned at_once) {
    return at_once > 0 && n > at_once ? at_once : n;
}

static size_t least_of_any(const struct tally *tally, unsigned at_once) {
    const size_t most = within_limit(count_within(tally->capacity, tally->n, tally->all_spare), at_once);
    return most > 0 ? (tally->n + most - 1) / most : SIZE_MAX;
}

static size_t least_of_sparing(const struct tally *tally, unsigned at_once) {
    size_t n_groups = 0;
    double free_bytes = tally->kept_spare;
    for (size_t n_back = 0; n_back < tally->n; n_groups++) {
        size_t most = within_limit(count_within(tally->used, tally->n, free_bytes), at_once);
        if (most == 0)
            return SIZE_MAX;
        for (; most > 0 && n_back < tally->n; most--, n_back++)
            free_bytes += tally->spare[tally->n - 1 - n_back];
    }
    return n_groups;
}

enum dc_status rolling_least_groups(const struct problem *problem, const struct rolling_options *options, bool sparing,
                                    size_t *least_out, struct dc_error *err) {
    const size_t n = problem->n_hosts + 1;
    struct tally tally = {
        .capacity = calloc(n, sizeof(double)), .used = calloc(n, sizeof(double)), .spare = calloc(n, sizeof(double))};
    double *used = calloc(n, sizeof(*used));
    enum dc_status rc = DC_OK;
    if (tally.capacity == NULL || tally.used == NULL || tally.spare == NULL || used == NULL) {
        rc = error_set_nomem(err);
    } else {
        for (size_t vm = 0; vm < problem->n_vms; vm++)
            used[problem->vms[vm].host] += problem->vms[vm].memory_bytes;
        fill(&tally, problem, options, used);
        *least_out = tally.n == 0 ? 0
                     : sparing    ? least_of_sparing(&tally, options->at_once)
                                  : least_of_any(&tally, options->at_once);
    }
    free(tally.capacity);
    free(tally.used);
    free(tally.spare);
    free(used);
    return rc;
}

double rolling_least_s(const struct problem *problem, const struct rolling_options *options, size_t n_groups) {
    double longest_s = 0, shortest_s = INFINITY;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        if (!options->hosts[host].rolls)
            continue;
        longest_s = fmax(longest_s, options->hosts[host].away_s);
        shortest_s = fmin(shortest_s, options->hosts[host].away_s);
    }
    if (n_groups == 0)
        return 0;
    return n_groups == SIZE_MAX ? INFINITY : longest_s + (double)(n_groups - 1) * shortest_s;
}
