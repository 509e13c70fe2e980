/* Groups of samples, from the general to the particular, each with the one before as its prior. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/calibration.h"

#include "model/calibration_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const double calibration_usual_spread_frac = 0.03;
static const double usual_goodput_frac = 0.94;
static const double ninety_deviate = 1.2815515655446004; /* of the normal distribution at 0.90 */
static const double high_deviate = 1.6448536269514722;   /* at 0.95 */

/* How sure the documented numbers are, and how alike hosts and pairs are. */
static const struct calibration_figures documented_sigma = {.pre_ms = 500, .post_ms = 100, .slowness = 0.06};
static const struct calibration_figures inherited_sigma = {.pre_ms = 150, .post_ms = 50, .slowness = 0.03};

double calibration_usual_post_ms(const char *policy_name) {
    return strcmp(policy_name, "qemu") == 0 ? 30 : 100;
}

static bool is_usable(const struct calibration_sample *sample) {
    return sample->from != NULL && sample->to != NULL && isfinite(sample->nominal_bytes_per_s) &&
           sample->nominal_bytes_per_s > 0 && isfinite(sample->migration_ms) && sample->migration_ms > 0 &&
           isfinite(sample->bytes) && sample->bytes > 0 && isfinite(sample->predicted_bytes) &&
           isfinite(sample->downtime_ms) && isfinite(sample->stop_bytes) && isfinite(sample->startup_ms) &&
           isfinite(sample->usual_post_ms);
}

static struct calibration learn_group(const struct calibration_group *group, const struct calibration *parent,
                                      bool is_documented) {
    const struct calibration_figures prior = {
        .pre_ms = parent->pre_ms, .post_ms = parent->post_ms, .slowness = 1 / parent->goodput_frac};
    const struct calibration_figures figures =
        calibration_fit(group, &prior, is_documented ? &documented_sigma : &inherited_sigma);
    return (struct calibration){
        .n = group->n,
        .pre_ms = figures.pre_ms,
        .post_ms = figures.post_ms,
        .goodput_frac = 1 / figures.slowness,
        .startup_ms = calibration_fit_startup(group, CALIBRATION_MIN_OBSERVATIONS, parent->startup_ms),
        .spread_frac = calibration_fit_spread(group, &figures, parent->spread_frac),
    };
}

/* What is told of samples before any is looked at. */
static struct calibration documented(const struct calibration_group *all) {
    double post_ms = 0;
    for (size_t i = 0; i < all->n; i++)
        post_ms += all->samples[i]->usual_post_ms / (double)all->n;
    return (struct calibration){
        .post_ms = post_ms, .goodput_frac = usual_goodput_frac, .spread_frac = calibration_usual_spread_frac};
}

/* What a group has in common. */
enum key { KEY_NONE, KEY_FROM, KEY_TO, KEY_PAIR };

static int compare_keys(const struct calibration_sample *one, const struct calibration_sample *other, enum key key) {
    int order = 0;
    if (key == KEY_FROM || key == KEY_PAIR)
        order = strcmp(one->from, other->from);
    if (order == 0 && (key == KEY_TO || key == KEY_PAIR))
        order = strcmp(one->to, other->to);
    return order;
}

static int compare_numbers(double one, double other) {
    return (one > other) - (one < other);
}

/* By pair, and within a pair by what was observed: the order that the samples came in does not matter. */
static int by_pair(const void *a, const void *b) {
    const struct calibration_sample *one = *(const struct calibration_sample *const *)a;
    const struct calibration_sample *other = *(const struct calibration_sample *const *)b;
    int order = compare_keys(one, other, KEY_PAIR);
    if (order == 0)
        order = compare_numbers(one->migration_ms, other->migration_ms);
    if (order == 0)
        order = compare_numbers(one->bytes, other->bytes);
    return order != 0 ? order : compare_numbers(one->downtime_ms, other->downtime_ms);
}

static int by_target(const void *a, const void *b) {
    const struct calibration_sample *one = *(const struct calibration_sample *const *)a;
    const struct calibration_sample *other = *(const struct calibration_sample *const *)b;
    const int order = compare_keys(one, other, KEY_TO);
    return order != 0 ? order : by_pair(a, b);
}

struct learning {
    struct calibration *entries; /* room for four a sample */
    size_t n_entries;
    struct calibration documented;
};

