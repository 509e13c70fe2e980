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
 * The bandwidth is the current one. QEMU's own estimate, taken over 100 ms,
 * lags behind a change by at most one such window: less than two turns of
 * sending, so it would move a total by no more than that.
 *
 * With post-copy the guest moves at once, or after the first round, whatever
 * is left then; the rest follows while it runs at the target.
 *
 * A migration never converges if even from a queue of just the threshold, the
 * shortest round there is leaves a queue no shorter: longer queues and rounds leave more.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/precopy_state.h"
#include "model/qemu_queue.h"
#include "model/qemu_throttle.h"

#include <math.h>

static const double PAGE_BYTES = 4096;
static const double LOOK_S = 0.05;         /* a turn of sending lasts longer than this ... */
static const double LOOK_GROUP_PAGES = 64; /* ... and the clock is read after every 64 pages */
static const double CAPPED_LOOK_S = 0.1;   /* at its own cap QEMU sleeps to the end of a 100 ms window */
static const double DISCARD_BYTES = 16;    /* post-copy tells the target each stale range: its start and length */
static const double SHRINKING_FRAC = 0.99; /* a round that leaves more of the queue before it got nowhere */

enum { STALLED_ROUNDS = 64 }; /* so many rounds that got nowhere: it will never fit */

/* One migration under way. */
struct qemu {
    struct precopy *precopy;
    struct qemu_queue queue;
    struct qemu_throttle throttle;
    double shortest_pages; /* the queue after the best sync so far */
    unsigned n_stalled;    /* rounds since then */
};

static double threshold_pages(const struct precopy *precopy) {
    const double limit_s = precopy->vm->policy.downtime_limit_ms / 1000;
    /* An empty queue is always short enough. */
    return fmax(precopy_push_rate(precopy) * limit_s / PAGE_BYTES, 1);
}

/* Pages sent between two looks at the queue. */
static double turn_pages(const struct precopy *precopy, double bytes_a_page) {
    const double rate = precopy_push_rate(precopy);
    if (rate < precopy_link_rate(precopy))
        return rate * CAPPED_LOOK_S / bytes_a_page;
    const double groups = rate * LOOK_S / (LOOK_GROUP_PAGES * bytes_a_page);
    return LOOK_GROUP_PAGES * (floor(groups) + 1);
}

/* How many turns of `turn` pages until the queue is below the threshold, or
 * the bandwidth changes. */
static double turns_to_go(const struct precopy *precopy, double queue_pages, double turn, double bytes_a_page) {
    const double over = fmax(queue_pages - threshold_pages(precopy), 0);
    const double turns = floor(over / turn) + 1;
    const double change_s = precopy_next_step_s(precopy);
    if (isinf(change_s))
        return turns;
    const double turn_s = turn * bytes_a_page / precopy_push_rate(precopy);
    return fmin(turns, fmax(ceil((change_s - precopy->time_s) / turn_s), 1));
}

/* Sends whole turns until the queue is below the threshold; returns what was
 * sent. Turns at one bandwidth are taken together. */
static struct page_load send_to_threshold(struct precopy *precopy, struct qemu_queue *queue) {
    const struct stop_policy_class *policy = precopy->vm->policy.policy;
    struct page_load sent = {0};
    do {
        const double bytes_a_page =
            queue->zero_pages > 0 ? qemu_queue_bytes(queue, policy) / queue->pages : policy->page_wire_bytes;
        const double turn = turn_pages(precopy, bytes_a_page);
        const double pages = fmin(turns_to_go(precopy, queue->pages, turn, bytes_a_page) * turn, queue->pages);
        const double bytes = qemu_queue_take(queue, policy, pages);
        precopy_send(precopy, bytes);
        sent.pages += pages;
        sent.bytes += bytes;
    } while (queue->pages >= threshold_pages(precopy));
    return sent;
}

