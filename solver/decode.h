/*
 * The decoder: turns an order with start thresholds into a schedule, by
 * malleable list scheduling.
 *
 * In:  problem, destinations, per VM a position in the order and a threshold
 *      (the share of its best bandwidth that it waits for).
 * Out: start, end and rates of every step, the makespan.
 *
 * At each event (a migration starts, ends a phase, or ends) the running VMs get
 * their floors (1.05 x the lowest bandwidth at which they converge and keep
 * their budget), then the rest of every arc by priority: stop-and-copy first,
 * then the order. Between events rates are constant; a transfer advances as
 * problem_cost says, and its stop-and-copy begins once what is left is its share.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "solver/solution.h"

#include <stdint.h>

struct decoder; /* scratch space of one problem and placement; reused over decodes */

struct decode_order {
    size_t n;               /* the VMs to move */
    size_t *vm;             /* first to last */
    double *threshold_frac; /* by place in the order, 0..1 */
};

/* What an order is worth; less is better, the first that differs counts. */
struct decode_score {
    size_t n_unstarted; /* held up for ever by memory or rules */
    double makespan_s;  /* of those that started */
    double downtime_worst_s;
    double downtime_total_s;
    double bytes;
    double ends_sum_s;
};

/* VMs with a destination other than their host in `to` can be in an order. */
DC_WARN_UNUSED enum dc_status decoder_new(const struct problem *problem, const long *to, enum problem_quantile quantile,
                                          struct decoder **decoder_out, struct dc_error *err);
void decoder_free(struct decoder **decoder);

/* From now on a decode that lasts until `end_s` (monotonic clock; INFINITY: none) is broken off there: those that
 * have not ended by then count as never started. */
void decoder_set_end(struct decoder *decoder, double end_s);

/* The makespan of an order in seconds, INFINITY on a memory deadlock (the VMs
 * that never started are then those for which decoder_started() is false). Allocates nothing. */
double decoder_makespan(struct decoder *decoder, const struct decode_order *order);
bool decoder_started(const struct decoder *decoder, size_t vm);

/* What held up a VM that never started in the last decode: memory of its destination
 * (CONFLICT_DEADLOCK) or a rule (CONFLICT_RULE). */
struct solution_conflict decoder_explain(const struct decoder *decoder, size_t vm);

/* Of the last decode; lent until the next. */
const struct decode_score *decoder_score(const struct decoder *decoder);

/* Memory for VMs that nobody held on the host at the end of the last decode (negative where it was too full before). */
double decoder_free_bytes(const struct decoder *decoder, size_t host);

/* When the VM's migration ended in the last decode; INFINITY if it never started. */
double decoder_end_s(const struct decoder *decoder, size_t vm);

/* The same, and every step written out (with `after`, rates, downtimes) into
 * `solution->steps`, replacing what was there; makespan_s of its quantile is
 * set. On a deadlock the steps are those that could start, and only
 * `*makespan_s_out` is INFINITY. */
DC_WARN_UNUSED enum dc_status decoder_schedule(struct decoder *decoder, const struct decode_order *order,
                                               struct solution *solution, double *makespan_s_out, struct dc_error *err);
