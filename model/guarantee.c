/*
 * Tries the values of every knob a policy has, on each of the three grounds.
 *
 * Values of a count or a limit form a short list, which is gone through. A
 * bandwidth is searched from the top of a geometric grid down, so that every
 * tried bandwidth above the one found holds too, then by halving.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/guarantee.h"

#include "model/calibration.h"

#include <math.h>

enum {
    MOST_ROUNDS = 30, /* one more than Xen ever had */
    TARGET_DOUBLINGS = 24,
    LIMIT_POINTS = 40,
    MOST_VALUES = LIMIT_POINTS + 2,
    BANDWIDTH_POINTS = 40,
    HALVINGS = 12,
};

static const double BANDWIDTH_SPAN = 1024; /* most over lowest bandwidth tried */
static const double LOWEST_TARGET_PAGES = 50;
static const double SHORTEST_LIMIT_MS = 1;
static const double LONGEST_LIMIT_MS = 2000e3; /* QEMU takes no more */
static const double PAGE_BYTES = 4096;

static const struct guarantee_times UNBOUNDED = {.migration_ms = INFINITY, .downtime_ms = INFINITY};

/* What the policy takes as the rate, at which it may also send live. */
static double push_rate(const struct stop_policy *policy, double bandwidth_bytes_per_s) {
    const double cap = policy->max_bandwidth_bytes_per_s;
    return cap > 0 ? fmin(cap, bandwidth_bytes_per_s) : bandwidth_bytes_per_s;
}

/* The p95 of one prediction; over a profile of one burst, that burst's outcome. Both as
 * much later as the learned spread makes them. */
static enum dc_status predict(const struct guarantee_question *question, const struct prediction_input *input,
                              double bandwidth_bytes_per_s, struct guarantee_times *times_out, struct dc_error *err) {
    struct prediction prediction;
    const enum dc_status rc = prediction_make(input, &bandwidth_bytes_per_s, 1, 0, &prediction, err);
    if (rc != DC_OK)
        return rc;
    const struct prediction_point *point = &prediction.points[0];
    *times_out = UNBOUNDED;
    if (point->converges)
        *times_out = (struct guarantee_times){
            .migration_ms = calibration_widen(point->migration_ms, question->spread_frac).p95,
            .downtime_ms = calibration_widen(point->downtime_ms, question->spread_frac).p95,
        };
    prediction_dispose(&prediction);
    return DC_OK;
}

static enum dc_status predict_worst(const struct guarantee_question *question, const struct prediction_input *input,
                                    double bandwidth_bytes_per_s, struct guarantee_times *times_out,
                                    struct dc_error *err) {
    struct dirty_profile burst = *input->profile;
    struct prediction_input own = *input;
    own.profile = &burst;
    burst.n_bursts = 1;
    if (input->profile->n_bursts > 1)
        burst.trace = NULL; /* replaying its pages takes milliseconds: not for each burst and value */
    *times_out = (struct guarantee_times){0};
    for (size_t i = 0; i < input->profile->n_bursts; i++) {
        struct guarantee_times times;
        burst.bursts = &input->profile->bursts[i];
        const enum dc_status rc = predict(question, &own, bandwidth_bytes_per_s, &times, err);
        if (rc != DC_OK)
            return rc;
        times_out->migration_ms = fmax(times_out->migration_ms, times.migration_ms);
        times_out->downtime_ms = fmax(times_out->downtime_ms, times.downtime_ms);
    }
    return DC_OK;
}

static enum dc_status evaluate(const struct guarantee_question *question, struct guarantee_option *option,
                               struct dc_error *err) {
    struct prediction_input input = *question->input;
    enum dc_status rc = DC_OK;
    input.policy = option->policy;
    if (option->basis == GUARANTEE_ANY_WORKLOAD)
        option->times = guarantee_bound(&input, &option->policy, option->bandwidth_bytes_per_s);
    else if (option->basis == GUARANTEE_HISTORY)
        rc = predict_worst(question, &input, option->bandwidth_bytes_per_s, &option->times, err);
    else
        rc = predict(question, &input, option->bandwidth_bytes_per_s, &option->times, err);
    option->holds = (question->deadline_ms <= 0 || option->times.migration_ms <= question->deadline_ms) &&
                    (question->max_downtime_ms <= 0 || option->times.downtime_ms <= question->max_downtime_ms);
    return rc;
}

/* How many times its limit an option takes, for the worse of the two. */
static double excess(const struct guarantee_question *question, const struct guarantee_times *times) {
    const double late = question->deadline_ms > 0 ? times->migration_ms / question->deadline_ms : 0;
    const double down = question->max_downtime_ms > 0 ? times->downtime_ms / question->max_downtime_ms : 0;
    return fmax(late, down);
}

static bool is_better(const struct guarantee_question *question, const struct guarantee_option *a,
                      const struct guarantee_option *b) {
    if (a->holds != b->holds)
        return a->holds;
    if (!a->holds)
        return excess(question, &a->times) < excess(question, &b->times);
    return question->deadline_ms > 0 ? a->times.downtime_ms < b->times.downtime_ms
                                     : a->times.migration_ms < b->times.migration_ms;
}

