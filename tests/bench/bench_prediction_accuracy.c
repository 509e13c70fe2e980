/*
 * Predictions against measured migrations: `bench_prediction_accuracy` prints
 * one table over every run of the two labs in tests/data (see its README) and
 * exits 1 when a lab's median error of the totals exceeds 5% or a convergence
 * verdict is wrong.
 *
 * Each guest's curve comes from its known workload, as points at the windows
 * an agent samples; overheads are one row a lab, never fitted to a run.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/precopy.h"
#include "model/quantile.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_WINDOWS = 22, MAX_RUNS = 128, MAX_STEPS = 64, TEXT_BYTES = 48 };

static const double MOST_MEDIAN_ERROR_PERCENT = 5;
static const double ETHERNET_GOODPUT_FRAC = 1448.0 / 1514.0; /* TCP payload over frame bytes */

enum lab { XEN_QUIET, XEN_BUSY, QEMU_SINGLE, QEMU_SETS, N_LABS };

/* Background: `at_once` pages in any window, `more` in the long run. */
struct calibration {
    const char *name;
    const char *why;
    struct migration_overhead overhead;
};

static const struct calibration LABS[N_LABS] = {
    [XEN_QUIET] = {"xen-lab, quiet", "runs c*", {.post_ms = 125, .in_flight_bytes = 128 << 10, .suspend_pages = 250}},
    [XEN_BUSY] = {"xen-lab, busy",
                  "the other runs",
                  {.post_ms = 190, .in_flight_bytes = 128 << 10, .suspend_pages = 200}},
    [QEMU_SINGLE] = {"qemu-lab, single", "one guest", {.pre_ms = 125, .post_ms = 15, .in_flight_bytes = 1e6}},
    [QEMU_SETS] = {"qemu-lab, sets", "guests sharing a link", {.pre_ms = 125, .post_ms = 15, .in_flight_bytes = 1e6}},
};

/* A writer over `working_set_pages`, and the idle guest around it, which
 * touches `at_once` pages in any window and `later` more in the long run. */
struct workload {
    double pages_per_s;
    double working_set_pages;
    const char *pattern; /* cyclic, seq, rand, hot */
    double idle_at_once_pages;
    double idle_later_pages;
    double idle_time_constant_s;
};

static double random_unique(double pages, double writes) {
    return pages > 0 ? pages * (1 - exp(-writes / pages)) : 0;
}

/* W(t) of a workload. */
static double workload_pages(const struct workload *workload, double t) {
    const double writes = workload->pages_per_s * t;
    const double set = workload->working_set_pages;
    const double idle =
        workload->idle_at_once_pages + workload->idle_later_pages * (1 - exp(-t / workload->idle_time_constant_s));
    if (strcmp(workload->pattern, "rand") == 0)
        return idle + random_unique(set, writes);
    if (strcmp(workload->pattern, "hot") == 0) /* nine writes of ten go to a tenth of the pages */
        return idle + random_unique(0.1 * set, 0.9 * writes) + random_unique(0.9 * set, 0.1 * writes);
    return idle + fmin(set, writes);
}

/* The points an agent would record of it: 22 windows, geometric, 0.125 s to 60 s. */
static void profile_init(struct dirty_profile *profile, const struct workload *workload) {
    struct dirty_point points[N_WINDOWS];
    for (size_t i = 0; i < N_WINDOWS; i++) {
        points[i].window_s = 0.125 * pow(60 / 0.125, (double)i / (N_WINDOWS - 1));
        points[i].pages = workload_pages(workload, points[i].window_s);
    }
    const struct dirty_curve curve = {.n_points = N_WINDOWS, .points = points};
    struct dc_error err = DC_ERROR_NONE;
    *profile = (struct dirty_profile){0};
    if (dirty_profile_add(profile, 0, &curve, &err) != DC_OK) {
        (void)fprintf(stderr, "%s\n", error_text(&err));
        exit(1);
    }
}

/* One migration, as measured and as predicted. */
struct run {
    char name[TEXT_BYTES];
    const char *policy;
    enum lab lab;
    bool completed;
    double total_s;
    double downtime_s;
    double bytes; /* 0 where not measured */
    struct precopy_result predicted;
};

static struct run runs[MAX_RUNS];
static size_t n_runs;

static struct run *run_new(enum lab lab, const char *policy) {
    if (n_runs == MAX_RUNS) {
        (void)fprintf(stderr, "more than %d runs\n", MAX_RUNS);
        exit(1);
    }
    runs[n_runs] = (struct run){.lab = lab, .policy = policy};
    return &runs[n_runs++];
}

