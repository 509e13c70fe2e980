/*
 * Greedy placement. All loops are counted, never timed, so that results repeat.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/place_greedy.h"

#include "solver/place_polish.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_SHAKEN_PASSES = 6,    /* best fit with the order shaken, where something stays unplaced */
    EJECT_DEPTH = 2,        /* how many others one item may push on */
    EJECT_TRIES = 20000,    /* a repair */
    IMPROVE_TRIES = 400000, /* moves and swaps looked at */
    IMPROVE_ROUNDS = 1000,
};

/* Of two hosts equally busy the emptier one; of two a little apart still the less busy. */
static const double fill_weight = 0.02;
static const double enough_frac = 1.001; /* of the target: no better placement is worth a search */

enum rating { RATING_SPREAD, RATING_BEST_FIT };

static uint64_t next_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* Lower is better. The item is put for the moment it takes to look. */
static double rate(struct place_state *state, struct place_item *item, size_t host, enum rating rating) {
    if (rating == RATING_BEST_FIT)
        return state->free_bytes[host] - item->memory_bytes;
    place_state_put(state, item, host);
    double total = state->problem->hosts[host].memory_bytes;
    double fill_frac = total > 0 ? 1 - state->free_bytes[host] / total : 1;
    double value = place_state_item_busy_s(state, item) / state->target_s + fill_weight * fill_frac;
    place_state_take(state, item);
    return value;
}

/* The best host with room, or PROBLEM_ANY. Hosts are those of the first mover;
 * `host_class` NULL or restricts them to one class. */
static long best_host(struct place_state *state, struct place_item *item, enum rating rating, const size_t *host_class,
                      size_t class) {
    const struct candidates *candidates = state->candidates;
    size_t first = state->item_movers[item->begin];
    double best = INFINITY;
    long host = PROBLEM_ANY;
    for (size_t i = candidates->begin[first]; i < candidates->begin[first + 1]; i++) {
        size_t candidate = candidates->items[i].host;
        if ((host_class != NULL && host_class[candidate] != class) ||
            !place_state_fits(state, item, candidate, false) || !place_state_is_candidate(state, item, candidate))
            continue;
        double value = rate(state, item, candidate, rating);
        if (value < best) {
            best = value;
            host = (long)candidate;
        }
    }
    return host;
}

/* Places `item`, pushing others on (depth deep) where there is no room. */
static bool eject(struct place_state *state, struct place_item *item, unsigned depth, size_t *tries) {
    long host = best_host(state, item, RATING_BEST_FIT, NULL, 0);
    if (host != PROBLEM_ANY) {
        place_state_put(state, item, (size_t)host);
        return true;
    }
    for (size_t i = 0; depth > 0 && i<state->n_items && * tries> 0; i++) {
        struct place_item *other = &state->items[i];
        if (other == item || other->host == PROBLEM_ANY)
            continue;
        size_t from = (size_t)other->host;
        if (!place_state_is_candidate(state, item, from))
            continue;
        --*tries;
        place_state_take(state, other);
        if (place_state_fits(state, item, from, false)) {
            place_state_put(state, item, from);
            if (eject(state, other, depth - 1, tries))
                return true;
            place_state_take(state, item);
        }
        place_state_put(state, other, from);
    }
    return false;
}

static void repair(struct place_state *state) {
    size_t tries = EJECT_TRIES;
    for (size_t i = 0; i < state->n_items; i++) {
        if (state->items[i].host == PROBLEM_ANY)
            eject(state, &state->items[i], EJECT_DEPTH, &tries);
    }
}

static void clear(struct place_state *state) {
    for (size_t i = 0; i < state->n_items; i++) {
        if (state->items[i].host != PROBLEM_ANY)
            place_state_take(state, &state->items[i]);
    }
}

static void restore(struct place_state *state, const long *hosts) {
    clear(state);
    for (size_t i = 0; i < state->n_items; i++) {
        if (hosts[i] != PROBLEM_ANY)
            place_state_put(state, &state->items[i], (size_t)hosts[i]);
    }
}

static void save(const struct place_state *state, long *hosts) {
    for (size_t i = 0; i < state->n_items; i++)
        hosts[i] = state->items[i].host;
}

