/* Conflicts to sentences. Each kind has one small function; a sentence names
 * the VM or host, the limit, and how much is lacking. */
// SPDX-License-Identifier: GPL-3.0-or-later
#include "planner/plan_conflict.h"

#include "base/units.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WHAT_BYTES = 512, NAME_BYTES = 160 };

static const double mib_bytes = 1 << 20;

struct wording {
    const struct question *question;
    const struct solution_conflict *conflict;
    char vm[NAME_BYTES];   /* "VM web1", or "the VMs together" */
    char host[NAME_BYTES]; /* "host h4", or "the hosts together" */
    char what[WHAT_BYTES];
    json_t *needs;
    json_t *relax;
};

static json_t *integer(double value) {
    return json_integer((json_int_t)llround(value));
}

/* What no amount would satisfy has no figure. */
static void need(struct wording *wording, const char *key, double value) {
    if (isfinite(value))
        (void)json_object_set_new(wording->needs, key, integer(value));
}

static void offer(struct wording *wording, const char *change, json_t *to) {
    json_t *item = json_pack("{s:s, s:o}", "change", change, "to", to);
    if (item != NULL)
        (void)json_array_append_new(wording->relax, item);
}

/* A change of one VM's or host's figure. */
static void offer_of(struct wording *wording, const char *change, const char *subject, const char *name, double to) {
    json_t *item = json_pack("{s:s, s:s, s:o}", "change", change, subject, name, "to", integer(ceil(to)));
    if (item != NULL)
        (void)json_array_append_new(wording->relax, item);
}

/* Its name where that says which one it is, else its uuid. */
static const char *handle_of(const struct fleet *fleet, long vm) {
    return fleet_doc_find_vm(fleet, fleet->vms[vm].name) == vm ? fleet->vms[vm].name : fleet->vms[vm].uuid;
}

static void offer_downtime(struct wording *wording, double to_ms) {
    if (wording->conflict->vm != PROBLEM_ANY && isfinite(to_ms))
        offer_of(wording, "downtime_budget_ms", "vm", handle_of(wording->question->fleet, wording->conflict->vm),
                 to_ms);
}

/* The receiving host that lacks the least for it: the one named, or the freest. */
static long host_to_grow(const struct wording *wording) {
    const struct question *question = wording->question;
    const struct problem *problem = &question->problem;
    if (wording->conflict->host != PROBLEM_ANY)
        return wording->conflict->host;
    long best = PROBLEM_ANY;
    for (size_t host = 0; host < problem->n_hosts; host++) {
        if (problem->hosts[host].receives &&
            (best == PROBLEM_ANY || problem->hosts[host].memory_bytes > problem->hosts[best].memory_bytes))
            best = (long)host;
    }
    return best;
}

static void offer_host(struct wording *wording, const char *change, double more) {
    const struct question *question = wording->question;
    const long host = host_to_grow(wording);
    if (host == PROBLEM_ANY || !(more > 0))
        return;
    const struct problem_host *it = &question->problem.hosts[host];
    const bool memory = strcmp(change, "memory_bytes") == 0;
    const double now = memory ? it->memory_bytes + question->fleet->hosts[host].reserved_memory_bytes : it->cpu_cores;
    const double to = memory ? mib_bytes * ceil((now + more) / mib_bytes) : now + more;
    offer_of(wording, change, "host", question->fleet->hosts[host].name, to);
}

static void offer_exclude(struct wording *wording) {
    const long vm = wording->conflict->vm;
    if (vm != PROBLEM_ANY)
        offer(wording, "exclude", json_string(handle_of(wording->question->fleet, vm)));
}

static void say_no_convergence(struct wording *w) {
    (void)snprintf(w->what, sizeof(w->what),
                   "%s dirties memory faster than any bandwidth it can use carries it: its migration does not converge",
                   w->vm);
    offer_exclude(w);
}

static void say_downtime(struct wording *w) {
    char needed[UNITS_TEXT_BYTES], available[UNITS_TEXT_BYTES];
    const double needed_ms = ceil(1e3 * w->conflict->needed);
    (void)snprintf(w->what, sizeof(w->what), "%s: its downtime budget of %s is unattainable; at least %s is needed",
                   w->vm, units_format_duration(1e3 * w->conflict->available, available, sizeof(available)),
                   units_format_duration(needed_ms, needed, sizeof(needed)));
    need(w, "downtime_ms", needed_ms);
    need(w, "downtime_budget_ms", 1e3 * w->conflict->available);
    offer_downtime(w, needed_ms);
    offer_exclude(w);
}

