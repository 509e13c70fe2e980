/* decamp predict --models and --policy: AVG beside HIST, policy beside policy,
 * all on the same profile. AVG is the paper's constant rate, the mean over one
 * second; HIST replays the recorded history. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/predict.h"

#include "planner/predict_verdict.h"

#include <string.h>

enum { OWN_POINTS = 4, OWN_SPAN = 64 };

enum {
    COLUMN_POLICY,
    COLUMN_BANDWIDTH,
    COLUMN_MODEL,
    COLUMN_MIGRATION,
    COLUMN_DOWNTIME,
    COLUMN_BYTES,
    COLUMN_ROUNDS,
    COLUMN_VERDICT,
    COLUMN_REDIRTY,
    COLUMN_MIGRATION_OFF,
    COLUMN_DOWNTIME_OFF,
    N_COLUMNS,
};

static const struct writer_field columns[N_COLUMNS] = {
    [COLUMN_POLICY] = {"policy", "POLICY", WRITER_TEXT, false},
    [COLUMN_BANDWIDTH] = {"bandwidth_bytes_per_s", "BANDWIDTH", WRITER_RATE, false},
    [COLUMN_MODEL] = {"model", "MODEL", WRITER_TEXT, false},
    [COLUMN_MIGRATION] = {"migration_ms", "MIGRATION p50/90/95", WRITER_SPREAD, false},
    [COLUMN_DOWNTIME] = {"downtime_ms", "DOWNTIME p50/90/95", WRITER_SPREAD, false},
    [COLUMN_BYTES] = {"bytes", "SENT", WRITER_BYTES, false},
    [COLUMN_ROUNDS] = {"rounds", "ROUNDS", WRITER_COUNT, false},
    [COLUMN_VERDICT] = {"verdict", "VERDICT", WRITER_TEXT, false},
    [COLUMN_REDIRTY] = {"redirty_basis", "REDIRTIED BY", WRITER_TEXT, false},
    [COLUMN_MIGRATION_OFF] = {"migration_off_frac", "MT OFF", WRITER_PERCENT, false},
    [COLUMN_DOWNTIME_OFF] = {"downtime_off_frac", "DT OFF", WRITER_PERCENT, false},
};

struct comparison {
    const struct predict_question *question;
    struct predict_report *report;
    size_t n_bandwidths;
    const double *bandwidths_bytes_per_s;
    bool differs; /* somewhere the models do on convergence */
    bool forced;  /* somewhere one of them ends by force */
    bool skips;   /* some policy skips pages that are dirty again */
    bool endless; /* somewhere one of them never ends */
};

static struct writer_value off_by(double value, double reference) {
    return reference > 0 ? writer_number(value / reference - 1) : WRITER_UNKNOWN;
}

static enum dc_status add_row(struct comparison *comparison, const struct prediction_input *input,
                              const struct prediction *prediction, const struct prediction *hist_prediction, size_t i,
                              struct dc_error *err) {
    const struct prediction_point *point = &prediction->points[i];
    const struct prediction_point *hist = &hist_prediction->points[i];
    const bool is_avg = input->model == PREDICTION_AVG;
    const struct prediction_quantiles *whole = &point->migration_ms;
    const struct prediction_quantiles *down = &point->downtime_ms;
    enum predict_verdict verdict;
    const enum dc_status rc = predict_verdict_of(input, point, &verdict, err);
    if (rc != DC_OK)
        return rc;
    struct writer_value values[N_COLUMNS] = {
        [COLUMN_POLICY] = writer_text(input->policy.policy->name),
        [COLUMN_BANDWIDTH] = writer_number(point->bandwidth_bytes_per_s),
        [COLUMN_MODEL] = writer_text(is_avg ? "AVG" : "HIST"),
        [COLUMN_MIGRATION] = predict_report_spread(whole),
        [COLUMN_DOWNTIME] = predict_report_spread(down),
        [COLUMN_BYTES] = writer_number(point->bytes),
        [COLUMN_ROUNDS] = writer_number(point->n_rounds),
        [COLUMN_VERDICT] = writer_text(predict_verdict_text(verdict)),
    };
    if (prediction->redirty_basis != REDIRTY_NONE)
        values[COLUMN_REDIRTY] = writer_text(redirty_basis_text(prediction->redirty_basis));
    if (is_avg && point->converges && hist->converges) {
        values[COLUMN_MIGRATION_OFF] = off_by(whole->p50, hist->migration_ms.p50);
        values[COLUMN_DOWNTIME_OFF] = off_by(down->p50, hist->downtime_ms.p50);
    }
    comparison->differs |= point->converges != hist->converges;
    comparison->forced |= verdict == PREDICT_FORCED;
    comparison->skips |= prediction->redirty_basis != REDIRTY_NONE;
    comparison->endless |= verdict == PREDICT_ENDLESS;
    return predict_report_row(comparison->report, values, err);
}

