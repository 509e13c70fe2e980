/*
 * Passes over all items, each move to the best host, each swap as soon as it
 * gains. Counted, never timed.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/place_polish.h"

#include <math.h>

enum { MAX_PASSES = 12, MOVE_TRIES = 400000, SWAP_TRIES = 300000 };

static const double least_gain = 1e-7;

/* The arcs' share of the sum on the item's paths to `host`. */
static double path_cost(const struct place_state *state, const struct place_item *item, size_t host, double peak_s) {
    double cost = 0;
    for (size_t i = item->begin; i < item->begin + item->n; i++) {
        size_t from = state->problem->vms[state->candidates->vm[state->item_movers[i]]].host, n_arcs = 0;
        const uint32_t *arcs = problem_path(state->problem, from, host, &n_arcs);
        for (size_t k = 0; k < n_arcs; k++) {
            double square = state->busy_s[arcs[k]] / peak_s * (state->busy_s[arcs[k]] / peak_s);
            cost += square * square * square * square;
        }
    }
    return cost;
}

/* Put and take, returning by how much the sum grows. */
static double put(struct place_state *state, struct place_item *item, size_t host, double peak_s) {
    double before = path_cost(state, item, host, peak_s);
    place_state_put(state, item, host);
    return path_cost(state, item, host, peak_s) - before;
}

static double take(struct place_state *state, struct place_item *item, double peak_s) {
    size_t host = (size_t)item->host;
    double before = path_cost(state, item, host, peak_s);
    place_state_take(state, item);
    return path_cost(state, item, host, peak_s) - before;
}

static bool move(struct place_state *state, struct place_item *item, double peak_s, size_t *tries) {
    const struct candidates *candidates = state->candidates;
    size_t first = state->item_movers[item->begin], from = (size_t)item->host, to = from;
    double gone = take(state, item, peak_s), best = -gone - least_gain;
    for (size_t i = candidates->begin[first]; i < candidates->begin[first + 1] && *tries > 0; i++) {
        size_t host = candidates->items[i].host;
        --*tries;
        if (host == from || !place_state_fits(state, item, host, false) || !place_state_is_candidate(state, item, host))
            continue;
        double come = put(state, item, host, peak_s);
        place_state_take(state, item);
        if (come < best) {
            best = come;
            to = host;
        }
    }
    place_state_put(state, item, to);
    return to != from;
}

static bool swap(struct place_state *state, struct place_item *item, struct place_item *other, double peak_s) {
    size_t a = (size_t)item->host, b = (size_t)other->host;
    if (!place_state_is_candidate(state, item, b) || !place_state_is_candidate(state, other, a))
        return false;
    double change = take(state, item, peak_s) + take(state, other, peak_s);
    if (place_state_fits(state, item, b, false)) {
        change += put(state, item, b, peak_s);
        if (place_state_fits(state, other, a, false)) {
            change += put(state, other, a, peak_s);
            if (change < -least_gain)
                return true;
            place_state_take(state, other);
        }
        place_state_take(state, item);
    }
    place_state_put(state, item, a);
    place_state_put(state, other, b);
    return false;
}

static bool swap_pass(struct place_state *state, double peak_s, size_t *tries) {
    bool changed = false;
    for (size_t i = 0; i < state->n_items; i++) {
        for (size_t k = i + 1; k<state->n_items && * tries> 0; k++) {
            struct place_item *item = &state->items[i], *other = &state->items[k];
            if (item->host == PROBLEM_ANY || other->host == PROBLEM_ANY || item->host == other->host)
                continue;
            --*tries;
            changed = swap(state, item, other, peak_s) || changed;
        }
    }
    return changed;
}

void place_polish(struct place_state *state) {
    size_t move_tries = MOVE_TRIES, swap_tries = SWAP_TRIES;
    for (unsigned pass = 0; pass < MAX_PASSES && move_tries > 0; pass++) {
        double peak_s = place_state_peak_s(state, NULL);
        bool changed = false;
        if (peak_s <= state->target_s)
            return;
        for (size_t i = 0; i < state->n_items; i++) {
            if (state->items[i].host != PROBLEM_ANY)
                changed = move(state, &state->items[i], peak_s, &move_tries) || changed;
        }
        if (!changed && !swap_pass(state, peak_s, &swap_tries))
            return;
    }
}
