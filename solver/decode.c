/*
 * The decoder's event loop and the writing of schedules.
 *
 * A decode is a simulation: at an event, phases that are over are left, every arc is
 * divided anew, waiting VMs are admitted; then time goes on to the next event.
 * Each event ends a phase of some migration (four each) or is one of a
 * bounded number of wake-ups, so a decode ends.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/decode.h"

#include "base/clock.h"
#include "solver/admit.h"
#include "solver/after.h"
#include "solver/share.h"

#include <math.h>
#include <stdlib.h>

enum { EVENTS_PER_LOOK = 64 }; /* at the clock */

static void reset(struct decoder *decoder, const struct decode_order *order) {
    const struct problem *problem = decoder->problem;
    for (size_t i = 0; i < decoder->n_movers; i++) {
        struct mover *mover = &decoder->movers[i];
        mover->place = SIZE_MAX;
        mover->phase = MOVER_WAITING;
        mover->end_s = INFINITY;
        mover->wake_s = INFINITY;
        mover->blocked_by = NULL;
        mover->pinned = false;
        mover->promised = mover->rate = mover->bytes = 0;
    }
    for (size_t i = 0; i < problem->n_arcs; i++)
        decoder->arcs[i] = (struct arc_state){.first = DECODE_NONE};
    for (size_t i = 0; i < problem->n_hosts; i++)
        decoder->hosts[i] = (struct host_state){.initial_free_bytes = decoder->hosts[i].initial_free_bytes,
                                                .free_bytes = decoder->hosts[i].initial_free_bytes};
    decoder->now_s = 0;
    decoder->n_waiting = decoder->n_in_flight = decoder->n_sharing = decoder->n_pins = decoder->n_wakes = 0;
    decoder->rates_stale = false;
    decoder->has_news = true;
    decoder->wake_s = INFINITY;
    decoder->end_stamp = decoder->scan = 0;
    decoder->n_log = 0;
    decoder->score = (struct decode_score){.n_unstarted = order->n};
    for (size_t place = 0; place < order->n; place++) {
        const size_t index = decoder->mover_of[order->vm[place]];
        if (index == SIZE_MAX)
            continue; /* goes nowhere: never starts */
        decoder->movers[index].place = place;
        decoder->movers[index].threshold_frac = order->threshold_frac[place];
        decoder->waiting[decoder->n_waiting++] = index;
    }
}

static void enter_phase(struct mover *mover, enum mover_phase phase, double now_s) {
    const double elapsed_s = now_s - mover->since_s;
    mover->bytes += mover->phase == MOVER_PRE ? 0 : mover->rate * elapsed_s;
    if (phase == MOVER_STOP)
        mover->left_frac = fmax(0, mover->left_frac - elapsed_s / (mover->live_s + mover->stop_s));
    else
        mover->left_frac = 1;
    mover->phase = phase;
    mover->since_s = now_s;
}

static void last_page(struct decoder *decoder, size_t index) {
    struct mover *mover = &decoder->movers[index];
    enter_phase(mover, MOVER_POST, decoder->now_s);
    mover->sent_s = decoder->now_s;
    mover->next_s = decoder->now_s + mover->cost->post_s;
    if (mover->n_arcs > 0)
        share_leave(decoder, index);
    else
        mover->stopped_s = decoder->now_s;
}

static void finish(struct decoder *decoder, struct mover *mover) {
    struct decode_score *score = &decoder->score;
    mover->phase = MOVER_DONE;
    mover->end_s = decoder->now_s;
    decoder->end_stamp++;
    decoder->has_news = true;
    decoder->hosts[mover->from].n_in_flight--;
    decoder->hosts[mover->from].stamp++;
    decoder->hosts[mover->from].free_bytes += decoder->problem->vms[mover->vm].memory_bytes;
    decoder->hosts[mover->to].n_in_flight--;
    decoder->hosts[mover->to].stamp++;
    const double downtime_s = mover->end_s - mover->stopped_s;
    score->n_unstarted--;
    score->makespan_s = fmax(score->makespan_s, mover->end_s);
    score->downtime_worst_s = fmax(score->downtime_worst_s, downtime_s);
    score->downtime_total_s += downtime_s;
    score->bytes += mover->bytes;
    score->ends_sum_s += mover->end_s;
}

