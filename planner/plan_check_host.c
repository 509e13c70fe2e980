/*
 * Hosts of a plan in stages. A host is off from the start of its shutdown to the end
 * of its boot; a VM is on a host from the start of the step that brings it to the end of the
 * one that takes it away. VMs that were on a host that is off from the start were there before.
 */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_check_stage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double rounding_ms = 2;

static bool is_host_step(const struct plan_step *step) {
    return step->action == PLAN_BOOT || step->action == PLAN_SHUTDOWN;
}

static const char *host_of(const struct plan_step *step) {
    return step->action == PLAN_BOOT ? step->to : step->from;
}

/* The host's next boot or shutdown from step `index` on, in the order of the plan; n_steps: none. */
static size_t next_of(const struct plan *plan, size_t index, const char *host) {
    while (index < plan->n_steps &&
           (!is_host_step(&plan->steps[index]) || strcmp(host_of(&plan->steps[index]), host) != 0))
        index++;
    return index;
}

/* A VM that counts on the host at some time in between, or NULL. */
static const struct fleet_vm *find_guest(const struct plan_staged *staged, size_t host, double from_ms, double to_ms,
                                         bool only_arrivals) {
    for (size_t i = only_arrivals ? staged->fleet->n_vms : 0; i < staged->n_stays; i++) {
        const struct plan_stay *stay = &staged->stays[i];
        if (stay->host == host && stay->from_ms < to_ms - rounding_ms && stay->to_ms > from_ms + rounding_ms)
            return &staged->fleet->vms[stay->vm];
    }
    return NULL;
}

static enum dc_status check_step(const struct plan_staged *staged, const struct plan_step *step, bool is_on,
                                 const struct fleet_host *host, struct dc_error *err) {
    const bool boots = step->action == PLAN_BOOT;
    const double needed_ms = 1e3 * (boots ? host->boot_s : host->shutdown_s);
    if (boots == is_on)
        return plan_check_say(staged->violations, err, "step %u: host %s is %s already", step->id, host->name,
                              is_on ? "on" : "off");
    if (host->state == FLEET_HOST_MAINTENANCE)
        return plan_check_say(staged->violations, err, "step %u: host %s is in maintenance", step->id, host->name);
    if (step->end_ms - step->start_ms < needed_ms - rounding_ms)
        return plan_check_say(staged->violations, err, "step %u: host %s takes %.0f ms for it, not %.0f", step->id,
                              host->name, needed_ms, step->end_ms - step->start_ms);
    return DC_OK;
}

/* Marks the steps that `id` waits for, by others too (`up`), or those that wait for it; ids are places, and what is
 * waited for stands before. */
static void mark_chain(const struct plan *plan, unsigned id, bool up, bool *marks) {
    marks[id - 1] = true;
    for (size_t n = 0; n < plan->n_steps; n++) {
        const size_t i = up ? plan->n_steps - 1 - n : n;
        const struct plan_step *step = &plan->steps[i];
        for (size_t k = 0; k < step->n_after; k++) {
            const unsigned before = step->after[k];
            if (before < 1 || before > i)
                continue;
            if (up && marks[i])
                marks[before - 1] = true;
            else if (!up && marks[before - 1])
                marks[i] = true;
        }
    }
}

/* Run by `after` alone, the host must not go off before its VMs are gone, nor VMs come before it is on. */
static enum dc_status check_waiting(const struct plan_staged *staged, const struct plan_step *step,
                                    struct dc_error *err) {
    const struct plan *plan = staged->plan;
    const bool boots = step->action == PLAN_BOOT;
    bool *marks = calloc(plan->n_steps + 1, sizeof(*marks));
    enum dc_status rc = marks == NULL ? error_set_nomem(err) : DC_OK;
    if (rc == DC_OK)
        mark_chain(plan, step->id, !boots, marks);
    for (size_t i = 0; rc == DC_OK && i < plan->n_steps; i++) {
        const struct plan_step *other = &plan->steps[i];
        if (is_host_step(other))
            continue;
        const bool leaves = !boots && strcmp(other->from, step->from) == 0 && other->id < step->id;
        const bool comes = boots && strcmp(other->to, step->to) == 0 && other->id > step->id;
        if ((leaves || comes) && !marks[i])
            rc = plan_check_say(staged->violations, err, "step %u does not wait for step %u",
                                leaves ? step->id : other->id, leaves ? other->id : step->id);
    }
    free(marks);
    return rc;
}

/* Is the host off at the end, having been on? */
static bool is_listed(const struct plan *plan, const char *host) {
    for (size_t i = 0; i < plan->n_hosts_off; i++)
        if (strcmp(plan->hosts_off[i], host) == 0)
            return true;
    return false;
}

static enum dc_status check_host(const struct plan_staged *staged, size_t index, struct dc_error *err) {
    const struct plan *plan = staged->plan;
    const struct fleet_host *host = &staged->fleet->hosts[index];
    bool is_on = host->state != FLEET_HOST_OFF;
    bool was_on = is_on;
    double off_ms = is_on ? INFINITY : -INFINITY, free_ms = -INFINITY;
    const struct fleet_vm *guest = NULL;
    enum dc_status rc = DC_OK;
    for (size_t i = next_of(plan, 0, host->name); rc == DC_OK && i < plan->n_steps;
         i = next_of(plan, i + 1, host->name)) {
        const struct plan_step *step = &plan->steps[i];
        rc = check_step(staged, step, is_on, host, err);
        if (rc == DC_OK && step->start_ms < free_ms - rounding_ms)
            rc = plan_check_say(staged->violations, err, "step %u: host %s has not done its step before", step->id,
                                host->name);
        if (rc == DC_OK)
            rc = check_waiting(staged, step, err);
        if (step->action == PLAN_BOOT && guest == NULL)
            guest = find_guest(staged, index, off_ms, step->end_ms, !was_on);
        off_ms = step->action == PLAN_BOOT ? INFINITY : step->start_ms;
        is_on = step->action == PLAN_BOOT;
        was_on = true;
        free_ms = step->end_ms;
    }
    if (rc == DC_OK && !is_on && guest == NULL)
        guest = find_guest(staged, index, off_ms, INFINITY, !was_on);
    if (rc == DC_OK && guest != NULL)
        rc =
            plan_check_say(staged->violations, err, "host %s: VM %s is on it while it is off", host->name, guest->name);
    const bool goes_off = !is_on && host->state == FLEET_HOST_ON;
    if (rc == DC_OK && goes_off != is_listed(plan, host->name))
        rc = plan_check_say(staged->violations, err, "hosts_off: host %s is %s at the end", host->name,
                            is_on ? "on" : "off");
    return rc;
}

enum dc_status plan_check_hosts(const struct plan_staged *staged, struct dc_error *err) {
    const struct plan *plan = staged->plan;
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < plan->n_steps; i++)
        if (is_host_step(&plan->steps[i]) &&
            fleet_doc_find_host(staged->fleet, host_of(&plan->steps[i])) == FLEET_NO_INDEX)
            rc = plan_check_say(staged->violations, err, "step %u: the fleet has no host %s", plan->steps[i].id,
                                host_of(&plan->steps[i]));
    for (size_t i = 0; rc == DC_OK && i < plan->n_hosts_off; i++)
        if (fleet_doc_find_host(staged->fleet, plan->hosts_off[i]) == FLEET_NO_INDEX)
            rc = plan_check_say(staged->violations, err, "hosts_off: the fleet has no host %s", plan->hosts_off[i]);
    for (size_t i = 0; rc == DC_OK && i < staged->fleet->n_hosts; i++)
        rc = check_host(staged, i, err);
    return rc;
}
