/*
 * Dependencies from times. Concurrency: each host (and the plan) has as many
 * slots as its limit; a step takes a slot never used, or the one whose last
 * step ended last before it. Memory: a step pays for its place with what was free at
 * the beginning, then with what earlier steps left behind, and waits for those.
 * Such chains hold whatever the true durations are.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "solver/after.h"

#include "base/vec.h"

#include <stdlib.h>

static const size_t no_step = SIZE_MAX;
/* Memory is in whole bytes: less than one is rounding. */
static const double memory_slack_bytes = 0.5;

/* Memory that a step left behind and nobody has taken yet. */
struct leftover {
    size_t step;
    double bytes;
};

struct ledger {
    double free_bytes; /* at the beginning, not taken yet */
    struct leftover *leftovers;
    size_t n_leftovers, n_used, capacity;
};

struct builder {
    const struct problem *problem;
    struct solution_step *steps;
    size_t n_steps;
    size_t *by_end;     /* steps */
    size_t n_ended;     /* of by_end, when the present step starts */
    size_t *step_of;    /* per VM */
    size_t *slot_begin; /* per host, then the plan's own */
    size_t *slots;      /* the last step in each slot */
    struct ledger *ledgers;
    size_t *found; /* what the present step waits for */
    size_t n_found, found_capacity;
};

static bool wait_for(struct builder *builder, size_t step) {
    if (vec_has(builder->found, builder->n_found, step))
        return true;
    if (!vec_reserve((void **)&builder->found, &builder->found_capacity, builder->n_found + 1, sizeof(*builder->found)))
        return false;
    builder->found[builder->n_found++] = step;
    return true;
}

static size_t slot_limit(const struct builder *builder, size_t owner) {
    const struct problem *problem = builder->problem;
    const size_t limit = owner < problem->n_hosts ? problem->hosts[owner].max_migrations : problem->max_parallel;
    return limit < builder->n_steps ? limit : builder->n_steps;
}

static bool take_slot(struct builder *builder, size_t owner, size_t step) {
    size_t best = no_step;
    for (size_t i = builder->slot_begin[owner]; i < builder->slot_begin[owner + 1]; i++) {
        const size_t last = builder->slots[i];
        if (last == no_step) {
            builder->slots[i] = step;
            return true;
        }
        if (builder->steps[last].end_s <= builder->steps[step].start_s &&
            (best == no_step || builder->steps[last].end_s > builder->steps[builder->slots[best]].end_s))
            best = i;
    }
    if (best == no_step) /* no limit */
        return true;
    const size_t before = builder->slots[best];
    builder->slots[best] = step;
    return wait_for(builder, before);
}

static bool take_memory(struct builder *builder, size_t step) {
    struct ledger *ledger = &builder->ledgers[builder->steps[step].to];
    double needed = builder->problem->vms[builder->steps[step].vm].memory_bytes;
    if (ledger->free_bytes > 0) {
        const double taken = ledger->free_bytes < needed ? ledger->free_bytes : needed;
        ledger->free_bytes -= taken;
        needed -= taken;
    }
    while (needed > memory_slack_bytes && ledger->n_used < ledger->n_leftovers) {
        struct leftover *leftover = &ledger->leftovers[ledger->n_used];
        if (!wait_for(builder, leftover->step))
            return false;
        const double taken = leftover->bytes < needed ? leftover->bytes : needed;
        leftover->bytes -= taken;
        needed -= taken;
        if (leftover->bytes <= memory_slack_bytes)
            ledger->n_used++;
    }
    return true;
}

/* What ends leaves its memory behind; a host that was overfull keeps it first. */
static bool leave_memory(struct builder *builder, size_t step) {
    struct ledger *ledger = &builder->ledgers[builder->steps[step].from];
    double bytes = builder->problem->vms[builder->steps[step].vm].memory_bytes;
    if (ledger->free_bytes < 0) {
        ledger->free_bytes += bytes;
        if (ledger->free_bytes <= 0)
            return true;
        bytes = ledger->free_bytes;
        ledger->free_bytes = 0;
    }
    if (!vec_reserve((void **)&ledger->leftovers, &ledger->capacity, ledger->n_leftovers + 1,
                     sizeof(*ledger->leftovers)))
        return false;
    ledger->leftovers[ledger->n_leftovers++] = (struct leftover){step, bytes};
    return true;
}

