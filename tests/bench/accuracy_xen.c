/*
 * Predictions against the measured migrations of the Xen lab
 * (tests/data/xen-lab): each guest's curve comes from its known workload. A
 * table as in the paper (MT migration time, DT downtime; A actual, P
 * predicted), then the pages of every live round.
 *
 * Of the quiet runs the bandwidth is the one that the stream achieved on
 * average. "given windows" is W over the measured times between CLEANs: how good
 * the curve is by itself, without the windows being predicted too.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/accuracy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const double MOST_TOTAL_MEDIAN_PERCENT = 1.5;
static const double MOST_TOTAL_WORST_PERCENT = 3;
static const double MOST_BUSY_MEDIAN_PERCENT = 5; /* only the configured bandwidth is known */
static const double MOST_DOWNTIME_MS = 80;        /* or ... */
static const double MOST_DOWNTIME_PERCENT = 5;    /* ... whichever is more */
static const double MOST_ROUND_PERCENT = 10;

enum { MAX_LIVE_ROUNDS = 8 };

static const struct accuracy_lab QUIET = {
    .name = "xen-lab, quiet",
    .why = "runs c*",
    .overhead = {.post_ms = 108, .in_flight_bytes = 128 << 10, .suspend_pages = 250},
};
static const struct accuracy_lab BUSY = {
    .name = "xen-lab, busy",
    .why = "the other runs",
    .overhead = {.post_ms = 190, .in_flight_bytes = 128 << 10, .suspend_pages = 200},
};

/* What the tables say of a run beyond struct accuracy_run. */
struct xen_run {
    size_t n_live;
    double live_pages[MAX_LIVE_ROUNDS];
    double final_pages;
    double clean_at_s[MAX_LIVE_ROUNDS]; /* after each live round; 0 where not measured */
    struct accuracy_workload workload;
};

static struct accuracy_runs runs;
static struct xen_run details[ACCURACY_MAX_RUNS];

/* A guest with a writer: besides the writer's set, its stack and its timer's pages are touched in any window. */
static struct accuracy_workload workload_of(const json_t *measured) {
    const bool pvh = strcmp(accuracy_text(measured, "vm"), "pvh") == 0;
    const double pages_per_s = accuracy_number(measured, "rate");
    return (struct accuracy_workload){
        .pages_per_s = pages_per_s,
        .working_set_pages = accuracy_number(measured, "working_set_pages"),
        .pattern = strcmp(accuracy_text(measured, "pattern"), "rand") == 0 ? "rand" : "cyclic",
        .idle_at_once_pages = (pvh ? 54 : 30) + (pages_per_s > 0 ? 12 : 0),
        .idle_later_pages = 118,
        .idle_time_constant_s = 12,
    };
}

static void read_rounds(const json_t *measured, struct xen_run *details_out) {
    const json_t *live = json_object_get(measured, "live");
    const json_t *clean_at_s = json_object_get(measured, "clean_at_s");
    details_out->n_live = json_array_size(live);
    if (details_out->n_live > MAX_LIVE_ROUNDS)
        accuracy_fail("%zu live rounds; expected at most %d", details_out->n_live, MAX_LIVE_ROUNDS);
    for (size_t i = 0; i < details_out->n_live; i++) {
        details_out->live_pages[i] = json_number_value(json_array_get(live, i));
        details_out->clean_at_s[i] = json_number_value(json_array_get(clean_at_s, i));
    }
    details_out->final_pages = accuracy_number(measured, "final");
}

static void read_xen_run(const json_t *measured) {
    const bool quiet = accuracy_text(measured, "id")[0] == 'c';
    struct accuracy_run *run = accuracy_run_new(&runs, quiet ? &QUIET : &BUSY);
    struct xen_run *more = &details[run - runs.all];
    (void)snprintf(run->name, sizeof(run->name), "%s", accuracy_text(measured, "id"));
    run->completed = true;
    run->total_s = accuracy_number(measured, "total_s");
    run->downtime_s = accuracy_number(measured, "downtime_s");
    run->bytes = accuracy_number(measured, "bytes");
    more->workload = workload_of(measured);
    read_rounds(measured, more);
    struct precopy_vm vm = {.memory_pages = accuracy_number(measured, "ram_pages"),
                            .policy = accuracy_policy("xen-v2")};
    vm.policy.gfn_count = accuracy_number(measured, "gfn_count");
    const double achieved = accuracy_number(measured, "achieved_bytes_per_s");
    const struct bandwidth_step step = {
        .bytes_per_s = achieved > 0 ? achieved : accuracy_number(measured, "limit_kib_per_s") * 1024,
    };
    accuracy_predict(run, vm, &more->workload, &step, 1);
}

static double downtime_error_ms(const struct accuracy_run *run) {
    return 1000 * (run->predicted.downtime_s - run->downtime_s);
}

