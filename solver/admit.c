/*
 * Admission: one pass over the waiting movers in order. A mover that was held
 * up is looked at again only once what held it up has changed (a stamp), or
 * at its wake time; that keeps a decode near linear.
 *
 * Movers that must start together are tried one after the other and taken
 * back if one of them fails.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/admit.h"

#include "base/vec.h"
#include "solver/share.h"

#include <math.h>

/* Memory is in whole bytes: less than one is rounding. */
static const double memory_slack_bytes = 0.5;

static bool block_on(struct mover *self, const uint64_t *stamp) {
    self->blocked_by = stamp;
    self->blocked_stamp = *stamp;
    self->blocked_arc = DECODE_NONE;
    self->wake_s = INFINITY;
    return false;
}

static bool in_flight(const struct mover *mover) {
    return mover->phase != MOVER_WAITING && mover->phase != MOVER_DONE;
}

/* Does the VM count on the host, be it leaving or arriving? */
static bool is_on_host(const struct decoder *decoder, size_t vm, size_t host) {
    const size_t index = decoder->mover_of[vm];
    if (index == SIZE_MAX)
        return decoder->problem->vms[vm].host == host;
    const struct mover *mover = &decoder->movers[index];
    return (mover->phase != MOVER_DONE && mover->from == host) || (mover->phase != MOVER_WAITING && mover->to == host);
}

static bool spread_holds(const struct decoder *decoder, const struct problem_rule *rule, const struct mover *self) {
    for (size_t i = 0; i < rule->n_vms; i++)
        if (rule->vms[i] != self->vm && is_on_host(decoder, rule->vms[i], self->to))
            return false;
    return true;
}

/* A VM of the rule goes where no others are, others where none of its VMs is. */
static bool lonely_holds(const struct decoder *decoder, const struct problem_rule *rule, const struct mover *self) {
    if (!vec_has(rule->vms, rule->n_vms, self->vm)) {
        for (size_t i = 0; i < rule->n_vms; i++)
            if (is_on_host(decoder, rule->vms[i], self->to))
                return false;
        return true;
    }
    for (size_t vm = 0; vm < decoder->problem->n_vms; vm++)
        if (is_on_host(decoder, vm, self->to) && !vec_has(rule->vms, rule->n_vms, vm))
            return false;
    return true;
}

static bool serialize_holds(const struct decoder *decoder, const struct problem_rule *rule) {
    for (size_t i = 0; i < rule->n_vms; i++) {
        const size_t index = decoder->mover_of[rule->vms[i]];
        if (index != SIZE_MAX && in_flight(&decoder->movers[index]))
            return false;
    }
    return true;
}

static bool precedence_holds(const struct decoder *decoder, const struct problem_rule *rule, const struct mover *self) {
    for (size_t i = 0; i < rule->n_vms && rule->vms[i] != self->vm; i++) {
        const size_t index = decoder->mover_of[rule->vms[i]];
        if (index != SIZE_MAX && decoder->movers[index].place != SIZE_MAX && decoder->movers[index].phase != MOVER_DONE)
            return false;
    }
    return true;
}

static bool rule_holds(const struct decoder *decoder, const struct problem_rule *rule, const struct mover *self) {
    switch (rule->type) {
    case PROBLEM_SPREAD:
        return spread_holds(decoder, rule, self);
    case PROBLEM_LONELY:
        return lonely_holds(decoder, rule, self);
    case PROBLEM_SERIALIZE:
        return serialize_holds(decoder, rule);
    case PROBLEM_PRECEDENCE:
        return precedence_holds(decoder, rule, self);
    case PROBLEM_GATHER:
    case PROBLEM_BAN:
    case PROBLEM_FENCE:
    case PROBLEM_AMONG:
    case PROBLEM_TOGETHER:
        break;
    }
    return true;
}

long admit_rule_against(const struct decoder *decoder, size_t mover) {
    for (size_t k = decoder->rule_begin[mover]; k < decoder->rule_begin[mover + 1]; k++) {
        const size_t rule = decoder->rule_list[k];
        if (!rule_holds(decoder, &decoder->problem->rules[rule], &decoder->movers[mover]))
            return (long)rule;
    }
    return PROBLEM_ANY;
}

bool admit_memory_fits(const struct decoder *decoder, size_t mover) {
    const struct mover *self = &decoder->movers[mover];
    return decoder->hosts[self->to].free_bytes + memory_slack_bytes >= decoder->problem->vms[self->vm].memory_bytes;
}

static bool slot_free(const struct decoder *decoder, size_t host) {
    const unsigned limit = decoder->problem->hosts[host].max_migrations;
    return limit == 0 || decoder->hosts[host].n_in_flight < limit;
}

