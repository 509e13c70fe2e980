/*
 * QEMU's auto-converge (migration/ram.c): it slows the guest down step by step
 * while the guest dirties too much of what is being sent.
 *
 * At each sync that ends a period of more than one second, it compares the
 * bytes dirtied in the period with the bytes sent in it. The second time that
 * more than 50% was dirtied (not necessarily in a row) the guest is throttled
 * to lose 20% of its time, then 10% more with every other such period, up to 99%.
 *
 * A throttled guest is one whose clock runs slower: in t seconds it dirties
 * W((1 - throttle) * t). That is right for a guest whose processors are busy; one that
 * waits for its clients most of the time loses less than the model says.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "model/stop_policy.h"

#include <stdbool.h>

struct qemu_throttle {
    bool on;
    double trigger_frac; /* the knobs, QEMU's defaults where the policy has 0 */
    double initial_frac;
    double increment_frac;
    double max_frac;
    double frac;     /* the guest's time lost now, 0 to 1 */
    unsigned n_high; /* periods with too much dirtied since the last step */
    unsigned n_calm; /* periods in a row without */
    double from_s;   /* when this period began */
    double dirtied_bytes;
    double sent_bytes;
};

/* `now_s` is when the migration's first round begins. */
void qemu_throttle_init(struct qemu_throttle *throttle, const struct stop_policy *policy, double now_s);

/* Counts a sync at `now_s`: what was newly dirtied and sent since the one before. */
void qemu_throttle_sync(struct qemu_throttle *throttle, double now_s, double dirtied_bytes, double sent_bytes);

/* No step up is to come as long as the rounds stay as they are. */
bool qemu_throttle_is_settled(const struct qemu_throttle *throttle);