static void predict(struct run *run, struct precopy_vm vm, const struct workload *workload,
                    const struct bandwidth_step *steps, size_t n_steps) {
    struct dirty_profile profile;
    struct dc_error err = DC_ERROR_NONE;
    profile_init(&profile, workload);
    vm.overhead = LABS[run->lab].overhead;
    vm.curve = &profile.bursts[0].curve;
    if (precopy_simulate(&vm, steps, n_steps, &run->predicted, &err) != DC_OK) {
        (void)fprintf(stderr, "%s: %s\n", run->name, error_text(&err));
        exit(1);
    }
    dirty_profile_dispose(&profile);
}

static struct stop_policy policy_of(const char *name) {
    struct stop_policy policy;
    struct dc_error err = DC_ERROR_NONE;
    if (stop_policy_init(&policy, name, &err) != DC_OK) {
        (void)fprintf(stderr, "%s\n", error_text(&err));
        exit(1);
    }
    return policy;
}

/* 0 where the key is missing or null. */
static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));
    return value != NULL ? value : "";
}

static json_t *load(const char *path) {
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL) {
        (void)fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
        exit(1);
    }
    return root;
}

static void read_xen_run(const json_t *measured) {
    const bool quiet = text(measured, "id")[0] == 'c';
    const bool pvh = strcmp(text(measured, "vm"), "pvh") == 0;
    struct run *run = run_new(quiet ? XEN_QUIET : XEN_BUSY, "xen-v2");
    (void)snprintf(run->name, sizeof(run->name), "%s", text(measured, "id"));
    run->completed = true;
    run->total_s = number(measured, "total_s");
    run->downtime_s = number(measured, "downtime_s");
    run->bytes = number(measured, "bytes");
    const struct workload workload = {
        .pages_per_s = number(measured, "rate"),
        .working_set_pages = number(measured, "working_set_pages"),
        .pattern = text(measured, "pattern"),
        .idle_at_once_pages = pvh ? 60 : 30,
        .idle_later_pages = 100,
        .idle_time_constant_s = 10,
    };
    struct precopy_vm vm = {.memory_pages = number(measured, "ram_pages"), .policy = policy_of("xen-v2")};
    vm.policy.gfn_count = number(measured, "gfn_count");
    const double achieved = number(measured, "achieved_bytes_per_s");
    const struct bandwidth_step step = {
        .bytes_per_s = achieved > 0 ? achieved : number(measured, "limit_kib_per_s") * 1024,
    };
    predict(run, vm, &workload, &step, 1);
}

static void read_xen(void) {
    json_t *root = load(TEST_DATA_DIR "/xen-lab/measured.json");
    size_t i;
    json_t *measured;
    json_array_foreach(json_object_get(root, "runs"), i, measured) {
        read_xen_run(measured);
    }
    json_decref(root);
}

/* The idle guest of the QEMU lab touches some 150 pages at 60 a second. */
static struct workload qemu_workload(double pages_per_s, double working_set_pages, const char *pattern) {
    return (struct workload){
        .pages_per_s = pages_per_s,
        .working_set_pages = working_set_pages,
        .pattern = pattern,
        .idle_later_pages = 150,
        .idle_time_constant_s = 2.5,
    };
}

static struct precopy_vm qemu_vm(double nonzero_pages, double zero_pages, double downtime_limit_ms) {
    struct precopy_vm vm = {
        .memory_pages = nonzero_pages + zero_pages,
        .zero_pages = zero_pages,
        .policy = policy_of("qemu"),
    };
    vm.policy.downtime_limit_ms = downtime_limit_ms;
    return vm;
}

/* A rate that alternates counts with its mean. */
static double mean_rate(const json_t *guest) {
    const double duty_frac = number(guest, "duty_percent") / 100;
    const double rate = number(guest, "dirty_pages_per_s");
    if (number(guest, "period_ms") <= 0)
        return rate;
    return rate * duty_frac + number(guest, "low_pages_per_s") * (1 - duty_frac);
}

