/* Where VMs are after the plan, and what hosts draw then. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_energy.h"

#include <math.h>
#include <stdlib.h>

struct placement {
    bool *on;      /* per host */
    double *cores; /* per host, in use */
    size_t *host;  /* per VM */
};

bool plan_energy_is_known(const struct fleet *fleet) {
    for (size_t i = 0; i < fleet->n_hosts; i++)
        if (fleet->hosts[i].idle_watts > 0)
            return true;
    return false;
}

static double watts_of(const struct fleet *fleet, struct placement *placement) {
    double watts = 0;
    for (size_t i = 0; i < fleet->n_hosts; i++)
        placement->cores[i] = 0;
    for (size_t i = 0; i < fleet->n_vms; i++)
        if (fleet->vms[i].state != FLEET_VM_SHUTOFF)
            placement->cores[placement->host[i]] += fleet->vms[i].cpu_cores_used;
    for (size_t i = 0; i < fleet->n_hosts; i++) {
        const struct fleet_host *host = &fleet->hosts[i];
        const double load_frac = host->cpus > 0 ? fmin(1, placement->cores[i] / host->cpus) : 0;
        watts += placement->on[i] ? host->idle_watts + load_frac * fmax(0, host->peak_watts - host->idle_watts) : 0;
    }
    return watts;
}

static void add_step(const struct plan_step *step, const struct fleet *fleet, double end_ms,
                     struct placement *placement, struct plan_energy *energy) {
    const long host = fleet_doc_find_host(fleet, step->action == PLAN_SHUTDOWN ? step->from : step->to);
    const double seconds = (step->end_ms - step->start_ms) / 1e3;
    if (host == FLEET_NO_INDEX)
        return;
    const struct fleet_host *it = &fleet->hosts[host];
    if (step->action == PLAN_BOOT) {
        placement->on[host] = true;
        energy->host_joules += it->peak_watts * seconds + it->idle_watts * fmax(0, end_ms - step->end_ms) / 1e3;
    } else if (step->action == PLAN_SHUTDOWN) {
        placement->on[host] = false;
        energy->host_joules += it->idle_watts * seconds;
    } else {
        const long vm = fleet_doc_find_vm(fleet, step->vm);
        energy->migration_joules += PLAN_ENERGY_JOULES_PER_BYTE * step->bytes + PLAN_ENERGY_JOULES_PER_VM;
        if (vm != FLEET_NO_INDEX)
            placement->host[vm] = (size_t)host;
    }
}

static void compute(const struct plan *plan, const struct fleet *fleet, struct placement *placement,
                    struct plan_energy *energy) {
    double end_ms = 0;
    for (size_t i = 0; i < fleet->n_hosts; i++)
        placement->on[i] = fleet->hosts[i].state != FLEET_HOST_OFF;
    for (size_t i = 0; i < fleet->n_vms; i++)
        placement->host[i] = fleet->vms[i].host;
    for (size_t i = 0; i < plan->n_steps; i++)
        end_ms = fmax(end_ms, plan->steps[i].end_ms);
    energy->watts_before = watts_of(fleet, placement);
    for (size_t i = 0; i < plan->n_steps; i++)
        add_step(&plan->steps[i], fleet, end_ms, placement, energy);
    energy->watts_after = watts_of(fleet, placement);
    const double saved_watts = energy->watts_before - energy->watts_after;
    const double joules = energy->migration_joules + energy->host_joules;
    energy->break_even_ms = saved_watts > 0 ? end_ms + 1e3 * joules / saved_watts : INFINITY;
}

enum dc_status plan_energy_of(const struct plan *plan, const struct fleet *fleet, struct plan_energy *energy_out,
                              struct dc_error *err) {
    *energy_out = (struct plan_energy){0};
    struct placement placement = {
        .on = calloc(fleet->n_hosts + 1, sizeof(*placement.on)),
        .cores = calloc(fleet->n_hosts + 1, sizeof(*placement.cores)),
        .host = calloc(fleet->n_vms + 1, sizeof(*placement.host)),
    };
    enum dc_status rc = DC_OK;
    if (placement.on == NULL || placement.cores == NULL || placement.host == NULL)
        rc = error_set_nomem(err);
    else
        compute(plan, fleet, &placement, energy_out);
    free(placement.on);
    free(placement.cores);
    free(placement.host);
    return rc;
}

json_t *plan_energy_json(const struct plan_energy *energy) {
    json_t *break_even =
        isfinite(energy->break_even_ms) ? json_integer((json_int_t)llround(energy->break_even_ms)) : json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:o}", "watts_before", energy->watts_before, "watts_after",
                     energy->watts_after, "watts_saved", energy->watts_before - energy->watts_after, "migration_joules",
                     energy->migration_joules, "host_joules", energy->host_joules, "break_even_ms", break_even);
}