static bool plan_slot_free(const struct decoder *decoder) {
    return decoder->problem->max_parallel == 0 || decoder->n_in_flight < decoder->problem->max_parallel;
}

static bool can_start(struct decoder *decoder, size_t mover, bool any_share) {
    struct mover *self = &decoder->movers[mover];
    if (!self->possible || !plan_slot_free(decoder))
        return block_on(self, &decoder->end_stamp);
    if (!slot_free(decoder, self->from))
        return block_on(self, &decoder->hosts[self->from].stamp);
    if (!slot_free(decoder, self->to) || !admit_memory_fits(decoder, mover))
        return block_on(self, &decoder->hosts[self->to].stamp);
    if (admit_rule_against(decoder, mover) != PROBLEM_ANY)
        return block_on(self, &decoder->end_stamp);
    return share_offers(decoder, mover, any_share);
}

static void start(struct decoder *decoder, size_t mover) {
    struct mover *self = &decoder->movers[mover];
    self->phase = MOVER_PRE;
    self->start_s = decoder->now_s;
    self->begin_s = decoder->now_s + self->cost->pre_s;
    self->next_s = self->begin_s;
    self->gone_s = INFINITY;
    self->hard = self->floor_bytes_per_s;
    self->rate = 0;
    decoder->hosts[self->from].n_in_flight++;
    decoder->hosts[self->to].n_in_flight++;
    decoder->hosts[self->to].free_bytes -= decoder->problem->vms[self->vm].memory_bytes;
    decoder->in_flight[decoder->n_in_flight++] = mover;
    if (self->n_arcs > 0)
        share_enter(decoder, mover);
}

/* Undoes start() for the mover that started last. */
static void take_back(struct decoder *decoder, size_t mover) {
    struct mover *self = &decoder->movers[mover];
    if (self->n_arcs > 0)
        share_leave(decoder, mover);
    decoder->n_in_flight--;
    decoder->hosts[self->to].free_bytes += decoder->problem->vms[self->vm].memory_bytes;
    decoder->hosts[self->to].n_in_flight--;
    decoder->hosts[self->from].n_in_flight--;
    self->phase = MOVER_WAITING;
}

static bool try_group(struct decoder *decoder, size_t group) {
    const size_t begin = decoder->group_begin[group];
    size_t at = begin;
    bool good = true;
    for (; good && at < decoder->group_begin[group + 1]; at++) {
        const size_t mover = decoder->group_list[at];
        if (decoder->movers[mover].place == SIZE_MAX) /* left out of this order */
            continue;
        good = can_start(decoder, mover, true);
        if (good)
            start(decoder, mover);
    }
    if (good) {
        share_keep_pins(decoder);
        return true;
    }
    while (at-- > begin)
        if (decoder->movers[decoder->group_list[at]].phase == MOVER_PRE)
            take_back(decoder, decoder->group_list[at]);
    share_unpin(decoder);
    return false;
}

static bool try_alone(struct decoder *decoder, size_t mover) {
    if (!can_start(decoder, mover, false)) {
        share_unpin(decoder);
        return false;
    }
    share_keep_pins(decoder);
    start(decoder, mover);
    return true;
}

static bool still_blocked(struct decoder *decoder, size_t mover) {
    struct mover *self = &decoder->movers[mover];
    if (self->blocked_by == NULL)
        return false;
    if (*self->blocked_by != self->blocked_stamp)
        return self->blocked_arc != DECODE_NONE && share_lacks(decoder, mover);
    if (self->blocked_arc == DECODE_NONE)
        return true;
    if (decoder->now_s >= self->wake_s) { /* a handover is due: for all that wait for this arc */
        decoder->arcs[self->blocked_arc].stamp++;
        return false;
    }
    share_watch(decoder, mover);
    return true;
}

void admit_waiting(struct decoder *decoder) {
    size_t n_kept = 0;
    decoder->scan++;
    decoder->has_news = false;
    decoder->wake_s = INFINITY;
    for (size_t k = 0; k < decoder->n_waiting; k++) {
        const size_t index = decoder->waiting[k];
        struct mover *mover = &decoder->movers[index];
        if (mover->phase != MOVER_WAITING)
            continue; /* started with its group */
        bool started = false;
        if (mover->group != SIZE_MAX)
            started = try_group(decoder, mover->group);
        else if (!still_blocked(decoder, index))
            started = try_alone(decoder, index);
        if (!started)
            decoder->waiting[n_kept++] = index;
    }
    decoder->n_waiting = n_kept;
}
