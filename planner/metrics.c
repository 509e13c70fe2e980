/* One family after the other; a family without values is left out. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/metrics.h"

#include "planner/accuracy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void describe(FILE *out, const char *name, const char *type, const char *help) {
    (void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_one(FILE *out, const char *name, const char *type, const char *help, double value) {
    describe(out, name, type, help);
    (void)fprintf(out, "%s %.17g\n", name, value);
}

static void write_hosts(FILE *out, const struct fleet *fleet) {
    static const char name[] = "decamp_hosts";
    size_t n[FLEET_LOST + 1] = {0};
    for (size_t i = 0; i < fleet->n_hosts; i++)
        n[fleet->hosts[i].freshness]++;
    describe(out, name, "gauge", "Hosts, by how long ago their agents spoke.");
    for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++)
        (void)fprintf(out, "%s{freshness=\"%s\"} %zu\n", name, fleet_doc_freshness_text((enum fleet_freshness)i), n[i]);
}

static int compare_numbers(const void *a, const void *b) {
    const double one = *(const double *)a, other = *(const double *)b;
    return (one > other) - (one < other);
}

static bool write_predictions(FILE *out, const struct fleet *fleet, int64_t now_unix_ms) {
    static const char name[] = "decamp_prediction_age_seconds";
    double *ages_s = calloc(fleet->n_vms + 1, sizeof(*ages_s));
    size_t n = 0;
    double sum_s = 0;
    if (ages_s == NULL)
        return false;
    for (size_t i = 0; i < fleet->n_vms; i++) {
        const struct prediction *prediction = &fleet->vms[i].prediction;
        if (prediction->n_points == 0)
            continue;
        ages_s[n] = fmax(0, (double)(now_unix_ms - prediction->made_unix_ms) / 1e3);
        sum_s += ages_s[n++];
    }
    write_one(out, "decamp_vms", "gauge", "VMs known.", (double)fleet->n_vms);
    write_one(out, "decamp_vms_unpredicted", "gauge", "VMs without a prediction.", (double)(fleet->n_vms - n));
    describe(out, name, "summary", "How old the newest predictions of the VMs are.");
    qsort(ages_s, n, sizeof(*ages_s), compare_numbers);
    static const double quantiles[] = {0.5, 0.95, 1};
    for (size_t i = 0; n > 0 && i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
        (void)fprintf(out, "%s{quantile=\"%g\"} %.17g\n", name, quantiles[i],
                      ages_s[(size_t)ceil(quantiles[i] * (double)n) - 1]);
    (void)fprintf(out, "%s_sum %.17g\n%s_count %zu\n", name, sum_s, name, n);
    free(ages_s);
    return true;
}

static bool write_accuracy(FILE *out, const struct fleet *fleet) {
    static const char *const figures[ACCURACY_N_FIGURES] = {
        [ACCURACY_MIGRATION] = "migration", [ACCURACY_DOWNTIME] = "downtime", [ACCURACY_BYTES] = "bytes"};
    static const struct accuracy_choice all = {.vm = NULL};
    struct accuracy accuracies[ACCURACY_N_FIGURES];
    for (size_t i = 0; i < ACCURACY_N_FIGURES; i++)
        if (accuracy_judge(fleet, &all, (enum accuracy_figure)i, &accuracies[i], NULL) != DC_OK)
            return false;
    describe(out, "decamp_observed_migrations", "gauge",
             "Newest migrations of which the figure was predicted and observed.");
    for (size_t i = 0; i < ACCURACY_N_FIGURES; i++)
        (void)fprintf(out, "decamp_observed_migrations{figure=\"%s\"} %zu\n", figures[i], accuracies[i].n);
    describe(out, "decamp_prediction_error_ratio", "gauge",
             "Absolute error of p50 in these, a share of what was observed.");
    for (size_t i = 0; i < ACCURACY_N_FIGURES; i++) {
        if (accuracies[i].n > 0)
            (void)fprintf(out,
                          "decamp_prediction_error_ratio{figure=\"%s\",quantile=\"0.5\"} %.17g\n"
                          "decamp_prediction_error_ratio{figure=\"%s\",quantile=\"0.9\"} %.17g\n",
                          figures[i], accuracies[i].median_frac, figures[i], accuracies[i].p90_frac);
    }
    describe(out, "decamp_prediction_bias_ratio", "gauge",
             "Median error with its sign: above 0 too much is predicted.");
    for (size_t i = 0; i < ACCURACY_N_FIGURES; i++)
        if (accuracies[i].n > 0)
            (void)fprintf(out, "decamp_prediction_bias_ratio{figure=\"%s\"} %.17g\n", figures[i],
                          accuracies[i].bias_frac);
    describe(out, "decamp_prediction_within_p95_ratio", "gauge", "Share of these within their p95.");
    for (size_t i = 0; i < ACCURACY_N_FIGURES; i++)
        if (accuracies[i].n > 0 && accuracies[i].has_p95)
            (void)fprintf(out, "decamp_prediction_within_p95_ratio{figure=\"%s\"} %.17g\n", figures[i],
                          accuracies[i].within_p95_frac);
    return true;
}

static void write_plans(FILE *out, const struct metrics_plans *plans) {
    uint64_t n_plans = 0;
    describe(out, "decamp_plans_total", "counter", "Plans made since the planner began.");
    for (size_t i = 0; i < METRICS_N_PLAN_STATUSES; i++) {
        (void)fprintf(out, "decamp_plans_total{status=\"%s\"} %llu\n", plan_doc_status_text((enum plan_status)i),
                      (unsigned long long)plans->n_by_status[i]);
        n_plans += plans->n_by_status[i];
    }
    write_one(out, "decamp_plans_failed_total", "counter", "Questions that ended in an error.",
              (double)plans->n_failed);
    describe(out, "decamp_plan_solve_seconds", "summary", "Time to make the plans.");
    (void)fprintf(out, "decamp_plan_solve_seconds_sum %.17g\ndecamp_plan_solve_seconds_count %llu\n", plans->solve_s,
                  (unsigned long long)n_plans);
    if (plans->last_gap_frac >= 0 && isfinite(plans->last_gap_frac))
        write_one(out, "decamp_plan_gap_ratio", "gauge", "How far the newest plan may be from the best one.",
                  plans->last_gap_frac);
}

static void write_runs(FILE *out, const struct metrics_runs *runs) {
    write_one(out, "decamp_plans_applied", "gauge", "Plans that decamp apply runs now.", (double)runs->n_plans);
    describe(out, "decamp_migrations", "gauge", "Migrations of these plans.");
    (void)fprintf(out, "decamp_migrations{state=\"running\"} %zu\ndecamp_migrations{state=\"pending\"} %zu\n",
                  runs->n_running, runs->n_pending);
}

static void write_counters(FILE *out, const struct collector_counters *counters) {
    const struct {
        const char *name, *help;
        uint64_t value;
    } rows[] = {
        {"decamp_messages_total", "Messages of agents.", counters->intake.messages},
        {"decamp_messages_malformed_total", "Messages of agents that were malformed.", counters->intake.malformed},
        {"decamp_messages_over_credit_total", "Messages that agents had no credit for.", counters->intake.over_credit},
        {"decamp_agents_rejected_total", "Agents that were turned away.", counters->intake.rejected},
        {"decamp_connections_refused_total", "Connections with unknown keys.", counters->refused},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        write_one(out, rows[i].name, "counter", rows[i].help, (double)rows[i].value);
}

char *metrics_write(const struct metrics *metrics) {
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    if (out == NULL)
        return NULL;
    describe(out, "decamp_build_info", "gauge", "The planner's version.");
    (void)fprintf(out, "decamp_build_info{version=\"%s\"} 1\n", DECAMP_VERSION);
    write_hosts(out, metrics->fleet);
    bool ok = write_predictions(out, metrics->fleet, metrics->now_unix_ms) && write_accuracy(out, metrics->fleet);
    write_plans(out, &metrics->plans);
    write_runs(out, &metrics->runs);
    write_counters(out, &metrics->counters);
    ok = ferror(out) == 0 && ok;
    ok = fclose(out) == 0 && ok;
    if (ok)
        return text;
    free(text);
    return NULL;
}
