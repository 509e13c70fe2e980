/*
 * Seed orders, then threshold accepting: a neighbour is taken if it is not worse
 * by more than a tolerance that shrinks to nothing. Neighbours come from
 * inserts, swaps and threshold changes; most pull a VM that ends late to the front,
 * because that is what makes the makespan.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/search.h"

#include "base/clock.h"
#include "solver/seed_order.h"

#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double same_frac = 0.001;       /* makespans this close are equal; such a gap is none */
static const double first_tolerance = 0.004; /* of the makespan, when local search begins */
static const double late_share = 0.15;       /* of the VMs count as late */
static const double thresholds[] = {0, 0.25, 0.5, 0.75, 1};
enum { N_THRESHOLDS = 5, DECODES_IN_ALL = 60000, LARGE_SET = 1000, FEWEST_DECODES = 16, MOST_DECODES = 1500 };
enum {
    HUGE_SET = 1400,
    FEWEST_HUGE_DECODES = 3
}; /* a decode of 10,000 VMs takes seconds, and the first ones are good */

struct walk {
    struct decoder *decoder;
    const struct search_options *options;
    struct search_result *result;
    gsl_rng *random;
    double least_makespan_s;
    struct decode_order best, present, trial;
    struct decode_score present_score;
    double *ends_s; /* by place in the present order */
    double end_s;   /* INFINITY until a first decode has told what is to be reserved */
};

size_t search_budget(size_t n_vms) {
    if (n_vms > HUGE_SET) {
        const double shrink = (double)HUGE_SET / (double)n_vms;
        return (size_t)fmax(FEWEST_HUGE_DECODES, FEWEST_DECODES * shrink * shrink);
    }
    const size_t budget = DECODES_IN_ALL / (n_vms + n_vms * n_vms / LARGE_SET + 1);
    if (budget < FEWEST_DECODES)
        return FEWEST_DECODES;
    return budget < MOST_DECODES ? budget : MOST_DECODES;
}

/* -1, 0, 1; figures within the tolerance are equal. */
static int compare_figures(double a, double b) {
    if (fabs(a - b) <= same_frac * fmax(fabs(a), fabs(b)))
        return 0;
    return a < b ? -1 : 1;
}

bool search_is_better(const struct decode_score *a, const struct decode_score *b, double least_makespan_s) {
    if (a->n_unstarted != b->n_unstarted)
        return a->n_unstarted < b->n_unstarted;
    const double enough_s = least_makespan_s * (1 + same_frac);
    if (a->makespan_s > enough_s || b->makespan_s > enough_s)
        return a->makespan_s < b->makespan_s;
    const double pairs[][2] = {{a->downtime_worst_s, b->downtime_worst_s},
                               {a->downtime_total_s, b->downtime_total_s},
                               {a->bytes, b->bytes},
                               {a->ends_sum_s, b->ends_sum_s}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        const int sign = compare_figures(pairs[i][0], pairs[i][1]);
        if (sign != 0)
            return sign < 0;
    }
    return false;
}

static bool order_init(struct decode_order *order, size_t n) {
    order->n = n;
    order->vm = calloc(n + 1, sizeof(*order->vm));
    order->threshold_frac = calloc(n + 1, sizeof(*order->threshold_frac));
    return order->vm != NULL && order->threshold_frac != NULL;
}

static void order_dispose(struct decode_order *order) {
    free(order->vm);
    free(order->threshold_frac);
}

static void order_copy(struct decode_order *to, const struct decode_order *from) {
    memcpy(to->vm, from->vm, from->n * sizeof(*to->vm));
    memcpy(to->threshold_frac, from->threshold_frac, from->n * sizeof(*to->threshold_frac));
}

static bool is_close(const struct walk *walk, double makespan_s) {
    return makespan_s <= walk->options->bound_s * (1 + same_frac);
}

/* Decodes, and keeps the order where it is the best so far. */
static struct decode_score evaluate(struct walk *walk, const struct decode_order *order) {
    const double begin_s = isfinite(walk->options->end_s) ? clock_monotonic_s() : 0;
    (void)decoder_makespan(walk->decoder, order);
    const struct decode_score score = *decoder_score(walk->decoder);
    struct search_result *result = walk->result;
    const bool is_first = result->n_decodes++ == 0;
    if (is_first && isfinite(walk->options->end_s)) {
        walk->end_s = walk->options->end_s - walk->options->n_reserved * (clock_monotonic_s() - begin_s);
        decoder_set_end(walk->decoder, walk->end_s);
    }
    const bool all = score.n_unstarted == 0;
    if (all && score.makespan_s < walk->least_makespan_s) /* close to the bound is as good as on it */
        walk->least_makespan_s = is_close(walk, score.makespan_s) ? walk->options->bound_s : score.makespan_s;
    if (is_first || search_is_better(&score, &result->score, walk->least_makespan_s)) {
        result->score = score;
        order_copy(&walk->best, order);
        if (all && walk->options->on_better != NULL)
            walk->options->on_better(walk->options->context, &score);
    }
    return score;
}

