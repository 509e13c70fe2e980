/* One attempt per size of group; what an attempt moves is taken back after it. Counted, never timed. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/rolling.h"

#include "solver/packing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIZES = 16, N_SHAKES = 8, N_FITS = 8 };

static const size_t most_work = 400000000; /* hosts looked at, about a second; the first attempt is made in any case */

/* Where a host stands in an attempt. */
enum place { PLACE_KEPT, PLACE_WAITS, PLACE_AWAY, PLACE_BACK };

struct attempt {
    const struct problem *problem;
    const struct rolling_options *options;
    struct packing packing;
    enum place *place; /* per host */
    bool *is_taken;    /* per host that waits: got VMs of the present group, so that it cannot join it */
    size_t n_order;
    size_t *order;           /* hosts that are to go */
    double *bytes;           /* per host that is to go: on it as the group begins */
    double *key;             /* per host: its place in the order */
    size_t *items;           /* scratch: those of a host */
    size_t n_groups, n_left; /* so far */
    double away_s, send_s;   /* of the present group: its longest */
    double time_s;
    size_t n_moved;
    size_t n_attempts, n_work;
    double shake;       /* of the order: 0 by bytes, 1 at random */
    bool fits_anywhere; /* items go to any host with room, not to the fullest */
    bool lands_first;   /* where VMs may land at all, hosts that need it are no less welcome in a group */
    uint64_t random;
    long *group;
    size_t *to;
    bool out_of_memory;
};

void rolling_result_dispose(struct rolling_result *result) {
    free(result->group);
    free(result->to);
    *result = (struct rolling_result){0};
}

static bool is_cancelled(const struct attempt *attempt) {
    return attempt->out_of_memory || (attempt->n_work > most_work && attempt->n_attempts > 0) ||
           (attempt->options->cancel != NULL && atomic_load(attempt->options->cancel));
}

