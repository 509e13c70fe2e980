/*
 * Placement, from the cheapest means to the dearest:
 *   given destinations checked -> greedy with repair and local search -> GLPK, only where the greedy
 *   placement's busiest arc is above what every placement must bear.
 * First with room kept for VMs that have yet to leave (then no order gets
 * stuck on memory), then, where that fails, by the end state alone.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/place.h"

#include "solver/place_explain.h"
#include "solver/place_given.h"
#include "solver/place_greedy.h"
#include "solver/place_group.h"
#include "solver/place_milp.h"
#include "solver/placement_lp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double enough_frac = 1.001;   /* of what is unavoidable */
static const double lp_enough_frac = 1.01; /* of the rack LP, which rounding seldom reaches */
static const double milp_time_s = 0.25;    /* cut-off only: the node limit comes first */
static const double lp_time_s = 10;        /* the same: a second at most was seen */
enum { MILP_NODES = 120, PIN_ROUNDS = 4, MOST_GROUP_CHOICES = 32 };

struct placer {
    const struct problem *problem;
    const struct milp_limits *limits;
    uint64_t seed;
    struct candidates candidates;
    bool *fixed, *pinned; /* per mover */
    struct solution *solution;
};

static struct milp_limits tighter(const struct milp_limits *limits, double time_s, size_t n_nodes, double gap_frac) {
    struct milp_limits own = {.time_s = time_s, .n_nodes = n_nodes, .gap_frac = gap_frac};
    if (limits == NULL)
        return own;
    own.time_s = fmin(time_s, limits->time_s);
    own.cancel = limits->cancel;
    if (limits->n_nodes != 0 && limits->n_nodes < n_nodes)
        own.n_nodes = limits->n_nodes;
    return own;
}

/* Movers that can have no destination stay; those with a given one are fixed. */
static enum dc_status sort_movers(struct placer *placer, struct dc_error *err) {
    const struct candidates *candidates = &placer->candidates;
    enum dc_status rc = DC_OK;
    for (size_t mover = 0; rc == DC_OK && mover < candidates->n_movers; mover++) {
        size_t vm = candidates->vm[mover];
        placer->pinned[mover] = place_explain_is_known(placer->solution, vm);
        if (!placer->pinned[mover] && candidates->begin[mover] == candidates->begin[mover + 1]) {
            placer->pinned[mover] = true;
            rc = place_explain_no_candidate(placer->problem, vm, placer->solution, err);
        }
        placer->fixed[mover] = !placer->pinned[mover] && placer->problem->vms[vm].to != PROBLEM_ANY;
    }
    if (rc == DC_OK)
        rc = place_given_check(placer->problem, candidates, placer->fixed, placer->pinned, placer->solution, err);
    return rc;
}

/* Asks GLPK where greedy left something to gain. */
static enum dc_status refine(struct placer *placer, struct place_state *state, struct dc_error *err) {
    bool all_placed = place_state_n_unplaced(state) == 0;
    if (all_placed && place_state_peak_s(state, NULL) <= state->target_s * enough_frac)
        return DC_OK;
    if (place_milp_size(state) <= PLACE_MILP_MAX_CELLS) {
        struct milp_limits limits = tighter(placer->limits, milp_time_s, MILP_NODES, enough_frac - 1);
        return place_milp(state, &limits, err);
    }
    struct placement_lp lp;
    struct milp_limits limits = tighter(placer->limits, lp_time_s, 0, 0);
    struct dc_error lp_err = DC_ERROR_NONE;
    enum dc_status rc = placement_lp_solve(placer->problem, PROBLEM_P95, &placer->candidates, 0, &limits, &lp, &lp_err);
    if (rc != DC_OK)
        return rc == DC_ENOMEM ? error_set_nomem(err) : DC_OK;
    if (lp.solved && (!all_placed || place_state_peak_s(state, NULL) > lp.value_s * lp_enough_frac))
        rc = place_greedy_guided(state, &lp, err);
    placement_lp_dispose(&lp);
    return rc;
}

static enum dc_status attempt(struct placer *placer, bool strict, struct place_state *state, struct dc_error *err) {
    enum dc_status rc =
        place_state_init(state, placer->problem, &placer->candidates, placer->fixed, placer->pinned, strict, err);
    if (rc == DC_OK)
        rc = place_greedy(state, placer->seed, err);
    if (rc == DC_OK)
        rc = refine(placer, state, err);
    return rc;
}

/* Strict, then relaxed; the state that places more is the caller's. */
static enum dc_status place_items(struct placer *placer, struct place_state *state, struct dc_error *err) {
    enum dc_status rc = attempt(placer, true, state, err);
    if (rc != DC_OK || place_state_n_unplaced(state) == 0)
        return rc;
    struct place_state relaxed = {0};
    rc = attempt(placer, false, &relaxed, err);
    if (rc == DC_OK && place_state_n_unplaced(&relaxed) <= place_state_n_unplaced(state)) {
        struct place_state kept = *state;
        *state = relaxed;
        relaxed = kept;
    }
    place_state_dispose(&relaxed);
    return rc;
}

/* What found no room stays where it is. True where that takes room on a host
 * which was counted on: then all has to be placed again. */