static void read_qemu_single(void) {
    json_t *root = load(TEST_DATA_DIR "/qemu-lab/single.json");
    size_t i;
    json_t *measured;
    json_array_foreach(json_object_get(root, "runs"), i, measured) {
        const json_t *guest = json_object_get(measured, "guest");
        struct run *run = run_new(QEMU_SINGLE, "qemu");
        const double rate = mean_rate(guest);
        const double limit_ms = number(measured, "downtime_limit_ms");
        (void)snprintf(run->name, sizeof(run->name), "%s %.0f/s, limit %.0f ms", text(guest, "pattern"), rate,
                       limit_ms);
        run->completed = strcmp(text(measured, "status"), "completed") == 0;
        run->total_s = number(measured, "total_s");
        run->downtime_s = number(measured, "downtime_ms") / 1000;
        run->bytes = number(measured, "bytes");
        const struct workload workload =
            qemu_workload(rate, number(guest, "working_set_pages"), text(guest, "pattern"));
        const struct precopy_vm vm = qemu_vm(number(guest, "nonzero_pages"), number(guest, "zero_pages"), limit_ms);
        const struct bandwidth_step step = {.bytes_per_s = number(measured, "link_payload_bytes_per_s")};
        predict(run, vm, &workload, &step, 1);
    }
    json_decref(root);
}

static int compare_steps(const void *left, const void *right) {
    const double a = ((const struct bandwidth_step *)left)->from_s;
    const double b = ((const struct bandwidth_step *)right)->from_s;
    return (a > b) - (a < b);
}

/* What migration `self` gets of the link from its start on: an equal share
 * among those in flight, changing when one starts or ends. */
static size_t shares(const json_t *migrations, size_t self, double link_bytes_per_s, struct bandwidth_step *steps) {
    const double from_s = number(json_array_get(migrations, self), "start_s");
    size_t n_steps = 0;
    size_t i;
    json_t *other;
    steps[n_steps++] = (struct bandwidth_step){.from_s = 0};
    json_array_foreach(migrations, i, other) {
        const double changes_s[] = {number(other, "start_s") - from_s, number(other, "end_s") - from_s};
        for (size_t k = 0; k < 2 && i != self && n_steps < MAX_STEPS; k++) {
            if (changes_s[k] > 0)
                steps[n_steps++] = (struct bandwidth_step){.from_s = changes_s[k]};
        }
    }
    qsort(steps, n_steps, sizeof(steps[0]), compare_steps);
    for (size_t s = 0; s < n_steps; s++) {
        double n_in_flight = 1;
        json_array_foreach(migrations, i, other) {
            const double at_s = from_s + steps[s].from_s;
            n_in_flight += i != self && number(other, "start_s") <= at_s && at_s < number(other, "end_s");
        }
        steps[s].bytes_per_s = link_bytes_per_s / n_in_flight;
    }
    return n_steps;
}

static void read_qemu_set(const json_t *set) {
    enum { NONZERO_PAGES_BESIDES = 15754, ALL_PAGES = 32835, PAGES_PER_MIB = 256 };
    const json_t *migrations = json_object_get(set, "migrations");
    const double link = number(set, "link_mbit") * 125000 * ETHERNET_GOODPUT_FRAC;
    const double set_pages = number(set, "working_set_mib") * PAGES_PER_MIB;
    const json_t *rates = json_object_get(set, "rates");
    size_t i;
    json_t *measured;
    json_array_foreach(migrations, i, measured) {
        struct run *run = run_new(QEMU_SETS, "qemu");
        const double rate = json_number_value(json_array_get(rates, i % json_array_size(rates)));
        (void)snprintf(run->name, sizeof(run->name), "%.0f at once, %s, %.0f/s", number(set, "concurrency"),
                       text(measured, "vm"), rate);
        run->completed = strcmp(text(measured, "status"), "completed") == 0;
        run->total_s = number(measured, "total_s");
        run->downtime_s = number(measured, "downtime_ms") / 1000;
        run->bytes = number(measured, "bytes");
        struct bandwidth_step steps[MAX_STEPS];
        const size_t n_steps = shares(migrations, i, link, steps);
        const double nonzero_pages = NONZERO_PAGES_BESIDES + set_pages;
        const struct workload workload = qemu_workload(rate, set_pages, "rand");
        const struct precopy_vm vm =
            qemu_vm(nonzero_pages, ALL_PAGES - nonzero_pages, number(set, "downtime_limit_ms"));
        predict(run, vm, &workload, steps, n_steps);
    }
}

static void read_qemu_sets(void) {
    json_t *root = load(TEST_DATA_DIR "/qemu-lab/sets.json");
    size_t i;
    json_t *set;
    json_array_foreach(json_object_get(root, "sets"), i, set) {
        read_qemu_set(set);
    }
    json_decref(root);
}

