/* Kahn's algorithm: take away steps that wait for none until none is left. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/plan_order.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Who waits for whom, by the one waited for: the entries of step i in
 * `waiting` are those from begin[i] to begin[i + 1]. */
struct order {
    size_t *before;  /* per entry of all `after`, in order: the index of the step */
    size_t *begin;   /* n_steps + 1 */
    size_t *waiting; /* one per entry */
    size_t *n_open;  /* per step: steps it still waits for */
    size_t *ready;   /* steps that wait for none; a queue */
};

static size_t resolve(struct doc_reader *reader, const struct doc_index *ids, unsigned id) {
    char key[24];
    (void)snprintf(key, sizeof(key), "%u", id);
    const long step = doc_index_find(ids, key);
    if (step == DOC_INDEX_NONE)
        doc_reader_fail(reader, NULL, DC_EINVAL, "unknown step %u", id);
    return step == DOC_INDEX_NONE ? 0 : (size_t)step;
}

static void resolve_all(struct doc_reader *reader, const struct doc_index *ids, const struct plan *plan,
                        struct order *order) {
    size_t entry = 0;
    for (size_t i = 0; i < plan->n_steps && doc_reader_ok(reader); i++) {
        doc_reader_enter_item(reader, "steps", i);
        for (size_t j = 0; j < plan->steps[i].n_after && doc_reader_ok(reader); j++) {
            doc_reader_enter_item(reader, "after", j);
            order->before[entry] = resolve(reader, ids, plan->steps[i].after[j]);
            order->begin[order->before[entry++] + 1]++;
            doc_reader_leave(reader);
        }
        doc_reader_leave(reader);
    }
}

static void list_waiting(const struct plan *plan, struct order *order) {
    size_t entry = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        order->begin[i + 1] += order->begin[i];
    size_t *fill = order->ready; /* not in use yet */
    for (size_t i = 0; i < plan->n_steps; i++)
        fill[i] = order->begin[i];
    for (size_t i = 0; i < plan->n_steps; i++) {
        order->n_open[i] = plan->steps[i].n_after;
        for (size_t j = 0; j < plan->steps[i].n_after; j++)
            order->waiting[fill[order->before[entry++]]++] = i;
    }
}

static size_t take_away(const struct plan *plan, struct order *order) {
    size_t n_ready = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        if (order->n_open[i] == 0)
            order->ready[n_ready++] = i;
    }
    for (size_t taken = 0; taken < n_ready; taken++) {
        const size_t step = order->ready[taken];
        for (size_t entry = order->begin[step]; entry < order->begin[step + 1]; entry++) {
            const size_t next = order->waiting[entry];
            if (--order->n_open[next] == 0)
                order->ready[n_ready++] = next;
        }
    }
    return n_ready;
}

static void fail_cycle(struct doc_reader *reader, const struct plan *plan, const struct order *order) {
    size_t i = 0;
    while (i + 1 < plan->n_steps && order->n_open[i] == 0)
        i++;
    doc_reader_enter_item(reader, "steps", i);
    doc_reader_fail(reader, "after", DC_EINVAL,
                    "expected an order in which every step can start, but step %u waits for ever", plan->steps[i].id);
    doc_reader_leave(reader);
}

void plan_order_check(struct doc_reader *reader, const struct doc_index *ids, const struct plan *plan) {
    size_t n_entries = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        n_entries += plan->steps[i].n_after;
    struct order order = {
        .before = doc_reader_alloc(reader, n_entries, sizeof(size_t)),
        .begin = doc_reader_alloc(reader, plan->n_steps + 1, sizeof(size_t)),
        .waiting = doc_reader_alloc(reader, n_entries, sizeof(size_t)),
        .n_open = doc_reader_alloc(reader, plan->n_steps, sizeof(size_t)),
        .ready = doc_reader_alloc(reader, plan->n_steps, sizeof(size_t)),
    };
    if (doc_reader_ok(reader))
        resolve_all(reader, ids, plan, &order);
    if (doc_reader_ok(reader)) {
        list_waiting(plan, &order);
        if (take_away(plan, &order) < plan->n_steps)
            fail_cycle(reader, plan, &order);
    }
    free(order.before);
    free(order.begin);
    free(order.waiting);
    free(order.n_open);
    free(order.ready);
}
