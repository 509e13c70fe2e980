/* The steps' uses of links, sorted by link; then each step against the others on its link. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/link_order.h"

#include "base/vec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A plan's times are in whole milliseconds. */
static const double rounding_ms = 1;

struct use {
    const char *link;
    size_t step;
};

double link_order_first_ms(const struct plan_step *step) {
    return step->n_rates > 0 ? step->rates[0].from_ms : step->start_ms;
}

double link_order_last_ms(const struct plan_step *step) {
    if (step->n_rates > 1 && step->rates[step->n_rates - 1].bytes_per_s <= 0)
        return step->rates[step->n_rates - 1].from_ms;
    return step->end_ms;
}

static int compare_uses(const void *left, const void *right) {
    const struct use *a = left, *b = right;
    const int by_link = strcmp(a->link, b->link);
    return by_link != 0 ? by_link : (a->step > b->step) - (a->step < b->step);
}

static bool list_uses(const struct plan *plan, struct use **uses_out, size_t *n_out) {
    size_t n = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        n += plan->steps[i].n_path;
    *n_out = 0;
    *uses_out = calloc(n + 1, sizeof(**uses_out));
    if (*uses_out == NULL)
        return false;
    for (size_t i = 0; i < plan->n_steps; i++) {
        for (size_t k = 0; k < plan->steps[i].n_path; k++)
            (*uses_out)[(*n_out)++] = (struct use){plan->steps[i].path[k], i};
    }
    qsort(*uses_out, *n_out, sizeof(**uses_out), compare_uses);
    return true;
}

/* Strictly earlier, so that no two steps follow each other. */
static bool is_before(const struct plan_step *early, const struct plan_step *late) {
    return link_order_first_ms(early) < link_order_first_ms(late) &&
           link_order_last_ms(early) <= link_order_first_ms(late) + rounding_ms;
}

static bool add(struct link_order_list *list, size_t step) {
    if (vec_has(list->items, list->n, step))
        return true;
    if (!vec_reserve((void **)&list->items, &list->capacity, list->n + 1, sizeof(*list->items)))
        return false;
    list->items[list->n++] = step;
    return true;
}

static bool order_step(const struct plan *plan, const struct use *uses, size_t n_uses, size_t late,
                       struct link_order_list *list) {
    const struct plan_step *self = &plan->steps[late];
    double newest_ms = -INFINITY; /* first byte of the newest of those before */
    for (size_t k = 0; k < n_uses; k++) {
        if (is_before(&plan->steps[uses[k].step], self))
            newest_ms = fmax(newest_ms, link_order_first_ms(&plan->steps[uses[k].step]));
    }
    for (size_t k = 0; k < n_uses; k++) {
        const struct plan_step *other = &plan->steps[uses[k].step];
        const bool implied =
            link_order_first_ms(other) < newest_ms && link_order_last_ms(other) <= newest_ms + rounding_ms;
        if (is_before(other, self) && !implied && !add(list, uses[k].step))
            return false;
    }
    return true;
}

enum dc_status link_order_init(struct link_order *order, const struct plan *plan, struct dc_error *err) {
    struct use *uses = NULL;
    size_t n_uses = 0;
    *order = (struct link_order){.follows = calloc(plan->n_steps + 1, sizeof(*order->follows))};
    if (order->follows == NULL)
        return error_set_nomem(err);
    order->n_steps = plan->n_steps;
    bool ok = list_uses(plan, &uses, &n_uses);
    for (size_t begin = 0, end = 0; ok && begin < n_uses; begin = end) {
        while (end < n_uses && strcmp(uses[end].link, uses[begin].link) == 0)
            end++;
        for (size_t k = begin; ok && k < end; k++)
            ok = order_step(plan, uses + begin, end - begin, uses[k].step, &order->follows[uses[k].step]);
    }
    free(uses);
    if (ok)
        return DC_OK;
    link_order_dispose(order);
    return error_set_nomem(err);
}

void link_order_dispose(struct link_order *order) {
    for (size_t i = 0; i < order->n_steps; i++)
        free(order->follows[i].items);
    free(order->follows);
    *order = (struct link_order){0};
}