static double error_percent(double predicted, double measured) {
    return 100 * (predicted / measured - 1);
}

static void print_run(const struct run *run) {
    const struct precopy_result *p = &run->predicted;
    const char *verdict = p->converges == run->completed ? "right" : "WRONG";
    if (!run->completed || !p->converges) {
        (void)printf("%-17s %-25s %-7s %8s %8s %7s %8s %8s %8s %7s %6u  %s (%s)\n", LABS[run->lab].name, run->name,
                     run->policy, "-", "-", "-", "-", "-", "-", "-", p->n_rounds, verdict,
                     run->completed ? "it did converge" : "does not converge");
        return;
    }
    char bytes[16] = "-";
    if (run->bytes > 0)
        (void)snprintf(bytes, sizeof(bytes), "%+.1f%%", error_percent(p->bytes, run->bytes));
    (void)printf("%-17s %-25s %-7s %8.2f %8.2f %+6.1f%% %8.0f %8.0f %+8.0f %7s %6u  %s\n", LABS[run->lab].name,
                 run->name, run->policy, run->total_s, p->migration_s, error_percent(p->migration_s, run->total_s),
                 1000 * run->downtime_s, 1000 * p->downtime_s, 1000 * (p->downtime_s - run->downtime_s), bytes,
                 p->n_rounds, verdict);
}

/* The medians over the runs of `lab`, or over all for N_LABS; false when they
 * are not good enough. */
static bool print_medians(enum lab lab) {
    double totals[MAX_RUNS], downtimes[MAX_RUNS], bytes[MAX_RUNS];
    size_t n = 0, n_bytes = 0, n_wrong = 0;
    for (size_t i = 0; i < n_runs; i++) {
        const struct run *run = &runs[i];
        if (lab != N_LABS && run->lab != lab)
            continue;
        n_wrong += run->predicted.converges != run->completed;
        if (!run->completed || !run->predicted.converges)
            continue;
        totals[n] = fabs(error_percent(run->predicted.migration_s, run->total_s));
        downtimes[n++] = 1000 * fabs(run->predicted.downtime_s - run->downtime_s);
        if (run->bytes > 0)
            bytes[n_bytes++] = fabs(error_percent(run->predicted.bytes, run->bytes));
    }
    quantile_sort(totals, n);
    quantile_sort(downtimes, n);
    quantile_sort(bytes, n_bytes);
    const char *name = lab == N_LABS ? "all" : LABS[lab].name;
    if (n == 0) {
        (void)printf("%-17s no runs to compare\n", name);
        return false;
    }
    const double total = quantile_of_sorted(totals, n, 0.5);
    (void)printf("%-17s %3zu runs: total %.1f%% (worst %.1f%%), downtime %.0f ms", name, n, total, totals[n - 1],
                 quantile_of_sorted(downtimes, n, 0.5));
    if (n_bytes > 0)
        (void)printf(", bytes %.1f%%", quantile_of_sorted(bytes, n_bytes, 0.5));
    (void)printf(", wrong verdicts %zu\n", n_wrong);
    return total <= MOST_MEDIAN_ERROR_PERCENT && n_wrong == 0;
}

int main(void) {
    read_xen();
    read_qemu_single();
    read_qemu_sets();
    (void)printf("%-17s %-25s %-7s %8s %8s %7s %8s %8s %8s %7s %6s  %s\n", "lab", "run", "policy", "total s", "pred s",
                 "err", "down ms", "pred ms", "err ms", "bytes", "rounds", "verdict");
    for (size_t i = 0; i < n_runs; i++)
        print_run(&runs[i]);
    (void)printf("\nOverheads assumed:\n");
    for (size_t lab = 0; lab < N_LABS; lab++)
        (void)printf("%-17s (%s) pre %.0f ms, post %.0f ms, %.0f KiB in flight, %.0f suspend pages\n", LABS[lab].name,
                     LABS[lab].why, LABS[lab].overhead.pre_ms, LABS[lab].overhead.post_ms,
                     LABS[lab].overhead.in_flight_bytes / 1024, LABS[lab].overhead.suspend_pages);
    (void)printf("\nMedians of the absolute errors:\n");
    bool good = true;
    for (enum lab lab = XEN_QUIET; lab <= N_LABS; lab++)
        good = print_medians(lab) && good;
    return good ? 0 : 1;
}
