/* The goal is changed as a user would change it: --exclude for hosts and VMs, a nearer --deadline. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/replan.h"

#include "base/vec.h"
#include "planner/answer.h"
#include "planner/goal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TOLD = 20 };

static enum dc_status place_one(void *context, const struct journal_entry *entry, struct dc_error *err) {
    const struct fleet *fleet = context;
    (void)err;
    if (entry->kind != JOURNAL_DONE || entry->vm[0] == '\0')
        return DC_OK;
    const long vm = fleet_doc_find_vm(fleet, entry->vm);
    const long host = fleet_doc_find_host(fleet, entry->to);
    if (vm != FLEET_NO_INDEX && host != FLEET_NO_INDEX)
        fleet->vms[vm].host = (size_t)host;
    return DC_OK;
}

enum dc_status replan_place(struct journal *journal, struct fleet *fleet, struct dc_error *err) {
    return journal_read(journal, place_one, fleet, err);
}

/* A migration that was given up. */
struct fault {
    char *vm, *to;
    bool is_stuck;
};

struct faults {
    size_t n, capacity;
    struct fault *items;
};

static void dispose(struct faults *faults) {
    for (size_t i = 0; i < faults->n; i++) {
        free(faults->items[i].vm);
        free(faults->items[i].to);
    }
    free(faults->items);
}

/* A VM that has moved after all is forgiven. */
static void forgive(struct faults *faults, const char *vm) {
    size_t n_left = 0;
    for (size_t i = 0; i < faults->n; i++) {
        if (strcmp(faults->items[i].vm, vm) != 0) {
            faults->items[n_left++] = faults->items[i];
            continue;
        }
        free(faults->items[i].vm);
        free(faults->items[i].to);
    }
    faults->n = n_left;
}

static enum dc_status note_fault(void *context, const struct journal_entry *entry, struct dc_error *err) {
    struct faults *faults = context;
    if (entry->kind == JOURNAL_DONE)
        forgive(faults, entry->vm);
    if ((entry->kind != JOURNAL_FAILED && entry->kind != JOURNAL_STUCK) || entry->vm[0] == '\0')
        return DC_OK;
    if (!vec_reserve((void **)&faults->items, &faults->capacity, faults->n + 1, sizeof(*faults->items)))
        return error_set_nomem(err);
    struct fault *fault = &faults->items[faults->n++];
    *fault = (struct fault){strdup(entry->vm), strdup(entry->to), entry->kind == JOURNAL_STUCK};
    return fault->vm != NULL && fault->to != NULL ? DC_OK : error_set_nomem(err);
}

enum dc_status replan_given_up(struct journal *journal, size_t *n_vms_out, struct dc_error *err) {
    struct faults faults = {.n = 0};
    const enum dc_status rc = journal_read(journal, note_fault, &faults, err);
    *n_vms_out = faults.n;
    dispose(&faults);
    return rc;
}

static enum dc_status exclude(struct goal *goal, const char *name, struct dc_error *err) {
    for (size_t i = 0; i < goal->n_exclude; i++)
        if (strcmp(goal->exclude[i], name) == 0)
            return DC_OK;
    char *copy = strdup(name);
    char **grown = realloc(goal->exclude, (goal->n_exclude + 1) * sizeof(*grown));
    if (grown != NULL)
        goal->exclude = grown;
    if (copy == NULL || grown == NULL) {
        free(copy);
        return error_set_nomem(err);
    }
    goal->exclude[goal->n_exclude++] = copy;
    return DC_OK;
}

/* Stuck, or on its way to two hosts: then the fault is hardly theirs. */
static bool is_of_vm(const struct faults *faults, const struct fault *fault) {
    bool is_own = fault->is_stuck;
    for (size_t i = 0; i < faults->n; i++) {
        const struct fault *other = &faults->items[i];
        is_own =
            is_own || (strcmp(other->vm, fault->vm) == 0 && (other->is_stuck || strcmp(other->to, fault->to) != 0));
    }
    return is_own;
}

enum dc_status replan_find_doomed(struct journal *journal, const struct plan *plan, const bool *is_left,
                                  size_t *step_out, struct dc_error *err) {
    struct faults faults = {.n = 0};
    const enum dc_status rc = journal_read(journal, note_fault, &faults, err);
    *step_out = SIZE_MAX;
    for (size_t i = 0; rc == DC_OK && i < faults.n; i++) {
        for (size_t k = 0; !is_of_vm(&faults, &faults.items[i]) && k < plan->n_steps; k++)
            if (is_left[k] && plan->steps[k].vm[0] != '\0' && strcmp(plan->steps[k].to, faults.items[i].to) == 0)
                *step_out = k;
    }
    dispose(&faults);
    return rc;
}

/* What cannot be moved, and where nothing can be moved to; what is gone by now needs no word. */
static enum dc_status exclude_faults(struct journal *journal, const struct fleet *fleet, struct goal *goal,
                                     struct dc_error *err) {
    struct faults faults = {.n = 0};
    enum dc_status rc = journal_read(journal, note_fault, &faults, err);
    for (size_t i = 0; rc == DC_OK && i < faults.n; i++) {
        const struct fault *fault = &faults.items[i];
        const char *name = is_of_vm(&faults, fault) ? fault->vm : fault->to;
        if (fleet_doc_find_vm(fleet, name) != FLEET_NO_INDEX || fleet_doc_find_host(fleet, name) != FLEET_NO_INDEX)
            rc = exclude(goal, name, err);
    }
    dispose(&faults);
    return rc;
}

