/*
 * The live rounds of Xen 4.6 to today (tools/libs/guest/xg_sr_save.c).
 *
 *   sent[1] = every guest frame; sent[i + 1] = W(duration of round i)
 *   last live round: the one of fewer than `target_dirty_pages`, or number
 *   `max_rounds`; rest = W(duration of the last live round) + suspend pages
 *
 * A batch of at most 1024 frames costs 16 bytes and 8 a frame, a page 4096
 * more. Frames without memory (holes) travel in round 1 only.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/precopy_state.h"

#include <math.h>

static struct page_load load_of(const struct stop_policy_class *policy, double pages, double holes) {
    const double batches = ceil((pages + holes) / policy->batch_frames);
    return (struct page_load){
        .pages = pages,
        .bytes = pages * policy->page_wire_bytes + holes * policy->hole_wire_bytes + batches * policy->batch_wire_bytes,
    };
}

void policy_xen_v2_run(struct precopy *precopy) {
    const struct precopy_vm *vm = precopy->vm;
    const struct stop_policy *policy = &vm->policy;
    const unsigned max_rounds = policy->max_rounds > 0 ? policy->max_rounds : policy->policy->defaults.max_rounds;
    const double holes = fmax(policy->gfn_count - vm->memory_pages, 0);
    struct page_load load = load_of(policy->policy, vm->memory_pages, holes);
    double dirty_pages;
    for (unsigned round = 1;; round++) {
        const double from_s = precopy->time_s;
        precopy_send(precopy, load.bytes);
        precopy_close_round(precopy, load, from_s);
        dirty_pages = precopy_dirtied(precopy, precopy->time_s - from_s);
        if (load.pages < policy->target_dirty_pages || round >= max_rounds)
            break;
        load = load_of(policy->policy, dirty_pages, 0);
    }
    dirty_pages = fmin(dirty_pages + vm->overhead.suspend_pages, vm->memory_pages);
    precopy->rest = load_of(policy->policy, dirty_pages, 0);
}