/* Whether the shortest round, from a queue of just the threshold, gets below it. */
static bool can_converge(const struct qemu *qemu) {
    const struct precopy *precopy = qemu->precopy;
    const struct stop_policy_class *policy = precopy->vm->policy.policy;
    const double threshold = threshold_pages(precopy);
    struct qemu_queue queue;
    qemu_queue_init_dirty(&queue, threshold);
    const double pages = fmin(turn_pages(precopy, policy->page_wire_bytes), threshold);
    const double turn_s = qemu_queue_take(&queue, policy, pages) / precopy_push_rate(precopy);
    (void)qemu_queue_sync(&queue, precopy, turn_s * (1 - qemu->throttle.frac));
    return queue.pages < threshold;
}

static void run_round(struct qemu *qemu) {
    struct precopy *precopy = qemu->precopy;
    const double from_s = precopy->time_s;
    const struct page_load sent = send_to_threshold(precopy, &qemu->queue);
    precopy_close_round(precopy, sent, from_s);
    const double guest_s = (precopy->time_s - from_s) * (1 - qemu->throttle.frac);
    const double fresh = qemu_queue_sync(&qemu->queue, precopy, guest_s);
    qemu_throttle_sync(&qemu->throttle, precopy->time_s, fresh * PAGE_BYTES, sent.bytes);
}

/* Whether more rounds are in vain. Another bandwidth or another throttle may
 * still come; after that, rounds that do not shrink are the end. */
static bool is_hopeless(struct qemu *qemu) {
    const bool changes = qemu->precopy->n_steps > 1 || !qemu_throttle_is_settled(&qemu->throttle);
    if (changes) {
        qemu->n_stalled = 0;
        qemu->shortest_pages = qemu->queue.pages;
        return false;
    }
    const bool shrinking = qemu->queue.pages < SHRINKING_FRAC * qemu->shortest_pages;
    qemu->n_stalled = qemu->queue.pages < qemu->shortest_pages - 1 ? 0 : qemu->n_stalled + 1;
    qemu->shortest_pages = fmin(qemu->shortest_pages, qemu->queue.pages);
    return qemu->n_stalled >= STALLED_ROUNDS || (!shrinking && !can_converge(qemu));
}

/* The guest stops for good: what is left goes before it runs again. */
static void stop(struct precopy *precopy, const struct qemu_queue *queue) {
    const struct precopy_vm *vm = precopy->vm;
    const double suspended = fmin(vm->overhead.suspend_pages, vm->memory_pages - queue->pages);
    precopy->rest = (struct page_load){
        .pages = queue->pages + suspended,
        .bytes = qemu_queue_bytes(queue, vm->policy.policy) + suspended * vm->policy.policy->page_wire_bytes,
    };
}

/* The guest moves first: what is left goes after it. */
static void hand_over(struct precopy *precopy, const struct qemu_queue *queue) {
    stop(precopy, queue);
    precopy->postcopy = precopy->rest;
    precopy->rest = (struct page_load){.bytes = queue->whole_memory ? 0 : queue->pages * DISCARD_BYTES};
}

void policy_qemu_run(struct precopy *precopy) {
    const struct stop_policy *policy = &precopy->vm->policy;
    const unsigned max_rounds = policy->max_rounds > 0 ? policy->max_rounds : policy->policy->defaults.max_rounds;
    if (policy->max_bandwidth_bytes_per_s > 0)
        precopy->live_cap_bytes_per_s = policy->max_bandwidth_bytes_per_s;
    struct qemu qemu = {.precopy = precopy, .shortest_pages = INFINITY};
    qemu_queue_init(&qemu.queue, precopy->vm);
    qemu_throttle_init(&qemu.throttle, policy, precopy->time_s);
    bool moves_first = policy->postcopy == STOP_POLICY_POSTCOPY_AT_ONCE;
    for (unsigned round = 1; !moves_first; round++) {
        run_round(&qemu);
        if (qemu.queue.pages < threshold_pages(precopy))
            break;
        moves_first = policy->postcopy == STOP_POLICY_POSTCOPY_AFTER_ROUND;
        if (!moves_first && (round >= max_rounds || is_hopeless(&qemu))) {
            precopy->result->converges = false;
            break;
        }
    }
    precopy->result->throttle_frac = qemu.throttle.frac;
    if (moves_first)
        hand_over(precopy, &qemu.queue);
    else
        stop(precopy, &qemu.queue);
}
