/*
 * Rows are scaled to shares of what a slot can carry, so coefficients are near 1.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/step_rows.h"

#include <math.h>
#include <stdlib.h>

static const double slack_frac = 1e-9; /* rounding must never make a row stricter than the truth */

void step_rows_dispose(struct step_rows *step) {
    milp_free(&step->milp);
    free(step->started);
    free(step->ended);
    free(step->sent);
    free(step->row_columns);
    free(step->row_values);
    step->started = step->ended = step->sent = step->row_columns = NULL;
    step->row_values = NULL;
}

static const struct candidate *the_candidate(const struct step_rows *step, size_t mover) {
    return &step->candidates->items[step->candidates->begin[mover]];
}

static const struct problem_vm *the_vm(const struct step_rows *step, size_t mover) {
    return &step->problem->vms[step->candidates->vm[mover]];
}

static size_t at(const struct step_rows *step, size_t mover, size_t k) {
    return mover * (step->n_slots + 1) + k;
}

/* Whole slots that surely pass during `time_s`. */
static size_t whole_slots(const struct step_rows *step, double time_s) {
    double slots = floor(time_s / step->slot_s * (1 - slack_frac));
    return slots > 0 ? (size_t)slots : 0;
}

/* The columns of one snapshot. What is settled by times alone is fixed. */
static enum dc_status add_snapshot(struct step_rows *step, size_t mover, size_t k, struct dc_error *err) {
    const struct candidate *candidate = the_candidate(step, mover);
    const struct problem_cost *cost = &the_vm(step, mover)->cost[step->quantile];
    double now_s = (double)k * step->slot_s, left_s = (double)(step->n_slots - k) * step->slot_s;
    size_t n_whole = whole_slots(step, candidate->duration_s);
    bool must_run = k + n_whole >= step->n_slots;
    bool may_be_over = now_s >= candidate->duration_s * (1 - slack_frac);
    double most_sent = 1, least_sent = 0;
    if (candidate->volume_bytes > 0) {
        double share_per_s = candidate->bandwidth_bytes_per_s / candidate->volume_bytes * (1 + slack_frac);
        most_sent = fmin(1, fmax(0, now_s - cost->pre_s) * share_per_s);
        least_sent = fmax(0, 1 - fmax(0, left_s - cost->post_s) * share_per_s);
    }
    bool over = k == step->n_slots;
    if (over && (!may_be_over || most_sent < 1))
        least_sent = most_sent; /* add_ends() says that this length is impossible */
    enum dc_status rc =
        milp_add_column(step->milp, MILP_INTEGER, must_run, 1, 0, &step->started[at(step, mover, k)], err);
    if (rc == DC_OK)
        rc = milp_add_column(step->milp, MILP_INTEGER, over && may_be_over, may_be_over, 0,
                             &step->ended[at(step, mover, k)], err);
    if (rc == DC_OK)
        rc = milp_add_column(step->milp, MILP_CONTINUOUS, fmin(least_sent, most_sent), most_sent, -1,
                             &step->sent[at(step, mover, k)], err);
    return rc;
}

/* a - b <= upper */
static enum dc_status add_pair(struct step_rows *step, size_t a, size_t b, double upper, struct dc_error *err) {
    return milp_add_row(step->milp, -INFINITY, upper, 2, (size_t[]){a, b}, (double[]){1, -1}, err);
}

/* E <= F <= S, monotone, a duration between start and end, a rate of at most bmax. */
static enum dc_status add_mover_rows(struct step_rows *step, size_t mover, size_t k, struct dc_error *err) {
    const struct candidate *candidate = the_candidate(step, mover);
    const struct problem_cost *cost = &the_vm(step, mover)->cost[step->quantile];
    size_t n_whole = whole_slots(step, candidate->duration_s);
    size_t n_pre = whole_slots(step, cost->pre_s), n_post = whole_slots(step, cost->post_s);
    size_t now = at(step, mover, k);
    enum dc_status rc = DC_OK;
    if (k >= n_pre)
        rc = add_pair(step, step->sent[now], step->started[now - n_pre], 0, err);
    if (rc == DC_OK && k >= n_post)
        rc = add_pair(step, step->ended[now], step->sent[now - n_post], 0, err);
    if (rc == DC_OK && k >= n_whole)
        rc = add_pair(step, step->ended[now], step->started[now - n_whole], 0, err);
    if (rc != DC_OK || k == 0)
        return rc;
    rc = add_pair(step, step->started[now - 1], step->started[now], 0, err);
    if (rc == DC_OK)
        rc = add_pair(step, step->ended[now - 1], step->ended[now], 0, err);
    if (rc == DC_OK)
        rc = add_pair(step, step->sent[now - 1], step->sent[now], 0, err);
    if (rc == DC_OK && candidate->volume_bytes > 0) {
        double most = candidate->bandwidth_bytes_per_s * step->slot_s / candidate->volume_bytes * (1 + slack_frac);
        if (most < 1)
            rc = add_pair(step, step->sent[now], step->sent[now - 1], most, err);
    }
    return rc;
}