static bool pin_unplaced(struct placer *placer, const struct place_state *state) {
    bool again = false;
    for (size_t i = 0; i < state->n_items; i++) {
        const struct place_item *item = &state->items[i];
        for (size_t k = item->begin; item->host == PROBLEM_ANY && k < item->begin + item->n; k++) {
            size_t mover = state->item_movers[k];
            const struct problem_vm *vm = &placer->problem->vms[placer->candidates.vm[mover]];
            placer->pinned[mover] = true;
            again = again || placer->problem->hosts[vm->host].receives;
        }
    }
    return again;
}

static void write_destinations(const struct placer *placer, const struct place_state *state, long *to) {
    const struct candidates *candidates = &placer->candidates;
    for (size_t mover = 0; mover < candidates->n_movers; mover++) {
        if (placer->fixed[mover])
            to[candidates->vm[mover]] = placer->problem->vms[candidates->vm[mover]].to;
    }
    for (size_t i = 0; i < state->n_items; i++) {
        for (size_t k = state->items[i].begin; k < state->items[i].begin + state->items[i].n; k++)
            to[candidates->vm[state->item_movers[k]]] = state->items[i].host;
    }
}

static enum dc_status place_all(struct placer *placer, long *to, struct dc_error *err) {
    struct place_state state = {0};
    enum dc_status rc = sort_movers(placer, err);
    for (unsigned round = 0; rc == DC_OK; round++) {
        rc = place_items(placer, &state, err);
        if (rc == DC_OK)
            rc = place_explain_unplaced(&state, placer->solution, err);
        if (rc != DC_OK || !pin_unplaced(placer, &state) || round + 1 == PIN_ROUNDS)
            break;
        place_state_dispose(&state);
        rc = place_given_check(placer->problem, &placer->candidates, placer->fixed, placer->pinned, placer->solution,
                               err);
    }
    if (rc == DC_OK)
        write_destinations(placer, &state, to);
    place_state_dispose(&state);
    return rc;
}

static enum dc_status place_within(const struct problem *problem, const struct milp_limits *limits, uint64_t seed,
                                   long *to, struct solution *solution, struct dc_error *err) {
    struct placer placer = {.problem = problem, .limits = limits, .seed = seed, .solution = solution};
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        to[vm] = problem->vms[vm].moves ? PROBLEM_ANY : (long)problem->vms[vm].host;
    enum dc_status rc = candidates_find(problem, PROBLEM_P95, NULL, &placer.candidates, err);
    if (rc != DC_OK)
        return rc;
    placer.fixed = calloc(placer.candidates.n_movers + 1, sizeof *placer.fixed);
    placer.pinned = calloc(placer.candidates.n_movers + 1, sizeof *placer.pinned);
    if (placer.fixed == NULL || placer.pinned == NULL)
        rc = error_set_nomem(err);
    else
        rc = place_all(&placer, to, err);
    free(placer.fixed);
    free(placer.pinned);
    candidates_dispose(&placer.candidates);
    return rc;
}

static size_t count_unplaced(const struct problem *problem, const long *to) {
    size_t n = 0;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        n += problem->vms[vm].moves && to[vm] == PROBLEM_ANY;
    return n;
}

/* Tries the groups, as long as VMs are left over; then once more those that left the fewest. */
static enum dc_status place_groups(struct group_choice *choice, const struct problem *problem,
                                   const struct milp_limits *limits, uint64_t seed, long *to, struct solution *solution,
                                   struct dc_error *err) {
    const size_t n_cells = problem->n_vms * problem->n_hosts, n_before = solution->n_conflicts;
    struct problem narrowed = *problem;
    size_t *best = calloc(choice->n_rules + 1, sizeof(*best));
    size_t least = SIZE_MAX;
    bool again = true;
    narrowed.allowed = calloc(n_cells + 1, sizeof(*narrowed.allowed));
    enum dc_status rc = best == NULL || narrowed.allowed == NULL ? error_set_nomem(err) : DC_OK;
    for (unsigned n_tries = 0; rc == DC_OK && again && least > 0; n_tries++) {
        const bool is_last = n_tries == MOST_GROUP_CHOICES || (n_tries > 0 && !group_choice_next(choice));
        if (is_last)
            memcpy(choice->chosen, best, choice->n_rules * sizeof(*best));
        again = !is_last;
        solution->n_conflicts = n_before;
        memcpy(narrowed.allowed, problem->allowed, n_cells);
        group_choice_narrow(choice, problem, narrowed.allowed);
        rc = place_within(&narrowed, limits, seed, to, solution, err);
        const size_t n_unplaced = count_unplaced(problem, to);
        if (n_unplaced < least)
            memcpy(best, choice->chosen, choice->n_rules * sizeof(*best));
        least = n_unplaced < least ? n_unplaced : least;
    }
    free(best);
    free(narrowed.allowed);
    return rc;
}

enum dc_status place(const struct problem *problem, const struct milp_limits *limits, uint64_t seed, long *to,
                     struct solution *solution, struct dc_error *err) {
    struct group_choice choice;
    enum dc_status rc = DC_ENOMEM;
    if (!group_choice_init(&choice, problem))
        rc = error_set_nomem(err);
    else if (choice.n_rules == 0)
        rc = place_within(problem, limits, seed, to, solution, err);
    else
        rc = place_groups(&choice, problem, limits, seed, to, solution, err);
    group_choice_dispose(&choice);
    return rc;
}
