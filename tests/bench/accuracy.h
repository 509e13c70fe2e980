/*
 * Shared by the files of bench_prediction_accuracy: one file for each lab
 * (accuracy_xen.c, accuracy_qemu.c, ...) reads its measurements from
 * tests/data, predicts each run, prints its tables, and says whether the
 * thresholds hold.
 *
 * A lab's overheads are one row (struct accuracy_lab), never fitted to a run.
 * Whatever cannot be read or simulated ends the program with status 2.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/precopy.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { ACCURACY_TEXT_BYTES = 48, ACCURACY_MAX_RUNS = 128 };

struct accuracy_lab {
    const char *name;
    const char *why;
    struct migration_overhead overhead;
};

/* A writer over `working_set_pages`, and the idle guest around it, which
 * touches `at_once` pages in any window and `later` more in the long run. */
struct accuracy_workload {
    double pages_per_s;
    double working_set_pages;
    const char *pattern; /* cyclic, seq, rand, hot */
    double idle_at_once_pages;
    double idle_later_pages;
    double idle_time_constant_s;
};

/* One migration, as measured and as predicted. */
struct accuracy_run {
    char name[ACCURACY_TEXT_BYTES];
    const struct accuracy_lab *lab;
    bool completed;
    double total_s;
    double downtime_s;
    double bytes; /* 0 where not measured */
    struct precopy_result predicted;
};

struct accuracy_runs {
    size_t n;
    struct accuracy_run all[ACCURACY_MAX_RUNS];
};

/* Of the runs of one lab that completed and were predicted to; absolute errors. */
struct accuracy_summary {
    size_t n;
    size_t n_wrong; /* verdicts, of all runs of the lab */
    double total_median_percent;
    double total_worst_percent;
    double downtime_median_ms;
    double downtime_mean_ms;
    double bytes_median_percent; /* NAN where none was measured */
};

/* The next row of `runs`, empty but for its lab. */
struct accuracy_run *accuracy_run_new(struct accuracy_runs *runs, const struct accuracy_lab *lab);

/* W(t) of a workload in pages. */
double accuracy_workload_pages(const struct accuracy_workload *workload, double window_s);

/* The points an agent would record of it: 22 windows, geometric, 0.125 s to
 * 60 s. The caller disposes `profile_out`. */
void accuracy_profile(const struct accuracy_workload *workload, struct dirty_profile *profile_out);

/* Predicts `run` from its lab's overheads and the workload's curve. */
void accuracy_predict(struct accuracy_run *run, struct precopy_vm vm, const struct accuracy_workload *workload,
                      const struct bandwidth_step *steps, size_t n_steps);

struct stop_policy accuracy_policy(const char *name);

/* Prints every run beneath a head line, and the overheads assumed. */
void accuracy_print_runs(const struct accuracy_runs *runs);

/* Sums up the runs of `lab` and prints it on one line. */
struct accuracy_summary accuracy_sum_up(const struct accuracy_runs *runs, const struct accuracy_lab *lab);

/* Prints `what`, its figure and its threshold; true when low <= figure <= high. */
bool accuracy_holds(const char *what, double figure, double low, double high, const char *unit);

double accuracy_error_percent(double predicted, double measured);

/* Says why and exits with status 2. */
_Noreturn void accuracy_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* JSON: a file of tests/data; 0 or "" where the key is missing or null. */
json_t *accuracy_load(const char *path);
double accuracy_number(const json_t *object, const char *key);
const char *accuracy_text(const json_t *object, const char *key);

/* The QEMU lab's guests: the idle one touches some 150 pages at 60 a second. */
struct accuracy_workload accuracy_qemu_workload(double pages_per_s, double working_set_pages, const char *pattern);
struct precopy_vm accuracy_qemu_vm(double nonzero_pages, double zero_pages, double downtime_limit_ms);

/* Counts a held-back run: what it took and the p95 that was predicted from the
 * other runs of its `group`. */
void accuracy_coverage_add(const char *group, double total_s, double p95_s);

/* Prints the share of runs within their p95, by group and over all; true when it is 90 to 99%. */
bool accuracy_coverage(void);

/* The labs: print their tables, return whether all thresholds hold. */
bool accuracy_xen(void);
bool accuracy_qemu(void);
bool accuracy_sets(void);
bool accuracy_postgres(void);
