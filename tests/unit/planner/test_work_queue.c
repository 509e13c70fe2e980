/* The bounded queue before the worker threads. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/work_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N_JOBS = 5 };

static struct {
    atomic_int n_at_once, most_at_once;
    int order[N_JOBS];
    int n_done;
} seen;

struct job {
    int number;
    uv_sem_t *gate;
};

static void work(void *context) {
    const struct job *job = context;
    const int n = atomic_fetch_add(&seen.n_at_once, 1) + 1;
    if (n > atomic_load(&seen.most_at_once))
        atomic_store(&seen.most_at_once, n);
    uv_sem_wait(job->gate);
    atomic_fetch_sub(&seen.n_at_once, 1);
}

static void done(void *context) {
    const struct job *job = context;
    seen.order[seen.n_done++] = job->number;
}

static void test_runs_one_by_one_and_refuses_more(void **state) {
    struct dc_error err = DC_ERROR_NONE;
    uv_loop_t loop;
    uv_sem_t gate;
    struct job jobs[N_JOBS];
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    struct work_queue *queue = work_queue_new(&loop, 1, 3);
    assert_non_null(queue);
    for (int i = 0; i < N_JOBS; i++) {
        jobs[i] = (struct job){i, &gate};
        assert_int_equal(work_queue_add(queue, work, done, &jobs[i], &err), i < 4 ? DC_OK : DC_EBUSY);
    }
    assert_string_equal(error_text(&err), "1 jobs are under way and 3 wait: try again later");
    for (int i = 0; i < N_JOBS; i++)
        uv_sem_post(&gate);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(seen.n_done, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(seen.order[i], i);
    assert_int_equal(atomic_load(&seen.most_at_once), 1);
    assert_int_equal(work_queue_add(queue, work, done, &jobs[4], NULL), DC_OK); /* there is room again */
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(seen.n_done, N_JOBS);
    work_queue_free(&queue);
    uv_sem_destroy(&gate);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_runs_one_by_one_and_refuses_more)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
