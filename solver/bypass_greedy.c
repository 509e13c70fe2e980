/*
 * Waves by greed. What fits moves, the largest first, for that frees most; where
 * nothing fits, one VM is parked: of those that let another go at once the smallest, else the
 * smallest of all. What goes first decides whether a circle closes, so it is tried again, then
 * one VM a wave, and with sizes that are more and more mixed with chance.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/bypass_core.h"

#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORK = 4000000, MOST_TRIES = 2000 }; /* moves looked at, in all tries */

/* Memory is in whole bytes: less than one is rounding. */
static const double slack_bytes = 0.5;

struct greedy {
    struct core *core;
    double *free_bytes;    /* now */
    double *leaving_bytes; /* free when the wave is over */
    size_t *by_size;       /* moves, those with the largest key first */
    double *keys;          /* per move: its bytes, or something like them */
    bool one_a_wave;
    unsigned wave;
    size_t n_arrived;
};

static size_t place_of(const struct core_move *move) {
    return move->park != PROBLEM_ANY ? (size_t)move->park : move->from;
}

static bool fits(const struct greedy *greedy, size_t host, double bytes) {
    return greedy->free_bytes[host] + slack_bytes >= bytes;
}

/* What is parked now goes on in a later wave. */
static bool arrive(struct greedy *greedy, struct core_move *move) {
    if (move->arrives_in_wave > 0 || move->parked_in_wave == greedy->wave || !fits(greedy, move->to, move->bytes))
        return false;
    greedy->free_bytes[move->to] -= move->bytes;
    greedy->leaving_bytes[place_of(move)] += move->bytes;
    move->arrives_in_wave = greedy->wave;
    greedy->n_arrived++;
    return true;
}

static bool move_what_fits(struct greedy *greedy) {
    bool moved = false;
    for (size_t i = 0; i < greedy->core->n_moves && !(moved && greedy->one_a_wave); i++)
        moved |= arrive(greedy, &greedy->core->moves[greedy->by_size[i]]);
    return moved;
}

/* Would another go once this much more is free on the host? */
static bool lets_go(const struct greedy *greedy, const struct core_move *parked) {
    for (size_t i = 0; i < greedy->core->n_moves; i++) {
        const struct core_move *other = &greedy->core->moves[i];
        if (other != parked && other->arrives_in_wave == 0 && other->to == parked->from &&
            fits(greedy, parked->from, other->bytes - parked->bytes))
            return true;
    }
    return false;
}

static bool park(struct greedy *greedy) {
    struct core_move *best = NULL;
    size_t best_host = 0;
    bool best_lets_go = false;
    for (size_t i = greedy->core->n_moves; i-- > 0;) { /* smallest first */
        struct core_move *move = &greedy->core->moves[greedy->by_size[i]];
        size_t k = 0;
        while (k < move->n_parks && !fits(greedy, move->parks[k], move->bytes))
            k++;
        if (move->arrives_in_wave > 0 || move->park != PROBLEM_ANY || k == move->n_parks)
            continue;
        const bool helps = lets_go(greedy, move);
        if (best != NULL && (best_lets_go || !helps))
            continue;
        best = move;
        best_host = move->parks[k];
        best_lets_go = helps;
    }
    if (best == NULL)
        return false;
    greedy->free_bytes[best_host] -= best->bytes;
    greedy->leaving_bytes[best->from] += best->bytes;
    best->park = (long)best_host;
    best->parked_in_wave = greedy->wave;
    return true;
}

static void end_wave(struct greedy *greedy) {
    for (size_t host = 0; host < greedy->core->n_hosts; host++)
        greedy->free_bytes[host] += greedy->leaving_bytes[host];
    memset(greedy->leaving_bytes, 0, greedy->core->n_hosts * sizeof(*greedy->leaving_bytes));
}

static int compare_keys(const void *left, const void *right, void *context) {
    const double *keys = context;
    const size_t a = *(const size_t *)left, b = *(const size_t *)right;
    if (keys[a] != keys[b])
        return keys[a] > keys[b] ? -1 : 1;
    return a < b ? -1 : a > b;
}

