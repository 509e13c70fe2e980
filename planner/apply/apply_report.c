/* One request at a time; what comes meanwhile waits for the next. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/apply_report.h"

#include "planner/api_client.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { GATHER_MS = 200, MOST_WAITING = 4096 };

struct apply_report {
    uv_loop_t *loop;
    uv_timer_t timer; /* runs while events gather */
    uv_work_t work;
    char *socket_path, *plan_id;
    json_t *waiting, *sent;       /* arrays */
    json_int_t n_events;          /* all that came */
    json_int_t first, sent_first; /* the number of the first one that waits, that is being sent */
    bool is_sending, is_closing, is_closed;
};

static void free_report(struct apply_report *report) {
    json_decref(report->waiting);
    json_decref(report->sent);
    free(report->socket_path);
    free(report->plan_id);
    free(report);
}

static void send_events(uv_work_t *work) {
    struct apply_report *report = work->data;
    (void)!api_client_tell_plan(report->socket_path, report->plan_id, report->sent_first, report->sent, NULL);
}

static void on_gathered(uv_timer_t *timer);

static void on_sent(uv_work_t *work, int status) {
    struct apply_report *report = work->data;
    (void)status;
    json_decref(report->sent);
    report->sent = NULL;
    report->is_sending = false;
    on_gathered(&report->timer);
}

static void on_gathered(uv_timer_t *timer) {
    struct apply_report *report = timer->data;
    if (report->is_sending)
        return;
    json_t *next = json_array_size(report->waiting) > 0 ? json_array() : NULL;
    if (next == NULL) {
        if (report->is_closed)
            free_report(report);
        return;
    }
    report->sent = report->waiting;
    report->sent_first = report->first;
    report->waiting = next;
    report->is_sending = true;
    report->work.data = report;
    if (uv_queue_work(report->loop, &report->work, send_events, on_sent) != 0)
        on_sent(&report->work, 0); /* cannot happen with both functions given */
}

enum dc_status apply_report_open(uv_loop_t *loop, const char *socket_path, const char *plan_id,
                                 struct apply_report **report_out, struct dc_error *err) {
    *report_out = NULL;
    struct apply_report *report = calloc(1, sizeof(*report));
    if (report == NULL)
        return error_set_nomem(err);
    report->loop = loop;
    report->socket_path = strdup(socket_path);
    report->plan_id = strdup(plan_id);
    report->waiting = json_array();
    if (report->socket_path == NULL || report->plan_id == NULL || report->waiting == NULL) {
        free_report(report);
        return error_set_nomem(err);
    }
    (void)uv_timer_init(loop, &report->timer); /* cannot fail */
    report->timer.data = report;
    uv_unref((uv_handle_t *)&report->timer);
    *report_out = report;
    return DC_OK;
}

void apply_report_add(struct apply_report *report, json_t *event) {
    report->n_events++;
    if (event == NULL || report->is_closing || json_array_size(report->waiting) >= MOST_WAITING)
        return; /* the gap in the numbers tells */
    if (json_array_size(report->waiting) == 0)
        report->first = report->n_events;
    (void)json_array_append(report->waiting, event);
    if (!report->is_sending && uv_is_active((uv_handle_t *)&report->timer) == 0)
        (void)uv_timer_start(&report->timer, on_gathered, GATHER_MS, 0);
}

static void on_closed(uv_handle_t *handle) {
    struct apply_report *report = handle->data;
    report->is_closed = true;
    on_gathered(&report->timer);
}

void apply_report_close(struct apply_report *report) {
    if (report == NULL)
        return;
    report->is_closing = true;
    uv_close((uv_handle_t *)&report->timer, on_closed);
}
