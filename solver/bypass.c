/*
 * Cores, and what the decoder makes of their waves. Two cores are tried: what
 * the last decode left over, as that decode left memory; and all moves from the
 * beginning, for a deadlock may be of the order's own making. A detour is decoded
 * with its hops alone first, and with the waves as waits where that is not enough.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/bypass.h"

#include "base/vec.h"
#include "solver/bypass_core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct seeker {
    const struct problem *problem;
    const long *to;
    const struct decode_order *order;
    const struct bypass_options *options;
    struct bypass *best;
    struct decode_score best_score;
    unsigned char *is_bound;  /* per VM: under a rule that binds it to others */
    double *first_free_bytes; /* per host, before anything moves */
    struct core core;
};

/* Memory is in whole bytes: less than one is rounding. */
static const double memory_slack_bytes = 0.5;
enum { SMALL_CORE = 30, SMALL_CORE_ANSWERS = 300, MOST_FEW = 4 };

static void bypass_drop_detour(struct bypass *bypass) {
    detour_dispose(&bypass->detour);
    free(bypass->order.vm);
    free(bypass->order.threshold_frac);
    bypass->order = (struct decode_order){0};
    bypass->found = false;
}

void bypass_dispose(struct bypass *bypass) {
    bypass_drop_detour(bypass);
    free(bypass->stuck);
    *bypass = (struct bypass){0};
}

static bool is_wide_enough(const struct problem *problem, size_t vm, size_t from, size_t to) {
    const struct problem_cost *cost = &problem->vms[vm].cost[PROBLEM_P95];
    size_t n_arcs = 0;
    (void)problem_path(problem, from, to, &n_arcs);
    if (cost->n_points == 0)
        return true;
    return n_arcs > 0 && problem_cost_floor(cost, problem->vms[vm].downtime_budget_s) <=
                             problem_path_bandwidth(problem, vm, from, to);
}

/* Where the VM could be parked, those with the most memory free first. */
static void find_parks(const struct seeker *seeker, struct core_move *move) {
    const struct problem *problem = seeker->problem;
    const double *free_bytes = seeker->core.free_bytes;
    move->n_parks = 0;
    for (size_t host = 0; host < problem->n_hosts && !seeker->is_bound[move->vm]; host++) {
        if (host == move->from || host == move->to || !problem->allowed[move->vm * problem->n_hosts + host] ||
            problem->hosts[host].memory_bytes < move->bytes || !is_wide_enough(problem, move->vm, move->from, host) ||
            !is_wide_enough(problem, move->vm, host, move->to))
            continue;
        size_t place = move->n_parks;
        while (place > 0 && free_bytes[host] > free_bytes[move->parks[place - 1]])
            place--;
        if (place == CORE_MAX_PARKS)
            continue;
        if (move->n_parks < CORE_MAX_PARKS)
            move->n_parks++;
        memmove(&move->parks[place + 1], &move->parks[place], (move->n_parks - 1 - place) * sizeof(move->parks[0]));
        move->parks[place] = host;
    }
}

/* The moves of those VMs of the order that `wanted` marks (NULL: all). */
static void fill_moves(struct seeker *seeker, const bool *wanted) {
    struct core *core = &seeker->core;
    core->n_moves = 0;
    for (size_t i = 0; i < seeker->order->n; i++) {
        const size_t vm = seeker->order->vm[i];
        if ((wanted != NULL && !wanted[vm]) || seeker->to[vm] == PROBLEM_ANY)
            continue;
        struct core_move *move = &core->moves[core->n_moves++];
        *move = (struct core_move){.vm = vm,
                                   .from = seeker->problem->vms[vm].host,
                                   .to = (size_t)seeker->to[vm],
                                   .bytes = seeker->problem->vms[vm].memory_bytes,
                                   .park = PROBLEM_ANY};
        find_parks(seeker, move);
    }
}

struct wait_list {
    size_t n, capacity;
    struct detour_wait *waits;
};

/* One leg of the core's moves, on one of its hosts. */
struct event {
    size_t mover, host;
    unsigned wave;
    bool arrives;
};