static bool takes_arc(const struct step_rows *step, size_t mover, size_t arc) {
    return candidates_is_common(step->candidates, mover, (uint32_t)arc); /* its only path */
}

/* What an arc carries in slot k: less in the first and the last slot, for the
 * shortest setup before anything flows and the shortest tail after. */
static enum dc_status add_arc_rows(struct step_rows *step, size_t arc, struct dc_error *err) {
    double capacity = step->problem->arcs[arc].capacity_bytes_per_s, pre_s = INFINITY, post_s = INFINITY;
    enum dc_status rc = DC_OK;
    for (size_t mover = 0; mover < step->candidates->n_movers; mover++) {
        if (!takes_arc(step, mover, arc))
            continue;
        pre_s = fmin(pre_s, the_vm(step, mover)->cost[step->quantile].pre_s);
        post_s = fmin(post_s, the_vm(step, mover)->cost[step->quantile].post_s);
    }
    for (size_t k = 1; rc == DC_OK && isfinite(pre_s) && k <= step->n_slots; k++) {
        size_t n = 0;
        for (size_t mover = 0; mover < step->candidates->n_movers; mover++) {
            if (!takes_arc(step, mover, arc))
                continue;
            double share = the_candidate(step, mover)->volume_bytes / (capacity * step->slot_s);
            step->row_columns[n] = step->sent[at(step, mover, k)];
            step->row_values[n++] = share;
            step->row_columns[n] = step->sent[at(step, mover, k - 1)];
            step->row_values[n++] = -share;
        }
        double useful_s = step->slot_s - (k == 1 ? pre_s : 0) - (k == step->n_slots ? post_s : 0);
        rc = milp_add_row(step->milp, -INFINITY, fmax(0, useful_s / step->slot_s) * (1 + slack_frac), n,
                          step->row_columns, step->row_values, err);
    }
    return rc;
}

/* At most `limit` (0: any number) of the movers from or to `host` (SIZE_MAX: of
 * all) in flight at k. */
static enum dc_status add_cap_row(struct step_rows *step, size_t host, unsigned limit, size_t k, struct dc_error *err) {
    size_t n = 0, n_movers = 0;
    for (size_t mover = 0; limit > 0 && mover < step->candidates->n_movers; mover++) {
        if (host != SIZE_MAX && the_vm(step, mover)->host != host && the_candidate(step, mover)->host != host)
            continue;
        step->row_columns[n] = step->started[at(step, mover, k)];
        step->row_values[n++] = 1;
        step->row_columns[n] = step->ended[at(step, mover, k)];
        step->row_values[n++] = -1;
        n_movers++;
    }
    if (n_movers <= limit)
        return DC_OK;
    return milp_add_row(step->milp, -INFINITY, limit, n, step->row_columns, step->row_values, err);
}

/* Arrivals take memory from their start on, departures free it at their end. */
static enum dc_status add_memory_row(struct step_rows *step, size_t host, size_t k, struct dc_error *err) {
    const struct problem *problem = step->problem;
    double total = fmax(problem->hosts[host].memory_bytes, 1), free_bytes = total, arriving_bytes = 0;
    for (size_t vm = 0; vm < problem->n_vms; vm++)
        free_bytes -= problem->vms[vm].host == host ? problem->vms[vm].memory_bytes : 0;
    size_t n = 0;
    for (size_t mover = 0; mover < step->candidates->n_movers; mover++) {
        bool arrives = the_candidate(step, mover)->host == host;
        if (!arrives && the_vm(step, mover)->host != host)
            continue;
        double bytes = the_vm(step, mover)->memory_bytes;
        step->row_columns[n] = arrives ? step->started[at(step, mover, k)] : step->ended[at(step, mover, k)];
        step->row_values[n++] = (arrives ? bytes : -bytes) / total;
        arriving_bytes += arrives ? bytes : 0;
    }
    if (arriving_bytes <= free_bytes)
        return DC_OK;
    return milp_add_row(step->milp, -INFINITY, free_bytes / total + slack_frac, n, step->row_columns, step->row_values,
                        err);
}