static void say_bandwidth(struct wording *w) {
    char needed[UNITS_TEXT_BYTES], available[UNITS_TEXT_BYTES];
    (void)snprintf(w->what, sizeof(w->what),
                   "%s needs at least %s to converge within its downtime budget; its path to %s gives %s", w->vm,
                   units_format_rate(w->conflict->needed, needed, sizeof(needed)), w->host,
                   units_format_rate(w->conflict->available, available, sizeof(available)));
    need(w, "bandwidth_bytes_per_s", w->conflict->needed);
    need(w, "available_bytes_per_s", w->conflict->available);
    if (w->conflict->best > 0)
        offer_downtime(w, ceil(1e3 * w->conflict->best));
    offer_exclude(w);
}

static void say_no_path(struct wording *w) {
    (void)snprintf(w->what, sizeof(w->what), "%s: no link leads from its host to %s", w->vm, w->host);
    offer_exclude(w);
}

/* Why the one host that was asked for does not receive. */
static const char *why_closed(const struct wording *w) {
    const long host = w->conflict->host;
    const struct fleet_host *self = &w->question->fleet->hosts[host];
    if (self->state != FLEET_HOST_ON)
        return self->state == FLEET_HOST_OFF ? "it is off" : "it is in maintenance";
    if (w->question->closed[host])
        return "it is excluded";
    if (!w->question->problem.hosts[host].receives)
        return "its data is too old";
    return "its CPU features or the rules do not allow it";
}

static void say_no_host(struct wording *w) {
    const struct fleet *fleet = w->question->fleet;
    if (w->conflict->host != PROBLEM_ANY) {
        (void)snprintf(w->what, sizeof(w->what), "%s: %s cannot receive it: %s", w->vm, w->host, why_closed(w));
        offer_exclude(w);
        return;
    }
    char rule[NAME_BYTES] = "";
    if (w->conflict->rule != PROBLEM_ANY) {
        const long number = (long)w->question->problem.rules[w->conflict->rule].number;
        (void)snprintf(rule, sizeof(rule), "; rules[%ld] (%s) excludes the last one", number,
                       fleet_doc_rule_text(fleet->rules[number].type));
        (void)json_object_set_new(w->needs, "rule", json_integer(number));
        offer(w, "drop_rule", json_integer(number));
    }
    (void)snprintf(w->what, sizeof(w->what),
                   "%s: no host may receive it (hosts that are on, not excluded, with its CPU features and allowed by "
                   "the rules)%s",
                   w->vm, rule);
    offer_exclude(w);
}

static void say_memory(struct wording *w) {
    char needed[UNITS_TEXT_BYTES], available[UNITS_TEXT_BYTES], lacking[UNITS_TEXT_BYTES];
    const double lacking_bytes = w->conflict->needed - w->conflict->available;
    (void)snprintf(w->what, sizeof(w->what), "%s need%s %s of memory; %s ha%s %s free: %s lacking", w->vm,
                   w->conflict->vm == PROBLEM_ANY ? "" : "s",
                   units_format_bytes(w->conflict->needed, needed, sizeof(needed)), w->host,
                   w->conflict->host == PROBLEM_ANY ? "ve" : "s",
                   units_format_bytes(w->conflict->available, available, sizeof(available)),
                   units_format_bytes(fmax(0, lacking_bytes), lacking, sizeof(lacking)));
    need(w, "memory_bytes", w->conflict->needed);
    need(w, "available_bytes", w->conflict->available);
    need(w, "lacking_bytes", fmax(0, lacking_bytes));
    offer_host(w, "memory_bytes", lacking_bytes);
    offer_exclude(w);
}

static void say_cpu(struct wording *w) {
    (void)snprintf(w->what, sizeof(w->what), "%s need%s %.1f cores; %s ha%s %.1f free: %.1f lacking", w->vm,
                   w->conflict->vm == PROBLEM_ANY ? "" : "s", w->conflict->needed, w->host,
                   w->conflict->host == PROBLEM_ANY ? "ve" : "s", w->conflict->available,
                   fmax(0, w->conflict->needed - w->conflict->available));
    (void)json_object_set_new(w->needs, "cpu_cores", json_real(w->conflict->needed));
    (void)json_object_set_new(w->needs, "available_cores", json_real(w->conflict->available));
    offer_host(w, "cpus", w->conflict->needed - w->conflict->available);
    offer_exclude(w);
}