/* By host and wave; within a wave what arrives goes before what leaves, whose memory is not free until it is over. */
static int compare_events(const void *left, const void *right) {
    const struct event *a = left, *b = right;
    if (a->host != b->host)
        return a->host < b->host ? -1 : 1;
    if (a->wave != b->wave)
        return a->wave < b->wave ? -1 : 1;
    if (a->arrives != b->arrives)
        return a->arrives ? -1 : 1;
    return a->mover < b->mover ? -1 : a->mover > b->mover;
}

static void add_leg_events(struct event *events, size_t *n, const struct event *leg, size_t from, size_t to) {
    events[*n] = *leg;
    events[*n].host = from;
    (*n)++;
    events[*n] = *leg;
    events[*n].host = to;
    events[*n].arrives = true;
    (*n)++;
}

/* Everything that happens on hosts, what is not in the core before its first wave. */
static size_t list_events(const struct seeker *seeker, const bool *in_core, struct event *events) {
    size_t n = 0, n_hops = 0;
    for (size_t i = 0; i < seeker->order->n; i++) {
        const size_t vm = seeker->order->vm[i];
        const struct event leg = {.mover = vm};
        if (!in_core[vm] && seeker->to[vm] != PROBLEM_ANY)
            add_leg_events(events, &n, &leg, seeker->problem->vms[vm].host, (size_t)seeker->to[vm]);
    }
    for (size_t i = 0; i < seeker->core.n_moves; i++) {
        const struct core_move *move = &seeker->core.moves[i];
        const bool hops = move->park != PROBLEM_ANY;
        const struct event first = {.mover = move->vm, .wave = hops ? move->parked_in_wave : move->arrives_in_wave};
        add_leg_events(events, &n, &first, move->from, hops ? (size_t)move->park : move->to);
        if (!hops)
            continue;
        const struct event second = {.mover = seeker->problem->n_vms + n_hops++, .wave = move->arrives_in_wave};
        add_leg_events(events, &n, &second, (size_t)move->park, move->to);
    }
    qsort(events, n, sizeof(*events), compare_events);
    return n;
}

static bool add_wait(struct wait_list *list, size_t before, size_t after) {
    if (!vec_reserve((void **)&list->waits, &list->capacity, list->n + 1, sizeof(*list->waits)))
        return false;
    list->waits[list->n++] = (struct detour_wait){before, after};
    return true;
}

static double bytes_of(const struct seeker *seeker, const struct event *event, const struct detour_hop *hops) {
    const size_t n_vms = seeker->problem->n_vms;
    return seeker->problem->vms[event->mover < n_vms ? event->mover : hops[event->mover - n_vms].vm].memory_bytes;
}

/* One host's events in order: what arrives takes memory that was free, then what earlier ones left, and waits for those
 * that left it. As each only takes its own share, memory holds whenever they start. */
static bool share_memory(const struct seeker *seeker, const struct event *events, size_t n,
                         const struct detour_hop *hops, double *left_bytes, struct wait_list *list) {
    double free_bytes = n > 0 ? seeker->first_free_bytes[events[0].host] : 0;
    for (size_t i = 0; i < n; i++) {
        left_bytes[i] = 0;
        double needed = bytes_of(seeker, &events[i], hops);
        if (!events[i].arrives) {
            left_bytes[i] = needed; /* an overfull host keeps it */
            const double kept = fmin(needed, fmax(0, -free_bytes));
            free_bytes += kept;
            left_bytes[i] -= kept;
            continue;
        }
        const double taken = fmin(needed, fmax(0, free_bytes));
        free_bytes -= taken;
        needed -= taken;
        for (size_t k = 0; k < i && needed > memory_slack_bytes; k++) {
            if (left_bytes[k] <= memory_slack_bytes || events[k].mover == events[i].mover)
                continue;
            const double share = fmin(needed, left_bytes[k]);
            left_bytes[k] -= share;
            needed -= share;
            if (!add_wait(list, events[k].mover, events[i].mover))
                return false;
        }
    }
    return true;
}

