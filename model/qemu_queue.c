/* QEMU's queue of dirty pages; see the header for the share dirtied again. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/qemu_queue.h"

#include <math.h>

void qemu_queue_init(struct qemu_queue *queue, const struct precopy_vm *vm) {
    *queue = (struct qemu_queue){.pages = vm->memory_pages, .zero_pages = vm->zero_pages, .whole_memory = true};
}

void qemu_queue_init_dirty(struct qemu_queue *queue, double pages) {
    *queue = (struct qemu_queue){.pages = pages, .synced_pages = pages};
}

double qemu_queue_bytes(const struct qemu_queue *queue, const struct stop_policy_class *policy) {
    return (queue->pages - queue->zero_pages) * policy->page_wire_bytes +
           queue->zero_pages * policy->zero_page_wire_bytes;
}

/* The scan goes on where it was: what the first round left, zero pages among
 * it, goes before what was dirtied since. */
double qemu_queue_take(struct qemu_queue *queue, const struct stop_policy_class *policy, double pages) {
    const double before_bytes = qemu_queue_bytes(queue, policy);
    if (queue->whole_memory)
        queue->zero_pages -= queue->zero_pages * (pages / queue->pages);
    else
        queue->zero_pages -= fmin(queue->zero_pages, pages);
    queue->pages -= pages;
    return before_bytes - qemu_queue_bytes(queue, policy);
}

/* Of `dirtied` pages in the last `guest_s`, those that are queued already. */
static double still_queued(const struct qemu_queue *queue, const struct precopy *precopy, double dirtied,
                           double guest_s) {
    if (queue->whole_memory)
        return dirtied * queue->pages / precopy->vm->memory_pages;
    if (queue->pages <= 0)
        return 0;
    const double queue_window_s = dirty_curve_window_s(precopy->vm->curve, queue->synced_pages);
    const double both = fmax(precopy_dirtied(precopy, queue_window_s + guest_s), queue->synced_pages);
    const double again = fmax(queue->synced_pages + dirtied - both, 0);
    return fmin(again * queue->pages / queue->synced_pages, dirtied);
}

double qemu_queue_sync(struct qemu_queue *queue, const struct precopy *precopy, double guest_s) {
    const double dirtied = precopy_dirtied(precopy, guest_s);
    const double most = precopy->vm->memory_pages - queue->pages;
    const double fresh = fmin(dirtied - still_queued(queue, precopy, dirtied, guest_s), most);
    queue->pages += fresh;
    queue->synced_pages = queue->pages;
    queue->whole_memory = false;
    return fresh;
}
