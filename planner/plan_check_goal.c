/* What each goal that leaves a choice promises. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/units.h"
#include "planner/plan_check_stage.h"
#include "planner/plan_energy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double rounding_ms = 2;
static const double energy_slack_frac = 1e-6;
static const double load_slack_frac = 1e-6;
static const double energy_slack = 1; /* a watt, a joule, a millisecond */

static enum dc_status check_limit(const struct plan_staged *staged, double limit_ms, const char *name,
                                  struct dc_error *err) {
    if (limit_ms <= 0 || staged->plan->makespan_ms.p95 <= limit_ms + rounding_ms)
        return DC_OK;
    char limit[UNITS_TEXT_BYTES], found[UNITS_TEXT_BYTES];
    return plan_check_say(staged->violations, err, "the plan: takes %s, %s is %s",
                          units_format_duration(staged->plan->makespan_ms.p95, found, sizeof(found)), name,
                          units_format_duration(limit_ms, limit, sizeof(limit)));
}

static bool is_off(const json_t *object, const char *key, double value) {
    const json_t *claimed = json_object_get(object, key);
    if (!isfinite(value))
        return !json_is_null(claimed);
    const double number = json_number_value(claimed);
    return !json_is_number(claimed) || fabs(number - value) > energy_slack + energy_slack_frac * fabs(value);
}

static enum dc_status check_energy(const struct plan_staged *staged, struct dc_error *err) {
    const json_t *claimed = staged->plan->energy;
    struct plan_energy energy;
    if (claimed == NULL)
        return DC_OK;
    enum dc_status rc = plan_energy_of(staged->plan, staged->fleet, &energy, err);
    const struct {
        const char *key;
        double value;
    } figures[] = {
        {"watts_before", energy.watts_before},         {"watts_after", energy.watts_after},
        {"migration_joules", energy.migration_joules}, {"host_joules", energy.host_joules},
        {"break_even_ms", energy.break_even_ms},       {"watts_saved", energy.watts_before - energy.watts_after},
    };
    for (size_t i = 0; rc == DC_OK && i < sizeof(figures) / sizeof(figures[0]); i++)
        if (is_off(claimed, figures[i].key, figures[i].value))
            rc = plan_check_say(staged->violations, err, "energy.%s: the steps make it %.3f", figures[i].key,
                                figures[i].value);
    return rc;
}

/* Hosts that are on, before and after. */
static enum dc_status check_counts(const struct plan_staged *staged, struct dc_error *err) {
    const struct plan *plan = staged->plan;
    double n_before = 0, n_after = 0;
    for (size_t i = 0; i < staged->fleet->n_hosts; i++)
        n_before += staged->fleet->hosts[i].state == FLEET_HOST_ON;
    n_after = n_before;
    for (size_t i = 0; i < plan->n_steps; i++)
        n_after += (plan->steps[i].action == PLAN_BOOT) - (plan->steps[i].action == PLAN_SHUTDOWN);
    if (json_number_value(json_object_get(plan->choice, "hosts_on_before")) != n_before ||
        json_number_value(json_object_get(plan->choice, "hosts_on_after")) != n_after)
        return plan_check_say(staged->violations, err, "choice: %.0f hosts are on before and %.0f after the plan",
                              n_before, n_after);
    if (json_number_value(json_object_get(plan->choice, "hosts_on_at_least")) > n_after)
        return plan_check_say(staged->violations, err, "choice: fewer hosts are on than it says is possible");
    return DC_OK;
}

static enum dc_status check_consolidate(const struct plan_staged *staged, struct dc_error *err) {
    const struct goal_choice *choice = &staged->goal->choice;
    enum dc_status rc = check_counts(staged, err);
    if (rc == DC_OK)
        rc = check_energy(staged, err);
    if (rc == DC_OK)
        rc = check_limit(staged, choice->max_time_ms, "the time given", err);
    if (rc == DC_OK && plan_doc_is_whole(staged->plan) && staged->plan->n_hosts_off < choice->power_off)
        rc = plan_check_say(staged->violations, err, "the plan: switches %zu hosts off, %u were asked for",
                            staged->plan->n_hosts_off, choice->power_off);
    return rc;
}

