/*
 * Predictions against the measured migrations of a PostgreSQL guest
 * (tests/data/qemu-postgres), each run held back in turn: HIST replays the
 * curves of its scenario's OTHER runs, AVG their rates over one second.
 *
 * Scenarios that never converge ended with their workload: of them the verdict and
 * the first round are compared. `Stop_Copy` moved a guest that stood still.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/accuracy_postgres.h"

#include "model/calibration.h"
#include "model/quantile.h"
#include "model/spread.h"
#include "tests/bench/accuracy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_REPEATS = 16 };

static const double MOST_MEDIAN_PERCENT = 4;
static const double LINK_BYTES_PER_S = 2.7e9; /* of the stop, which QEMU's cap does not hold: 34 MB in 13 ms */
static const double POST_MS = 5;
static const double WORKLOAD_END_S = 5; /* its last seconds may have had no workload any more */

enum kind { CONVERGENT, ENDLESS, THROTTLED, POSTCOPY, STOPPED };

static const struct scenario {
    const char *name;
    enum kind kind;
} SCENARIOS[] = {
    {"Precopy_Convergent", CONVERGENT},
    {"Autoconverge_16T", THROTTLED},
    {"Postcopy_4T", POSTCOPY},
    {"Postcopy_16T", POSTCOPY},
    {"Stop_Copy_4T", STOPPED},
    {"Precopy_Nonconvergent_16T", ENDLESS},
    {"Precopy_Nonconvergent_OnlyReads_16T", ENDLESS},
};

/* What one run says about the next: its own conditions, replayed. */
struct replay {
    const struct postgres_run *run;
    struct precopy_result hist;
    struct precopy_result avg;
};

struct replays {
    size_t n;
    struct replay all[MAX_REPEATS];
};

static struct postgres_data data;

static struct precopy_vm vm_of(const struct postgres_run *run, enum kind kind) {
    struct precopy_vm vm = {
        .memory_pages = run->memory_pages,
        .zero_pages = kind == POSTCOPY ? run->zero_pages : accuracy_postgres_zero_pages(run),
        .policy = accuracy_policy("qemu"),
        .overhead = {.post_ms = POST_MS},
    };
    vm.policy.max_bandwidth_bytes_per_s = accuracy_postgres_rate(run);
    vm.policy.auto_converge = kind == THROTTLED;
    return vm;
}

static struct precopy_result simulate(struct precopy_vm vm, const struct dirty_profile *profile,
                                      double link_bytes_per_s) {
    struct precopy_result result;
    struct dirty_curve curve;
    struct dc_error err = DC_ERROR_NONE;
    if (dirty_profile_quantile(profile, 0.5, &curve, &err) != DC_OK)
        accuracy_fail("%s", error_text(&err));
    vm.curve = &curve;
    const struct bandwidth_step step = {.bytes_per_s = link_bytes_per_s};
    if (precopy_simulate(&vm, &step, 1, &result, &err) != DC_OK)
        accuracy_fail("%s", error_text(&err));
    dirty_curve_dispose(&curve);
    return result;
}

/* Post-copy was ordered once `precopy_bytes` had gone at QEMU's cap; from then
 * on the link was the limit. */
static struct precopy_result replay_postcopy(const struct postgres_run *run) {
    const double cap_bytes_per_s = 128 << 20;
    struct precopy_vm vm = vm_of(run, POSTCOPY);
    vm.policy.postcopy = STOP_POLICY_POSTCOPY_AT_ONCE;
    vm.overhead.pre_ms = 1000 * run->precopy_bytes / cap_bytes_per_s;
    const double moving_s = run->total_s - (vm.overhead.pre_ms + POST_MS) / 1000;
    const struct dirty_profile idle = {.kind = DIRTY_PROFILE_NONE};
    return simulate(vm, &idle, (run->bytes - run->precopy_bytes) / moving_s);
}