static void say_rule(struct wording *w) {
    const struct fleet *fleet = w->question->fleet;
    const long number =
        w->conflict->rule == PROBLEM_ANY ? -1 : (long)w->question->problem.rules[w->conflict->rule].number;
    (void)snprintf(w->what, sizeof(w->what), "%s cannot be placed without breaking rules[%ld] (%s)", w->vm, number,
                   number >= 0 ? fleet_doc_rule_text(fleet->rules[number].type) : "together");
    if (number >= 0) {
        (void)json_object_set_new(w->needs, "rule", json_integer(number));
        offer(w, "drop_rule", json_integer(number));
    }
    offer_exclude(w);
}

/* A VM's own migration may be longer than the deadline already. */
static void say_deadline(struct wording *w) {
    char bound[UNITS_TEXT_BYTES], deadline[UNITS_TEXT_BYTES], best[UNITS_TEXT_BYTES];
    char enough[NAME_BYTES] = "";
    const bool one_vm = w->conflict->vm != PROBLEM_ANY;
    if (w->conflict->best > 0 && isfinite(w->conflict->best)) {
        (void)snprintf(enough, sizeof(enough), "; %s is enough (a plan exists)",
                       units_format_duration(1e3 * w->conflict->best, best, sizeof(best)));
        offer(w, "deadline_ms", integer(ceil(1e3 * w->conflict->best)));
    }
    (void)units_format_duration(1e3 * w->conflict->available, deadline, sizeof(deadline));
    (void)units_format_duration(1e3 * w->conflict->needed, bound, sizeof(bound));
    if (one_vm)
        (void)snprintf(w->what, sizeof(w->what), "%s: its migration alone takes at least %s, the deadline is %s", w->vm,
                       bound, deadline);
    else
        (void)snprintf(w->what, sizeof(w->what), "the deadline of %s cannot be kept: at least %s is needed (proved)%s",
                       deadline, bound, enough);
    need(w, "deadline_ms", ceil(1e3 * w->conflict->needed));
    offer_exclude(w);
}

static void say_deadlock(struct wording *w) {
    (void)snprintf(w->what, sizeof(w->what),
                   "%s waits for memory on %s that frees only after it has moved itself, and no other "
                   "host has room to park what is in the way",
                   w->vm, w->host);
    if (w->conflict->vm != PROBLEM_ANY)
        offer_host(w, "memory_bytes", w->question->fleet->vms[w->conflict->vm].memory_bytes);
    offer_exclude(w);
}

static void say(struct wording *wording) {
    switch (wording->conflict->kind) {
    case CONFLICT_NO_CONVERGENCE:
        say_no_convergence(wording);
        return;
    case CONFLICT_DOWNTIME_BUDGET:
        say_downtime(wording);
        return;
    case CONFLICT_BANDWIDTH:
        say_bandwidth(wording);
        return;
    case CONFLICT_NO_PATH:
        say_no_path(wording);
        return;
    case CONFLICT_NO_HOST:
        say_no_host(wording);
        return;
    case CONFLICT_MEMORY:
        say_memory(wording);
        return;
    case CONFLICT_CPU:
        say_cpu(wording);
        return;
    case CONFLICT_RULE:
        say_rule(wording);
        return;
    case CONFLICT_DEADLINE:
        say_deadline(wording);
        return;
    case CONFLICT_DEADLOCK:
        say_deadlock(wording);
        return;
    }
}

json_t *plan_conflict_json(const struct question *question, const struct solution_conflict *conflict) {
    const struct fleet *fleet = question->fleet;
    struct wording wording = {.question = question,
                              .conflict = conflict,
                              .vm = "the VMs together",
                              .host = "the hosts together",
                              .needs = json_object(),
                              .relax = json_array()};
    if (conflict->vm != PROBLEM_ANY) {
        (void)snprintf(wording.vm, sizeof(wording.vm), "VM %s", fleet->vms[conflict->vm].name);
        (void)json_object_set_new(wording.needs, "vm", json_string(fleet->vms[conflict->vm].uuid));
    }
    if (conflict->host != PROBLEM_ANY) {
        (void)snprintf(wording.host, sizeof(wording.host), "host %s", fleet->hosts[conflict->host].name);
        (void)json_object_set_new(wording.needs, "host", json_string(fleet->hosts[conflict->host].name));
    }
    say(&wording);
    return json_pack("{s:s, s:o, s:o}", "what", wording.what, "needs", wording.needs, "relax", wording.relax);
}
