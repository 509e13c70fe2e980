/*
 * Predictions against the measured migrations of the QEMU lab
 * (tests/data/qemu-lab/single.json): guests that have a link to themselves.
 * Each guest's curve comes from its known workload.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/accuracy.h"

#include <stdio.h>
#include <string.h>

static const struct accuracy_lab SINGLE = {
    .name = "qemu-lab, single",
    .why = "one guest",
    .overhead = {.pre_ms = 125, .post_ms = 15, .in_flight_bytes = 1e6},
};

static struct accuracy_runs runs;

struct accuracy_workload accuracy_qemu_workload(double pages_per_s, double working_set_pages, const char *pattern) {
    return (struct accuracy_workload){
        .pages_per_s = pages_per_s,
        .working_set_pages = working_set_pages,
        .pattern = pattern,
        .idle_later_pages = 150,
        .idle_time_constant_s = 2.5,
    };
}

struct precopy_vm accuracy_qemu_vm(double nonzero_pages, double zero_pages, double downtime_limit_ms) {
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
            accuracy_qemu_workload(rate, accuracy_number(guest, "working_set_pages"), accuracy_text(guest, "pattern"));
        const struct precopy_vm vm =
            accuracy_qemu_vm(accuracy_number(guest, "nonzero_pages"), accuracy_number(guest, "zero_pages"), limit_ms);
        const struct bandwidth_step step = {.bytes_per_s = accuracy_number(measured, "link_payload_bytes_per_s")};
        accuracy_predict(run, vm, &workload, &step, 1);
    }
    json_decref(root);
}

bool accuracy_qemu(void) {
    read_qemu_single();
    (void)printf("\n== QEMU lab: guests alone ==\n");
    accuracy_print_runs(&runs);
    const struct accuracy_summary single = accuracy_sum_up(&runs, &SINGLE);
    bool good = accuracy_holds("qemu-lab single: totals, median error", single.total_median_percent, 0, 2, "%");
    good = accuracy_holds("qemu-lab single: totals, worst error", single.total_worst_percent, 0, 5, "%") && good;
    good = accuracy_holds("qemu-lab single: downtime, mean error", single.downtime_mean_ms, 0, 35, "ms") && good;
    return accuracy_holds("qemu-lab single: wrong verdicts", (double)single.n_wrong, 0, 0, "runs") && good;
}