static void give_up(struct greedy *greedy) {
    for (size_t i = 0; i < greedy->core->n_moves; i++) {
        struct core_move *move = &greedy->core->moves[i];
        if (move->arrives_in_wave > 0)
            continue;
        move->park = PROBLEM_ANY;
        move->parked_in_wave = 0;
        move->arrives_in_wave = greedy->wave + 1;
    }
}

static void try_keys(struct greedy *greedy) {
    struct core *core = greedy->core;
    memcpy(greedy->free_bytes, core->free_bytes, core->n_hosts * sizeof(*core->free_bytes));
    memset(greedy->leaving_bytes, 0, core->n_hosts * sizeof(*greedy->leaving_bytes));
    greedy->wave = 0;
    greedy->n_arrived = 0;
    for (size_t i = 0; i < core->n_moves; i++) {
        greedy->by_size[i] = i;
        core->moves[i].park = PROBLEM_ANY;
        core->moves[i].parked_in_wave = core->moves[i].arrives_in_wave = 0;
    }
    qsort_r(greedy->by_size, core->n_moves, sizeof(*greedy->by_size), compare_keys, greedy->keys);
    bool moved = true;
    while (moved && greedy->n_arrived < core->n_moves) {
        greedy->wave++;
        moved = move_what_fits(greedy) || park(greedy);
        end_wave(greedy);
    }
    give_up(greedy);
}

static double parked_bytes(const struct core *core) {
    double bytes = 0;
    for (size_t i = 0; i < core->n_moves; i++)
        bytes += core->moves[i].park != PROBLEM_ANY ? core->moves[i].bytes : 0;
    return bytes;
}

/* Try by try; the one that moves the most, of those the one that parks the least. */
static void try_all(struct greedy *greedy, gsl_rng *random, bool mixed, struct core_move *best) {
    struct core *core = greedy->core;
    const size_t n_affordable = WORK / (core->n_moves * core->n_moves + 1);
    size_t most = 0;
    double least_bytes = INFINITY;
    for (size_t try = 0; try < MOST_TRIES && (try < 2 || try < n_affordable); try++) {
        const double chance = try < 2 && !mixed ? 0 : (double)(try % 4 + 1) / 4;
        greedy->one_a_wave = try > 0 || mixed;
        for (size_t i = 0; i < core->n_moves; i++)
            greedy->keys[i] = core->moves[i].bytes * (1 - chance * gsl_rng_uniform(random));
        try_keys(greedy);
        const double bytes = parked_bytes(core);
        if (greedy->n_arrived < most || (greedy->n_arrived == most && bytes >= least_bytes))
            continue;
        most = greedy->n_arrived;
        least_bytes = bytes;
        memcpy(best, core->moves, core->n_moves * sizeof(*best));
        if (most == core->n_moves && bytes <= 0)
            break;
    }
    memcpy(core->moves, best, core->n_moves * sizeof(*best));
}

enum dc_status core_solve_greedily(struct core *core, uint64_t seed, bool mixed, struct dc_error *err) {
    struct greedy greedy = {
        .core = core,
        .free_bytes = calloc(core->n_hosts + 1, sizeof(*greedy.free_bytes)),
        .leaving_bytes = calloc(core->n_hosts + 1, sizeof(*greedy.leaving_bytes)),
        .by_size = calloc(core->n_moves + 1, sizeof(*greedy.by_size)),
        .keys = calloc(core->n_moves + 1, sizeof(*greedy.keys)),
    };
    struct core_move *best = calloc(core->n_moves + 1, sizeof(*best));
    gsl_rng *random = gsl_rng_alloc(gsl_rng_taus2);
    enum dc_status rc = DC_OK;
    if (greedy.free_bytes == NULL || greedy.leaving_bytes == NULL || greedy.by_size == NULL || greedy.keys == NULL ||
        best == NULL || random == NULL) {
        rc = error_set_nomem(err);
    } else {
        gsl_rng_set(random, (unsigned long)(seed ^ (seed >> 32)) & 0xffffffffUL);
        try_all(&greedy, random, mixed, best);
    }
    if (random != NULL)
        gsl_rng_free(random);
    free(best);
    free(greedy.free_bytes);
    free(greedy.leaving_bytes);
    free(greedy.by_size);
    free(greedy.keys);
    return rc;
}
