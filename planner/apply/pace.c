/* Who follows whom on a link is link_order.h's; what changes a step's share is found once, link by link. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/pace.h"

#include "planner/link_order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Times of a plan document that are the same. */
static const double same_ms = 1;

enum trigger_kind { TRIGGER_TIME, TRIGGER_BEGIN, TRIGGER_END };

/* What changes a step's share. */
struct trigger {
    enum trigger_kind kind;
    size_t step;     /* of BEGIN, END */
    double after_ms; /* since the step itself (TIME) or the other one began */
};

struct pace_of_step {
    double first_ms, last_ms; /* byte, in the plan */
    size_t n_after;
    size_t *after;            /* steps that must have ended */
    struct trigger *triggers; /* [n_rates], of rates[k] for k >= 1 */
};

struct pace {
    const struct plan *plan;
    struct pace_of_step *steps;
    struct link_order order; /* steps that must have sent all, or nearly */
};

/* A step on a link. */
struct use {
    const char *link;
    size_t step;
};

static int compare_uses(const void *a, const void *b) {
    const struct use *one = a, *other = b;
    const int order = strcmp(one->link, other->link);
    return order != 0 ? order : (one->step > other->step) - (one->step < other->step);
}

static bool is_at(double a_ms, double b_ms) {
    return fabs(a_ms - b_ms) <= same_ms;
}

/* What happens at that time of the plan on a link of step i's. */
static struct trigger find_trigger(const struct pace *pace, const struct use *uses, size_t n_uses, size_t i,
                                   double at_ms) {
    struct trigger found = {.kind = TRIGGER_TIME, .after_ms = at_ms - pace->plan->steps[i].start_ms};
    for (size_t k = 0; k < n_uses; k++) {
        const size_t other = uses[k].step;
        const struct pace_of_step *times = &pace->steps[other];
        if (other == i)
            continue;
        if (is_at(times->last_ms, at_ms) || is_at(pace->plan->steps[other].end_ms, at_ms))
            return (struct trigger){.kind = TRIGGER_END, .step = other};
        if (is_at(times->first_ms, at_ms))
            found = (struct trigger){
                .kind = TRIGGER_BEGIN, .step = other, .after_ms = times->first_ms - pace->plan->steps[other].start_ms};
    }
    return found;
}

static void add_triggers(struct pace *pace, const struct use *uses, size_t n_uses, size_t i) {
    const struct plan_step *step = &pace->plan->steps[i];
    struct trigger *triggers = pace->steps[i].triggers; /* never NULL once set up */
    for (size_t k = 1; triggers != NULL && k < step->n_rates; k++) {
        if (triggers[k].kind == TRIGGER_TIME) /* no other link explains it yet */
            triggers[k] = find_trigger(pace, uses, n_uses, i, step->rates[k].from_ms);
    }
}

/* Every step's uses of links, sorted by link. */
static bool list_uses(const struct plan *plan, struct use **uses_out, size_t *n_out) {
    size_t n = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        n += plan->steps[i].n_path;
    *n_out = 0;
    *uses_out = calloc(n + 1, sizeof(**uses_out));
    for (size_t i = 0; *uses_out != NULL && i < plan->n_steps; i++)
        for (size_t k = 0; k < plan->steps[i].n_path; k++)
            (*uses_out)[(*n_out)++] = (struct use){plan->steps[i].path[k], i};
    if (*n_out > 1)
        qsort(*uses_out, *n_out, sizeof(**uses_out), compare_uses);
    return *uses_out != NULL;
}

static bool find_triggers(struct pace *pace) {
    struct use *uses = NULL;
    size_t n_uses = 0;
    const bool ok = list_uses(pace->plan, &uses, &n_uses);
    for (size_t begin = 0, end = 0; ok && begin < n_uses; begin = end) {
        while (end < n_uses && strcmp(uses[end].link, uses[begin].link) == 0)
            end++;
        for (size_t k = begin; k < end; k++)
            add_triggers(pace, uses + begin, end - begin, uses[k].step);
    }
    free(uses);
    return ok;
}

static size_t step_with_id(const struct plan *plan, unsigned id) {
    if (id >= 1 && id <= plan->n_steps && plan->steps[id - 1].id == id)
        return id - 1; /* as they are written */
    for (size_t i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].id == id)
            return i;
    return SIZE_MAX;
}

