/* Step by step, in the plan's order, so that a VM's second step begins where its first one ended. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/apply/preflight.h"

#include "planner/plan_check.h"

#include <stdlib.h>
#include <string.h>

struct preflight {
    const struct fleet *fleet;
    json_t *differences;
    const bool *is_left; /* [n_steps]; NULL: none has begun */
    bool *is_on;         /* [n_hosts]: by the fleet, or booted by a step */
    size_t *steps_of;    /* [n_vms]: so many steps of it were looked at */
    bool *was_said;      /* [n_hosts] */
};

static enum dc_status check_host(struct preflight *preflight, const char *name, struct dc_error *err) {
    json_t *said = preflight->differences;
    const long index = fleet_doc_find_host(preflight->fleet, name);
    if (index == FLEET_NO_INDEX)
        return plan_check_say(said, err, "host %s: there is none any more", name);
    const struct fleet_host *host = &preflight->fleet->hosts[index];
    if (preflight->was_said[index])
        return DC_OK;
    preflight->was_said[index] = true;
    if (!preflight->is_on[index])
        return plan_check_say(said, err, "host %s: is not on", name);
    if (host->freshness == FLEET_STALE || host->freshness == FLEET_LOST)
        return plan_check_say(said, err, "host %s: nothing was heard of it for too long", name);
    preflight->was_said[index] = false;
    return DC_OK;
}

static enum dc_status check_vm(struct preflight *preflight, const struct plan_step *step, struct dc_error *err) {
    json_t *said = preflight->differences;
    const long index = fleet_doc_find_vm(preflight->fleet, step->vm);
    if (index == FLEET_NO_INDEX)
        return plan_check_say(said, err, "%s: there is no such VM any more", step->vm_name);
    const struct fleet_vm *vm = &preflight->fleet->vms[index];
    const char *host = preflight->fleet->hosts[vm->host].name;
    if (preflight->steps_of[index]++ > 0)
        return DC_OK;
    if (strcmp(host, step->from) != 0)
        return plan_check_say(said, err, "%s: the plan takes it from %s, it is on %s", step->vm_name, step->from, host);
    const enum fleet_vm_state expected = step->action == PLAN_COLD_MIGRATE ? FLEET_VM_SHUTOFF : FLEET_VM_RUNNING;
    if (preflight->is_left != NULL) /* what it does, agents may not have told yet */
        return DC_OK;
    if (vm->state == FLEET_VM_MIGRATING)
        return plan_check_say(said, err, "%s: is being migrated", step->vm_name);
    if (vm->state != expected)
        return plan_check_say(said, err, "%s: %s", step->vm_name,
                              expected == FLEET_VM_SHUTOFF ? "is not shut off any more" : "does not run any more");
    return DC_OK;
}

static enum dc_status check_step(struct preflight *preflight, const struct plan_step *step, struct dc_error *err) {
    const long to = fleet_doc_find_host(preflight->fleet, step->to);
    const long from = fleet_doc_find_host(preflight->fleet, step->from);
    enum dc_status rc = DC_OK;
    if (step->action == PLAN_BOOT) {
        if (to == FLEET_NO_INDEX)
            return check_host(preflight, step->to, err);
        preflight->is_on[to] = true;
        return DC_OK;
    }
    if (preflight->is_left == NULL)
        rc = check_host(preflight, step->from, err);
    if (step->action == PLAN_SHUTDOWN) {
        if (from != FLEET_NO_INDEX)
            preflight->is_on[from] = false;
        return rc;
    }
    if (rc == DC_OK)
        rc = check_host(preflight, step->to, err);
    return rc == DC_OK ? check_vm(preflight, step, err) : rc;
}

/* What is under way, or over: it counts, and is not looked at. */
static void pass_step(struct preflight *preflight, const struct plan_step *step) {
    const long to = fleet_doc_find_host(preflight->fleet, step->to);
    const long vm = fleet_doc_find_vm(preflight->fleet, step->vm);
    if (step->action == PLAN_BOOT && to != FLEET_NO_INDEX)
        preflight->is_on[to] = true;
    else if (vm != FLEET_NO_INDEX)
        preflight->steps_of[vm]++;
}

enum dc_status preflight_check_rest(const struct plan *plan, const bool *is_left, const struct fleet *fleet,
                                    json_t *differences, struct dc_error *err) {
    struct preflight preflight = {.fleet = fleet,
                                  .differences = differences,
                                  .is_left = is_left,
                                  .is_on = calloc(fleet->n_hosts + 1, sizeof(bool)),
                                  .steps_of = calloc(fleet->n_vms + 1, sizeof(size_t)),
                                  .was_said = calloc(fleet->n_hosts + 1, sizeof(bool))};
    enum dc_status rc = DC_OK;
    if (preflight.is_on == NULL || preflight.steps_of == NULL || preflight.was_said == NULL)
        rc = error_set_nomem(err);
    for (size_t i = 0; rc == DC_OK && i < fleet->n_hosts; i++)
        preflight.is_on[i] = fleet->hosts[i].state != FLEET_HOST_OFF;
    for (size_t i = 0; rc == DC_OK && i < plan->n_steps; i++) {
        if (is_left == NULL || is_left[i])
            rc = check_step(&preflight, &plan->steps[i], err);
        else
            pass_step(&preflight, &plan->steps[i]);
    }
    free(preflight.is_on);
    free(preflight.steps_of);
    free(preflight.was_said);
    return rc;
}

enum dc_status preflight_check(const struct plan *plan, const struct fleet *fleet, json_t *differences,
                               struct dc_error *err) {
    return preflight_check_rest(plan, NULL, fleet, differences, err);
}
