/*
 * Predictions against the measured migrations of the Xen lab
 * (tests/data/xen-lab): each guest's curve comes from its known workload.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/accuracy.h"

#include <stdio.h>
#include <string.h>

static const double MOST_TOTAL_MEDIAN_PERCENT = 5;

static const struct accuracy_lab QUIET = {
    .name = "xen-lab, quiet",
    .why = "runs c*",
    .overhead = {.post_ms = 125, .in_flight_bytes = 128 << 10, .suspend_pages = 250},
};
static const struct accuracy_lab BUSY = {
    .name = "xen-lab, busy",
    .why = "the other runs",
    .overhead = {.post_ms = 190, .in_flight_bytes = 128 << 10, .suspend_pages = 200},
};

static struct accuracy_runs runs;

static void read_xen_run(const json_t *measured) {
    const bool quiet = accuracy_text(measured, "id")[0] == 'c';
    const bool pvh = strcmp(accuracy_text(measured, "vm"), "pvh") == 0;
    struct accuracy_run *run = accuracy_run_new(&runs, quiet ? &QUIET : &BUSY);
    (void)snprintf(run->name, sizeof(run->name), "%s", accuracy_text(measured, "id"));
    run->completed = true;
    run->total_s = accuracy_number(measured, "total_s");
    run->downtime_s = accuracy_number(measured, "downtime_s");
    run->bytes = accuracy_number(measured, "bytes");
    const struct accuracy_workload workload = {
        .pages_per_s = accuracy_number(measured, "rate"),
        .working_set_pages = accuracy_number(measured, "working_set_pages"),
        .pattern = accuracy_text(measured, "pattern"),
        .idle_at_once_pages = pvh ? 60 : 30,
        .idle_later_pages = 100,
        .idle_time_constant_s = 10,
    };
    struct precopy_vm vm = {.memory_pages = accuracy_number(measured, "ram_pages"),
                            .policy = accuracy_policy("xen-v2")};
    vm.policy.gfn_count = accuracy_number(measured, "gfn_count");
    const double achieved = accuracy_number(measured, "achieved_bytes_per_s");
    const struct bandwidth_step step = {
        .bytes_per_s = achieved > 0 ? achieved : accuracy_number(measured, "limit_kib_per_s") * 1024,
    };
    accuracy_predict(run, vm, &workload, &step, 1);
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
    accuracy_print_runs(&runs);
    const struct accuracy_summary quiet = accuracy_sum_up(&runs, &QUIET);
    const struct accuracy_summary busy = accuracy_sum_up(&runs, &BUSY);
    bool good = accuracy_holds("xen-lab quiet: totals, median error", quiet.total_median_percent, 0,
                               MOST_TOTAL_MEDIAN_PERCENT, "%");
    good = accuracy_holds("xen-lab busy: totals, median error", busy.total_median_percent, 0, MOST_TOTAL_MEDIAN_PERCENT,
                          "%") &&
           good;
    return accuracy_holds("xen-lab: wrong verdicts", (double)(quiet.n_wrong + busy.n_wrong), 0, 0, "runs") && good;
}