static void replay(struct replay *replay, enum kind kind) {
    const struct postgres_run *run = replay->run;
    if (kind == POSTCOPY) {
        replay->hist = replay_postcopy(run);
        return;
    }
    struct dirty_profile history = {.kind = DIRTY_PROFILE_NONE};
    if (kind != STOPPED)
        accuracy_postgres_curve(run, kind == ENDLESS ? run->total_s - WORKLOAD_END_S : INFINITY, &history);
    const struct dirty_profile average = {
        .kind = DIRTY_PROFILE_RATE,
        .pages_per_s = dirty_profile_average_rate(&history, 1),
    };
    const struct precopy_vm vm = vm_of(run, kind);
    replay->hist = simulate(vm, &history, LINK_BYTES_PER_S);
    replay->avg = simulate(vm, &average, LINK_BYTES_PER_S);
    dirty_profile_dispose(&history);
}

static double hist_total_s(const struct replay *replay) {
    return replay->hist.migration_s;
}

static double hist_first_round_s(const struct replay *replay) {
    return replay->hist.trace[0].duration_s;
}

static double hist_downtime_s(const struct replay *replay) {
    return replay->hist.downtime_s;
}

static double avg_total_s(const struct replay *replay) {
    return replay->avg.migration_s;
}

/* The quantile of a figure over all replays but `a` and `b`. */
static double others(const struct replays *replays, size_t a, size_t b, double q_frac,
                     double (*figure)(const struct replay *replay)) {
    double values[MAX_REPEATS];
    size_t n = 0;
    for (size_t i = 0; i < replays->n; i++) {
        if (i != a && i != b)
            values[n++] = figure(&replays->all[i]);
    }
    quantile_sort(values, n);
    return quantile_of_sorted(values, n, q_frac);
}

/* p50 and p95 of the total of run `held` from the others: p95 over their
 * curves, widened by how far they were off their own predictions. */
static struct prediction_quantiles predict_total(const struct replays *replays, size_t held) {
    double ratios[MAX_REPEATS];
    size_t n = 0;
    for (size_t i = 0; i < replays->n; i++) {
        if (i != held)
            ratios[n++] = replays->all[i].run->total_s / others(replays, held, i, 0.5, hist_total_s);
    }
    const struct prediction_quantiles over_curves = {
        .p50 = others(replays, held, held, 0.50, hist_total_s),
        .p95 = others(replays, held, held, 0.95, hist_total_s),
    };
    return calibration_widen(over_curves, spread_of_ratios(ratios, n));
}

/* Whether most of the others' replays of run `held` converge. */
static bool most_converge(const struct replays *replays, size_t held, bool by_avg) {
    size_t n = 0;
    for (size_t i = 0; i < replays->n; i++)
        n += i != held && (by_avg ? replays->all[i].avg.converges : replays->all[i].hist.converges);
    return 2 * n > replays->n - 1;
}

static const char *verdict(bool converges) {
    return converges ? "converges" : "does not";
}

/* The absolute errors over a scenario's runs. */
struct errors {
    size_t n;
    size_t n_wrong;
    size_t n_wrong_avg;
    double hist_percent[MAX_REPEATS];
    double avg_percent[MAX_REPEATS];
    double downtime_ms[MAX_REPEATS];
};

static void compare_endless(const struct replays *replays, size_t held, struct errors *errors) {
    const struct postgres_run *run = replays->all[held].run;
    const bool hist_converges = most_converge(replays, held, false);
    const bool avg_converges = most_converge(replays, held, true);
    const double first_s = accuracy_postgres_first_sync_s(run);
    const double predicted_s = others(replays, held, held, 0.5, hist_first_round_s);
    const double percent = accuracy_error_percent(predicted_s, first_s);
    errors->n_wrong += hist_converges;
    errors->n_wrong_avg += avg_converges;
    errors->hist_percent[errors->n++] = fabs(percent);
    (void)printf("%-36s %3u  HIST %s, AVG %s; first round %.2f s, predicted %.2f s, %+.1f%%\n", run->scenario,
                 run->number, verdict(hist_converges), verdict(avg_converges), first_s, predicted_s, percent);
}

