/*
 * Shares by strict-priority water-filling, and admission with handover.
 *
 * A mover that starts at t sends its first page at T = t + setup. What matters
 * is who else sends at T, so that one migration's setup overlaps with the
 * transfer before it. Those whose last page is due by T are expected to be
 * gone. Where their floors are in the way, that must be certain: they are
 * pinned, that is, keep exactly the rate they have until their last page.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/share.h"

#include "base/vec.h"

#include <math.h>

/* Handovers leave this much room for rounding, relative to the time. */
static const double time_slack_frac = 1e-9;
/* Bandwidths this close are the same. */
static const double rate_slack_frac = 1e-9;
/* Wake-ups that are worth their time, per mover of the decode. */
enum { MAX_WAKES_PER_MOVER = 20 };

static double time_slack(double at_s) {
    return time_slack_frac * fmax(1, at_s);
}

static bool is_sending(const struct mover *mover) {
    return mover->phase == MOVER_LIVE || mover->phase == MOVER_STOP;
}

/* Sums anew rather than adding and subtracting: no drift. */
static void sum_hard(struct decoder *decoder, const struct mover *mover) {
    for (size_t i = 0; i < mover->n_arcs; i++) {
        struct arc_state *arc = &decoder->arcs[mover->arcs[i]];
        arc->hard = 0;
        for (uint32_t node = arc->first; node != DECODE_NONE; node = decoder->nodes[node].next)
            arc->hard += decoder->movers[decoder->nodes[node].mover].hard;
    }
}

/* Whoever waits for more on the arc is to look again. */
static void touch(struct decoder *decoder, uint32_t arc) {
    decoder->arcs[arc].stamp++;
    decoder->has_news = true;
}

static void record_rate(struct decoder *decoder, size_t mover, double rate) {
    if (!vec_reserve((void **)&decoder->log, &decoder->log_capacity, decoder->n_log + 1, sizeof(*decoder->log))) {
        decoder->out_of_memory = true;
        return;
    }
    decoder->log[decoder->n_log++] = (struct rate_entry){mover, {decoder->now_s, rate}};
}

void share_enter(struct decoder *decoder, size_t mover) {
    struct mover *self = &decoder->movers[mover];
    for (size_t i = 0; i < self->n_arcs; i++) {
        struct arc_state *arc = &decoder->arcs[self->arcs[i]];
        const uint32_t node = (uint32_t)(mover * decoder->max_path + i);
        decoder->nodes[node] = (struct flow_node){(uint32_t)mover, DECODE_NONE, arc->first};
        if (arc->first != DECODE_NONE)
            decoder->nodes[arc->first].previous = node;
        arc->first = node;
        arc->hard += self->hard;
        arc->load += self->promised;
    }
    size_t at = decoder->n_sharing++;
    for (; at > 0 && decoder->movers[decoder->sharing[at - 1]].place > self->place; at--)
        decoder->sharing[at] = decoder->sharing[at - 1];
    decoder->sharing[at] = mover;
}

void share_leave(struct decoder *decoder, size_t mover) {
    struct mover *self = &decoder->movers[mover];
    for (size_t i = 0; i < self->n_arcs; i++) {
        const struct flow_node *node = &decoder->nodes[mover * decoder->max_path + i];
        if (node->previous != DECODE_NONE)
            decoder->nodes[node->previous].next = node->next;
        else
            decoder->arcs[self->arcs[i]].first = node->next;
        if (node->next != DECODE_NONE)
            decoder->nodes[node->next].previous = node->previous;
    }
    sum_hard(decoder, self);
    if (decoder->recording && self->rate > 0)
        record_rate(decoder, mover, 0);
    self->rate = 0;
    size_t at = 0;
    while (decoder->sharing[at] != mover)
        at++;
    for (decoder->n_sharing--; at < decoder->n_sharing; at++)
        decoder->sharing[at] = decoder->sharing[at + 1];
    for (size_t i = 0; i < self->n_arcs; i++)
        touch(decoder, self->arcs[i]);
    decoder->rates_stale = true;
}