static bool is_cut_off(struct walk *walk) {
    struct search_result *result = walk->result;
    if (walk->options->cancel != NULL && atomic_load(walk->options->cancel))
        result->cancelled = true;
    if (isfinite(walk->end_s) && clock_monotonic_s() >= walk->end_s)
        result->time_limit_hit = true;
    return result->cancelled || result->time_limit_hit;
}

static bool is_good_enough(const struct walk *walk) {
    return walk->result->n_decodes > 0 && walk->result->score.n_unstarted == 0 &&
           is_close(walk, walk->result->score.makespan_s);
}

static size_t pick(struct walk *walk, size_t n) {
    return (size_t)gsl_rng_uniform_int(walk->random, (unsigned long)n);
}

static int compare_descending(const void *left, const void *right) {
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return a > b ? -1 : a < b;
}

/* A place whose VM ends among the last (or never), else any. */
static size_t pick_late(struct walk *walk) {
    const size_t n = walk->present.n;
    const size_t wanted = pick(walk, 1 + (size_t)(late_share * (double)n));
    double *sorted = walk->ends_s + n;
    for (size_t place = 0; place < n && wanted < n; place++)
        if (walk->ends_s[place] == sorted[wanted])
            return place;
    return pick(walk, n);
}

static void note_ends(struct walk *walk) {
    const size_t n = walk->present.n;
    for (size_t place = 0; place < n; place++)
        walk->ends_s[place] = decoder_end_s(walk->decoder, walk->present.vm[place]);
    memcpy(walk->ends_s + n, walk->ends_s, n * sizeof(*walk->ends_s));
    qsort(walk->ends_s + n, n, sizeof(*walk->ends_s), compare_descending);
}

static void insert(struct decode_order *order, size_t from, size_t to) {
    const size_t vm = order->vm[from];
    const double threshold_frac = order->threshold_frac[from];
    for (; from > to; from--) {
        order->vm[from] = order->vm[from - 1];
        order->threshold_frac[from] = order->threshold_frac[from - 1];
    }
    for (; from < to; from++) {
        order->vm[from] = order->vm[from + 1];
        order->threshold_frac[from] = order->threshold_frac[from + 1];
    }
    order->vm[to] = vm;
    order->threshold_frac[to] = threshold_frac;
}

static void swap(struct decode_order *order, size_t a, size_t b) {
    const size_t vm = order->vm[a];
    const double threshold_frac = order->threshold_frac[a];
    order->vm[a] = order->vm[b];
    order->threshold_frac[a] = order->threshold_frac[b];
    order->vm[b] = vm;
    order->threshold_frac[b] = threshold_frac;
}

/* Turns the trial, a copy of the present order, into a neighbour of it. */
static void change(struct walk *walk) {
    struct decode_order *trial = &walk->trial;
    const size_t n = trial->n;
    const size_t kind = pick(walk, 10);
    const size_t place = kind < 6 ? pick_late(walk) : pick(walk, n);
    if (kind < 4)
        insert(trial, place, pick(walk, place + 1));
    else if (kind < 6)
        trial->threshold_frac[place] = thresholds[pick(walk, N_THRESHOLDS)];
    else if (kind < 8)
        swap(trial, place, pick(walk, n));
    else if (kind < 9)
        insert(trial, place, pick(walk, n));
    else /* a stretch of the order */
        for (size_t i = place, last = place + pick(walk, 1 + n / 4); i <= last && i < n; i++)
            trial->threshold_frac[i] = thresholds[pick(walk, N_THRESHOLDS)];
}

static bool is_acceptable(const struct walk *walk, const struct decode_score *score, double tolerance) {
    if (score->n_unstarted != walk->present_score.n_unstarted)
        return score->n_unstarted < walk->present_score.n_unstarted;
    return score->makespan_s <= walk->present_score.makespan_s * (1 + tolerance);
}

