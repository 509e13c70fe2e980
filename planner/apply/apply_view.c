/* The table is written below the last line, and taken away before the next one. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/apply_view.h"

#include "base/clock.h"
#include "base/units.h"
#include "planner/apply/apply_event.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 16 };

static const double redraw_ms = 200;

struct apply_view {
    struct apply_view_config config;
    const struct plan *plan;
    const struct executor *executor;
    unsigned revision;
    struct apply_report *report; /* lent; NULL: none */
    unsigned n_drawn;            /* lines of the table on the terminal */
    double began_ms, drawn_ms;   /* monotonic */
};

struct apply_view *apply_view_new(const struct apply_view_config *config) {
    struct apply_view *view = calloc(1, sizeof(*view));
    if (view != NULL)
        *view = (struct apply_view){.config = *config, .began_ms = 1e3 * clock_monotonic_s()};
    return view;
}

static void erase(struct apply_view *view) {
    if (view->n_drawn > 0)
        (void)fprintf(stderr, "\033[%uA\033[J", view->n_drawn);
    view->n_drawn = 0;
}

void apply_view_free(struct apply_view **view) {
    if (*view != NULL)
        erase(*view);
    free(*view);
    *view = NULL;
}

void apply_view_set(struct apply_view *view, const struct plan *plan, const struct executor *executor,
                    unsigned revision) {
    erase(view);
    view->plan = plan;
    view->executor = executor;
    view->revision = revision;
}

static double elapsed_ms(const struct apply_view *view) {
    return 1e3 * clock_monotonic_s() - view->began_ms;
}

void apply_view_set_report(struct apply_view *view, struct apply_report *report) {
    view->report = report;
}

/* --- the table on a terminal --- */

/* Names come from elsewhere: what could steer a terminal is not shown. */
static void print_name(const char *name) {
    for (const char *at = name; *at != '\0'; at++)
        (void)fputc((unsigned char)*at < ' ' || *at == '\177' ? '?' : *at, stderr);
}

static void draw_row(const struct plan_step *step, const struct executor_step *shown, double now_ms) {
    char sent[UNITS_TEXT_BYTES], left[UNITS_TEXT_BYTES];
    (void)fputs("  ├─ ", stderr);
    print_name(step->vm[0] != '\0' ? step->vm_name : plan_doc_action_text(step->action));
    (void)fprintf(stderr, "  %s -> %s  %.1f of %.1f s", step->from, step->to, (now_ms - shown->begun_ms) / 1e3,
                  step->migration_ms.p50 / 1e3);
    if (shown->state == EXECUTOR_SETTLES)
        (void)fputs("  looking for it", stderr);
    else if (shown->has_progress && shown->progress.sent_bytes >= 0 && shown->progress.remaining_bytes >= 0)
        (void)fprintf(stderr, "  round %u, %s sent, %s left", shown->progress.round,
                      units_format_bytes(shown->progress.sent_bytes, sent, sizeof(sent)),
                      units_format_bytes(shown->progress.remaining_bytes, left, sizeof(left)));
    (void)fputs("\033[K\n", stderr);
}

static void draw(struct apply_view *view) {
    const struct plan *plan = view->plan;
    if (!view->config.is_terminal || view->config.is_quiet || view->executor == NULL)
        return;
    const double now_ms = executor_elapsed_ms(view->executor);
    erase(view);
    size_t n_done = 0, n_failed = 0, n_rows = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const struct executor_step *shown = executor_step(view->executor, i);
        n_done += shown->state == EXECUTOR_DONE;
        n_failed += shown->state == EXECUTOR_FAILED;
        if ((shown->state == EXECUTOR_RUNS || shown->state == EXECUTOR_SETTLES) && n_rows < MOST_ROWS) {
            draw_row(&plan->steps[i], shown, now_ms);
            n_rows++;
        }
    }
    const double p95_ms = apply_event_eta_ms(plan, view->executor, plan->makespan_ms.p95);
    const double deadline_ms = json_number_value(json_object_get(plan->goal, "deadline_ms"));
    (void)fprintf(stderr, "  └─ %zu of %zu steps done, %zu failed; %.1f s, all of it by %.1f s (p95 %.1f s", n_done,
                  plan->n_steps, n_failed, now_ms / 1e3,
                  apply_event_eta_ms(plan, view->executor, plan->makespan_ms.p50) / 1e3, p95_ms / 1e3);
    if (deadline_ms > 0)
        (void)fprintf(stderr, ", %.1f s %s the deadline", fabs(deadline_ms - p95_ms) / 1e3,
                      p95_ms <= deadline_ms ? "before" : "past");
    (void)fputs(")\033[K\n", stderr);
    view->n_drawn = (unsigned)n_rows + 1;
    view->drawn_ms = 1e3 * clock_monotonic_s();
}

