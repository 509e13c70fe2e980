/*
 * The live rounds of QEMU/KVM (migration/migration.c, migration/ram.c).
 *
 * The sender works through a queue of dirty pages and looks at what is left
 * every so often. Once that fits the threshold
 *   threshold = bandwidth * downtime limit
 * it fetches the pages dirtied meanwhile (a sync, the end of a round); if the
 * queue still fits, the guest stops, else another round begins. Every page
 * counts 4096 bytes there, whatever it takes on the wire.
 *
 * Pages that were dirtied again while still queued count once. Of the queue,
 * as if dirtied in the window T with W(T) = queue, a share
 *   (W(T) + W(t) - W(T + t)) / W(T)
 * is dirtied again in the t seconds after it: exact where dirtying is
 * stationary, from the curve alone.
 *
 * The bandwidth is the current one; QEMU's own estimate, taken over 100 ms,
 * lags behind a change by at most one such window.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/precopy_state.h"

#include <math.h>

static const double PAGE_BYTES = 4096;
static const double LOOK_S = 0.05;         /* a turn of sending lasts longer than this ... */
static const double LOOK_GROUP_PAGES = 64; /* ... and the clock is read after every 64 pages */
static const double CAPPED_LOOK_S = 0.1;   /* at its own cap QEMU sleeps to the end of a 100 ms window */

enum { STALLED_ROUNDS = 64 }; /* so many rounds without a shorter queue: it will never fit */

struct queue {
    double pages;
    double zero_pages;   /* of them: sent at random places of the first round, then before all others */
    double synced_pages; /* its length after the last sync */
    double synced_s;     /* when that was */
    bool whole_memory;   /* still the first round */
};

static double queue_bytes(const struct precopy *precopy, const struct queue *queue) {
    const struct stop_policy_class *policy = precopy->vm->policy.policy;
    return (queue->pages - queue->zero_pages) * policy->page_wire_bytes +
           queue->zero_pages * policy->zero_page_wire_bytes;
}

/* Takes `pages` off the queue; returns their bytes. The scan goes on where it
 * was: what the first round left, zero pages among it, goes before what was
 * dirtied since. */
static double queue_take(const struct precopy *precopy, struct queue *queue, double pages) {
    const double before_bytes = queue_bytes(precopy, queue);
    if (queue->whole_memory)
        queue->zero_pages -= queue->zero_pages * (pages / queue->pages);
    else
        queue->zero_pages -= fmin(queue->zero_pages, pages);
    queue->pages -= pages;
    return before_bytes - queue_bytes(precopy, queue);
}

static double threshold_pages(const struct precopy *precopy) {
    const double limit_s = precopy->vm->policy.downtime_limit_ms / 1000;
    /* An empty queue is always short enough. */
    return fmax(precopy_push_rate(precopy) * limit_s / PAGE_BYTES, 1);
}

/* Pages sent between two looks at the queue. */
static double turn_pages(const struct precopy *precopy, double bytes_a_page) {
    const double rate = precopy_push_rate(precopy);
    if (rate < precopy->steps->bytes_per_s)
        return rate * CAPPED_LOOK_S / bytes_a_page;
    const double group_s = LOOK_GROUP_PAGES * bytes_a_page / rate;
    return LOOK_GROUP_PAGES * (floor(LOOK_S / group_s) + 1);
}

/* Sends whole turns until the queue is below the threshold; returns what was
 * sent. Turns at one bandwidth are taken together. */
static struct page_load send_to_threshold(struct precopy *precopy, struct queue *queue) {
    struct page_load sent = {0};
    do {
        const double bytes_a_page = queue_bytes(precopy, queue) / queue->pages;
        const double turn = turn_pages(precopy, bytes_a_page);
        const double turn_s = turn * bytes_a_page / precopy_push_rate(precopy);
        const double over = fmax(queue->pages - threshold_pages(precopy), 0);
        const double stretch_s = precopy_next_step_s(precopy) - precopy->time_s;
        const double turns = fmin(floor(over / turn) + 1, fmax(ceil(stretch_s / turn_s), 1));
        const double pages = fmin(turns * turn, queue->pages);
        const double bytes = queue_take(precopy, queue, pages);
        precopy_send(precopy, bytes);
        sent.pages += pages;
        sent.bytes += bytes;
    } while (queue->pages >= threshold_pages(precopy));
    return sent;
}

/* Of `dirtied` pages in the last `window_s`, those that are queued already. */
static double still_queued(const struct precopy *precopy, const struct queue *queue, double dirtied, double window_s) {
    if (queue->whole_memory)
        return dirtied * queue->pages / precopy->vm->memory_pages;
    const double queue_window_s = dirty_curve_window_s(precopy->vm->curve, queue->synced_pages);
    const double both = fmax(precopy_dirtied(precopy, queue_window_s + window_s), queue->synced_pages);
    const double again = fmax(queue->synced_pages + dirtied - both, 0);
    return fmin(again * queue->pages / queue->synced_pages, dirtied);
}

static void sync_queue(struct precopy *precopy, struct queue *queue) {
    const double window_s = precopy->time_s - queue->synced_s;
    const double dirtied = precopy_dirtied(precopy, window_s);
    const double most = precopy->vm->memory_pages - queue->pages;
    const double fresh = fmin(dirtied - still_queued(precopy, queue, dirtied, window_s), most);
    queue->pages += fresh;
    queue->synced_pages = queue->pages;
    queue->synced_s = precopy->time_s;
    queue->whole_memory = false;
}

void policy_qemu_run(struct precopy *precopy) {
    const struct stop_policy *policy = &precopy->vm->policy;
    const unsigned max_rounds = policy->max_rounds > 0 ? policy->max_rounds : policy->policy->defaults.max_rounds;
    if (policy->max_bandwidth_bytes_per_s > 0)
        precopy->live_cap_bytes_per_s = policy->max_bandwidth_bytes_per_s;
    struct queue queue = {
        .pages = precopy->vm->memory_pages,
        .zero_pages = precopy->vm->zero_pages,
        .synced_s = precopy->time_s,
        .whole_memory = true,
    };
    double shortest_pages = INFINITY;
    unsigned n_stalled = 0;
    for (unsigned round = 1;; round++) {
        const double from_s = precopy->time_s;
        const struct page_load sent = send_to_threshold(precopy, &queue);
        precopy_close_round(precopy, sent, from_s);
        sync_queue(precopy, &queue);
        if (queue.pages < threshold_pages(precopy))
            break;
        n_stalled = queue.pages < shortest_pages - 1 || precopy->n_steps > 1 ? 0 : n_stalled + 1;
        if (n_stalled == 0)
            shortest_pages = queue.pages;
        if (round >= max_rounds || n_stalled >= STALLED_ROUNDS) {
            precopy->result->converges = false;
            break;
        }
    }
    const double suspended = fmin(precopy->vm->overhead.suspend_pages, precopy->vm->memory_pages - queue.pages);
    precopy->rest = (struct page_load){
        .pages = queue.pages + suspended,
        .bytes = queue_bytes(precopy, &queue) + suspended * policy->policy->page_wire_bytes,
    };
}