static bool walk_init(struct walk *walk, size_t n, uint64_t seed) {
    walk->random = gsl_rng_alloc(gsl_rng_taus2);
    walk->ends_s = calloc(2 * n + 1, sizeof(*walk->ends_s));
    walk->least_makespan_s = INFINITY;
    walk->end_s = INFINITY;
    if (!order_init(&walk->best, n) || !order_init(&walk->present, n) || !order_init(&walk->trial, n) ||
        walk->random == NULL || walk->ends_s == NULL)
        return false;
    gsl_rng_set(walk->random, (unsigned long)(seed ^ (seed >> 32)) & 0xffffffffUL);
    return true;
}

static void walk_dispose(struct walk *walk) {
    decoder_set_end(walk->decoder, INFINITY);
    if (walk->random != NULL)
        gsl_rng_free(walk->random);
    free(walk->ends_s);
    order_dispose(&walk->best);
    order_dispose(&walk->present);
    order_dispose(&walk->trial);
}

/* From walk->best for as many decodes as are left. */
static void improve(struct walk *walk, size_t n_decodes) {
    const size_t first = walk->result->n_decodes;
    order_copy(&walk->present, &walk->best);
    walk->present_score = evaluate(walk, &walk->present);
    note_ends(walk);
    while (walk->result->n_decodes < n_decodes && !is_good_enough(walk) && !is_cut_off(walk)) {
        const double done = (double)(walk->result->n_decodes - first) / (double)(n_decodes - first);
        order_copy(&walk->trial, &walk->present);
        change(walk);
        const struct decode_score score = evaluate(walk, &walk->trial);
        if (!is_acceptable(walk, &score, first_tolerance * (1 - done) * (1 - done)))
            continue;
        order_copy(&walk->present, &walk->trial);
        walk->present_score = score;
        note_ends(walk);
    }
}

static enum dc_status try_seeds(struct walk *walk, const struct problem *problem, enum problem_quantile quantile,
                                const long *to, size_t n_decodes, struct dc_error *err) {
    static const double seed_thresholds[] = {0.75, 0, 1, 0.35};
    for (size_t t = 0; t < sizeof(seed_thresholds) / sizeof(*seed_thresholds); t++) {
        for (size_t i = 0; i < walk->present.n; i++)
            walk->present.threshold_frac[i] = seed_thresholds[t];
        for (int key = 0; key < SEED_ORDER_N_KEYS; key++) {
            if (walk->result->n_decodes > 0 &&
                (walk->result->n_decodes >= n_decodes || is_good_enough(walk) || is_cut_off(walk)))
                return DC_OK;
            const enum dc_status rc = seed_order_sort(problem, quantile, to, (enum seed_order_key)key, walk->present.n,
                                                      walk->present.vm, err);
            if (rc != DC_OK)
                return rc;
            (void)evaluate(walk, &walk->present);
        }
    }
    return DC_OK;
}

enum dc_status search_order(const struct problem *problem, enum problem_quantile quantile, const long *to,
                            struct decoder *decoder, const struct search_options *options, struct decode_order *order,
                            struct search_result *result_out, struct dc_error *err) {
    *result_out = (struct search_result){0};
    if (order->n == 0)
        return DC_OK;
    struct walk walk = {.decoder = decoder, .options = options, .result = result_out};
    const size_t n_decodes = options->n_decodes > 0 ? options->n_decodes : search_budget(order->n);
    enum dc_status rc = DC_OK;
    if (!walk_init(&walk, order->n, options->seed)) {
        rc = error_set_nomem(err);
        goto out;
    }
    memcpy(walk.present.vm, order->vm, order->n * sizeof(*order->vm));
    rc = try_seeds(&walk, problem, quantile, to, n_decodes, err);
    if (rc != DC_OK)
        goto out;
    if (!is_good_enough(&walk) && !is_cut_off(&walk) && order->n > 1)
        improve(&walk, n_decodes);
    order_copy(order, &walk.best);
out:
    walk_dispose(&walk);
    return rc;
}

enum dc_status search_improve(struct decoder *decoder, const struct search_options *options, struct decode_order *order,
                              struct search_result *result, struct dc_error *err) {
    *result = (struct search_result){0};
    if (order->n == 0)
        return DC_OK;
    struct walk walk = {.decoder = decoder, .options = options, .result = result};
    enum dc_status rc = DC_OK;
    if (!walk_init(&walk, order->n, options->seed)) {
        rc = error_set_nomem(err);
    } else {
        order_copy(&walk.best, order);
        improve(&walk, options->n_decodes);
        order_copy(order, &walk.best);
    }
    walk_dispose(&walk);
    return rc;
}