/* Of one rule: the step before in a precedence, the last that ended in a
 * serialization, all that had to leave the destination in a spread. */
static bool follow_rule(struct builder *builder, const struct problem_rule *rule, size_t step) {
    const struct solution_step *self = &builder->steps[step];
    size_t last = no_step;
    for (size_t i = 0; i < rule->n_vms; i++) {
        if (rule->vms[i] == self->vm && rule->type == PROBLEM_PRECEDENCE)
            break;
        const size_t other = builder->step_of[rule->vms[i]];
        if (other == no_step || other == step || builder->steps[other].end_s > self->start_s ||
            (other > step && rule->type != PROBLEM_PRECEDENCE)) /* it takes no time: that one waits for this one */
            continue;
        if (rule->type == PROBLEM_SPREAD && builder->steps[other].from == self->to && !wait_for(builder, other))
            return false;
        if (rule->type == PROBLEM_PRECEDENCE || last == no_step ||
            builder->steps[other].end_s > builder->steps[last].end_s)
            last = other;
    }
    return rule->type == PROBLEM_SPREAD || last == no_step || wait_for(builder, last);
}

/* All of the other kind that had to leave the destination. */
static bool follow_lonely(struct builder *builder, const struct problem_rule *rule, size_t step) {
    const struct solution_step *self = &builder->steps[step];
    const bool member = vec_has(rule->vms, rule->n_vms, self->vm);
    for (size_t i = 0; i < builder->n_ended; i++) {
        const size_t other = builder->by_end[i];
        if (builder->steps[other].from == self->to &&
            vec_has(rule->vms, rule->n_vms, builder->steps[other].vm) != member && !wait_for(builder, other))
            return false;
    }
    return true;
}

static bool follow_rules(struct builder *builder, size_t step) {
    const struct problem *problem = builder->problem;
    for (size_t i = 0; i < problem->n_rules; i++) {
        const struct problem_rule *rule = &problem->rules[i];
        const bool binds = rule->type == PROBLEM_PRECEDENCE || rule->type == PROBLEM_SERIALIZE ||
                           (rule->type == PROBLEM_SPREAD && rule->continuous);
        if (rule->type == PROBLEM_LONELY && rule->continuous && !follow_lonely(builder, rule, step))
            return false;
        if (binds && vec_has(rule->vms, rule->n_vms, builder->steps[step].vm) && !follow_rule(builder, rule, step))
            return false;
    }
    return true;
}

/* What ended on one of its hosts just when it started is why it started then. */
static bool follow_ends(struct builder *builder, size_t step) {
    const struct solution_step *self = &builder->steps[step];
    for (size_t i = builder->n_ended; i-- > 0 && builder->steps[builder->by_end[i]].end_s == self->start_s;) {
        const struct solution_step *other = &builder->steps[builder->by_end[i]];
        const bool shares =
            other->from == self->from || other->to == self->to || other->from == self->to || other->to == self->from;
        if (shares && !wait_for(builder, builder->by_end[i]))
            return false;
    }
    return true;
}

/* Is `step` implied by another one that was found? */
static bool is_implied(const struct builder *builder, size_t step) {
    for (size_t i = 0; i < builder->n_found; i++) {
        const struct solution_step *other = &builder->steps[builder->found[i]];
        for (size_t k = 0; k < other->n_after; k++)
            if (other->after[k] == step)
                return true;
    }
    return false;
}

static int compare_sizes(const void *left, const void *right) {
    const size_t a = *(const size_t *)left;
    const size_t b = *(const size_t *)right;
    return a < b ? -1 : a > b;
}

