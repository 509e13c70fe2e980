/* The plan in memory. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "proto/plan_doc.h"

#include "proto/plan_fields.h"

#include <stdlib.h>

static void dispose_step(struct plan_step *step) {
    free(step->vm);
    free(step->vm_name);
    free(step->from);
    free(step->to);
    free(step->after);
    free(step->rates);
    for (size_t i = 0; i < step->n_path; i++)
        free(step->path[i]);
    free(step->path);
}

bool plan_doc_is_whole(const struct plan *plan) {
    return plan->status == PLAN_OPTIMAL || plan->status == PLAN_FEASIBLE;
}

void plan_doc_dispose(struct plan *plan) {
    if (plan == NULL)
        return;
    free(plan->id);
    free(plan->fleet_digest);
    json_decref(plan->goal);
    json_decref(plan->bound);
    json_decref(plan->forecast);
    json_decref(plan->energy);
    json_decref(plan->choice);
    json_decref(plan->stages);
    json_decref(plan->broken_rules);
    json_decref(plan->conflicts);
    json_decref(plan->warnings);
    json_decref(plan->explanation);
    for (size_t i = 0; i < plan->n_steps; i++)
        dispose_step(&plan->steps[i]);
    free(plan->steps);
    for (size_t i = 0; i < plan->n_hosts_off; i++)
        free(plan->hosts_off[i]);
    free(plan->hosts_off);
    *plan = (struct plan){0};
}

const char *plan_doc_status_text(enum plan_status status) {
    return plan_fields_statuses[status];
}

const char *plan_doc_action_text(enum plan_action action) {
    return plan_fields_actions[action];
}