/* The values to try, of which the first of equals is taken; returns how many.
 * Rounds: the policy's own number, then fewer, then more. */
static size_t rounds_of(const struct guarantee_question *question, double *values_out) {
    const struct stop_policy *policy = &question->input->policy;
    const unsigned own = policy->max_rounds > 0 ? policy->max_rounds : policy->policy->defaults.max_rounds;
    const unsigned start = own < MOST_ROUNDS ? own : MOST_ROUNDS;
    size_t n = 0;
    for (unsigned rounds = start; rounds > 0; rounds--)
        values_out[n++] = rounds;
    for (unsigned rounds = start + 1; rounds <= MOST_ROUNDS; rounds++)
        values_out[n++] = rounds;
    return n;
}

static size_t targets_of(const struct guarantee_question *question, double *values_out) {
    size_t n = 0;
    for (double pages = LOWEST_TARGET_PAGES; n < TARGET_DOUBLINGS && pages < question->input->memory_pages; pages *= 2)
        values_out[n++] = pages;
    return n;
}

/* First the one whose bound is the downtime asked for, then a geometric list
 * from what covers all memory down: of equals the longest, which ends soonest. */
static size_t limits_of(const struct guarantee_question *question, double *values_out) {
    const struct prediction_input *input = question->input;
    const struct migration_overhead *overhead = &input->overhead;
    const double link = question->bandwidth_bytes_per_s;
    const double rate = push_rate(&input->policy, link);
    const double page_bytes = input->policy.policy->page_wire_bytes;
    const double other_bytes = overhead->suspend_pages * page_bytes + overhead->in_flight_bytes;
    const double left_ms = question->max_downtime_ms - overhead->post_ms - 1e3 * other_bytes / link;
    const double limit_ms = floor(left_ms * link / rate * PAGE_BYTES / page_bytes);
    size_t n = 0;
    if (limit_ms >= SHORTEST_LIMIT_MS && limit_ms <= LONGEST_LIMIT_MS)
        values_out[n++] = limit_ms;
    double ascending[LIMIT_POINTS];
    const double all_ms = 1e3 * (input->memory_pages + 1) * PAGE_BYTES / rate;
    const double most_ms = fmax(fmin(all_ms, LONGEST_LIMIT_MS), 2 * SHORTEST_LIMIT_MS);
    prediction_grid(SHORTEST_LIMIT_MS, most_ms, LIMIT_POINTS, ascending);
    for (size_t i = LIMIT_POINTS; i-- > 0;)
        values_out[n++] = ascending[i];
    return n;
}

static size_t no_value(const struct guarantee_question *question, double *values_out) {
    (void)question;
    values_out[0] = 0;
    return 1;
}

static void set_none(struct stop_policy *policy, double value) {
    (void)policy;
    (void)value;
}

static void set_rounds(struct stop_policy *policy, double value) {
    policy->max_rounds = (unsigned)value;
}

static void set_target(struct stop_policy *policy, double value) {
    policy->target_dirty_pages = value;
}

static void set_limit(struct stop_policy *policy, double value) {
    policy->downtime_limit_ms = value;
}

static void set_auto_converge(struct stop_policy *policy, double value) {
    (void)value;
    policy->auto_converge = true;
}

/* After the first round before at once: a guest that runs on at its source loses nothing. */
static size_t postcopies_of(const struct guarantee_question *question, double *values_out) {
    (void)question;
    values_out[0] = STOP_POLICY_POSTCOPY_AFTER_ROUND;
    values_out[1] = STOP_POLICY_POSTCOPY_AT_ONCE;
    return 2;
}

static void set_postcopy(struct stop_policy *policy, double value) {
    policy->postcopy = (enum stop_policy_postcopy)value;
}

/* QEMU's own cap must not be lower than the bandwidth it is given. */
static void set_bandwidth(struct stop_policy *policy, double value) {
    if (policy->max_bandwidth_bytes_per_s > 0)
        policy->max_bandwidth_bytes_per_s = fmax(policy->max_bandwidth_bytes_per_s, value);
}

enum knob_owner { ALL_POLICIES, ROUNDS_POLICIES, LIMIT_POLICIES };

static const struct knob {
    enum knob_owner owner;
    size_t (*values)(const struct guarantee_question *question, double *values_out);
    void (*set)(struct stop_policy *policy, double value);
} KNOBS[N_GUARANTEE_KNOBS] = {
    [GUARANTEE_NONE] = {ALL_POLICIES, no_value, set_none},
    [GUARANTEE_BANDWIDTH] = {ALL_POLICIES, NULL, set_bandwidth},
    [GUARANTEE_MAX_ROUNDS] = {ROUNDS_POLICIES, rounds_of, set_rounds},
    [GUARANTEE_TARGET_DIRTY_PAGES] = {ROUNDS_POLICIES, targets_of, set_target},
    [GUARANTEE_DOWNTIME_LIMIT] = {LIMIT_POLICIES, limits_of, set_limit},
    [GUARANTEE_AUTO_CONVERGE] = {LIMIT_POLICIES, no_value, set_auto_converge},
    [GUARANTEE_POSTCOPY] = {LIMIT_POLICIES, postcopies_of, set_postcopy},
};