static double unplaced_bytes(const struct place_state *state) {
    double bytes = 0;
    for (size_t i = 0; i < state->n_items; i++)
        bytes += state->items[i].host == PROBLEM_ANY ? state->items[i].memory_bytes + 1 : 0;
    return bytes;
}

/* Swaps neighbours in the order here and there: still about largest first. */
static void shake(size_t *order, size_t n, uint64_t *seed) {
    for (size_t i = 0; i + 1 < n; i++) {
        size_t k = i + 1 + next_random(seed) % 4;
        if (k >= n || next_random(seed) % 2 == 0)
            continue;
        size_t kept = order[i];
        order[i] = order[k];
        order[k] = kept;
    }
}

static void fill(struct place_state *state, const size_t *order, enum rating rating) {
    for (size_t i = 0; i < state->n_items; i++) {
        struct place_item *item = &state->items[order[i]];
        long host = best_host(state, item, rating, NULL, 0);
        if (host != PROBLEM_ANY)
            place_state_put(state, item, (size_t)host);
    }
    repair(state);
}

enum dc_status place_greedy(struct place_state *state, uint64_t seed, struct dc_error *err) {
    size_t *order = calloc(state->n_items + 1, sizeof *order);
    long *best = calloc(state->n_items + 1, sizeof *best);
    if (order == NULL || best == NULL) {
        free(order);
        free(best);
        return error_set_nomem(err);
    }
    double best_bytes = INFINITY;
    for (unsigned pass = 0; pass < 2 + N_SHAKEN_PASSES && best_bytes > 0; pass++) {
        clear(state);
        for (size_t i = 0; i < state->n_items; i++)
            order[i] = i;
        if (pass >= 2)
            shake(order, state->n_items, &seed);
        fill(state, order, pass == 0 ? RATING_SPREAD : RATING_BEST_FIT);
        if (unplaced_bytes(state) < best_bytes) {
            best_bytes = unplaced_bytes(state);
            save(state, best);
        }
    }
    restore(state, best);
    free(order);
    free(best);
    return place_greedy_improve(state, err);
}

/* The class that the LP still owes most of the item's group, with room; or any host. */
static long guided_host(struct place_state *state, struct place_item *item, const struct placement_lp *lp,
                        double *owed_bytes) {
    size_t mover = state->item_movers[item->begin], group = lp->mover_group[mover];
    if (group == SIZE_MAX || item->n > 1)
        return best_host(state, item, RATING_SPREAD, NULL, 0);
    double *owed = &owed_bytes[group * lp->n_classes];
    double below = INFINITY;
    for (;;) { /* classes from the most owed down */
        size_t class = SIZE_MAX;
        for (size_t c = 0; c < lp->n_classes; c++) {
            if (owed[c] > 0 && owed[c] < below && (class == SIZE_MAX || owed[c] > owed[class]))
                class = c;
        }
        if (class == SIZE_MAX)
            return best_host(state, item, RATING_SPREAD, NULL, 0);
        long host = best_host(state, item, RATING_SPREAD, lp->host_class, class);
        if (host != PROBLEM_ANY) {
            owed[class] -= candidates_at(state->candidates, mover, (size_t)host)->volume_bytes;
            return host;
        }
        below = owed[class];
    }
}

enum dc_status place_greedy_guided(struct place_state *state, const struct placement_lp *lp, struct dc_error *err) {
    size_t n_owed = lp->n_groups * lp->n_classes;
    double *owed_bytes = calloc(n_owed + 1, sizeof *owed_bytes);
    long *before = calloc(state->n_items + 1, sizeof *before);
    if (owed_bytes == NULL || before == NULL) {
        free(owed_bytes);
        free(before);
        return error_set_nomem(err);
    }
    memcpy(owed_bytes, lp->share_bytes, n_owed * sizeof *owed_bytes);
    save(state, before);
    double bytes = unplaced_bytes(state), peak_s = place_state_peak_s(state, NULL);
    clear(state);
    for (size_t i = 0; i < state->n_items; i++) {
        long host = guided_host(state, &state->items[i], lp, owed_bytes);
        if (host != PROBLEM_ANY)
            place_state_put(state, &state->items[i], (size_t)host);
    }
    repair(state);
    enum dc_status rc = place_greedy_improve(state, err);
    double now_bytes = unplaced_bytes(state);
    if (now_bytes > bytes || (now_bytes >= bytes && place_state_peak_s(state, NULL) >= peak_s))
        restore(state, before);
    free(owed_bytes);
    free(before);
    return rc;
}