/* Both models at all bandwidths under one policy. */
static enum dc_status compare(struct comparison *comparison, const struct stop_policy *policy, struct dc_error *err) {
    struct prediction_input hist_input = forecast_input(comparison->question->vm);
    struct prediction hist = {0};
    struct prediction avg = {0};
    hist_input.policy = *policy;
    struct prediction_input avg_input = hist_input;
    avg_input.model = PREDICTION_AVG;
    enum dc_status rc =
        prediction_make(&hist_input, comparison->bandwidths_bytes_per_s, comparison->n_bandwidths, 0, &hist, err);
    if (rc == DC_OK)
        rc = prediction_make(&avg_input, comparison->bandwidths_bytes_per_s, comparison->n_bandwidths, 0, &avg, err);
    for (size_t i = 0; rc == DC_OK && i < comparison->n_bandwidths; i++) {
        rc = add_row(comparison, &avg_input, &avg, &hist, i, err);
        if (rc == DC_OK)
            rc = add_row(comparison, &hist_input, &hist, &hist, i, err);
    }
    prediction_dispose(&hist);
    prediction_dispose(&avg);
    return rc;
}

/* The VM's own settings for its own policy; for others their defaults, on the
 * same guest frames. */
static struct stop_policy policy_for(const struct fleet_vm *vm, const struct stop_policy_class *class) {
    if (vm->policy.policy == class)
        return vm->policy;
    struct stop_policy policy = class->defaults;
    policy.gfn_count = vm->policy.gfn_count;
    return policy;
}

static bool is_asked(const struct cli_predict *predict, const struct fleet_vm *vm,
                     const struct stop_policy_class *class) {
    if (!predict->all_policies && predict->policies.n == 0)
        return vm->policy.policy == class;
    for (size_t i = 0; i < predict->policies.n; i++) {
        if (strcmp(predict->policies.items[i], class->name) == 0)
            return true;
    }
    return predict->all_policies;
}

static enum dc_status add_notes(const struct comparison *comparison, struct dc_error *err) {
    const struct dirty_profile *profile = &comparison->question->vm->profile;
    struct predict_report *report = comparison->report;
    enum dc_status rc = predict_report_note(report, err, "AVG: %.0f pages/s throughout, the mean over windows of 1 s",
                                            dirty_profile_average_rate(profile, 1));
    if (rc != DC_OK)
        return rc;
    if (profile->kind == DIRTY_PROFILE_CURVE)
        rc = predict_report_note(report, err, "HIST: %zu recorded bursts, each replayed", profile->n_bursts);
    else
        rc = predict_report_note(report, err, "HIST: %s",
                                 profile->kind == DIRTY_PROFILE_QUANTILES
                                     ? "the p50 and p95 curves of the agent's history, each replayed"
                                     : "no history, only a constant rate over a working set");
    if (rc == DC_OK)
        rc = predict_report_note(
            report, err,
            "OFF: how far AVG is from the p50 of HIST in migration time (MT) and downtime (DT), where both converge");
    if (rc == DC_OK && comparison->differs)
        rc = predict_report_note(report, err, "AVG and HIST disagree on whether the migration ends: trust HIST");
    if (rc == DC_OK && comparison->forced)
        rc = predict_report_note(report, err,
                                 "forced stop: the rounds no longer shrink, only a limit of the policy ends them");
    if (rc == DC_OK && comparison->skips)
        rc = predict_report_note(report, err,
                                 "REDIRTIED BY: xen-legacy skips pages that are dirty again; which these "
                                 "are comes from recorded bitmaps, else from classes of pages fitted to "
                                 "the curve, else from the curve alone");
    if (rc == DC_OK && comparison->endless)
        rc = predict_report_note(report, err, "does not converge: the figures are as if it were stopped by hand");
    return rc;
}

enum dc_status predict_models(const struct predict_question *question, struct predict_report *report,
                              struct dc_error *err) {
    const struct cli_predict *predict = &question->cli->predict;
    double grid[OWN_POINTS];
    struct comparison comparison = {
        .question = question,
        .report = report,
        .n_bandwidths = question->wish.n_bandwidths,
        .bandwidths_bytes_per_s = question->wish.bandwidths_bytes_per_s,
    };
    if (comparison.n_bandwidths == 0) {
        prediction_grid(question->nic_bytes_per_s / OWN_SPAN, question->nic_bytes_per_s, OWN_POINTS, grid);
        comparison.bandwidths_bytes_per_s = grid;
        comparison.n_bandwidths = OWN_POINTS;
    }
    enum dc_status rc = predict_report_init(report, "models", "rows", columns, N_COLUMNS, err);
    for (size_t i = 0; rc == DC_OK && stop_policy_at(i) != NULL; i++) {
        const struct stop_policy_class *class = stop_policy_at(i);
        if (!is_asked(predict, question->vm, class))
            continue;
        const struct stop_policy policy = policy_for(question->vm, class);
        rc = compare(&comparison, &policy, err);
    }
    return rc == DC_OK ? add_notes(&comparison, err) : rc;
}