/* --- events --- */

/* Takes the event over. */
static void emit(const struct apply_view *view, json_t *event) {
    char *text = event != NULL && view->config.is_jsonl ? json_dumps(event, JSON_COMPACT) : NULL;
    if (text != NULL)
        (void)fprintf(stdout, "%s\n", text);
    (void)fflush(stdout);
    free(text);
    if (view->report != NULL)
        apply_report_add(view->report, event);
    json_decref(event);
}

static bool is_told(const struct apply_view *view) {
    return view->config.is_jsonl || view->report != NULL;
}

static struct apply_moment moment(const struct apply_view *view) {
    return (struct apply_moment){view->plan, view->executor, view->revision, elapsed_ms(view)};
}

/* "   12.3 s  web1 (h1 -> h2): " */
static void print_head(const struct apply_view *view, size_t step) {
    (void)fprintf(stderr, "%7.1f s  ", elapsed_ms(view) / 1e3);
    if (step == SIZE_MAX)
        return;
    const struct plan_step *of = &view->plan->steps[step];
    if (of->vm[0] == '\0') {
        (void)fprintf(stderr, "%s %s: ", plan_doc_action_text(of->action), of->action == PLAN_BOOT ? of->to : of->from);
        return;
    }
    print_name(of->vm_name);
    (void)fprintf(stderr, " (%s -> %s): ", of->from, of->to);
}

static void print_state(const struct apply_view *view, size_t step) {
    const struct plan_step *of = &view->plan->steps[step];
    const struct executor_step *shown = executor_step(view->executor, step);
    char rate[UNITS_TEXT_BYTES];
    print_head(view, step);
    switch (shown->state) {
    case EXECUTOR_WAITS:
        (void)fprintf(stderr, "will be tried again: %s\n", shown->reason);
        break;
    case EXECUTOR_RUNS:
        if (of->vm[0] != '\0')
            (void)fprintf(stderr, "begins at %s, %.1f s expected%s\n",
                          units_format_rate(shown->bandwidth_bytes_per_s, rate, sizeof(rate)),
                          of->migration_ms.p50 / 1e3, shown->attempt > 1 ? ", once more" : "");
        else
            (void)fputs("begins\n", stderr);
        break;
    case EXECUTOR_SETTLES:
        (void)fputs("where it is is being asked\n", stderr);
        break;
    case EXECUTOR_DONE:
        (void)fprintf(stderr, "done in %.1f s", (shown->end_ms - shown->begun_ms) / 1e3);
        if (shown->downtime_ms >= 0)
            (void)fprintf(stderr, ", down for %.0f ms (%.0f expected)", shown->downtime_ms, of->downtime_ms.p50);
        (void)fputc('\n', stderr);
        break;
    case EXECUTOR_FAILED:
        (void)fprintf(stderr, "FAILED: %s\n", shown->reason);
        break;
    }
}

void apply_view_changed(struct apply_view *view, size_t step) {
    if (view->executor == NULL)
        return;
    if (is_told(view)) {
        const struct apply_moment now = moment(view);
        emit(view, apply_event_step(&now, step));
    }
    if (!view->config.is_quiet) {
        erase(view);
        print_state(view, step);
    }
    draw(view);
}

void apply_view_progress(struct apply_view *view, size_t step) {
    if (view->executor == NULL)
        return;
    if (is_told(view)) {
        const struct apply_moment now = moment(view);
        emit(view, apply_event_progress(&now, step));
    }
    if (1e3 * clock_monotonic_s() - view->drawn_ms >= redraw_ms)
        draw(view);
}

void apply_view_note(struct apply_view *view, size_t step, const char *text) {
    if (is_told(view)) {
        const struct apply_moment now = moment(view);
        emit(view, apply_event_note(&now, step, text));
    }
    if (!view->config.is_quiet) {
        erase(view);
        print_head(view, step);
        (void)fprintf(stderr, "%s\n", text);
    }
    draw(view);
}

void apply_view_end(struct apply_view *view, bool is_whole) {
    if (!is_told(view))
        return;
    const struct apply_moment now = moment(view);
    emit(view, apply_event_end(&now, is_whole));
}
