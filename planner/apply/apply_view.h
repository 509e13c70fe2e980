/*
 * What people and programs see of a plan that is run: lines on standard error, or on a terminal also a table of what
 * is under way that is redrawn in place; or, for programs, one JSON object a line on standard output. The daemon is
 * told the same events.
 *
 * In: the executor's events. Out: text.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "planner/apply/apply_report.h"
#include "planner/apply/executor.h"

#include <stdbool.h>

struct apply_view;

struct apply_view_config {
    bool is_quiet;
    bool is_jsonl;
    bool is_terminal; /* standard error can be written over */
};

/* NULL when out of memory. */
struct apply_view *apply_view_new(const struct apply_view_config *config);
void apply_view_free(struct apply_view **view);

/* What is shown from now on; both lent until the next call. */
void apply_view_set(struct apply_view *view, const struct plan *plan, const struct executor *executor,
                    unsigned revision);

/* Who is told of every event, too; lent until the next call. NULL: nobody. */
void apply_view_set_report(struct apply_view *view, struct apply_report *report);

void apply_view_changed(struct apply_view *view, size_t step);
void apply_view_progress(struct apply_view *view, size_t step);
/* About a step, or with `step` SIZE_MAX about the whole. */
void apply_view_note(struct apply_view *view, size_t step, const char *text);
/* No more comes; people are told by who began it. */
void apply_view_end(struct apply_view *view, bool is_whole);