/* On from the start of a boot to the end of a shutdown: the most of the rule's hosts at any time. */
static size_t most_online(const struct plan_staged *staged, const struct fleet_rule *rule) {
    const struct plan *plan = staged->plan;
    size_t most = 0;
    for (size_t at = 0; at <= plan->n_steps; at++) { /* before the plan, and as each boot begins */
        if (at > 0 && plan->steps[at - 1].action != PLAN_BOOT)
            continue;
        const double now_ms = at > 0 ? plan->steps[at - 1].start_ms : -1;
        size_t n_on = 0;
        for (size_t k = 0; k < rule->n_hosts; k++) {
            const struct fleet_host *host = &staged->fleet->hosts[rule->hosts[k]];
            bool is_on = host->state == FLEET_HOST_ON;
            for (size_t i = 0; i < plan->n_steps; i++) {
                const struct plan_step *step = &plan->steps[i];
                if (step->action == PLAN_BOOT && strcmp(step->to, host->name) == 0 && step->start_ms <= now_ms)
                    is_on = true;
                if (step->action == PLAN_SHUTDOWN && strcmp(step->from, host->name) == 0 &&
                    step->end_ms <= now_ms + rounding_ms)
                    is_on = false;
            }
            n_on += is_on;
        }
        most = n_on > most ? n_on : most;
    }
    return most;
}

/* More on than a rule allows, where the plan has brought that about. */
static enum dc_status check_max_online(const struct plan_staged *staged, struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = 0; rc == DC_OK && i < staged->fleet->n_rules; i++) {
        const struct fleet_rule *rule = &staged->fleet->rules[i];
        size_t n_before = 0;
        if (rule->type != FLEET_RULE_MAX_ONLINE || relax_drops_rule(&staged->goal->relax, i))
            continue;
        for (size_t k = 0; k < rule->n_hosts; k++)
            n_before += staged->fleet->hosts[rule->hosts[k]].state == FLEET_HOST_ON;
        const size_t most = most_online(staged, rule);
        if (most > rule->max && most > n_before)
            rc = plan_check_say(staged->violations, err, "rules[%zu] (max_online): %zu of its hosts are on, %u may be",
                                i, most, rule->max);
    }
    return rc;
}

/* Loads of hosts before and after; with `back` (a VM, or none) at home in the end. */
struct host_loads {
    double bytes, cores;
};

static void sum_loads(const struct plan_staged *staged, bool after, size_t back, struct host_loads *loads) {
    const struct fleet *fleet = staged->fleet;
    for (size_t host = 0; host < fleet->n_hosts; host++)
        loads[host] = (struct host_loads){0, 0};
    for (size_t i = 0; i < staged->n_stays; i++) {
        const struct plan_stay *stay = &staged->stays[i];
        const struct fleet_vm *vm = &fleet->vms[stay->vm];
        const bool counts = after && stay->vm != back ? isinf(stay->to_ms) : isinf(stay->from_ms);
        if (!counts)
            continue;
        loads[stay->host].bytes += vm->memory_bytes;
        loads[stay->host].cores += vm->cpu_cores_used;
    }
}

static double over_frac(const struct plan_staged *staged, const struct host_loads *loads, size_t host) {
    const struct goal_choice *choice = &staged->goal->choice;
    const struct fleet_host *it = &staged->fleet->hosts[host];
    const double bytes = it->memory_bytes - it->reserved_memory_bytes;
    double over = bytes > 0 ? fmax(0, loads[host].bytes / bytes - goal_choice_memory_frac(choice)) : 0;
    if (it->cpus > 0)
        over += fmax(0, loads[host].cores / it->cpus - goal_choice_cpu_frac(choice));
    return over;
}

static double all_over_frac(const struct plan_staged *staged, const struct host_loads *loads) {
    double over = 0;
    for (size_t host = 0; host < staged->fleet->n_hosts; host++)
        over += over_frac(staged, loads, host);
    return over;
}