/* The question of the first revision. */
static enum dc_status first_goal(struct journal *journal, struct goal *goal_out, struct dc_error *err) {
    struct plan first = {0};
    char *text = NULL;
    enum dc_status rc = journal_plan(journal, 0, &text, err);
    if (rc == DC_OK)
        rc = plan_doc_read(text, strlen(text), &first, err);
    if (rc == DC_OK)
        rc = goal_from_json(first.goal, goal_out, err);
    plan_doc_dispose(&first);
    free(text);
    return rc;
}

static bool is_excluded(const struct goal *goal, const char *name) {
    for (size_t i = 0; i < goal->n_exclude; i++)
        if (strcmp(goal->exclude[i], name) == 0)
            return true;
    return false;
}

/* Is step i the last one of its VM? */
static bool is_last_of_vm(const struct plan *plan, size_t i) {
    for (size_t k = i + 1; k < plan->n_steps; k++)
        if (strcmp(plan->steps[k].vm, plan->steps[i].vm) == 0)
            return false;
    return true;
}

/* The moves that are left, less those that cannot be. */
static enum dc_status ask_for_moves(const struct plan *plan, const struct executor *executor, struct goal *goal,
                                    struct dc_error *err) {
    goal->kind = GOAL_SCHEDULE;
    goal->choice = (struct goal_choice){0};
    moves_doc_dispose(&goal->moves);
    goal->moves.moves = calloc(plan->n_steps + 1, sizeof(*goal->moves.moves));
    if (goal->moves.moves == NULL)
        return error_set_nomem(err);
    for (size_t i = 0; i < plan->n_steps; i++) {
        const struct plan_step *step = &plan->steps[i];
        if (step->vm[0] == '\0' || executor_step(executor, i)->state == EXECUTOR_DONE || !is_last_of_vm(plan, i) ||
            is_excluded(goal, step->vm) || is_excluded(goal, step->to))
            continue;
        struct move *move = &goal->moves.moves[goal->moves.n_moves++];
        move->vm = strdup(step->vm);
        move->to = strdup(step->to);
        if (move->vm == NULL || move->to == NULL)
            return error_set_nomem(err);
    }
    return DC_OK;
}

enum dc_status replan_make(const struct replan_request *request, const struct fleet *fleet, struct plan *plan_out,
                           struct dc_error *err) {
    struct goal goal;
    *plan_out = (struct plan){0};
    enum dc_status rc = first_goal(request->journal, &goal, err);
    if (rc != DC_OK)
        return rc;
    rc = exclude_faults(request->journal, fleet, &goal, err);
    if (rc == DC_OK && goal.kind != GOAL_EVACUATE)
        rc = ask_for_moves(request->plan, request->executor, &goal, err);
    if (goal.deadline_ms > 0)
        goal.deadline_ms = fmax(1, goal.deadline_ms - request->elapsed_ms);
    goal.time_limit_ms = fmin(goal.time_limit_ms, request->search_limit_ms);
    goal.explain = false;
    if (rc == DC_OK)
        rc = answer(fleet, &goal, NULL, plan_out, err);
    if (rc == DC_OK && goal.deadline_ms > 0 && request->may_be_late && !plan_doc_is_whole(plan_out)) {
        plan_doc_dispose(plan_out);
        goal.deadline_ms = 0;
        rc = answer(fleet, &goal, NULL, plan_out, err);
    }
    goal_dispose(&goal);
    return rc;
}

/* --- what is other --- */

/* The last step of a VM; NULL: it has none. */
static const struct plan_step *last_of_vm(const struct plan *plan, const char *vm) {
    for (size_t i = plan->n_steps; i-- > 0;)
        if (strcmp(plan->steps[i].vm, vm) == 0)
            return &plan->steps[i];
    return NULL;
}

/* "": nothing. */
static void describe_move(const struct plan_step *step, const struct plan *plan, char *text, size_t n_bytes) {
    const struct plan_step *before = last_of_vm(plan, step->vm);
    text[0] = '\0';
    if (before == NULL)
        (void)snprintf(text, n_bytes, "%s: moves too, to %s", step->vm_name, step->to);
    else if (strcmp(before->to, step->to) != 0)
        (void)snprintf(text, n_bytes, "%s: to %s, no more to %s", step->vm_name, step->to, before->to);
}

void replan_tell(const struct plan *plan, const struct executor *executor, const struct plan *next,
                 void (*tell)(void *context, const char *text), void *context) {
    char text[512];
    size_t n_told = 0;
    for (size_t i = 0; i < next->n_steps + plan->n_steps; i++) {
        const bool is_next = i < next->n_steps;
        const size_t k = is_next ? i : i - next->n_steps;
        const struct plan_step *step = is_next ? &next->steps[k] : &plan->steps[k];
        text[0] = '\0';
        if (step->vm[0] == '\0' || !is_last_of_vm(is_next ? next : plan, k))
            continue;
        if (is_next)
            describe_move(step, plan, text, sizeof(text));
        else if (executor_step(executor, k)->state != EXECUTOR_DONE && last_of_vm(next, step->vm) == NULL)
            (void)snprintf(text, sizeof(text), "%s: stays where it is", step->vm_name);
        n_told += text[0] != '\0';
        if (text[0] != '\0' && n_told <= MOST_TOLD)
            tell(context, text);
    }
    if (n_told <= MOST_TOLD)
        return;
    (void)snprintf(text, sizeof(text), "and %zu more", n_told - MOST_TOLD);
    tell(context, text);
}
