/*
 * Predictions against the measured migrations of the QEMU lab
 * (tests/data/qemu-lab): guests alone, and sets that share a link. Each
 * guest's curve comes from its known workload.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/accuracy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 64 };

static const double ETHERNET_GOODPUT_FRAC = 1448.0 / 1514.0; /* TCP payload over frame bytes */

static const struct accuracy_lab SINGLE = {
    .name = "qemu-lab, single",
    .why = "one guest",
    .overhead = {.pre_ms = 125, .post_ms = 15, .in_flight_bytes = 1e6},
};
static const struct accuracy_lab SETS = {
    .name = "qemu-lab, sets",
    .why = "guests sharing a link",
    .overhead = {.pre_ms = 125, .post_ms = 15, .in_flight_bytes = 1e6},
};

static struct accuracy_runs runs;

/* The idle guest of the QEMU lab touches some 150 pages at 60 a second. */
static struct accuracy_workload qemu_workload(double pages_per_s, double working_set_pages, const char *pattern) {
    return (struct accuracy_workload){
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
        .policy = accuracy_policy("qemu"),
    };
    vm.policy.downtime_limit_ms = downtime_limit_ms;
    return vm;
}

/* A rate that alternates counts with its mean. */
static double mean_rate(const json_t *guest) {
    const double duty_frac = accuracy_number(guest, "duty_percent") / 100;
    const double rate = accuracy_number(guest, "dirty_pages_per_s");
    if (accuracy_number(guest, "period_ms") <= 0)
        return rate;
    return rate * duty_frac + accuracy_number(guest, "low_pages_per_s") * (1 - duty_frac);
}

static void read_qemu_single(void) {
    json_t *root = accuracy_load(TEST_DATA_DIR "/qemu-lab/single.json");
    size_t i;
    json_t *measured;
    json_array_foreach(json_object_get(root, "runs"), i, measured) {
        const json_t *guest = json_object_get(measured, "guest");
        struct accuracy_run *run = accuracy_run_new(&runs, &SINGLE);
        const double rate = mean_rate(guest);
        const double limit_ms = accuracy_number(measured, "downtime_limit_ms");
        (void)snprintf(run->name, sizeof(run->name), "%s %.0f/s, limit %.0f ms", accuracy_text(guest, "pattern"), rate,
                       limit_ms);
        run->completed = strcmp(accuracy_text(measured, "status"), "completed") == 0;
        run->total_s = accuracy_number(measured, "total_s");
        run->downtime_s = accuracy_number(measured, "downtime_ms") / 1000;
        run->bytes = accuracy_number(measured, "bytes");
        const struct accuracy_workload workload =
            qemu_workload(rate, accuracy_number(guest, "working_set_pages"), accuracy_text(guest, "pattern"));
        const struct precopy_vm vm =
            qemu_vm(accuracy_number(guest, "nonzero_pages"), accuracy_number(guest, "zero_pages"), limit_ms);
        const struct bandwidth_step step = {.bytes_per_s = accuracy_number(measured, "link_payload_bytes_per_s")};
        accuracy_predict(run, vm, &workload, &step, 1);
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
    const double from_s = accuracy_number(json_array_get(migrations, self), "start_s");
    size_t n_steps = 0;
    size_t i;
    json_t *other;
    steps[n_steps++] = (struct bandwidth_step){.from_s = 0};
    json_array_foreach(migrations, i, other) {
        const double changes_s[] = {accuracy_number(other, "start_s") - from_s,
                                    accuracy_number(other, "end_s") - from_s};
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
            n_in_flight +=
                i != self && accuracy_number(other, "start_s") <= at_s && at_s < accuracy_number(other, "end_s");
        }
        steps[s].bytes_per_s = link_bytes_per_s / n_in_flight;
    }
    return n_steps;
}

static void read_qemu_set(const json_t *set) {
    enum { NONZERO_PAGES_BESIDES = 15754, ALL_PAGES = 32835, PAGES_PER_MIB = 256 };
    const json_t *migrations = json_object_get(set, "migrations");
    const double link = accuracy_number(set, "link_mbit") * 125000 * ETHERNET_GOODPUT_FRAC;
    const double set_pages = accuracy_number(set, "working_set_mib") * PAGES_PER_MIB;
    const json_t *rates = json_object_get(set, "rates");
    size_t i;
    json_t *measured;
    json_array_foreach(migrations, i, measured) {
        struct accuracy_run *run = accuracy_run_new(&runs, &SETS);
        const double rate = json_number_value(json_array_get(rates, i % json_array_size(rates)));
        (void)snprintf(run->name, sizeof(run->name), "%.0f at once, %s, %.0f/s", accuracy_number(set, "concurrency"),
                       accuracy_text(measured, "vm"), rate);
        run->completed = strcmp(accuracy_text(measured, "status"), "completed") == 0;
        run->total_s = accuracy_number(measured, "total_s");
        run->downtime_s = accuracy_number(measured, "downtime_ms") / 1000;
        run->bytes = accuracy_number(measured, "bytes");
        struct bandwidth_step steps[MAX_STEPS];
        const size_t n_steps = shares(migrations, i, link, steps);
        const double nonzero_pages = NONZERO_PAGES_BESIDES + set_pages;
        const struct accuracy_workload workload = qemu_workload(rate, set_pages, "rand");
        const struct precopy_vm vm =
            qemu_vm(nonzero_pages, ALL_PAGES - nonzero_pages, accuracy_number(set, "downtime_limit_ms"));
        accuracy_predict(run, vm, &workload, steps, n_steps);
    }
}

static void read_qemu_sets(void) {
    json_t *root = accuracy_load(TEST_DATA_DIR "/qemu-lab/sets.json");
    size_t i;
    json_t *set;
    json_array_foreach(json_object_get(root, "sets"), i, set) {
        read_qemu_set(set);
    }
    json_decref(root);
}

bool accuracy_qemu(void) {
    read_qemu_single();
    read_qemu_sets();
    (void)printf("\n== QEMU lab ==\n");
    accuracy_print_runs(&runs);
    const struct accuracy_summary single = accuracy_sum_up(&runs, &SINGLE);
    const struct accuracy_summary sets = accuracy_sum_up(&runs, &SETS);
    bool good = accuracy_holds("qemu-lab single: totals, median error", single.total_median_percent, 0, 2, "%");
    good = accuracy_holds("qemu-lab single: totals, worst error", single.total_worst_percent, 0, 5, "%") && good;
    good = accuracy_holds("qemu-lab single: downtime, mean error", single.downtime_mean_ms, 0, 35, "ms") && good;
    return accuracy_holds("qemu-lab: wrong verdicts", (double)(single.n_wrong + sets.n_wrong), 0, 0, "runs") && good;
}
