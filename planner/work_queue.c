/* A bounded queue before libuv's worker threads. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/work_queue.h"

#include <stdlib.h>

struct work_item {
    uv_work_t request;
    struct work_queue *queue;
    struct work_item *next;
    work_fn work, done;
    void *job;
};

struct work_queue {
    uv_loop_t *loop;
    size_t n_running, max_running;
    size_t n_waiting, max_waiting;
    struct work_item *first;
    struct work_item **end;
};

struct work_queue *work_queue_new(uv_loop_t *loop, size_t max_running, size_t max_waiting) {
    struct work_queue *queue = calloc(1, sizeof(*queue));
    if (queue == NULL)
        return NULL;
    *queue = (struct work_queue){.loop = loop, .max_running = max_running, .max_waiting = max_waiting};
    queue->end = &queue->first;
    return queue;
}

void work_queue_free(struct work_queue **queue) {
    free(*queue);
    *queue = NULL;
}

static void on_work(uv_work_t *request) {
    struct work_item *item = request->data;
    item->work(item->job);
}

static void start_next(struct work_queue *queue);

static void on_done(uv_work_t *request, int status) {
    struct work_item *item = request->data;
    (void)status; /* nothing cancels a request */
    item->queue->n_running--;
    item->done(item->job);
    start_next(item->queue);
    free(item);
}

static void start_next(struct work_queue *queue) {
    while (queue->first != NULL && queue->n_running < queue->max_running) {
        struct work_item *item = queue->first;
        queue->first = item->next;
        if (queue->first == NULL)
            queue->end = &queue->first;
        queue->n_waiting--;
        queue->n_running++;
        item->request.data = item;
        (void)uv_queue_work(queue->loop, &item->request, on_work, on_done); /* fails only without a function */
    }
}

enum dc_status work_queue_add(struct work_queue *queue, work_fn work, work_fn done, void *job, struct dc_error *err) {
    if (queue->n_running >= queue->max_running && queue->n_waiting >= queue->max_waiting)
        return error_set(err, DC_EBUSY, "%zu jobs are under way and %zu wait: try again later", queue->n_running,
                         queue->n_waiting);
    struct work_item *item = calloc(1, sizeof(*item));
    if (item == NULL)
        return error_set_nomem(err);
    *item = (struct work_item){.queue = queue, .work = work, .done = done, .job = job};
    *queue->end = item;
    queue->end = &item->next;
    queue->n_waiting++;
    start_next(queue);
    return DC_OK;
}
