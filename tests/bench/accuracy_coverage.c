/*
 * Coverage of the p95: of runs that were held back while their p95 was
 * predicted from the other runs of their group, how many stayed within it.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/accuracy.h"

#include <stdio.h>
#include <string.h>

enum { MAX_GROUPS = 16 };

static const double LEAST_COVERED_PERCENT = 90;
static const double MOST_COVERED_PERCENT = 99;

static struct group {
    char name[ACCURACY_TEXT_BYTES];
    unsigned n;
    unsigned n_within;
    double sum_of_room; /* p95 / total - 1 */
} groups[MAX_GROUPS];
static size_t n_groups;

static struct group *group_of(const char *name) {
    for (size_t i = 0; i < n_groups; i++) {
        if (strcmp(groups[i].name, name) == 0)
            return &groups[i];
    }
    if (n_groups == MAX_GROUPS)
        accuracy_fail("more than %d groups of held-back runs", MAX_GROUPS);
    (void)snprintf(groups[n_groups].name, sizeof(groups[n_groups].name), "%s", name);
    return &groups[n_groups++];
}

void accuracy_coverage_add(const char *name, double total_s, double p95_s) {
    struct group *group = group_of(name);
    group->n++;
    group->n_within += total_s <= p95_s;
    group->sum_of_room += p95_s / total_s - 1;
}

bool accuracy_coverage(void) {
    unsigned n = 0, n_within = 0;
    (void)printf("\n== p95 of held-back runs ==\n%-40s %6s %8s %22s\n", "group", "runs", "within",
                 "p95 above the total by");
    for (size_t i = 0; i < n_groups; i++) {
        n += groups[i].n;
        n_within += groups[i].n_within;
        (void)printf("%-40s %6u %8u %21.1f%%\n", groups[i].name, groups[i].n, groups[i].n_within,
                     100 * groups[i].sum_of_room / groups[i].n);
    }
    return accuracy_holds("held-back runs within their p95", 100.0 * n_within / n, LEAST_COVERED_PERCENT,
                          MOST_COVERED_PERCENT, "%");
}