static void print_table(void) {
    (void)printf("%-15s %-15s %9s %9s %6s %10s %10s %6s %7s %8s\n", "lab", "run", "MT_A", "MT_P", "err", "DT_A", "DT_P",
                 "err", "bytes", "rounds");
    for (size_t i = 0; i < runs.n; i++) {
        const struct accuracy_run *run = &runs.all[i];
        const struct precopy_result *p = &run->predicted;
        char bytes[16] = "-";
        if (run->bytes > 0)
            (void)snprintf(bytes, sizeof(bytes), "%+.1f%%", accuracy_error_percent(p->bytes, run->bytes));
        (void)printf("%-15s %-15s %7.2f s %7.2f s %5.1f%% %7.0f ms %7.0f ms %5.1f%% %7s %u of %zu\n", run->lab->name,
                     run->name, run->total_s, p->migration_s,
                     fabs(accuracy_error_percent(p->migration_s, run->total_s)), 1000 * run->downtime_s,
                     1000 * p->downtime_s, fabs(accuracy_error_percent(p->downtime_s, run->downtime_s)), bytes,
                     p->n_rounds, details[i].n_live + 1);
    }
    const struct accuracy_lab *labs[] = {&QUIET, &BUSY};
    for (size_t i = 0; i < 2; i++)
        (void)printf("assumed of %s (%s): post %.0f ms, %.0f KiB in flight, %.0f suspend pages\n", labs[i]->name,
                     labs[i]->why, labs[i]->overhead.post_ms, labs[i]->overhead.in_flight_bytes / 1024,
                     labs[i]->overhead.suspend_pages);
}

/* Pages that the CLEAN before live round `i` (from 0) found, by the curve over the measured window. */
static double given_window_pages(const struct xen_run *run, size_t i) {
    const double from_s = i > 1 ? run->clean_at_s[i - 2] : 0;
    return accuracy_workload_pages(&run->workload, run->clean_at_s[i - 1] - from_s);
}

/* Prints the live rounds of a quiet run; returns the worst error in percent, INFINITY where their number is wrong. */
static double print_rounds(const struct accuracy_run *run, const struct xen_run *measured) {
    const size_t n_live = run->predicted.n_trace - 1;
    double worst = n_live == measured->n_live ? 0 : INFINITY;
    for (size_t i = 0; i < measured->n_live && i < n_live; i++) {
        const double pages = run->predicted.trace[i].pages;
        const double error = accuracy_error_percent(pages, measured->live_pages[i]);
        worst = fmax(worst, fabs(error));
        (void)printf("%-15s live %zu %7.0f %7.0f %+6.1f%%", run->name, i + 1, measured->live_pages[i], pages, error);
        if (i > 0 && measured->clean_at_s[i] > 0) {
            const double given = given_window_pages(measured, i);
            (void)printf("   %7.0f %+6.1f%%", given, accuracy_error_percent(given, measured->live_pages[i]));
        }
        (void)printf("\n");
    }
    const double final_pages = run->predicted.trace[run->predicted.n_trace - 1].pages;
    (void)printf("%-15s final  %7.0f %7.0f %+6.1f%%\n", run->name, measured->final_pages, final_pages,
                 accuracy_error_percent(final_pages, measured->final_pages));
    return worst;
}

/* What is asked of the quiet runs, one by one. */
static bool judge_each(void) {
    double worst_round = 0;
    size_t n_late = 0, n_other_rounds = 0;
    (void)printf("\n%-15s %6s %7s %7s %7s   %s\n", "run", "round", "actual", "pred", "err", "given windows");
    for (size_t i = 0; i < runs.n; i++) {
        const struct accuracy_run *run = &runs.all[i];
        if (run->lab != &QUIET)
            continue;
        worst_round = fmax(worst_round, print_rounds(run, &details[i]));
        n_other_rounds += run->predicted.n_rounds != details[i].n_live + 1;
        n_late +=
            fabs(downtime_error_ms(run)) > fmax(MOST_DOWNTIME_MS, 1000 * run->downtime_s * MOST_DOWNTIME_PERCENT / 100);
    }
    bool good =
        accuracy_holds("xen-lab quiet: pages of live rounds, worst error", worst_round, 0, MOST_ROUND_PERCENT, "%");
    good = accuracy_holds("xen-lab quiet: wrong numbers of rounds", (double)n_other_rounds, 0, 0, "runs") && good;
    return accuracy_holds("xen-lab quiet: downtime off by over 80 ms and 5%", (double)n_late, 0, 0, "runs") && good;
}

static void read_xen(void) {
    json_t *root = accuracy_load(TEST_DATA_DIR "/xen-lab/measured.json");
    size_t i;
    json_t *measured;
    json_array_foreach(json_object_get(root, "runs"), i, measured) {
        read_xen_run(measured);
    }
    json_decref(root);
}

bool accuracy_xen(void) {
    read_xen();
    (void)printf("\n== Xen lab ==\n");
    print_table();
    const struct accuracy_summary quiet = accuracy_sum_up(&runs, &QUIET);
    const struct accuracy_summary busy = accuracy_sum_up(&runs, &BUSY);
    bool good = judge_each();
    good = accuracy_holds("xen-lab quiet: totals, median error", quiet.total_median_percent, 0,
                          MOST_TOTAL_MEDIAN_PERCENT, "%") &&
           good;
    good = accuracy_holds("xen-lab quiet: totals, worst error", quiet.total_worst_percent, 0, MOST_TOTAL_WORST_PERCENT,
                          "%") &&
           good;
    good = accuracy_holds("xen-lab busy: totals, median error", busy.total_median_percent, 0, MOST_BUSY_MEDIAN_PERCENT,
                          "%") &&
           good;
    return accuracy_holds("xen-lab: wrong verdicts", (double)(quiet.n_wrong + busy.n_wrong), 0, 0, "runs") && good;
}