static int compare_items(const void *left, const void *right, void *context) {
    const struct packing_item *items = context;
    const size_t a = *(const size_t *)left, b = *(const size_t *)right;
    if (items[a].memory_bytes != items[b].memory_bytes)
        return items[a].memory_bytes > items[b].memory_bytes ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int compare_keys(const void *left, const void *right, void *context) {
    const double *key = context;
    const size_t a = *(const size_t *)left, b = *(const size_t *)right;
    if (key[a] != key[b])
        return key[a] < key[b] ? -1 : 1;
    return a < b ? -1 : a > b;
}

static double next_uniform(uint64_t *random) {
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (double)(*random >> 40) / (double)(1u << 24);
}

/* The fullest host with room that is not to go any more, or any one, or PACKING_NONE. */
static long find_settled(struct attempt *attempt, size_t item) {
    struct packing *packing = &attempt->packing;
    long best = PACKING_NONE;
    double best_key = INFINITY;
    attempt->n_work += attempt->problem->n_hosts;
    for (size_t host = 0; host < attempt->problem->n_hosts; host++) {
        const enum place place = attempt->place[host];
        if (place != PLACE_KEPT && place != PLACE_BACK)
            continue;
        const double key = attempt->fits_anywhere ? next_uniform(&attempt->random) : packing->free_bytes[host];
        if (key >= best_key || !packing_fits(packing, item, host))
            continue;
        best = (long)host;
        best_key = key;
    }
    return best;
}

/* Of the hosts that are to go, the last in the order with room: few of them, and late ones. */
static long find_waiting(struct attempt *attempt, size_t item, size_t but) {
    for (size_t i = attempt->n_order; i-- > 0;) {
        const size_t host = attempt->order[i];
        if (host != but && attempt->place[host] == PLACE_WAITS && packing_fits(&attempt->packing, item, host))
            return (long)host;
    }
    return PACKING_NONE;
}

/* All items off the host, or none of them. */
static bool empty_host(struct attempt *attempt, size_t host, bool lands) {
    struct packing *packing = &attempt->packing;
    const size_t n_log = packing->n_log;
    size_t n = 0;
    for (long item = packing->first[host]; item != PACKING_NONE; item = packing->items[item].next) {
        if (packing->items[item].fixed)
            return false;
        attempt->items[n++] = (size_t)item;
    }
    qsort_r(attempt->items, n, sizeof(*attempt->items), compare_items, packing->items);
    for (size_t i = 0; i < n; i++) {
        long to = find_settled(attempt, attempt->items[i]);
        if (to == PACKING_NONE && lands)
            to = find_waiting(attempt, attempt->items[i], host);
        if (to == PACKING_NONE) {
            packing_undo(packing, n_log);
            return false;
        }
        if (!packing_move(packing, attempt->items[i], (size_t)to)) {
            attempt->out_of_memory = true;
            return false;
        }
    }
    for (size_t i = n_log; i < packing->n_log; i++) {
        const size_t to = packing->items[packing->log[i].item].host;
        attempt->is_taken[to] = attempt->is_taken[to] || attempt->place[to] == PLACE_WAITS;
    }
    return true;
}

/* Those with the fewest bytes first, more or less. */
static void set_order(struct attempt *attempt) {
    const struct packing *packing = &attempt->packing;
    double most_bytes = 1;
    for (size_t i = 0; i < attempt->n_order; i++) {
        const size_t host = attempt->order[i];
        attempt->key[host] = 0;
        for (long item = packing->first[host]; item != PACKING_NONE; item = packing->items[item].next)
            attempt->key[host] += packing->items[item].memory_bytes;
        attempt->bytes[host] = attempt->key[host];
        most_bytes = fmax(most_bytes, attempt->key[host]);
        attempt->is_taken[host] = false;
    }
    for (size_t host = 0; attempt->shake > 0 && host < attempt->problem->n_hosts;
         host++) /* each draws, in a fixed order */
        attempt->key[host] =
            (1 - attempt->shake) * attempt->key[host] / most_bytes + attempt->shake * next_uniform(&attempt->random);
    qsort_r(attempt->order, attempt->n_order, sizeof(*attempt->order), compare_keys, attempt->key);
}

/* Adds hosts to the present group until it has `size`. How many it has then. */
static size_t add_hosts(struct attempt *attempt, size_t n, size_t size, bool lands) {
    for (size_t i = 0; i < attempt->n_order && n < size && !is_cancelled(attempt); i++) {
        const size_t host = attempt->order[i];
        if (attempt->place[host] != PLACE_WAITS || attempt->is_taken[host] || !empty_host(attempt, host, lands))
            continue;
        attempt->place[host] = PLACE_AWAY;
        attempt->group[host] = (long)attempt->n_groups;
        attempt->away_s = fmax(attempt->away_s, attempt->options->hosts[host].away_s);
        if (attempt->options->hosts[host].bytes_per_s > 0)
            attempt->send_s = fmax(attempt->send_s, attempt->bytes[host] / attempt->options->hosts[host].bytes_per_s);
        n++;
    }
    return n;
}

/* The group is back; the packing as the next one finds it. */
static void end_group(struct attempt *attempt, size_t n_log) {
    struct packing *packing = &attempt->packing;
    const bool returns = attempt->options->returns;
    for (size_t i = 0; i < attempt->n_order; i++)
        if (attempt->place[attempt->order[i]] == PLACE_AWAY)
            attempt->place[attempt->order[i]] = PLACE_BACK;
    for (size_t i = n_log; i < packing->n_log; i++)
        attempt->n_moved += packing->items[packing->log[i].item].n * (returns ? 2 : 1);
    for (size_t i = 0; attempt->n_groups == 0 && i < packing->n_items; i++)
        for (size_t k = 0; k < packing->items[i].n; k++) {
            const size_t vm = packing->item_vms[packing->items[i].begin + k];
            attempt->to[vm] = packing->items[i].fixed ? attempt->problem->vms[vm].host : packing->items[i].host;
        }
    if (returns)
        packing_undo(packing, n_log);
    attempt->time_s += attempt->away_s + attempt->send_s * (returns ? 2 : 1);
    attempt->n_groups++;
}

/* Groups of at most `size` hosts until all have gone, or no more can be emptied. */
static void run_attempt(struct attempt *attempt, size_t size) {
    packing_undo(&attempt->packing, 0);
    attempt->n_groups = attempt->n_left = attempt->n_moved = 0;
    attempt->time_s = 0;
    for (size_t host = 0; host < attempt->problem->n_hosts; host++) {
        attempt->place[host] = attempt->options->hosts[host].rolls ? PLACE_WAITS : PLACE_KEPT;
        attempt->group[host] = ROLLING_NONE;
    }
    for (size_t vm = 0; vm < attempt->problem->n_vms; vm++)
        attempt->to[vm] = attempt->problem->vms[vm].host;
    for (bool more = true; more && !is_cancelled(attempt);) {
        const size_t n_log = attempt->packing.n_log;
        attempt->away_s = attempt->send_s = 0;
        set_order(attempt);
        const bool lands_first = attempt->options->lands && attempt->lands_first;
        size_t n = lands_first ? 0 : add_hosts(attempt, 0, size, false);
        if (attempt->options->lands)
            n = add_hosts(attempt, n, size, true);
        else if (n == 0)
            n = add_hosts(attempt, 0, 1, true);
        more = n > 0;
        if (more)
            end_group(attempt, n_log);
    }
    for (size_t i = 0; i < attempt->n_order; i++)
        attempt->n_left += attempt->place[attempt->order[i]] == PLACE_WAITS;
}

static bool is_better(const struct attempt *attempt, const struct rolling_result *best) {
    if (attempt->n_left != best->n_left)
        return attempt->n_left < best->n_left;
    if (fabs(attempt->time_s - best->time_s) > 1e-9 * best->time_s)
        return attempt->time_s < best->time_s;
    return attempt->n_moved < best->n_moved;
}

static void keep(const struct attempt *attempt, struct rolling_result *best) {
    const struct problem *problem = attempt->problem;
    best->n_groups = attempt->n_groups;
    best->n_left = attempt->n_left;
    best->time_s = attempt->time_s;
    best->n_moved = attempt->n_moved;
    memcpy(best->group, attempt->group, problem->n_hosts * sizeof(*best->group));
    memcpy(best->to, attempt->to, problem->n_vms * sizeof(*best->to));
}

/* Orders and ways to fit, for groups of one size; every other time for groups as large as may be. */
static void search_size(struct attempt *attempt, size_t size, size_t n_wanted, struct rolling_result *best) {
    const unsigned at_once = attempt->options->at_once;
    const size_t most = at_once > 0 && at_once < attempt->n_order ? at_once : attempt->n_order;
    for (unsigned i = 0; i < N_SHAKES * N_FITS && !is_cancelled(attempt); i++) {
        const unsigned shake = i / N_FITS;
        attempt->shake = (double)shake / N_SHAKES;
        attempt->lands_first = (i & 4) != 0;
        attempt->fits_anywhere = (i & 2) != 0;
        run_attempt(attempt, (i & 1) == 0 ? size : most);
        if (!attempt->out_of_memory && (attempt->n_attempts == 0 || is_better(attempt, best)))
            keep(attempt, best);
        attempt->n_attempts++;
        if (best->n_left == 0 && best->n_groups <= n_wanted)
            return;
    }
}

/* Sizes that make n_groups = least, least + 1 ..: even groups move less than one full one and a rest. */
static void search(struct attempt *attempt, size_t n_least, struct rolling_result *best) {
    size_t last_size = 0, n_sizes = 0;
    best->n_left = SIZE_MAX;
    for (size_t n = n_least; n <= attempt->n_order && n_sizes < MAX_SIZES && !is_cancelled(attempt); n++) {
        const size_t size = (attempt->n_order + n - 1) / n;
        if (size == last_size)
            continue;
        if (best->n_left == 0 && rolling_least_s(attempt->problem, attempt->options, n) > best->time_s)
            return;
        search_size(attempt, size, n, best);
        last_size = size;
        n_sizes++;
    }
}

static bool allocate(struct attempt *attempt, struct rolling_result *result) {
    const struct problem *problem = attempt->problem;
    attempt->place = calloc(problem->n_hosts + 1, sizeof(*attempt->place));
    attempt->is_taken = calloc(problem->n_hosts + 1, sizeof(*attempt->is_taken));
    attempt->order = calloc(problem->n_hosts + 1, sizeof(*attempt->order));
    attempt->bytes = calloc(problem->n_hosts + 1, sizeof(*attempt->bytes));
    attempt->key = calloc(problem->n_hosts + 1, sizeof(*attempt->key));
    attempt->items = calloc(problem->n_vms + 1, sizeof(*attempt->items));
    attempt->group = calloc(problem->n_hosts + 1, sizeof(*attempt->group));
    attempt->to = calloc(problem->n_vms + 1, sizeof(*attempt->to));
    result->group = calloc(problem->n_hosts + 1, sizeof(*result->group));
    result->to = calloc(problem->n_vms + 1, sizeof(*result->to));
    return attempt->place != NULL && attempt->is_taken != NULL && attempt->order != NULL && attempt->bytes != NULL &&
           attempt->key != NULL && attempt->items != NULL && attempt->group != NULL && attempt->to != NULL &&
           result->group != NULL && result->to != NULL;
}

static void free_attempt(struct attempt *attempt) {
    packing_dispose(&attempt->packing);
    free(attempt->place);
    free(attempt->is_taken);
    free(attempt->order);
    free(attempt->bytes);
    free(attempt->key);
    free(attempt->items);
    free(attempt->group);
    free(attempt->to);
}

enum dc_status rolling_choose(const struct problem *problem, const struct rolling_options *options,
                              struct rolling_result *result_out, struct dc_error *err) {
    struct attempt attempt = {.problem = problem, .options = options, .random = options->seed};
    size_t n_least = 0;
    *result_out = (struct rolling_result){0};
    enum dc_status rc = packing_init(problem, &attempt.packing, err);
    if (rc == DC_OK && !allocate(&attempt, result_out))
        rc = error_set_nomem(err);
    if (rc == DC_OK)
        rc = rolling_least_groups(problem, options, !options->lands, &n_least, err);
    if (rc == DC_OK) {
        for (size_t host = 0; host < problem->n_hosts; host++)
            if (options->hosts[host].rolls)
                attempt.order[attempt.n_order++] = host;
        if (n_least == SIZE_MAX) /* some must land on hosts that wait */
            n_least = options->at_once > 0 ? (attempt.n_order + options->at_once - 1) / options->at_once : 1;
        search(&attempt, n_least > 0 ? n_least : 1, result_out);
        if (attempt.out_of_memory)
            rc = error_set_nomem(err);
    }
    free_attempt(&attempt);
    if (rc != DC_OK)
        rolling_result_dispose(result_out);
    return rc;
}