static enum dc_status make_waits(const struct seeker *seeker, const bool *in_core, const struct detour_hop *hops,
                                 struct wait_list *list, struct dc_error *err) {
    const size_t n_most = 2 * (seeker->order->n + seeker->core.n_moves) + 1;
    struct event *events = calloc(n_most, sizeof(*events));
    double *left_bytes = calloc(n_most, sizeof(*left_bytes));
    bool ok = events != NULL && left_bytes != NULL;
    const size_t n = ok ? list_events(seeker, in_core, events) : 0;
    for (size_t begin = 0, end = 0; ok && begin < n; begin = end) {
        while (end < n && events[end].host == events[begin].host)
            end++;
        ok = share_memory(seeker, events + begin, end - begin, hops, left_bytes, list);
    }
    free(events);
    free(left_bytes);
    return ok ? DC_OK : error_set_nomem(err);
}

struct leg_rank {
    size_t mover, place;
    unsigned wave;
    double threshold_frac;
};

static int compare_ranks(const void *left, const void *right) {
    const struct leg_rank *a = left, *b = right;
    if (a->wave != b->wave)
        return a->wave < b->wave ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* By wave, then as in the order that was. Returns false without memory. */
static bool make_order(const struct seeker *seeker, const bool *in_core, struct decode_order *order) {
    const size_t n_most = seeker->order->n + seeker->core.n_moves;
    struct leg_rank *ranks = calloc(n_most + 1, sizeof(*ranks));
    order->vm = calloc(n_most + 1, sizeof(*order->vm));
    order->threshold_frac = calloc(n_most + 1, sizeof(*order->threshold_frac));
    if (ranks == NULL || order->vm == NULL || order->threshold_frac == NULL) {
        free(ranks);
        return false;
    }
    size_t n = 0, n_hops = 0;
    for (size_t i = 0; i < seeker->order->n; i++)
        if (!in_core[seeker->order->vm[i]])
            ranks[n++] = (struct leg_rank){seeker->order->vm[i], i, 0, seeker->order->threshold_frac[i]};
    for (size_t i = 0; i < seeker->core.n_moves; i++) {
        const struct core_move *move = &seeker->core.moves[i];
        const bool hops = move->park != PROBLEM_ANY;
        ranks[n++] = (struct leg_rank){move->vm, i, hops ? move->parked_in_wave : move->arrives_in_wave, 0};
        if (hops)
            ranks[n++] = (struct leg_rank){seeker->problem->n_vms + n_hops++, i, move->arrives_in_wave, 0};
    }
    qsort(ranks, n, sizeof(*ranks), compare_ranks);
    order->n = n;
    for (size_t i = 0; i < n; i++) {
        order->vm[i] = ranks[i].mover;
        order->threshold_frac[i] = ranks[i].threshold_frac;
    }
    free(ranks);
    return true;
}

static void note_stuck(struct seeker *seeker, const struct detour *detour, const struct decoder *decoder,
                       const struct decode_order *order) {
    memset(seeker->best->stuck, 0, seeker->problem->n_vms * sizeof(*seeker->best->stuck));
    for (size_t i = 0; i < order->n; i++) {
        const size_t mover = order->vm[i], n_vms = seeker->problem->n_vms;
        if (!decoder_started(decoder, mover))
            seeker->best->stuck[mover < n_vms ? mover : detour->leg_vm[mover - n_vms]] = true;
    }
}

/* Decodes the detour, searches a little, and keeps it where it is the best so far. */
static enum dc_status try_detour(struct seeker *seeker, struct detour *detour, struct decode_order *order,
                                 bool *complete_out, struct dc_error *err) {
    struct decoder *decoder = NULL;
    struct search_result result = {0};
    enum dc_status rc = decoder_new(&detour->problem, detour->to, PROBLEM_P95, &decoder, err);
    if (rc == DC_OK)
        rc = search_improve(decoder, &seeker->options->search, order, &result, err);
    *complete_out = rc == DC_OK && result.score.n_unstarted == 0;
    if (rc == DC_OK && search_is_better(&result.score, &seeker->best_score,
                                        fmin(result.score.makespan_s, seeker->best_score.makespan_s))) {
        (void)decoder_makespan(decoder, order);
        note_stuck(seeker, detour, decoder, order);
        bypass_drop_detour(seeker->best);
        seeker->best_score = result.score;
        seeker->best->found = true;
        seeker->best->detour = *detour;
        seeker->best->order = *order;
        *detour = (struct detour){0};
        *order = (struct decode_order){0};
    }
    decoder_free(&decoder);
    return rc;
}

/* The waves as they are in the core: hops alone, then with waits. */
static enum dc_status try_waves(struct seeker *seeker, const bool *in_core, struct dc_error *err) {
    struct detour_hop *hops = calloc(seeker->core.n_moves + 1, sizeof(*hops));
    struct wait_list list = {0};
    size_t n_hops = 0;
    bool complete = false;
    enum dc_status rc = hops == NULL ? error_set_nomem(err) : DC_OK;
    for (size_t i = 0; rc == DC_OK && hops != NULL && i < seeker->core.n_moves; i++)
        if (seeker->core.moves[i].park != PROBLEM_ANY)
            hops[n_hops++] = (struct detour_hop){seeker->core.moves[i].vm, (size_t)seeker->core.moves[i].park};
    for (int with_waits = 0; rc == DC_OK && !complete && with_waits < 2; with_waits++) {
        struct detour detour = {0};
        struct decode_order order = {0};
        if (with_waits)
            rc = make_waits(seeker, in_core, hops, &list, err);
        if (rc == DC_OK)
            rc = detour_init(seeker->problem, seeker->to, n_hops, hops, list.n, list.waits, &detour, err);
        if (rc == DC_OK && !make_order(seeker, in_core, &order))
            rc = error_set_nomem(err);
        if (rc == DC_OK)
            rc = try_detour(seeker, &detour, &order, &complete, err);
        detour_dispose(&detour);
        free(order.vm);
        free(order.threshold_frac);
    }
    free(hops);
    free(list.waits);
    return rc;
}

/* Straight on, but so few at once that hosts do not fill up with what has come while others wait: the largest first. */
static enum dc_status try_few_at_once(struct seeker *seeker, const bool *in_core, struct dc_error *err) {
    struct core *core = &seeker->core;
    enum dc_status rc = DC_OK;
    for (size_t i = 0; i < core->n_moves; i++) {
        core->moves[i].park = PROBLEM_ANY;
        core->moves[i].arrives_in_wave = 1;
        for (size_t k = 0; k < core->n_moves; k++)
            core->moves[i].arrives_in_wave += core->moves[k].bytes > core->moves[i].bytes;
    }
    for (unsigned n = 1; rc == DC_OK && n <= MOST_FEW; n++) {
        struct detour detour = {0};
        struct decode_order order = {0};
        bool complete = false;
        if (seeker->problem->max_parallel > 0 && n >= seeker->problem->max_parallel)
            break;
        rc = detour_init(seeker->problem, seeker->to, 0, NULL, 0, NULL, &detour, err);
        detour.problem.max_parallel = n;
        if (rc == DC_OK && !make_order(seeker, in_core, &order))
            rc = error_set_nomem(err);
        if (rc == DC_OK)
            rc = try_detour(seeker, &detour, &order, &complete, err);
        detour_dispose(&detour);
        free(order.vm);
        free(order.threshold_frac);
    }
    return rc;
}

/* Small cores by several greedy answers: what suits memory first need not suit the links. */
static enum dc_status try_core(struct seeker *seeker, const bool *in_core, struct dc_error *err) {
    const size_t n_answers = seeker->core.n_moves <= SMALL_CORE ? SMALL_CORE_ANSWERS : 1;
    bool solved = false;
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < n_answers; i++) {
        rc = core_solve_greedily(&seeker->core, seeker->options->search.seed + i, i > 0, err);
        if (rc == DC_OK)
            rc = try_waves(seeker, in_core, err);
    }
    if (rc == DC_OK)
        rc = core_solve_exactly(&seeker->core, &seeker->options->milp, &solved, err);
    if (rc == DC_OK && solved)
        rc = try_waves(seeker, in_core, err);
    return rc;
}

