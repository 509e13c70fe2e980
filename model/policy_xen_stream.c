/* Rounds of Xen's stream version 2; see the header. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "model/policy_xen_stream.h"

#include <math.h>

static struct page_load load_of(const struct stop_policy_class *policy, double pages, double holes) {
    const double batches = ceil((pages + holes) / policy->batch_frames);
    return (struct page_load){
        .pages = pages,
        .bytes = pages * policy->page_wire_bytes + holes * policy->hole_wire_bytes + batches * policy->batch_wire_bytes,
    };
}

void policy_xen_stream_run(struct precopy *precopy, unsigned first_tested) {
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
        const bool was_short = round >= first_tested && load.pages < policy->target_dirty_pages;
        if (was_short || round >= max_rounds)
            break;
        load = load_of(policy->policy, dirty_pages, 0);
    }
    dirty_pages = fmin(dirty_pages + vm->overhead.suspend_pages, vm->memory_pages);
    precopy->rest = load_of(policy->policy, dirty_pages, 0);
}