static enum dc_status init_step(struct pace *pace, size_t i, struct dc_error *err) {
    const struct plan_step *step = &pace->plan->steps[i];
    struct pace_of_step *own = &pace->steps[i];
    own->first_ms = link_order_first_ms(step);
    own->last_ms = link_order_last_ms(step);
    own->after = calloc(step->n_after + 1, sizeof(*own->after));
    own->triggers = calloc(step->n_rates + 1, sizeof(*own->triggers));
    if (own->after == NULL || own->triggers == NULL)
        return error_set_nomem(err);
    for (size_t k = 0; k < step->n_after; k++) {
        const size_t other = step_with_id(pace->plan, step->after[k]);
        if (other == SIZE_MAX || other == i)
            return error_set(err, DC_EINVAL, "steps[%zu].after: expected the ids of other steps, got %u", i,
                             step->after[k]);
        own->after[own->n_after++] = other;
    }
    return DC_OK;
}

enum dc_status pace_new(const struct plan *plan, struct pace **pace_out, struct dc_error *err) {
    *pace_out = NULL;
    struct pace *pace = calloc(1, sizeof(*pace));
    if (pace == NULL)
        return error_set_nomem(err);
    pace->plan = plan;
    pace->steps = calloc(plan->n_steps + 1, sizeof(*pace->steps));
    enum dc_status rc = pace->steps == NULL ? error_set_nomem(err) : DC_OK;
    for (size_t i = 0; rc == DC_OK && i < plan->n_steps; i++)
        rc = init_step(pace, i, err);
    if (rc == DC_OK)
        rc = link_order_init(&pace->order, plan, err);
    if (rc == DC_OK && !find_triggers(pace))
        rc = error_set_nomem(err);
    if (rc != DC_OK)
        pace_free(&pace);
    *pace_out = pace;
    return rc;
}

void pace_free(struct pace **pace) {
    if (*pace == NULL)
        return;
    for (size_t i = 0; (*pace)->steps != NULL && i < (*pace)->plan->n_steps; i++) {
        free((*pace)->steps[i].after);
        free((*pace)->steps[i].triggers);
    }
    link_order_dispose(&(*pace)->order);
    free((*pace)->steps);
    free(*pace);
    *pace = NULL;
}

bool pace_may_begin(const struct pace *pace, size_t i, const struct pace_step *steps, double elapsed_ms) {
    const struct plan_step *step = &pace->plan->steps[i];
    const struct pace_of_step *own = &pace->steps[i];
    bool may = elapsed_ms >= step->not_before_ms;
    for (size_t k = 0; may && k < own->n_after; k++)
        may = steps[own->after[k]].has_ended && steps[own->after[k]].since_end_ms >= step->delay_ms;
    const struct link_order_list *follows = &pace->order.follows[i];
    const double lead_ms = own->first_ms - step->start_ms;
    for (size_t k = 0; may && k < follows->n; k++) {
        const struct pace_step *other = &steps[follows->items[k]];
        may = other->is_over || (other->has_begun && other->sending_left_ms <= lead_ms);
    }
    return may;
}

static bool has_come(const struct trigger *trigger, const struct pace_step *steps, size_t i) {
    const struct pace_step *other = &steps[trigger->kind == TRIGGER_TIME ? i : trigger->step];
    if (trigger->kind == TRIGGER_END)
        return other->is_over;
    return other->is_over || (other->has_begun && other->elapsed_ms >= trigger->after_ms);
}

double pace_bandwidth(const struct pace *pace, size_t i, const struct pace_step *steps) {
    const struct plan_step *step = &pace->plan->steps[i];
    double bytes_per_s = step->bandwidth_bytes_per_s;
    for (size_t k = 1; k < step->n_rates; k++) {
        /* The end of its sending is no reason to starve it where it takes longer. */
        if (step->rates[k].bytes_per_s <= 0 || !has_come(&pace->steps[i].triggers[k], steps, i))
            break;
        bytes_per_s = step->rates[k].bytes_per_s;
    }
    return bytes_per_s;
}

void pace_spread(const struct pace *pace, struct pace_step *steps) {
    for (size_t i = 0; i < pace->plan->n_steps; i++) { /* a step waits for those that stand before it */
        for (size_t k = 0; !steps[i].has_begun && k < pace->steps[i].n_after; k++) {
            const struct pace_step *other = &steps[pace->steps[i].after[k]];
            steps[i].is_over = steps[i].is_over || (other->is_over && !other->has_ended);
        }
    }
}