/* Leaves the phase that is over now; false once the whole migration is. */
static bool next_phase(struct decoder *decoder, size_t index) {
    struct mover *mover = &decoder->movers[index];
    switch (mover->phase) {
    case MOVER_PRE:
        if (mover->n_arcs == 0) {
            last_page(decoder, index);
            return true;
        }
        enter_phase(mover, MOVER_LIVE, decoder->now_s);
        decoder->rates_stale = true;
        return true;
    case MOVER_LIVE:
        enter_phase(mover, MOVER_STOP, decoder->now_s);
        mover->stopped_s = decoder->now_s;
        decoder->rates_stale = true;
        return true;
    case MOVER_STOP:
        last_page(decoder, index);
        return true;
    case MOVER_WAITING:
    case MOVER_POST:
    case MOVER_DONE:
        break;
    }
    finish(decoder, mover);
    return false;
}

static void run(struct decoder *decoder, const struct decode_order *order) {
    reset(decoder, order);
    for (unsigned n_events = 1;; n_events++) {
        if (n_events % EVENTS_PER_LOOK == 0 && isfinite(decoder->clock_end_s) &&
            clock_monotonic_s() >= decoder->clock_end_s)
            return;
        size_t n_kept = 0;
        for (size_t k = 0; k < decoder->n_in_flight; k++) {
            const size_t index = decoder->in_flight[k];
            if (decoder->movers[index].next_s > decoder->now_s || next_phase(decoder, index))
                decoder->in_flight[n_kept++] = index;
        }
        decoder->n_in_flight = n_kept;
        if (decoder->rates_stale)
            share_fill(decoder);
        if (decoder->has_news || decoder->now_s >= decoder->wake_s)
            admit_waiting(decoder);
        double next_s = decoder->wake_s;
        for (size_t k = 0; k < decoder->n_in_flight; k++)
            next_s = fmin(next_s, decoder->movers[decoder->in_flight[k]].next_s);
        if (!isfinite(next_s))
            return; /* all done, or nothing can ever start */
        decoder->n_wakes += next_s == decoder->wake_s;
        decoder->now_s = fmax(next_s, decoder->now_s);
    }
}

void decoder_set_end(struct decoder *decoder, double end_s) {
    decoder->clock_end_s = end_s;
}

double decoder_makespan(struct decoder *decoder, const struct decode_order *order) {
    run(decoder, order);
    return decoder->score.n_unstarted > 0 ? INFINITY : decoder->score.makespan_s;
}

bool decoder_started(const struct decoder *decoder, size_t vm) {
    const size_t index = decoder->mover_of[vm];
    return index != SIZE_MAX && decoder->movers[index].phase == MOVER_DONE;
}

/* The first rule by which others must start with the VM. */
static long group_rule(const struct problem *problem, size_t vm) {
    for (size_t i = 0; i < problem->n_rules; i++)
        for (size_t k = 0; k < problem->rules[i].n_vms; k++)
            if (problem->rules[i].vms[k] == vm &&
                (problem->rules[i].type == PROBLEM_TOGETHER || problem->rules[i].type == PROBLEM_GATHER))
                return (long)i;
    return PROBLEM_ANY;
}

struct solution_conflict decoder_explain(const struct decoder *decoder, size_t vm) {
    const size_t index = decoder->mover_of[vm];
    struct solution_conflict conflict = {CONFLICT_DEADLOCK, (long)vm, PROBLEM_ANY, PROBLEM_ANY, 0, 0, 0};
    if (index == SIZE_MAX)
        return conflict;
    conflict.host = (long)decoder->movers[index].to;
    conflict.needed = decoder->problem->vms[vm].memory_bytes;
    conflict.available = fmax(0, decoder->hosts[decoder->movers[index].to].free_bytes);
    if (!admit_memory_fits(decoder, index))
        return conflict;
    conflict.rule = admit_rule_against(decoder, index);
    if (conflict.rule == PROBLEM_ANY && decoder->movers[index].group != SIZE_MAX)
        conflict.rule = group_rule(decoder->problem, vm);
    conflict.kind = conflict.rule != PROBLEM_ANY ? CONFLICT_RULE : CONFLICT_DEADLOCK;
    return conflict;
}

double decoder_free_bytes(const struct decoder *decoder, size_t host) {
    return decoder->hosts[host].free_bytes;
}

const struct decode_score *decoder_score(const struct decoder *decoder) {
    return &decoder->score;
}

double decoder_end_s(const struct decoder *decoder, size_t vm) {
    const size_t index = decoder->mover_of[vm];
    return index != SIZE_MAX ? decoder->movers[index].end_s : INFINITY;
}

