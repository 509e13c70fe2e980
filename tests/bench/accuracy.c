/*
 * What the labs of bench_prediction_accuracy share: curves of known
 * workloads, the table of runs, and the judgement. See accuracy.h.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/accuracy.h"

#include "model/quantile.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_WINDOWS = 22 };

void accuracy_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(2);
}

static double random_unique(double pages, double writes) {
    return pages > 0 ? pages * (1 - exp(-writes / pages)) : 0;
}

double accuracy_workload_pages(const struct accuracy_workload *workload, double window_s) {
    const double writes = workload->pages_per_s * window_s;
    const double set = workload->working_set_pages;
    const double later_frac = 1 - exp(-window_s / workload->idle_time_constant_s);
    const double idle = workload->idle_at_once_pages + workload->idle_later_pages * later_frac;
    if (strcmp(workload->pattern, "rand") == 0)
        return idle + random_unique(set, writes);
    if (strcmp(workload->pattern, "hot") == 0) /* nine writes of ten go to a tenth of the pages */
        return idle + random_unique(0.1 * set, 0.9 * writes) + random_unique(0.9 * set, 0.1 * writes);
    return idle + fmin(set, writes);
}

void accuracy_profile(const struct accuracy_workload *workload, struct dirty_profile *profile_out) {
    struct dirty_point points[N_WINDOWS];
    for (size_t i = 0; i < N_WINDOWS; i++) {
        points[i].window_s = 0.125 * pow(60 / 0.125, (double)i / (N_WINDOWS - 1));
        points[i].pages = accuracy_workload_pages(workload, points[i].window_s);
    }
    const struct dirty_curve curve = {.n_points = N_WINDOWS, .points = points};
    struct dc_error err = DC_ERROR_NONE;
    *profile_out = (struct dirty_profile){0};
    if (dirty_profile_add(profile_out, 0, &curve, &err) != DC_OK)
        accuracy_fail("%s", error_text(&err));
}

struct accuracy_run *accuracy_run_new(struct accuracy_runs *runs, const struct accuracy_lab *lab) {
    if (runs->n == ACCURACY_MAX_RUNS)
        accuracy_fail("more than %d runs", ACCURACY_MAX_RUNS);
    runs->all[runs->n] = (struct accuracy_run){.lab = lab};
    return &runs->all[runs->n++];
}

void accuracy_predict(struct accuracy_run *run, struct precopy_vm vm, const struct accuracy_workload *workload,
                      const struct bandwidth_step *steps, size_t n_steps) {
    struct dirty_profile profile;
    struct dc_error err = DC_ERROR_NONE;
    accuracy_profile(workload, &profile);
    vm.overhead = run->lab->overhead;
    vm.curve = &profile.bursts[0].curve;
    if (precopy_simulate(&vm, steps, n_steps, &run->predicted, &err) != DC_OK)
        accuracy_fail("%s: %s", run->name, error_text(&err));
    dirty_profile_dispose(&profile);
}

struct stop_policy accuracy_policy(const char *name) {
    struct stop_policy policy;
    struct dc_error err = DC_ERROR_NONE;
    if (stop_policy_init(&policy, name, &err) != DC_OK)
        accuracy_fail("%s", error_text(&err));
    return policy;
}

double accuracy_number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

const char *accuracy_text(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "";
}

json_t *accuracy_load(const char *path) {
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        accuracy_fail("%s:%d: %s", path, error.line, error.text);
    return root;
}

double accuracy_error_percent(double predicted, double measured) {
    return 100 * (predicted / measured - 1);
}

