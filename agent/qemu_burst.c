/* Asks whether the window is over a little after it must be, and then every tenth of a second. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "agent/qemu_burst.h"

#include "agent/qemu_window.h"

#include <stdlib.h>
#include <string.h>

enum { POLL_MS = 100, SAMPLE_PAGES_PER_GIB = 4096 };

/* A window that QEMU does not end within so much more is given up. */
static const double patience_ms = 10000;

static const char *const mode_names[] = {"page-sampling", "dirty-bitmap", "dirty-ring"};

struct qemu_burst {
    uv_timer_t timer;
    struct qmp_link *link;
    struct qemu_burst_config config;
    size_t n_points;
    int window_s; /* being measured */
    double until_ms;
    struct dirty_point points[QEMU_WINDOW_MOST];
    unsigned n_pending; /* answers */
    bool is_over, is_closed;
};

static void free_if_unused(struct qemu_burst *burst) {
    if (burst->is_closed && burst->n_pending == 0)
        free(burst);
}

static void on_closed(uv_handle_t *handle) {
    struct qemu_burst *burst = handle->data;
    burst->is_closed = true;
    free_if_unused(burst);
}

void qemu_burst_cancel(struct qemu_burst *burst) {
    burst->is_over = true;
    uv_close((uv_handle_t *)&burst->timer, on_closed);
}

static void finish(struct qemu_burst *burst, const struct dc_error *err) {
    const struct qemu_burst_config *config = &burst->config;
    const struct dirty_curve curve = {.n_points = burst->n_points, .points = burst->points};
    qemu_burst_cancel(burst);
    config->done(config->context, err == NULL ? &curve : NULL, err);
}

/* True where it is to be looked at. */
static bool take_answer(struct qemu_burst *burst, const json_t *value, const struct dc_error *err) {
    burst->n_pending--;
    if (burst->is_over)
        free_if_unused(burst);
    else if (value == NULL)
        finish(burst, err);
    else
        return true;
    return false;
}

static void on_timer(uv_timer_t *timer);
static void on_begun(void *context, const json_t *value, const struct dc_error *err);
static void on_rate(void *context, const json_t *value, const struct dc_error *err);

static void ask(struct qemu_burst *burst, const char *command, json_t *arguments, qmp_done_fn done) {
    struct dc_error err = DC_ERROR_NONE;
    if (qmp_link_send(burst->link, command, arguments, done, burst, &err) == DC_OK)
        burst->n_pending++;
    else
        finish(burst, &err);
}

static void begin_window(struct qemu_burst *burst) {
    json_t *arguments = json_pack("{s:i}", "calc-time", burst->window_s);
    bool ok = arguments != NULL;
    if (burst->config.mode == QEMU_PAGE_SAMPLING) /* "mode" itself is younger than page-sampling */
        ok = ok && json_object_set_new(arguments, "sample-pages", json_integer(SAMPLE_PAGES_PER_GIB)) == 0;
    else
        ok = ok && json_object_set_new(arguments, "mode", json_string(mode_names[burst->config.mode])) == 0;
    struct dc_error err = DC_ERROR_NONE;
    if (ok) {
        ask(burst, "calc-dirty-rate", arguments, on_begun);
        return;
    }
    json_decref(arguments);
    (void)error_set_nomem(&err);
    finish(burst, &err);
}

static void on_begun(void *context, const json_t *value, const struct dc_error *err) {
    struct qemu_burst *burst = context;
    if (!take_answer(burst, value, err))
        return;
    const double window_ms = burst->window_s * 1e3;
    burst->until_ms = (double)uv_now(burst->timer.loop) + window_ms + patience_ms;
    (void)uv_timer_start(&burst->timer, on_timer, (uint64_t)window_ms + POLL_MS / 2, 0);
}

static void on_timer(uv_timer_t *timer) {
    struct qemu_burst *burst = timer->data;
    if (burst->n_points == 0 && burst->window_s == 0) {
        burst->window_s = 1;
        begin_window(burst);
        return;
    }
    ask(burst, "query-dirty-rate", NULL, on_rate);
}

static void on_rate(void *context, const json_t *value, const struct dc_error *err) {
    struct qemu_burst *burst = context;
    struct dc_error why = DC_ERROR_NONE;
    if (!take_answer(burst, value, err))
        return;
    const char *status = json_string_value(json_object_get(value, "status"));
    const json_t *rate = json_object_get(value, "dirty-rate");
    if (status == NULL || strcmp(status, "measured") != 0) {
        if ((double)uv_now(burst->timer.loop) < burst->until_ms) {
            (void)uv_timer_start(&burst->timer, on_timer, POLL_MS, 0);
            return;
        }
        (void)error_set(&why, DC_ETIMEOUT, "QEMU does not end a window of %d s", burst->window_s);
        finish(burst, &why);
        return;
    }
    if (!json_is_number(rate) || json_number_value(rate) < 0) {
        (void)error_set(&why, DC_EPARSE, "query-dirty-rate: expected \"dirty-rate\" in MiB/s");
        finish(burst, &why);
        return;
    }
    qemu_window_add(burst->points, &burst->n_points, burst->window_s, json_number_value(rate),
                    burst->config.memory_pages);
    const int next_s = qemu_window_next_s(burst->window_s, burst->n_points, burst->config.longest_s);
    if (next_s == 0) {
        finish(burst, NULL);
        return;
    }
    burst->window_s = next_s;
    begin_window(burst);
}

enum dc_status qemu_burst_begin(uv_loop_t *loop, struct qmp_link *link, const struct qemu_burst_config *config,
                                struct qemu_burst **burst_out, struct dc_error *err) {
    *burst_out = calloc(1, sizeof(**burst_out));
    if (*burst_out == NULL)
        return error_set_nomem(err);
    **burst_out = (struct qemu_burst){.link = link, .config = *config};
    (void)uv_timer_init(loop, &(*burst_out)->timer); /* cannot fail */
    (*burst_out)->timer.data = *burst_out;
    (void)uv_timer_start(&(*burst_out)->timer, on_timer, 0, 0); /* `done` never from within this call */
    return DC_OK;
}
