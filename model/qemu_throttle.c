/* QEMU's auto-converge: periods, steps and knobs. See the header. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/qemu_throttle.h"

#include <math.h>

static const double PERIOD_S = 1;
static const double TRIGGER_FRAC = 0.5;
static const double INITIAL_FRAC = 0.2;
static const double INCREMENT_FRAC = 0.1;
static const double MAX_FRAC = 0.99;

enum { HIGH_PERIODS = 2, CALM_PERIODS = 2 };

static double knob(double set, double usual) {
    return set > 0 ? set : usual;
}

void qemu_throttle_init(struct qemu_throttle *throttle, const struct stop_policy *policy, double now_s) {
    *throttle = (struct qemu_throttle){
        .on = policy->auto_converge,
        .trigger_frac = knob(policy->throttle_trigger_frac, TRIGGER_FRAC),
        .initial_frac = knob(policy->throttle_initial_frac, INITIAL_FRAC),
        .increment_frac = knob(policy->throttle_increment_frac, INCREMENT_FRAC),
        .max_frac = fmin(knob(policy->throttle_max_frac, MAX_FRAC), MAX_FRAC),
        .from_s = now_s,
    };
}

static void step_up(struct qemu_throttle *throttle) {
    const double next = throttle->frac > 0 ? throttle->frac + throttle->increment_frac : throttle->initial_frac;
    throttle->frac = fmin(next, throttle->max_frac);
}

static void judge_period(struct qemu_throttle *throttle) {
    if (throttle->dirtied_bytes <= throttle->trigger_frac * throttle->sent_bytes) {
        throttle->n_calm++;
        return;
    }
    throttle->n_calm = 0;
    if (++throttle->n_high < HIGH_PERIODS)
        return;
    throttle->n_high = 0;
    step_up(throttle);
}

void qemu_throttle_sync(struct qemu_throttle *throttle, double now_s, double dirtied_bytes, double sent_bytes) {
    if (!throttle->on)
        return;
    throttle->dirtied_bytes += dirtied_bytes;
    throttle->sent_bytes += sent_bytes;
    if (now_s <= throttle->from_s + PERIOD_S)
        return;
    judge_period(throttle);
    throttle->from_s = now_s;
    throttle->dirtied_bytes = 0;
    throttle->sent_bytes = 0;
}

bool qemu_throttle_is_settled(const struct qemu_throttle *throttle) {
    return !throttle->on || throttle->frac >= throttle->max_frac || throttle->n_calm >= CALM_PERIODS;
}