/* Books what was done at the old rate, and when the phase ends at the new one. */
static void set_rate(struct decoder *decoder, size_t mover, double rate) {
    struct mover *self = &decoder->movers[mover];
    const double elapsed_s = decoder->now_s - self->since_s;
    const double whole_s = self->live_s + self->stop_s;
    if (elapsed_s > 0 && whole_s > 0)
        self->left_frac = fmax(0, self->left_frac - elapsed_s / whole_s);
    self->bytes += self->rate * elapsed_s;
    self->since_s = decoder->now_s;
    if (rate != self->rate) {
        struct problem_cost_point point = {rate, self->best_live_s, self->best_stop_s};
        if (rate < self->best_bytes_per_s)
            (void)problem_cost_at(self->cost, rate, &point); /* rate >= floor >= lowest point */
        self->live_s = point.live_s;
        self->stop_s = point.stop_s;
        self->rate = rate;
        for (size_t i = 0; i < self->n_arcs; i++)
            decoder->arcs[self->arcs[i]].changes++;
        decoder->has_news = true;
        if (decoder->recording)
            record_rate(decoder, mover, rate);
    }
    self->gone_s = decoder->now_s + self->left_frac * (self->live_s + self->stop_s);
    self->next_s = self->phase == MOVER_LIVE ? fmax(decoder->now_s, self->gone_s - self->stop_s) : self->gone_s;
}

static double narrowest_left(const struct decoder *decoder, const struct mover *mover) {
    double left = INFINITY;
    for (size_t i = 0; i < mover->n_arcs; i++)
        left = fmin(left, decoder->arcs[mover->arcs[i]].left);
    return fmax(0, left);
}

static void serve(struct decoder *decoder, size_t mover) {
    struct mover *self = &decoder->movers[mover];
    double rate = self->hard;
    if (!self->pinned) {
        const double extra = fmin(self->best_bytes_per_s - self->hard, narrowest_left(decoder, self));
        rate += extra;
        for (size_t i = 0; i < self->n_arcs; i++)
            decoder->arcs[self->arcs[i]].left -= extra;
    }
    if (rate > self->best_bytes_per_s * (1 - rate_slack_frac))
        rate = self->best_bytes_per_s;
    const bool same = fabs(rate - self->rate) <= rate_slack_frac * self->best_bytes_per_s;
    if (!same || self->next_s <= decoder->now_s) /* a new rate, or a new phase */
        set_rate(decoder, mover, same ? self->rate : rate);
}

static void start_fill(struct decoder *decoder) {
    for (size_t k = 0; k < decoder->n_sharing; k++) {
        const struct mover *mover = &decoder->movers[decoder->sharing[k]];
        for (size_t i = 0; i < mover->n_arcs; i++) {
            struct arc_state *arc = &decoder->arcs[mover->arcs[i]];
            arc->left = decoder->problem->arcs[mover->arcs[i]].capacity_bytes_per_s;
            arc->load_before = fmax(arc->load_before, arc->load);
            arc->load = 0;
        }
    }
    for (size_t k = 0; k < decoder->n_sharing; k++) {
        const struct mover *mover = &decoder->movers[decoder->sharing[k]];
        for (size_t i = 0; is_sending(mover) && i < mover->n_arcs; i++)
            decoder->arcs[mover->arcs[i]].left -= mover->hard;
    }
}

/* Arcs with less on them than before have something to offer. */
static void end_fill(struct decoder *decoder) {
    for (size_t k = 0; k < decoder->n_sharing; k++) {
        const struct mover *mover = &decoder->movers[decoder->sharing[k]];
        const double load = mover->phase == MOVER_PRE ? mover->promised : mover->rate;
        for (size_t i = 0; i < mover->n_arcs; i++)
            decoder->arcs[mover->arcs[i]].load += load;
    }
    for (size_t k = 0; k < decoder->n_sharing; k++) {
        const struct mover *mover = &decoder->movers[decoder->sharing[k]];
        for (size_t i = 0; i < mover->n_arcs; i++) {
            struct arc_state *arc = &decoder->arcs[mover->arcs[i]];
            if (arc->load < arc->load_before * (1 - 1e3 * rate_slack_frac))
                touch(decoder, mover->arcs[i]);
            arc->load_before = 0;
        }
    }
}