static bool binds_vms(const struct problem_rule *rule) {
    return rule->type != PROBLEM_BAN && rule->type != PROBLEM_FENCE;
}

static bool seeker_init(struct seeker *seeker) {
    const struct problem *problem = seeker->problem;
    seeker->is_bound = calloc(problem->n_vms + 1, sizeof(*seeker->is_bound));
    seeker->best->stuck = calloc(problem->n_vms + 1, sizeof(*seeker->best->stuck));
    seeker->core = (struct core){
        .n_hosts = problem->n_hosts,
        .free_bytes = calloc(problem->n_hosts + 1, sizeof(*seeker->core.free_bytes)),
        .moves = calloc(seeker->order->n + 1, sizeof(*seeker->core.moves)),
    };
    seeker->first_free_bytes = calloc(problem->n_hosts + 1, sizeof(*seeker->first_free_bytes));
    if (seeker->is_bound == NULL || seeker->best->stuck == NULL || seeker->core.free_bytes == NULL ||
        seeker->core.moves == NULL || seeker->first_free_bytes == NULL)
        return false;
    problem_free_bytes(problem, seeker->first_free_bytes);
    for (size_t i = 0; i < problem->n_rules; i++)
        for (size_t k = 0; binds_vms(&problem->rules[i]) && k < problem->rules[i].n_vms; k++)
            seeker->is_bound[problem->rules[i].vms[k]] = true;
    for (size_t i = 0; i < problem->n_rules; i++)
        if (problem->rules[i].type == PROBLEM_LONELY && problem->rules[i].continuous)
            memset(seeker->is_bound, true, problem->n_vms); /* company is forbidden wherever they would be parked */
    return true;
}