static size_t mover_of(const struct step_rows *step, size_t vm) {
    for (size_t mover = 0; mover < step->candidates->n_movers; mover++) {
        if (step->candidates->vm[mover] == vm)
            return mover;
    }
    return SIZE_MAX;
}

/* Precedence: E of one at least S of the next. Together: equal S. Serialize:
 * at most one between S and E. The other rules are the placement's. */
static enum dc_status add_rule_rows(struct step_rows *step, const struct problem_rule *rule, size_t k,
                                    struct dc_error *err) {
    enum dc_status rc = DC_OK;
    size_t n = 0, last = SIZE_MAX;
    for (size_t i = 0; rc == DC_OK && i < rule->n_vms; i++) {
        size_t mover = mover_of(step, rule->vms[i]);
        if (mover == SIZE_MAX) {
            last = rule->type == PROBLEM_PRECEDENCE ? SIZE_MAX : last;
            continue;
        }
        size_t started = step->started[at(step, mover, k)];
        if (last != SIZE_MAX && rule->type == PROBLEM_PRECEDENCE)
            rc = add_pair(step, started, step->ended[at(step, last, k)], 0, err);
        if (last != SIZE_MAX && rule->type == PROBLEM_TOGETHER)
            rc = milp_add_row(step->milp, 0, 0, 2, (size_t[]){started, step->started[at(step, last, k)]},
                              (double[]){1, -1}, err);
        step->row_columns[n] = started;
        step->row_values[n++] = 1;
        step->row_columns[n] = step->ended[at(step, mover, k)];
        step->row_values[n++] = -1;
        last = mover;
    }
    if (rc == DC_OK && rule->type == PROBLEM_SERIALIZE && n > 2)
        rc = milp_add_row(step->milp, -INFINITY, 1, n, step->row_columns, step->row_values, err);
    return rc;
}

static enum dc_status add_shared_rows(struct step_rows *step, struct dc_error *err) {
    const struct problem *problem = step->problem;
    enum dc_status rc = DC_OK;
    for (size_t arc = 0; rc == DC_OK && arc < problem->n_arcs; arc++)
        rc = add_arc_rows(step, arc, err);
    for (size_t k = 0; rc == DC_OK && k <= step->n_slots; k++) {
        rc = add_cap_row(step, SIZE_MAX, problem->max_parallel, k, err);
        for (size_t host = 0; rc == DC_OK && host < problem->n_hosts; host++) {
            rc = add_cap_row(step, host, problem->hosts[host].max_migrations, k, err);
            if (rc == DC_OK)
                rc = add_memory_row(step, host, k, err);
        }
        for (size_t r = 0; rc == DC_OK && r < problem->n_rules; r++)
            rc = add_rule_rows(step, &problem->rules[r], k, err);
    }
    return rc;
}

/* All must be over after the last slot; where times alone forbid that, the row says so. */
static enum dc_status add_ends(struct step_rows *step, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t mover = 0; rc == DC_OK && mover < step->candidates->n_movers; mover++) {
        size_t columns[2] = {step->ended[at(step, mover, step->n_slots)], step->sent[at(step, mover, step->n_slots)]};
        rc = milp_add_row(step->milp, 2 * (1 - slack_frac), INFINITY, 2, columns, (double[]){1, 1}, err);
    }
    return rc;
}

enum dc_status step_rows_build(struct step_rows *step, struct dc_error *err) {
    size_t n_movers = step->candidates->n_movers, n = n_movers * (step->n_slots + 1);
    step->started = calloc(n + 1, sizeof *step->started);
    step->ended = calloc(n + 1, sizeof *step->ended);
    step->sent = calloc(n + 1, sizeof *step->sent);
    step->row_columns = calloc(2 * n_movers + 1, sizeof *step->row_columns);
    step->row_values = calloc(2 * n_movers + 1, sizeof *step->row_values);
    if (step->started == NULL || step->ended == NULL || step->sent == NULL || step->row_columns == NULL ||
        step->row_values == NULL)
        return error_set_nomem(err);
    enum dc_status rc = milp_new(&step->milp, err);
    for (size_t mover = 0; rc == DC_OK && mover < n_movers; mover++) {
        for (size_t k = 0; rc == DC_OK && k <= step->n_slots; k++)
            rc = add_snapshot(step, mover, k, err);
        for (size_t k = 0; rc == DC_OK && k <= step->n_slots; k++)
            rc = add_mover_rows(step, mover, k, err);
    }
    if (rc == DC_OK)
        rc = add_shared_rows(step, err);
    return rc == DC_OK ? add_ends(step, err) : rc;
}
