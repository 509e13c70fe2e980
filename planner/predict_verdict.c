/* Read from rounds and bytes: a policy that stops by itself has some to spare. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/predict_verdict.h"

#include "model/guarantee.h"

#include <math.h>

static const double HIGH = 0.95;
static const double AVERAGE_WINDOW_S = 1;  /* of AVG, as in model/prediction.h */
static const double SHRINKING_FRAC = 0.95; /* of its pages that a round may leave and still be said to shrink */

/* The rounds of the p95 curve (of AVG's own): does the final one send less than the one before? */
static enum dc_status is_shrinking(const struct prediction_input *input, double bandwidth_bytes_per_s,
                                   bool *shrinking_out, struct dc_error *err) {
    struct dirty_curve curve = {0};
    struct precopy_result result;
    const struct bandwidth_step step = {.bytes_per_s = bandwidth_bytes_per_s};
    const struct dirty_profile average = {.kind = DIRTY_PROFILE_RATE,
                                          .pages_per_s = dirty_profile_average_rate(input->profile, AVERAGE_WINDOW_S)};
    const struct dirty_profile *profile = input->model == PREDICTION_AVG ? &average : input->profile;
    enum dc_status rc = dirty_profile_quantile(profile, HIGH, &curve, err);
    if (rc == DC_OK) {
        const struct precopy_vm vm = {
            .memory_pages = input->memory_pages,
            .zero_pages = fmin(input->profile->zero_pages, input->memory_pages),
            .curve = &curve,
            .trace = input->model == PREDICTION_AVG ? NULL : input->profile->trace,
            .policy = input->policy,
            .overhead = input->overhead,
            .storage = input->storage,
        };
        rc = precopy_simulate(&vm, &step, 1, &result, err);
    }
    if (rc == DC_OK && result.n_trace >= 2) {
        const double rest_pages = result.trace[result.n_trace - 1].pages - input->overhead.suspend_pages;
        *shrinking_out = rest_pages < input->policy.target_dirty_pages ||
                         rest_pages < SHRINKING_FRAC * result.trace[result.n_trace - 2].pages;
    }
    dirty_curve_dispose(&curve);
    return rc;
}

/* Whether a limit of the policy ended it, and which; CONVERGES for none. */
static enum predict_verdict limit_of(const struct prediction_input *input, const struct prediction_point *point) {
    const struct stop_policy *policy = &input->policy;
    const struct stop_policy_class *class = policy->policy;
    const unsigned max_rounds = policy->max_rounds > 0 ? policy->max_rounds : class->defaults.max_rounds;
    const double frames = fmax(input->memory_pages, policy->gfn_count);
    if (guarantee_waits_for_limit(policy))
        return PREDICT_CONVERGES;
    if (point->n_rounds > max_rounds)
        return PREDICT_ROUND_LIMIT;
    if (policy->max_factor > 0 && point->bytes > policy->max_factor * frames * class->page_wire_bytes)
        return PREDICT_SENT_LIMIT;
    return PREDICT_CONVERGES;
}

enum dc_status predict_verdict_of(const struct prediction_input *input, const struct prediction_point *point,
                                  enum predict_verdict *verdict_out, struct dc_error *err) {
    bool shrinking = true;
    *verdict_out = point->converges ? limit_of(input, point) : PREDICT_ENDLESS;
    if (*verdict_out != PREDICT_ROUND_LIMIT && *verdict_out != PREDICT_SENT_LIMIT)
        return DC_OK;
    const enum dc_status rc = is_shrinking(input, point->bandwidth_bytes_per_s, &shrinking, err);
    if (!shrinking)
        *verdict_out = PREDICT_FORCED;
    return rc;
}

bool predict_verdict_is_bad(enum predict_verdict verdict) {
    return verdict >= PREDICT_FORCED;
}

const char *predict_verdict_text(enum predict_verdict verdict) {
    static const char *const texts[] = {
        [PREDICT_CONVERGES] = "converges", [PREDICT_ROUND_LIMIT] = "round limit",   [PREDICT_SENT_LIMIT] = "sent limit",
        [PREDICT_FORCED] = "forced stop",  [PREDICT_ENDLESS] = "does not converge",
    };
    return texts[verdict];
}