static struct guarantee_option option_of(const struct guarantee_question *question, enum guarantee_knob knob,
                                         enum guarantee_basis basis, double value) {
    struct guarantee_option option = {
        .knob = knob,
        .basis = basis,
        .value = value,
        .policy = question->input->policy,
        .bandwidth_bytes_per_s = knob == GUARANTEE_BANDWIDTH ? value : question->bandwidth_bytes_per_s,
    };
    KNOBS[knob].set(&option.policy, value);
    return option;
}

static enum dc_status search_values(const struct guarantee_question *question, enum guarantee_knob knob,
                                    enum guarantee_basis basis, struct guarantee_option *best_out,
                                    struct dc_error *err) {
    double values[MOST_VALUES];
    const size_t n = KNOBS[knob].values(question, values);
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < n; i++) {
        struct guarantee_option option = option_of(question, knob, basis, values[i]);
        rc = evaluate(question, &option, err);
        if (i == 0 || is_better(question, &option, best_out))
            *best_out = option;
    }
    return rc;
}

/* Between one bandwidth that fails and the one in `best`, which holds. */
static enum dc_status halve_down(const struct guarantee_question *question, double low_bytes_per_s,
                                 struct guarantee_option *best, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (int i = 0; rc == DC_OK && i < HALVINGS; i++) {
        const double middle = sqrt(low_bytes_per_s * best->bandwidth_bytes_per_s);
        struct guarantee_option option = option_of(question, best->knob, best->basis, middle);
        rc = evaluate(question, &option, err);
        if (option.holds)
            *best = option;
        else
            low_bytes_per_s = middle;
    }
    return rc;
}

static enum dc_status search_bandwidth(const struct guarantee_question *question, enum guarantee_basis basis,
                                       struct guarantee_option *best_out, struct dc_error *err) {
    double bandwidths[BANDWIDTH_POINTS];
    prediction_grid(question->most_bytes_per_s / BANDWIDTH_SPAN, question->most_bytes_per_s, BANDWIDTH_POINTS,
                    bandwidths);
    for (size_t i = BANDWIDTH_POINTS; i-- > 0;) {
        struct guarantee_option option = option_of(question, GUARANTEE_BANDWIDTH, basis, bandwidths[i]);
        const enum dc_status rc = evaluate(question, &option, err);
        if (rc != DC_OK)
            return rc;
        if (i == BANDWIDTH_POINTS - 1 || option.holds)
            *best_out = option;
        if (!option.holds)
            return i == BANDWIDTH_POINTS - 1 ? DC_OK : halve_down(question, bandwidths[i], best_out, err);
    }
    return DC_OK;
}

static bool has_knob(const struct stop_policy *policy, enum guarantee_knob knob) {
    const enum knob_owner owner = KNOBS[knob].owner;
    return owner == ALL_POLICIES || (owner == LIMIT_POLICIES) == guarantee_waits_for_limit(policy);
}

static bool has_basis(const struct dirty_profile *profile, enum guarantee_basis basis) {
    if (basis == GUARANTEE_HISTORY)
        return profile->kind == DIRTY_PROFILE_CURVE && profile->n_bursts > 0;
    return basis == GUARANTEE_ANY_WORKLOAD || profile->kind != DIRTY_PROFILE_NONE;
}

enum dc_status guarantee_make(const struct guarantee_question *question, struct guarantee *guarantee_out,
                              struct dc_error *err) {
    guarantee_out->n_options = 0;
    if (!(question->deadline_ms > 0) && !(question->max_downtime_ms > 0))
        return error_set(err, DC_EINVAL, "nothing to guarantee; expected a deadline or a limit of the downtime");
    if (!(question->bandwidth_bytes_per_s > 0) || !(question->most_bytes_per_s > 0))
        return error_set(err, DC_EINVAL, "no bandwidth to guarantee anything at");
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < GUARANTEE_MOST_OPTIONS; i++) {
        const enum guarantee_knob knob = (enum guarantee_knob)(i / N_GUARANTEE_BASES);
        const enum guarantee_basis basis = (enum guarantee_basis)(i % N_GUARANTEE_BASES);
        if (!has_knob(&question->input->policy, knob) || !has_basis(question->input->profile, basis))
            continue;
        struct guarantee_option *option = &guarantee_out->options[guarantee_out->n_options++];
        rc = knob == GUARANTEE_BANDWIDTH ? search_bandwidth(question, basis, option, err)
                                         : search_values(question, knob, basis, option, err);
    }
    return rc;
}