static void print_run(const struct accuracy_run *run) {
    const struct precopy_result *p = &run->predicted;
    const char *verdict = p->converges == run->completed ? "right" : "WRONG";
    if (!run->completed || !p->converges) {
        (void)printf("%-17s %-28s %8s %8s %7s %8s %8s %8s %7s %6u  %s (%s)\n", run->lab->name, run->name, "-", "-", "-",
                     "-", "-", "-", "-", p->n_rounds, verdict,
                     run->completed ? "it did converge" : "does not converge");
        return;
    }
    char bytes[16] = "-";
    if (run->bytes > 0)
        (void)snprintf(bytes, sizeof(bytes), "%+.1f%%", accuracy_error_percent(p->bytes, run->bytes));
    (void)printf("%-17s %-28s %8.2f %8.2f %+6.1f%% %8.0f %8.0f %+8.0f %7s %6u  %s\n", run->lab->name, run->name,
                 run->total_s, p->migration_s, accuracy_error_percent(p->migration_s, run->total_s),
                 1000 * run->downtime_s, 1000 * p->downtime_s, 1000 * (p->downtime_s - run->downtime_s), bytes,
                 p->n_rounds, verdict);
}

void accuracy_print_runs(const struct accuracy_runs *runs) {
    (void)printf("%-17s %-28s %8s %8s %7s %8s %8s %8s %7s %6s  %s\n", "lab", "run", "total s", "pred s", "err",
                 "down ms", "pred ms", "err ms", "bytes", "rounds", "verdict");
    for (size_t i = 0; i < runs->n; i++)
        print_run(&runs->all[i]);
    const struct accuracy_lab *last = NULL;
    for (size_t i = 0; i < runs->n; i++) {
        const struct accuracy_lab *lab = runs->all[i].lab;
        if (lab == last)
            continue;
        last = lab;
        (void)printf("assumed of %s (%s): pre %.0f ms, post %.0f ms, %.0f KiB in flight, %.0f suspend pages\n",
                     lab->name, lab->why, lab->overhead.pre_ms, lab->overhead.post_ms,
                     lab->overhead.in_flight_bytes / 1024, lab->overhead.suspend_pages);
    }
}

static double median(double *values, size_t n) {
    if (n == 0)
        return NAN;
    quantile_sort(values, n);
    return quantile_of_sorted(values, n, 0.5);
}

struct accuracy_summary accuracy_sum_up(const struct accuracy_runs *runs, const struct accuracy_lab *lab) {
    double totals[ACCURACY_MAX_RUNS], downtimes[ACCURACY_MAX_RUNS], bytes[ACCURACY_MAX_RUNS];
    struct accuracy_summary sum = {.total_worst_percent = 0};
    size_t n_bytes = 0;
    for (size_t i = 0; i < runs->n; i++) {
        const struct accuracy_run *run = &runs->all[i];
        if (run->lab != lab)
            continue;
        sum.n_wrong += run->predicted.converges != run->completed;
        if (!run->completed || !run->predicted.converges)
            continue;
        totals[sum.n] = fabs(accuracy_error_percent(run->predicted.migration_s, run->total_s));
        sum.total_worst_percent = fmax(sum.total_worst_percent, totals[sum.n]);
        downtimes[sum.n] = 1000 * fabs(run->predicted.downtime_s - run->downtime_s);
        sum.downtime_mean_ms += downtimes[sum.n++];
        if (run->bytes > 0)
            bytes[n_bytes++] = fabs(accuracy_error_percent(run->predicted.bytes, run->bytes));
    }
    sum.total_median_percent = median(totals, sum.n);
    sum.downtime_median_ms = median(downtimes, sum.n);
    sum.downtime_mean_ms /= (double)sum.n;
    sum.bytes_median_percent = median(bytes, n_bytes);
    (void)printf("%s, %zu runs: total %.1f%% (worst %.1f%%), downtime %.0f ms (mean %.0f ms)", lab->name, sum.n,
                 sum.total_median_percent, sum.total_worst_percent, sum.downtime_median_ms, sum.downtime_mean_ms);
    if (n_bytes > 0)
        (void)printf(", bytes %.1f%%", sum.bytes_median_percent);
    (void)printf(", wrong verdicts %zu\n", sum.n_wrong);
    return sum;
}

bool accuracy_holds(const char *what, double figure, double low, double high, const char *unit) {
    const bool holds = low <= figure && figure <= high; /* false for NAN */
    (void)printf("%-7s %-52s %8.2f %s", holds ? "holds" : "MISSED", what, figure, unit);
    if (low > 0)
        (void)printf(" (at least %g)", low);
    (void)printf(" (at most %g)\n", high);
    return holds;
}