static enum dc_status add_entry(struct learning *learning, const struct calibration_group *group, enum key key,
                                struct dc_error *err) {
    const char *from = key == KEY_FROM || key == KEY_PAIR ? group->samples[0]->from : NULL;
    const char *to = key == KEY_TO || key == KEY_PAIR ? group->samples[0]->to : NULL;
    const struct calibration *parent = calibration_find(learning->entries, learning->n_entries, from, to);
    struct calibration entry = learn_group(group, parent != NULL ? parent : &learning->documented, parent == NULL);
    entry.from = from != NULL ? strdup(from) : NULL;
    entry.to = to != NULL ? strdup(to) : NULL;
    learning->entries[learning->n_entries++] = entry;
    if ((from != NULL && entry.from == NULL) || (to != NULL && entry.to == NULL))
        return error_set_nomem(err);
    return DC_OK;
}

/* An entry for every run of samples of one key. */
static enum dc_status add_entries(struct learning *learning, const struct calibration_group *all, enum key key,
                                  struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t from = 0, to = 0; rc == DC_OK && from < all->n; from = to) {
        while (to < all->n && compare_keys(all->samples[from], all->samples[to], key) == 0)
            to++;
        const struct calibration_group group = {all->samples + from, to - from, all->scratch};
        if (group.n >= CALIBRATION_MIN_OBSERVATIONS)
            rc = add_entry(learning, &group, key, err);
    }
    return rc;
}

static enum dc_status learn(struct learning *learning, const struct calibration_group *all, struct dc_error *err) {
    qsort(all->samples, all->n, sizeof(const struct calibration_sample *), by_pair);
    learning->documented = documented(all);
    enum dc_status rc = add_entries(learning, all, KEY_NONE, err);
    if (rc == DC_OK)
        rc = add_entries(learning, all, KEY_FROM, err);
    qsort(all->samples, all->n, sizeof(const struct calibration_sample *), by_target);
    if (rc == DC_OK)
        rc = add_entries(learning, all, KEY_TO, err);
    qsort(all->samples, all->n, sizeof(const struct calibration_sample *), by_pair);
    return rc == DC_OK ? add_entries(learning, all, KEY_PAIR, err) : rc;
}

enum dc_status calibration_learn(const struct calibration_sample *samples, size_t n, struct calibration **entries_out,
                                 size_t *n_entries_out, struct dc_error *err) {
    struct calibration_group all = {.samples = calloc(n + 1, sizeof(const struct calibration_sample *)),
                                    .scratch = calloc(4 * n + 1, sizeof(double))};
    struct learning learning = {.entries = calloc(4 * n + 1, sizeof(*learning.entries))};
    enum dc_status rc = DC_OK;
    *entries_out = NULL;
    *n_entries_out = 0;
    for (size_t i = 0; all.samples != NULL && i < n; i++) {
        if (is_usable(&samples[i]))
            all.samples[all.n++] = &samples[i];
    }
    if (all.samples == NULL || all.scratch == NULL || learning.entries == NULL)
        rc = error_set_nomem(err);
    else
        rc = learn(&learning, &all, err);
    free(all.samples);
    free(all.scratch);
    if (rc == DC_OK) {
        *entries_out = learning.entries;
        *n_entries_out = learning.n_entries;
    } else {
        calibration_free(&learning.entries, &learning.n_entries);
    }
    return rc;
}

void calibration_free(struct calibration **entries, size_t *n_entries) {
    for (size_t i = 0; *entries != NULL && i < *n_entries; i++) {
        free((*entries)[i].from);
        free((*entries)[i].to);
    }
    free(*entries);
    *entries = NULL;
    *n_entries = 0;
}

static bool is_same(const char *one, const char *other) {
    return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

const struct calibration *calibration_find(const struct calibration *entries, size_t n_entries, const char *from,
                                           const char *to) {
    const char *const keys[][2] = {{from, to}, {from, NULL}, {NULL, to}, {NULL, NULL}};
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        for (size_t i = 0; i < n_entries; i++) {
            if (is_same(entries[i].from, keys[k][0]) && is_same(entries[i].to, keys[k][1]))
                return &entries[i];
        }
    }
    return NULL;
}

struct prediction_quantiles calibration_widen(struct prediction_quantiles quantiles, double spread_frac) {
    const double spread_ms = spread_frac * quantiles.p50;
    return (struct prediction_quantiles){
        .p50 = quantiles.p50,
        .p90 = quantiles.p50 + hypot(quantiles.p90 - quantiles.p50, ninety_deviate * spread_ms),
        .p95 = quantiles.p50 + hypot(quantiles.p95 - quantiles.p50, high_deviate * spread_ms),
    };
}