/* What the decode left over, as it left memory; then all of it. */
static enum dc_status try_cores(struct seeker *seeker, const struct decoder *decoder, struct dc_error *err) {
    const struct problem *problem = seeker->problem;
    bool *in_core = calloc(problem->n_vms + 1, sizeof(*in_core));
    if (in_core == NULL)
        return error_set_nomem(err);
    for (size_t host = 0; host < problem->n_hosts; host++)
        seeker->core.free_bytes[host] = decoder_free_bytes(decoder, host);
    for (size_t i = 0; i < seeker->order->n; i++)
        in_core[seeker->order->vm[i]] = !decoder_started(decoder, seeker->order->vm[i]);
    memcpy(seeker->best->stuck, in_core, problem->n_vms * sizeof(*in_core));
    fill_moves(seeker, in_core);
    enum dc_status rc = seeker->core.n_moves > 0 ? try_core(seeker, in_core, err) : DC_OK;
    memcpy(seeker->core.free_bytes, seeker->first_free_bytes, problem->n_hosts * sizeof(*seeker->first_free_bytes));
    for (size_t i = 0; i < seeker->order->n; i++)
        in_core[seeker->order->vm[i]] = true;
    fill_moves(seeker, NULL);
    if (rc == DC_OK)
        rc = try_core(seeker, in_core, err);
    if (rc == DC_OK)
        rc = try_few_at_once(seeker, in_core, err);
    free(in_core);
    return rc;
}

enum dc_status bypass_find(const struct problem *problem, const long *to, const struct decoder *decoder,
                           const struct decode_order *order, const struct bypass_options *options,
                           struct bypass *bypass_out, struct dc_error *err) {
    *bypass_out = (struct bypass){0};
    struct seeker seeker = {.problem = problem,
                            .to = to,
                            .order = order,
                            .options = options,
                            .best = bypass_out,
                            .best_score = *decoder_score(decoder)};
    enum dc_status rc = seeker_init(&seeker) ? try_cores(&seeker, decoder, err) : error_set_nomem(err);
    free(seeker.is_bound);
    free(seeker.core.free_bytes);
    free(seeker.core.moves);
    free(seeker.first_free_bytes);
    if (rc != DC_OK)
        bypass_dispose(bypass_out);
    return rc;
}