static bool item_uses(const struct place_state *state, const struct place_item *item, size_t arc) {
    for (size_t i = item->begin; item->host != PROBLEM_ANY && i < item->begin + item->n; i++) {
        size_t mover = state->item_movers[i], n_arcs = 0;
        size_t from = state->problem->vms[state->candidates->vm[mover]].host;
        const uint32_t *arcs = problem_path(state->problem, from, (size_t)item->host, &n_arcs);
        for (size_t k = 0; k < n_arcs; k++) {
            if (arcs[k] == arc)
                return !candidates_is_common(state->candidates, mover, arcs[k]);
        }
    }
    return false;
}

/* Moves one item off the arc, to where it makes the least of a peak. */
static bool relocate(struct place_state *state, struct place_item *item, double peak_s, size_t *tries) {
    const struct candidates *candidates = state->candidates;
    size_t first = state->item_movers[item->begin], from = (size_t)item->host, to = from;
    double best_s = peak_s * (1 - 1e-6);
    place_state_take(state, item);
    for (size_t i = candidates->begin[first]; i < candidates->begin[first + 1] && *tries > 0; i++) {
        size_t host = candidates->items[i].host;
        --*tries;
        if (host == from || !place_state_fits(state, item, host, false) || !place_state_is_candidate(state, item, host))
            continue;
        place_state_put(state, item, host);
        double busy_s = place_state_item_busy_s(state, item);
        place_state_take(state, item);
        if (busy_s < best_s) {
            best_s = busy_s;
            to = host;
        }
    }
    place_state_put(state, item, to);
    return to != from;
}

/* Swaps two items where both paths are then below the peak. */
static bool swap(struct place_state *state, struct place_item *item, struct place_item *other, double peak_s) {
    size_t a = (size_t)item->host, b = (size_t)other->host;
    if (!place_state_is_candidate(state, item, b) || !place_state_is_candidate(state, other, a))
        return false;
    place_state_take(state, item);
    place_state_take(state, other);
    if (place_state_fits(state, item, b, false)) {
        place_state_put(state, item, b);
        if (place_state_fits(state, other, a, false)) {
            place_state_put(state, other, a);
            if (fmax(place_state_item_busy_s(state, item), place_state_item_busy_s(state, other)) < peak_s * (1 - 1e-6))
                return true;
            place_state_take(state, other);
        }
        place_state_take(state, item);
    }
    place_state_put(state, item, a);
    place_state_put(state, other, b);
    return false;
}

static bool relieve(struct place_state *state, size_t arc, double peak_s, size_t *tries) {
    for (size_t i = 0; i<state->n_items && * tries> 0; i++) {
        if (item_uses(state, &state->items[i], arc) && relocate(state, &state->items[i], peak_s, tries))
            return true;
    }
    for (size_t i = 0; i<state->n_items && * tries> 0; i++) {
        if (!item_uses(state, &state->items[i], arc))
            continue;
        for (size_t k = 0; k<state->n_items && * tries> 0; k++) {
            const struct place_item *other = &state->items[k];
            if (other->host == PROBLEM_ANY || other->host == state->items[i].host)
                continue;
            --*tries;
            if (swap(state, &state->items[i], &state->items[k], peak_s))
                return true;
        }
    }
    return false;
}

static void relieve_all(struct place_state *state) {
    size_t tries = IMPROVE_TRIES;
    for (size_t round = 0; round < IMPROVE_ROUNDS && tries > 0; round++) {
        size_t arc = 0;
        double peak_s = place_state_peak_s(state, &arc);
        if (peak_s <= state->target_s * enough_frac || !relieve(state, arc, peak_s, &tries))
            return;
    }
}

enum dc_status place_greedy_improve(struct place_state *state, struct dc_error *err) {
    relieve_all(state);
    double peak_s = place_state_peak_s(state, NULL);
    if (peak_s <= state->target_s * enough_frac)
        return DC_OK;
    long *before = calloc(state->n_items + 1, sizeof *before);
    if (before == NULL)
        return error_set_nomem(err);
    save(state, before);
    place_polish(state);
    relieve_all(state);
    if (place_state_peak_s(state, NULL) >= peak_s)
        restore(state, before);
    free(before);
    return DC_OK;
}