void share_fill(struct decoder *decoder) {
    start_fill(decoder);
    for (size_t k = 0; k < decoder->n_sharing; k++)
        if (decoder->movers[decoder->sharing[k]].phase == MOVER_STOP)
            serve(decoder, decoder->sharing[k]);
    for (size_t k = 0; k < decoder->n_sharing; k++) {
        struct mover *mover = &decoder->movers[decoder->sharing[k]];
        if (mover->phase == MOVER_LIVE)
            serve(decoder, decoder->sharing[k]);
        else if (mover->phase == MOVER_PRE)
            mover->promised = fmax(mover->promised, fmin(mover->best_bytes_per_s, narrowest_left(decoder, mover)));
    }
    end_fill(decoder);
    decoder->rates_stale = false;
}

/* Pins a migration if its arcs have room for its whole rate until its last page. */
static bool pin(struct decoder *decoder, size_t mover) {
    struct mover *self = &decoder->movers[mover];
    const double raise = self->rate - self->hard;
    for (size_t i = 0; i < self->n_arcs; i++) {
        double hard = raise;
        uint32_t node = decoder->arcs[self->arcs[i]].first;
        for (; node != DECODE_NONE; node = decoder->nodes[node].next) {
            const struct mover *other = &decoder->movers[decoder->nodes[node].mover];
            if (is_sending(other) || other->begin_s < self->gone_s)
                hard += other->hard;
        }
        const double capacity = decoder->problem->arcs[self->arcs[i]].capacity_bytes_per_s;
        if (hard > capacity * (1 + rate_slack_frac))
            return false;
    }
    self->hard = self->rate;
    self->pinned = true;
    decoder->pins[decoder->n_pins++] = mover;
    sum_hard(decoder, self);
    return true;
}

void share_unpin(struct decoder *decoder) {
    while (decoder->n_pins > 0) {
        struct mover *mover = &decoder->movers[decoder->pins[--decoder->n_pins]];
        mover->hard = mover->floor_bytes_per_s;
        mover->pinned = false;
        sum_hard(decoder, mover);
    }
}

void share_keep_pins(struct decoder *decoder) {
    decoder->n_pins = 0;
}

/* Whether the floor fits beside all that is guaranteed at the first page. */
static bool floor_fits(struct decoder *decoder, const struct mover *self, uint32_t arc, double first_page_s) {
    const double capacity = decoder->problem->arcs[arc].capacity_bytes_per_s;
    double lacking = decoder->arcs[arc].hard + self->floor_bytes_per_s - capacity * (1 + rate_slack_frac);
    uint32_t node = decoder->arcs[arc].first;
    for (; lacking > 0 && node != DECODE_NONE; node = decoder->nodes[node].next) {
        const struct mover *other = &decoder->movers[decoder->nodes[node].mover];
        if (!is_sending(other) || other->gone_s > first_page_s - time_slack(first_page_s))
            continue;
        const double hard = other->hard;
        if (other->pinned || pin(decoder, decoder->nodes[node].mover))
            lacking -= hard;
    }
    return lacking <= 0;
}

/* What this arc would give to the mover at its first page. Earlier ones in the
 * order keep what they have and take what is freed up to their best, if this
 * arc is full now; later ones fall back to their floors. */
static double expected_share(const struct decoder *decoder, const struct mover *self, uint32_t arc,
                             double first_page_s) {
    const double capacity = decoder->problem->arcs[arc].capacity_bytes_per_s;
    double used = 0, freed = 0, wanted = 0, promised = 0, yielding = 0;
    for (uint32_t node = decoder->arcs[arc].first; node != DECODE_NONE; node = decoder->nodes[node].next) {
        const struct mover *other = &decoder->movers[decoder->nodes[node].mover];
        const bool earlier = other->place < self->place;
        used += other->rate;
        if (other->phase == MOVER_PRE)
            promised += earlier ? other->promised : other->hard;
        else if (other->gone_s <= first_page_s - time_slack(first_page_s))
            freed += other->rate;
        else if (earlier)
            wanted += other->pinned ? 0 : other->best_bytes_per_s - other->rate;
        else
            yielding += other->rate - other->hard;
    }
    if (capacity - used > rate_slack_frac * capacity)
        wanted = 0;
    return capacity - used + fmax(0, freed - wanted) + yielding - promised;
}