/* Each VM that moves is needed: at home it would leave more to be over. */
static enum dc_status check_gains(const struct plan_staged *staged, struct host_loads *loads, double over,
                                  struct dc_error *err) {
    enum dc_status rc = DC_OK;
    for (size_t i = staged->fleet->n_vms; rc == DC_OK && i < staged->n_stays; i++) {
        if (!isinf(staged->stays[i].to_ms))
            continue;
        sum_loads(staged, true, staged->stays[i].vm, loads);
        if (all_over_frac(staged, loads) <= over + load_slack_frac)
            rc = plan_check_say(staged->violations, err, "VM %s: its move brings no load within the limits",
                                staged->fleet->vms[staged->stays[i].vm].name);
    }
    return rc;
}

static size_t count_moves(const struct plan_staged *staged) {
    size_t n = 0;
    for (size_t i = staged->fleet->n_vms; i < staged->n_stays; i++)
        n += isinf(staged->stays[i].to_ms) != 0;
    return n;
}

static enum dc_status check_rebalance(const struct plan_staged *staged, struct dc_error *err) {
    const json_t *choice = staged->plan->choice;
    struct host_loads *loads = calloc(staged->fleet->n_hosts + 1, sizeof(*loads));
    enum dc_status rc = loads == NULL ? error_set_nomem(err) : DC_OK;
    if (rc != DC_OK || loads == NULL)
        return rc;
    sum_loads(staged, true, SIZE_MAX, loads);
    const double over = all_over_frac(staged, loads);
    for (size_t host = 0; rc == DC_OK && plan_doc_is_whole(staged->plan) && host < staged->fleet->n_hosts; host++)
        if (staged->fleet->hosts[host].state == FLEET_HOST_ON && over_frac(staged, loads, host) > load_slack_frac)
            rc = plan_check_say(staged->violations, err, "host %s: stays loaded beyond the limits",
                                staged->fleet->hosts[host].name);
    for (size_t i = 0; rc == DC_OK && i < json_array_size(json_object_get(choice, "hosts")); i++) {
        const json_t *entry = json_array_get(json_object_get(choice, "hosts"), i);
        const char *name = json_string_value(json_object_get(entry, "host"));
        const long host = name != NULL ? fleet_doc_find_host(staged->fleet, name) : FLEET_NO_INDEX;
        const struct fleet_host *it = host != FLEET_NO_INDEX ? &staged->fleet->hosts[host] : NULL;
        const double claimed = json_number_value(json_object_get(json_object_get(entry, "memory_frac"), "after"));
        if (it == NULL || fabs(claimed - loads[host].bytes / (it->memory_bytes - it->reserved_memory_bytes)) > 1e-3)
            rc = plan_check_say(staged->violations, err, "choice.hosts[%zu]: not the load that the moves make", i);
    }
    const double n_moves = (double)count_moves(staged);
    if (rc == DC_OK && json_number_value(json_object_get(choice, "moves")) != n_moves)
        rc = plan_check_say(staged->violations, err, "choice.moves: the steps move %.0f VMs", n_moves);
    if (rc == DC_OK && plan_doc_is_whole(staged->plan) &&
        json_number_value(json_object_get(choice, "moves_at_least")) > n_moves)
        rc = plan_check_say(staged->violations, err, "choice.moves_at_least: %.0f moves do", n_moves);
    if (rc == DC_OK)
        rc = check_gains(staged, loads, over, err);
    free(loads);
    return rc;
}

enum dc_status plan_check_goal(const struct plan_staged *staged, struct dc_error *err) {
    enum dc_status rc = check_limit(staged, staged->goal->deadline_ms, "the deadline", err);
    if (rc == DC_OK)
        rc = check_max_online(staged, err);
    if (rc == DC_OK && staged->goal->kind == GOAL_CONSOLIDATE)
        rc = check_consolidate(staged, err);
    else if (rc == DC_OK && staged->goal->kind == GOAL_REBALANCE)
        rc = check_rebalance(staged, err);
    else if (rc == DC_OK && staged->goal->kind == GOAL_ROLLING)
        rc = plan_check_rolling(staged, err);
    return rc;
}