static bool write_after(struct builder *builder, size_t step) {
    struct solution_step *self = &builder->steps[step];
    if (builder->n_found == 0)
        return true;
    self->after = calloc(builder->n_found, sizeof(*self->after));
    if (self->after == NULL)
        return false;
    for (size_t i = 0; i < builder->n_found; i++)
        if (!is_implied(builder, builder->found[i]))
            self->after[self->n_after++] = builder->found[i];
    qsort(self->after, self->n_after, sizeof(*self->after), compare_sizes);
    return true;
}

static bool build_step(struct builder *builder, size_t step) {
    const struct solution_step *self = &builder->steps[step];
    builder->n_found = 0;
    for (; builder->n_ended < builder->n_steps; builder->n_ended++) {
        const size_t ended = builder->by_end[builder->n_ended];
        if (builder->steps[ended].end_s > self->start_s || ended >= step) /* what takes no time has not ended before */
            break;
        if (!leave_memory(builder, ended))
            return false;
    }
    return take_slot(builder, self->from, step) && take_slot(builder, self->to, step) &&
           take_slot(builder, builder->problem->n_hosts, step) && take_memory(builder, step) &&
           follow_rules(builder, step) && follow_ends(builder, step) && write_after(builder, step);
}

static int compare_ends(const void *left, const void *right, void *context) {
    const struct solution_step *steps = context;
    const double a = steps[*(const size_t *)left].end_s;
    const double b = steps[*(const size_t *)right].end_s;
    return a != b ? (a < b ? -1 : 1) : compare_sizes(left, right);
}

static bool init(struct builder *builder) {
    const struct problem *problem = builder->problem;
    builder->by_end = calloc(builder->n_steps, sizeof(*builder->by_end));
    builder->step_of = calloc(problem->n_vms + 1, sizeof(*builder->step_of));
    builder->slot_begin = calloc(problem->n_hosts + 2, sizeof(*builder->slot_begin));
    builder->ledgers = calloc(problem->n_hosts, sizeof(*builder->ledgers));
    if (builder->by_end == NULL || builder->step_of == NULL || builder->slot_begin == NULL || builder->ledgers == NULL)
        return false;
    for (size_t owner = 0; owner <= problem->n_hosts; owner++)
        builder->slot_begin[owner + 1] = builder->slot_begin[owner] + slot_limit(builder, owner);
    const size_t n_slots = builder->slot_begin[problem->n_hosts + 1];
    builder->slots = calloc(n_slots + 1, sizeof(*builder->slots));
    if (builder->slots == NULL)
        return false;
    for (size_t i = 0; i < n_slots; i++)
        builder->slots[i] = no_step;
    for (size_t host = 0; host < problem->n_hosts; host++)
        builder->ledgers[host].free_bytes = problem->hosts[host].memory_bytes;
    for (size_t vm = 0; vm < problem->n_vms; vm++) {
        if (!problem_is_leg(problem, vm))
            builder->ledgers[problem->vms[vm].host].free_bytes -= problem->vms[vm].memory_bytes;
        builder->step_of[vm] = no_step;
    }
    for (size_t i = 0; i < builder->n_steps; i++) {
        builder->by_end[i] = i;
        builder->step_of[builder->steps[i].vm] = i;
    }
    qsort_r(builder->by_end, builder->n_steps, sizeof(*builder->by_end), compare_ends, builder->steps);
    return true;
}

enum dc_status after_fill(const struct problem *problem, struct solution *solution, struct dc_error *err) {
    if (solution->n_steps == 0)
        return DC_OK;
    struct builder builder = {.problem = problem, .steps = solution->steps, .n_steps = solution->n_steps};
    bool good = init(&builder);
    for (size_t step = 0; good && step < builder.n_steps; step++)
        good = build_step(&builder, step);
    for (size_t host = 0; builder.ledgers != NULL && host < problem->n_hosts; host++)
        free(builder.ledgers[host].leftovers);
    free(builder.ledgers);
    free(builder.by_end);
    free(builder.step_of);
    free(builder.slot_begin);
    free(builder.slots);
    free(builder.found);
    return good ? DC_OK : error_set_nomem(err);
}