static void compare_total(const struct replays *replays, size_t held, enum kind kind, struct errors *errors) {
    const struct postgres_run *run = replays->all[held].run;
    const struct prediction_quantiles total = predict_total(replays, held);
    const double percent = accuracy_error_percent(total.p50, run->total_s);
    const double downtime_s = others(replays, held, held, 0.5, hist_downtime_s);
    const bool has_avg = kind == CONVERGENT || kind == THROTTLED;
    const bool converges = most_converge(replays, held, false);
    errors->n_wrong += !converges;
    errors->n_wrong_avg += has_avg && !most_converge(replays, held, true);
    accuracy_coverage_add(run->scenario, run->total_s, total.p95);
    (void)printf("%-36s %3u %8.2f %8.2f %+6.1f%% %8.2f", run->scenario, run->number, run->total_s, total.p50, percent,
                 total.p95);
    if (has_avg) {
        const double avg_percent = accuracy_error_percent(others(replays, held, held, 0.5, avg_total_s), run->total_s);
        (void)printf(" %+8.1f%%", avg_percent);
        errors->avg_percent[errors->n] = fabs(avg_percent);
    } else {
        (void)printf(" %9s", "-");
    }
    (void)printf(" %8.0f %8.0f  %s\n", 1000 * run->downtime_s, 1000 * downtime_s, converges ? "right" : "WRONG");
    errors->downtime_ms[errors->n] = 1000 * fabs(downtime_s - run->downtime_s);
    errors->hist_percent[errors->n++] = fabs(percent);
}

static double median(double *values, size_t n) {
    quantile_sort(values, n);
    return quantile_of_sorted(values, n, 0.5);
}

static bool judge(const struct scenario *scenario, struct errors *errors) {
    const double percent = median(errors->hist_percent, errors->n);
    char what[3 * POSTGRES_TEXT_BYTES];
    bool good = true;
    if (scenario->kind == CONVERGENT) {
        (void)snprintf(what, sizeof(what), "%s: totals, median error", scenario->name);
        good = accuracy_holds(what, percent, 0, MOST_MEDIAN_PERCENT, "%");
    }
    if (scenario->kind == CONVERGENT || scenario->kind == ENDLESS) {
        (void)snprintf(what, sizeof(what), "%s: wrong verdicts", scenario->name);
        good = accuracy_holds(what, (double)errors->n_wrong, 0, 0, "runs") && good;
    }
    (void)printf("%s, %zu runs: HIST median error of the %s %.1f%%, wrong verdicts %zu", scenario->name, errors->n,
                 scenario->kind == ENDLESS ? "first round" : "total", percent, errors->n_wrong);
    if (scenario->kind == CONVERGENT || scenario->kind == THROTTLED)
        (void)printf("; AVG %.1f%%", median(errors->avg_percent, errors->n));
    if (scenario->kind != POSTCOPY && scenario->kind != STOPPED)
        (void)printf("; AVG wrong verdicts %zu", errors->n_wrong_avg);
    if (scenario->kind == CONVERGENT || scenario->kind == THROTTLED)
        (void)printf("; downtime, median error %.0f ms", median(errors->downtime_ms, errors->n));
    (void)printf("\n\n");
    return good;
}

static bool judge_scenario(const struct scenario *scenario) {
    struct replays replays = {.n = 0};
    struct errors errors = {.n = 0};
    for (size_t i = 0; i < data.n; i++) {
        if (strcmp(data.runs[i].scenario, scenario->name) != 0)
            continue;
        if (replays.n == MAX_REPEATS)
            accuracy_fail("%s: more than %d runs", scenario->name, MAX_REPEATS);
        replays.all[replays.n].run = &data.runs[i];
        replay(&replays.all[replays.n++], scenario->kind);
    }
    if (replays.n < 3)
        accuracy_fail("%s: too few runs to hold one back", scenario->name);
    for (size_t held = 0; held < replays.n; held++) {
        if (scenario->kind == ENDLESS)
            compare_endless(&replays, held, &errors);
        else
            compare_total(&replays, held, scenario->kind, &errors);
    }
    return judge(scenario, &errors);
}

bool accuracy_postgres(void) {
    accuracy_postgres_load(&data);
    (void)printf("\n== PostgreSQL guest: each run held back ==\n%-36s %3s %8s %8s %7s %8s %9s %8s %8s  %s\n",
                 "scenario", "run", "total s", "p50 s", "err", "p95 s", "AVG err", "down ms", "pred ms", "verdict");
    bool good = true;
    for (size_t i = 0; i < sizeof(SCENARIOS) / sizeof(SCENARIOS[0]); i++)
        good = judge_scenario(&SCENARIOS[i]) && good;
    return good;
}
