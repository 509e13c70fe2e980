/*
 * Jobs on worker threads, so that the loop never waits for one: a few run at
 * a time, a bounded number wait, more are refused.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "base/error.h"

#include <uv.h>

struct work_queue;

typedef void (*work_fn)(void *job);

/* NULL when out of memory. At most `max_running` of libuv's worker threads are used at a time. */
struct work_queue *work_queue_new(uv_loop_t *loop, size_t max_running, size_t max_waiting);

/* Only once all jobs are done. */
void work_queue_free(struct work_queue **queue);

/* Runs `work(job)` on a worker thread, then `done(job)` on the loop's. DC_EBUSY
 * when too many wait; then neither is called. */
DC_WARN_UNUSED enum dc_status work_queue_add(struct work_queue *queue, work_fn work, work_fn done, void *job,
                                             struct dc_error *err);