static int compare_steps(const void *left, const void *right) {
    const struct solution_step *a = left;
    const struct solution_step *b = right;
    if (a->start_s != b->start_s)
        return a->start_s < b->start_s ? -1 : 1;
    return a->vm < b->vm ? -1 : a->vm > b->vm;
}

static void write_step(const struct mover *mover, struct solution_step *step) {
    *step = (struct solution_step){
        .vm = mover->vm,
        .from = mover->from,
        .to = mover->to,
        .start_s = mover->start_s,
        .end_s = mover->end_s,
        .downtime_s = mover->end_s - mover->stopped_s,
        .downtime_p50_s = mover->end_s - mover->stopped_s,
        .duration_p50_s = mover->end_s - mover->start_s,
        .bytes = mover->bytes,
    };
}

/* Hands the log out to the steps; entries of one instant leave only the last. */
static enum dc_status write_rates(const struct decoder *decoder, struct solution *solution, struct dc_error *err) {
    size_t *n_entries = calloc(2 * decoder->n_movers + 1, sizeof(*n_entries));
    if (n_entries == NULL)
        return error_set_nomem(err);
    size_t *step_of = n_entries + decoder->n_movers;
    enum dc_status rc = DC_OK;
    for (size_t i = 0; i < decoder->n_log; i++)
        n_entries[decoder->log[i].mover]++;
    for (size_t i = 0; rc == DC_OK && i < solution->n_steps; i++) {
        const size_t mover = decoder->mover_of[solution->steps[i].vm];
        step_of[mover] = i;
        if (n_entries[mover] == 0)
            continue;
        solution->steps[i].rates = calloc(n_entries[mover], sizeof(*solution->steps[i].rates));
        if (solution->steps[i].rates == NULL)
            rc = error_set_nomem(err);
    }
    for (size_t i = 0; rc == DC_OK && i < decoder->n_log; i++) {
        const struct rate_entry *entry = &decoder->log[i];
        struct solution_step *step = &solution->steps[step_of[entry->mover]];
        if (step->n_rates > 0 && step->rates[step->n_rates - 1].from_s == entry->rate.from_s)
            step->n_rates--;
        step->rates[step->n_rates++] = entry->rate;
    }
    free(n_entries);
    return rc;
}

static enum dc_status write_steps(const struct decoder *decoder, struct solution *solution, struct dc_error *err) {
    for (size_t i = 0; i < solution->n_steps; i++) {
        free(solution->steps[i].rates);
        free(solution->steps[i].after);
    }
    free(solution->steps);
    solution->n_steps = 0;
    solution->steps = calloc(decoder->n_movers + 1, sizeof(*solution->steps));
    if (solution->steps == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < decoder->n_movers; i++)
        if (decoder->movers[i].phase == MOVER_DONE)
            write_step(&decoder->movers[i], &solution->steps[solution->n_steps++]);
    qsort(solution->steps, solution->n_steps, sizeof(*solution->steps), compare_steps);
    return write_rates(decoder, solution, err);
}

/* Legs become steps of their VMs. */
static void name_hops(const struct problem *problem, struct solution *solution) {
    const size_t n_whole = problem->n_vms - problem->n_legs;
    for (size_t i = 0; i < solution->n_steps; i++) {
        struct solution_step *step = &solution->steps[i];
        for (size_t leg = 0; leg < problem->n_legs; leg++)
            step->hop = step->hop || step->vm == problem->leg_vm[leg];
        if (step->vm >= n_whole) {
            step->vm = problem->leg_vm[step->vm - n_whole];
            step->hop = false;
        }
    }
}

enum dc_status decoder_schedule(struct decoder *decoder, const struct decode_order *order, struct solution *solution,
                                double *makespan_s_out, struct dc_error *err) {
    decoder->recording = true;
    decoder->out_of_memory = false;
    run(decoder, order);
    decoder->recording = false;
    if (decoder->out_of_memory)
        return error_set_nomem(err);
    enum dc_status rc = write_steps(decoder, solution, err);
    if (rc == DC_OK)
        rc = after_fill(decoder->problem, solution, err);
    if (rc != DC_OK)
        return rc;
    name_hops(decoder->problem, solution);
    solution->makespan_s[decoder->quantile] = decoder->score.makespan_s;
    *makespan_s_out = decoder->score.n_unstarted > 0 ? INFINITY : decoder->score.makespan_s;
    return DC_OK;
}
