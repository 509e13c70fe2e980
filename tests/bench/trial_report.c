/* Medians: of an even number, the mean of the two in the middle. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/trial_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double racks_shorter_frac = 0.15; /* than the best fixed slots, where racks are emptied */
static const double same_frac = 1e-6;
static const double mib = 1024.0 * 1024;
enum { MOST_TRIALS = 1000 };

typedef double (*figure_fn)(const struct trial *trial, size_t rival);

static int compare(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* Over the trials that gave an answer; NAN where none did. */
static double median(const struct trial *trials, size_t n_trials, figure_fn figure, size_t rival) {
    double values[MOST_TRIALS];
    size_t n = 0;
    for (size_t i = 0; i < n_trials && n < MOST_TRIALS; i++)
        if (trials[i].failure[0] == '\0')
            values[n++] = figure(&trials[i], rival);
    if (n == 0)
        return NAN;
    qsort(values, n, sizeof(*values), compare);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double steps(const struct trial *trial, size_t rival) {
    (void)rival;
    return (double)trial->n_steps;
}

/* A plan that leaves VMs out is none to compare with. */
static double makespan_s(const struct trial *trial, size_t rival) {
    (void)rival;
    return trial->n_left_out > 0 ? INFINITY : trial->makespan_s;
}

static double bound_s(const struct trial *trial, size_t rival) {
    (void)rival;
    return trial->bound_s;
}

static double gap_frac(const struct trial *trial, size_t rival) {
    (void)rival;
    return trial->n_left_out > 0 ? INFINITY : trial->gap_frac;
}

static double wall_s(const struct trial *trial, size_t rival) {
    (void)rival;
    return trial->wall_s;
}

static double cpu_s(const struct trial *trial, size_t rival) {
    (void)rival;
    return trial->cpu_s;
}

static double memory_bytes(const struct trial *trial, size_t rival) {
    (void)rival;
    return trial->peak_bytes;
}

static double rival_makespan_s(const struct trial *trial, size_t rival) {
    return trial->rivals[rival].makespan_s;
}

/* Ours as a share of the rival's; 1 where neither ends. */
static double rival_share(const struct trial *trial, size_t rival) {
    const double ours_s = makespan_s(trial, 0), it_s = trial->rivals[rival].makespan_s;
    return isinf(ours_s) && isinf(it_s) ? 1 : ours_s / it_s;
}

static double rival_broken(const struct trial *trial, size_t rival) {
    return (double)trial->rivals[rival].n_broken;
}

static double rival_unfinished(const struct trial *trial, size_t rival) {
    return (double)trial->rivals[rival].n_unfinished;
}

/* The rule of fixed slots with the least makespan, or the first; `keeps`: of those that break no budget, RIVALS where
 * all break some. */
static size_t best_fixed(const struct trial *trial, bool keeps) {
    size_t best = RIVALS;
    for (size_t i = 0; i < RIVALS; i++) {
        const struct rival_result *result = &trial->rivals[i];
        if (i == RIVAL_AT_ONCE || (keeps && (result->n_broken > 0 || isinf(result->makespan_s))))
            continue;
        if (best == RIVALS || result->makespan_s < trial->rivals[best].makespan_s)
            best = i;
    }
    return best;
}

static double best_share(const struct trial *trial, size_t rival) {
    (void)rival;
    return rival_share(trial, best_fixed(trial, false));
}

static double best_broken(const struct trial *trial, size_t rival) {
    (void)rival;
    return (double)trial->rivals[best_fixed(trial, false)].n_broken;
}

/* 0, as against one that never ends, where every rule breaks some budget. */
static double keeping_share(const struct trial *trial, size_t rival) {
    (void)rival;
    const size_t best = best_fixed(trial, true);
    return best < RIVALS ? rival_share(trial, best) : 0;
}

static const char *bound_text(enum solution_bound_kind kind) {
    static const char *const texts[] = {
        [SOLUTION_BOUND_NONE] = "none",
        [SOLUTION_BOUND_ARC] = "link",
        [SOLUTION_BOUND_VM] = "vm",
        [SOLUTION_BOUND_HOST] = "host",
        [SOLUTION_BOUND_PLACEMENT] = "placement",
        [SOLUTION_BOUND_MEMORY] = "memory",
        [SOLUTION_BOUND_STEP_MODEL] = "steps",
    };
    return (size_t)kind < sizeof(texts) / sizeof(*texts) && texts[kind] != NULL ? texts[kind] : "?";
}

/* The kind that most plans name. */
static const char *common_bound(const struct trial *trials, size_t n_trials) {
    size_t best = 0, n_best = 0;
    for (size_t i = 0; i < n_trials; i++) {
        size_t n = 0;
        for (size_t k = 0; k < n_trials; k++)
            n += trials[k].bound_kind == trials[i].bound_kind;
        if (n > n_best) {
            n_best = n;
            best = i;
        }
    }
    return n_trials > 0 ? bound_text(trials[best].bound_kind) : "none";
}

static bool is_missed(double value, double target) {
    return target > 0 && !(value <= target);
}

static const char *mark(double value, double target) {
    return is_missed(value, target) ? "!" : " ";
}

void trial_report_head(void) {
    printf("%-14s %5s %6s %4s %4s %10s %10s %-9s %7s %-6s %8s %-6s %8s %7s %-5s\n", "family", "seeds", "steps", "hops",
           "left", "makespan s", "bound s", "by", "gap %", "(<=)", "wall s", "(<=)", "cpu s", "MiB", "(<)");
}

static void print_target(double value, const char *format, int width) {
    char text[16] = "-";
    if (value > 0)
        (void)snprintf(text, sizeof(text), format, value);
    printf(" %-*s", width, text);
}

static size_t report_plans(const struct family *family, const struct trial *trials, size_t n_trials,
                           struct trial_summary *summary) {
    size_t n_left = 0, n_hops = 0;
    for (size_t i = 0; i < n_trials; i++) {
        summary->n_failed += trials[i].failure[0] != '\0';
        n_left += trials[i].n_left_out;
        n_hops += trials[i].n_hops;
    }
    const double gap = median(trials, n_trials, gap_frac, 0);
    const double wall = median(trials, n_trials, wall_s, 0);
    const double memory = median(trials, n_trials, memory_bytes, 0);
    printf("%-14s %5zu %6.0f %4zu %4zu %10.2f %10.2f %-9s %6.2f%s", family->name, n_trials,
           median(trials, n_trials, steps, 0), n_hops, n_left, median(trials, n_trials, makespan_s, 0),
           median(trials, n_trials, bound_s, 0), common_bound(trials, n_trials), 100 * gap,
           mark(gap, family->gap_frac));
    print_target(100 * family->gap_frac, "%.1f", 6);
    printf(" %7.3f%s", wall, mark(wall, family->wall_s));
    print_target(family->wall_s, "%.1f", 6);
    printf(" %8.3f %6.0f%s", median(trials, n_trials, cpu_s, 0), memory / mib, mark(memory, family->memory_bytes));
    print_target(family->memory_bytes / mib, "%.0f", 5);
    printf("\n");
    return (size_t)is_missed(gap, family->gap_frac) + is_missed(wall, family->wall_s) +
           is_missed(memory, family->memory_bytes) + (n_left > 0);
}

/* How often our plan is longer than the best fixed slots of its own instance. */
static size_t count_longer(const struct trial *trials, size_t n_trials) {
    size_t n = 0;
    for (size_t i = 0; i < n_trials; i++)
        n += trials[i].failure[0] == '\0' && best_share(&trials[i], 0) > 1 + same_frac;
    return n;
}

static size_t report_rivals(const struct family *family, const struct trial *trials, size_t n_trials) {
    size_t n_with_budget = 0;
    for (size_t i = 0; i < n_trials; i++)
        n_with_budget += trials[i].n_with_budget;
    printf("    %-26s %12s %12s %10s %11s\n", "today, by slots", "makespan s", "ours / it", "broken", "unfinished");
    for (size_t i = 0; i < RIVALS; i++)
        printf("    %-26s %12.2f %12.3f %10.1f %11.1f\n", rivals[i].name, median(trials, n_trials, rival_makespan_s, i),
               median(trials, n_trials, rival_share, i), median(trials, n_trials, rival_broken, i),
               median(trials, n_trials, rival_unfinished, i));
    const double share = median(trials, n_trials, best_share, 0);
    const size_t n_longer = count_longer(trials, n_trials);
    const bool is_short = !family->is_rack || share <= 1 - racks_shorter_frac;
    printf("    against the best fixed slots of each instance: ");
    if (isfinite(share))
        printf("%.1f%% shorter%s (%.1f%% than the best that break no budget), ", 100 * (1 - share), is_short ? "" : "!",
               100 * (1 - median(trials, n_trials, keeping_share, 0)));
    else
        printf("no whole plan, ");
    printf("longer in %zu of %zu%s; budgets broken 0 against %.1f (of %.1f)\n", n_longer, n_trials,
           n_longer > 0 ? "!" : "", median(trials, n_trials, best_broken, 0),
           n_trials > 0 ? (double)n_with_budget / (double)n_trials : 0);
    return (size_t)!is_short + (n_longer > 0);
}

struct trial_summary trial_report(const struct family *family, const struct trial *trials, size_t n_trials) {
    struct trial_summary summary = {0};
    summary.n_missed = report_plans(family, trials, n_trials, &summary);
    bool has_rivals = n_trials > 0;
    for (size_t i = 0; i < n_trials; i++)
        has_rivals = has_rivals && trials[i].has_rivals;
    if (has_rivals)
        summary.n_missed += report_rivals(family, trials, n_trials);
    return summary;
}
