/*
 * Each step as a flow: first the setup without bytes, then the transfer
 * advances by dt / (live_s + stop_s)(rate), then the tail without bytes. The
 * guest stops once what is left of the transfer is at most the share
 * stop_s / (live_s + stop_s) at the rate it then has.
 *
 * live_s and stop_s at a rate between two points of the cost curve follow from
 * bytes that are linear in the rate; past the highest point the bytes hold.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/verify_state.h"

#include <math.h>

/* What may be missing at the last page: a thousandth of the transfer; or what rounding times
 * to milliseconds takes away, half of one at each change of rate. */
static const double missing_frac = 1e-3;
static const double rounding_s = 0.5e-3;
/* Rates are written as whole bytes per second: so much may a floor be undercut. */
static const double rate_slack_bytes_per_s = 1;
static const double rate_slack_frac = 1e-6;

struct speed {
    double live_s;
    double stop_s;
};

static double mix(double at_a, double at_b, double share) {
    return (1 - share) * at_a + share * at_b;
}

/* How long the two parts take at a constant rate; false where it does not converge. */
static bool speed_at(const struct problem_cost *cost, double rate, struct speed *speed_out) {
    *speed_out = (struct speed){0};
    if (cost->n_points == 0)
        return true; /* nothing to send */
    const struct problem_cost_point *lowest = &cost->points[0];
    if (rate < lowest->bandwidth_bytes_per_s * (1 - rate_slack_frac) - rate_slack_bytes_per_s || rate <= 0)
        return false;
    rate = fmax(rate, lowest->bandwidth_bytes_per_s);
    size_t i = 0;
    while (i + 1 < cost->n_points && cost->points[i + 1].bandwidth_bytes_per_s <= rate)
        i++;
    const struct problem_cost_point *a = &cost->points[i];
    const struct problem_cost_point *b = i + 1 < cost->n_points ? a + 1 : a;
    const double width = b->bandwidth_bytes_per_s - a->bandwidth_bytes_per_s;
    const double share = width > 0 ? (rate - a->bandwidth_bytes_per_s) / width : 0;
    speed_out->live_s = mix(a->bandwidth_bytes_per_s * a->live_s, b->bandwidth_bytes_per_s * b->live_s, share) / rate;
    speed_out->stop_s = mix(a->bandwidth_bytes_per_s * a->stop_s, b->bandwidth_bytes_per_s * b->stop_s, share) / rate;
    return true;
}

struct transfer {
    double left;        /* of the transfer: 1 .. 0 */
    double stopped_s;   /* when the guest stops; INFINITY: never */
    double last_page_s; /* when the rate goes to 0 for good */
    double sending_s;
    double highest_rate;
    double too_low_rate; /* the first at which it does not converge, or 0 */
};

static void send_segment(const struct problem_cost *cost, double rate, double from_s, double dt_s,
                         struct transfer *transfer) {
    struct speed speed;
    transfer->highest_rate = fmax(transfer->highest_rate, rate);
    if (!speed_at(cost, rate, &speed)) {
        if (transfer->too_low_rate <= 0)
            transfer->too_low_rate = rate;
        return;
    }
    transfer->sending_s += dt_s;
    const double whole_s = speed.live_s + speed.stop_s;
    const double until_stop_s = fmax(0, transfer->left * whole_s - speed.stop_s);
    if (until_stop_s <= dt_s)
        transfer->stopped_s = fmin(transfer->stopped_s, from_s + until_stop_s);
    transfer->left = fmax(0, transfer->left - dt_s / whole_s);
}

static struct transfer replay(const struct solution_step *step, const struct problem_cost *cost) {
    struct transfer transfer = {.left = 1, .stopped_s = INFINITY, .last_page_s = step->start_s + cost->pre_s};
    const double first_page_s = step->start_s + cost->pre_s;
    for (size_t i = 0; i < step->n_rates; i++) {
        const double until_s = i + 1 < step->n_rates ? step->rates[i + 1].from_s : step->end_s;
        const double from_s = fmax(step->rates[i].from_s, first_page_s);
        if (step->rates[i].bytes_per_s <= 0 || until_s <= from_s)
            continue;
        send_segment(cost, step->rates[i].bytes_per_s, from_s, until_s - from_s, &transfer);
        transfer.last_page_s = until_s;
    }
    return transfer;
}

static void add(struct verify_state *state, enum violation_kind kind, size_t step, double value, double limit) {
    struct violation violation = verify_violation(kind, state->solution->steps[step].start_s, value, limit);
    violation.step = (long)step;
    violation.vm = (long)state->solution->steps[step].vm;
    verify_add(state, &violation);
}

/* The value is the time it takes, the limit the time it has. */
static void check_duration(struct verify_state *state, size_t index, const struct problem_cost *cost,
                           const struct transfer *transfer) {
    const struct solution_step *step = &state->solution->steps[index];
    const double planned_s = step->end_s - step->start_s;
    const double slack_s =
        fmax(missing_frac * transfer->sending_s, rounding_s * (double)(step->n_rates > 1 ? step->n_rates + 1 : 2));
    const double lowest = cost->n_points > 0 ? cost->points[0].bandwidth_bytes_per_s : 0;
    struct speed best;
    (void)speed_at(cost, fmax(transfer->highest_rate, lowest), &best);
    const double missing_s = transfer->left * (best.live_s + best.stop_s);
    const double tail_missing_s = transfer->last_page_s + cost->post_s - step->end_s;
    if (missing_s > slack_s || tail_missing_s > slack_s)
        add(state, VIOLATION_DURATION, index, planned_s, planned_s + fmax(missing_s, 0) + fmax(tail_missing_s, 0));
}

/* From the stop to the last page as its rates carry it, and the tail; and what
 * the plan itself says. */
static void check_downtime(struct verify_state *state, size_t index, const struct problem_cost *cost,
                           const struct transfer *transfer) {
    const struct solution_step *step = &state->solution->steps[index];
    const double budget_s = state->problem->vms[step->vm].downtime_budget_s;
    const double stop_copy_s = fmax(0, transfer->last_page_s - transfer->stopped_s);
    const double downtime_s = fmax(stop_copy_s + cost->post_s, step->downtime_s);
    const double slack_s = rounding_s * (double)(step->n_rates + 2) + missing_frac * budget_s;
    if (downtime_s > budget_s + slack_s)
        add(state, VIOLATION_DOWNTIME, index, downtime_s, budget_s);
}

void verify_transfers(struct verify_state *state) {
    for (size_t i = 0; i < state->solution->n_steps; i++) {
        const struct solution_step *step = &state->solution->steps[i];
        const struct problem_cost *cost = &state->problem->vms[step->vm].cost[VERIFY_QUANTILE];
        if (!state->problem->vms[step->vm].moves)
            continue; /* without a cost; a matter of the place */
        const struct transfer transfer = replay(step, cost);
        if (transfer.too_low_rate > 0)
            add(state, VIOLATION_DURATION, i, transfer.too_low_rate, cost->points[0].bandwidth_bytes_per_s);
        else
            check_duration(state, i, cost, &transfer);
        check_downtime(state, i, cost, &transfer);
    }
}