/* The first time at which one more on this arc will be gone at the first page. */
static double next_handover(const struct decoder *decoder, const struct mover *self, uint32_t arc) {
    double wake_s = INFINITY;
    for (uint32_t node = decoder->arcs[arc].first; node != DECODE_NONE; node = decoder->nodes[node].next) {
        const struct mover *other = &decoder->movers[decoder->nodes[node].mover];
        if (!is_sending(other))
            continue;
        const double at_s = other->gone_s - self->cost->pre_s + 3 * time_slack(other->gone_s);
        if (at_s > decoder->now_s + time_slack(decoder->now_s))
            wake_s = fmin(wake_s, at_s);
    }
    return wake_s;
}

void share_watch(struct decoder *decoder, size_t mover) {
    struct mover *self = &decoder->movers[mover];
    struct arc_state *arc = &decoder->arcs[self->blocked_arc];
    if (arc->wake_scan == decoder->scan || decoder->n_wakes >= MAX_WAKES_PER_MOVER * decoder->n_movers)
        return;
    arc->wake_scan = decoder->scan;
    if (self->wake_changes != arc->changes) {
        self->wake_s = next_handover(decoder, self, self->blocked_arc);
        self->wake_changes = arc->changes;
    }
    decoder->wake_s = fmin(decoder->wake_s, self->wake_s);
}

static double wanted_share(const struct mover *self) {
    return self->threshold_frac * self->best_bytes_per_s * (1 - rate_slack_frac);
}

bool share_lacks(struct decoder *decoder, size_t mover) {
    struct mover *self = &decoder->movers[mover];
    const struct arc_state *arc = &decoder->arcs[self->blocked_arc];
    const double wanted = wanted_share(self);
    if (arc->share_scan != decoder->scan || arc->most_share >= wanted || self->floor_bytes_per_s >= wanted)
        return false;
    self->blocked_stamp = arc->stamp;
    share_watch(decoder, mover);
    return true;
}

static bool block(struct decoder *decoder, size_t mover, uint32_t arc) {
    struct mover *self = &decoder->movers[mover];
    self->blocked_by = &decoder->arcs[arc].stamp;
    self->blocked_stamp = decoder->arcs[arc].stamp;
    self->blocked_arc = arc;
    self->wake_s = INFINITY;
    self->wake_changes = UINT64_MAX;
    share_watch(decoder, mover);
    return false;
}

/* Whether the arc gives the share wanted. The first that asks in a scan also
 * finds out what the arc can give at most, to all that ask after it. */
static bool offers_share(struct decoder *decoder, const struct mover *self, uint32_t arc, double wanted,
                         double *share) {
    struct arc_state *state = &decoder->arcs[arc];
    if (state->share_scan != decoder->scan) {
        state->share_scan = decoder->scan;
        state->most_share = expected_share(decoder, self, arc, decoder->now_s + decoder->longest_pre_s);
    }
    if (state->most_share < wanted && self->floor_bytes_per_s < wanted)
        return false;
    *share = fmin(*share, expected_share(decoder, self, arc, decoder->now_s + self->cost->pre_s));
    *share = fmax(*share, self->floor_bytes_per_s);
    return *share >= wanted;
}

bool share_offers(struct decoder *decoder, size_t mover, bool any_share) {
    struct mover *self = &decoder->movers[mover];
    const double first_page_s = decoder->now_s + self->cost->pre_s;
    const double wanted = any_share ? 0 : wanted_share(self);
    double share = self->best_bytes_per_s;
    for (size_t i = 0; i < self->n_arcs; i++)
        if (!offers_share(decoder, self, self->arcs[i], wanted, &share))
            return block(decoder, mover, self->arcs[i]);
    for (size_t i = 0; i < self->n_arcs; i++)
        if (!floor_fits(decoder, self, self->arcs[i], first_page_s))
            return block(decoder, mover, self->arcs[i]);
    self->promised = share;
    return true;
}
